"""Bytes to an upright RGB picture, within stated limits; tells in words why a file is not one."""

from __future__ import annotations

import math
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

from PIL import Image, ImageCms, UnidentifiedImageError
from PIL.JpegImagePlugin import JpegImageFile

from .errors import PictureUnreadable
from .formats import BROKEN, open_picture
from .metadata import Metadata
from .packets import read_packets
from .places import NotOrdinary, read_within

MAX_PIXELS = 100_000_000
MAX_BYTES = 200_000_000
ANY_SIZE = 2**63  # for pictures that a build has taken into a library, within the limits that it was given
EMPTY = "the file is empty"
TOO_LARGE = "above the limit of"
NO_MEMORY = "not enough memory to decode it"

_EXIF_ORIENTATION = 0x0112
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


@dataclass(frozen=True, slots=True)
class Decoded:
    """A picture with the size that it has in its file, upright, which the image itself may be below."""

    image: Image.Image  # RGB
    width: int  # pixels
    height: int
    format: str = ""  # "JPEG", "PNG", ..., "HEIF", or "RAW", whose picture is the camera's preview
    as_stored: bool = True  # neither turned nor made of a printer's colours
    metadata: Metadata | None = None  # what the file says of itself, where it was asked for


def decode(
    path: Path, *, target_px: int | None = None, max_pixels: int = MAX_PIXELS, max_bytes: int = MAX_BYTES
) -> Image.Image:
    """Return the picture in path: RGB in sRGB, upright by EXIF, first frame, transparency over white.

    The content decides the format, not the suffix. With target_px the result may be smaller than the file's picture,
    its shorter side at least twice target_px, which is 4x faster for photographs and differs by 0.2 of 255 on average.

    Raises:
        PictureUnreadable: no picture, or one beyond max_pixels or max_bytes; the hint says why.
    """
    data = read_bytes(path, max_bytes=max_bytes)
    return decode_bytes(data, name=str(path), target_px=target_px, max_pixels=max_pixels).image


def read_bytes(path: Path, *, max_bytes: int = MAX_BYTES) -> bytes:
    """Read a file whole.

    Raises:
        PictureUnreadable: empty, above max_bytes, not an ordinary file, or not to be read.
    """
    try:
        size, data = read_within(path, max_bytes)
    except NotOrdinary as exc:
        raise PictureUnreadable(str(path), "not an ordinary file") from exc
    except PermissionError as exc:
        raise PictureUnreadable(str(path), "no permission to read it") from exc
    except FileNotFoundError as exc:
        raise PictureUnreadable(str(path), "the file is not there") from exc
    except OSError as exc:
        raise PictureUnreadable(str(path), f"the file cannot be read ({exc.strerror or exc})") from exc
    if size > max_bytes:
        raise PictureUnreadable(str(path), f"{size:,} bytes, {TOO_LARGE} {max_bytes:,}")
    if not data:
        raise PictureUnreadable(str(path), EMPTY)
    return data


def decode_bytes(
    data: bytes,
    *,
    name: str,
    target_px: int | None = None,
    max_pixels: int = MAX_PIXELS,
    with_metadata: bool = False,
) -> Decoded:
    """Decode a file's bytes as `decode` does; name stands in messages, and its suffix tells camera raw.

    Raises:
        PictureUnreadable: as `decode`.
    """
    try:
        opened = open_picture(data, name=name)
    except UnidentifiedImageError as exc:
        raise PictureUnreadable(name, "not a picture that Limner can read") from exc
    except BROKEN as exc:
        raise PictureUnreadable(name, _in_words(exc)) from exc
    with opened.image as image:
        width, height = image.size
        if width * height > max_pixels:
            raise PictureUnreadable(name, f"{width} x {height} pixels, {TOO_LARGE} {max_pixels:,} pixels")
        try:
            if target_px:
                _draft(image, target_px)
            if isinstance(image, JpegImageFile):
                # Whole, not by 64 KB: after each piece the thread would wait for Python's lock again.
                image.decodermaxblock = len(data)
            image.load()
            orientation = opened.orientation or _orientation(image)
            result = _reduced(_to_rgb(image), target_px)
        except BROKEN as exc:
            raise PictureUnreadable(name, _in_words(exc)) from exc
        # After the pixels, because a PNG may hold its texts behind them.
        metadata = read_packets(opened, data) if with_metadata else None
        as_stored = orientation == 1 and image.mode != "CMYK"
    if orientation in _UPRIGHT:
        result = result.transpose(_UPRIGHT[orientation])
    if orientation >= 5:
        width, height = height, width
    return Decoded(result, width, height, opened.format, as_stored, metadata)


