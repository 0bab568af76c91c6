"""limner-metadata.csv, as people write it."""

from __future__ import annotations

import unicodedata
from datetime import datetime
from pathlib import Path

import pytest
from limner.index.csvfile import METADATA_NAME, MetadataFound, read_metadata
from limner.index.metadata import Metadata

HEADER = "file,title,caption,alt,keywords,creator,licence,credit\n"


def _read(folder: Path, text: str | bytes, *pictures: str) -> MetadataFound:
    file = folder / METADATA_NAME
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_metadata([file], [folder / picture for picture in pictures])


def _notices(found: MetadataFound) -> list[str]:
    return [text for _, text in found.notices]


def test_metadata_reads_every_column(tmp_path: Path) -> None:
    row = 'a/fox.jpg,The fox,"A fox, red",Fox on a hill,fox; hill ;fox,Ann,CC BY 4.0,Photo: Ann\n'
    found = _read(tmp_path, HEADER + row, "a/fox.jpg")
    fox = Metadata("The fox", "A fox, red", "Fox on a hill", ("fox", "hill"), "Ann", "CC BY 4.0", credit="Photo: Ann")
    assert found == MetadataFound({tmp_path / "a/fox.jpg": fox}, [])


def test_metadata_needs_only_some_columns_in_any_order_and_case(tmp_path: Path) -> None:
    found = _read(tmp_path, "\ufeffCaption, File\r\nA fox,fox.jpg\r\n", "fox.jpg")
    assert found == MetadataFound({tmp_path / "fox.jpg": Metadata(caption="A fox")}, [])


def test_metadata_reports_rows_without_picture(tmp_path: Path) -> None:
    outside = tmp_path.parent / "other.jpg"
    text = HEADER + "gone.jpg,Gone\n../other.jpg,Outside\n,Nothing\nfox.jpg,Fox\n"
    file = tmp_path / METADATA_NAME
    file.write_text(text)
    found = read_metadata([file], [tmp_path / "fox.jpg", outside])
    assert list(found.by_path) == [tmp_path / "fox.jpg"]
    assert _notices(found) == [
        "line 2: no picture 'gone.jpg' in this folder",
        "line 3: no picture '../other.jpg' in this folder",
        "line 4: no picture '' in this folder",
    ]


def test_metadata_reports_unknown_columns_and_surplus_values(tmp_path: Path) -> None:
    found = _read(tmp_path, "file,title,mood\nfox.jpg,Fox,sly,extra\n", "fox.jpg")
    assert found.by_path == {tmp_path / "fox.jpg": Metadata(title="Fox")}
    assert _notices(found)[0] == "unknown columns: mood"
    assert "line 2: more values than columns" in _notices(found)[1]


def test_metadata_lets_later_row_count_and_reports_it(tmp_path: Path) -> None:
    found = _read(tmp_path, "file,title\nfox.jpg,One\nfox.jpg,Two\n", "fox.jpg")
    assert found.by_path[tmp_path / "fox.jpg"].title == "Two"
    assert "stands here twice" in _notices(found)[0]


@pytest.mark.parametrize(
    ("data", "notice"),
    [
        ("file,title\nfüchse.jpg,F\n".encode("latin-1"), "is not UTF-8 and was not used"),
        (b"title,caption\na,b\n", "has no column `file` and was not used"),
        (b"", "has no column `file` and was not used"),
    ],
)
def test_metadata_reports_file_of_no_use(tmp_path: Path, data: bytes, notice: str) -> None:
    assert _notices(_read(tmp_path, data, "fox.jpg")) == [notice]


def test_metadata_survives_broken_csv(tmp_path: Path) -> None:
    found = _read(tmp_path, "file,title\nfox.jpg,Fox\nowl.jpg," + "x" * 200_000 + "\n", "fox.jpg", "owl.jpg")
    assert list(found.by_path) == [tmp_path / "fox.jpg"]
    assert "the rest was not used" in _notices(found)[0]


def test_metadata_cleans_and_bounds_text(tmp_path: Path) -> None:
    decomposed = unicodedata.normalize("NFD", "Café")
    text = f'file,title,caption\nfox.jpg," {decomposed}\n\tnoir\x07 ",{"long " * 1000}\n'
    found = _read(tmp_path, text, "fox.jpg")
    fox = found.by_path[tmp_path / "fox.jpg"]
    assert fox.title == "Café noir"
    assert len(fox.caption) <= 2000
    assert _notices(found) == ["line 3: too long and cut: caption"]


def test_metadata_matches_names_in_either_unicode_form(tmp_path: Path) -> None:
    on_disk = unicodedata.normalize("NFD", "é.jpg")
    found = _read(tmp_path, "file,title\né.jpg,E\n", on_disk)
    assert found.by_path[tmp_path / on_disk].title == "E"


def test_metadata_nearer_to_picture_wins(tmp_path: Path) -> None:
    picture = tmp_path / "sub" / "fox.jpg"
    (tmp_path / "sub").mkdir()
    outer, inner = tmp_path / METADATA_NAME, tmp_path / "sub" / METADATA_NAME
    outer.write_text("file,title\nsub/fox.jpg,Outer\n")
    inner.write_text("file,title\nfox.jpg,Inner\n")
    assert read_metadata([outer, inner], [picture]).by_path[picture].title == "Inner"


def test_metadata_fills_from_further_out_what_the_nearer_leaves_empty(tmp_path: Path) -> None:
    picture = tmp_path / "sub" / "fox.jpg"
    (tmp_path / "sub").mkdir()
    outer, inner = tmp_path / METADATA_NAME, tmp_path / "sub" / METADATA_NAME
    outer.write_text("file,title,caption,licence,licence_url\nsub/fox.jpg,Outer,Far,CC0,https://example.org/cc0\n")
    inner.write_text("file,title,caption,licence\nfox.jpg,Inner,,Mine\n")
    found = read_metadata([outer, inner], [picture]).by_path[picture]
    assert (found.title, found.caption, found.licence, found.licence_url) == ("Inner", "Far", "Mine", "")


def test_metadata_reads_time_and_place(tmp_path: Path) -> None:
    text = "file,taken_at,latitude,longitude\nfox.jpg,1931-05-01,-33.85,151.2\nowl.jpg,once,north,\n"
    found = _read(tmp_path, text, "fox.jpg", "owl.jpg")
    fox = Metadata(taken_at=datetime(1931, 5, 1), latitude=-33.85, longitude=151.2)
    assert found.by_path == {tmp_path / "fox.jpg": fox, tmp_path / "owl.jpg": Metadata()}
    assert _notices(found) == ["line 3: no date: taken_at", "line 3: no position: latitude, longitude"]
