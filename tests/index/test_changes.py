"""What an update keeps when files move, swap and break, and how it writes a library that is too large to rewrite."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from limner.index import publish as publish_module
from limner.index.advance import BuildSummary
from limner.index.build import build, update
from limner.index.compact import compact
from limner.index.errors import LibraryDamaged, LibraryMissing
from limner.index.generation import Generation, count_broken
from limner.index.library import Library
from limner.index.manifest import read_manifest

from ..colours import COLOURS, ColourEncoder, Paint


def _ids(library: Path) -> dict[str, int]:
    return {str(record.path.relative_to(library.parent / "pictures")): record.id for record in _records(library)}


def _records(library: Path):
    return Library.open(library).records()


def _update(library: Path) -> tuple[BuildSummary, int]:
    encoder = ColourEncoder()
    return update(library, encoder=encoder), encoder.pictures_encoded


def _results(library: Path) -> list[object]:
    """What searches give, apart from the ids, which tell of the past: they order equal scores, and sums of floats."""
    opened = Library.open(library, encoder=ColourEncoder())
    found = [{hit.image.path: round(hit.score, 5) for hit in opened.search(text, 1000)} for text in COLOURS]
    rows = dict(zip(opened.vectors()[0].tolist(), opened.vectors()[1], strict=True))
    return [found, {record.path: (record.hash, rows[record.id].tobytes()) for record in opened.records()}]


def _swap(a: Path, b: Path) -> None:
    other = a.with_name("other")
    a.rename(other)
    b.rename(a)
    other.rename(b)


@pytest.mark.parametrize("rebuild", [False, True])
def test_library_of_sha256_keeps_to_it(
    colour_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, paint: Paint, rebuild: bool
) -> None:
    library = tmp_path / "library"
    with monkeypatch.context() as older:
        older.setattr(Generation, "version", 2)
        older.setattr(Generation.__init__, "__defaults__", (*(Generation.__init__.__defaults__ or ())[:-1], 2))
        build([colour_folder], library, encoder=ColourEncoder())
    before = _ids(library)
    (colour_folder / "red.png").rename(colour_folder / "moved.png")
    paint(colour_folder / "new.png", "yellow", size=(9, 9))
    if rebuild:
        build([colour_folder], library, encoder=ColourEncoder(), rebuild=True)
    else:
        summary, encoded = _update(library)
        assert (summary.unchanged, summary.moved, encoded) == (7, 1, 1)
        assert _ids(library)["moved.png"] == before["red.png"]
    assert read_manifest(library).version == 2
    for record in _records(library):
        assert record.hash == hashlib.sha256(record.path.read_bytes()).hexdigest()


def test_swapped_names_take_their_ids_along(colour_library: Library, colour_folder: Path, paint: Paint) -> None:
    paint(colour_folder / "red.png", "red", size=(50, 50))
    _update(colour_library.folder)
    before = _ids(colour_library.folder)
    _swap(colour_folder / "red.png", colour_folder / "blue.png")
    summary, encoded = _update(colour_library.folder)
    assert (summary.indexed, summary.unchanged, summary.moved, summary.removed, encoded) == (0, 6, 2, 0, 0)
    after = _ids(colour_library.folder)
    assert (after["red.png"], after["blue.png"]) == (before["blue.png"], before["red.png"])


def test_renamed_folder_keeps_ids_and_encodes_nothing(
    tmp_path: Path, colour_folder: Path, colour_encoder: ColourEncoder, paint: Paint
) -> None:
    for number in range(5):
        paint(colour_folder / "Summer" / f"{number}.png", (number, 9, 9))
    library = tmp_path / "library"
    build([colour_folder], library, encoder=colour_encoder)
    before = _ids(library)
    (colour_folder / "Summer").rename(colour_folder / "2024")
    summary, encoded = _update(library)
    assert (summary.moved, summary.unchanged, summary.removed, encoded) == (5, 8, 0, 0)
    assert _ids(library) == {name.replace("Summer", "2024"): image_id for name, image_id in before.items()}


def test_rename_of_case_alone_keeps_the_id(colour_library: Library, colour_folder: Path) -> None:
    before = _ids(colour_library.folder)["red.png"]
    (colour_folder / "red.png").rename(colour_folder / "Red.PNG")
    summary, encoded = _update(colour_library.folder)
    assert (summary.moved, summary.removed, encoded) == (1, 0, 0)
    assert _ids(colour_library.folder)["Red.PNG"] == before


def test_file_replaced_by_copy_of_another_keeps_its_own_id(colour_library: Library, colour_folder: Path) -> None:
    before = _ids(colour_library.folder)
    (colour_folder / "red.png").write_bytes((colour_folder / "blue.png").read_bytes())
    summary, encoded = _update(colour_library.folder)
    assert (summary.indexed, summary.moved, summary.removed, encoded) == (1, 0, 0, 0)
    assert _ids(colour_library.folder) == before
    shared = {record.path.name: record.vector_id for record in _records(colour_library.folder)}
    assert shared["red.png"] == shared["blue.png"]


def test_file_moved_over_another_replaces_it(colour_library: Library, colour_folder: Path) -> None:
    before = _ids(colour_library.folder)
    (colour_folder / "blue.png").rename(colour_folder / "red.png")
    summary, encoded = _update(colour_library.folder)
    assert (summary.moved, summary.removed, encoded) == (1, 1, 0)
    assert _ids(colour_library.folder)["red.png"] == before["blue.png"]


def test_picture_moved_and_another_put_in_its_place(colour_library: Library, colour_folder: Path, paint: Paint) -> None:
    before = _ids(colour_library.folder)
    (colour_folder / "red.png").rename(colour_folder / "old red.png")
    paint(colour_folder / "red.png", (200, 0, 60), size=(41, 30))
    summary, encoded = _update(colour_library.folder)
    assert (summary.indexed, summary.moved, summary.removed, encoded) == (1, 1, 0, 1)
    after = _ids(colour_library.folder)
    assert after["old red.png"] == before["red.png"]
    assert after["red.png"] == 9


def test_moved_picture_keeps_what_was_said_of_it(colour_library: Library, colour_folder: Path) -> None:
    (colour_folder / "limner-metadata.csv").write_text("file,caption\nred.png,Red\nsub/red.png,Red still\n")
    _update(colour_library.folder)
    (colour_folder / "sub").mkdir()
    (colour_folder / "red.png").rename(colour_folder / "sub" / "red.png")
    _update(colour_library.folder)
    assert {record.caption for record in _records(colour_library.folder)} == {"", "Red still"}


def test_notices_of_metadata_stay_while_nothing_changes(colour_library: Library, colour_folder: Path) -> None:
    (colour_folder / "limner-metadata.csv").write_text("file,caption\nnowhere.png,Red\n")
    first, _ = _update(colour_library.folder)
    second, _ = _update(colour_library.folder)
    assert first.notices == second.notices
    assert len(second.notices) == 1
    (colour_folder / "limner-metadata.csv").unlink()
    assert _update(colour_library.folder)[0].notices == []


# --- broken files ---


def _count_reads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    from limner.index.engines import steps

    names: list[str] = []
    read = steps.read_bytes

    def note(path: Path, *, max_bytes: int) -> bytes:
        names.append(path.name)
        return read(path, max_bytes=max_bytes)

    monkeypatch.setattr(steps, "read_bytes", note)
    return names


def test_broken_file_is_not_tried_again_until_it_changes(
    colour_library: Library, colour_folder: Path, paint: Paint, monkeypatch: pytest.MonkeyPatch
) -> None:
    library = colour_library.folder
    (colour_folder / "broken.png").write_text("no picture")
    (colour_folder / "empty.png").touch()
    first, _ = _update(library)
    reads = _count_reads(monkeypatch)
    second, _ = _update(library)
    assert reads == []
    assert second.skipped == first.skipped
    assert [path.name for path, _ in second.skipped] == ["broken.png", "empty.png"]
    assert count_broken(library, Library.open(library).manifest) == 2
    assert len((library / "skipped.log").read_text().splitlines()) == 2

    paint(colour_folder / "grey.png", (9, 9, 9))
    third, _ = _update(library)
    assert (reads, len(third.skipped)) == (["grey.png"], 2)

    paint(colour_folder / "broken.png", (1, 2, 3))
    fourth, _ = _update(library)
    assert (fourth.indexed, [path.name for path, _ in fourth.skipped]) == (1, ["empty.png"])
    (colour_folder / "empty.png").unlink()
    assert _update(library)[0].skipped == []
    assert count_broken(library, Library.open(library).manifest) == 0
    assert not (library / "skipped.log").exists()


def test_broken_file_is_tried_again_by_another_version(
    colour_library: Library, colour_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from limner.index import generation

    (colour_folder / "broken.png").write_text("no picture")
    _update(colour_library.folder)
    monkeypatch.setattr(generation, "version", lambda package: "99")
    reads = _count_reads(monkeypatch)
    assert len(_update(colour_library.folder)[0].skipped) == 1
    assert reads == ["broken.png"]
    assert _update(colour_library.folder)[0].unchanged == 8
    assert reads == ["broken.png"]


def test_file_without_permission_is_tried_again(
    colour_library: Library, colour_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from limner.index.engines import steps
    from limner.index.errors import PictureUnreadable

    read = steps.read_bytes

    def refuse(path: Path, *, max_bytes: int) -> bytes:
        raise PictureUnreadable(str(path), "no permission to read it")

    (colour_folder / "closed.png").write_bytes((colour_folder / "red.png").read_bytes() + b"x")
    monkeypatch.setattr(steps, "read_bytes", refuse)
    assert len(_update(colour_library.folder)[0].skipped) == 1
    assert Library.open(colour_library.folder).manifest.generation == 1
    monkeypatch.setattr(steps, "read_bytes", read)
    assert _update(colour_library.folder)[0].indexed == 1


# --- a library that is too large to be written anew each time ---


@pytest.fixture
def many(tmp_path: Path, paint: Paint, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A library of 60 pictures that counts as large."""
    monkeypatch.setattr(publish_module, "WHOLE_UP_TO", 0)
    for number in range(60):
        paint(tmp_path / "pictures" / f"{number:02}.png", (4 * number, 255 - 4 * number, number))
    build([tmp_path / "pictures"], tmp_path / "library", encoder=ColourEncoder())
    return tmp_path / "library"


