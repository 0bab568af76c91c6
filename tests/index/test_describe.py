"""Alt texts and captions by a model: what gets them, what keeps them, and what a kill costs."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest
from limner.index.build import build, update
from limner.index.describe import describe_library
from limner.index.descriptions import DESCRIPTIONS_NAME
from limner.index.errors import LibraryLocked, LibraryMissing, PictureUnreadable
from limner.index.library import Library
from limner.index.lock import writing
from limner.index.records import ImageRecord

from ..colours import COLOURS, ColourEncoder, Paint


def _say(path: Path) -> str:
    return f"A {path.stem} wall."


def _records(library: Path) -> dict[str, ImageRecord]:
    return {record.path.stem: record for record in Library.open(library).records()}


def test_describe_fills_what_is_missing_and_marks_it(colour_library: Library, colour_folder: Path) -> None:
    (colour_folder / "limner-metadata.csv").write_text(
        "file,caption,alt\nred.png,By Ann,\nblue.png,,By Bo\ngreen.png,By Ann,By Bo\n"
    )
    update(colour_library.folder, encoder=ColourEncoder())
    asked: list[str] = []
    calls: list[tuple[int, int]] = []
    summary = describe_library(
        colour_library.folder,
        model="m",
        say=lambda path: asked.append(path.stem) or _say(path),
        progress=lambda done, total: calls.append((done, total)),
    )
    assert (summary.described, summary.left, summary.skipped, calls[-1]) == (7, 0, [], (7, 7))
    assert asked == sorted(COLOURS.keys() - {"green"})
    found = _records(colour_library.folder)

    def words(name: str) -> tuple[object, ...]:
        return found[name].caption, found[name].alt, found[name].described_by, found[name].described

    assert words("red") == ("By Ann", "A red wall.", "m", ("alt",))
    assert words("blue") == ("A blue wall.", "By Bo", "m", ("caption",))
    assert words("green") == ("By Ann", "By Bo", "", ())
    assert words("white") == ("A white wall.", "A white wall.", "m", ("alt", "caption"))


def test_describe_asks_once_and_writes_nothing_the_second_time(colour_library: Library) -> None:
    describe_library(colour_library.folder, model="m", say=_say)
    generation = Library.open(colour_library.folder).manifest.generation
    summary = describe_library(colour_library.folder, model="other", say=lambda path: pytest.fail("asked again"))
    assert summary.described == 0
    assert Library.open(colour_library.folder).manifest.generation == generation


def test_describe_stops_at_the_limit_and_goes_on(colour_library: Library) -> None:
    first = describe_library(colour_library.folder, model="m", say=_say, limit=3)
    assert (first.described, first.left) == (3, 5)
    assert sum(bool(record.alt) for record in _records(colour_library.folder).values()) == 3
    assert describe_library(colour_library.folder, model="m", say=_say).described == 5


def test_described_library_still_finds_its_pictures(colour_library: Library) -> None:
    describe_library(colour_library.folder, model="m", say=_say)
    assert Library.open(colour_library.folder, encoder=ColourEncoder()).search("red", 1)[0].image.alt == "A red wall."
    names = {path.name for path in (colour_library.folder / "catalogue").iterdir()}
    assert names == {"000002.parquet"}


def test_update_keeps_machine_words_while_the_content_stays(
    colour_library: Library, colour_folder: Path, paint: Paint
) -> None:
    library = colour_library.folder
    describe_library(library, model="m", say=_say)
    (colour_folder / "red.png").rename(colour_folder / "crimson.png")
    (colour_folder / "copy.png").write_bytes((colour_folder / "white.png").read_bytes())
    paint(colour_folder / "blue.png", "blue", size=(9, 9))
    update(library, encoder=ColourEncoder())
    found = _records(library)
    assert (found["crimson"].alt, found["crimson"].described_by) == ("A red wall.", "m")
    assert found["copy"].alt == "A white wall."
    assert (found["blue"].alt, found["blue"].described_by, found["blue"].described) == ("", "", ())
    build([colour_folder], library, encoder=ColourEncoder("ff" * 32), rebuild=True)
    assert _records(library)["crimson"].alt == "A red wall."


def test_peoples_words_replace_machine_words_and_leave_them_behind(
    colour_library: Library, colour_folder: Path
) -> None:
    library = colour_library.folder
    describe_library(library, model="m", say=_say)
    csv = colour_folder / "limner-metadata.csv"
    csv.write_text("file,caption,alt\nred.png,By Ann,By Ann\n")
    update(library, encoder=ColourEncoder())
    assert (_records(library)["red"].alt, _records(library)["red"].described_by) == ("By Ann", "")
    csv.unlink()
    update(library, encoder=ColourEncoder())
    assert (_records(library)["red"].alt, _records(library)["red"].described_by) == ("A red wall.", "m")


def test_describe_skips_what_is_gone_changed_or_silent(
    colour_library: Library, colour_folder: Path, paint: Paint
) -> None:
    (colour_folder / "red.png").unlink()
    paint(colour_folder / "blue.png", "blue", size=(9, 9))

    def say(path: Path) -> str:
        if path.stem == "white":
            raise PictureUnreadable(str(path), "the model has no words for it")
        return _say(path)

    summary = describe_library(colour_library.folder, model="m", say=say)
    assert summary.described == 5
    assert {path.stem: reason for path, reason in summary.skipped} == {
        "red": "the file is not there",
        "blue": "changed since the last build: run `limner index update`",
        "white": "the model has no words for it",
    }


def test_describe_bounds_and_cleans_words(colour_library: Library) -> None:
    describe_library(colour_library.folder, model="m", say=lambda path: "wall\n\x1b[31m " + "long " * 1000)
    alt = _records(colour_library.folder)["red"].alt
    assert alt.startswith("wall [31m long") and len(alt) <= 2000


def test_ctrl_c_publishes_what_was_described(colour_library: Library) -> None:
    def say(path: Path) -> str:
        if path.stem == "cyan":
            raise KeyboardInterrupt
        return _say(path)

    with pytest.raises(KeyboardInterrupt):
        describe_library(colour_library.folder, model="m", say=say)
    assert [name for name, record in _records(colour_library.folder).items() if record.alt] == ["black", "blue"]


_SLOW = """
import sys, time
from pathlib import Path
from limner.index.describe import describe_library

