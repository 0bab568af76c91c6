"""What a walk finds, and how it compares with the catalogue."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from limner.index.errors import SourceMissing
from limner.index.records import ImageRecord
from limner.index.scan import Found, compare, scan


def _touch(path: Path, data: bytes = b"x") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


def _record(number: int, path: str, *, size: int = 1, mtime_ns: int = 1) -> ImageRecord:
    return ImageRecord(number, Path(path), size, mtime_ns, f"hash{number}", 10, 10)


def test_scan_finds_pictures_below_folders_in_order(tmp_path: Path) -> None:
    names = ["a/2.JPG", "a/1.webp", "b/deep/er/3.tiff", "0.avif"]
    for name in names:
        _touch(tmp_path / name)
    _touch(tmp_path / "notes.txt")
    assert [found.path for found in scan([tmp_path]).pictures] == sorted(tmp_path / name for name in names)


def test_scan_passes_over_hidden_files_and_folders(tmp_path: Path) -> None:
    _touch(tmp_path / "seen.jpg")
    _touch(tmp_path / "._seen.jpg")
    _touch(tmp_path / ".trash" / "old.jpg")
    result = scan([tmp_path])
    assert [found.path.name for found in result.pictures] == ["seen.jpg"]
    assert not result.skipped


def test_scan_takes_named_file_whatever_its_suffix(tmp_path: Path) -> None:
    path = _touch(tmp_path / "scan.001")
    _touch(tmp_path / "other.jpg")
    assert [found.path for found in scan([path]).pictures] == [path]


def test_scan_survives_link_loop_and_prefers_real_paths(tmp_path: Path) -> None:
    _touch(tmp_path / "z" / "1.png")
    (tmp_path / "a").symlink_to(tmp_path / "z")
    (tmp_path / "z" / "up").symlink_to(tmp_path)
    (tmp_path / "z" / "circle.png").symlink_to(tmp_path / "z" / "circle.png")
    result = scan([tmp_path])
    assert [found.path for found in result.pictures] == [tmp_path / "z" / "1.png"]
    assert [path.name for path, _ in result.skipped] == ["circle.png"]


def test_scan_walks_overlapping_sources_once(tmp_path: Path) -> None:
    path = _touch(tmp_path / "a" / "1.png")
    assert len(scan([tmp_path, tmp_path / "a", path]).pictures) == 1


def test_scan_reports_dangling_link_and_odd_files(tmp_path: Path) -> None:
    _touch(tmp_path / "1.png")
    (tmp_path / "2.png").symlink_to(tmp_path / "nowhere.png")
    os.mkfifo(tmp_path / "3.png")
    assert dict(scan([tmp_path]).skipped) == {
        tmp_path / "2.png": "a link that leads nowhere",
        tmp_path / "3.png": "not an ordinary file",
    }


def test_scan_reports_file_name_that_is_not_text(tmp_path: Path) -> None:
    _touch(tmp_path / "1.png")
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff.png")).write_bytes(b"x")
    assert [reason for _, reason in scan([tmp_path]).skipped] == ["the file name is not valid text"]


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is forbidden to root")
def test_scan_reports_folder_without_permission(tmp_path: Path) -> None:
    _touch(tmp_path / "1.png")
    closed = _touch(tmp_path / "closed" / "2.png").parent
    closed.chmod(0)
    try:
        assert scan([tmp_path]).unread_folders == [(closed, "the folder cannot be read: Permission denied")]
    finally:
        closed.chmod(0o700)


def test_scan_reports_folder_that_cannot_be_listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _touch(tmp_path / "1.png")
    closed = _touch(tmp_path / "closed" / "2.png").parent
    listing = os.scandir

    def refuse(path: Path) -> object:
        if Path(path) == closed:
            raise PermissionError(13, "Permission denied")
        return listing(path)

    monkeypatch.setattr(os, "scandir", refuse)
    assert scan([tmp_path]).unread_folders == [(closed, "the folder cannot be read: Permission denied")]


def test_scan_names_missing_source(tmp_path: Path) -> None:
    with pytest.raises(SourceMissing, match="nowhere does not exist"):
        scan([tmp_path / "nowhere"])


def test_scan_refuses_folder_without_pictures(tmp_path: Path) -> None:
    _touch(tmp_path / "notes.txt")
    with pytest.raises(SourceMissing, match="no picture in"):
        scan([tmp_path])


def test_compare_tells_unchanged_changed_new_and_gone_apart() -> None:
    records = [_record(1, "/p/same.png"), _record(2, "/p/touched.png"), _record(3, "/p/gone.png")]
    found = [Found(Path("/p/same.png"), 1, 1), Found(Path("/p/touched.png"), 1, 2), Found(Path("/p/new.png"), 1, 1)]
    changes = compare(found, records, unread_folders=[])
    assert [record.id for record in changes.unchanged] == [1]
    assert [file.path.name for file in changes.to_read] == ["touched.png", "new.png"]
    assert [record.id for record in changes.gone] == [3]


def test_compare_keeps_what_lies_in_unread_folder() -> None:
    records = [_record(1, "/p/closed/deep/1.png"), _record(2, "/p/2.png")]
    changes = compare([], records, unread_folders=[Path("/p/closed")])
    assert [record.id for record in changes.unchanged] == [1]
    assert [record.id for record in changes.gone] == [2]
