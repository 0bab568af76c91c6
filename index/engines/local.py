"""This machine: threads or processes read, decode and prepare, the encoder takes batches in their order.

All that is done for one picture alone happens there, beside the encoder: what waits for it is already as small as it
takes it.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass

from ..decode import MAX_BYTES, MAX_PIXELS
from ..encoder import Encoder
from ..errors import PictureUnreadable
from ..records import ImageRecord
from ..scan import Found
from ..work import Contents, Work
from .ahead import Ahead, on_threads
from .engine import BATCH_SIZE, NO_CONTENT, Embedded, Progress
from .steps import Read, Reading, encode_batch


@dataclass(frozen=True, slots=True)
class LocalEngine:
    """One process that encodes; see Engine."""

    ahead: Ahead = on_threads

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

        Batches are formed in the order of the files, so a build that goes on after a kill forms the same ones, and so
        does one with more workers. What waits in memory is bounded by `ahead`, each picture as `prepare` left it.
        """
        result = Embedded(array("q"))
        unfit: dict[str, str] = {}
        pending: dict[str, Read] = {}
        done = 0

        def skip(file: Found, reason: str, *, lasting: bool) -> None:
            result.skipped.append((file, reason))
            if lasting:
                result.broken.append((file, reason))

        def settle() -> None:
            for number, digest in enumerate(hashes, start=len(result.contents)):
                content = contents.find(digest) if digest else None
                if digest and content is None:
                    skip(files[number], unfit[digest], lasting=True)
                result.contents.append(NO_CONTENT if content is None else content)
            hashes.clear()

        def flush() -> None:
            batch, reasons = encode_batch(list(pending.values()), encoder)
            unfit.update(reasons)
            if batch:
                work.keep(batch)
            for item in batch:
                contents.add(item.hash, item.width, item.height, item.perceptual_hash, item.embedded)
            pending.clear()
            settle()

        hashes: list[str] = []  # of the files since the last batch; empty for those that were skipped
        reading = Reading(contents.version, encoder.image_side_px, encoder.prepare, max_pixels, max_bytes)
        reads = self.ahead(files, reading, contents=contents, workers=workers, batch_size=batch_size)
        for file, read in zip(files, reads, strict=True):
            hashes.append(read.hash)
            if read.decoded and file.location in keep_seen:
                result.seen[file.location] = read.decoded.image
            if read.reason:
                skip(file, read.reason, lasting=read.lasting)
            elif read.decoded and contents.find(read.hash) is None and read.hash not in unfit:
                pending.setdefault(read.hash, read)
            if len(pending) == batch_size:
                flush()
            done += 1
            progress(done - len(pending), len(files))
        if pending:
            flush()
            progress(done, len(files))
        settle()
        return result

    def say(self, pictures: Sequence[ImageRecord], say: Callable[[ImageRecord], str]) -> Iterator[tuple[int, str, str]]:
        """See Engine: one after the other."""
        for number, picture in enumerate(pictures):
            try:
                yield number, say(picture), ""
            except PictureUnreadable as exc:
                yield number, "", exc.hint
