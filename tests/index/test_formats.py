"""HEIC and camera raw, deep colours, and every way up."""

from __future__ import annotations

import sys
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from limner.index.decode import decode_bytes
from limner.index.errors import PictureUnreadable
from PIL import Image

from .files import dng, halves, heic

# Where the left, red half goes by the EXIF standard: size, a pixel that must be red, and one that must be blue.
UPRIGHT = {
    1: ((60, 40), (5, 20), (55, 20)),
    2: ((60, 40), (55, 20), (5, 20)),
    3: ((60, 40), (55, 20), (5, 20)),
    4: ((60, 40), (5, 20), (55, 20)),
    5: ((40, 60), (20, 5), (20, 55)),
    6: ((40, 60), (20, 5), (20, 55)),
    7: ((40, 60), (20, 55), (20, 5)),
    8: ((40, 60), (20, 55), (20, 5)),
}


def _is_upright(data: bytes, orientation: int, name: str = "a") -> None:
    size, red, blue = UPRIGHT[orientation]
    decoded = decode_bytes(data, name=name)
    assert (decoded.image.mode, decoded.image.size, (decoded.width, decoded.height)) == ("RGB", size, size)
    assert np.allclose(decoded.image.getpixel(red), (255, 0, 0), atol=40)
    assert np.allclose(decoded.image.getpixel(blue), (0, 0, 255), atol=40)


@pytest.mark.parametrize("orientation", UPRIGHT)
@pytest.mark.parametrize("kind", ["TIFF", "AVIF", "HEIF"])
def test_decode_turns_upright(kind: str, orientation: int) -> None:
    if kind == "HEIF":  # pillow-heif writes irot and imir for an EXIF orientation
        exif = Image.Exif()
        exif[0x0112] = orientation
        data = heic(halves(), exif=exif.tobytes(), quality=90)
        assert orientation == 1 or b"irot" in data or b"imir" in data
    elif kind == "TIFF":
        buffer = BytesIO()
        halves().save(buffer, "TIFF", tiffinfo={0x0112: orientation})
        data = buffer.getvalue()
    else:
        exif = Image.Exif()
        exif[0x0112] = orientation
        buffer = BytesIO()
        halves().save(buffer, kind, exif=exif)
        data = buffer.getvalue()
    _is_upright(data, orientation)


def test_decode_turns_heic_once() -> None:
    """A telephone writes irot and the same orientation into EXIF, which counts for nothing then."""
    exif = Image.Exif()
    exif[0x0112] = 6
    data = heic(halves(), exif=exif.tobytes(), quality=90)
    assert b"irot" in data and exif.tobytes()[6:20] in data
    _is_upright(data, 6)


def test_heic_is_told_by_its_content_and_refused_when_cut() -> None:
    data = heic(halves((640, 480)))
    assert decode_bytes(data, name="a.jpg").format == "HEIF"
    for cut in (20, len(data) // 2, len(data) - 10):
        with pytest.raises(PictureUnreadable):
            decode_bytes(data[:cut], name="a.heic")


def test_heic_is_held_to_the_limit_of_pixels() -> None:
    with pytest.raises(PictureUnreadable, match="640 x 480 pixels, above the limit"):
        decode_bytes(heic(halves((640, 480))), name="a.heic", max_pixels=640 * 480 - 1)


def test_heic_survives_any_damage() -> None:
    rng = np.random.default_rng(7)
    whole = np.frombuffer(heic(halves()), np.uint8)
    for _ in range(150):
        damaged = whole.copy()
        damaged[rng.integers(0, len(whole), 4)] = rng.integers(0, 256, 4)
        try:
            decode_bytes(damaged.tobytes(), name="a", max_pixels=1_000_000, with_metadata=True)
        except PictureUnreadable as exc:
            assert exc.hint


def test_heic_of_10_bits_and_with_alpha() -> None:
    clear = Image.new("RGBA", (64, 48), (255, 0, 0, 0))
    assert np.allclose(decode_bytes(heic(clear), name="a").image.getpixel((5, 5)), 255, atol=3)
    import pillow_heif

    deep = np.full((48, 64, 3), (65535, 0, 0), np.uint16)
    buffer = BytesIO()
    pillow_heif.from_bytes("RGB;16", (64, 48), deep.tobytes()).save(buffer)
    assert np.allclose(decode_bytes(buffer.getvalue(), name="a").image.getpixel((5, 5)), (255, 0, 0), atol=5)


def test_heic_leaves_pillow_as_it_was() -> None:
    decode_bytes(heic(halves()), name="a")
    assert "pi_heif" not in str(Image.OPEN.get("HEIF"))


# --- camera raw ---


def _preview(**save: object) -> bytes:
    buffer = BytesIO()
    halves((600, 400)).resize((60, 40)).save(buffer, "JPEG", quality=95, **save)  # pyright: ignore[reportArgumentType]
    return buffer.getvalue()


@pytest.mark.parametrize("orientation", [1, 3, 6, 8])
@pytest.mark.parametrize("told_by", ["raw", "preview"])
def test_raw_shows_its_preview_upright(orientation: int, told_by: str) -> None:
    pytest.importorskip("rawpy")
    exif = Image.Exif()
    exif[0x0112] = orientation
    preview = _preview(exif=exif) if told_by == "preview" else _preview()
    _is_upright(dng(preview, orientation=orientation), orientation, "a.dng")


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (dng(None), "a raw file without a preview that can be read"),
        (dng(_preview())[:300], "a raw file without a preview that can be read"),
        (b"II*\0 and no more", "not a picture that Limner can read"),
        (b"dear diary", "not a picture that Limner can read"),
    ],
)
def test_raw_that_cannot_be_shown_says_why(data: bytes, reason: str) -> None:
    pytest.importorskip("rawpy")
    with pytest.raises(PictureUnreadable) as caught:
        decode_bytes(data, name="a.NEF")
    assert caught.value.hint == reason


