"""What is wrong with a library is found and named, with the command that mends it."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from limner.index import publish as publish_module
from limner.index.atomic import digest_file, whole_file
from limner.index.build import update
from limner.index.errors import LibraryDamaged, LibraryMissing
from limner.index.library import Library
from limner.index.vectors import read_index
from limner.index.verify import repair, verify

from ..colours import ColourEncoder, Paint
from ..scenes import scene

PARTS = ["catalogue/000001.parquet", "vectors/000001-0000.parquet", "index-000001.faiss"]


@pytest.fixture
def library(colour_library: Library, colour_folder: Path, paint: Paint, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The eight colours and, as parts of their own, a new picture, an exact copy and one that is gone."""
    monkeypatch.setattr(publish_module, "WHOLE_UP_TO", 0)
    monkeypatch.setattr(publish_module, "SHARE", 1.0)
    paint(colour_folder / "new.png", (9, 9, 9))
    (colour_folder / "copy.png").write_bytes((colour_folder / "red.png").read_bytes())
    (colour_folder / "cyan.png").unlink()
    update(colour_library.folder, encoder=ColourEncoder())
    return colour_library.folder


def _sign(library: Path, part: str) -> None:
    """Make the manifest agree with a part, as whoever changed both would."""
    path = library / "manifest.json"
    manifest = json.loads(path.read_text())
    manifest["parts"][part] = digest_file(library / part)
    manifest["sizes"][part] = (library / part).stat().st_size
    path.write_text(json.dumps(manifest))


def test_verify_finds_nothing_wrong_with_a_whole_library(library: Path) -> None:
    assert verify(library, files=True) == []
    assert repair(library) == []


@pytest.mark.parametrize("part", [*PARTS, "catalogue/000002.parquet", "duplicates-000002.parquet"])
@pytest.mark.parametrize("harm", ["gone", "cut", "changed"])
def test_verify_names_a_harmed_part(library: Path, part: str, harm: str) -> None:
    data = (library / part).read_bytes()
    (library / part).unlink()
    if harm == "cut":
        (library / part).write_bytes(data[:-1])
    elif harm == "changed":
        (library / part).write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    [fault] = [fault for fault in verify(library) if fault.part == part]
    assert "missing" in fault.what if harm == "gone" else "changed" in fault.what
    assert ("--rebuild" if part.startswith(("catalogue", "vectors")) else "--repair") in fault.fix
    assert str(library) in fault.fix


@pytest.mark.parametrize("harm", ["gone", "cut", "other vectors"])
def test_repair_makes_the_index_anew(library: Path, harm: str) -> None:
    results = [Library.open(library, encoder=ColourEncoder()).search(text, 20) for text in ("red", "blue")]
    path = library / PARTS[2]
    if harm == "gone":
        path.unlink()
    elif harm == "cut":
        path.write_bytes(path.read_bytes()[:-7])
    else:
        index = read_index(path)
        index.faiss_index.remove_ids(np.array([2]))
        index.add(np.array([2]), np.full((1, 4), 0.5, np.float16))
        with whole_file(path) as file:
            index.write(file)
        _sign(library, PARTS[2])
    assert [fault.part for fault in verify(library)] == [PARTS[2]]
    assert repair(library) == verify(library) == []
    assert [Library.open(library, encoder=ColourEncoder()).search(text, 20) for text in ("red", "blue")] == results
    assert len(list(library.glob("index-*"))) == 1
    assert update(library, encoder=ColourEncoder()).unchanged == 9


