"""FAISS on GPUs: what is large and not filtered is asked there, where a GPU is there and has the memory.

A GPU's index takes no conditions and serves one thread at a time, so the CPU's stays beside it for the others.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

# FAISS sets this much of each GPU aside, besides the index.
_SCRATCH_BYTES = 2_000_000_000


@dataclass(frozen=True, slots=True)
class GpuIndex:
    """A copy of an index on all GPUs; asks as many lists as the index did when it was copied."""

    faiss_index: Any
    lock: threading.Lock = field(default_factory=threading.Lock)

    def nearest_rows(self, query: np.ndarray, k: int) -> np.ndarray:
        """The rows (at most k,) int64 of the vectors nearest to query (d,) float32, best first."""
        with self.lock:
            _, rows = self.faiss_index.search(query.reshape(1, -1), k)
        return rows[0][rows[0] >= 0]


def gpu_count() -> int:
    """How many GPUs FAISS can use; none where it was made without them."""
    import faiss

    return faiss.get_num_gpus() if hasattr(faiss, "StandardGpuResources") else 0


def to_gpus(index: Any, needed: int) -> GpuIndex | None:
    """A copy on the GPUs of an index that takes needed bytes; None where none is there, has room, or knows the type."""
    if not gpu_count() or needed + _SCRATCH_BYTES > _free_bytes():
        return None
    import faiss

    try:
        return GpuIndex(faiss.index_cpu_to_all_gpus(index))
    except RuntimeError:  # FAISS says so where its GPUs do not know a type
        return None


def learn_on_gpus(index: Any) -> None:
    """Let an IVF index learn its lists on the GPUs, if there are any."""
    if gpu_count():
        import faiss

        index.clustering_index = faiss.index_cpu_to_all_gpus(faiss.IndexFlatIP(index.d))


def nearest_on_gpus(quantizer: Any) -> Callable[[np.ndarray], np.ndarray] | None:
    """A function from vectors (n, d) float32 to the list (n,) int64 of each, by a copy of an IVF index's quantizer.

    None where no GPU is there. To find the list of each vector is nearly all the work of adding them.
    """
    if not gpu_count():
        return None
    import faiss

    copy = faiss.index_cpu_to_all_gpus(quantizer)
    return lambda vectors: copy.search(vectors, 1)[1][:, 0]


def _free_bytes() -> int:
    """Of the GPU that has the least."""
    import torch

    if not torch.cuda.is_available():
        return 0
    return min(torch.cuda.mem_get_info(number)[0] for number in range(torch.cuda.device_count()))