def _parts(library: Path) -> set[str]:
    return {str(path.relative_to(library)) for path in library.rglob("*") if path.suffix in (".parquet", ".faiss")}


def _paths_on_disk(library: Path) -> list[str]:
    return [path for part in (library / "catalogue").iterdir() for path in pq.read_table(part)["path"].to_pylist()]


def test_small_change_rewrites_nothing(many: Path, paint: Paint) -> None:
    before = {name: (many / name).stat().st_mtime_ns for name in _parts(many)}
    pictures = many.parent / "pictures"
    paint(pictures / "new.png", (1, 2, 3))
    paint(pictures / "07.png", (7, 7, 7))
    (pictures / "11.png").unlink()
    (pictures / "12.png").rename(pictures / "twelve.png")
    _update(many)
    assert {name: (many / name).stat().st_mtime_ns for name in before} == before
    new = {"catalogue/000002.parquet", "vectors/000002-0000.parquet", "words-000002.parquet"}
    assert _parts(many) - before.keys() == new
    build([pictures], many.with_name("anew"), encoder=ColourEncoder())
    assert _results(many) == _results(many.with_name("anew"))


def test_parts_stay_few_and_the_library_right(many: Path, paint: Paint) -> None:
    rng = np.random.default_rng(0)
    pictures = many.parent / "pictures"
    for step in range(25):
        for name in rng.choice(sorted(path.name for path in pictures.iterdir()), rng.integers(1, 4), replace=False):
            if rng.random() < 0.3:
                (pictures / name).unlink()
            elif rng.random() < 0.5:
                paint(pictures / name, tuple(rng.integers(0, 255, 3).tolist()), size=(40, 30 + step))
            else:
                (pictures / name).rename(pictures / f"{step}-{name}")
        paint(pictures / f"new{step}.png", tuple(rng.integers(0, 255, 3).tolist()))
        _update(many)
        assert len(list((many / "catalogue").iterdir())) <= 5
    build([pictures], many.with_name("anew"), encoder=ColourEncoder())
    assert _results(many) == _results(many.with_name("anew"))
    compact(many)
    assert _results(many) == _results(many.with_name("anew"))


