"""Official checkpoints of InternLM-XComposer 2 as they are distributed, loaded tensor by tensor.

All names and shapes are compared before the first number is read: a checkpoint is used whole or not at all. Pickled
files are read as tensors alone: no code of theirs runs.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from pickle import UnpicklingError
from typing import TYPE_CHECKING, Any

from huggingface_hub.errors import StrictDataclassError

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

if TYPE_CHECKING:
    import torch

    from .config import XComposer2Config
    from .model import XComposer2ForConditionalGeneration
    from .processor import XComposer2Processor

# What transformers and torch raise on a configuration that cannot be.
_NO_SUCH_MODEL = (
    StrictDataclassError, ValueError, TypeError, LookupError, AttributeError, ArithmeticError, RuntimeError,
)  # fmt: skip
END_OF_TURN_ID = 92542  # [UNUSED_TOKEN_145], which the official code stops at beside </s>
_OTHER = (
    "name a folder with an official checkpoint of InternLM-XComposer 2.0 or 2.5, all its files as they were published"
)


def load_official(
    checkpoint: Checkpoint, *, dtype: torch.dtype, device: torch.device | str = "cpu", task: Task = "write"
) -> XComposer2ForConditionalGeneration:
    """The model, ready to run.

    Beside the model itself, memory holds one tensor at a time, and the adapters of the task; files are mapped one by
    one, not read whole. 2.5 has adapters for tasks, which are merged into the weights; 2.0 writes without any.

    Raises:
        ModelIncomplete: a file is missing or cut off, or a tensor is missing.
        ModelUnfit: a tensor is unknown, or has another shape; a file holds anything but tensors; config.json is that
            of another model.
    """
    import torch
    from transformers.initialization import no_init_weights

    from .model import XComposer2ForConditionalGeneration

    shapes = _shapes(checkpoint)
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
            tensors = _open(checkpoint, path)
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


def load_processor(checkpoint: Checkpoint, config: XComposer2Config) -> XComposer2Processor:
    """What turns messages into that model's prompts.

    Raises:
        ModelIncomplete: the file of its tokenizer is missing, damaged or another model's.
    """
    from .processor import END_OF_TURN, IMAGE, TURN, XComposer2Processor, image_processor
    from .tiles import TileImageProcessor
    from .tokenizer import load_tokenizer

    tokenizer = load_tokenizer(checkpoint, (IMAGE, TURN, END_OF_TURN))
    side = config.tile_side_px
    images = TileImageProcessor(side) if config.tiled else image_processor(side)
    return XComposer2Processor(images, tokenizer, config.tile_side_tokens)


def _config(checkpoint: Checkpoint, shapes: dict[str, tuple[int, ...]], task: Task) -> XComposer2Config:
    """The configuration that the checkpoint's tensors fit, one by one; takes no memory for any of them."""
    import torch

    from .model import XComposer2ForConditionalGeneration

    positions = shapes.get(POSITIONS)
    try:
        config = config_from_official(checkpoint.config, shapes, positions[0] if positions else None)
        with torch.device("meta"):
            model = XComposer2ForConditionalGeneration(config)
    except _NO_SUCH_MODEL as exc:
        why = " ".join(str(exc).split())
        raise ModelUnfit(f"the config.json of {checkpoint.source} describes no such model: {why}", _OTHER) from exc
    expected = {official_name(name): tuple(weights.shape) for name, weights in model.named_parameters()}
    linears = linear_layers(expected) if config.tiled else []
    rest = {name: shape for name, shape in shapes.items() if not is_adapter(name, set(linears))}
    _compare(checkpoint, expected, rest)
    for linear in linears:
        _check_adapters(checkpoint, linear, shapes, task)
    return config


def _check_adapters(checkpoint: Checkpoint, linear: str, shapes: dict[str, tuple[int, ...]], task: Task) -> None:
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
                    f"{checkpoint.source}: the tensor {name} is {shapes[name]}, beside its layer it is {shape}", _OTHER
                )


