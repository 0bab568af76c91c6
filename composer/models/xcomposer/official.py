"""Official checkpoints of InternLM-XComposer as they are distributed, loaded tensor by tensor.

Those of 1.0 go their own way from here, into `one`; what follows is of 2.0 and 2.5.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from ...errors import ModelIncomplete, ModelUnfit
from ..checkpoint import Checkpoint
from .checkpoint import layout_of
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
from .one.official import load_processor_of_one, read_one
from .tensors import (
    NO_SUCH_MODEL,
    OTHER,
    Parameter,
    Recipe,
    Shape,
    compare,
    parameter_shapes,
    readers,
    shapes_of,
    summed,
)

if TYPE_CHECKING:
    import torch

    from .config import XComposer2Config
    from .one.config import XComposer1Config
    from .one.processor import XComposer1Processor
    from .processor import XComposer2Processor

END_OF_TURN_ID = 92542  # [UNUSED_TOKEN_145], which the official code stops at beside </s>


def load_official(
    checkpoint: Checkpoint,
    *,
    dtype: torch.dtype,
    device: torch.device | str = "cpu",
    task: Task = "write",
    **arguments: Any,
) -> Any:
    """The model, ready to run, of the version that config.json names.

    Beside the model itself, memory holds a few tensors at a time; files are mapped, not read whole. 2.5 has adapters
    for tasks, which are merged into the weights; the others write without any.

    Args:
        checkpoint: the files.
        dtype: what the numbers are cast to.
        device: where the model is put, unless the arguments have a `device_map`.
        task: of the adapters.
        arguments: for `from_pretrained`, as of quantisation.

    Raises:
        ModelIncomplete: a file is missing or cut off, or a tensor is missing; a number is NaN or infinite.
        ModelUnfit: a tensor is unknown, or has another shape; a file holds anything but tensors; config.json is that
            of another model; a number is beyond the dtype.
    """
    recipe = read_official(checkpoint, task)
    arguments = {"device_map": {"": device}} | arguments
    model: Any = recipe.kind.from_pretrained(
        None, config=recipe.config, state_dict=recipe.cast(checkpoint, dtype), dtype=dtype, **arguments
    )
    model.generation_config = recipe.generation()
    return model.eval()


def read_official(checkpoint: Checkpoint, task: Task = "write") -> Recipe:
    """The model that an official checkpoint gives; reads headers alone.

    Raises:
        As load_official.
    """
    from .model import XComposer2ForConditionalGeneration

    layout = layout_of(checkpoint.config)
    if layout is not None and layout.version == 1:
        return read_one(checkpoint)
    config, shapes = _config(checkpoint, shapes_of(checkpoint), task)
    read = readers(checkpoint)
    linears = {f"{linear}.weight": linear for linear in linear_layers(read)} if config.tiled else {}

    def make(name: str) -> torch.Tensor:
        official = official_name(name)
        pairs = adapter_names(linears[official], task) if official in linears else []
        return summed(read[official], [(read[a], read[b]) for a, b in pairs])

    parameters = {name: Parameter(partial(make, name)) for name in shapes}
    end = config.get_text_config().eos_token_id
    ends = (END_OF_TURN_ID,) if end is None else (end, END_OF_TURN_ID)
    return Recipe(XComposer2ForConditionalGeneration, config, parameters, ends)


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


def _config(checkpoint: Checkpoint, shapes: dict[str, Shape], task: Task) -> tuple[XComposer2Config, dict[str, Shape]]:
    """The configuration that the checkpoint's tensors fit, one by one, and the shapes of our parameters."""
    from .model import XComposer2ForConditionalGeneration

    positions = shapes.get(POSITIONS)
    try:
        config = config_from_official(checkpoint.config, shapes, positions[0] if positions else None)
        ours = parameter_shapes(XComposer2ForConditionalGeneration, config)
    except NO_SUCH_MODEL as exc:
        why = " ".join(str(exc).split())
        raise ModelUnfit(f"the config.json of {checkpoint.source} describes no such model: {why}", OTHER) from exc
    expected = {official_name(name): shape for name, shape in ours.items()}
    linears = linear_layers(expected) if config.tiled else []
    rest = {name: shape for name, shape in shapes.items() if not is_adapter(name, set(linears))}
    compare(checkpoint, expected, rest, left_out)
    for linear in linears:
        _check_adapters(checkpoint, linear, shapes, task)
    return config, ours


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
