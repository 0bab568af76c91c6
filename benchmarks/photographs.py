"""Photographs of 12 megapixels that are made fast: a few are drawn, and all are cut together from bands of these."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image

SIZE = (4000, 3000)
QUALITY = 93
BAND_ROWS = 16  # rows of blocks (16 px each) between two restart markers: 12 bands a picture
BASES = 6
_START_OF_SCAN, _END = b"\xff\xda", b"\xff\xd9"


def make_photographs(folder: Path, count: int) -> int:
    """Write count JPEGs to folder, each with bytes and pixels of its own, and return the bytes of all of them.

    A decoder begins anew after each restart marker, so that bands of pictures that were written with one set of tables
    make a picture wherever they come from.
    """
    heads, bands = zip(*(_cut(_drawn(seed)) for seed in range(BASES)), strict=True)
    rng = np.random.default_rng(0)
    folder.mkdir(parents=True)
    written = 0
    for number in range(count):
        chosen = [bands[base][place] for place, base in enumerate(rng.integers(0, BASES, len(bands[0])))]
        scan = b"".join(band + bytes([0xFF, 0xD0 + i % 8]) for i, band in enumerate(chosen[:-1])) + chosen[-1]
        written += (folder / f"photograph-{number:05d}.jpg").write_bytes(heads[0] + scan + _END)
    return written


def _drawn(seed: int) -> bytes:
    """Smooth shapes of every size, the smaller the weaker, as in photographs: 3 to 4 MB."""
    rng = np.random.default_rng(seed)
    picture = np.full((3, 4, 3), 128, np.float32)
    for octave in range(1, 11):
        shape = (3 * 2**octave, 4 * 2**octave)
        picture = picture.repeat(2, 0).repeat(2, 1) + rng.standard_normal((*shape, 1), np.float32) * 80 * 0.68**octave
        if octave <= 4:
            picture += rng.standard_normal((*shape, 3), np.float32) * 20 * 0.68**octave
    image = Image.fromarray(picture.clip(0, 255).astype(np.uint8)).resize(SIZE, Image.Resampling.BILINEAR)
    buffer = BytesIO()
    image.save(buffer, "JPEG", quality=QUALITY, subsampling="4:2:0", restart_marker_rows=BAND_ROWS)
    return buffer.getvalue()


def _cut(data: bytes) -> tuple[bytes, list[bytes]]:
    """A JPEG of `_drawn` to all before its scan, and the bands of the scan."""
    at = data.index(_START_OF_SCAN)
    begin = at + 2 + int.from_bytes(data[at + 2 : at + 4], "big")
    scan = data[begin : data.rindex(_END)]
    numbers = np.frombuffer(scan, np.uint8)
    # Inside a band a byte FF is always followed by 00.
    cuts = np.flatnonzero((numbers[:-1] == 0xFF) & (numbers[1:] >= 0xD0) & (numbers[1:] <= 0xD7)).tolist()
    return data[:begin], [scan[a + 2 : b] for a, b in zip([-2, *cuts], [*cuts, len(scan)], strict=True)]
