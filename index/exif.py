"""EXIF: what a camera, and whoever named its owner, wrote into a picture. Knows nothing of files."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from PIL import ExifTags, Image

from .metadata import Metadata, metadata_of

# What cameras and programs write where a person could have: no description of anything.
_OF_NO_MEANING = frozenset(
    [
        "olympus digital camera",
        "minolta digital camera",
        "konica minolta digital camera",
        "kodak digital still camera",
        "samsung digital camera",
        "digital camera",
        "sony dsc",
        "exif_jpeg_picture",
        "exif jpeg",
        "created with gimp",
        "default",
        "untitled",
    ]
)
# The time that LibRaw writes into a preview where the raw file has none.
_NO_TIME = "1970:01:01 00:00:00"


def read_exif(exif: Image.Exif) -> Metadata:
    """What EXIF says; the XP fields of Windows count where the older ones are empty."""
    values = {
        "title": _windows(exif, 0x9C9B) or _windows(exif, 0x9C9F),
        "caption": _text(exif, ExifTags.Base.ImageDescription) or _windows(exif, 0x9C9C),
        "creator": _text(exif, ExifTags.Base.Artist) or _windows(exif, 0x9C9D),
        "licence": _text(exif, ExifTags.Base.Copyright),
    }
    if _is_machines(values["caption"]):
        values["caption"] = ""
    times = exif.get_ifd(ExifTags.IFD.Exif)
    taken = _text(times, ExifTags.Base.DateTimeOriginal) or _text(times, ExifTags.Base.DateTimeDigitized)
    values["taken_at"] = "" if taken == _NO_TIME else taken
    place = exif.get_ifd(ExifTags.IFD.GPSInfo)
    values["latitude"] = _degrees(place, ExifTags.GPS.GPSLatitude, ExifTags.GPS.GPSLatitudeRef)
    values["longitude"] = _degrees(place, ExifTags.GPS.GPSLongitude, ExifTags.GPS.GPSLongitudeRef)
    return metadata_of(values, _windows(exif, 0x9C9E).split(";"))[0]


def decode_text(data: bytes) -> str:
    """Bytes of no stated encoding: UTF-8 where they are, else the one of Western Windows, as most old tools wrote."""
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return data.decode("cp1252", "replace").replace("\ufffd", "")


def _text(tags: Mapping[int, Any], tag: int) -> str:
    """An ASCII value, which may be anything but ASCII; the NUL inside a copyright parts photographer and editor."""
    value = tags.get(tag, "")
    if isinstance(value, str):
        value = value.encode("latin-1", "replace")  # as Pillow read it
    if not isinstance(value, bytes):
        return ""
    return ", ".join(part.strip() for part in decode_text(value).split("\0") if part.strip())


def _windows(tags: Mapping[int, Any], tag: int) -> str:
    """A value that Windows Explorer writes: UTF-16, whatever the byte order of the rest."""
    value = tags.get(tag, b"")
    if isinstance(value, tuple):
        value = bytes(number for number in value if isinstance(number, int) and 0 <= number < 256)
    return value.decode("utf-16-le", "ignore").replace("\0", "") if isinstance(value, bytes) else ""


def _degrees(place: Mapping[int, Any], tag: int, reference: int) -> str:
    parts = place.get(tag)
    if not isinstance(parts, tuple) or len(parts) != 3:
        return ""
    degrees = sum(float(part) / 60**power for power, part in enumerate(parts))
    side = _text(place, reference)[:1].upper()
    if not math.isfinite(degrees) or degrees < 0 or side not in ("N", "S", "E", "W"):
        return ""
    return f"{'-' if side in 'SW' else ''}{degrees:.7f}"


def _is_machines(text: str) -> bool:
    return text.strip(" <>").casefold() in _OF_NO_MEANING or text.upper().startswith("DCIM\\")
