"""A folder with everything that ever stood in one: the build ends, and says of each file why it was passed over."""

from __future__ import annotations

import os
import struct
import sys
import zlib
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from limner.index.build import build, update
from limner.index.library import Library

from ..colours import ColourEncoder
from .files import dng, halves, heic, iim, jpeg, xmp


def _png(*chunks: tuple[bytes, bytes]) -> bytes:
    parts = (
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in chunks
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def _grey_png(width: int, height: int) -> bytes:
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return _png((b"IHDR", header), (b"IDAT", zlib.compress((b"\0" + b"\x80" * width) * height)), (b"IEND", b""))


def _saved(kind: str, **save: object) -> bytes:
    buffer = BytesIO()
    halves().save(buffer, kind, **save)  # pyright: ignore[reportArgumentType]
    return buffer.getvalue()


HEADER = struct.pack(">IIBBBBB", 60, 40, 8, 2, 0, 0, 0)
HUGE = struct.pack(">IIBBBBB", 60000, 60000, 8, 2, 0, 0, 0)
PIXELS = zlib.compress((b"\0" + b"\xff\0\0" * 60) * 40)
TEXT = (b"zTXt", b"k\0\0" + zlib.compress(b"x" * 10**8))
NO_PICTURE = "not a picture that Limner can read"

GOOD = {
    "plain.jpg": _saved("JPEG"),
    "Grüße.png": _saved("PNG"),
    "写真.webp": _saved("WEBP"),
    "صورة.gif": _saved("GIF"),
    "🦊 fox.avif": _saved("AVIF"),
    "new\nline.bmp": _saved("BMP"),
    " spaces .tiff": _saved("TIFF"),
    "UPPER.JPG": _saved("JPEG"),
    "two.dots.jpeg": _saved("JPEG"),
    "percent%20&<b>.jpg": _saved("JPEG"),
    "-rf.jpg": _saved("JPEG"),
    "$(touch pwned).jpg": _saved("JPEG"),
    "a" * 240 + ".jpg": _saved("JPEG"),
    "telephone.heic": heic(halves()),
    "telephone.hif": heic(halves()),
    "png called.jpg": _saved("PNG"),
    "heic called.jpg": heic(halves()),
    "bad exif.jpg": jpeg(exif=b"Exif\0\0MM\0*\xff\xff\xff\xff broken"),
    "bad iptc.jpg": jpeg(iptc=iim((2, 5, b"A hill"))[:-3]),
    "bad xmp.jpg": jpeg(xmp=b"<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>"),
    "deep xmp.webp": _saved("WEBP", xmp=xmp("<a>" * 50_000 + "</a>" * 50_000)),
    "bad profile.png": _saved("PNG", icc_profile=b"no profile"),
    "one pixel.png": _grey_png(1, 1),
    "trailing.jpg": _saved("JPEG") + b"\0" * 5000,
    "wide.png": _grey_png(20_000, 1),
}
BAD = {
    "empty.jpg": (b"", "the file is empty"),
    "text.jpg": (b"dear diary", NO_PICTURE),
    "web page.png": (b"<!doctype html><title>404</title>", NO_PICTURE),
    "zeros.jpg": (b"\0" * 5000, NO_PICTURE),
    "program.png": (b"\x7fELF" + b"\0" * 500, NO_PICTURE),
    "postscript.jpg": (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n", NO_PICTURE),
    "drawing.png": (b"<svg xmlns='http://www.w3.org/2000/svg'/>", NO_PICTURE),
    "film.heic": (b"\0\0\0\x18ftypisom\0\0\0\0isommp42" + b"\0" * 100, NO_PICTURE),
    "cut.jpg": (jpeg(quality=95)[:-120], "the file is cut short"),
    "cut.heic": (heic(halves((640, 480)))[:400], None),
    "cut.webp": (_saved("WEBP")[:60], None),
    "cut.avif": (_saved("AVIF")[:-40], None),
    "head alone.jpg": (_saved("JPEG")[:20], None),
    "bomb.png": (
        _png((b"IHDR", HUGE), (b"IDAT", zlib.compress(b"\0" * 10**6)), (b"IEND", b"")),
        "60000 x 60000 pixels, above the limit of 100,000,000 pixels",
    ),
    "texts bomb.png": (_png((b"IHDR", HEADER), *[TEXT] * 3, (b"IDAT", PIXELS), (b"IEND", b"")), None),
    "no pixels.png": (_png((b"IHDR", HEADER), (b"IEND", b"")), None),
    "nothing wide.gif": (b"GIF89a\0\0\0\0\0\0\0;", None),
    "not raw.nef": (b"II*\0 and no more", NO_PICTURE),
    "no preview.dng": (dng(None), "a raw file without a preview that can be read"),
}


@pytest.fixture
def nasty(tmp_path: Path) -> Path:
    folder = tmp_path / "nasty"
    folder.mkdir()
    for name, data in GOOD.items():
        (folder / name).write_bytes(data)
    for name, (data, _) in BAD.items():
        (folder / name).write_bytes(data)
    for hidden in ("._plain.jpg", ".thumbnails/plain.jpg"):
        (folder / hidden).parent.mkdir(exist_ok=True)
        (folder / hidden).write_bytes(GOOD["plain.jpg"])
    for other in ("notes.txt", "film.mp4", "Thumbs.db", "desktop.ini", "plain.jpg.bak", "no suffix"):
        (folder / other).write_bytes(b"x")
    (folder / "deep" / "er").mkdir(parents=True)
    (folder / "deep" / "er" / "up").symlink_to(folder)
    (folder / "deep" / "circle.jpg").symlink_to(folder / "deep" / "circle.jpg")
    (folder / "nowhere.jpg").symlink_to("nowhere")
    (folder / "folder.jpg").mkdir()
    os.mkfifo(folder / "pipe.jpg")
    for name, data in {
        "plain.jpg.json": b"{",
        "plain.json": b"[" * 10_000,
        "telephone.xmp": b"<!DOCTYPE a SYSTEM 'file:///etc/hostname'><a/>",
        "limner-metadata.csv": b"file,title\nplain.jpg,\xff\n",
    }.items():
        (folder / name).write_bytes(data)
    os.mkfifo(folder / "UPPER.json")
    if sys.platform == "linux":
        Path(os.fsdecode(os.fsencode(folder) + b"/\xff\xfe.jpg")).write_bytes(GOOD["plain.jpg"])
    return folder


@pytest.mark.filterwarnings(r"ignore::UserWarning:PIL\.")  # what Pillow thinks of the damage
def test_build_ends_and_names_every_file_that_it_passed_over(tmp_path: Path, nasty: Path) -> None:
    pytest.importorskip("rawpy")
    summary = build([nasty], tmp_path / "library", encoder=ColourEncoder())

    assert {record.path.name for record in Library.open(tmp_path / "library").records()} == GOOD.keys()
    assert summary.indexed == len(GOOD)
    reasons = {os.fsencode(path.name): reason for path, reason in summary.skipped}
    expected: dict[bytes, str | None] = {os.fsencode(name): reason for name, (_, reason) in BAD.items()}
    expected |= {b"circle.jpg": "a link that leads nowhere", b"nowhere.jpg": "a link that leads nowhere"}
    expected |= {b"pipe.jpg": "not an ordinary file"}
    if sys.platform == "linux":
        expected |= {b"\xff\xfe.jpg": "the file name is not valid text"}
    assert reasons.keys() == expected.keys()
    for name, reason in expected.items():
        assert reasons[name], name
        if reason is not None:
            assert reasons[name] == reason, name
    assert {path.name: notice for path, notice in summary.notices} == {
        "plain.jpg.json": "is not JSON in UTF-8 and was not used",
        "plain.json": "is not JSON in UTF-8 and was not used",
        "telephone.xmp": "XML with a document type or entities, which XMP has none of",
        "limner-metadata.csv": "is not UTF-8 and was not used",
        "UPPER.json": "is not an ordinary file and was not used",
    }
    lines = (tmp_path / "library" / "skipped.log").read_text().splitlines()
    assert len(lines) == len(summary.skipped) + len(summary.notices)
    assert all(line.count("\t") == 1 for line in lines)
    again = update(tmp_path / "library", encoder=ColourEncoder())
    assert (again.indexed, again.unchanged, again.skipped) == (0, len(GOOD), summary.skipped)


@pytest.mark.filterwarnings(r"ignore::UserWarning:PIL\.")
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_build_survives_files_of_noise(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    folder = tmp_path / "noise"
    folder.mkdir()
    (folder / "good.png").write_bytes(GOOD["Grüße.png"])
    heads = {name: data[:30] for name, data in GOOD.items() if data[:4] not in (b"\x89PNG",)}
    for number, (name, head) in enumerate(heads.items()):
        (folder / f"{number}{Path(name).suffix}").write_bytes(head + rng.bytes(4000))
    (folder / "noise.cr2").write_bytes(rng.bytes(4000))
    summary = build([folder], tmp_path / "library", encoder=ColourEncoder())
    assert summary.indexed + len(summary.skipped) == len(heads) + 2
    assert all(reason for _, reason in summary.skipped)
