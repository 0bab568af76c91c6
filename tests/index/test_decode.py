"""Files to upright RGB pictures, and the words for those that are none."""

from __future__ import annotations

import os
import struct
import zlib
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from limner.index.decode import decode, decode_bytes
from limner.index.errors import PictureUnreadable
from PIL import Image, ImageCms, ImageFile
from PIL.JpegImagePlugin import JpegImageFile

from ..colours import Paint


def _two_halves(
    path: Path, *, orientation: int | None = None, size: tuple[int, int] = (60, 40), **save: object
) -> Path:
    """Left half red, right half blue."""
    image = Image.new("RGB", size, "red")
    image.paste("blue", (size[0] // 2, 0, *size))
    if orientation:
        exif = Image.Exif()
        exif[0x0112] = orientation
        save["exif"] = exif
    image.save(path, **save)  # pyright: ignore[reportArgumentType]
    return path


def _near(pixel: object, colour: tuple[int, int, int], tolerance: int = 12) -> bool:
    return np.allclose(np.asarray(pixel), colour, atol=tolerance)


def _reason(path: Path, **limits: int) -> str:
    with pytest.raises(PictureUnreadable) as caught:
        decode(path, **limits)
    assert caught.value.message == str(path)
    return caught.value.hint


@pytest.mark.parametrize("suffix", ["jpg", "png", "webp", "gif", "bmp", "tiff", "avif"])
def test_decode_reads_every_format(tmp_path: Path, paint: Paint, suffix: str) -> None:
    image = decode(paint(tmp_path / f"a.{suffix}", "red"))
    assert (image.mode, image.size) == ("RGB", (40, 30))
    assert _near(image.getpixel((5, 5)), (255, 0, 0))


# Where the left edge of the stored picture goes, by the EXIF standard: (x, y) of a pixel that must be red, and blue.
@pytest.mark.parametrize(
    ("orientation", "size", "red", "blue"),
    [
        (1, (60, 40), (5, 20), (55, 20)),
        (2, (60, 40), (55, 20), (5, 20)),
        (3, (60, 40), (55, 20), (5, 20)),
        (4, (60, 40), (5, 20), (55, 20)),
        (5, (40, 60), (20, 5), (20, 55)),
        (6, (40, 60), (20, 5), (20, 55)),
        (7, (40, 60), (20, 55), (20, 5)),
        (8, (40, 60), (20, 55), (20, 5)),
    ],
)
@pytest.mark.parametrize("suffix", ["jpg", "png", "webp"])
def test_decode_turns_upright_by_exif(
    tmp_path: Path, suffix: str, orientation: int, size: tuple[int, int], red: tuple[int, int], blue: tuple[int, int]
) -> None:
    path = _two_halves(tmp_path / f"a.{suffix}", orientation=orientation)
    image = decode(path)
    assert image.size == size
    assert _near(image.getpixel(red), (255, 0, 0), 40)
    assert _near(image.getpixel(blue), (0, 0, 255), 40)


@pytest.mark.filterwarnings(r"ignore::UserWarning:PIL\.")  # what Pillow thinks of the damage
def test_decode_ignores_broken_exif(tmp_path: Path, paint: Paint) -> None:
    path = paint(tmp_path / "a.jpg", "red", exif=b"Exif\0\0MM\0*\xff\xff\xff\xff broken")
    assert decode(path).size == (40, 30)


@pytest.mark.parametrize("suffix", ["jpg", "png"])
def test_decode_with_target_is_small_and_keeps_true_size(tmp_path: Path, suffix: str) -> None:
    path = _two_halves(tmp_path / f"a.{suffix}", size=(640, 480), orientation=6)
    decoded = decode_bytes(path.read_bytes(), name="a", target_px=64)
    assert (decoded.width, decoded.height) == (480, 640)
    assert 128 <= min(decoded.image.size) < 256
    assert _near(decoded.image.getpixel((decoded.image.width // 2, 3)), (255, 0, 0), 40)


def test_decode_with_target_looks_like_full_decode(tmp_path: Path) -> None:
    gradient = np.linspace(0, 255, 800, dtype=np.uint8)
    pixels = np.stack(
        [np.tile(gradient, (600, 1)), np.full((600, 800), 90, np.uint8), np.tile(gradient[::-1], (600, 1))], 2
    )
    path = tmp_path / "a.jpg"
    Image.fromarray(pixels).save(path, quality=95)
    small, full = (np.asarray(image.resize((32, 32)), int) for image in (decode(path, target_px=32), decode(path)))
    assert np.abs(small - full).mean() < 1


def test_decode_never_enlarges(tmp_path: Path, paint: Paint) -> None:
    assert decode(paint(tmp_path / "a.jpg", "red"), target_px=224).size == (40, 30)


def test_decode_goes_by_content_not_by_suffix(tmp_path: Path, paint: Paint) -> None:
    path = paint(tmp_path / "a.jpg", "green", format="PNG")
    assert _near(decode(path).getpixel((0, 0)), (0, 255, 0), 0)


def test_decode_lays_transparency_on_white(tmp_path: Path) -> None:
    Image.new("RGBA", (8, 8), (255, 0, 0, 0)).save(tmp_path / "a.png")
    Image.new("LA", (8, 8), (0, 0)).save(tmp_path / "b.png")
    palette = Image.new("P", (8, 8), 3)
    palette.putpalette([0, 0, 0] * 4)
    palette.save(tmp_path / "c.png", transparency=3)
    for name in ("a.png", "b.png", "c.png"):
        assert decode(tmp_path / name).getpixel((4, 4)) == (255, 255, 255)


def test_decode_brings_other_modes_to_rgb(tmp_path: Path) -> None:
    Image.new("CMYK", (8, 8), (0, 255, 255, 0)).save(tmp_path / "cmyk.jpg")
    Image.fromarray(np.full((8, 8), 32768, np.uint16)).save(tmp_path / "deep.png")
    Image.new("1", (8, 8), 1).save(tmp_path / "bits.png")
    Image.fromarray(np.full((8, 8), 0.5, np.float32)).save(tmp_path / "float.tiff")
    assert _near(decode(tmp_path / "cmyk.jpg").getpixel((4, 4)), (255, 0, 0))
    assert _near(decode(tmp_path / "deep.png").getpixel((4, 4)), (128, 128, 128), 1)
    assert decode(tmp_path / "bits.png").getpixel((4, 4)) == (255, 255, 255)
    assert _near(decode(tmp_path / "float.tiff").getpixel((4, 4)), (128, 128, 128), 1)


def test_decode_takes_first_frame(tmp_path: Path) -> None:
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "blue")]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:])
    assert _near(decode(tmp_path / "a.gif").getpixel((4, 4)), (255, 0, 0))


def test_decode_brings_colours_to_srgb(tmp_path: Path) -> None:
    lab = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()
    image = Image.new("RGB", (8, 8), (200, 50, 50))
    image.save(tmp_path / "broken.png", icc_profile=b"no profile")
    image.save(tmp_path / "other.png", icc_profile=lab)
    swapped = _profile_with_red_and_green_swapped()
    image.save(tmp_path / "swapped.png", icc_profile=swapped)
    assert decode(tmp_path / "broken.png").getpixel((4, 4)) == (200, 50, 50)
    assert decode(tmp_path / "other.png").getpixel((4, 4)) == (200, 50, 50)
    assert _near(decode(tmp_path / "swapped.png").getpixel((4, 4)), (50, 200, 50), 3)


def _profile_with_red_and_green_swapped() -> bytes:
    """The sRGB profile with the tags of its red and green primaries exchanged, under another name."""
    data = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    red, green = data.index(b"rXYZ"), data.index(b"gXYZ")
    data[red : red + 4], data[green : green + 4] = b"gXYZ", b"rXYZ"
    name = "sRGB".encode("utf-16-be")
    return bytes(data).replace(name, "SWAP".encode("utf-16-be")).replace(b"sRGB built-in", b"SWAP built-in")


def test_decode_names_empty_file(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").touch()
    assert _reason(tmp_path / "a.jpg") == "the file is empty"


@pytest.mark.parametrize("suffix", ["jpg", "png", "webp", "gif", "bmp", "tiff", "avif"])
@pytest.mark.parametrize("target_px", [None, 16])
def test_decode_refuses_truncated_file(tmp_path: Path, suffix: str, target_px: int | None) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (120, 160, 3), np.uint8)
    path = tmp_path / f"a.{suffix}"
    Image.fromarray(noise).save(path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(PictureUnreadable):
        decode(path, target_px=target_px)


def test_decode_says_cut_short_of_truncated_photograph(tmp_path: Path, paint: Paint) -> None:
    path = paint(tmp_path / "a.jpg", "red", size=(400, 300))
    path.write_bytes(path.read_bytes()[:-200])
    assert _reason(path) == "the file is cut short"


def test_decode_hands_a_jpeg_over_in_one_piece(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    noise = np.random.default_rng(3).integers(0, 256, (400, 400, 3), np.uint8)
    path = tmp_path / "noise.jpg"
    Image.fromarray(noise).save(path, quality=95)
    assert path.stat().st_size > 2 * ImageFile.MAXBLOCK, "Pillow alone would take it in pieces"
    with Image.open(path) as image:
        wanted = np.asarray(image.convert("RGB"))
    asked: list[int] = []
    read = JpegImageFile.load_read
    monkeypatch.setattr(JpegImageFile, "load_read", lambda self, size: asked.append(size) or read(self, size))

    assert np.array_equal(np.asarray(decode(path)), wanted)
    assert asked == [path.stat().st_size]
    path.write_bytes(path.read_bytes()[: 3 * ImageFile.MAXBLOCK // 2])
    assert _reason(path) == "the file is cut short"


def test_decode_refuses_text_and_other_formats(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_text("dear diary")
    (tmp_path / "b.jpg").write_text("%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n")
    for name in ("a.jpg", "b.jpg"):
        assert _reason(tmp_path / name) == "not a picture that Limner can read"


def test_decode_refuses_bomb_before_its_pixels(tmp_path: Path) -> None:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", 60000, 60000, 8, 2, 0, 0, 0)
    bomb = (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(b"\0" * 10**6))
        + chunk(b"IEND", b"")
    )
    (tmp_path / "a.png").write_bytes(bomb)
    assert _reason(tmp_path / "a.png") == "60000 x 60000 pixels, above the limit of 100,000,000 pixels"


def test_decode_holds_to_stated_limits(tmp_path: Path, paint: Paint) -> None:
    path = paint(tmp_path / "a.png", "red", size=(20, 10))
    assert decode(path, max_pixels=200).size == (20, 10)
    assert "above the limit of 199 pixels" in _reason(path, max_pixels=199)
    assert "above the limit of 10" in _reason(path, max_bytes=10)


def test_decode_leaves_pillows_own_limit(tmp_path: Path, paint: Paint) -> None:
    before = Image.MAX_IMAGE_PIXELS
    decode(paint(tmp_path / "a.png", "red"))
    assert before == Image.MAX_IMAGE_PIXELS


def test_decode_refuses_folder_and_absent_file(tmp_path: Path) -> None:
    assert _reason(tmp_path) == "not an ordinary file"
    assert _reason(tmp_path / "absent.jpg") == "the file is not there"


def test_decode_says_no_permission(tmp_path: Path, paint: Paint, monkeypatch: pytest.MonkeyPatch) -> None:
    path = paint(tmp_path / "a.png", "red")
    if os.geteuid() != 0:
        path.chmod(0)
    else:  # nothing is forbidden to root

        def refuse(self: Path) -> bytes:
            raise PermissionError(13, "Permission denied")

        monkeypatch.setattr(Path, "read_bytes", refuse)
    assert _reason(path) == "no permission to read it"


@pytest.mark.filterwarnings(r"ignore::UserWarning:PIL\.")  # what Pillow thinks of the damage
@pytest.mark.parametrize("suffix", ["jpg", "png", "webp", "gif", "bmp", "tiff", "avif"])
def test_decode_survives_any_damage(suffix: str) -> None:
    rng = np.random.default_rng(7)
    buffer = BytesIO()
    Image.fromarray(rng.integers(0, 255, (24, 32, 3), np.uint8)).save(buffer, {"jpg": "JPEG"}.get(suffix, suffix))
    whole = np.frombuffer(buffer.getvalue(), np.uint8)
    for _ in range(150):
        damaged = whole.copy()
        damaged[rng.integers(0, min(len(whole), 400), 4)] = rng.integers(0, 256, 4)
        try:
            decode_bytes(damaged.tobytes(), name="a", target_px=8, max_pixels=1_000_000)
        except PictureUnreadable as exc:
            assert exc.hint
