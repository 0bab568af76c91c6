"""Libraries that lie elsewhere, in fsspec's memory: what is copied, what is not, and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from limner.index import publish
from limner.index.build import build
from limner.index.errors import LibraryDamaged, LibraryMissing
from limner.index.library import Library
from limner.index.places import address_of
from limner.index.remote import copied

from ..colours import COLOURS, ColourEncoder, Paint

ADDRESS = "memory://bucket/library"


def _put(memory: Any, library: Path) -> None:
    """The library as it is now, and nothing else, at the address."""
    if memory.exists("/bucket/library"):
        memory.rm("/bucket/library", recursive=True)
    memory.put(f"{library}/", "/bucket/library/", recursive=True)


def _results(library: Path) -> list[object]:
    opened = Library.open(library, encoder=ColourEncoder())
    return [opened.search(text, 100) for text in COLOURS]


def test_a_copy_finds_what_the_library_finds(colour_library: Library, memory: Any, tmp_path: Path) -> None:
    _put(memory, colour_library.folder)
    folder = copied(ADDRESS, tmp_path / "cache")
    assert folder.is_relative_to(tmp_path / "cache")
    assert _results(folder) == _results(colour_library.folder)


def test_only_new_parts_are_copied(
    colour_library: Library,
    colour_folder: Path,
    memory: Any,
    tmp_path: Path,
    paint: Paint,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(publish, "WHOLE_UP_TO", 0)
    monkeypatch.setattr(publish, "SHARE", 10.0)
    _put(memory, colour_library.folder)
    first = copied(ADDRESS, tmp_path / "cache")
    before = set(colour_library.manifest.parts)
    paint(colour_folder / "orange.png", (255, 165, 0))
    build([colour_folder], colour_library.folder, encoder=ColourEncoder())
    _put(memory, colour_library.folder)
    now = set(Library.open(colour_library.folder).manifest.parts)
    assert before & now
    for name in before & now:
        memory.rm(f"/bucket/library/{name}")  # it is here already

    again = copied(ADDRESS, tmp_path / "cache")

    assert again == first
    assert _results(again) == _results(colour_library.folder)
    assert not [name for name in before - now if (again / name).exists()]


def test_a_damaged_part_is_refused_and_the_copy_of_before_stays(
    colour_library: Library, colour_folder: Path, memory: Any, tmp_path: Path, paint: Paint
) -> None:
    _put(memory, colour_library.folder)
    folder = copied(ADDRESS, tmp_path / "cache")
    old = _results(folder)
    paint(colour_folder / "orange.png", (255, 165, 0))
    build([colour_folder], colour_library.folder, encoder=ColourEncoder())
    _put(memory, colour_library.folder)
    [words] = memory.glob("/bucket/library/words-*")
    memory.pipe(words, memory.cat_file(words)[:-1] + b"!")

    with pytest.raises(LibraryDamaged, match=r"words-.*was changed"):
        copied(ADDRESS, tmp_path / "cache")
    assert _results(folder) == old
    memory.rm(words)
    with pytest.raises(LibraryDamaged, match=r"words-.*missing"):
        copied(ADDRESS, tmp_path / "cache")
    assert not list(folder.rglob("*.arriving*"))


def test_what_is_not_there_is_said(memory: Any, tmp_path: Path) -> None:
    with pytest.raises(LibraryMissing, match="no library at memory://bucket/none"):
        copied("memory://bucket/none", tmp_path / "cache")
    with pytest.raises(LibraryMissing, match="nothing here can read nope://x"):
        copied("nope://x", tmp_path / "cache")


@pytest.mark.parametrize(
    ("path", "address"),
    [
        (Path("s3://bucket/a/b"), "s3://bucket/a/b"),
        (Path("gs:/bucket/a"), "gs://bucket/a"),
        (Path("/home/s3:/a"), None),
        (Path("C:/pictures"), None),
        (Path("library"), None),
    ],
)
def test_address_of_a_path(path: Path, address: str | None) -> None:
    assert address_of(path) == address
