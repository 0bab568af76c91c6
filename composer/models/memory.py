"""Whether a model fits, before any of it is read: bytes from the headers of its weights against what is free."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from ...index.free import free_bytes, size
from ..errors import ModelTooLarge
from .checkpoint import Checkpoint, Tensor
from .options import Quantize

if TYPE_CHECKING:
    import torch

# What a model takes beside its weights while it works: its activations, and the keys and values of an article.
WORKING_SHARE = 0.1
_FLOATS = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2, "F8_E4M3": 1, "F8_E5M2": 1}  # bytes a number
_WHOLES = {"I64": 8, "U64": 8, "I32": 4, "U32": 4, "I16": 2, "U16": 2}  # bytes a number; all others have one
_DTYPES = {"float32": 4, "bfloat16": 2, "float16": 2}
# bitsandbytes: a byte a number; or half of one, and a float32 for each block of 64.
_QUANTISED = {"8bit": 1.0, "4bit": 0.5 + 4 / 64}
# It leaves these as they are: tables that are looked up in, and what makes tokens of the last layer.
_KEPT = ("embed", "lm_head", "wte", "wpe")


def count_parameters(checkpoint: Checkpoint) -> int:
    """How many parameters the headers count; of pickled weights, as many as float16 has in their bytes."""
    counted = sum(tensor.numbers for tensor in checkpoint.tensors())
    return counted or sum(path.stat().st_size for path in checkpoint.weights) // 2


def weigh(checkpoint: Checkpoint, dtype: str, quantize: Quantize = "none") -> int:
    """Bytes of a model's weights once they are loaded.

    Args:
        checkpoint: the files.
        dtype: "float32", "bfloat16", "float16", or "auto" for what they are stored in.
        quantize: what its matrices are brought to.
    """
    weighed = sum(_bytes(tensor, dtype, quantize) for tensor in checkpoint.tensors())
    if weighed:
        return int(weighed)
    stored = sum(path.stat().st_size for path in checkpoint.weights)
    own = str(checkpoint.config.get("dtype") or checkpoint.config.get("torch_dtype") or "float32")
    return stored * _DTYPES.get(dtype, _DTYPES.get(own, 4)) // _DTYPES.get(own, 4)


def check_memory(
    checkpoint: Checkpoint,
    dtype: str,
    quantize: Quantize,
    devices: list[torch.device],
    *,
    beside: int = 0,
    free: Callable[[torch.device], int] | None = None,
) -> None:
    """Do nothing where a model fits into the memory that is free on its devices, all of them together.

    beside is bytes that another model is going to take there.

    Raises:
        ModelTooLarge: it does not; with the figures and what would fit.
    """
    there = max(0, sum(map(free or free_on, devices)) - with_room(beside))
    needed = with_room(weigh(checkpoint, dtype, quantize))
    if needed <= there:
        return
    at = "on the GPU" if devices[0].type == "cuda" else "on this machine"
    at = f"on {len(devices)} GPUs" if sum(device.type == "cuda" for device in devices) > 1 else at
    form = dtype if dtype != "auto" else "it is stored in"
    form = f"{quantize} and {form}" if quantize != "none" else form
    at += " beside the other model" if beside else ""
    raise ModelTooLarge(
        f"{checkpoint.source} takes {size(needed)} of memory as {form}, {size(there)} are free {at}",
        _what_fits(checkpoint, there, dtype, quantize),
    )


def free_on(device: torch.device) -> int:
    """Bytes that a process may still take on a device."""
    if device.type != "cuda":
        return free_bytes()
    import torch

    return torch.cuda.mem_get_info(device)[0]


def _what_fits(checkpoint: Checkpoint, there: int, dtype: str, quantize: Quantize) -> str:
    """The mildest change of options that would do."""
    lower: list[tuple[str, str, Quantize]] = [
        ("--dtype bfloat16", "bfloat16", "none"),
        ("--quantize 8bit", dtype, "8bit"),
        ("--quantize 4bit", dtype, "4bit"),
        ("--quantize 4bit --dtype bfloat16", "bfloat16", "4bit"),
    ]
    now = weigh(checkpoint, dtype, quantize)
    for words, other, how in lower:
        needed = weigh(checkpoint, other, how)
        if needed < now and with_room(needed) <= there:
            return f"`{words}` takes {size(with_room(needed))}; or take a smaller model"
    return "take a smaller model, or a machine with more memory: no option makes this one small enough"


def with_room(weights: int) -> int:
    """Bytes of a model that works: its weights, and what it takes beside them."""
    return int(weights * (1 + WORKING_SHARE))


def _bytes(tensor: Tensor, dtype: str, quantize: Quantize) -> float:
    if tensor.dtype not in _FLOATS:
        return tensor.numbers * _WHOLES.get(tensor.dtype, 1)
    is_matrix = len(tensor.shape) == 2 and tensor.name.endswith(".weight")
    if quantize != "none" and is_matrix and not any(part in tensor.name for part in _KEPT):
        return tensor.numbers * _QUANTISED[quantize]
    return tensor.numbers * _DTYPES.get(dtype, _FLOATS[tensor.dtype])
