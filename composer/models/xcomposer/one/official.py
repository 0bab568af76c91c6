"""Official checkpoints of 1.0 as they are distributed, loaded tensor by tensor, their LoRA merged on the way."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from ....errors import ModelUnfit
from ...checkpoint import Checkpoint
from ..tensors import NO_SUCH_MODEL, OTHER, Shape, compare, open_tensors, shapes_of
from .layout import (
    POSITIONS,
    Lora,
    config_from_official,
    expected_shapes,
    left_out,
    lora_from_official,
    pairs,
    places,
)

if TYPE_CHECKING:
    import torch

    from .config import XComposer1Config
    from .model import XComposer1ForConditionalGeneration
    from .processor import XComposer1Processor

ENDS = (103027, 103028)  # of what the user says, and of an answer: the official code stops at both


def load_one(
    checkpoint: Checkpoint, *, dtype: torch.dtype, device: torch.device | str = "cpu"
) -> XComposer1ForConditionalGeneration:
    """The model, ready to run; its LoRA is part of its weights.

    Beside the model itself, memory holds one layer's tensors at a time; files are mapped one by one, not read whole.

    Raises:
        ModelIncomplete: a file is missing or cut off, or a tensor is missing.
        ModelUnfit: a tensor is unknown, or has another shape; a file holds anything but tensors; config.json is that
            of another model.
    """
    import torch
    from transformers.initialization import no_init_weights

    from .model import XComposer1ForConditionalGeneration

    config, lora = _config(checkpoint, shapes_of(checkpoint))
    with no_init_weights(), torch.device(device):
        model = XComposer1ForConditionalGeneration._from_config(config, dtype=dtype)
    with torch.no_grad():
        _fill(dict(places(model)), checkpoint, lora)
    ends = [config.get_text_config().eos_token_id, *ENDS]
    model.generation_config.eos_token_id = [end for end in ends if end < config.get_text_config().vocab_size]
    model.generation_config.pad_token_id = config.get_text_config().pad_token_id
    return model.eval()


def _fill(parameters: Mapping[str, torch.Tensor], checkpoint: Checkpoint, lora: Lora) -> None:
    """Copy every tensor to its place, cast and moved; a weight with an addition once all three are read.

    They are summed in float32 and rounded once: the official code adds them unmerged.
    """
    beside = pairs(parameters.keys(), lora)
    belongs_to = {name: weight for weight, pair in beside.items() for name in (weight, *pair)}
    read: dict[str, torch.Tensor] = {}
    for path in checkpoint.weights:
        tensors = open_tensors(checkpoint, path)
        for name in tensors.names:
            if (weight := belongs_to.get(name)) is not None:
                read[name] = tensors.read(name)
                a, b = beside[weight]
                if all(part in read for part in (weight, a, b)):
                    target = parameters[weight]
                    w, down, up = (read.pop(part).to(target.device).float() for part in (weight, a, b))
                    target.copy_(w.addmm(up, down, alpha=lora.scale))
            elif name in parameters:
                parameters[name].copy_(tensors.read(name))


def load_processor_of_one(checkpoint: Checkpoint, config: XComposer1Config) -> XComposer1Processor:
    """What turns messages into that model's prompts.

    Raises:
        ModelIncomplete: the file of its tokenizer is missing, damaged or another model's.
    """
    from ..processor import image_processor
    from ..tokenizer import load_tokenizer
    from .processor import END_OF_ANSWER, END_OF_HUMAN, IMAGE, XComposer1Processor

    tokenizer = load_tokenizer(checkpoint, (IMAGE, END_OF_HUMAN, END_OF_ANSWER))
    side: int = config.vision_config.image_size  # pyright: ignore[reportOptionalMemberAccess, reportAttributeAccessIssue]
    return XComposer1Processor(image_processor(side), tokenizer, config.tokens_a_picture)


def _config(checkpoint: Checkpoint, shapes: dict[str, Shape]) -> tuple[XComposer1Config, Lora]:
    """The configuration that the checkpoint's tensors fit, one by one; takes no memory for any of them."""
    import torch

    from .model import XComposer1ForConditionalGeneration

    positions = shapes.get(POSITIONS)
    try:
        # (1, positions, width)
        config = config_from_official(checkpoint.config, positions[1] if positions and len(positions) == 3 else None)
        lora = lora_from_official(checkpoint.config)
        with torch.device("meta"):
            model = XComposer1ForConditionalGeneration(config)
    except NO_SUCH_MODEL as exc:
        why = " ".join(str(exc).split())
        raise ModelUnfit(f"the config.json of {checkpoint.source} describes no such model: {why}", OTHER) from exc
    compare(checkpoint, expected_shapes(model, lora), shapes, left_out)
    return config, lora