def test_large_change_writes_everything_anew(many: Path, paint: Paint) -> None:
    for number in range(20):
        paint(many.parent / "pictures" / f"{number:02}.png", (number, number, 0), size=(9, 9))
    _update(many)
    assert _parts(many) == {
        "catalogue/000002.parquet", "vectors/000002-0000.parquet", "index-000002.faiss", "words-000002.parquet"
    }  # fmt: skip


def test_compact_leaves_nothing_of_what_is_gone(many: Path) -> None:
    gone = Library.open(many).records()[11]
    gone.path.unlink()
    _update(many)
    results = _results(many)
    assert str(gone.path) in _paths_on_disk(many)
    before = sum((many / name).stat().st_size for name in _parts(many))
    freed = compact(many)
    assert len(_parts(many)) == 4  # catalogue, vectors, their index, words
    assert str(gone.path) not in _paths_on_disk(many)
    assert freed == before - sum((many / name).stat().st_size for name in _parts(many))
    assert _results(many) == results
    assert len(Library.open(many)) == 59


def test_update_gives_no_broken_part_a_new_digest(many: Path) -> None:
    part = many / "vectors/000001-0000.parquet"
    data = bytearray(part.read_bytes())
    data[len(data) // 2] ^= 1
    part.write_bytes(data)
    for number in range(30):
        (many.parent / "pictures" / f"{number:02}.png").unlink()
    with pytest.raises(LibraryDamaged, match="vectors/000001-0000"):
        _update(many)
    with pytest.raises(LibraryDamaged, match="vectors/000001-0000"):
        compact(many)


def test_compact_names_missing_library(tmp_path: Path) -> None:
    with pytest.raises(LibraryMissing):
        compact(tmp_path / "nowhere")
    assert not (tmp_path / "nowhere").exists()
