"""`limner describe`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from .conftest import Limner
from .fakes import colour_wiring
from .test_describe import Describer


def lines(path: Path) -> list[str]:
    return path.read_text().splitlines()


def test_describe_prints_a_path_and_a_caption(limner: Limner, colour_folder: Path) -> None:
    result = limner("describe", colour_folder / "red.png", colour_folder, wiring=colour_wiring(Describer()))

    assert result.exit_code == 0, result.stderr
    rows = [line.split("\t") for line in result.stdout.splitlines()]
    assert [Path(path).stem for path, _ in rows] == sorted(path.stem for path in colour_folder.iterdir())
    assert rows[-3:][0][1].startswith("A ")
    assert [str(colour_folder / "red.png"), "A red wall."] in rows
    assert result.stderr.splitlines()[-1] == "Describing: 8 of 8"


def test_describe_json_is_an_object_a_line(limner: Limner, colour_folder: Path) -> None:
    result = limner("describe", colour_folder / "red.png", "--json", wiring=colour_wiring(Describer()))
    assert [json.loads(line) for line in result.stdout.splitlines()] == [
        {"path": str(colour_folder / "red.png"), "caption": "A red wall.", "model": "colour-model"}
    ]


def test_describe_goes_on_after_what_cannot_be_read(limner: Limner, colour_folder: Path, tmp_path: Path) -> None:
    (colour_folder / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\nno")

    class Careful(Describer):
        def generate(self, messages, *, sampling):
            from limner.index.decode import decode

            decode(messages[0].parts[0].path)
            return super().generate(messages, sampling=sampling)

    result = limner("describe", tmp_path / "nowhere.png", colour_folder, wiring=colour_wiring(Careful()))
    assert result.exit_code == 1
    assert len(result.stdout.splitlines()) == 8
    errors = [line for line in result.stderr.splitlines() if line.startswith("error: ")]
    assert [("nowhere.png: does not exist" in errors[0]), ("broken.png: " in errors[1])] == [True, True]


@pytest.mark.parametrize("as_json", [False, True])
def test_resume_describes_what_the_file_has_not(
    limner: Limner, colour_folder: Path, tmp_path: Path, as_json: bool, paint
) -> None:
    paint(colour_folder / "a\tb\\c\nd.png", "red")
    out, more = tmp_path / "captions", ["--json"] if as_json else []
    asked: list[str] = []

    def stop(name: str) -> None:
        asked.append(name)
        if len(asked) == 4:
            raise KeyboardInterrupt

    command = ("describe", colour_folder, "--out", out, *more)
    stopped = limner(*command, wiring=colour_wiring(Describer(before_call=stop)))
    assert (stopped.exit_code, len(lines(out)), "--resume" in stopped.stderr) == (130, 3, True)
    with out.open("a") as file:
        file.write('{"path": "/cut')  # as a kill leaves it

    asked.clear()
    resumed = limner(*command, "--resume", wiring=colour_wiring(Describer(before_call=asked.append)))
    assert resumed.exit_code == 0, resumed.stderr
    assert len(asked) == 6
    whole = limner("describe", colour_folder, *more, wiring=colour_wiring(Describer()))
    assert lines(out) == whole.stdout.splitlines()
    assert "6 described, 3 before, 0 without words" in resumed.stderr

    asked.clear()
    again = limner(*command, "--resume", wiring=colour_wiring(Describer(before_call=asked.append)))
    assert (again.exit_code, asked) == (0, [])


def test_nothing_is_overwritten(limner: Limner, colour_folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "captions"
    out.write_text("my notes\n")
    for more in ((), ("--resume",), ("--resume", "--json")):
        result = limner("describe", colour_folder, "--out", out, *more, wiring=colour_wiring(Describer()))
        assert result.exit_code == 1
        assert "captions" in result.stderr
    assert out.read_text() == "my notes\n"


@pytest.mark.parametrize(("args", "complaint"), [(("--resume",), "--out"), (("--model", "words"), "could see")])
def test_describe_usage_error(limner: Limner, colour_folder: Path, args: tuple[str, ...], complaint: str) -> None:
    result = limner("describe", colour_folder, *args)
    assert (result.exit_code, complaint in result.stderr) == (2, True)


def test_describe_says_what_the_embedded_model_is(limner: Limner, colour_folder: Path) -> None:
    result = limner("describe", colour_folder / "red.png", "--model", "nano-vlm", wiring=colour_wiring(Describer()))
    assert "nano-vlm knows only drawn picture-book scenes" in result.stderr
