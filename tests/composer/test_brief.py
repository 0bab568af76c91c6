"""A brief from outside: brief.toml and rows, checked key by key, and the files that they name."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from limner.composer.article import Brief, Material, Section
from limner.composer.brief import KEYS, BriefFields, brief_fields, read_brief, to_brief
from limner.composer.errors import BriefInvalid, FieldInvalid
from PIL import Image

README = Path(__file__).resolve().parents[2] / "README.md"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "notes.md").write_text("Some notes.\n", encoding="utf-8-sig")
    (tmp_path / "outline.yaml").write_text("title: Port\nsections: [Harbour, {Town: by day}]\n")
    (tmp_path / "outline.md").write_text("- Harbour\n  - Quay\n- Town\n")
    (tmp_path / "draft.md").write_text("# Mine\n\nText.\n")
    (tmp_path / "binary.md").write_bytes(b"a\0b")
    (tmp_path / "latin.md").write_bytes("Brücke".encode("latin-1"))
    (tmp_path / "empty.md").write_text(" \n")
    for name, colour in (("red.png", "red"), ("blue.png", "blue")):
        Image.new("RGB", (40, 30), colour).save(tmp_path / name)
    (tmp_path / "again.png").write_bytes((tmp_path / "red.png").read_bytes())
    return tmp_path


def brief_of(folder: Path, toml: str) -> Brief:
    path = folder / "brief.toml"
    path.write_text(toml, encoding="utf-8")
    return to_brief(read_brief(path))


def test_readme_example_has_every_key_and_is_a_brief(folder: Path) -> None:
    found = re.search(r"^## Briefs\n.*?```toml\n(.*?)```", README.read_text(encoding="utf-8"), re.M | re.S)
    assert found is not None
    example = found[1]
    assert re.findall(r"^(?:# )?(\w+) = ", example, re.M) == list(KEYS)
    (folder / "photo-1.jpg").write_bytes((folder / "red.png").read_bytes())
    (folder / "photo-2.jpg").write_bytes((folder / "blue.png").read_bytes())
    (folder / "interview.txt").write_text("Q: Why?")

    brief = brief_of(folder, example)

    assert brief.language == "en"
    assert [item.name for item in brief.material] == ["notes.md", "interview.txt"]
    assert len(brief.reference) == 2
    assert len(brief.outline) > 2


def test_files_are_named_relative_to_the_brief(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir("/")
    brief = brief_of(
        folder, 'instruction = "A port"\noutline = "outline.yaml"\nmaterial = "notes.md"\nreference = ["red.png"]\n'
    )
    assert brief.title == "Port"
    assert brief.outline == (Section("Harbour"), Section("Town", 1, "by day"))
    assert brief.material == (Material("notes.md", "Some notes."),)
    assert brief.reference[0].path == str(folder / "red.png")


def test_dashes_are_underscores_and_numbers_may_be_text() -> None:
    row = {"instruction": "x", "max-new-tokens": "300", "top-p": "0.5", "images": "3", "length": "400", "seed": "7"}
    brief = to_brief(brief_fields(row, folder=Path(), source="row 1"))
    assert (brief.max_new_tokens, brief.top_p, brief.images, brief.length, brief.seed) == (300, 0.5, 3, 400, 7)
    with pytest.raises(FieldInvalid, match="`top_p` twice"):
        brief_fields({"top-p": 0.5, "top_p": 0.5}, folder=Path(), source="row 1")


def test_what_is_said_in_flags_wins_and_nothing_else() -> None:
    file = BriefFields(instruction="x", tone="warm", seed=7, images=3)
    flags = brief_fields({"seed": 0, "images": "auto", "tone": None}, folder=Path(), source="flags")
    merged = file.over(flags).or_else(seed=1, images=9, candidates=5)
    assert merged.said() == {"instruction": "x", "tone": "warm", "images": "auto", "candidates": 5, "seed": 0}
    assert to_brief(merged) == Brief("x", tone="warm", candidates=5)


def test_an_instruction_that_is_a_list_is_an_outline(folder: Path) -> None:
    brief = brief_of(folder, 'instruction = """\n- Harbour\n  - Quay\n- Town\n"""')
    assert brief.instruction == ""
    assert [section.heading for section in brief.outline] == ["Harbour", "Quay", "Town"]
    assert brief_of(folder, 'outline = [["Quay"], {Town = "by day"}]').outline == (
        Section("Quay", 2),
        Section("Town", 1, "by day"),
    )


@pytest.mark.parametrize("line", ['title = "A Cat"', 'keywords = "red, balloon"', 'material = "notes.md"'])
def test_title_keywords_or_material_alone_are_enough(folder: Path, line: str) -> None:
    assert brief_of(folder, line).instruction == ""


@pytest.mark.parametrize(
    ("line", "message", "hint"),
    [
        ('tonne = "warm"', "unknown key: tonne", "`tone`"),
        ('references = ["red.png"]', "unknown key: references", "`reference`"),
        ('Instruction = "x"', "unknown key: Instruction", "`instruction`"),
        ('lang = "de"', "unknown key: lang", "`language`"),
        ("zzz = 1", "unknown key: zzz", "instruction, title"),
        ('library = "x"', "unknown key: library", "limner.toml"),
        ("[instruction]\na = 1", "`instruction` cannot be that", ""),
        ("title = 5", "`title` cannot be 5: it must be text", ""),
        ('tone = " "', "`tone` cannot be ' ': it is empty", ""),
        ('language = "germna"', "`language` cannot be 'germna'.*did you mean de .German.", ""),
        ("language = 5", "`language` cannot be 5", ""),
        ("images = 0", "`images` cannot be 0", ""),
        ("images = true", "`images` cannot be True", ""),
        ("images = 2.5", "`images` cannot be 2.5", ""),
        ("candidates = 0", "`candidates` cannot be 0: it must be greater than or equal to 1", ""),
        ('candidates = "four"', "`candidates` cannot be 'four': it must be a whole number", ""),
        ("seed = -1", "`seed` cannot be -1", ""),
        ("seed = true", "`seed` cannot be True", ""),
        ('length = "huge"', "`length` cannot be 'huge': it must be short, medium, long or", ""),
        ("length = 3", "`length` cannot be 3", ""),
        ("temperature = 2.5", "`temperature` cannot be 2.5", ""),
        ('temperature = "hot"', "`temperature` cannot be 'hot'", ""),
        ("temperature = nan", "`temperature` cannot be nan", ""),
        ("top_p = 0", "`top_p` cannot be 0", ""),
        ("max_new_tokens = 0", "`max_new_tokens` cannot be 0", ""),
        ('references_only = "maybe"', "`references_only` cannot be 'maybe'", ""),
        ("references_only = true", "no reference", ""),
        ('references_only = true\nreference = "red.png"\nwhere = "x"', "`where` searches a library", ""),
        ("material = [5]", "`material` cannot be 5", ""),
        ('material = "gone.md"', "`material`: there is no file .*gone.md", ""),
        ('material = "binary.md"', "`material`: .*binary.md is not text", ""),
        ('material = "latin.md"', "`material`: .*latin.md is not UTF-8 text", ""),
        ('material = "empty.md"', "`material`: .*empty.md is empty", ""),
        ('material = "."', "`material`: cannot read", ""),
        ('material = "red.png"', "`material`: .*red.png is not text", ""),
        ('outline = "gone.md"', "`outline`: there is no file", ""),
        ('outline = "notes.md"', "`outline`: line 1 of the outline is no item", ""),
        ("outline = 5", "`outline` cannot be 5", ""),
        ('reference = "gone.png"', "`reference`: .*gone.png: the file is not there", ""),
        ('reference = "notes.md"', "`reference`: .*notes.md: not a picture", ""),
        ('reference = ["red.png", "red.png"]', "`reference`: .*red.png is given twice", ""),
        ('reference = ["red.png", "again.png"]', "again.png is given twice, as .*red.png", ""),
        (f"reference = {['red.png'] * 11}", "11 reference pictures are given, 10 are the most", "limner index build"),
        ('draft = "draft.md"\ntone = "warm"', "`tone` says how to write", ""),
        ('draft = "draft.md"\ninstruction = "x"', "`instruction` says how to write", ""),
    ],
)
def test_a_value_that_cannot_be_is_named_with_its_key(folder: Path, line: str, message: str, hint: str) -> None:
    subject = "" if "draft" in line or "nstruction" in line or "title" in line else 'instruction = "x"\n'
    with pytest.raises(FieldInvalid, match=message) as caught:
        brief_of(folder, subject + line)
    assert hint in caught.value.hint
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", ["a = ", "= 1", "instruction = x", "[[", "a = 1\na = 2", "x = " + "[" * 5000])
def test_a_file_that_is_no_toml_is_refused(folder: Path, text: str) -> None:
    with pytest.raises(BriefInvalid, match=r"brief\.toml is not valid TOML"):
        brief_of(folder, text)


def test_a_file_that_cannot_be_read_is_refused(folder: Path) -> None:
    for name, message in (("gone.toml", "cannot read"), (".", "cannot read"), ("latin.md", "not UTF-8")):
        with pytest.raises(BriefInvalid, match=message):
            read_brief(folder / name)


@pytest.mark.parametrize("text", ["", 'tone = "warm"', "material = []"])
def test_a_brief_about_nothing_is_refused(folder: Path, text: str) -> None:
    with pytest.raises(BriefInvalid, match="does not say what to write about"):
        brief_of(folder, text)


def test_yaml_that_is_none_is_refused(folder: Path) -> None:
    for text in ("a: [", "!!python/object:os.system x", "a: b: c", "a: &a [*a]", "- {[1]: x}"):
        (folder / "bad.yaml").write_text(text)
        with pytest.raises(FieldInvalid, match="`outline`"):
            brief_of(folder, 'outline = "bad.yaml"')
