"""What a build takes of all that is said, and what an update notices."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from limner.index import decode
from limner.index.build import build, update
from limner.index.errors import LibraryDamaged
from limner.index.library import Library
from limner.index.records import ImageRecord
from PIL import ExifTags, Image

from ..colours import ColourEncoder
from .files import alt, jpeg, xmp


@pytest.fixture
def library(tmp_path: Path) -> Path:
    """A library of one picture, hill.jpg, that says of itself who made it and when, in EXIF, and what it shows."""
    exif = Image.Exif()
    exif[ExifTags.Base.Artist] = "EXIF"
    exif[ExifTags.Base.ImageDescription] = "EXIF"
    (tmp_path / "pictures").mkdir()
    packet = xmp(alt("dc:title", "XMP") + alt("dc:rights", "XMP"), 'exif:DateTimeOriginal="2019-07-01"')
    (tmp_path / "pictures" / "hill.jpg").write_bytes(jpeg(exif=exif, xmp=packet))
    build([tmp_path / "pictures"], tmp_path / "library", encoder=ColourEncoder())
    return tmp_path / "library"


def _hill(library: Path) -> ImageRecord:
    return next(record for record in Library.open(library).records() if record.path.name == "hill.jpg")


def _update(library: Path, monkeypatch: pytest.MonkeyPatch) -> ImageRecord:
    """Update without a look at any picture's bytes."""
    with monkeypatch.context() as patch:
        patch.setattr("limner.index.engines.steps.read_bytes", lambda path, **_: pytest.fail(f"{path} was read again"))
        assert update(library, encoder=ColourEncoder()).unchanged == len(Library.open(library))
    return _hill(library)


def test_build_takes_what_a_picture_says(library: Path) -> None:
    hill = _hill(library)
    assert (hill.title, hill.caption, hill.creator, hill.licence) == ("XMP", "EXIF", "EXIF", "XMP")
    assert hill.taken_at is not None and hill.taken_at.year == 2019


def test_update_notices_every_side_file_and_its_end_without_reading_pictures(
    library: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = library.with_name("pictures")
    first = _hill(library)
    (folder / "hill.xmp").write_bytes(xmp(alt("dc:title", "side XMP") + alt("dc:rights", "side XMP")))
    assert _update(library, monkeypatch).title == "side XMP"
    (folder / "hill.json").write_text(json.dumps({"title": "JSON", "caption": ""}))
    hill = _update(library, monkeypatch)
    assert (hill.title, hill.licence, hill.caption) == ("JSON", "side XMP", "EXIF")
    (folder / "limner-metadata.csv").write_text("file,title,licence\nhill.jpg,CSV,\n")
    hill = _update(library, monkeypatch)
    assert (hill.title, hill.licence, hill.creator) == ("CSV", "side XMP", "EXIF")
    for name in ("hill.xmp", "hill.json", "limner-metadata.csv"):
        (folder / name).unlink()
    assert _update(library, monkeypatch) == first


def test_takeouts_time_counts_where_the_camera_says_none(tmp_path: Path, library: Path) -> None:
    folder = library.with_name("pictures")
    Image.new("RGB", (8, 8)).save(folder / "chat.png")
    for name in ("chat.png", "hill.jpg"):
        tree = {"title": name, "photoTakenTime": {"timestamp": "1561976430"}}
        (folder / f"{name}.supplemental-metadata.json").write_text(json.dumps(tree))
    update(library, encoder=ColourEncoder())
    times = {record.path.name: record.taken_at for record in Library.open(library).records()}
    assert str(times["chat.png"]) == "2019-07-01 10:20:30"
    assert str(times["hill.jpg"]) == "2019-07-01 00:00:00"


def test_single_picture_has_its_side_files(tmp_path: Path) -> None:
    (tmp_path / "hill.jpg").write_bytes(jpeg())
    (tmp_path / "hill.jpg.xmp").write_bytes(xmp(alt("dc:title", "A hill")))
    build([tmp_path / "hill.jpg"], tmp_path / "library", encoder=ColourEncoder())
    assert _hill(tmp_path / "library").title == "A hill"


def test_build_reports_side_files_of_no_use(library: Path) -> None:
    broken = library.with_name("pictures") / "hill.json"
    broken.write_text("{")
    (broken.parent / "album.json").write_text("{")  # speaks of no picture: not ours to judge
    assert update(library, encoder=ColourEncoder()).notices == [(broken, "is not JSON in UTF-8 and was not used")]


def test_library_of_the_first_format_is_built_anew(library: Path) -> None:
    manifest = json.loads((library / "manifest.json").read_text())
    (library / "manifest.json").write_text(json.dumps(manifest | {"version": 1}))
    with pytest.raises(LibraryDamaged, match="older Limner"):
        update(library, encoder=ColourEncoder())
    assert build([library.with_name("pictures")], library, encoder=ColourEncoder(), rebuild=True).indexed == 1


def test_killed_build_keeps_what_pictures_say(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "pictures").mkdir()
    (tmp_path / "pictures" / "hill.jpg").write_bytes(jpeg(xmp=xmp(alt("dc:title", "XMP"))))
    with monkeypatch.context() as patch:
        patch.setattr("limner.index.advance.publish", lambda *_, **__: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            build([tmp_path / "pictures"], tmp_path / "library", encoder=ColourEncoder())
    monkeypatch.setattr("limner.index.engines.steps.decode_bytes", lambda *_, **__: pytest.fail("decoded again"))
    build([tmp_path / "pictures"], tmp_path / "library", encoder=ColourEncoder())
    assert _hill(tmp_path / "library").title == "XMP"


def test_metadata_is_not_read_where_nobody_asks() -> None:
    assert decode.decode_bytes(jpeg(xmp=xmp(alt("dc:title", "XMP"))), name="a").metadata is None
