"""In which precision an encoder keeps its weights and computes: part of its name, and chosen by measuring.

No processor's name tells what is fast: bfloat16 is 3 to 5 times as fast as float32 with AMX or AVX512-BF16, and fifty
times as slow without. So `@auto` measures once, when a library is begun; the outcome is in the encoder's name, which
the library keeps, so that updates and searches never measure again.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING

from .errors import EncoderUnknown

if TYPE_CHECKING:
    import torch

    from .encoder import OpenClipEncoder

FULL = "fp32"
AUTO = "auto"
PRECISIONS = (FULL, "bf16", "fp16")
# Digits are not given up, and half of the memory not asked for twice, for less than this.
MIN_GAIN = 1.2
_BATCH, _REPEATS = 16, 3
_ROWS, _SIDE = 64, 512  # of the product that is tried
_AT_MOST = 2.0  # times as slow as in float32: emulated arithmetic is at 10 to 100


def split_name(name: str) -> tuple[str, str | None]:
    """An encoder's name to what stands before `@`, and the precision behind it if there is one."""
    base, at, behind = name.rpartition("@")
    return (base, behind) if at and behind in (*PRECISIONS, AUTO) else (name, None)


def with_precision(name: str, precision: str) -> str:
    """An encoder's name with this precision, `auto` included; that of float32 is the bare name.

    Raises:
        EncoderUnknown: no such precision, or the name has another one.
    """
    base, own = split_name(name)
    if precision not in (*PRECISIONS, AUTO):
        raise EncoderUnknown(f"no precision is called {precision!r}", f"use {', '.join((AUTO, *PRECISIONS))}")
    if own is not None and precision not in (AUTO, own):
        raise EncoderUnknown(f"{name} has a precision already, asked for {precision}", f"name the encoder {base}")
    wanted = own if own is not None else precision
    return base if wanted == FULL else f"{base}@{wanted}"


def torch_dtype(precision: str) -> torch.dtype:
    """The type of the weights."""
    import torch

    return {FULL: torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}[precision]


def lower_precision(device: torch.device) -> str:
    """What is tried beside float32: as fast as the other one where it is fast at all, and with more digits on a GPU."""
    return "fp16" if device.type == "cuda" else "bf16"


def is_faster(other: OpenClipEncoder, than: OpenClipEncoder) -> bool:
    """Whether an encoder takes clearly less time than another one, on a batch of one even picture."""
    from PIL import Image

    pictures = [Image.new("RGB", (than.image_side_px, than.image_side_px), "grey")] * _BATCH
    return MIN_GAIN * _best_s(lambda: other.encode_images(pictures)) < _best_s(lambda: than.encode_images(pictures))


@cache
def has_arithmetic(device: torch.device, precision: str) -> bool:
    """Whether a device multiplies in this precision by itself; measured, once a process, in some milliseconds.

    One that has none emulates it, number by number.
    """
    import torch

    def product(dtype: torch.dtype) -> Callable[[], object]:
        left = torch.ones(_ROWS, _SIDE, dtype=dtype, device=device)
        right = torch.ones(_SIDE, _SIDE, dtype=dtype, device=device)
        return lambda: (left @ right).sum().item()

    if precision == FULL:
        return True
    return _best_s(product(torch_dtype(precision))) < _AT_MOST * _best_s(product(torch.float32))


def _best_s(work: Callable[[], object]) -> float:
    """Seconds of the fastest of some runs, after one that does not count."""
    work()
    seconds = []
    for _ in range(_REPEATS):
        started = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - started)
    return min(seconds)
