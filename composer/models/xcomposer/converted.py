"""Checkpoints as `limner models convert` writes them: safetensors under our names, and all that is beside them.

Transformers reads them by itself, mapped into memory; what is checked here is that they are whole.

    config.json                                 our configuration
    generation_config.json                      where replies end, and what they do not hold
    model-00001-of-0000N.safetensors            the parameters, adapters merged
    model.safetensors.index.json                which file has which
    processor_config.json                       pictures; `max_tiles` says into how many tiles 2.5 cuts one
    chat_template.jinja, tokenizer*.json        words and the frame of a conversation
"""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping
from pickle import UnpicklingError
from typing import TYPE_CHECKING, Any

from ...errors import ModelUnfit
from ..checkpoint import Checkpoint
from .numbers import check_range
from .tensors import NO_SUCH_MODEL, compare, parameter_shapes, readers

if TYPE_CHECKING:
    from .checkpoint import XComposer

PROCESSOR, TEMPLATE = "processor_config.json", "chat_template.jinja"
_OTHER = "convert the official checkpoint again"
_UNREADABLE = (OSError, EOFError, UnpicklingError, *NO_SUCH_MODEL)


def classes(version: int) -> tuple[Any, Any, Any]:
    """Configuration, model and processor of a version."""
    if version == 1:
        from .one.config import XComposer1Config
        from .one.model import XComposer1ForConditionalGeneration
        from .one.processor import XComposer1Processor

        return XComposer1Config, XComposer1ForConditionalGeneration, XComposer1Processor
    from .config import XComposer2Config
    from .model import XComposer2ForConditionalGeneration
    from .processor import XComposer2Processor

    return XComposer2Config, XComposer2ForConditionalGeneration, XComposer2Processor


def read_config(checkpoint: XComposer) -> Any:
    """The configuration, which the tensors fit one by one by their headers.

    Raises:
        ModelIncomplete: a tensor is missing, or a file cut off.
        ModelUnfit: a tensor is unknown or has another shape; or a number of config.json cannot be.
    """
    config_class, model_class, _ = classes(checkpoint.layout.version)
    try:
        config = config_class.from_dict(copy.deepcopy(checkpoint.config))
        shapes = parameter_shapes(model_class, config)
    except NO_SUCH_MODEL as exc:
        why = " ".join(str(exc).split())
        raise ModelUnfit(f"the config.json of {checkpoint.source} describes no such model: {why}", _OTHER) from exc
    found = {tensor.name: tensor.shape for tensor in Checkpoint.tensors(checkpoint)}
    compare(checkpoint, shapes, found, lambda name: False)
    return config


def load_converted(checkpoint: XComposer, config: Any, arguments: Mapping[str, Any]) -> Any:
    """The model, ready to run.

    All its numbers are looked at before: that alone reads the files through, which are mapped into memory.

    Raises:
        ModelIncomplete: a number is NaN or infinite.
        ModelUnfit: a number is beyond the dtype that is asked for, or transformers cannot load it so.
    """
    _, model_class, _ = classes(checkpoint.layout.version)
    for name, read in readers(checkpoint).items():
        weights = read()
        if arguments["dtype"] != "auto":
            check_range(checkpoint, name, weights, arguments["dtype"])
    return model_class.from_pretrained(
        str(checkpoint.folder), config=config, local_files_only=True, weights_only=True, **arguments
    ).eval()


def load_converted_processor(checkpoint: XComposer) -> Any:
    """What turns messages into the model's prompts.

    Raises:
        ModelIncomplete: a file of it is missing or damaged.
    """
    from transformers import PreTrainedTokenizerFast
    from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

    from .tiles import TileImageProcessor

    *_, processor_class = classes(checkpoint.layout.version)
    try:
        said: dict[str, Any] = json.loads((checkpoint.folder / PROCESSOR).read_bytes())
        pictures = dict(said.pop("image_processor"))
        kind = pictures.pop("image_processor_type", "")
        made: Any = TileImageProcessor if kind == TileImageProcessor.__name__ else CLIPImageProcessorPil
        tokenizer = PreTrainedTokenizerFast.from_pretrained(str(checkpoint.folder), local_files_only=True)
        said.pop("processor_class", None)
        said["chat_template"] = (checkpoint.folder / TEMPLATE).read_text(encoding="utf-8")
        return processor_class(made(**pictures), tokenizer, **said)
    except _UNREADABLE as exc:
        why = " ".join(str(exc).split())[:200]
        raise checkpoint.incomplete(f"its processor or tokenizer cannot be read: {why}") from exc
