"""A quantised index of many vectors: k-means puts them into lists, the nearest lists are asked, the best re-scored.

Text queries lie off the pictures' distribution, where quantised products mislead: what a list holds is only a
candidate, and the scores that are given are those of the vectors in full. Lists know vectors by their row in
`FullVectors`, which never changes, so vectors can be taken out of them and conditions are a bit a row.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .full_vectors import FullVectors, read_full_vectors
from .gpu import GpuIndex, learn_on_gpus, nearest_on_gpus, to_gpus
from .index_types import IVF_RABITQ, IVF_SQ8, TRAINED_ON, lists_for
from .memory import search_bytes
from .pictures import Pictures
from .vector_files import ROWS_AT_A_TIME
from .vectors import read_faiss, write_faiss

if TYPE_CHECKING:
    import numpy as np

    from .atomic import WholeFile

# Up to so many vectors that a condition leaves are scored one by one.
SCORED_UP_TO = 5_000
# Fewer lose the texts of rare things; of more lists a smaller share is enough (benchmarks/LOG.md).
LISTS_ASKED = {IVF_SQ8: 256, IVF_RABITQ: 1_024}
# So many candidates are re-scored for each hit, and never fewer than the second number.
RESCORED = {IVF_SQ8: (2, 32), IVF_RABITQ: (8, 64)}
_RABITQ_BITS = 4
_GPU_MOST = 2_048  # hits of one call
_ROUNDS = 10  # of k-means
_SPREAD_UP_TO = 8_192  # lists that k-means begins from far apart, which takes as long as its rounds, and longer on GPUs
_SEED = 1234


@dataclass(frozen=True, slots=True)
class QuantisedIndex:
    """Inner-product search over the lists of an IVF index, by picture; `of_pictures` says which pictures these are."""

    faiss_index: Any  # IndexIVF, by row of full
    full: FullVectors
    pictures: Pictures  # by row of full
    mean: np.ndarray  # (d,) float32: of the pictures' vectors
    gpu: GpuIndex | None = None  # asked where there is no condition

    def __len__(self) -> int:
        return len(self.pictures)

    @property
    def image_ids(self) -> np.ndarray:
        """(n,) int64, ascending."""
        return self.pictures.ids

    @property
    def dimension(self) -> int:
        """Numbers in a vector."""
        return self.faiss_index.d

    @property
    def index_type(self) -> str:
        """Its name."""
        kind = type_of(self.faiss_index)
        assert kind is not None
        return kind

    def search(self, query: np.ndarray, m: int, *, exclude: Collection[int] = ()) -> list[tuple[int, float]]:
        """Return the m (picture id, inner product) nearest to query, best first, equal ones by id.

        query is (d,) float32, unit length. m come back whenever there are as many that are not excluded; a picture in a
        list that was not asked may be missed.
        """
        allowed = None
        if exclude:
            import numpy as np

            allowed = np.ones(len(self), bool)
            allowed[self.pictures.places(exclude)] = False
        places, scores = self.nearest(query, m, allowed)
        return list(zip(self.image_ids[places].tolist(), scores.tolist(), strict=True))

    def nearest(self, query: np.ndarray, m: int, allowed: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
        """As `search`, by place: places (k,) int64 and inner products (k,) float32, of allowed (n,) bool if given."""
        import numpy as np

        row = np.ascontiguousarray(query, np.float32)
        rows = self._candidates(row, m, allowed) if m > 0 and len(self) else np.empty(0, np.int64)
        places, scores = self.pictures.having(rows, self.full.scores(row, rows))
        if allowed is not None:
            places, scores = places[allowed[places]], scores[allowed[places]]
        best = np.lexsort((places, -scores))[:m]
        return places[best], scores[best]

    def scores(self, query: np.ndarray, places: np.ndarray) -> np.ndarray:
        """The inner products (k,) float32 of query (d,) with the vectors of the pictures at places (k,)."""
        import numpy as np

        return self.full.scores(np.ascontiguousarray(query, np.float32), self.pictures.vectors[places])

    def all_scores(self, query: np.ndarray) -> np.ndarray:
        """The inner product of query (d,) with every picture's vector, (n,) float32, in the order of ids."""
        import numpy as np

        return self.scores(query, np.arange(len(self)))

    def vectors(self) -> tuple[np.ndarray, np.ndarray]:
        """Return ids (n,) int64 of the pictures, ascending, and their vectors (n, d) float32."""
        return self.image_ids, self.full.take(self.pictures.vectors)

    def of_pictures(self, image_ids: np.ndarray, vector_ids: np.ndarray) -> QuantisedIndex:
        """The index for these pictures, ids ascending; vectors that none of them has leave it.

        Raises:
            ValueError: a vector is not in the index.
        """
        import numpy as np

        order = np.argsort(self.full.ids, kind="stable")
        places = np.searchsorted(self.full.ids, vector_ids, sorter=order)
        rows = order[places.clip(max=len(order) - 1)] if len(order) else places[:0]
        if len(rows) != len(vector_ids) or not np.array_equal(self.full.ids[rows], vector_ids):
            raise ValueError("a picture has no vector")
        times = np.bincount(rows, minlength=len(order))
        if not times.all():
            self.faiss_index.remove_ids(_selector(times == 0))
        mean = self.full.total(times) / max(1, len(rows))
        return QuantisedIndex(
            self.faiss_index, self.full, Pictures.of_rows(image_ids, rows, len(order)), mean.astype(np.float32)
        )

    def on_gpus(self) -> QuantisedIndex:
        """The same, asked on the GPUs where that can be: see `gpu`."""
        self.faiss_index.nprobe = min(LISTS_ASKED[self.index_type], self.faiss_index.nlist)
        needed = search_bytes(self.index_type, self.faiss_index.ntotal, self.dimension)
        return replace(self, gpu=to_gpus(self.faiss_index, needed))

    def add(self, ids: np.ndarray, vectors: np.ndarray) -> None:
        """Take vectors (k, d) float16 in under new ids; no picture has them yet."""
        import numpy as np

        rows = np.arange(len(self.full), len(self.full) + len(ids))
        self.full.add(ids, vectors)
        self.faiss_index.add_with_ids(vectors.astype(np.float32), rows)

    def _candidates(self, query: np.ndarray, m: int, allowed: np.ndarray | None) -> np.ndarray:
        """The rows (k,) among which the m nearest are."""
        import faiss
        import numpy as np

        left, selector = self.faiss_index.ntotal, None
        if allowed is not None:
            among = np.zeros(len(self.full), bool)
            among[self.pictures.vectors[allowed]] = True
            left = int(np.count_nonzero(among))
            if left <= SCORED_UP_TO:
                return np.flatnonzero(among)
            selector = _selector(among)
        times, least = RESCORED[self.index_type]
        wanted = min(max(times * m, least), left)
        if self.gpu is not None and selector is None and wanted <= _GPU_MOST:
            found = self.gpu.nearest_rows(query, wanted)
            if len(found) >= min(m, left):
                return found
        # Where a condition leaves one in ten, ten times as many lists hold as many of them.
        asked = min(LISTS_ASKED[self.index_type] * self.faiss_index.ntotal // left, self.faiss_index.nlist)
        while True:
            parameters = faiss.SearchParametersIVF(nprobe=asked, sel=selector)  # pyright: ignore[reportCallIssue]
            _, rows = self.faiss_index.search(query.reshape(1, -1), wanted, params=parameters)
            found = rows[0][rows[0] >= 0]
            if len(found) >= min(m, left) or asked == self.faiss_index.nlist:
                return found
            asked = min(4 * asked, self.faiss_index.nlist)


def write_quantised(file: WholeFile, kind: str, full: FullVectors, trained: Path | None = None) -> None:
    """Train an index on a sample of the vectors, add them all and write it; the same vectors give the same bytes.

    trained is a file with an empty index of this kind and dimension, which is taken in place of a training.
    """
    import numpy as np

    if trained is not None:
        index = read_faiss(trained)
        assert type_of(index) == kind and index.ntotal == 0, trained
    else:
        lists = lists_for(len(full))
        index = train(kind, full.take(sample_rows(len(full), lists)), lists)
    nearest = nearest_on_gpus(index.quantizer)
    for at in range(0, len(full), ROWS_AT_A_TIME):
        vectors = full.take(np.arange(at, min(at + ROWS_AT_A_TIME, len(full))))
        if nearest is None:
            index.add(vectors)
        else:
            add_to_lists(index, vectors, nearest(vectors))
    write_faiss(index, file)


def add_to_lists(index: Any, vectors: np.ndarray, lists: np.ndarray) -> None:
    """Add vectors (n, d) float32 to an IndexIVF whose lists (n,) int64 are known, under the next ids."""
    import faiss
    import numpy as np

    vectors, lists = np.ascontiguousarray(vectors, np.float32), np.ascontiguousarray(lists, np.int64)
    assert vectors.shape == (len(lists), index.d), vectors.shape
    index.add_core(len(vectors), faiss.swig_ptr(vectors), None, faiss.swig_ptr(lists))


def sample_rows(count: int, lists: int) -> np.ndarray:
    """The rows (k,) int64, ascending, of count vectors from which so many lists are learnt."""
    import numpy as np

    return np.unique(np.linspace(0, count - 1, min(count, max(256, TRAINED_ON * lists)), dtype=np.int64))


def train(kind: str, sample: np.ndarray, lists: int) -> Any:
    """An IndexIVF of a quantised type without vectors: its lists, and how they hold vectors, as sample (n, d) taught.

    A GPU learns the lists where there is one, and rounds otherwise than a CPU.
    """
    index = empty_index(kind, sample.shape[1], lists)
    learn_on_gpus(index)
    if len(sample):
        _learn_lists(index, sample)
        index.train(sample)  # what each list holds; the lists stay
    return index


def _learn_lists(index: Any, sample: np.ndarray) -> None:
    """Give an index its lists, learnt from sample (n, d) without its mean.

    All pictures lie on one side of the sphere. A list that rare things share then has a centre that is mostly that
    side, which no text asks for; without it the centre is theirs. Ranks of inner products do not hang on the mean.
    """
    import faiss
    import numpy as np

    mean = sample.mean(0)
    clustering = faiss.Clustering(index.d, index.nlist, index.cp)
    clustering.train(sample - mean, index.clustering_index or faiss.IndexFlatIP(index.d))
    directions = faiss.vector_to_array(clustering.centroids).reshape(index.nlist, index.d)
    # The mean and one length for all of them change no rank, and bring the centres near to what their lists hold.
    along = faiss.IndexFlatIP(index.d)
    along.add(directions)
    length = along.search(sample[:ROWS_AT_A_TIME] - mean, 1)[0].mean()
    index.quantizer.add((mean + length * directions).astype(np.float32))


def read_quantised(path: Path, full_path: Path) -> QuantisedIndex:
    """Read an index and map its vectors: of one picture a vector, until `of_pictures` says otherwise.

    Raises:
        OSError: a file cannot be read.
        ValueError: it is no such index, or the vectors are those of another one.
    """
    import numpy as np

    index, full = read_faiss(path), read_full_vectors(full_path)
    if type_of(index) is None or index.ntotal != len(full) or index.d != full.dimension:
        raise ValueError(f"{path} is no index of the vectors in {full_path}")
    order = np.argsort(full.ids, kind="stable")
    return QuantisedIndex(index, full, Pictures.of_rows(full.ids[order], order, len(order)), np.empty(0, np.float32))


def empty_index(kind: str, dimension: int, lists: int) -> Any:
    """An IndexIVF of a quantised type that is to learn so many lists."""
    import faiss

    quantizer = faiss.IndexFlatIP(dimension)
    if kind == IVF_SQ8:
        eight_bits = faiss.ScalarQuantizer.QT_8bit
        index = faiss.IndexIVFScalarQuantizer(quantizer, dimension, lists, eight_bits, faiss.METRIC_INNER_PRODUCT)
    else:
        assert kind == IVF_RABITQ, kind
        index = faiss.IndexIVFRaBitQ(quantizer, dimension, lists, faiss.METRIC_INNER_PRODUCT, True, _RABITQ_BITS)
    index.cp.spherical = True
    index.cp.niter = _ROUNDS
    if lists <= _SPREAD_UP_TO:
        # Rare things get centres of their own: k-means from centres at random merges them, and texts for them go amiss.
        index.cp.init_method = faiss.ClusteringInitMethod_KMEANS_PLUS_PLUS
    index.cp.seed = _SEED
    index.cp.min_points_per_centroid = 1
    return index


def type_of(index: Any) -> str | None:
    """The name of a FAISS index's type, if it is a quantised one."""
    import faiss

    types = {faiss.IndexIVFScalarQuantizer: IVF_SQ8, faiss.IndexIVFRaBitQ: IVF_RABITQ}
    return next((name for kind, name in types.items() if isinstance(index, kind)), None)


def _selector(rows: np.ndarray) -> Any:
    """Of rows (n,) bool those that are true."""
    import faiss
    import numpy as np

    return faiss.IDSelectorBitmap(np.packbits(rows, bitorder="little"))  # pyright: ignore[reportCallIssue]
