"""All that is said of a scan's pictures, and which of it counts.

The order, the first that says something: the nearest `limner-metadata.csv`, those further out, `NAME.json`, `NAME.xmp`,
the file itself (XMP, IPTC, EXIF); for alt text and caption a model's words; for the title the words of the file name.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from .csvfile import read_metadata
from .descriptions import fill, read_descriptions
from .metadata import FIELDS, Metadata, from_json, merge, title_from_name
from .places import place
from .records import ImageRecord
from .scan import Scan
from .sidefiles import read_side_files

_RULES = "1"  # another one has all pictures described anew


@dataclass(frozen=True, slots=True)
class Said:
    """What is said beside the pictures; the pictures' own words stand in their records."""

    before: dict[Path, Metadata]  # counts before what the picture says itself
    after: dict[Path, Metadata]
    descriptions: dict[str, tuple[str, str]]  # content hash to a model's name and words
    notices: list[tuple[Path, str]]

    def told(self, record: ImageRecord) -> ImageRecord:
        """The record with what is said of it now."""
        nothing = Metadata()
        path = record.path
        said = merge(self.before.get(path, nothing), from_json(record.embedded), self.after.get(path, nothing))
        values = {name: getattr(said, name) for name in FIELDS}
        values["title"] = values["title"] or title_from_name(path)
        return fill(replace(record, **values, described_by="", described=()), self.descriptions)


def digest_said(found: Scan) -> str:
    """What changes whenever a file that may speak of pictures comes, goes or is written, or our rules do."""
    digest = hashlib.sha256(_RULES.encode())
    for file in (*found.metadata_files, *found.side_files):
        try:
            size, mtime_ns = found.stamps.get(str(file)) or _stamp(file)
            stamp = f"{size} {mtime_ns}"
        except OSError as exc:
            stamp = str(exc.errno)
        digest.update(f"\n{file}\t{stamp}".encode("utf-8", "backslashreplace"))
    return digest.hexdigest()


def read_said(library: Path, found: Scan, locations: Iterable[str]) -> Said:
    """Read every side file of a scan, and what models wrote of the library's pictures; opens no picture.

    locations are the paths of the scan's pictures, and asked for only where there is a file that may speak of them.
    """
    pictures = sorted(map(place, locations)) if found.metadata_files or found.side_files else []
    by_person = read_metadata(found.metadata_files, pictures)
    beside = read_side_files(found.side_files, pictures)
    before = beside.before | {
        path: merge(said, beside.before.get(path, Metadata())) for path, said in by_person.by_path.items()
    }
    return Said(before, beside.after, read_descriptions(library), [*by_person.notices, *beside.notices])


def _stamp(file: Path) -> tuple[int, int]:
    status = file.stat()
    return status.st_size, status.st_mtime_ns
