"""Libraries brought to object storage, in fsspec's memory: what is copied, what stays whole, and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from limner.index import publish
from limner.index.build import build, update
from limner.index.errors import LibraryDamaged, LibraryMissing, WriteFailed
from limner.index.library import Library
from limner.index.push import push
from limner.index.remote import copied

from ..colours import COLOURS, ColourEncoder, Paint

ADDRESS = "memory://bucket/library"


def _results(library: Path) -> list[object]:
    opened = Library.open(library, encoder=ColourEncoder())
    return [opened.search(text, 100) for text in COLOURS]


def test_what_is_pushed_is_read_as_it_is_here(colour_library: Library, memory: Any, tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    done = push(colour_library.folder, ADDRESS, progress=lambda now, total: told.append((now, total)))
    assert (done.copied, done.there_before, done.removed) == (len(colour_library.manifest.parts), 0, 0)
    assert told[-1] == (done.bytes, done.bytes) and done.bytes == sum(colour_library.manifest.sizes.values())
    assert _results(copied(ADDRESS, tmp_path / "cache")) == _results(colour_library.folder)


def test_only_new_parts_are_pushed_and_old_ones_go(
    colour_library: Library, colour_folder: Path, memory: Any, tmp_path: Path, paint: Paint, monkeypatch: Any
) -> None:
    library = colour_library.folder
    push(library, ADDRESS)
    memory.pipe_file("/bucket/library/notes.txt", b"not ours")
    paint(colour_folder / "new.png", "yellow", size=(9, 9))
    with monkeypatch.context() as small:
        small.setattr(publish, "WHOLE_UP_TO", 0)
        small.setattr(publish, "SHARE", 10.0)
        update(library, encoder=ColourEncoder())
    done = push(library, ADDRESS)
    assert done.copied > 0 and done.there_before > 0
    build([colour_folder], library, encoder=ColourEncoder(), rebuild=True)
    assert push(library, ADDRESS).removed > 0
    assert memory.cat_file("/bucket/library/notes.txt") == b"not ours"
    assert _results(copied(ADDRESS, tmp_path / "cache")) == _results(library)


def test_a_push_that_is_cut_leaves_the_old_library_and_goes_on(
    colour_library: Library, colour_folder: Path, memory: Any, tmp_path: Path, paint: Paint, monkeypatch: Any
) -> None:
    library = colour_library.folder
    push(library, ADDRESS)
    before = _results(copied(ADDRESS, tmp_path / "cache"))
    paint(colour_folder / "new.png", "yellow", size=(9, 9))
    update(library, encoder=ColourEncoder())
    calls = 0
    put = type(memory).put_file

    def cut(self: Any, *args: Any, **options: Any) -> None:
        nonlocal calls
        calls += 1
        if calls > 2:
            raise OSError(28, "No space left on device")
        put(self, *args, **options)

    with monkeypatch.context() as broken:
        broken.setattr(type(memory), "put_file", cut)
        with pytest.raises(WriteFailed, match="No space left on device"):
            push(library, ADDRESS)
    assert _results(copied(ADDRESS, tmp_path / "other")) == before
    push(library, ADDRESS)
    assert _results(copied(ADDRESS, tmp_path / "other")) == _results(library) != before


def test_a_library_that_got_another_source_is_still_the_same(
    colour_library: Library, colour_folder: Path, memory: Any, tmp_path: Path, paint: Paint
) -> None:
    library = colour_library.folder
    push(library, ADDRESS)
    paint(tmp_path / "more" / "red.png", "red", size=(9, 9))
    build([colour_folder, tmp_path / "more"], library, encoder=ColourEncoder())
    push(library, ADDRESS)
    assert _results(copied(ADDRESS, tmp_path / "cache")) == _results(library)


def test_another_library_there_is_refused(
    colour_library: Library, colour_folder: Path, memory: Any, tmp_path: Path, paint: Paint
) -> None:
    other = tmp_path / "other"
    paint(tmp_path / "elsewhere" / "red.png", "red")
    build([tmp_path / "elsewhere"], other, encoder=ColourEncoder())
    push(other, ADDRESS)
    with pytest.raises(LibraryDamaged, match="holds another library"):
        push(colour_library.folder, ADDRESS)
    assert _results(copied(ADDRESS, tmp_path / "cache")) == _results(other)


def test_a_damaged_library_and_a_strange_address_are_refused(
    colour_library: Library, memory: Any, tmp_path: Path
) -> None:
    with pytest.raises(LibraryMissing):
        push(tmp_path / "nothing", ADDRESS)
    with pytest.raises(LibraryMissing, match="nothing here can read"):
        push(colour_library.folder, "nosuch://bucket/library")
    next(colour_library.folder.glob("words-*.parquet")).write_bytes(b"broken")
    with pytest.raises(LibraryDamaged):
        push(colour_library.folder, ADDRESS)
    assert not memory.exists("/bucket/library/manifest.json")
