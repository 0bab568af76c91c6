"""The files beside a picture that speak of it alone: `NAME.jpg.json`, `NAME.xmp` and their like.

Our own JSON, exiftool's and Google Takeout's are read by what their keys mean; docs/library.md describes them.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from .metadata import Metadata, merge, metadata_of
from .places import NotOrdinary, read_within
from .xmp import MAX_PACKET_BYTES, read_xmp

SIDE_SUFFIXES = frozenset({".json", ".xmp"})
MAX_JSON_BYTES = 1_000_000

# Keys by field, the best first; compared without their group ("XMP:"), case, spaces and other marks.
_KEYS = {
    "title": ("title", "headline", "objectname"),
    "caption": ("caption", "description", "imagedescription", "captionabstract"),
    "alt": ("alt", "alttext", "alttextaccessibility"),
    "creator": ("creator", "author", "artist", "photographer", "byline"),
    "licence": ("licence", "license", "usageterms", "rights", "copyright", "copyrightnotice"),
    "licence_url": ("licenceurl", "licenseurl", "webstatement"),
    "credit": ("credit", "creditline"),
    "taken_at": ("takenat", "datetimeoriginal", "datecreated", "date"),
    "latitude": ("latitude", "lat", "gpslatitude"),
    "longitude": ("longitude", "lon", "lng", "gpslongitude"),
}
_KEYWORDS = ("keywords", "tags", "subject")
_TAKEOUT = "photoTakenTime"
_TAKEOUT_SUFFIX = ".supplemental-metadata"
_TAKEOUT_LETTERS = 46  # Takeout cuts the name of a side file to this, without `.json`
_NUMBERED = re.compile(r"(?P<stem>.+)(?P<number>\(\d+\))")


@dataclass(slots=True)
class Beside:
    """What side files say: by picture, before and after what the picture says itself."""

    before: dict[Path, Metadata] = field(default_factory=dict)
    after: dict[Path, Metadata] = field(default_factory=dict)
    notices: list[tuple[Path, str]] = field(default_factory=list)


def read_side_files(files: Iterable[Path], pictures: Iterable[Path]) -> Beside:
    """Read the side files of pictures: JSON counts before XMP, `a.jpg.json` before `a.json`.

    Nothing in such a file can fail a build: what cannot be used is passed over and reported.
    """
    result = Beside()
    by_name = {(path.parent, path.name): path for path in files}
    by_key = {(path.parent, _key(path.name)): path for path in by_name.values()}
    folders = {folder for folder, _ in by_name}
    read: dict[Path, tuple[Metadata, Metadata]] = {}  # `a.xmp` may speak of a.jpg and of a.nef
    for picture in pictures:
        folder = picture.parent
        for name in side_names(picture) if folder in folders else ():
            file = by_name.get((folder, name)) or by_key.get((folder, _key(name)))
            if file is None:
                continue
            if file not in read:
                read[file] = _read(file, result.notices)
            before, after = read[file]
            result.before[picture] = merge(result.before.get(picture, Metadata()), before)
            result.after[picture] = merge(result.after.get(picture, Metadata()), after)
    return result


def side_names(picture: Path) -> list[str]:
    """The names that a picture's side files may have, the best first, each once."""
    name, stem, suffix = picture.name, picture.stem, picture.suffix
    names = [f"{name}.json", f"{stem}.json"]
    # Takeout: IMG(1).jpg has IMG.jpg(1).json or IMG.jpg.supplemental-metadata(1).json; an edited one, the original's.
    of_takeout = [(name, "")]
    if numbered := _NUMBERED.fullmatch(stem):
        of_takeout.append((f"{numbered['stem']}{suffix}", numbered["number"]))
    if stem.endswith("-edited"):
        of_takeout.append((f"{stem.removesuffix('-edited')}{suffix}", ""))
    for original, number in of_takeout:
        for whole in (original, f"{original}{_TAKEOUT_SUFFIX}"):
            names.append(f"{whole[:_TAKEOUT_LETTERS]}{number}.json")
    return list(dict.fromkeys([*names, f"{name}.xmp", f"{stem}.xmp"]))