@pytest.mark.parametrize("kind", ["words-", "duplicates-", "skipped-"])
@pytest.mark.parametrize("harm", ["gone", "cut"])
def test_repair_makes_anew_what_the_catalogue_holds(library: Path, colour_folder: Path, kind: str, harm: str) -> None:
    scene(1).save(colour_folder / "scene.png")
    scene(1).save(colour_folder / "scene again.jpg")
    (colour_folder / "broken.png").write_bytes(b"no picture")
    update(library, encoder=ColourEncoder())

    def state() -> tuple[object, ...]:
        opened = Library.open(library, encoder=ColourEncoder())
        hits = [[(hit.image, hit.score) for hit in opened.search(text, 20)] for text in ("red", "again", "copy")]
        return hits, [[image.id for image in group] for group in opened.groups()]

    before = state()
    assert len(before[1]) == 2, "copies, and near ones"
    harmed = sorted(library.glob(f"{kind}*"))[-1]
    if harm == "gone":
        harmed.unlink()
    else:
        harmed.write_bytes(harmed.read_bytes()[:-1])
    with pytest.raises(LibraryDamaged, match=harmed.name) as caught:
        Library.open(library, encoder=ColourEncoder())
    assert "verify" in caught.value.hint

    assert repair(library) == verify(library) == []
    assert state() == before
    again = update(library, encoder=ColourEncoder())
    assert (again.unchanged, len(again.skipped)) == (11, 1), "a forgotten file is tried again"


def test_repair_mends_duplicates_that_the_catalogue_has_not(library: Path) -> None:
    part = "duplicates-000002.parquet"
    table = pq.read_table(library / part)
    column = table.column_names.index("id")
    pq.write_table(table.set_column(column, "id", pa.array([99] * len(table), pa.int64())), library / part)
    _sign(library, part)
    assert [fault.what for fault in verify(library)] == ["has pictures that the catalogue has not"]
    assert repair(library) == []
    assert len(Library.open(library, encoder=ColourEncoder()).groups()) == 1


def test_repaired_index_goes_with_parts_that_are_taken_in_later(
    library: Path, colour_folder: Path, paint: Paint, monkeypatch: pytest.MonkeyPatch
) -> None:
    (library / PARTS[2]).unlink()
    assert repair(library) == []
    monkeypatch.setattr(publish_module, "SHARE", 9.0)
    for number in range(5):
        paint(colour_folder / f"more{number}.png", (50 * number, 9, 99))
    update(library, encoder=ColourEncoder())
    assert not (library / "catalogue/000002.parquet").exists()
    assert verify(library) == []
    assert len(Library.open(library, encoder=ColourEncoder()).search("red", 50)) == 14


def test_repair_leaves_what_it_cannot_mend(library: Path) -> None:
    (library / PARTS[1]).unlink()
    (library / PARTS[2]).unlink()
    assert {fault.part for fault in repair(library)} == {PARTS[1], PARTS[2]}


def test_verify_finds_parts_that_disagree(library: Path) -> None:
    part = "vectors/000002-0000.parquet"
    table = pq.read_table(library / part)
    pq.write_table(table.slice(0, 0), library / part)
    _sign(library, part)
    assert [fault.what for fault in verify(library)] == ["1 pictures' vectors are missing"]


def test_verify_finds_numbers_that_disagree(library: Path) -> None:
    path = library / "manifest.json"
    manifest = json.loads(path.read_text())
    path.write_text(json.dumps(manifest | {"count": 12, "next_id": 3}))
    assert [fault.what for fault in verify(library)] == [
        "has 9 pictures, the manifest 12",
        "has an id that the manifest would give away again",
    ]


def test_verify_looks_at_files_if_asked(library: Path, colour_folder: Path) -> None:
    (colour_folder / "red.png").unlink()
    os.utime(colour_folder / "blue.png", (1, 1))
    assert verify(library) == []
    faults = {Path(fault.part).name: fault for fault in verify(library, files=True)}
    assert faults.keys() == {"red.png", "blue.png"}
    assert "cannot be found" in faults["red.png"].what
    assert "changed" in faults["blue.png"].what
    assert faults["blue.png"].fix == f"limner index update --library {library}"


def test_verify_needs_a_manifest(tmp_path: Path, library: Path) -> None:
    with pytest.raises(LibraryMissing):
        verify(tmp_path)
    (library / "manifest.json").write_text("{")
    with pytest.raises(LibraryDamaged):
        verify(library)