def test_raw_without_the_extra_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "rawpy", None)
    with pytest.raises(PictureUnreadable, match=r"needs the extra `raw`: pip install 'limner\[raw\]'"):
        decode_bytes(dng(_preview()), name="a.dng")


def test_raw_suffix_on_an_ordinary_picture_is_no_matter() -> None:
    assert decode_bytes(_preview(), name="a.raw").format == "JPEG"


# --- deep colours, printer's colours, animations ---


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_decode_scales_16_bits_to_8(tmp_path: Path, channels: int) -> None:
    import tifffile

    ramp = np.linspace(0, 65535, 256, dtype=np.uint16)
    planes = [np.tile(ramp, (4, 1))] * min(channels, 3) + [np.full((4, 256), 65535, np.uint16)] * (channels == 4)
    pixels = np.stack(planes, 2)  # (4, 256, channels)
    kind = "minisblack" if channels == 1 else "rgb"
    extra = {"extrasamples": ["unassalpha"]} if channels == 4 else {}
    tifffile.imwrite(tmp_path / "a.tif", pixels if channels > 1 else pixels[:, :, 0], photometric=kind, **extra)
    found = np.asarray(decode_bytes((tmp_path / "a.tif").read_bytes(), name="a").image, int)
    assert np.abs(found - np.arange(256)[None, :, None]).max() <= 1


def test_decode_lays_the_clear_grey_of_a_16_bit_png_on_white() -> None:
    buffer = BytesIO()
    Image.fromarray(np.full((4, 4), 700, np.uint16)).save(buffer, "PNG", transparency=700)
    image = Image.open(BytesIO(buffer.getvalue()))
    if "transparency" not in image.info:
        pytest.skip("this Pillow writes no clear grey")
    assert decode_bytes(buffer.getvalue(), name="a").image.getpixel((1, 1)) == (255, 255, 255)


def test_decode_reads_printers_colours() -> None:
    """As Photoshop stores them: inverted, with its mark."""
    buffer = BytesIO()
    Image.new("CMYK", (8, 8), (0, 255, 255, 0)).save(buffer, "JPEG", quality=95)
    assert b"Adobe" in buffer.getvalue()
    decoded = decode_bytes(buffer.getvalue(), name="a")
    assert np.allclose(decoded.image.getpixel((4, 4)), (255, 0, 0), atol=12)
    assert not decoded.as_stored


def test_decode_reads_lab() -> None:
    buffer = BytesIO()
    Image.new("LAB", (8, 8), (136, 208, 195)).save(buffer, "TIFF")
    red, green, blue = np.asarray(decode_bytes(buffer.getvalue(), name="a").image)[4, 4]
    assert red > 240 and green < 40 and blue < 40  # CIE L 53 a 80 b 67 is red


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG", "AVIF", "TIFF"])
def test_decode_takes_the_first_frame(kind: str) -> None:
    frames = [Image.new("RGB", (16, 16), colour) for colour in ("red", "blue")]
    buffer = BytesIO()
    frames[0].save(buffer, kind, save_all=True, append_images=frames[1:])
    assert np.allclose(decode_bytes(buffer.getvalue(), name="a").image.getpixel((4, 4)), (255, 0, 0), atol=12)
