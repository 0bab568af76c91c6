"""What a picture's file says of itself: its XMP, IPTC and EXIF packets and its texts, from an image that is open."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from PIL import Image, IptcImagePlugin

from .exif import read_exif
from .formats import BROKEN, Opened
from .iptc import read_iptc
from .metadata import Metadata, merge, metadata_of
from .xmp import read_xmp

T = TypeVar("T")

_XMP_TAG = 700  # of TIFF, and of the raw formats that are TIFF inside
_GIF_XMP = b"!\xff\x0bXMP DataXMP"
_TEXTS = {"title": "Title", "caption": "Description", "creator": "Author", "licence": "Copyright"}  # of PNG
_TIFF_BEGINNINGS = (b"II*\0", b"MM\0*", b"IIRO", b"IIRS", b"IIU\0")


def read_packets(opened: Opened, data: bytes) -> Metadata:
    """Bring the packets together, XMP before IPTC before EXIF; the camera's time and place come from EXIF first.

    A packet that is broken says nothing. The pixels must be loaded: a PNG may hold its texts behind them.
    """
    image = opened.image
    exif = _unless_broken(lambda: _exif(opened, data), Image.Exif())
    by_exif = _unless_broken(lambda: read_exif(exif), Metadata())
    xmp = _unless_broken(lambda: _xmp(image, exif, data), Metadata())
    iptc = _unless_broken(lambda: _iptc(image), Metadata())
    camera = Metadata(taken_at=by_exif.taken_at, latitude=by_exif.latitude, longitude=by_exif.longitude)
    return merge(camera, xmp, iptc, by_exif, _texts(image))


def _unless_broken(read: Callable[[], T], otherwise: T) -> T:
    try:
        return read()
    except BROKEN:
        return otherwise


def _exif(opened: Opened, data: bytes) -> Image.Exif:
    exif = opened.image.getexif()
    if opened.format == "RAW" and data.startswith(_TIFF_BEGINNINGS):
        # The preview's EXIF is what the camera or LibRaw made; the raw file's own has what people added later.
        outer = Image.Exif()
        outer.load(b"II*\0" + data[4:] if data.startswith(b"II") else data)
        return outer
    return exif


def _xmp(image: Image.Image, exif: Image.Exif, data: bytes) -> Metadata:
    packet: Any = image.info.get("xmp") or image.info.get("XML:com.adobe.xmp") or exif.get(_XMP_TAG)
    if image.format == "GIF":
        # Pillow passes it over; it stands there as plain bytes, before a trailer that lets old readers skip it.
        packet = data.partition(_GIF_XMP)[2].partition(b"\x01\xff\xfe\xfd")[0]
    if isinstance(packet, str):
        packet = packet.encode("utf-8", "surrogatepass")
    if isinstance(packet, tuple):
        packet = bytes(packet)
    return read_xmp(packet) if isinstance(packet, bytes) and packet else Metadata()


def _iptc(image: Image.Image) -> Metadata:
    records = IptcImagePlugin.getiptcinfo(image)  # pyright: ignore[reportArgumentType]
    return read_iptc(records) if records else Metadata()


def _texts(image: Image.Image) -> Metadata:
    found = {name: image.info.get(key) for name, key in _TEXTS.items()} if image.format == "PNG" else {}
    return metadata_of({name: str(text) for name, text in found.items() if text})[0]
