"""Official checkpoints of 1.0 as they are distributed, read tensor by tensor, their LoRA merged on the way."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from ....errors import ModelUnfit
from ...checkpoint import Checkpoint
from ..tensors import NO_SUCH_MODEL, OTHER, Parameter, Recipe, Shape, compare, readers, shapes_of, summed
from .layout import (
    POSITIONS,
    Lora,
    config_from_official,
    expected_shapes,
    key_less_bias,
    left_out,
    lora_from_official,
    official_name,
    pairs,
)

if TYPE_CHECKING:
    import torch

    from .config import XComposer1Config
    from .processor import XComposer1Processor

ENDS = (103027, 103028)  # of what the user says, and of an answer: the official code stops at both


def read_one(checkpoint: Checkpoint) -> Recipe:
    """The model that an official checkpoint gives, its LoRA a part of its weights; reads headers alone.

    Raises:
        ModelIncomplete: a file is missing or cut off, or a tensor is missing.
        ModelUnfit: a tensor is unknown, or has another shape; a file holds anything but tensors; config.json is that
            of another model.
    """
    from .model import XComposer1ForConditionalGeneration

    config, lora, shapes = _config(checkpoint, shapes_of(checkpoint))
    read = readers(checkpoint)
    beside = pairs(read.keys(), lora)

    def make(name: str) -> torch.Tensor:
        official = official_name(name)
        if (biases := key_less_bias(official)) is not None:
            return _with_keys(*(read[bias]() for bias in biases))
        additions = [beside[official]] if official in beside else []
        return summed(read[official], [(read[a], read[b]) for a, b in additions], lora.scale)

    parameters = {name: Parameter(partial(make, name)) for name in shapes}
    ends = (config.get_text_config().eos_token_id, *ENDS)
    return Recipe(XComposer1ForConditionalGeneration, config, parameters, ends)


def _with_keys(queries: torch.Tensor, values: torch.Tensor) -> torch.Tensor:
    """The bias of queries, keys and values: keys have none."""
    import torch

    return torch.cat([queries, torch.zeros_like(queries), values])


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


def _config(checkpoint: Checkpoint, shapes: dict[str, Shape]) -> tuple[XComposer1Config, Lora, dict[str, Shape]]:
    """The configuration that the checkpoint's tensors fit, one by one, and the shapes of our parameters."""
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
    return config, lora, {name: tuple(weights.shape) for name, weights in model.named_parameters()}
