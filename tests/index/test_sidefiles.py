"""The files beside a picture, as people and tools write them."""

from __future__ import annotations

import json
import os
from datetime import datetime
from pathlib import Path

import pytest
from limner.index.metadata import Metadata
from limner.index.sidefiles import Beside, read_side_files, side_names

from .files import alt, xmp


def _read(folder: Path, picture: str, **files: object) -> tuple[Metadata, Beside]:
    paths = []
    for name, content in files.items():
        path = folder / name
        data = content if isinstance(content, bytes) else json.dumps(content).encode()
        path.write_bytes(data)
        paths.append(path)
    found = read_side_files(paths, [folder / picture])
    return found.before.get(folder / picture, Metadata()), found


def test_json_reads_every_key(tmp_path: Path) -> None:
    tree = {
        **{"title": "The fox", "caption": "A fox", "alt": "Red fox", "keywords": ["fox", "snow"], "creator": "Ann"},
        **{"licence": "CC BY 4.0", "licence_url": "https://creativecommons.org/licenses/by/4.0/", "credit": "Ann"},
        **{"taken_at": "2019-07-01T10:20:30", "latitude": -33.5, "longitude": 1e-6},
    }
    said, found = _read(tmp_path, "fox.jpg", **{"fox.json": tree})
    when = datetime(2019, 7, 1, 10, 20, 30)
    url = "https://creativecommons.org/licenses/by/4.0/"
    assert said == Metadata(
        "The fox", "A fox", "Red fox", ("fox", "snow"), "Ann", "CC BY 4.0", url, "Ann", when, -33.5, 1e-6
    )
    assert found.notices == []


def test_json_of_exiftool_is_read(tmp_path: Path) -> None:
    tree = [
        {
            **{"SourceFile": "fox.jpg", "XMP:Title": "The fox", "IPTC:Keywords": "fox", "EXIF:Artist": "Ann"},
            **{
                "XMP:License": "http://creativecommons.org/publicdomain/zero/1.0/",
                "Composite:GPSLatitude": "33 deg 30' 0.00\" S",
            },
            **{"Composite:GPSLongitude": "151 deg 0' 0.00\" E", "EXIF:DateTimeOriginal": "2019:07:01 10:20:30"},
        }
    ]
    said, _ = _read(tmp_path, "fox.jpg", **{"fox.jpg.json": tree})
    assert (said.title, said.keywords, said.creator, said.licence) == ("The fox", ("fox",), "Ann", "CC0 1.0")
    assert (said.latitude, said.longitude, said.taken_at) == (-33.5, 151, datetime(2019, 7, 1, 10, 20, 30))


TAKEOUT = {
    "title": "IMG_1.jpg",
    "description": "A fox",
    "photoTakenTime": {"timestamp": "1561976430", "formatted": "1 Jul 2019, 10:20:30 UTC"},
    "geoData": {"latitude": 0.0, "longitude": 0.0},
    "geoDataExif": {"latitude": 48.5, "longitude": 2.5},
    "people": [{"name": "Ann"}, {"name": "Bo"}],
    "url": "https://photos.google.com/photo/x",
}


@pytest.mark.parametrize(
    ("picture", "file"),
    [
        ("IMG_1.jpg", "IMG_1.jpg.json"),
        ("IMG_1.jpg", "IMG_1.jpg.supplemental-metadata.json"),
        ("IMG_1(2).jpg", "IMG_1.jpg(2).json"),
        ("IMG_1(2).jpg", "IMG_1.jpg.supplemental-metadata(2).json"),
        ("IMG_1-edited.jpg", "IMG_1.jpg.json"),
        ("IMG_20230501_123456789_PORTRAIT.jpg", "IMG_20230501_123456789_PORTRAIT.jpg.supplement.json"),
        ("a-name-of-more-than-forty-six-characters-in-all.jpg", "a-name-of-more-than-forty-six-characters-in-al.json"),
    ],
)
def test_json_of_takeout_is_found_and_read(tmp_path: Path, picture: str, file: str) -> None:
    said, found = _read(tmp_path, picture, **{file: TAKEOUT})
    assert said == Metadata(caption="A fox", keywords=("Ann", "Bo"), latitude=48.5, longitude=2.5)
    assert found.after[tmp_path / picture] == Metadata(taken_at=datetime(2019, 7, 1, 10, 20, 30))
    assert found.notices == []


def test_xmp_beside_is_read_and_json_counts_first(tmp_path: Path) -> None:
    packet = xmp(alt("dc:title", "by XMP") + alt("dc:description", "by XMP"))
    said, _ = _read(tmp_path, "fox.NEF", **{"fox.xmp": packet, "fox.NEF.json": {"title": "by JSON", "caption": ""}})
    assert (said.title, said.caption) == ("by JSON", "by XMP")


def test_whole_name_counts_before_the_stem(tmp_path: Path) -> None:
    files = {"fox.jpg.xmp": xmp(alt("dc:title", "whole")), "fox.xmp": xmp(alt("dc:title", "stem"))}
    assert _read(tmp_path, "fox.jpg", **files)[0].title == "whole"


def test_side_file_is_found_in_other_case(tmp_path: Path) -> None:
    assert _read(tmp_path, "fox.jpg", **{"FOX.XMP": xmp(alt("dc:title", "A fox"))})[0].title == "A fox"


def test_side_names_are_each_given_once() -> None:
    for name in ("fox.jpg", "fox(1).jpg", "fox-edited.jpg", "x" * 60 + ".jpg"):
        names = side_names(Path("/p") / name)
        assert len(names) == len(set(names))


@pytest.mark.parametrize(
    ("content", "notice"),
    [
        (b"{", "is not JSON in UTF-8 and was not used"),
        (b"\xff\xfe", "is not JSON in UTF-8 and was not used"),
        (b"[" * 100_000, "is not JSON in UTF-8 and was not used"),
        (b"[1, 2]", "is no JSON object and was not used"),
        (b'{"camera": "x"}', "holds no key that Limner knows"),
        (b'{"title": "x", "taken_at": "once"}', "no date: taken_at"),
        (b" " * 1_000_001, "above the limit of 1,000,000 bytes and was not used"),
    ],
)
def test_json_of_no_use_is_reported(tmp_path: Path, content: bytes, notice: str) -> None:
    _, found = _read(tmp_path, "fox.jpg", **{"fox.json": content})
    assert found.notices == [(tmp_path / "fox.json", notice)]


def test_xmp_of_no_use_is_reported(tmp_path: Path) -> None:
    said, found = _read(tmp_path, "fox.jpg", **{"fox.xmp": b"<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>"})
    assert said == Metadata()
    assert found.notices == [(tmp_path / "fox.xmp", "XML with a document type or entities, which XMP has none of")]


def test_side_file_that_is_a_pipe_is_reported(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fox.json")
    found = read_side_files([tmp_path / "fox.json"], [tmp_path / "fox.jpg"])
    assert found.notices == [(tmp_path / "fox.json", "is not an ordinary file and was not used")]


def test_odd_values_of_json_are_no_text(tmp_path: Path) -> None:
    tree = {"title": {"a": 1}, "caption": True, "keywords": [1, None, {"b": 2}, "fox"], "creator": ["Ann", "Bo"]}
    said, _ = _read(tmp_path, "fox.jpg", **{"fox.json": tree})
    assert said == Metadata(keywords=("1", "fox"), creator="Ann, Bo")
