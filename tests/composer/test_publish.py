"""Pictures arrive in the article's folder upright, under safe names, their bytes untouched if a browser shows them."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

import pytest
from limner.composer.publish import IMAGE_PATH, name_for, publish_images
from limner.index.errors import PictureUnreadable, WriteFailed
from PIL import Image

from ..index.files import dng, heic
from .articles import HOSTILE


@pytest.mark.parametrize(
    ("caption", "name"),
    [
        ("The orange cat, asleep", "the-orange-cat-asleep.jpg"),
        ("Crème brûlée à Łódź: straße", "creme-brulee-a-łodz-strasse.jpg"),
        ("成品 示例", "成品-示例.jpg"),
        ("नमस्ते दुनिया", "नमस्ते-दुनिया.jpg"),
        ("The keeper's lamp", "the-keepers-lamp.jpg"),
        ("../../etc/passwd", "etc-passwd.jpg"),
        ("C:\\boot.ini", "c-boot-ini.jpg"),
        ("", "picture.jpg"),
        ("…!?", "picture.jpg"),
        ("CON", "picture-con.jpg"),
        (".hidden", "hidden.jpg"),
    ],
)
def test_name_for_keeps_words(caption: str, name: str) -> None:
    assert name_for(caption, ".jpg", ()) == name


def test_name_for_is_bounded_at_a_word() -> None:
    assert name_for("a boat " * 50, ".png", ()) == "-".join(["a-boat"] * 8) + "-a.png"
    assert len(name_for("x" * 500, ".png", ())) <= 64
    assert len(name_for("漢" * 500, ".png", ()).encode()) <= 200


def test_name_for_never_repeats() -> None:
    taken: set[str] = set()
    for _ in range(3):
        taken.add(name_for("A boat", ".png", taken))
    assert taken == {"a-boat.png", "a-boat-2.png", "a-boat-3.png"}
    assert name_for("a BOAT", ".png", {"A-Boat.PNG"}) == "a-boat-2.png"


@pytest.mark.parametrize("caption", [*HOSTILE, "a" * 300, "é" * 300, "\u202egpj.exe", "a\u0301" * 200])
def test_name_for_is_never_a_path(caption: str) -> None:
    assert IMAGE_PATH.fullmatch("images/" + name_for(caption, ".webp", ()))


@pytest.mark.parametrize(("kind", "suffix"), [("PNG", ".png"), ("JPEG", ".jpg"), ("WEBP", ".webp"), ("GIF", ".gif")])
def test_publish_images_copies_bytes_untouched(tmp_path: Path, kind: str, suffix: str) -> None:
    source = tmp_path / "wrong name.bin"
    Image.new("RGB", (40, 30), "red").save(source, kind)
    [published] = publish_images([(source, "A boat")], tmp_path / "out")
    assert (published.image, published.width, published.height) == (f"images/a-boat{suffix}", 40, 30)
    assert (tmp_path / "out" / published.image).read_bytes() == source.read_bytes()


@pytest.mark.parametrize(("kind", "suffix"), [("TIFF", ".jpg"), ("BMP", ".png")])
def test_publish_images_encodes_what_browsers_do_not_show(tmp_path: Path, kind: str, suffix: str) -> None:
    source = tmp_path / "a"
    Image.new("RGB", (40, 30), "red").save(source, kind)
    [published] = publish_images([(source, "A boat")], tmp_path / "out")
    with Image.open(tmp_path / "out" / published.image) as image:
        assert (published.image, image.size) == (f"images/a-boat{suffix}", (40, 30))
        red, green, blue = image.convert("RGB").getpixel((5, 5))  # pyright: ignore[reportGeneralTypeIssues]
    assert red > 250 and green < 6 and blue < 6


def test_publish_images_turns_pictures_upright(tmp_path: Path) -> None:
    source = tmp_path / "a.jpg"
    picture = Image.new("RGB", (40, 20), "red")
    picture.paste("blue", (20, 0, 40, 20))
    exif = Image.Exif()
    exif[0x0112] = 6
    picture.save(source, quality=95, exif=exif)
    [published] = publish_images([(source, "A boat")], tmp_path / "out")
    with Image.open(tmp_path / "out" / published.image) as image:
        assert (published.width, published.height) == image.size == (20, 40)
        assert not image.getexif()
        top, bottom = image.getpixel((10, 5)), image.getpixel((10, 35))
    assert top == pytest.approx((254, 0, 0), abs=8) and bottom == pytest.approx((0, 0, 254), abs=8)


def test_publish_images_makes_heic_and_raw_into_jpeg(tmp_path: Path) -> None:
    pytest.importorskip("rawpy")
    preview = BytesIO()
    Image.new("RGB", (40, 30), "red").save(preview, "JPEG")
    (tmp_path / "a.heic").write_bytes(heic(Image.new("RGB", (40, 30), "red")))
    (tmp_path / "a.dng").write_bytes(dng(preview.getvalue(), orientation=6))
    published = publish_images([(tmp_path / "a.heic", "One"), (tmp_path / "a.dng", "Two")], tmp_path / "out")
    assert [(p.image, p.width, p.height) for p in published] == [("images/one.jpg", 40, 30), ("images/two.jpg", 30, 40)]
    for one in published:
        with Image.open(tmp_path / "out" / one.image) as image:
            assert (image.format, image.size) == ("JPEG", (one.width, one.height))
            assert image.getpixel((5, 5)) == pytest.approx((254, 0, 0), abs=8)


def test_publish_images_gives_the_same_names_again(tmp_path: Path) -> None:
    source = tmp_path / "a.png"
    Image.new("RGB", (8, 8)).save(source)
    pictures = [(source, "A boat"), (source, "A boat"), (source, "")]
    first = publish_images(pictures, tmp_path / "out")
    assert [p.image for p in first] == ["images/a-boat.png", "images/a-boat-2.png", "images/picture.png"]
    assert publish_images(pictures, tmp_path / "out") == first


def test_publish_images_names_what_cannot_be_read(tmp_path: Path) -> None:
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"\x89PNG\r\n\x1a\n nothing")
    for path in (broken, tmp_path / "missing.png"):
        with pytest.raises(PictureUnreadable, match=path.name):
            publish_images([(path, "A boat")], tmp_path / "out")


def test_publish_images_reports_a_disk_that_refuses(tmp_path: Path) -> None:
    source = tmp_path / "a.png"
    Image.new("RGB", (8, 8)).save(source)
    (tmp_path / "out").write_text("a file where the folder should be")
    with pytest.raises(WriteFailed):
        publish_images([(source, "A boat")], tmp_path / "out")
