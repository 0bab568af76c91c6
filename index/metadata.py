"""What is said of a picture beside its pixels: `limner-metadata.csv`, else the words of its file name.

The format is for people to write; docs/library.md describes it. Other places where pictures carry metadata join here:
one more reader that returns `Metadata` by path.
"""

from __future__ import annotations

import csv
import hashlib
import os
import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from io import StringIO
from pathlib import Path

METADATA_NAME = "limner-metadata.csv"
COLUMNS = ("file", "title", "caption", "alt", "keywords", "creator", "licence", "credit")
# characters; a longer value is cut and reported
MAX_LENGTH = {"title": 300, "caption": 2000, "alt": 2000, "creator": 300, "licence": 300, "credit": 500}
MAX_KEYWORD_LENGTH = 100
MAX_KEYWORDS = 100
_RULES = "1"  # another one has all pictures described anew


@dataclass(frozen=True, slots=True)
class Metadata:
    """What the catalogue keeps of a picture besides its file; untrusted text, on one line each."""

    title: str = ""
    caption: str = ""
    alt: str = ""
    keywords: tuple[str, ...] = ()
    creator: str = ""
    licence: str = ""
    credit: str = ""


@dataclass(frozen=True, slots=True)
class MetadataFound:
    """The metadata of a scan's pictures, and what was odd in the files that hold it."""

    by_path: dict[Path, Metadata]
    notices: list[tuple[Path, str]]  # metadata file, what is odd and on which line


def read_metadata(files: Iterable[Path], pictures: Iterable[Path]) -> MetadataFound:
    """Read metadata files, outer folders first: what stands nearer to a picture replaces what stands further away.

    Nothing in such a file can fail a build: what cannot be used is passed over and reported.
    """
    by_name = {_name_key(path): path for path in pictures}
    found = MetadataFound({}, [])
    for file in files:
        _read_file(file, by_name, found)
    return found


def digest_metadata(files: Iterable[Path]) -> str:
    """What changes whenever a metadata file comes, goes or is written, or this module says other things of pictures."""
    digest = hashlib.sha256(_RULES.encode())
    for file in sorted(files):
        try:
            status = file.stat()
            stamp = f"{status.st_size} {status.st_mtime_ns}"
        except OSError as exc:
            stamp = str(exc.errno)
        digest.update(f"\n{file}\t{stamp}".encode("utf-8", "backslashreplace"))
    return digest.hexdigest()


def title_from_name(path: Path) -> str:
    """The words of a file name: `red_fox-2.jpg` is "red fox 2"."""
    return clean(re.sub(r"[\s_\-.+]+", " ", path.stem), MAX_LENGTH["title"])


def clean(text: str, max_length: int) -> str:
    """One line of NFC text: white space collapsed, control characters gone, at most max_length characters."""
    line = " ".join(unicodedata.normalize("NFC", text).split())
    line = "".join(c for c in line if unicodedata.category(c) not in ("Cc", "Cs"))
    return line[:max_length].rstrip()


def _read_file(file: Path, by_name: dict[str, Path], found: MetadataFound) -> None:
    def notice(text: str) -> None:
        found.notices.append((file, text))

    try:
        text = file.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError:
        return notice("is not UTF-8 and was not used")
    except OSError as exc:
        return notice(f"cannot be read ({exc.strerror})")
    rows = csv.DictReader(StringIO(text, newline=""), restval="")
    in_this_file: set[Path] = set()
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
            if path in in_this_file:
                notice(f"{line}: {row['file']!r} stands here twice; the later row counts")
            in_this_file.add(path)
            metadata, cut = _parse(row)
            found.by_path[path] = metadata
            if cut:
                notice(f"{line}: too long and cut: {', '.join(cut)}")
    except csv.Error as exc:
        notice(f"line {rows.line_num}: {exc}; the rest was not used")
    return None


def _find(folder: Path, name: str, by_name: dict[str, Path]) -> Path | None:
    """The picture that a row names, unless it lies outside the folder of the metadata file."""
    path = Path(os.path.normpath(folder / name.strip()))
    if not name.strip() or folder not in path.parents:
        return None
    return by_name.get(_name_key(path))


def _name_key(path: Path) -> str:
    # One file system stores decomposed letters and the next one composed ones, for the same name typed.
    return unicodedata.normalize("NFC", str(path))


def _parse(row: dict[str, str]) -> tuple[Metadata, list[str]]:
    values: dict[str, str] = {}
    cut: list[str] = []
    for name, max_length in MAX_LENGTH.items():
        whole = clean(row.get(name, ""), 10**9)
        values[name] = whole[:max_length].rstrip()
        if len(whole) > max_length:
            cut.append(name)
    words = [clean(word, MAX_KEYWORD_LENGTH) for word in row.get("keywords", "").split(";")]
    keywords = tuple(dict.fromkeys(word for word in words if word))
    if len(keywords) > MAX_KEYWORDS:
        cut.append("keywords")
    return Metadata(**values, keywords=keywords[:MAX_KEYWORDS]), cut