def _draft(image: Image.Image, target_px: int) -> None:
    """Let a JPEG decode at 1/2, 1/4 or 1/8, no smaller than twice the target."""
    scale = 2 * target_px / min(image.size)
    if scale < 1:
        image.draft(None, (math.ceil(image.width * scale), math.ceil(image.height * scale)))


def _reduced(image: Image.Image, target_px: int | None) -> Image.Image:
    """Average whole pixels together, so that waiting pictures of any format stay small in memory."""
    factor = min(image.size) // (2 * target_px) if target_px else 1
    return image.reduce(factor) if factor > 1 else image


def _orientation(image: Image.Image) -> int:
    try:
        value = image.getexif().get(_EXIF_ORIENTATION, 1)
    except BROKEN:
        return 1  # a broken note of orientation is no reason to refuse the picture
    return value if value in range(1, 9) else 1


def _to_rgb(image: Image.Image) -> Image.Image:
    profile = image.info.get("icc_profile")
    if image.mode.startswith("I") or image.mode == "F":
        return _deep_to_rgb(image)
    if image.mode == "LAB":
        to_rgb = ImageCms.buildTransform(ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB"), "LAB", "RGB")
        return ImageCms.applyTransform(image, to_rgb) or image
    if image.mode in ("P", "PA", "LA", "La", "1") or "transparency" in image.info:
        image = image.convert("RGBA" if image.has_transparency_data else "RGB")
    if profile:
        image = _to_srgb(image, profile)
    if image.mode in ("RGBA", "RGBa"):
        rgba = image.convert("RGBA")
        white = Image.new("RGBA", rgba.size, "white")
        return Image.alpha_composite(white, rgba).convert("RGB")
    return image.convert("RGB")


def _deep_to_rgb(image: Image.Image) -> Image.Image:
    """Bring 16 bits, 32 bits or floating point to 8 bits."""
    import numpy as np

    values = np.asarray(image, dtype=np.float32)
    values = np.nan_to_num(values)
    if image.mode == "F":
        # No agreed range: 0 to 1 where the values keep to it, else what the picture holds.
        low, high = (0.0, 1.0) if values.min() >= 0 and values.max() <= 1 else (values.min(), values.max())
    else:
        low, high = 0.0, 65535.0
        if values.max() > high or values.min() < low:
            low, high = values.min(), values.max()
    scaled = (values - low) * (255 / max(high - low, 1e-9))
    clear = image.info.get("transparency")  # the one grey of a 16-bit PNG that is not there
    if isinstance(clear, int):
        scaled[values == clear] = 255
    return Image.fromarray(scaled.round().clip(0, 255).astype(np.uint8)).convert("RGB")


def _to_srgb(image: Image.Image, profile: bytes) -> Image.Image:
    mode = image.mode if image.mode in ("RGB", "RGBA") else "RGB"
    try:
        source = ImageCms.ImageCmsProfile(BytesIO(profile))
        if "srgb" in ImageCms.getProfileDescription(source).lower():
            return image
        return ImageCms.profileToProfile(image, source, ImageCms.createProfile("sRGB"), outputMode=mode) or image
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        return image  # a broken profile, or one for other channels: the numbers as they stand


def _in_words(exc: BaseException) -> str:
    if isinstance(exc, MemoryError):
        return NO_MEMORY
    text = " ".join(str(exc).split())
    if "truncated" in text.lower() or isinstance(exc, EOFError):
        return "the file is cut short"
    return f"the picture is broken ({text[:120]})" if text else "the picture is broken"
