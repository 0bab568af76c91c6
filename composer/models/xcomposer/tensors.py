"""What official checkpoints of every version have in common: files of tensors; names and shapes are read first.

All names and shapes are compared before the first number is read: a checkpoint is used whole or not at all. Pickled
files are read as tensors alone: no code of theirs runs.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from pickle import UnpicklingError
from typing import TYPE_CHECKING, Any

from huggingface_hub.errors import StrictDataclassError

from ...errors import ModelIncomplete, ModelUnfit
from ..checkpoint import Checkpoint
from .numbers import check_finite, check_range

if TYPE_CHECKING:
    import torch
    from transformers import GenerationConfig, PreTrainedModel

Shape = tuple[int, ...]
# What transformers and torch raise on a configuration that cannot be.
NO_SUCH_MODEL = (
    StrictDataclassError, ValueError, TypeError, LookupError, AttributeError, ArithmeticError, RuntimeError,
)  # fmt: skip
OTHER = (
    "name a folder with an official checkpoint of InternLM-XComposer 1.0, 2.0 or 2.5, all its files as they were "
    "published"
)

_NOT_QUANTISED = "name the checkpoint as it was before that, and quantise it with `--quantize`"


def compare(
    checkpoint: Checkpoint, expected: Mapping[str, Shape], found: Mapping[str, Shape], left_out: Callable[[str], bool]
) -> None:
    """Do nothing where both have the same tensors, but for those that are known to be of no use.

    Raises:
        ModelIncomplete: a tensor is missing.
        ModelUnfit: one is unknown, or has another shape.
    """
    missing = [name for name in expected if name not in found]
    unknown = [name for name in found if name not in expected and not left_out(name)]
    if missing and unknown:
        raise ModelUnfit(
            f"{checkpoint.source} has another layout: the tensor {missing[0]} is missing{_more(missing)}, "
            f"{unknown[0]} is unknown{_more(unknown)}",
            OTHER,
        )
    if missing:
        raise ModelIncomplete(
            f"{checkpoint.source} is not whole: the tensor {missing[0]} is missing{_more(missing)}",
            "copy the whole folder again",
        )
    if unknown:
        raise ModelUnfit(f"{checkpoint.source} has an unknown tensor: {unknown[0]}{_more(unknown)}", OTHER)
    for name, shape in expected.items():
        if found[name] != shape:
            raise ModelUnfit(
                f"{checkpoint.source}: the tensor {name} is {found[name]}, by config.json it is {shape}", OTHER
            )


def _more(names: list[str]) -> str:
    return f" (and {len(names) - 1} more)" if len(names) > 1 else ""


def shapes_of(checkpoint: Checkpoint) -> dict[str, Shape]:
    """Each tensor's name and shape, from headers alone.

    Raises:
        ModelIncomplete: a file is missing or cut off.
        ModelUnfit: a file holds anything but tensors, or one that is in another file too.
    """
    shapes: dict[str, Shape] = {}
    for path in checkpoint.weights:
        tensors = open_tensors(checkpoint, path)
        for name in tensors.names:
            if name in shapes:
                raise ModelUnfit(f"{checkpoint.source} has the tensor {name} twice, again in {path.name}", OTHER)
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
            if not isinstance(name, str):
                raise ValueError(f"{name!r} is no name of a tensor")
            if not isinstance(value, torch.Tensor):
                raise ValueError(f"{name} is no tensor")
        self.names = list(self._tensors)

    def shape(self, name: str) -> Shape:
        return tuple(self._tensors[name].shape)

    def dtype(self, name: str) -> torch.dtype:
        return self._tensors[name].dtype

    def read(self, name: str) -> torch.Tensor:
        return self._tensors[name]


class _Safe:
    """Tensors of a .safetensors file."""

    def __init__(self, path: Path) -> None:
        from safetensors import safe_open

        self._file: Any = safe_open(path, framework="pt")
        self.names: list[str] = list(self._file.keys())

    def shape(self, name: str) -> Shape:
        return tuple(self._file.get_slice(name).get_shape())

    def dtype(self, name: str) -> torch.dtype:
        return self.read(name).dtype  # mapped: none of its numbers are read

    def read(self, name: str) -> torch.Tensor:
        return self._file.get_tensor(name)


def open_tensors(checkpoint: Checkpoint, path: Path) -> _Pickled | _Safe:
    """The tensors of a file, of which nothing is read yet: their names, the shape of each, and each by itself.

    Raises:
        ModelIncomplete: it is cut off or damaged.
        ModelUnfit: it holds anything but tensors.
    """
    from safetensors import SafetensorError

    try:
        return _Safe(path) if path.suffix == ".safetensors" else _Pickled(path)
    except UnpicklingError as exc:
        raise ModelUnfit(
            f"{path} holds more than tensors, and Limner runs no code that comes with weights", OTHER
        ) from exc
    except ValueError as exc:
        raise ModelUnfit(f"{path} is no file of weights: {exc}", OTHER) from exc
    except (SafetensorError, RuntimeError, OSError, EOFError) as exc:
        raise checkpoint.incomplete(f"{path.name} is cut off or damaged") from exc


class Parameter:
    """One of our model's parameters, made of a checkpoint's tensors when transformers asks for it by `[...]`."""

    def __init__(self, make: Callable[[], torch.Tensor]) -> None:
        self._make = make

    def __getitem__(self, whole: Any) -> torch.Tensor:
        return self._make()


@dataclass(frozen=True, slots=True)
class Recipe:
    """The model that a checkpoint gives: all that is known of it before the first number is read."""

    kind: type[PreTrainedModel]
    config: Any
    parameters: Mapping[str, Parameter]  # by our names
    ends: tuple[int, ...]  # the tokens that end a reply

    def cast(self, checkpoint: Checkpoint, dtype: torch.dtype) -> dict[str, Parameter]:
        """The parameters in other numbers; making one raises ModelUnfit where it does not fit into them."""

        def make(name: str) -> torch.Tensor:
            weights = self.parameters[name][...]
            check_range(checkpoint, name, weights, dtype)
            return weights.to(dtype)

        return {name: Parameter(partial(make, name)) for name in self.parameters}

    def generation(self) -> GenerationConfig:
        """How the model writes: where it stops, and what no reply holds."""
        import torch

        with torch.device("meta"):
            chosen: Any = self.kind(self.config).generation_config
        text = self.config.get_text_config()
        chosen.eos_token_id = [end for end in self.ends if end < text.vocab_size]
        chosen.pad_token_id = text.pad_token_id
        return chosen


def readers(checkpoint: Checkpoint) -> dict[str, Callable[[], torch.Tensor]]:
    """How each tensor of a checkpoint is read; its files are mapped, not read whole.

    Reading raises ModelIncomplete where a number is NaN or infinite.
    """

    def read(tensors: _Pickled | _Safe, path: Path, name: str) -> torch.Tensor:
        weights = tensors.read(name)
        check_finite(checkpoint, path, name, weights)
        return weights

    found: dict[str, Callable[[], torch.Tensor]] = {}
    for path in checkpoint.weights:
        tensors = open_tensors(checkpoint, path)
        found |= {name: partial(read, tensors, path, name) for name in tensors.names}
    return found


def summed(
    weight: Callable[[], torch.Tensor],
    additions: Sequence[tuple[Callable[[], torch.Tensor], Callable[[], torch.Tensor]]],
    scale: float = 1.0,
) -> torch.Tensor:
    """W + scale B A for each addition (A, B), in float32 and rounded once: the official code has them apart."""
    if not additions:
        return weight()
    total = weight().float()
    for a, b in additions:
        total = total.addmm(b().float(), a().float(), alpha=scale)
    return total


def parameter_shapes(kind: type[PreTrainedModel], config: Any) -> dict[str, Shape]:
    """The names and shapes of a model's parameters; takes no memory for any of them."""
    import torch

    with torch.device("meta"):
        model = kind(config)
    return {name: tuple(weights.shape) for name, weights in model.named_parameters()}


def stored_dtype(checkpoint: Checkpoint) -> torch.dtype:
    """What the numbers of a checkpoint are stored in, by the largest tensor of its first file that has any.

    Raises:
        ModelUnfit: they are whole numbers or have 8 bits, which are weights only with a scale that no official layout
            has.
    """
    files = (open_tensors(checkpoint, path) for path in checkpoint.weights)
    tensors = next(file for file in files if file.names)
    name = max(tensors.names, key=lambda name: math.prod(tensors.shape(name)))
    dtype = tensors.dtype(name)
    if not dtype.is_floating_point or dtype.itemsize < 2:
        stored = str(dtype).removeprefix("torch.")
        raise ModelUnfit(f"{checkpoint.source} is quantised: the numbers of {name} are {stored}", _NOT_QUANTISED)
    return dtype
