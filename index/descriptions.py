"""What models wrote of pictures, by content: LIBRARY/descriptions.jsonl, a line each, kept from the moment it is made.

Not one of the library's parts: a rebuild, or another encoder, keeps it.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import IO

from .atomic import digest_file, write_failed
from .metadata import MAX_LENGTH, clean
from .records import ImageRecord

DESCRIPTIONS_NAME = "descriptions.jsonl"
FIELDS = ("alt", "caption")  # what a model's words stand in for

Descriptions = dict[str, tuple[str, str]]  # hash of the picture's file -> the model's name, its words


def read_descriptions(library: Path) -> Descriptions:
    """What is there; a line that a kill cut short is passed over, and its picture described again."""
    try:
        lines = (library / DESCRIPTIONS_NAME).read_bytes().splitlines()
    except OSError:
        return {}
    found: Descriptions = {}
    for line in lines:
        try:
            row = json.loads(line)
            digest, model, text = (row[key] for key in ("hash", "model", "text"))
        except (ValueError, LookupError, TypeError):
            continue
        if all(isinstance(value, str) for value in (digest, model, text)):
            found[digest] = (model, text)
    return found


def digest_descriptions(library: Path) -> str:
    """What changes with every description; empty where there is none."""
    try:
        return digest_file(library / DESCRIPTIONS_NAME)
    except OSError:
        return ""


class Journal:
    """The open file; a line is on the disk when `add` returns."""

    def __init__(self, path: Path, file: IO[bytes]) -> None:
        self._path = path
        self._file = file

    def add(self, digest: str, model: str, text: str) -> None:
        """Write one description down.

        Raises:
            WriteFailed: the disk refused.
        """
        line = json.dumps({"hash": digest, "model": model, "text": text}, ensure_ascii=False)
        try:
            self._file.write(line.encode() + b"\n")
            self._file.flush()
            os.fsync(self._file.fileno())
        except OSError as exc:
            raise write_failed(self._path, exc) from exc


@contextmanager
def journal(library: Path) -> Iterator[Journal]:
    """Open LIBRARY/descriptions.jsonl to go on with it; whoever does holds the library's lock.

    Raises:
        WriteFailed: the disk refused.
    """
    path = library / DESCRIPTIONS_NAME
    try:
        file = path.open("a+b")
        if file.tell():
            file.seek(-1, os.SEEK_END)
            if file.read(1) != b"\n":
                file.write(b"\n")  # after half a line, which a kill left
    except OSError as exc:
        raise write_failed(path, exc) from exc
    with file:
        yield Journal(path, file)


def lacks_words(record: ImageRecord) -> bool:
    """Whether a picture has no alt text or no caption."""
    return not all(getattr(record, name) for name in FIELDS)


def fill(record: ImageRecord, descriptions: Mapping[str, tuple[str, str]]) -> ImageRecord:
    """The record with a model's words where people left room for them, and marked so."""
    model, text = descriptions.get(record.hash, ("", ""))
    empty = tuple(name for name in FIELDS if not getattr(record, name))
    if not text or not empty:
        return record
    words = {name: clean(text, MAX_LENGTH[name]) for name in empty}
    return replace(record, **words, described_by=model, described=empty)
