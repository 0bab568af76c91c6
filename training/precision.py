"""The number format that a recipe trains in, measured: a processor without bfloat16 is many times slower in it."""

from __future__ import annotations

import time

import torch

_ROWS, _WIDTH = 4096, 256  # a batch of nano-vlm through one of its layers


def bf16_is_faster() -> bool:
    """Whether products of matrices take less time in bfloat16 than in float32; on a GPU, whether it knows bfloat16."""
    if torch.cuda.is_available():
        return torch.cuda.is_bf16_supported()
    seconds = {}
    for dtype in (torch.float32, torch.bfloat16):
        a, b = torch.ones(_ROWS, _WIDTH, dtype=dtype), torch.ones(_WIDTH, _WIDTH, dtype=dtype)
        tries = []
        for _ in range(4):  # the first one warms up
            began = time.perf_counter()
            a @ b
            tries.append(time.perf_counter() - began)
        seconds[dtype] = min(tries)
    return seconds[torch.bfloat16] < seconds[torch.float32]
