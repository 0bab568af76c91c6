"""Which pictures have which vector: pictures with the same content share one."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True, slots=True)
class Pictures:
    """Pictures by place, which is their place in the order of ids, and by vector."""

    ids: np.ndarray  # (n,) int64, ascending
    vectors: np.ndarray  # (n,) int64: what each one's vector is known by, its id or its row
    by_vector: np.ndarray  # (n,) int64, places in the order of vectors
    starts: np.ndarray | None = None  # (rows + 1,) int64: where in by_vector those of each row begin, if known by rows

    @classmethod
    def of(cls, ids: np.ndarray, vectors: np.ndarray) -> Pictures:
        """Pictures with these ids, ascending, and vectors."""
        import numpy as np

        return cls(ids, vectors, np.argsort(vectors, kind="stable"))

    @classmethod
    def of_rows(cls, ids: np.ndarray, vectors: np.ndarray, count: int) -> Pictures:
        """Pictures whose vectors are known by their row, of count rows: found without a search."""
        import numpy as np

        starts = np.concatenate([[0], np.cumsum(np.bincount(vectors, minlength=count))])
        return cls(ids, vectors, np.argsort(vectors, kind="stable"), starts)

    def __len__(self) -> int:
        return len(self.ids)

    def places(self, ids: Collection[int]) -> np.ndarray:
        """The places of ids in their order; unknown ones are left out."""
        import numpy as np

        wanted = np.fromiter(ids, np.int64, len(ids))
        if not len(self):
            return wanted[:0]
        places = np.searchsorted(self.ids, wanted).clip(max=len(self) - 1)
        return places[self.ids[places] == wanted]

    def holders(self, vectors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Where in by_vector the pictures of each of these vectors begin and end."""
        import numpy as np

        if self.starts is not None:
            return self.starts[vectors], self.starts[vectors + 1]
        first = np.searchsorted(self.vectors, vectors, "left", sorter=self.by_vector)
        last = np.searchsorted(self.vectors, vectors, "right", sorter=self.by_vector)
        return first, last

    def having(self, vectors: np.ndarray, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The places (k,) of the pictures that have these vectors, and the vectors' scores for them."""
        import numpy as np

        first, last = self.holders(vectors)
        held = last - first
        if (held == 1).all():
            return self.by_vector[first], scores
        offsets = np.arange(held.sum()) - np.repeat(np.cumsum(held) - held, held)
        return self.by_vector[np.repeat(first, held) + offsets], np.repeat(scores, held)
