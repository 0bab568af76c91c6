"""`limner compose`, `limner illustrate` and `limner render`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from limner.composer.models.options import ModelOptions

from .conftest import Limner
from .fakes import ColourModel, colour_wiring


def test_compose_writes_the_article_and_prints_its_paths(limner: Limner, library: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    result = limner("compose", "Of red and blue", "--library", library, "--out", out)

    assert result.exit_code == 0, result.stderr
    assert [Path(line).name for line in result.stdout.splitlines()] == ["article.html", "article.md", "article.json"]
    assert all(Path(line).is_file() for line in result.stdout.splitlines())
    assert sorted(path.name for path in (out / "images").iterdir()) == ["blue.png", "red.png"]
    assert "Choosing pictures: 2 of 2" in result.stderr
    assert "2 pictures" in result.stderr
    assert "\x1b" not in result.output


def test_compose_json_names_files_and_figures(limner: Limner, library: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    options = ("--library", library, "--out", out, "--format", "markdown", "--json")
    tree = json.loads(limner("compose", "red", *options).stdout)

    assert tree["figures"] == 1
    assert tree["markdown"] == str(out / "article.md")
    assert "html" not in tree
    assert not (out / "article.html").exists()


@pytest.mark.parametrize("source", ["argument", "file", "stdin"])
def test_compose_reads_the_instruction_from(limner: Limner, library: Path, tmp_path: Path, source: str) -> None:
    (tmp_path / "wish.txt").write_text("of green\n", encoding="utf-8-sig")
    argument = {"argument": "of green", "file": f"@{tmp_path / 'wish.txt'}", "stdin": "-"}[source]

    result = limner("compose", argument, "--library", library, "--out", tmp_path / "out", stdin="of green\n")

    assert result.exit_code == 0, result.stderr
    assert json.loads((tmp_path / "out" / "article.json").read_text())["brief"]["instruction"] == "of green"


def test_compose_passes_its_options_on(limner: Limner, library: Path, tmp_path: Path) -> None:
    asked: list[tuple[str, str]] = []

    def model(name: str, options: ModelOptions) -> ColourModel:
        asked.append((name, options.device))
        return ColourModel()

    options = ("--images", 1, "-m", 3, "--seed", 7, "--title", "My  Colours", "--model", "mine", "--device", "cpu")
    result = limner(
        "compose", "red, blue", "--library", library, "--out", tmp_path / "out", *options, "--embed",
        wiring=colour_wiring(model=model),
    )  # fmt: skip

    assert result.exit_code == 0, result.stderr
    assert asked == [("mine", "cpu")]
    article = json.loads((tmp_path / "out" / "article.json").read_text())
    assert article["brief"] == {
        "instruction": "red, blue", "title": "My Colours", "images": 1, "candidates": 3, "seed": 7,
    }  # fmt: skip
    figures = [block for block in article["blocks"] if block["kind"] == "figure"]
    assert [len(figure["candidates"]) for figure in figures] == [3]
    assert "data:image/png;base64," in (tmp_path / "out" / "article.html").read_text()


def test_compose_says_what_was_capped(limner: Limner, library: Path, tmp_path: Path) -> None:
    result = limner("compose", "red", "--library", library, "--out", tmp_path / "out", "--images", 9, "-m", 20)

    assert result.exit_code == 0
    notes = [line for line in result.stderr.splitlines() if line.startswith("note: ")]
    assert any("9 pictures asked for" in note for note in notes)
    assert any("20 candidates asked for" in note for note in notes)


def test_compose_says_why_places_stay_empty(limner: Limner, library: Path, tmp_path: Path) -> None:
    class Doubtful(ColourModel):
        def score(self, messages, answers):
            return [*(-5.0 for _ in answers[1:]), -0.1]

    wiring = colour_wiring(Doubtful())
    result = limner("compose", "red", "--library", library, "--out", tmp_path / "out", wiring=wiring)

    assert result.exit_code == 0
    assert "0 pictures" in result.stderr
    assert "1 place without: no picture fits" in result.stderr


def test_compose_fallback_fills_places_and_says_how_many(limner: Limner, library: Path, tmp_path: Path) -> None:
    class Doubtful(ColourModel):
        def score(self, messages, answers):
            self.asked.append("score")
            return [*(-5.0 for _ in answers[1:]), -0.1]

    model = Doubtful()
    options = ("--library", library, "--fallback", "top1", "--permutations", 3)
    result = limner("compose", "red", *options, "--out", tmp_path / "a", wiring=colour_wiring(model))

    assert result.exit_code == 0, result.stderr
    assert "1 picture\n1 of them the first found: none fitted" in result.stderr
    assert model.asked.count("score") == 3
    brief = json.loads((tmp_path / "a" / "article.json").read_text())["brief"]
    assert (brief["permutations"], brief["fallback"]) == (3, "top1")
    wiring = colour_wiring(Doubtful())
    tree = json.loads(limner("compose", "red", *options, "--out", tmp_path / "b", "--json", wiring=wiring).stdout)
    assert (tree["figures"], tree["fallbacks"], tree["empty"]) == (1, 1, {})


def test_what_was_told_before_the_work_stands_in_the_record_too(limner: Limner, library: Path, tmp_path: Path) -> None:
    command = ("compose", "of grey", "--library", library, "--out", tmp_path / "out", "--anyway", "--json")
    tree = json.loads(limner(*command, wiring=colour_wiring(check_library=lambda *_: "these pictures are dull")).stdout)
    assert tree["notices"][:2] == ["grey is outside of the coloured world", "these pictures are dull"]
    assert json.loads((tmp_path / "out" / "article.json").read_text())["notices"] == tree["notices"]


def test_compose_outside_the_models_world_is_refused(limner: Limner, library: Path, tmp_path: Path) -> None:
    model = ColourModel()
    result = limner("compose", "of grey", "--library", library, "--out", tmp_path / "out", wiring=colour_wiring(model))

    assert result.exit_code == 1
    assert "error: grey is outside of the coloured world" in result.stderr
    assert "limner models list" in result.stderr
    assert "--anyway" in result.stderr
    assert model.asked == []
    assert not (tmp_path / "out").exists()


def test_compose_of_a_library_outside_the_models_world_is_refused(
    limner: Limner, library: Path, tmp_path: Path
) -> None:
    wiring = colour_wiring(check_library=lambda name, library: f"{len(library)} photographs are outside")
    result = limner("compose", "red", "--library", library, "--out", tmp_path / "out", wiring=wiring)

    assert result.exit_code == 1
    assert "8 photographs are outside" in result.stderr


def test_compose_anyway_warns_and_goes_on(limner: Limner, library: Path, tmp_path: Path) -> None:
    options = ("--library", library, "--out", tmp_path / "out")
    result = limner("compose", "red and grey", *options, "--anyway")

    assert result.exit_code == 0, result.stderr
    assert "note: grey is outside of the coloured world" in result.stderr


def test_compose_resumes_after_an_interrupt(limner: Limner, library: Path, tmp_path: Path) -> None:
    def interrupt(question: str) -> None:
        if question == "select":
            raise KeyboardInterrupt

    options = ("--library", library, "--out", tmp_path / "out")
    stopped = limner("compose", "red", *options, wiring=colour_wiring(ColourModel(before_call=interrupt)))
    model = ColourModel()
    resumed = limner("compose", "red", *options, "--resume", wiring=colour_wiring(model))

    assert stopped.exit_code == 130
    assert "nothing is lost" in stopped.stderr
    assert "--resume" in stopped.stderr
    assert "Traceback" not in stopped.output
    assert resumed.exit_code == 0, resumed.stderr
    assert model.asked == ["select"]


@pytest.mark.parametrize("command", ["compose", "batch"])
def test_what_is_a_library_or_a_file_receives_no_article(
    limner: Limner, library: Path, tmp_path: Path, command: str
) -> None:
    briefs = tmp_path / "briefs.jsonl"
    briefs.write_text('{"id": "a", "instruction": "red"}\n')
    before = sorted(path.name for path in library.iterdir())
    asked = (command, "red" if command == "compose" else briefs, "--library", library)

    into_library = limner(*asked, "--out", library)
    into_file = limner(*asked, "--out", briefs)
    below_file = limner(*asked, "--out", briefs / "below")

    assert (into_library.exit_code, into_file.exit_code, below_file.exit_code) == (2, 2, 2)
    assert f"{library} is a library of pictures" in into_library.stderr
    assert f"{briefs} is a file" in into_file.stderr
    assert f"{briefs} is a file" in below_file.stderr
    assert sorted(path.name for path in library.iterdir()) == before


def test_compose_into_another_runs_folder_is_refused(limner: Limner, library: Path, tmp_path: Path) -> None:
    options = ("--library", library, "--out", tmp_path / "out")
    limner("compose", "red", *options)
    before = (tmp_path / "out" / "article.json").read_bytes()

    result = limner("compose", "blue", *options)

    assert result.exit_code == 1
    assert "holds another run (other brief)" in result.stderr
    assert "Loading" not in result.stderr  # it is told of before a model is loaded
    assert (tmp_path / "out" / "article.json").read_bytes() == before


@pytest.mark.parametrize(
    ("args", "complaint"),
    [
        (("",), "is empty"),
        ((" \n",), "is empty"),
        (("@nowhere.txt",), "nowhere.txt"),
        (("red", "--images", "0"), "must be auto or a number from 1, not '0'"),
        (("red", "--images", "-3"), "must be auto or a number from 1, not '-3'"),
        (("red", "--images", "some"), "must be auto or a number from 1, not 'some'"),
        (("red", "-m", "0"), "must be a number from 1, not 0"),
        (("red", "-m", "-1"), "must be a number from 1, not -1"),
        (("red", "--permutations", "0"), "must be a number from 1, not 0"),
        (("red", "--fallback", "top2"), "top2"),
        (("red", "--seed", "-1"), "must be 0 or more, not -1"),
        (("red", "--format", "pdf"), "pdf"),
        (("red", "--title", " "), "is empty"),
        ((), "INSTRUCTION"),
    ],
)
def test_compose_usage_error_is_one_line_and_exit_2(
    limner: Limner, library: Path, tmp_path: Path, args: tuple[str, ...], complaint: str
) -> None:
    result = limner("compose", *args, "--library", library, "--out", tmp_path / "out")

    assert result.exit_code == 2
    error, _ = result.stderr.splitlines()
    assert complaint in error
    assert not (tmp_path / "out").exists()


def test_compose_of_an_empty_stdin_or_binary_is_a_usage_error(limner: Limner, library: Path, tmp_path: Path) -> None:
    options = ("--library", library, "--out", tmp_path / "out")

    assert limner("compose", "-", *options, stdin="").exit_code == 2
    assert limner("compose", "-", *options, stdin=b"\xff\xfe\x00red").exit_code == 2


def test_compose_without_out_or_library_is_a_usage_error(limner: Limner, library: Path) -> None:
    assert "--out" in limner("compose", "red", "--library", library).stderr
    assert "--library" in limner("compose", "red", "--out", "out").stderr


def test_illustrate_keeps_the_draft_byte_for_byte(limner: Limner, library: Path, tmp_path: Path) -> None:
    draft = tmp_path / "draft.md"
    text = "# Mine\r\n\r\nEverything was red here.\r\n\r\n\r\nAnd *nothing* else.  \r\n"
    draft.write_bytes(text.encode())

    result = limner("illustrate", draft, "--library", library, "--out", tmp_path / "out")

    assert result.exit_code == 0, result.stderr
    article = json.loads((tmp_path / "out" / "article.json").read_text())
    kept = [block for block in article["blocks"] if "markdown" in block]
    assert article["lead"] + "".join(block["markdown"] + block["gap"] for block in kept) == text
    assert draft.read_bytes() == text.encode()
    assert (tmp_path / "out" / "images" / "red.png").is_file()


def test_illustrate_of_a_draft_outside_the_models_world_is_refused_unless_insisted(
    limner: Limner, library: Path, tmp_path: Path
) -> None:
    draft = tmp_path / "draft.md"
    draft.write_text("Everything was grey.\n")
    command = ("illustrate", draft, "--library", library, "--out", tmp_path / "out")

    assert "error: this draft is grey" in limner(*command).stderr
    assert limner(*command, "--anyway").exit_code == 0


@pytest.mark.parametrize("kind", ["missing", "folder", "binary", "empty"])
def test_illustrate_of_what_is_no_text_is_refused(limner: Limner, library: Path, tmp_path: Path, kind: str) -> None:
    draft = tmp_path / "draft.md"
    if kind == "folder":
        draft.mkdir()
    elif kind != "missing":
        draft.write_bytes({"binary": b"\x89PNG\xff\x00", "empty": b" \n"}[kind])

    result = limner("illustrate", draft, "--library", library, "--out", tmp_path / "out")

    assert result.exit_code == 1
    assert str(draft) in result.stderr
    assert not (tmp_path / "out").exists()


def test_render_again_with_the_pictures_inside(limner: Limner, library: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    limner("compose", "red", "--library", library, "--out", out, "--format", "markdown")

    result = limner("render", out / "article.json", "--format", "html", "--embed")

    assert result.exit_code == 0, result.stderr
    assert result.stdout == f"{out / 'article.html'}\n"
    assert "data:image/png;base64," in (out / "article.html").read_text()


def test_render_takes_the_folder_of_an_article_and_writes_into_no_library(
    limner: Limner, library: Path, tmp_path: Path
) -> None:
    limner("compose", "red", "--library", library, "--out", tmp_path / "out")
    (tmp_path / "out" / "article.md").unlink()

    result = limner("render", tmp_path / "out")
    refused = limner("render", tmp_path / "out", "--out", library)
    nothing = limner("render", library)

    assert result.exit_code == 0, result.stderr
    assert (tmp_path / "out" / "article.md").is_file()
    assert (refused.exit_code, nothing.exit_code) == (2, 1)
    assert "is a library of pictures" in refused.stderr
    assert "cannot read" in nothing.stderr
    assert not list(library.glob("article*"))


def test_render_elsewhere_takes_the_pictures_along(limner: Limner, library: Path, tmp_path: Path) -> None:
    limner("compose", "red", "--library", library, "--out", tmp_path / "out")

    result = limner("render", tmp_path / "out" / "article.json", "--out", tmp_path / "site")

    assert result.exit_code == 0, result.stderr
    assert (tmp_path / "site" / "images" / "red.png").is_file()
    assert (tmp_path / "site" / "article.md").read_bytes() == (tmp_path / "out" / "article.md").read_bytes()


@pytest.mark.parametrize("content", [None, b"", b"{}", b"\xff\xfe", b'{"version": 99}'])
def test_render_of_no_article_is_refused(limner: Limner, tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "article.json"
    if content is not None:
        path.write_bytes(content)

    result = limner("render", path)

    assert result.exit_code == 1
    assert "article.json" in result.stderr
    assert not (tmp_path / "article.html").exists()


def test_render_without_its_pictures_is_refused(limner: Limner, library: Path, tmp_path: Path) -> None:
    limner("compose", "red", "--library", library, "--out", tmp_path / "out", "--format", "markdown")
    (tmp_path / "out" / "images" / "red.png").unlink()

    for extra in ((), ("--out", tmp_path / "site")):
        result = limner("render", tmp_path / "out" / "article.json", "--format", "html", *extra)
        assert result.exit_code == 1
        assert "red.png" in result.stderr
    assert not (tmp_path / "site").exists()


def test_compose_where_keeps_to_the_condition(limner: Limner, library: Path, tmp_path: Path) -> None:
    options = ("--library", library, "--out", tmp_path / "out", "--where", "title <> 'red'")
    limner("compose", "Of red and blue", *options)

    article = json.loads((tmp_path / "out" / "article.json").read_text())
    candidates = [Path(c["path"]).stem for block in article["blocks"] for c in block.get("candidates", ())]
    assert article["brief"]["where"] == "title <> 'red'"
    assert candidates and "red" not in candidates
    other = limner("compose", "Of red and blue", "--library", library, "--out", tmp_path / "out", "--resume")
    assert "other brief" in other.stderr


def test_illustrate_refuses_a_condition_before_it_begins(limner: Limner, library: Path, tmp_path: Path) -> None:
    (tmp_path / "draft.md").write_text("Everything was red that day.\n")
    options = ("--library", library, "--out", tmp_path / "out", "--where", "getenv('HOME') = 'x'")
    result = limner("illustrate", tmp_path / "draft.md", *options)

    assert result.exit_code == 1
    assert "a condition cannot call getenv" in result.stderr
    assert not (tmp_path / "out").exists()
