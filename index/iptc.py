"""IPTC-IIM: the newsroom's records in JPEG and TIFF files. Knows nothing of files.

Source: IPTC-NAA Information Interchange Model 4.1; coded character sets by ISO 2022, record 1:90.
"""

from __future__ import annotations

from collections.abc import Mapping

from .exif import decode_text
from .metadata import Metadata, metadata_of

Records = Mapping[tuple[int, int], bytes | list[bytes]]

# ISO 2022 puts a set of 96 letters into place with ESC, one of - . / and its own final byte.
_LETTERS_96 = {
    **{b"A": "cp1252", b"B": "iso8859-2", b"C": "iso8859-3", b"D": "iso8859-4", b"L": "iso8859-5", b"G": "iso8859-6"},
    **{b"F": "iso8859-7", b"H": "iso8859-8", b"M": "iso8859-9", b"V": "iso8859-10", b"b": "iso8859-15"},
}


def read_iptc(records: Records) -> Metadata:
    """What the records say, by (record, data set) as Pillow gives them."""
    charset = _charset(b"".join(_values(records, 1, 90)))

    def texts(number: int) -> list[str]:
        return [_decode(value, charset) for value in _values(records, 2, number)]

    def text(*numbers: int) -> str:
        return next((", ".join(found) for number in numbers if any(found := texts(number))), "")

    values = {
        "title": text(5, 105),  # object name, headline
        "caption": text(120),
        "creator": text(80),
        "licence": text(116),  # copyright notice
        "credit": text(110),
        "taken_at": _time(text(55), text(60)),
    }
    return metadata_of(values, texts(25))[0]


def _values(records: Records, record: int, number: int) -> list[bytes]:
    value = records.get((record, number), [])
    return value if isinstance(value, list) else [value]


def _charset(escape: bytes) -> str:
    """The encoding that an escape sequence names; empty for none, and for one that is not known."""
    if escape.startswith(b"\x1b%G") or escape.startswith(b"\x1b%/"):
        return "utf-8"
    return _LETTERS_96.get(escape[2:3], "") if escape[:1] == b"\x1b" and escape[1:2] in (b"-", b".", b"/") else ""


def _decode(value: bytes, charset: str) -> str:
    if charset and charset != "utf-8":
        return value.decode(charset, "replace").replace("\ufffd", "").replace("\0", "")
    # Programs that declare UTF-8 and write something else are as common as those that declare nothing.
    return decode_text(value).replace("\0", "")


def _time(date: str, time: str) -> str:
    """CCYYMMDD and HHMMSS±HHMM as one."""
    if len(date) != 8 or not date.isdigit():
        return ""
    clock = f" {time[:2]}:{time[2:4]}:{time[4:6]}" if time[:6].isdigit() and len(time) >= 6 else ""
    return f"{date[:4]}-{date[4:6]}-{date[6:]}{clock}"
