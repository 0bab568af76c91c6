"""`limner-metadata.csv`: what a person says of the pictures in a folder and below it. docs/library.md describes it."""

from __future__ import annotations

import csv
import os
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from io import StringIO
from pathlib import Path

from .metadata import FIELDS, Metadata, merge, metadata_of
from .places import place
from .sidefiles import read_small

METADATA_NAME = "limner-metadata.csv"
COLUMNS = ("file", *FIELDS)
MAX_BYTES = 500_000_000  # a million pictures with long texts


@dataclass(frozen=True, slots=True)
class MetadataFound:
    """The metadata of a scan's pictures, and what was odd in the files that hold it."""

    by_path: dict[Path, Metadata]
    notices: list[tuple[Path, str]]  # metadata file, what is odd and on which line


def read_metadata(files: Iterable[Path], pictures: Iterable[Path]) -> MetadataFound:
    """Read metadata files, outer folders first: what stands nearer to a picture counts before what stands further away.

    Nothing in such a file can fail a build: what cannot be used is passed over and reported.
    """
    by_name = {_name_key(path): path for path in pictures}
    found = MetadataFound({}, [])
    for file in files:
        said = _read_file(file, by_name, found.notices)
        for path, metadata in said.items():
            found.by_path[path] = merge(metadata, found.by_path.get(path, Metadata()))
    return found


def _read_file(file: Path, by_name: dict[str, Path], notices: list[tuple[Path, str]]) -> dict[Path, Metadata]:
    def notice(text: str) -> dict[Path, Metadata]:
        notices.append((file, text))
        return said

    said: dict[Path, Metadata] = {}
    try:
        text = read_small(file, MAX_BYTES).decode("utf-8-sig")
    except UnicodeDecodeError:
        return notice("is not UTF-8 and was not used")
    except ValueError as exc:
        return notice(str(exc))
    rows = csv.DictReader(StringIO(text, newline=""), restval="")
    try:
        header = [(name or "").strip().lower() for name in rows.fieldnames or ()]
        rows.fieldnames = header
        if "file" not in header:
            return notice("has no column `file` and was not used")
        unknown = [name for name in header if name not in COLUMNS]
        if unknown:
            notice(f"unknown columns: {', '.join(unknown)}")
        for row in rows:
            line = f"line {rows.line_num}"
            # A row longer than the header has its rest under None.
            if row.pop(None, None):
                notice(f"{line}: more values than columns; a comma in a text needs quotation marks around the text")
            path = _find(file.parent, row["file"], by_name)
            if path is None:
                notice(f"{line}: no picture {row['file']!r} in this folder")
                continue
            if path in said:
                notice(f"{line}: {row['file']!r} stands here twice; the later row counts")
            said[path], odd = metadata_of(row, row.get("keywords", "").split(";"))
            for oddity in odd:
                notice(f"{line}: {oddity}")
    except csv.Error as exc:
        notice(f"line {rows.line_num}: {exc}; the rest was not used")
    return said


def _find(folder: Path, name: str, by_name: dict[str, Path]) -> Path | None:
    """The picture that a row names, unless it lies outside the folder of the metadata file."""
    path = place(os.path.normpath(str(folder / name.strip())))
    if not name.strip() or folder not in path.parents:
        return None
    return by_name.get(_name_key(path))


def _name_key(path: Path) -> str:
    # One file system stores decomposed letters and the next one composed ones, for the same name typed.
    return unicodedata.normalize("NFC", str(path))
