"""The whole path with a scripted writer and a selector that chooses by colour."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from limner.composer.article import Brief, Figure
from limner.composer.article_json import from_json
from limner.composer.errors import BriefInvalid, ReplyInvalid, RunMismatch
from limner.composer.markdown import parse_draft
from limner.composer.pipeline import Quiet, compose
from limner.index.library import Library

from .models import ColourModel, ScriptedModel

TEXT = "# Paint\n\nA red thing.\n\nA thought.\n\nA blue thing.\n\nThe end.\n"
SPOTS = "1: red\n3: blue"
BRIEF = Brief("about paint")


class Told(Quiet):
    """Remembers what a user would have seen."""

    def __init__(self) -> None:
        self.notices: list[str] = []
        self.steps: list[str] = []

    def step(self, name: str, detail: str = "") -> None:
        self.steps.append(name)

    def notice(self, message: str) -> None:
        self.notices.append(message)


def run(library: Library, out: Path, *, brief: Brief = BRIEF, model: ColourModel | None = None, **options):
    model = model or ColourModel(TEXT, SPOTS)
    return compose(brief, writer=model, selector=model, library=library, encoder="colour", out=out, **options)


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_compose_writes_every_part(colour_library: Library, tmp_path: Path) -> None:
    out = tmp_path / "out"
    article = run(colour_library, out)
    figures = [block for block in article.blocks if isinstance(block, Figure)]
    assert Path(figures[0].source or "").name == "red.png"
    assert len({figure.source for figure in figures}) == 2
    assert {figure.image for figure in figures} == {f"images/{path.name}" for path in (out / "images").iterdir()}
    assert from_json((out / "article.json").read_text()).title == "Paint"
    assert "![" in (out / "article.md").read_text()
    assert "<figure" in (out / "article.html").read_text()
    steps = [json.loads(line)["step"] for line in (out / "run" / "calls.jsonl").read_text().splitlines()]
    assert steps == ["write", "spots", "select 1", "select 2"]


def test_compose_same_input_same_bytes(colour_library: Library, tmp_path: Path) -> None:
    run(colour_library, tmp_path / "a")
    run(colour_library, tmp_path / "b")
    assert files(tmp_path / "a") == files(tmp_path / "b")


def test_compose_again_into_the_same_folder_gives_the_same(colour_library: Library, tmp_path: Path) -> None:
    run(colour_library, tmp_path / "a")
    before = files(tmp_path / "a")
    run(colour_library, tmp_path / "a")
    assert files(tmp_path / "a") == before


def test_compose_resumes_without_doing_finished_work_again(colour_library: Library, tmp_path: Path) -> None:
    whole = tmp_path / "whole"
    run(colour_library, whole)
    broken = ColourModel(TEXT, SPOTS)
    working = broken.score

    def killed(messages, answers):
        if len(broken.asked) == 3:
            raise KeyboardInterrupt
        return working(messages, answers)

    broken.score = killed
    with pytest.raises(KeyboardInterrupt):
        run(colour_library, tmp_path / "out", model=broken)
    assert not (tmp_path / "out" / "article.json").exists()
    rest = ColourModel()  # has no reply left for the writer's steps
    run(colour_library, tmp_path / "out", model=rest, resume=True)
    assert len(rest.asked) == 1
    log = str(Path("run") / "calls.jsonl")  # keeps the interrupted call too
    resumed, straight = files(tmp_path / "out"), files(whole)
    assert len(resumed.pop(log)) >= len(straight.pop(log))
    assert resumed == straight


def test_compose_resume_redoes_a_step_whose_file_is_broken(colour_library: Library, tmp_path: Path) -> None:
    run(colour_library, tmp_path / "out")
    (tmp_path / "out" / "run" / "choice-002.json").write_text('{"half')
    rest = ColourModel()
    run(colour_library, tmp_path / "out", model=rest, resume=True)
    assert len(rest.asked) == 1


def test_compose_refuses_another_run(colour_library: Library, tmp_path: Path) -> None:
    run(colour_library, tmp_path / "out")
    before = files(tmp_path / "out")
    for resume in (True, False):
        with pytest.raises(RunMismatch, match="brief"):
            run(colour_library, tmp_path / "out", brief=Brief("something else"), resume=resume)
    assert files(tmp_path / "out") == before


@pytest.mark.parametrize("brief", [Brief("  "), Brief("x", images=0), Brief("x", candidates=0)])
def test_compose_refuses_a_brief_without_sense(colour_library: Library, tmp_path: Path, brief: Brief) -> None:
    with pytest.raises(BriefInvalid):
        run(colour_library, tmp_path / "out", brief=brief)
    assert not (tmp_path / "out").exists()


def test_compose_writer_without_article_is_an_error(colour_library: Library, tmp_path: Path) -> None:
    with pytest.raises(ReplyInvalid):
        run(colour_library, tmp_path / "out", model=ColourModel("", "# Title"))
    assert not (tmp_path / "out" / "article.json").exists()


def test_compose_records_empty_spots(colour_library: Library, tmp_path: Path) -> None:
    article = run(colour_library, tmp_path / "out", model=ColourModel(TEXT, SPOTS, fits=False))
    values = json.loads((tmp_path / "out" / "article.json").read_text())
    empty = [block for block in values["blocks"] if block["kind"] == "empty_spot"]
    assert [block["outcome"] for block in empty] == ["none_fit", "none_fit"]
    assert all(len(block["candidates"]) == 4 for block in empty)
    assert "<figure" not in (tmp_path / "out" / "article.html").read_text()
    assert len(article.blocks) == 5 + 2


def test_compose_unparsed_selection_is_never_a_silent_first_picture(colour_library: Library, tmp_path: Path) -> None:
    told = Told()
    run(colour_library, tmp_path / "out", model=ColourModel(TEXT, SPOTS, broken=4), progress=told)
    values = json.loads((tmp_path / "out" / "article.json").read_text())
    outcomes = [block["outcome"] for block in values["blocks"] if block["kind"] in ("figure", "empty_spot")]
    assert outcomes == ["unparsed", "unparsed"]
    assert any("not usable" in notice for notice in told.notices)
    assert values["notices"] == told.notices


def test_compose_says_when_m_is_capped(colour_library: Library, tmp_path: Path) -> None:
    told = Told()
    run(colour_library, tmp_path / "out", brief=Brief("x", candidates=20), progress=told)
    assert any("20 candidates asked for" in notice for notice in told.notices)


def test_compose_keeps_the_users_draft(colour_library: Library, tmp_path: Path) -> None:
    source = "---\ntitle: Mine\n---\r\nRed <b>bold</b>.\r\n\r\nBlue *end*"
    model = ColourModel("1: red\n2: blue")
    draft = parse_draft(source)
    article = run(colour_library, tmp_path / "out", brief=Brief(""), model=model, draft=draft, draft_path=Path("d.md"))
    written = (tmp_path / "out" / "article.md").read_bytes().decode()
    assert written != source
    figures = [block for block in article.blocks if isinstance(block, Figure)]
    assert len(figures) == 2
    rest = [block for block in article.blocks if not isinstance(block, Figure)]
    assert article.lead + "".join(block.markdown + block.gap for block in rest) == source
    place = 0
    for piece in source.split("\r\n"):
        place = written.index(piece, place)


def test_compose_hostile_model_text_stays_text(colour_library: Library, tmp_path: Path) -> None:
    text = "# T\n\n<script>alert(1)</script>\n\n![x](http://example.org/x.png) [y](javascript:alert(1))\n"
    run(colour_library, tmp_path / "out", model=ColourModel(text, '1: <img src=x onerror="alert(1)"> ![a](b)'))
    page = (tmp_path / "out" / "article.html").read_text()
    assert "<script" not in page
    assert "onerror=" not in page.replace("onerror=&#34;", "").replace("onerror=&quot;", "")
    assert 'example.org/x.png"' not in page
    names = [path.name for path in (tmp_path / "out" / "images").iterdir()]
    assert all("<" not in name and "/" not in name for name in names)


def test_compose_full_disk_keeps_finished_steps(
    colour_library: Library, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from limner.index import atomic
    from limner.index.errors import WriteFailed

    whole = tmp_path / "whole"
    run(colour_library, whole)
    true_fsync = atomic.os.fsync
    calls = []

    def full(descriptor: int) -> None:
        calls.append(descriptor)
        if len(calls) > 6:
            raise OSError(28, "No space left on device")
        true_fsync(descriptor)

    monkeypatch.setattr(atomic.os, "fsync", full)
    with pytest.raises(WriteFailed, match="No space left"):
        run(colour_library, tmp_path / "out")
    monkeypatch.undo()
    assert not list((tmp_path / "out").rglob("*.partial"))
    run(colour_library, tmp_path / "out", model=ColourModel(SPOTS), resume=True)
    assert (tmp_path / "out" / "article.json").read_bytes() == (whole / "article.json").read_bytes()


def test_compose_of_a_model_that_only_writes(colour_library: Library, tmp_path: Path) -> None:
    writer = ScriptedModel(TEXT, "none")
    article = compose(
        BRIEF, writer=writer, selector=writer, library=colour_library, encoder="colour", out=tmp_path / "out"
    )
    assert not [block for block in article.blocks if isinstance(block, Figure)]
    shutil.rmtree(tmp_path / "out")


def test_compose_fallback_places_the_first_and_says_so(colour_library: Library, tmp_path: Path) -> None:
    brief = Brief("about paint", fallback="top1", permutations=2)
    article = run(colour_library, tmp_path / "out", brief=brief, model=ColourModel(TEXT, SPOTS, fits=False))
    figures = [block for block in article.blocks if isinstance(block, Figure)]
    assert [(figure.outcome, Path(figure.source or "").name) for figure in figures] == [
        ("fallback", "red.png"),
        ("fallback", "blue.png"),
    ]
    assert all(0 < figure.confidence < 0.5 and len(figure.candidates) == 4 for figure in figures)
    assert sum(candidate.probability for candidate in figures[0].candidates) < 0.5
    kept = from_json((tmp_path / "out" / "article.json").read_text())
    assert kept.brief == brief
    assert [block.outcome for block in kept.blocks if isinstance(block, Figure)] == ["fallback"] * 2
    said = [notice for notice in kept.notices if "fitted" in notice]
    assert said == [f"no picture fitted at spot {number}: the first one found stands there" for number in (1, 2)]
    calls = [json.loads(line) for line in (tmp_path / "out" / "run" / "calls.jsonl").read_text().splitlines()]
    assert [call["step"] for call in calls] == ["write", "spots", *["select 1"] * 2, *["select 2"] * 2]


def test_compose_fallback_is_not_for_answers_that_were_not_usable(colour_library: Library, tmp_path: Path) -> None:
    brief = Brief("about paint", fallback="top1")
    article = run(colour_library, tmp_path / "out", brief=brief, model=ColourModel(TEXT, SPOTS, broken=4))
    assert {block.outcome for block in article.blocks if isinstance(block, Figure)} == {"unparsed"}


def test_compose_records_an_answer_without_probability(colour_library: Library, tmp_path: Path) -> None:
    model = ColourModel(TEXT, SPOTS)
    model.score = lambda messages, answers: [-0.1, *(float("-inf") for _ in answers[1:])]
    run(colour_library, tmp_path / "out", model=model)
    lines = (tmp_path / "out" / "run" / "calls.jsonl").read_text().splitlines()
    scores = json.loads(lines[-1], parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))
    assert set(scores["log_probabilities"].values()) == {-0.1, None}
