"""What runs in Ray's workers: the steps of a build over Arrow tables, a row a file; a row that fails says why."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from .. import places
from ..encoder import Encoder
from ..errors import EncoderMismatch, PictureUnreadable
from ..records import ImageRecord
from ..vector_files import vector_matrix
from ..work import Encoded
from .known import is_among
from .steps import Read, Reading, encode_batch

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True, slots=True)
class Decode:
    """A file of the manifest to rows of pictures."""

    known: Any  # where `known_hashes` lie
    reading: Reading
    batch_size: int

    def __call__(self, manifest: Any) -> Iterator[Any]:
        """Yield tables of batch_size files.

        Columns: shard, number, hash, reason, lasting, width, height, perceptual_hash, embedded, pixels and shown.
        pixels are None for what is known or cannot be decoded; shown is the size that they have.
        """
        import pyarrow.parquet as pq
        import ray

        known: Any = ray.get(self.known)
        for path in manifest["manifest"].to_pylist():
            with pq.ParquetFile(path) as file:
                for batch in file.iter_batches(self.batch_size):
                    yield self._decoded(batch, known)

    def _decoded(self, files: Any, known: np.ndarray) -> Any:
        import pyarrow as pa

        reads = [self._read(path, known) for path in files["path"].to_pylist()]
        return pa.table(
            {
                "shard": files["shard"],
                "number": files["number"],
                "hash": pa.array([read.hash for read in reads], pa.string()),
                "reason": pa.array([read.reason for read in reads], pa.string()),
                "lasting": pa.array([read.lasting for read in reads], pa.bool_()),
                **_picture_columns(reads),
            }
        )

    def _read(self, path: str, known: np.ndarray) -> Read:
        return self.reading.read(places.place(path), lambda digest: is_among(known, digest))


class Encode:
    """Rows of pictures to rows with vectors: an actor with an encoder.

    It is loaded by the first call, because of an actor that cannot be made Ray tells no reason but in words.
    """

    def __init__(
        self, load: Callable[[str, str], Encoder], name: str, device: str, fingerprint: str, dimension: int
    ) -> None:
        self._load = partial(load, name, device)
        self._fingerprint = fingerprint
        self._dimension = dimension
        self._encoder: Encoder | None = None

    def __call__(self, rows: Any) -> Any:
        """The same rows with a column vector, a float16 list of fixed size, in place of pixels.

        It is None where nothing was to be encoded, and for copies of a row before in the same shard.

        Raises:
            EncoderMismatch: another fingerprint.
        """
        if self._encoder is None:
            self._encoder = self._loaded()
        return self._encoded(rows, self._encoder)

    def _loaded(self) -> Encoder:
        import socket

        encoder = self._load()
        if encoder.fingerprint != self._fingerprint:
            raise EncoderMismatch(
                f"{encoder.name} on {socket.gethostname()} has other weights than where the build was begun",
                "put the same weights and the same Limner on every machine",
            )
        return encoder

    def _encoded(self, rows: Any, encoder: Encoder) -> Any:
        import numpy as np
        import pyarrow as pa

        table = rows.to_pylist()
        # By shard too, because a shard is kept as soon as its own rows are there.
        first: dict[tuple[int, str], int] = {}
        pending: dict[str, Read] = {}
        for place, row in enumerate(table):
            if row["pixels"] is not None:
                first.setdefault((row["shard"], row["hash"]), place)
                if row["hash"] not in pending:
                    pending[row["hash"]] = _to_read(row)
        batch, unfit = encode_batch(list(pending.values()), encoder) if pending else ([], {})
        vectors = {item.hash: item.vector for item in batch}
        has_vector = np.zeros(len(table), bool)
        matrix = np.zeros((len(table), self._dimension), np.float16)
        for (_, digest), place in first.items():
            if digest in vectors:
                has_vector[place], matrix[place] = True, vectors[digest]
        reasons = [row["reason"] or unfit.get(row["hash"], "") for row in table]
        flat = pa.array(matrix.reshape(-1), pa.float16())
        return (
            rows.drop_columns(["pixels", "shown", "reason", "lasting"])
            .append_column("reason", pa.array(reasons, pa.string()))
            .append_column("lasting", pa.array([row["lasting"] or row["hash"] in unfit for row in table], pa.bool_()))
            .append_column(
                "vector", pa.FixedSizeListArray.from_arrays(flat, self._dimension, mask=pa.array(~has_vector))
            )
        )


class Say:
    """Numbers of pictures to words: an actor with whatever say loads."""

    def __init__(self, say: Callable[[ImageRecord], str], pictures: Any) -> None:
        import ray

        self._say = say
        self._pictures: Sequence[ImageRecord] = ray.get(pictures)

    def __call__(self, rows: dict[str, Any]) -> dict[str, Any]:
        """The same rows with words, or the reason why there are none."""
        words, reasons = [], []
        for number in rows["id"]:
            try:
                words.append(self._say(self._pictures[int(number)]))
                reasons.append("")
            except PictureUnreadable as exc:
                words.append("")
                reasons.append(exc.hint)
        return {**rows, "words": words, "reason": reasons}


def unpack(table: Any, dimension: int) -> list[tuple[int, str, str, bool, Encoded | None]]:
    """Rows of `Encode` as (number, hash, reason, lasting, what was encoded)."""
    vectors = iter(vector_matrix(table["vector"].drop_null(), dimension))
    names = ("number", "hash", "reason", "lasting", "width", "height", "perceptual_hash", "embedded")
    return [
        (
            number,
            digest,
            reason,
            lasting,
            Encoded(digest, width, height, likeness, embedded, next(vectors)) if has_vector else None,
        )
        for number, digest, reason, lasting, width, height, likeness, embedded, has_vector in zip(
            *(table[name].to_pylist() for name in names), table["vector"].is_valid().to_pylist(), strict=True
        )
    ]


def _picture_columns(reads: Sequence[Read]) -> dict[str, Any]:
    import pyarrow as pa

    from ..metadata import Metadata, to_json

    pictures = [read.decoded for read in reads]
    said = [to_json(picture.metadata or Metadata()) if picture else "" for picture in pictures]
    return {
        "width": pa.array([picture.width if picture else 0 for picture in pictures], pa.int32()),
        "height": pa.array([picture.height if picture else 0 for picture in pictures], pa.int32()),
        "perceptual_hash": pa.array([read.perceptual_hash for read in reads], pa.string()),
        "embedded": pa.array(said, pa.string()),
        "pixels": pa.array([picture.image.tobytes() if picture else None for picture in pictures], pa.large_binary()),
        "shown": pa.array([picture.image.size if picture else (0, 0) for picture in pictures], pa.list_(pa.int32())),
    }


def _to_read(row: dict[str, Any]) -> Read:
    from PIL import Image

    from ..decode import Decoded
    from ..metadata import from_json

    image = Image.frombytes("RGB", tuple(row["shown"]), row["pixels"])
    decoded = Decoded(image, row["width"], row["height"], metadata=from_json(row["embedded"]))
    return Read(row["hash"], decoded, row["perceptual_hash"])
