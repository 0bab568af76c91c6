"""Official checkpoints of InternLM-XComposer as they are distributed, loaded tensor by tensor.

Those of 1.0 go their own way from here, into `one`; what follows is of 2.0 and 2.5.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ...errors import ModelIncomplete, ModelUnfit
from ..checkpoint import Checkpoint
from .layout import (
    POSITIONS,
    Task,
    adapter_names,
    config_from_official,
    is_adapter,
    left_out,
    linear_layers,
    official_name,
)
from .one.layout import is_one
from .one.official import load_one, load_processor_of_one
from .tensors import NO_SUCH_MODEL, OTHER, Shape, compare, open_tensors, shapes_of

if TYPE_CHECKING:
    import torch

    from .config import XComposer2Config
    from .model import XComposer2ForConditionalGeneration
    from .one.config import XComposer1Config
    from .one.model import XComposer1ForConditionalGeneration
    from .one.processor import XComposer1Processor
    from .processor import XComposer2Processor

END_OF_TURN_ID = 92542  # [UNUSED_TOKEN_145], which the official code stops at beside </s>


def load_official(
    checkpoint: Checkpoint, *, dtype: torch.dtype, device: torch.device | str = "cpu", task: Task = "write"
) -> XComposer1ForConditionalGeneration | XComposer2ForConditionalGeneration:
    """The model, ready to run, of the version that config.json names.

    Beside the model itself, memory holds one tensor at a time, and the adapters of the task; files are mapped one by
    one, not read whole. 2.5 has adapters for tasks, which are merged into the weights; the others write without any.

    Raises:
        ModelIncomplete: a file is missing or cut off, or a tensor is missing.
        ModelUnfit: a tensor is unknown, or has another shape; a file holds anything but tensors; config.json is that
            of another model.
    """
    import torch
    from transformers.initialization import no_init_weights

    from .model import XComposer2ForConditionalGeneration

    if is_one(checkpoint.config):
        return load_one(checkpoint, dtype=dtype, device=device)
    shapes = shapes_of(checkpoint)
    config = _config(checkpoint, shapes, task)
    with no_init_weights(), torch.device(device):
        model = XComposer2ForConditionalGeneration._from_config(config, dtype=dtype)
    parameters = {official_name(name): weights for name, weights in model.named_parameters()}
    linears = linear_layers(parameters) if config.tiled else []
    pairs = {f"{linear}.weight": adapter_names(linear, task) for linear in linears}
    wanted = {name for names in pairs.values() for pair in names for name in pair}
    adapters: dict[str, torch.Tensor] = {}  # small, and what belongs together may lie in different files
    with torch.no_grad():
        for path in checkpoint.weights:
            tensors = open_tensors(checkpoint, path)
            for name in tensors.names:
                if name in parameters:
                    parameters[name].copy_(tensors.read(name))  # casts and moves
                elif name in wanted:
                    adapters[name] = tensors.read(name).clone()
        for name, names in pairs.items():
            _merge(parameters[name], [(adapters.pop(a), adapters.pop(b)) for a, b in names])
    _end_replies(model)
    return model.eval()


def _merge(weights: torch.Tensor, adapters: Sequence[tuple[torch.Tensor, torch.Tensor]]) -> None:
    """W + B A for each adapter, summed in float32: the official code adds them unmerged."""
    if adapters:
        total = weights.float()
        for a, b in adapters:
            total += b.to(total) @ a.to(total)
        weights.copy_(total)


def load_processor(
    checkpoint: Checkpoint, config: XComposer1Config | XComposer2Config
) -> XComposer1Processor | XComposer2Processor:
    """What turns messages into that model's prompts.

    Raises:
        ModelIncomplete: the file of its tokenizer is missing, damaged or another model's.
    """
    from .one.config import XComposer1Config
    from .processor import END_OF_TURN, IMAGE, TURN, XComposer2Processor, image_processor
    from .tiles import TileImageProcessor
    from .tokenizer import load_tokenizer

    if isinstance(config, XComposer1Config):
        return load_processor_of_one(checkpoint, config)
    tokenizer = load_tokenizer(checkpoint, (IMAGE, TURN, END_OF_TURN))
    side = config.tile_side_px
    images = TileImageProcessor(side) if config.tiled else image_processor(side)
    return XComposer2Processor(images, tokenizer, config.tile_side_tokens)


def _config(checkpoint: Checkpoint, shapes: dict[str, Shape], task: Task) -> XComposer2Config:
    """The configuration that the checkpoint's tensors fit, one by one; takes no memory for any of them."""
    import torch

    from .model import XComposer2ForConditionalGeneration

    positions = shapes.get(POSITIONS)
    try:
        config = config_from_official(checkpoint.config, shapes, positions[0] if positions else None)
        with torch.device("meta"):
            model = XComposer2ForConditionalGeneration(config)
    except NO_SUCH_MODEL as exc:
        why = " ".join(str(exc).split())
        raise ModelUnfit(f"the config.json of {checkpoint.source} describes no such model: {why}", OTHER) from exc
    expected = {official_name(name): tuple(weights.shape) for name, weights in model.named_parameters()}
    linears = linear_layers(expected) if config.tiled else []
    rest = {name: shape for name, shape in shapes.items() if not is_adapter(name, set(linears))}
    compare(checkpoint, expected, rest, left_out)
    for linear in linears:
        _check_adapters(checkpoint, linear, shapes, task)
    return config


def _check_adapters(checkpoint: Checkpoint, linear: str, shapes: dict[str, Shape], task: Task) -> None:
    """Do nothing where the task's adapters of a linear layer are there and fit it, of whatever rank."""
    outputs, inputs = shapes[f"{linear}.weight"]
    for a, b in adapter_names(linear, task):
        for name in (a, b):
            if name not in shapes:
                raise ModelIncomplete(
                    f"{checkpoint.source} has not all adapters of the task {task}: the tensor {name} is missing",
                    "copy the whole folder again; a checkpoint that never had any is loaded for the task none",
                )
        rank = shapes[a][0] if shapes[a] else 0
        for name, shape in ((a, (rank, inputs)), (b, (outputs, rank))):
            if shapes[name] != shape:
                raise ModelUnfit(
                    f"{checkpoint.source}: the tensor {name} is {shapes[name]}, beside its layer it is {shape}", OTHER
                )


def _end_replies(model: Any) -> None:
    text = model.config.get_text_config()
    ends = [text.eos_token_id, END_OF_TURN_ID]
    model.generation_config.eos_token_id = [end for end in ends if end is not None and end < text.vocab_size]
    model.generation_config.pad_token_id = text.pad_token_id
