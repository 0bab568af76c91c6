"""Pictures into the article's own folder, named after their captions, in a form that every browser shows upright."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

from ..index.atomic import write_whole
from ..index.decode import ANY_SIZE, Decoded, decode_bytes, read_bytes
from .markdown import one_line

FOLDER = "images"
# All that may stand in an article as the address of a picture: one folder, one name, a suffix that browsers know.
IMAGE_PATH = re.compile(FOLDER + r"/(?!\.)[^/\\:*?\"<>|%#\x00-\x1f\x7f]{1,200}\.(?P<suffix>jpg|jpeg|png|webp|gif|avif)")

_WEB_SUFFIXES = {"JPEG": ".jpg", "MPO": ".jpg", "PNG": ".png", "WEBP": ".webp", "GIF": ".gif", "AVIF": ".avif"}
_DRAWN = frozenset({"PNG", "GIF", "BMP"})  # formats of drawings and screens, which JPEG would smear
_WINDOWS_DEVICES = re.compile(r"con|prn|aux|nul|com\d|lpt\d")
_LONGEST_STEM = 60  # characters
_LONGEST_STEM_BYTES = 180  # file systems allow 255 for the whole name, the number that makes it unique included


@dataclass(frozen=True, slots=True)
class Published:
    """A picture in the article's folder: its address relative to the article, and its upright size in pixels."""

    image: str
    width: int
    height: int


def publish_images(pictures: Sequence[tuple[Path, str]], out_dir: Path) -> list[Published]:
    """Put each (picture, caption) into out_dir/images, in order; the same input gives the same names and bytes.

    Bytes are copied untouched where a browser shows them upright; other files are encoded anew.

    Raises:
        PictureUnreadable: a picture that is gone or broken since the library was built.
        WriteFailed: the disk refused.
    """
    taken: set[str] = set()
    published: list[Published] = []
    for source, caption in pictures:
        data = read_bytes(source, max_bytes=ANY_SIZE)
        decoded = decode_bytes(data, name=str(source), max_pixels=ANY_SIZE)
        data, suffix = _for_browsers(data, decoded)
        name = name_for(caption, suffix, taken)
        taken.add(name)
        write_whole(out_dir / FOLDER / name, data)
        published.append(Published(f"{FOLDER}/{name}", decoded.width, decoded.height))
    return published


def name_for(caption: str, suffix: str, taken: Collection[str]) -> str:
    """A file name for a caption: letters and digits of any script, joined by hyphens, and never a path.

    Latin letters lose their accents. A name that is taken (case aside) gets a number.
    """
    stem = _slug(caption) or "picture"
    if _WINDOWS_DEVICES.fullmatch(stem):
        stem = f"picture-{stem}"
    lowered = {name.casefold() for name in taken}
    name, number = f"{stem}{suffix}", 1
    while name.casefold() in lowered:
        number += 1
        name = f"{stem}-{number}{suffix}"
    return name


def _slug(text: str) -> str:
    characters: list[str] = []
    for character in unicodedata.normalize("NFKC", one_line(text)).casefold():
        base = unicodedata.normalize("NFKD", character)[0]
        if base.isascii() and base.isalnum():
            characters.append(base)
        elif character.isalnum() or (unicodedata.category(character)[0] == "M" and characters):
            characters.append(character)  # marks carry the vowels of many scripts
        elif character not in "'’":
            characters.append("-")
    words = re.sub("-+", "-", unicodedata.normalize("NFC", "".join(characters))).strip("-")
    if len(words) <= _LONGEST_STEM and len(words.encode()) <= _LONGEST_STEM_BYTES:
        return words
    cut = words[: _LONGEST_STEM + 1].encode()[: _LONGEST_STEM_BYTES + 1].decode(errors="ignore")
    whole_words, hyphen, _ = cut.rpartition("-")
    return whole_words if hyphen else cut[:-1]


def _for_browsers(data: bytes, decoded: Decoded) -> tuple[bytes, str]:
    """The bytes to publish and their suffix."""
    if decoded.format in _WEB_SUFFIXES and decoded.as_stored:
        return data, _WEB_SUFFIXES[decoded.format]
    encoded = BytesIO()
    if decoded.format in _DRAWN:
        decoded.image.save(encoded, "PNG", optimize=True)
        return encoded.getvalue(), ".png"
    decoded.image.save(encoded, "JPEG", quality=92, subsampling=0, optimize=True)
    return encoded.getvalue(), ".jpg"
