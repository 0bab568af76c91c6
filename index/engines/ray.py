"""Many machines: Ray Data reads a manifest of paths, decodes in tasks, encodes in actors; this process keeps the parts.

Nothing but the steps runs elsewhere: which pictures are new, what they are called and how they are published is decided
here, as for every engine. Machines must see the pictures and the library's folder under the same paths.
"""

from __future__ import annotations

import logging
import os
from array import array
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..decode import MAX_BYTES, MAX_PIXELS
from ..encoder import Encoder, load_encoder
from ..errors import EngineFailed, EngineMissing, LimnerError
from ..records import ImageRecord
from ..scan import Found
from ..work import Contents, Encoded, Work
from .engine import BATCH_SIZE, NO_CONTENT, Embedded, Progress
from .known import known_hashes
from .ray_steps import Decode, Encode, Say, unpack
from .shards import SHARD_SIZE, finish_shard, finished, write_shards
from .steps import Reading

if TYPE_CHECKING:
    from PIL import Image
    from ray.data import Dataset

# Half a processor each: while one waits for the disk another decodes. Another share than the encoder's, because Ray
# makes one stage of two that ask for the same, and the encoder would wait for every picture to be read.
_DECODE_CPUS = 0.5
_ENCODE_CPUS = 1.0
_SAID_AT_A_TIME = 4  # pictures: what a killed description asks for again for each worker


