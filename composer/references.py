"""The user's own reference pictures: read once, offered first at each spot, each placed at most once."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path

from ..index.content import content_hash
from ..index.decode import decode_bytes, read_bytes
from ..index.errors import PictureUnreadable
from ..index.records import Hit, ImageRecord
from .article import Reference
from .errors import FieldInvalid
from .markdown import one_line

MAX_REFERENCES = 10
MAX_WORDS_OF_ONE = 300  # characters of what a picture says of itself in a prompt


def read_references(paths: Sequence[Path]) -> tuple[Reference, ...]:
    """The pictures in these files.

    Raises:
        FieldInvalid: one that is missing, no picture, or given twice, by its path or by its content.
    """
    found: dict[str, Path] = {}
    references: list[Reference] = []
    for path in paths:
        try:
            data = read_bytes(path)
            decode_bytes(data, name=str(path), target_px=64)
        except PictureUnreadable as exc:
            raise FieldInvalid("reference", f"`reference`: {path}: {exc.hint}", "give the path of a picture") from exc
        digest = content_hash(data)
        if digest in found:
            other = "" if found[digest] == path else f", as {found[digest]}"
            raise FieldInvalid("reference", f"`reference`: {path} is given twice{other}", "leave one of them out")
        found[digest] = path
        references.append(Reference(str(path), digest))
    return tuple(references)


def reference_hits(references: Sequence[Reference]) -> tuple[Hit, ...]:
    """The pictures as candidates, with what they say of themselves; their ids are below 0, so no library has them.

    Raises:
        PictureUnreadable: one that is gone, or no longer the picture that the brief was made with.
    """
    return tuple(Hit(_record(number, reference), 0.0) for number, reference in enumerate(references, start=1))


def _record(number: int, reference: Reference) -> ImageRecord:
    path = Path(reference.path)
    data = read_bytes(path)
    if content_hash(data) != reference.hash:
        raise PictureUnreadable(str(path), "it has changed since the brief was read; compose again")
    decoded = decode_bytes(data, name=str(path), target_px=64, with_metadata=True)
    said = decoded.metadata
    texts = (
        {}
        if said is None
        else {
            name: getattr(said, name)
            for name in ("title", "caption", "alt", "keywords", "creator", "licence", "licence_url", "credit")
        }
    )
    return ImageRecord(
        -number, path, len(data), path.stat().st_mtime_ns, reference.hash, decoded.width, decoded.height, **texts
    )


def unused(references: Sequence[Hit], used: Collection[Hit]) -> list[Hit]:
    """The references that are still on the disk and not in the article, nor a copy of them."""
    hashes = {hit.image.hash for hit in used}
    return [hit for hit in references if hit.image.hash not in hashes and hit.image.path.is_file()]


class NoLibrary:
    """The image search of an article that takes its pictures from the references alone."""

    def search(self, text: str, m: int, *, exclude: Collection[int] = (), context: Sequence[str] = ()) -> list[Hit]:
        return []

    def duplicates(self, image_id: int) -> Collection[int]:
        return ()


def words_of(image: ImageRecord) -> str:
    """What is said of a picture, for a prompt: one line, its file's name where nothing is said."""
    words = one_line(image.caption or image.alt or image.title or ", ".join(image.keywords)) or image.path.stem
    return one_line(words)[:MAX_WORDS_OF_ONE]