def say(path):
    if path.stem == "cyan":
        Path(sys.argv[2]).touch()
        time.sleep(60)
    return f"A {path.stem} wall."

describe_library(Path(sys.argv[1]), model="m", say=say)
"""


def test_kill_keeps_what_was_described(colour_library: Library, tmp_path: Path) -> None:
    library, flag = colour_library.folder, tmp_path / "flag"
    child = subprocess.Popen([sys.executable, "-c", _SLOW, str(library), str(flag)])
    try:
        deadline = time.monotonic() + 60
        while not flag.exists():
            assert child.poll() is None and time.monotonic() < deadline
            time.sleep(0.01)
        with pytest.raises(LibraryLocked):
            describe_library(library, model="m", say=_say)
    finally:
        child.kill()
        child.wait()
    with (library / DESCRIPTIONS_NAME).open("ab") as file:
        file.write(b'{"hash": "cut sho')  # as a kill in the middle of a line leaves it
    update(library, encoder=ColourEncoder())
    assert [name for name, record in _records(library).items() if record.alt] == ["black", "blue"]
    assert describe_library(library, model="m", say=_say).described == 6
    assert all(record.alt for record in _records(library).values())
    assert len((library / DESCRIPTIONS_NAME).read_bytes().splitlines()) == 9


def test_describe_reads_no_nonsense_from_its_journal(colour_library: Library) -> None:
    lines = ["", "nonsense", "[]", "{}", '{"hash": 1, "model": 2, "text": 3}', json.dumps({"hash": "h", "model": "m"})]
    (colour_library.folder / DESCRIPTIONS_NAME).write_text("\n".join(lines))
    assert describe_library(colour_library.folder, model="m", say=_say).described == 8


def test_describe_needs_a_library_that_is_free(colour_library: Library, tmp_path: Path) -> None:
    with pytest.raises(LibraryMissing):
        describe_library(tmp_path / "nowhere", model="m", say=_say)
    assert not (tmp_path / "nowhere").exists()
    with writing(colour_library.folder), pytest.raises(LibraryLocked):
        describe_library(colour_library.folder, model="m", say=_say)
