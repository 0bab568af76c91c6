"""Which files are pictures, and their bytes opened as one: Pillow's formats, HEIC by pi-heif, camera raw by rawpy."""

from __future__ import annotations

import struct
import threading
import zlib
from dataclasses import dataclass
from io import BytesIO
from pathlib import PurePath
from typing import Any

from PIL import Image, UnidentifiedImageError

from .errors import PictureUnreadable

HEIF_SUFFIXES = frozenset({".heic", ".heif", ".hif"})
# By maker: Adobe; Canon; Nikon; Sony; Fujifilm; Olympus; Panasonic; Pentax; Samsung; Hasselblad; Phase One; Epson;
# Kodak; Leica; Minolta; Sigma; Mamiya
RAW_SUFFIXES = frozenset(
    {".dng", ".cr2", ".cr3", ".crw", ".nef", ".nrw", ".arw", ".sr2", ".srf", ".raf", ".orf", ".rw2", ".raw", ".pef"}
    | {".srw", ".3fr", ".fff", ".iiq", ".erf", ".kdc", ".dcr", ".rwl", ".mrw", ".x3f", ".mef"}
)
PICTURE_SUFFIXES = (
    frozenset([".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".avif"])
    | HEIF_SUFFIXES
    | RAW_SUFFIXES
)

# Only formats that Pillow decodes inside the process: its EPS reader, for one, would start Ghostscript.
_FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF")
# What the readers raise on broken files; a build must survive all of them.
BROKEN = (
    OSError,
    SyntaxError,
    ValueError,
    EOFError,
    LookupError,
    TypeError,
    AttributeError,
    ArithmeticError,
    MemoryError,
    RuntimeError,
    struct.error,
    zlib.error,
)
_HEIF_BRANDS = frozenset(
    {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs", b"mif1", b"mif2", b"msf1"}
)
# LibRaw counts quarter turns its own way; these are EXIF's orientations.
_FLIPS = {0: 1, 3: 3, 5: 8, 6: 6}
_EXIF_ORIENTATION = 0x0112
_header_lock = threading.Lock()


@dataclass(frozen=True, slots=True)
class Opened:
    """A picture whose header is read and whose pixels are not."""

    image: Image.Image
    format: str  # as Pillow names it; "HEIF"; "RAW", whose image is the preview that the camera made
    orientation: int | None = None  # by EXIF's numbers, where it does not stand in the image


def open_picture(data: bytes, *, name: str) -> Opened:
    """Read the header of a file's bytes. The content decides the format; only camera raw is told by name's suffix.

    Raises:
        UnidentifiedImageError: no picture.
        PictureUnreadable: a raw file that cannot be read here; the hint says why.
        BROKEN: the file is.
    """
    # A raw file begins like a TIFF, and Pillow would take its thumbnail for the picture.
    if PurePath(name).suffix.lower() in RAW_SUFFIXES and not data.startswith((b"\xff\xd8", b"\x89PNG")):
        return _open_raw(data, name)
    if data[4:8] == b"ftyp" and _is_heif(data):
        from pi_heif import HeifImageFile

        # Made without registering it with Pillow, which would change every Image.open of the process.
        return Opened(HeifImageFile(BytesIO(data)), "HEIF")
    image = _open(data)
    return Opened(image, image.format or "")


def _is_heif(data: bytes) -> bool:
    """Whether the brands of an ISO container name HEVC pictures, and not AVIF, which Pillow reads."""
    size = min(int.from_bytes(data[:4], "big"), 256)
    brands = {data[8:12], *(data[at : at + 4] for at in range(16, size, 4))}
    return not brands & {b"avif", b"avis"} and bool(brands & _HEIF_BRANDS)


def _open(data: bytes) -> Image.Image:
    """Read the header only; our own limit on pixels comes right after it.

    Pillow's limit is one number for the process and warns where ours allows, so it is lifted while the header is read.
    """
    with _header_lock:
        limit = Image.MAX_IMAGE_PIXELS
        Image.MAX_IMAGE_PIXELS = None
        try:
            return Image.open(BytesIO(data), formats=_FORMATS)
        finally:
            Image.MAX_IMAGE_PIXELS = limit


def _open_raw(data: bytes, name: str) -> Opened:
    """The preview that the camera put into its raw file: nothing is developed."""
    try:
        import rawpy
    except ImportError as exc:
        raise PictureUnreadable(name, "camera raw, which needs the extra `raw`: pip install 'limner[raw]'") from exc
    try:
        with rawpy.imread(BytesIO(data)) as raw:
            preview, flip = raw.extract_thumb(), raw.sizes.flip
    except (rawpy.LibRawNoThumbnailError, rawpy.LibRawUnsupportedThumbnailError) as exc:
        raise PictureUnreadable(name, "a raw file without a preview that can be read") from exc
    except rawpy.LibRawError as exc:
        raise UnidentifiedImageError("not a raw file") from exc
    orientation = _FLIPS.get(flip, 1)
    if preview.format == rawpy.ThumbFormat.BITMAP:
        pixels: Any = preview.data  # (h, w, 3) uint8
        return Opened(Image.fromarray(pixels), "RAW", orientation)
    image = _open(bytes(preview.data))
    told = image.getexif().get(_EXIF_ORIENTATION)
    return Opened(image, "RAW", None if told else orientation)
