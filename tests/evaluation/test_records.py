"""Records on the disk: gone on with, refused where they are others', never half a line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from limner.evaluation.errors import EvaluationBusy, EvaluationMismatch, RecordsUnreadable
from limner.evaluation.ranking import Rank
from limner.evaluation.records import Placement, Record, keep_records, read_records, read_settings
from limner.index.errors import WriteFailed

SETTINGS = {"knows": "alt", "sites": {"s": "1"}}
RECORDS = [
    Record(
        "s", f"{name}.md", (0, 3), ("a.jpg", "红.jpg"), {"uniform": Placement((1,), ("",))}, {"words": (Rank(2, 1),)}
    )
    for name in ("one", "two", "three")
]


def kept(out: Path, settings: dict[str, object] = SETTINGS, *, start_over: bool = False) -> list[Record | None]:
    with keep_records(out, settings, start_over=start_over) as keeper:
        return [keeper.get(record.site, record.document) for record in RECORDS]


@pytest.fixture
def out(tmp_path: Path) -> Path:
    """A folder with the first two records."""
    with keep_records(tmp_path / "out", SETTINGS, start_over=False) as keeper:
        for record in RECORDS[:2]:
            keeper.add(record)
    return tmp_path / "out"


def test_records_come_back_as_they_were(out: Path) -> None:
    assert kept(out) == [*RECORDS[:2], None]
    assert read_records(out) == RECORDS[:2]
    assert read_settings(out) == SETTINGS


def test_a_line_that_was_cut_off_is_left_out_and_the_next_one_stands_whole(out: Path) -> None:
    path = out / "records.jsonl"
    path.write_bytes(path.read_bytes()[:-20])

    assert kept(out) == [RECORDS[0], None, None]
    with keep_records(out, SETTINGS, start_over=False) as keeper:
        keeper.add(RECORDS[2])
    assert read_records(out) == [RECORDS[0], RECORDS[2]]


def test_other_settings_are_refused_and_named(out: Path) -> None:
    before = (out / "records.jsonl").read_bytes()

    with pytest.raises(EvaluationMismatch, match="with other knows, seed:") as caught:
        kept(out, {**SETTINGS, "knows": "nothing", "seed": 1})

    assert "--start-over" in caught.value.hint
    assert (out / "records.jsonl").read_bytes() == before
    assert read_settings(out) == SETTINGS


def test_starting_over_removes_what_was_there(out: Path) -> None:
    (out / "summary.json").write_text("{}")
    (out / "mine.txt").write_text("stays")

    assert kept(out, {**SETTINGS, "seed": 1}, start_over=True) == [None, None, None]
    assert sorted(path.name for path in out.iterdir() if path.name[0] != ".") == ["evaluation.json", "mine.txt"]


@pytest.mark.parametrize("start_over", [False, True])
def test_a_file_of_others_is_neither_written_over_nor_removed(tmp_path: Path, start_over: bool) -> None:
    (tmp_path / "summary.json").write_text("theirs")

    with pytest.raises(EvaluationMismatch, match=r"holds summary\.json of something else"):
        kept(tmp_path, start_over=start_over)
    assert (tmp_path / "summary.json").read_text() == "theirs"


def test_starting_over_keeps_the_mark_until_the_new_one_stands(out: Path) -> None:
    (out / "report.html").write_text("ours")
    (out / "evaluation.json.partial").mkdir()  # so that the new settings cannot be written

    with pytest.raises(WriteFailed):
        kept(out, start_over=True)
    (out / "evaluation.json.partial").rmdir()
    assert kept(out, start_over=True) == [None, None, None]


def test_a_damaged_line_is_named(out: Path) -> None:
    path = out / "records.jsonl"
    path.write_text(path.read_text().replace('"site"', '"sight"', 1))

    with pytest.raises(RecordsUnreadable, match="is damaged in line 1"):
        kept(out)


def test_settings_that_were_edited_are_noticed(out: Path) -> None:
    path = out / "evaluation.json"
    path.write_text(path.read_text().replace("alt", "nothing"))

    with pytest.raises(RecordsUnreadable, match="was changed"):
        read_settings(out)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"settings": 1, "digest": 2, "version": 3}'])
def test_settings_that_are_none_are_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "evaluation.json").write_text(text)

    with pytest.raises(RecordsUnreadable):
        kept(tmp_path)


def test_a_folder_without_an_evaluation(tmp_path: Path) -> None:
    for read in (read_settings, read_records):
        with pytest.raises(RecordsUnreadable, match="holds no evaluation"):
            read(tmp_path)


def test_one_process_at_a_time(out: Path) -> None:
    with keep_records(out, SETTINGS, start_over=False), pytest.raises(EvaluationBusy):
        kept(out)


def test_names_that_are_not_utf_8_come_back(tmp_path: Path) -> None:
    record = Record("s", "a.md", (0,), (b"caf\xe9.jpg".decode("utf-8", "surrogateescape"),))
    with keep_records(tmp_path / "out", SETTINGS, start_over=False) as keeper:
        keeper.add(record)

    assert json.loads((tmp_path / "out" / "records.jsonl").read_bytes())["pictures"] == list(record.pictures)