def read_small(path: Path, max_bytes: int) -> bytes:
    """Read a file that people or tools put beside pictures.

    Raises:
        ValueError: it cannot be read, or is too large; the message says why.
    """
    try:
        size, data = read_within(path, max_bytes)
    except NotOrdinary as exc:
        raise ValueError("is not an ordinary file and was not used") from exc
    except OSError as exc:
        raise ValueError(f"cannot be read ({exc.strerror or exc})") from exc
    if size > max_bytes:
        raise ValueError(f"above the limit of {max_bytes:,} bytes and was not used")
    return data


def _key(name: str) -> str:
    """What names have in common that people take for one: tools differ in case, file systems in composing letters."""
    return unicodedata.normalize("NFC", name).casefold()


def _read(file: Path, notices: list[tuple[Path, str]]) -> tuple[Metadata, Metadata]:
    try:
        if file.suffix.lower() == ".xmp":
            return read_xmp(read_small(file, MAX_PACKET_BYTES)), Metadata()
        tree = _tree(read_small(file, MAX_JSON_BYTES))
        before, odd = _from_takeout(tree) if _TAKEOUT in tree else _from_keys(tree)
        notices.extend((file, oddity) for oddity in odd)
        return before, _after(tree)
    except ValueError as exc:
        notices.append((file, str(exc)))
        return Metadata(), Metadata()


def _tree(data: bytes) -> Mapping[str, Any]:
    try:
        tree = json.loads(data.decode("utf-8-sig"))
    except (ValueError, RecursionError) as exc:
        raise ValueError("is not JSON in UTF-8 and was not used") from exc
    if isinstance(tree, list) and len(tree) == 1:
        tree = tree[0]  # as exiftool writes it
    if not isinstance(tree, dict):
        raise ValueError("is no JSON object and was not used")
    return tree


def _from_keys(tree: Mapping[str, Any]) -> tuple[Metadata, list[str]]:
    known = {re.sub(r"[\W_]+", "", key.rpartition(":")[2]).lower(): value for key, value in tree.items()}
    values = {name: next((text for key in keys if (text := _text(known.get(key)))), "") for name, keys in _KEYS.items()}
    words = next((found for key in _KEYWORDS if (found := _words(known.get(key)))), [])
    if not words and not any(values.values()):
        return Metadata(), ["holds no key that Limner knows"]
    return metadata_of(values, words)


def _from_takeout(tree: Mapping[str, Any]) -> tuple[Metadata, list[str]]:
    """What was typed or set in Google Photos; its `title` is the name of the file."""
    places = (tree.get(key) for key in ("geoData", "geoDataExif"))
    # Takeout writes 0, 0 where it does not know.
    place = next((at for at in places if isinstance(at, dict) and (at.get("latitude") or at.get("longitude"))), {})
    people = tree.get("people")
    words = [_text(one.get("name")) for one in people if isinstance(one, dict)] if isinstance(people, list) else []
    values = {"caption": _text(tree.get("description"))}
    values |= {name: _text(place.get(name)) for name in ("latitude", "longitude")}
    return metadata_of(values, words)


def _after(tree: Mapping[str, Any]) -> Metadata:
    """Takeout's time is of Greenwich, so it counts only where the camera's own is not known."""
    taken = tree.get(_TAKEOUT)
    try:
        seconds = int(taken["timestamp"]) if isinstance(taken, dict) else 0
        return Metadata(taken_at=datetime.fromtimestamp(seconds, UTC).replace(tzinfo=None)) if seconds else Metadata()
    except (KeyError, TypeError, ValueError, OverflowError, OSError):
        return Metadata()


def _text(value: object) -> str:
    if isinstance(value, bool):
        return ""
    if isinstance(value, float):
        return f"{value:.9f}"  # a small one is no 1e-05
    if isinstance(value, str | int):
        return str(value)
    return ", ".join(filter(None, map(_text, value))) if isinstance(value, list) else ""


def _words(value: object) -> list[str]:
    if isinstance(value, list):
        return [text for one in value if (text := _text(one))]
    return [word.strip() for word in value.split(";")] if isinstance(value, str) else []
