"""Lists of briefs read into rows: kinds of files, names of folders, digests, and rows that are none."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
from limner.composer.batch.rows import BadRow, Row, folder_name, read_rows
from limner.composer.brief import BriefFields
from limner.composer.errors import BatchUnreadable, BriefInvalid

PLAIN = BriefFields()


def rows_of(path: Path, defaults: BriefFields = PLAIN) -> list[Row]:
    rows = read_rows(path, defaults)
    assert not [row for row in rows if isinstance(row, BadRow)], rows
    return [row for row in rows if isinstance(row, Row)]


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


ONE = {"id": "one", "instruction": "A red fox", "images": 2, "seed": 3, "title": "Fox, red"}
TWO = {"id": "two", "instruction": "A blue owl\nby night"}
CSV = 'id,instruction,images,seed,title\none,A red fox,2,3,"Fox, red"\n\ntwo,"A blue owl\nby night",,,\n'
YAML = """\
- {id: one, instruction: A red fox, images: 2, seed: 3, title: 'Fox, red'}
- id: two
  instruction: |
    A blue owl
    by night
"""
DOCUMENTS = """\
{id: one, instruction: A red fox, images: 2, seed: 3, title: 'Fox, red'}
---
id: two
instruction: |
  A blue owl
  by night
"""


def test_read_rows_leaves_the_bound_of_other_csv_files(tmp_path: Path) -> None:
    before = csv.field_size_limit()
    rows_of(write(tmp_path / "b.csv", CSV))
    assert csv.field_size_limit() == before


@pytest.mark.parametrize(
    ("name", "text", "places"),
    [
        ("b.jsonl", f"{json.dumps(ONE)}\n\n{json.dumps(TWO)}\n", ["line 1", "line 3"]),
        ("b.csv", CSV, ["line 2", "line 4"]),
        ("bom.csv", "\ufeff" + CSV, ["line 2", "line 4"]),
        ("semicolon.csv", CSV.replace(",A", ";A").replace("id,", "id;"), None),
        ("b.tsv", "id\tinstruction\timages\tseed\ttitle\none\tA red fox\t2\t3\tFox, red\n", ["line 2"]),
        ("b.yaml", YAML, ["line 1", "line 2"]),
        ("documents.yml", DOCUMENTS, ["line 1", "line 3"]),
    ],
)  # fmt: skip
def test_read_rows_of(tmp_path: Path, name: str, text: str, places: list[str] | None) -> None:
    if places is None:
        text = "id;instruction;images;seed;title\none;A red fox;2;3;Fox, red\n"
    rows = rows_of(write(tmp_path / name, text))

    first = rows[0].brief()
    assert (rows[0].id, rows[0].folder) == ("one", "one")
    assert (first.instruction, first.images, first.seed, first.title) == ("A red fox", 2, 3, "Fox, red")
    if len(rows) > 1:
        assert rows[1].brief().instruction == "A blue owl\nby night"
    if places:
        assert [row.where for row in rows] == places


def test_bad_rows_say_where_and_why_and_the_others_stay(tmp_path: Path) -> None:
    lines = [
        '{"instruction": "good"}',
        "{not json",
        '["a list"]',
        '{"instruction": "a", "tittle": "b"}',
        '{"instruction": "a", "images": 0}',
        '{"id": "", "instruction": "a"}',
        '{"instruction": "a", "instruction": "b"}',
        '{"id": "x", "seed": 1}',
        '{"instruction": "a", "material": "nowhere.txt"}',
        "[" * 100_000,
    ]
    path = tmp_path / "b.jsonl"
    path.write_bytes("\n".join(lines).encode() + b'\n{"instruction": "\xff"}\n{"instruction": "also good"}')
    rows = read_rows(path, PLAIN)

    bad = {row.where: row.reason for row in rows if isinstance(row, BadRow)}
    assert [row.where for row in rows if isinstance(row, Row)] == ["line 1", "line 12"]
    assert list(bad) == [f"line {number}" for number in range(2, 12)]
    for line, words in {
        2: "is not JSON",
        3: "is not an object",
        4: "did you mean `title`",
        5: "`images` cannot be 0",
        6: "`id` must be a word",
        7: "has instruction twice",
        8: "what to write about",
        9: "nowhere.txt",
        10: "nested too deeply",
        11: "is not UTF-8",
    }.items():
        assert words in bad[f"line {line}"]
        assert bad[f"line {line}"].startswith(f"line {line}")


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("b.csv", "id,instruction\nx,a,b\n", "has 3 cells, the header has 2"),
        ("b.yaml", "- just words\n", "is not a mapping"),
        ("b.yaml", "- {instruction: !!python/name:os.system x}\n", "is not a brief"),
        ("b.yaml", "- {title: a, title: b}\n", "has title twice"),
        ("b.csv", "id,instruction,images\nx,a,many\n", "`images` cannot be 'many'"),
    ],
)
def test_a_bad_row_of(tmp_path: Path, name: str, text: str, words: str) -> None:
    [row] = read_rows(write(tmp_path / name, text), PLAIN)
    assert isinstance(row, BadRow)
    assert words in row.reason


@pytest.mark.parametrize(
    ("name", "data", "words"),
    [
        ("b.jsonl", b"", "holds no briefs"),
        ("b.csv", b"id,instruction\n", "holds no briefs"),
        ("b.csv", b'id,instruction\nx,"a\n', "is not CSV"),
        ("b.csv", b"id,id\nx,y\n", "two columns named id"),
        ("b.csv", b"id,instruction\nx,\xff\xfe\n", "not UTF-8"),
        ("b.yaml", b"- {a: b\n- c", "line 2"),
        ("b.txt", b"x", "no list of briefs"),
        ("folder", None, "holds no briefs"),
        ("missing.jsonl", None, "does not exist"),
    ],
)
def test_a_list_that_is_none_is_refused(tmp_path: Path, name: str, data: bytes | None, words: str) -> None:
    path = tmp_path / name
    if data is not None:
        path.write_bytes(data)
    elif name == "folder":
        path.mkdir()
    with pytest.raises(BatchUnreadable, match=words):
        read_rows(path, PLAIN)


def test_two_rows_of_one_folder_are_refused_by_name(tmp_path: Path) -> None:
    same = write(tmp_path / "b.jsonl", '{"id": "x", "instruction": "a"}\n\n{"id": "X", "instruction": "b"}\n')
    rows = rows_of(same)  # X has a digest: on some disks x and X are one name
    assert len({row.folder.casefold() for row in rows}) == 2

    write(same, '{"id": "x", "instruction": "a"}\n\n{"id": "x", "instruction": "b"}\n')
    with pytest.raises(BriefInvalid, match=r"x: line 1 and line 3"):
        read_rows(same, PLAIN)
    write(same, '{"instruction": "a"}\n{"instruction": "a", "seed": 1}\n')
    with pytest.raises(BriefInvalid, match=r"line 1 and line 2"):
        read_rows(same, PLAIN)


@pytest.mark.parametrize(
    ("words", "begins", "exact"),
    [
        ("trip-1", "trip-1", True),
        ("../../etc/passwd", "etc-passwd-", False),
        ("Über uns", "uber-uns-", False),
        ("猫的一天", "猫的一天", True),
        ("...", "row-", False),
        ("con", "picture-con-", False),
        ("x" * 500, "xxx", False),
    ],
)
def test_folder_name(words: str, begins: str, exact: bool) -> None:
    name = folder_name(words)
    assert name.startswith(begins)
    assert (name == words) == exact
    assert Path(name).name == name
    assert len(name.encode()) < 255


def test_a_row_without_an_id_keeps_its_folder_when_it_is_edited(tmp_path: Path) -> None:
    [before] = rows_of(write(tmp_path / "b.jsonl", '{"instruction": "The red fox"}'))
    [edited] = rows_of(write(tmp_path / "b.jsonl", '{"instruction": "The red fox", "images": 3}'))
    [other] = rows_of(write(tmp_path / "b.jsonl", '{"instruction": "The red fox!"}'))

    assert before.folder == edited.folder != other.folder
    assert before.folder.startswith("the-red-fox-")
    assert before.digest != edited.digest


def test_defaults_hold_where_a_row_says_nothing(tmp_path: Path) -> None:
    (tmp_path / "d.md").write_text("# Mine\n\nRed.\n")
    path = write(tmp_path / "b.jsonl", '{"instruction": "a"}\n{"instruction": "b", "seed": 9}\n{"draft": "d.md"}\n')
    rows = rows_of(path, BriefFields(seed=4, tone="dry", where="width > 10"))

    briefs = [row.brief() for row in rows]
    assert [brief.seed for brief in briefs] == [4, 9, 4]
    assert [brief.tone for brief in briefs] == ["dry", "dry", None]  # a draft is past its tone
    assert {brief.where for brief in briefs} == {"width > 10"}


def test_a_folder_gives_its_drafts_and_briefs(tmp_path: Path) -> None:
    write(tmp_path / "a.md", "# A\n\nRed.\n")
    write(tmp_path / "sub/a.md", "# A\n\nBlue.\n")
    write(tmp_path / "owl/brief.toml", 'draft = "text.md"\nimages = 1\n')
    write(tmp_path / "owl/text.md", "# Owl\n\nGreen.\n")
    write(tmp_path / "fox.toml", 'instruction = "A fox"\n')
    write(tmp_path / "broken.toml", "= what\n")
    write(tmp_path / ".hidden/b.md", "# no\n")
    rows = read_rows(tmp_path, PLAIN)

    good = {row.where: row for row in rows if isinstance(row, Row)}
    assert list(good) == ["a.md", "fox.toml", "owl/brief.toml", "sub/a.md"]
    assert [row.where for row in rows if isinstance(row, BadRow)] == ["broken.toml"]
    assert (good["a.md"].folder, good["owl/brief.toml"].folder, good["fox.toml"].folder) == ("a", "owl", "fox")
    assert good["sub/a.md"].folder.startswith("sub-a-")
    assert good["owl/brief.toml"].fields.draft == tmp_path / "owl" / "text.md"


def test_an_edited_draft_has_another_digest(tmp_path: Path) -> None:
    write(tmp_path / "d/a.md", "Red.\n")
    [before] = rows_of(tmp_path / "d")
    write(tmp_path / "d/a.md", "Blue.\n")
    [after] = rows_of(tmp_path / "d")
    assert (before.folder, before.digest != after.digest) == (after.folder, True)


def test_a_cell_may_name_several_files(tmp_path: Path) -> None:
    write(tmp_path / "m1.txt", "one")
    write(tmp_path / "m2.txt", "two")
    [row] = rows_of(write(tmp_path / "b.csv", 'instruction,material,keywords\na,m1.txt; m2.txt,"red, fox"\n'))
    brief = row.brief()
    assert [material.text for material in brief.material] == ["one", "two"]
    assert brief.keywords == ("red", "fox")
