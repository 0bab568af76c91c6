"""Files that are whole or absent."""

from __future__ import annotations

import errno
import hashlib
import os
from pathlib import Path

import pytest
from limner.index import atomic
from limner.index.atomic import digest_file, write_whole
from limner.index.errors import WriteFailed


def test_write_whole_returns_digest_and_makes_folders(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b.bin"
    assert write_whole(path, b"new") == digest_file(path) == hashlib.sha256(b"new").hexdigest()
    assert [entry.name for entry in path.parent.iterdir()] == ["b.bin"]


def test_write_whole_leaves_open_readers_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "a.bin"
    write_whole(path, b"old")
    with path.open("rb") as reader:
        write_whole(path, b"new")
        assert reader.read() == b"old"
    assert path.read_bytes() == b"new"


def test_write_whole_is_on_the_disk_before_it_is_in_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.bin"
    seen: list[bool] = []
    monkeypatch.setattr(atomic.os, "fsync", lambda descriptor: seen.append(path.exists()))
    write_whole(path, b"new")
    assert seen == [False, True]


def test_write_whole_gives_back_the_room_of_a_failed_write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.bin"
    write_whole(path, b"old")

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(atomic.os, "fsync", full)
    with pytest.raises(WriteFailed, match=f"cannot write {path}: No space left on device"):
        write_whole(path, b"new")
    assert [(entry.name, entry.read_bytes()) for entry in tmp_path.iterdir()] == [("a.bin", b"old")]
