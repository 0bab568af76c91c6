"""Folders to a library on disk, which changes all at once or not at all; a build that was killed goes on."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from pathlib import Path

from .advance import Asked, BuildSummary, advance
from .decode import MAX_BYTES, MAX_PIXELS
from .encoder import Encoder, load_encoder
from .engines.engine import BATCH_SIZE, Engine, Progress
from .engines.local import LocalEngine
from .errors import ListsInvalid, MemoryShort, SourceMissing
from .folder import make_folder
from .generation import read_generation, sentences_of
from .index_types import checked_type
from .lists import read_lists
from .lock import writing
from .manifest import read_manifest
from .places import absolute, place
from .records import Manifest
from .scan import scan
from .sentences import SentenceEncoder, load_sentence_encoder


def _no_progress(done: int, total: int) -> None:
    pass


def build(
    sources: Sequence[Path],
    library: Path,
    *,
    encoder: Encoder,
    rebuild: bool = False,
    workers: int | None = None,
    batch_size: int = BATCH_SIZE,
    max_pixels: int = MAX_PIXELS,
    max_bytes: int = MAX_BYTES,
    sentences: SentenceEncoder | None = None,
    index_type: str | None = None,
    lists: Path | None = None,
    engine: Engine | None = None,
    progress: Progress = _no_progress,
) -> BuildSummary:
    """Make library hold exactly the pictures of sources: files, and folders with all that is below them.

    What library holds already is kept (same path, size and time; or same content), unless rebuild starts anew, also
    over a damaged library. Readers see the old pictures until the end. After Ctrl-C, a kill or a full disk the same
    call goes on where this one ended. engine does the work, the threads of this process if None; workers of them
    decode, two more than processors (8 at most) if None. New pictures above max_pixels or max_bytes are skipped. With
    sentences the library also holds sentence vectors of what is said of its pictures, without it none. index_type is
    a name of `index_types`, or auto: the one for so many; if None it stays as it was asked for before. lists is a file
    of `train_lists`, of which every quantised index of the library is made from then on; if None those stay that it
    has, also over rebuild with the same encoder.

    Raises:
        IndexTypeUnknown: no type has this name.
        ListsInvalid: lists is no such file, for another encoder's vectors, or for another type; nothing was read.
        MemoryShort: the index does not fit into the memory that is free; nothing was read.
        SourceMissing: a source is not there, or none holds a picture that can be read.
        LibraryMissing: library is a file, or a folder with other things in it.
        LibraryDamaged, EncoderMismatch: what is there cannot be gone on from; rebuild can.
        LibraryLocked: another build is writing.
        WriteFailed: the disk refused.
    """
    # Before the scan: what stays must not lie scattered among what the scan leaves, which could not be given back.
    import pyarrow.parquet  # noqa: F401

    sources = list(dict.fromkeys(map(absolute, sources)))
    library = Path(os.path.abspath(library))  # noqa: PTH100
    asked = Asked(
        sources=sources,
        library=library,
        encoder=encoder,
        sentences=sentences,
        index_type=index_type and checked_type(index_type),
        lists=read_lists(lists, encoder.dimension) if lists is not None else None,
        rebuild=rebuild,
        workers=workers,
        batch_size=batch_size,
        max_pixels=max_pixels,
        max_bytes=max_bytes,
    )
    found = scan(sources)
    created = make_folder(library)
    with writing(library):
        try:
            return advance(asked, found, engine=engine or LocalEngine(), progress=progress)
        except (SourceMissing, MemoryShort, ListsInvalid):
            if created:
                shutil.rmtree(library, ignore_errors=True)
            raise


def update(
    library: Path,
    *,
    encoder: Encoder | None = None,
    device: str = "auto",
    workers: int | None = None,
    batch_size: int = BATCH_SIZE,
    max_pixels: int = MAX_PIXELS,
    max_bytes: int = MAX_BYTES,
    sentences: SentenceEncoder | None = None,
    index_type: str | None = None,
    engine: Engine | None = None,
    progress: Progress = _no_progress,
) -> BuildSummary:
    """Bring library up to date with the sources that it was built from; the encoders are its own unless given.

    A source folder that is not there is an error, because a drive that is not plugged in does not empty a library.

    Raises:
        As `build`; EncoderUnknown, DeviceMissing: the library's encoder cannot be loaded.
    """
    manifest = read_manifest(library)
    sources = _remaining_sources(library, manifest)
    if encoder is None:
        encoder = load_encoder(manifest.encoder, device)
    if sentences is None and (name := sentences_of(library)) is not None:
        sentences = load_sentence_encoder(name, device)
    return build(
        sources,
        library,
        encoder=encoder,
        workers=workers,
        batch_size=batch_size,
        max_pixels=max_pixels,
        max_bytes=max_bytes,
        sentences=sentences,
        index_type=index_type,
        engine=engine,
        progress=progress,
    )


def _remaining_sources(library: Path, manifest: Manifest) -> list[Path]:
    """The sources without the single pictures that were deleted since."""
    sources = [place(source) for source in manifest.sources]
    missing = {str(source) for source in sources if not _exists(source)}
    if missing:
        # A folder that is not there stays among them, and is an error.
        missing &= read_generation(library, manifest).stamps().keys()
    return [source for source in sources if str(source) not in missing]


def _exists(source: Path) -> bool:
    try:
        return source.exists()
    except OSError as exc:
        reason = exc.strerror or str(exc)
        raise SourceMissing(f"{source} cannot be asked: {reason}", "check the address, and who may read it") from exc
