"""What is said of a picture, wherever it is said: what counts as a value, and which of several counts.

Knows no file format; the places that carry metadata (embedded packets, side files) each return `Metadata`.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields, replace
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

# characters; a longer value is cut
MAX_LENGTH = {
    "title": 300,
    "caption": 2000,
    "alt": 2000,
    "creator": 300,
    "licence": 300,
    "licence_url": 1000,
    "credit": 500,
}
MAX_KEYWORD_LENGTH = 100
MAX_KEYWORDS = 100
# A text is cut to this before it is looked at: an embedded one may fill the file.
_MOST_CHARACTERS = 100_000

_TIME = re.compile(
    r"(\d{4})[:/-](\d\d?)[:/-](\d\d?)"
    r"(?:[T ]+(\d\d?):(\d\d)(?::(\d\d))?.*)?"
)
_NUMBER = re.compile(r"\d+(?:\.\d+)?")
_DEGREES = re.compile(r"[+-]?[\d.,\s°'\"′″]*(?:deg[\d.,\s'\"]*)?[NSEWnsew]?")
_COMMONS = re.compile(r"/(?P<kind>licenses|publicdomain)/(?P<name>[a-z-]+)/(?P<version>\d\.\d)(?:/|$)")
_OF_A_CAMERA = re.compile(
    r"(?:img|dsc[nf]?|dscn|pxl|mvimg|gopr|sam|cimg|imgp|_mg|_dsc|pict|photo|image|vid|wa)?[\W_]*p?\d[\d\W_]*(?:wa\d+)?",
    re.IGNORECASE,
)
_OF_NO_PLACE = re.compile(r"dcim|camera|pictures|photos|images|bilder|fotos|\d{3}[a-z_\d]{0,6}|[\d\W_]+", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Metadata:
    """What the catalogue keeps of a picture besides its file; untrusted text, on one line each."""

    title: str = ""
    caption: str = ""
    alt: str = ""
    keywords: tuple[str, ...] = ()
    creator: str = ""
    licence: str = ""
    licence_url: str = ""
    credit: str = ""
    taken_at: datetime | None = None  # without a zone
    latitude: float | None = None  # degrees
    longitude: float | None = None


FIELDS = tuple(field.name for field in fields(Metadata))
_NOTHING = Metadata()
# They say one thing together: half of it from one place and half from another would say a third.
_TOGETHER = (("licence", "licence_url"), ("latitude", "longitude"))
_KEPT_APART = frozenset(name for group in _TOGETHER for name in group)


def metadata_of(values: Mapping[str, str], keywords: Iterable[str] = ()) -> tuple[Metadata, list[str]]:
    """Bring texts as they were found, by field, to `Metadata`; say in words what had to be cut or is of no use."""
    keywords = list(keywords)
    if not keywords and not any(values.values()):
        return _NOTHING, []  # most pictures of a camera, several times each
    told: dict[str, Any] = {}
    odd: list[str] = []
    for name, max_length in MAX_LENGTH.items():
        whole = clean(values.get(name, "")[:_MOST_CHARACTERS], _MOST_CHARACTERS)
        told[name] = whole[:max_length].rstrip()
        if len(whole) > max_length:
            odd.append(f"too long and cut: {name}")
    if is_web_address(told["licence"]):
        told["licence_url"], told["licence"] = told["licence_url"] or told["licence"], ""
    if told["licence_url"] and (not is_web_address(told["licence_url"]) or "too long and cut: licence_url" in odd):
        odd.append("no web address: licence_url")
        told["licence_url"] = ""
    told["licence"] = told["licence"] or _commons_name(told["licence_url"])
    words = [clean(word[:_MOST_CHARACTERS], MAX_KEYWORD_LENGTH) for word in keywords]
    unique = tuple(dict.fromkeys(word for word in words if word))
    if len(unique) > MAX_KEYWORDS:
        odd.append("too long and cut: keywords")
    told["keywords"] = unique[:MAX_KEYWORDS]
    taken = clean(values.get("taken_at", "")[:200], 100)
    told["taken_at"] = parse_time(taken)
    if taken and told["taken_at"] is None:
        odd.append("no date: taken_at")
    place = [clean(values.get(name, "")[:200], 100) for name in ("latitude", "longitude")]
    told["latitude"], told["longitude"] = position(*map(parse_degrees, place))
    if any(place) and told["latitude"] is None:
        odd.append("no position: latitude, longitude")
    return Metadata(**told), odd


def merge(*layers: Metadata) -> Metadata:
    """One value of several, field by field: the first that is not empty counts."""
    speaking = [layer for layer in layers if layer != _NOTHING]
    if len(speaking) < 2:
        return speaking[0] if speaking else _NOTHING
    values: dict[str, Any] = {}
    for name in FIELDS:
        if name not in _KEPT_APART:
            found = (getattr(layer, name) for layer in speaking)
            values[name] = next((value for value in found if value), getattr(_NOTHING, name))
    for group in _TOGETHER:
        first = next(
            (layer for layer in speaking if any(getattr(layer, name) not in ("", None) for name in group)), None
        )
        values |= {name: getattr(first or _NOTHING, name) for name in group}
    return Metadata(**values)


def to_json(metadata: Metadata) -> str:
    """What is not empty, as JSON; empty where nothing is said."""
    said = {name: value for name in FIELDS if (value := getattr(metadata, name)) not in ("", (), None)}
    return json.dumps(said, ensure_ascii=False, default=lambda time: time.isoformat()) if said else ""


def from_json(text: str) -> Metadata:
    """The inverse of `to_json`."""
    if not text:
        return _NOTHING
    values: dict[str, Any] = json.loads(text)
    if "keywords" in values:
        values["keywords"] = tuple(values["keywords"])
    if "taken_at" in values:
        values["taken_at"] = datetime.fromisoformat(values["taken_at"])
    return replace(Metadata(), **values)


def title_from_name(path: Path) -> str:
    """The words of a file name: `red_fox-2.jpg` is "red fox 2".

    A camera's own name says little, so the folder's stands before it: `Lisbon/IMG_0042.jpg` is "Lisbon IMG 0042".
    """
    title = _words(path.stem)
    folder = _words(path.parent.name)
    if _OF_A_CAMERA.fullmatch(path.stem) and folder and not _OF_NO_PLACE.fullmatch(path.parent.name):
        title = f"{folder} {title}"
    return clean(title, MAX_LENGTH["title"])


def clean(text: str, max_length: int) -> str:
    """One line of NFC text: white space collapsed, control characters gone, at most max_length characters."""
    if text.isascii():
        line = " ".join(text.split())
        line = line if line.isprintable() else "".join(filter(str.isprintable, line))
    else:
        line = " ".join(unicodedata.normalize("NFC", text).split())
        line = "".join(c for c in line if unicodedata.category(c) not in ("Cc", "Cs"))
    return line[:max_length].rstrip()


def is_web_address(text: str) -> bool:
    """Whether a text is one absolute http or https address and nothing else."""
    if not re.fullmatch(r"https?://[^\s<>\"'\\^`{|}]+", text, re.IGNORECASE):
        return False
    try:
        return bool(urlsplit(text).hostname)
    except ValueError:
        return False


def parse_time(text: str) -> datetime | None:
    """A time as EXIF, IPTC, XMP and people write it, its zone left out; None for none, and for half a date."""
    found = _TIME.fullmatch(text.strip())
    if not found:
        return None
    year, month, day, hour, minute, second = (int(number or 0) for number in found.groups())
    try:
        return datetime(year, month, day, hour, minute, second)
    except ValueError:
        return None  # 0000:00:00, what a camera says whose clock was never set


def parse_degrees(text: str) -> float | None:
    """Degrees as 48.85, `48,51.5N` of XMP or `48 deg 51' 30" N` of exiftool; None for anything else."""
    if not text or not _DEGREES.fullmatch(text.strip()):
        return None
    hemisphere = text.rstrip()[-1].upper()
    if "," in text and hemisphere not in "NSEW":
        return None  # 48,85: a decimal comma, or minutes?
    numbers = [float(number) for number in _NUMBER.findall(text)]
    if not 1 <= len(numbers) <= 3 or any(number >= 60 for number in numbers[1:]):
        return None
    degrees = sum(number / 60**place for place, number in enumerate(numbers))
    return -degrees if text.lstrip()[0] == "-" or hemisphere in "SW" else degrees


def position(latitude: float | None, longitude: float | None) -> tuple[float | None, float | None]:
    """Both or none; 0, 0 is what a device says that does not know where it is."""
    if latitude is None or longitude is None or (latitude, longitude) == (0, 0):
        return None, None
    if not (-90 <= latitude <= 90 and -180 <= longitude <= 180):  # NaN is not within them either
        return None, None
    return round(latitude, 7), round(longitude, 7)


def _words(name: str) -> str:
    return re.sub(r"[\s_\-.+]+", " ", name).strip()


def _commons_name(url: str) -> str:
    """The name of a Creative Commons licence by its address: the address is what tools write most."""
    found = _COMMONS.search(url) if "creativecommons.org/" in url.lower() else None
    if not found:
        return ""
    if found["kind"] == "licenses":
        return f"CC {found['name'].upper()} {found['version']}"
    names = {"zero": "CC0", "mark": "Public Domain Mark"}
    return f"{names[found['name']]} {found['version']}" if found["name"] in names else ""
