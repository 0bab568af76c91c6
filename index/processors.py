"""torch's work on all processors while other threads work too: a piece of the items on each, and one thread a piece.

torch divides each product among threads that wait for one another in a loop. Where the decoding threads hold the
processors that goes wrong: on two of them nano-clip took 30 processor milliseconds a picture instead of 2.5.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    import torch

Item = TypeVar("Item")
Result = TypeVar("Result")


def on_all_processors(
    work: Callable[[Sequence[Item]], Result], items: Sequence[Item], device: torch.device
) -> list[Result]:
    """Return what work makes of the pieces of items, in their order: of all of them at once where device is a GPU.

    The pieces hang on the number of torch's threads and of items alone, and so does the result, to the last bit.
    """
    import torch

    threads = torch.get_num_threads()
    if device.type != "cpu" or threads == 1 or len(items) < threads:
        return [work(items)]
    size = math.ceil(len(items) / threads)
    pieces = [items[start : start + size] for start in range(0, len(items), size)]
    try:
        with ThreadPoolExecutor(threads, "limner-encode", torch.set_num_threads, (1,)) as pool:
            return list(pool.map(work, pieces))
    finally:
        torch.set_num_threads(threads)  # what a thread sets is also what later threads begin with
