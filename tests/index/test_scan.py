"""What a walk finds, and how it compares with the catalogue."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from limner.index.errors import SourceMissing
from limner.index.scan import Scan, compare, scan


def _touch(path: Path, data: bytes = b"x") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


def _paths(result: Scan) -> list[Path]:
    return sorted(map(Path, result.pictures))


def test_scan_finds_pictures_below_folders_in_order(tmp_path: Path) -> None:
    names = ["a/2.JPG", "a/1.webp", "b/deep/er/3.tiff", "0.avif"]
    for name in names:
        _touch(tmp_path / name)
    _touch(tmp_path / "notes.txt")
    assert _paths(scan([tmp_path])) == sorted(tmp_path / name for name in names)


def test_scan_passes_over_hidden_files_and_folders(tmp_path: Path) -> None:
    _touch(tmp_path / "seen.jpg")
    _touch(tmp_path / "._seen.jpg")
    _touch(tmp_path / ".trash" / "old.jpg")
    result = scan([tmp_path])
    assert [path.name for path in _paths(result)] == ["seen.jpg"]
    assert not result.skipped


def test_scan_takes_named_file_whatever_its_suffix(tmp_path: Path) -> None:
    path = _touch(tmp_path / "scan.001")
    _touch(tmp_path / "other.jpg")
    assert _paths(scan([path])) == [path]


def test_scan_survives_link_loop_and_prefers_real_paths(tmp_path: Path) -> None:
    _touch(tmp_path / "z" / "1.png")
    (tmp_path / "a").symlink_to(tmp_path / "z")
    (tmp_path / "z" / "up").symlink_to(tmp_path)
    (tmp_path / "z" / "circle.png").symlink_to(tmp_path / "z" / "circle.png")
    result = scan([tmp_path])
    assert _paths(result) == [tmp_path / "z" / "1.png"]
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
    known = {"/p/same.png": (1, 1), "/p/touched.png": (1, 1), "/p/gone.png": (1, 1)}
    found = {"/p/touched.png": (1, 2), "/p/same.png": (1, 1), "/p/new.png": (1, 1)}
    changes = compare(found, known, {}, unread_folders=[])
    assert changes.unchanged == ["/p/same.png"]
    assert [file.path.name for file in changes.to_read] == ["new.png", "touched.png"]
    assert changes.gone == ["/p/gone.png"]


def test_compare_keeps_what_lies_in_unread_folder() -> None:
    known = {"/p/closed/deep/1.png": (1, 1), "/p/closed-not.png": (1, 1), "/p/2.png": (1, 1)}
    changes = compare({}, known, {}, unread_folders=[Path("/p/closed")])
    assert changes.unseen == ["/p/closed/deep/1.png"]
    assert changes.gone == ["/p/closed-not.png", "/p/2.png"]


def test_compare_reads_a_broken_file_again_when_it_changed() -> None:
    broken = {"/p/still.png": (1, 1), "/p/grown.png": (1, 1), "/p/gone.png": (1, 1)}
    found = {"/p/still.png": (1, 1), "/p/grown.png": (2, 1)}
    changes = compare(found, {}, broken, unread_folders=[])
    assert [file.location for file in changes.still_broken] == ["/p/still.png"]
    assert [file.location for file in changes.to_read] == ["/p/grown.png"]
    assert changes.gone == []