@dataclass(frozen=True, slots=True)
class RayEngine:
    """A Ray cluster, or one of this machine's processors; see Engine."""

    address: str | None = None  # None: RAY_ADDRESS, else this machine
    device: str = "auto"  # of the encoders; auto: GPUs where the cluster has some
    load: Callable[[str, str], Encoder] = load_encoder  # name, device; called once in each worker
    shard_size: int = SHARD_SIZE

    def __post_init__(self) -> None:
        """Find out now whether Ray is here.

        Raises:
            EngineMissing: it is not.
        """
        _ray()

    def embed(
        self,
        files: Sequence[Found],
        *,
        encoder: Encoder,
        contents: Contents,
        work: Work,
        progress: Progress,
        workers: int | None = None,
        batch_size: int = BATCH_SIZE,
        max_pixels: int = MAX_PIXELS,
        max_bytes: int = MAX_BYTES,
        keep_seen: Collection[str] = (),
    ) -> Embedded:
        """See Engine.

        workers tasks decode at a time, as many as there are processors for if None. Exact copies in different batches
        are encoded once each, and one of the vectors is kept. A shard that is finished is never read again. No picture
        comes here, so none is seen.

        Raises:
            EngineMissing: no cluster answers at address.
            EngineFailed: the cluster gave up: shards that it finished are kept.
            EncoderMismatch, EncoderUnknown: a machine has other weights under the encoder's name, or none.
        """
        result = Embedded(array("q", [NO_CONTENT]) * len(files))
        done_before = finished(work)
        numbers = []
        for number, file in enumerate(files):
            content = contents.find(digest) if (digest := done_before.get(file)) else None
            if content is None:
                numbers.append(number)
            else:
                result.contents[number] = content
        if not numbers:
            return result
        shards = write_shards(work, files, numbers, size=self.shard_size)
        done = len(files) - len(numbers)
        # No encoder is where pictures are decoded; it prepares them itself.
        reading = Reading(contents.version, encoder.image_side_px, _as_it_is, max_pixels, max_bytes)
        with cluster(self.address) as ray:
            known = ray.put(known_hashes(contents))
            pictures = ray.data.from_items(
                [{"manifest": str(path)} for path in shards.manifest], override_num_blocks=len(shards.manifest)
            ).map_batches(
                Decode(known, reading, batch_size),
                batch_size=1,
                batch_format="pyarrow",
                num_cpus=_DECODE_CPUS,
                compute=ray.data.TaskPoolStrategy(size=workers),
            )
            rows = pictures.map_batches(
                Encode,
                fn_constructor_args=(self.load, encoder.name, self.device, encoder.fingerprint, encoder.dimension),
                batch_size=batch_size,
                batch_format="pyarrow",
                **share(ray, self.device),
            )
            for shard, table in _by_shard(rows, [len(members) for members in shards.numbers]):
                _settle(files, shards.first + shard, unpack(table, encoder.dimension), contents, work, result)
                done += len(table)
                progress(done, len(files))
        _in_order(result)
        return result

    def say(self, pictures: Sequence[ImageRecord], say: Callable[[ImageRecord], str]) -> Iterator[tuple[int, str, str]]:
        """See Engine: say is pickled, and loads what it needs once in each worker.

        Raises:
            EngineMissing, EngineFailed: as `embed`.
        """
        if not pictures:
            return
        with cluster(self.address) as ray:
            words = ray.data.range(len(pictures), override_num_blocks=-(-len(pictures) // _SAID_AT_A_TIME)).map_batches(
                Say, fn_constructor_args=(say, ray.put(list(pictures))), batch_size=1, **share(ray, self.device)
            )
            for table in tables(words):
                yield from zip(*(table[name].to_pylist() for name in ("id", "words", "reason")), strict=True)


def _settle(
    files: Sequence[Found],
    part: int,
    rows: Sequence[tuple[int, str, str, bool, Encoded | None]],
    contents: Contents,
    work: Work,
    result: Embedded,
) -> None:
    """Keep what a shard gave, and say what became of its files."""
    new: dict[str, Encoded] = {}
    for _, digest, _, _, encoded in rows:
        if encoded and contents.find(digest) is None:
            new.setdefault(digest, encoded)
    finish_shard(
        work, part, list(new.values()), [(files[number], digest) for number, digest, reason, *_ in rows if not reason]
    )
    for item in new.values():
        contents.add(item.hash, item.width, item.height, item.perceptual_hash, item.embedded)
    for number, digest, reason, lasting, _ in rows:
        if reason:
            result.skipped.append((files[number], reason))
            if lasting:
                result.broken.append((files[number], reason))
            continue
        content = contents.find(digest)
        assert content is not None, files[number]
        result.contents[number] = content


def _in_order(result: Embedded) -> None:
    """Shards come as they are finished."""
    result.skipped.sort()
    result.broken.sort()


def _by_shard(rows: Dataset, sizes: Sequence[int]) -> Iterator[tuple[int, Any]]:
    """Yield (shard, its rows) whenever the last of them came: blocks are cut and mixed as Ray likes."""
    import numpy as np
    import pyarrow as pa

    waiting: dict[int, list[Any]] = defaultdict(list)
    for table in tables(rows):
        of_shard = table["shard"].to_numpy()
        for shard in np.unique(of_shard).tolist():
            waiting[shard].append(table.filter(pa.array(of_shard == shard)))
            if sum(map(len, waiting[shard])) == sizes[shard]:
                yield shard, pa.concat_tables(waiting.pop(shard)).sort_by("number")


def tables(rows: Dataset) -> Iterator[Any]:
    """The blocks of a dataset as they come; what Ray raises becomes ours here.

    Raises:
        EngineFailed; LimnerError of a worker.
    """
    from ray.exceptions import RayError

    try:
        yield from rows.iter_batches(batch_size=None, batch_format="pyarrow", prefetch_batches=0)
    except RayError as exc:
        cause = getattr(exc, "cause", None)
        if isinstance(cause, LimnerError):
            raise cause from exc
        reason = " ".join(str(exc).split())
        raise EngineFailed(
            f"the Ray cluster gave up: {reason[-300:]}", "run the same command again: finished shards are kept"
        ) from exc


def _as_it_is(image: Image.Image) -> Image.Image:
    return image


def share(ray: Any, device: str) -> dict[str, Any]:
    """What an actor with a model asks of the cluster."""
    total = ray.cluster_resources()
    if device.startswith("cuda") or (device == "auto" and total.get("GPU")):
        return {"num_gpus": 1, "num_cpus": _ENCODE_CPUS, "compute": ray.data.ActorPoolStrategy(min_size=1)}
    most = max(1, int(total.get("CPU", 1) // (2 * _ENCODE_CPUS)))  # half is left for decoding
    return {"num_cpus": _ENCODE_CPUS, "compute": ray.data.ActorPoolStrategy(min_size=1, max_size=most)}


def _ray() -> Any:
    try:
        import ray
        import ray.data
    except ImportError as exc:
        raise EngineMissing("Ray is not installed", "run `pip install 'limner[ray]'`") from exc
    return ray


@contextmanager
def cluster(address: str | None) -> Iterator[Any]:
    """Ray, connected to the cluster at address; the caller's own connection is used where there is one.

    Raises:
        EngineMissing: it does not answer.
    """
    ray = _ray()
    if ray.is_initialized():
        with _quiet(ray):
            yield ray
        return
    # Nothing leaves this machine unasked.
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    address = address or os.environ.get("RAY_ADDRESS")
    where: dict[str, Any] = {"address": address} if address else {"address": "local", "include_dashboard": False}
    try:
        ray.init(**where, logging_level="error", log_to_driver=False)
    except (ConnectionError, ValueError, RuntimeError, TimeoutError) as exc:
        raise EngineMissing(
            f"no Ray cluster answers at {address or 'this machine'}: {' '.join(str(exc).split())[:300]}",
            "name a running one with --address, or leave it out to use this machine alone",
        ) from exc
    try:
        with _quiet(ray):
            yield ray
    finally:
        ray.shutdown()


@contextmanager
def _quiet(ray: Any) -> Iterator[None]:
    """No bars beside ours, no pages of counters where an error says it, and errors of workers as they were raised."""
    context, log = ray.data.DataContext.get_current(), logging.getLogger("ray.data")
    wanted = {"enable_progress_bars": False, "print_on_execution_start": False, "raise_original_map_exception": True}
    before, level = {name: getattr(context, name) for name in wanted}, log.level
    for name, value in wanted.items():
        setattr(context, name, value)
    log.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        for name, value in before.items():
            setattr(context, name, value)
        log.setLevel(level)