def _end_replies(model: Any) -> None:
    text = model.config.get_text_config()
    ends = [text.eos_token_id, END_OF_TURN_ID]
    model.generation_config.eos_token_id = [end for end in ends if end is not None and end < text.vocab_size]
    model.generation_config.pad_token_id = text.pad_token_id


def _compare(checkpoint: Checkpoint, expected: dict[str, tuple[int, ...]], found: dict[str, tuple[int, ...]]) -> None:
    """Do nothing where both have the same tensors, but for those that are known to be of no use."""
    missing = [name for name in expected if name not in found]
    unknown = [name for name in found if name not in expected and not left_out(name)]
    if missing and unknown:
        raise ModelUnfit(
            f"{checkpoint.source} has another layout: the tensor {missing[0]} is missing{_more(missing)}, "
            f"{unknown[0]} is unknown{_more(unknown)}",
            _OTHER,
        )
    if missing:
        raise ModelIncomplete(
            f"{checkpoint.source} is not whole: the tensor {missing[0]} is missing{_more(missing)}",
            "copy the whole folder again",
        )
    if unknown:
        raise ModelUnfit(f"{checkpoint.source} has an unknown tensor: {unknown[0]}{_more(unknown)}", _OTHER)
    for name, shape in expected.items():
        if found[name] != shape:
            raise ModelUnfit(
                f"{checkpoint.source}: the tensor {name} is {found[name]}, by config.json it is {shape}", _OTHER
            )


def _more(names: list[str]) -> str:
    return f" (and {len(names) - 1} more)" if len(names) > 1 else ""


def _shapes(checkpoint: Checkpoint) -> dict[str, tuple[int, ...]]:
    """Each tensor's name and shape, from headers alone."""
    shapes: dict[str, tuple[int, ...]] = {}
    for path in checkpoint.weights:
        tensors = _open(checkpoint, path)
        for name in tensors.names:
            if name in shapes:
                raise ModelUnfit(f"{checkpoint.source} has the tensor {name} twice, again in {path.name}", _OTHER)
            shapes[name] = tensors.shape(name)
    return shapes


class _Pickled:
    """Tensors of a .bin file, mapped into memory."""

    def __init__(self, path: Path) -> None:
        import torch

        self._tensors: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
        if not isinstance(self._tensors, dict):
            raise ValueError("it is no table of tensors")
        for name, value in self._tensors.items():
            if not isinstance(value, torch.Tensor):
                raise ValueError(f"{name} is no tensor")
        self.names = list(self._tensors)

    def shape(self, name: str) -> tuple[int, ...]:
        return tuple(self._tensors[name].shape)

    def read(self, name: str) -> torch.Tensor:
        return self._tensors[name]


class _Safe:
    """Tensors of a .safetensors file."""

    def __init__(self, path: Path) -> None:
        from safetensors import safe_open

        self._file: Any = safe_open(path, framework="pt")
        self.names: list[str] = list(self._file.keys())

    def shape(self, name: str) -> tuple[int, ...]:
        return tuple(self._file.get_slice(name).get_shape())

    def read(self, name: str) -> torch.Tensor:
        return self._file.get_tensor(name)


def _open(checkpoint: Checkpoint, path: Path) -> _Pickled | _Safe:
    from safetensors import SafetensorError

    try:
        return _Safe(path) if path.suffix == ".safetensors" else _Pickled(path)
    except UnpicklingError as exc:
        raise ModelUnfit(
            f"{path} holds more than tensors, and Limner runs no code that comes with weights", _OTHER
        ) from exc
    except ValueError as exc:
        raise ModelUnfit(f"{path} is no file of weights: {exc}", _OTHER) from exc
    except (SafetensorError, RuntimeError, OSError, EOFError) as exc:
        raise checkpoint.incomplete(f"{path.name} is cut off or damaged") from exc
