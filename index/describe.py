"""Missing alt texts and captions, written by whoever is asked: one picture after the other, each kept at once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

from .catalogue import Catalogue, rows_of
from .descriptions import Descriptions, digest_descriptions, fill, journal, lacks_words, read_descriptions
from .engines.engine import Engine, Progress
from .engines.local import LocalEngine
from .errors import PictureUnreadable
from .folder import CATALOGUE, discard_strays, part_paths
from .generation import read_generation, sentences_of
from .lock import writing
from .manifest import damaged, read_manifest
from .metadata import MAX_LENGTH, clean
from .publish import TableRows, no_change, publish, space_of
from .records import ImageRecord, Manifest
from .sentences import SentenceEncoder, load_sentence_encoder


@dataclass(slots=True)
class DescribeSummary:
    """What became of the pictures that lacked words."""

    described: int = 0  # contents: copies of a picture share its words
    left: int = 0  # beyond the limit, for the next time
    skipped: list[tuple[Path, str]] = field(default_factory=list)  # with the reason


def describe_library(
    library: Path,
    *,
    model: str,
    say: Callable[[Path], str],
    limit: int | None = None,
    sentences: SentenceEncoder | None = None,
    engine: Engine | None = None,
    progress: Progress = lambda done, total: None,
) -> DescribeSummary:
    """Ask for words for every picture that has no alt text or no caption, and put them there, marked with model's name.

    sentences is the library's own sentence encoder, loaded by its name unless it is given, where the library has one.
    What a person wrote stays. Every answer is on the disk before the next question; however this ends, the library gets
    what was answered, at once or with the next build. say raises PictureUnreadable where it has no words for a picture;
    an engine that asks in other processes (this one asks if None) pickles it.

    Raises:
        LibraryMissing, LibraryDamaged, LibraryLocked, WriteFailed: as `build`.
        EncoderUnknown: the library's sentence encoder cannot be loaded.
    """
    # Before the lock, which would make files in a folder that is no library.
    if sentences is None and (name := sentences_of(library)) is not None:
        sentences = load_sentence_encoder(name)
    with writing(library):
        manifest = read_manifest(library)
        old = read_generation(library, manifest)
        records = _records(library, manifest)
        known = read_descriptions(library)
        lacking = {record.hash: record for record in reversed(records) if lacks_words(record)}
        wanted = [record for digest, record in reversed(lacking.items()) if digest not in known]
        summary = DescribeSummary(left=len(wanted[limit:]) if limit is not None else 0)
        try:
            _ask(wanted[:limit], library, model, say, engine or LocalEngine(), known, summary, progress)
        finally:
            told = [new for record in records if (new := fill(record, known)) != record]
            if told:
                change = replace(
                    no_change(manifest, old),
                    rows=TableRows(rows_of(told)),
                    descriptions_digest=digest_descriptions(library),
                )
                space = space_of(manifest)
                publish(library, old, change, encoder=space, sources=manifest.sources, sentences=sentences)
                discard_strays(library)
    return summary


def _ask(
    wanted: list[ImageRecord],
    library: Path,
    model: str,
    say: Callable[[Path], str],
    engine: Engine,
    known: Descriptions,
    summary: DescribeSummary,
    progress: Progress,
) -> None:
    with journal(library) as kept:
        for done, (number, said, reason) in enumerate(engine.say(wanted, _Unchanged(say)), start=1):
            record = wanted[number]
            if reason:
                summary.skipped.append((record.path, reason))
            else:
                words = clean(said, MAX_LENGTH["alt"])
                kept.add(record.hash, model, words)
                known[record.hash] = (model, words)
                summary.described += 1
            progress(done, len(wanted))


@dataclass(frozen=True, slots=True)
class _Unchanged:
    """Words for what lies there now would stand under the hash of what lay there."""

    say: Callable[[Path], str]

    def __call__(self, record: ImageRecord) -> str:
        try:
            status = record.path.stat()
        except OSError as exc:
            raise PictureUnreadable(str(record.path), "the file is not there") from exc
        if (status.st_size, status.st_mtime_ns) != (record.size, record.mtime_ns):
            raise PictureUnreadable(str(record.path), "changed since the last build: run `limner index update`")
        return self.say(record.path)


def _records(library: Path, manifest: Manifest) -> list[ImageRecord]:
    try:
        catalogue = Catalogue.open(part_paths(library, manifest, CATALOGUE))
    except (OSError, ValueError) as exc:
        raise damaged(library, "its catalogue cannot be read") from exc
    records = catalogue.records()
    catalogue.close()
    return records
