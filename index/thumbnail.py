"""A picture small, as an address that holds it: for pages that need no other file."""

from __future__ import annotations

import base64
from io import BytesIO
from pathlib import Path

from .decode import decode
from .errors import PictureUnreadable

_QUALITY = 78


def thumbnail(path: Path, side_px: int) -> tuple[str, int, int]:
    """A `data:` address and its size, the longer side side_px at most; nothing where the file is gone or unreadable."""
    try:
        image = decode(path, target_px=side_px)
    except PictureUnreadable:
        return "", 0, 0
    image.thumbnail((side_px, side_px))
    data = BytesIO()
    image.save(data, "WEBP", quality=_QUALITY)
    return f"data:image/webp;base64,{base64.b64encode(data.getvalue()).decode()}", image.width, image.height
