"""The command as a whole: exit codes, what is imported, colour, models, the demo."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest
from limner.cli.demo import EXAMPLES
from limner.index.library import Library

from ..colours import Paint
from .conftest import Limner
from .fakes import ColourEncoder, ColourModel, colour_wiring

# A runner that itself runs in the background has SIGINT ignored, and its children inherit that.
MAIN = (
    "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); from limner.cli.app import main; main()"
)


def run(*args: object, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", MAIN, *map(str, args)]
    return subprocess.run(
        command, capture_output=True, text=True, env=os.environ | environment, stdin=subprocess.DEVNULL, check=False
    )


def test_version_is_the_distributions(limner: Limner) -> None:
    assert limner("--version").stdout == f"limner {version('limner')}\n"


@pytest.mark.parametrize("group", [(), ("index",), ("models",)])
def test_group_alone_shows_its_help(limner: Limner, group: tuple[str, ...]) -> None:
    result = limner(*group)

    assert result.exit_code == 0
    assert "Commands" in result.stdout


def test_help_imports_nothing_heavy() -> None:
    script = (
        "import sys\nsys.argv = ['limner', '--help']\n"
        "try:\n    from limner.cli.app import main; main()\n"
        "finally:\n    print('|', *sys.modules, file=sys.stderr)"
    )
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)

    loaded = set(result.stderr.split("|")[1].split())
    heavy = {"torch", "transformers", "open_clip", "duckdb", "faiss", "pyarrow", "numpy", "PIL", "jinja2"}
    assert "typer" in loaded
    assert not loaded & heavy


def test_exit_codes_and_streams_of_the_real_command(tmp_path: Path) -> None:
    good = run("--help")
    usage = run("index", "search", "", "--library", tmp_path)
    failed = run("index", "info", "--library", tmp_path)

    assert (good.returncode, usage.returncode, failed.returncode) == (0, 2, 1)
    assert good.stderr == usage.stdout == failed.stdout == ""
    assert failed.stderr.startswith(f"error: no library at {tmp_path}\nhint: ")


def test_pipes_get_no_colour_and_whole_lines(tmp_path: Path) -> None:
    folder = tmp_path / ("long-name-" * 15)
    result = run("index", "info", "--library", folder, TERM="xterm-256color", COLUMNS="40")

    assert "\x1b" not in result.stderr
    assert str(folder) in result.stderr.splitlines()[0]


def test_unexpected_failure_is_one_line_unless_debug(limner: Limner, library: Path, tmp_path: Path) -> None:
    def fail(question: str) -> None:
        raise ZeroDivisionError("a fault of ours")

    wiring = colour_wiring(ColourModel(before_call=fail))
    command = ("compose", "red", "--library", library, "--out", tmp_path / "out")
    short = limner(*command, wiring=wiring)
    debug = limner("--debug", *command, wiring=wiring)

    assert short.exit_code == 1
    assert "error: unexpected ZeroDivisionError: a fault of ours" in short.stderr
    assert "--debug" in short.stderr
    assert "Traceback" not in short.output
    assert isinstance(debug.exception, ZeroDivisionError)


def test_interrupted_build_says_how_to_go_on_and_does(limner: Limner, colour_folder: Path, tmp_path: Path) -> None:
    class Interrupted(ColourEncoder):
        def encode_images(self, images):
            if self.pictures_encoded:
                raise KeyboardInterrupt
            return super().encode_images(images)

    command = ("index", "build", colour_folder, "--library", tmp_path / "library", "--batch-size", 3)
    stopped = limner(*command, wiring=colour_wiring(encoder=lambda name, device: Interrupted()))
    encoder = ColourEncoder()
    resumed = limner(*command, wiring=colour_wiring(encoder=lambda name, device: encoder))

    assert stopped.exit_code == 130
    assert stopped.stderr.splitlines()[-2:] == [
        "error: stopped; nothing is lost",
        "hint: run the same command again: it goes on where it stopped",
    ]
    assert resumed.exit_code == 0
    assert encoder.pictures_encoded == 5


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGINT for one process")
def test_ctrl_c_ends_the_real_command_with_130(tmp_path: Path, paint: Paint) -> None:
    for number in range(2500):
        paint(tmp_path / "pictures" / f"{number}.png", (number % 256, number // 256, 0))
    command = [sys.executable, "-c", MAIN, "index", "build", "pictures", "--library", "library", "--batch-size", "8"]
    with subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True) as build:
        assert build.stderr is not None
        assert build.stderr.readline().startswith("Indexing: ")
        build.send_signal(signal.SIGINT)
        rest = build.stderr.read()

    assert build.returncode == 130
    assert "nothing is lost" in rest
    assert "Traceback" not in rest


def test_models_list_shows_tiers_in_order(limner: Limner) -> None:
    text = limner("models", "list").stdout
    tree = json.loads(limner("models", "list", "--json").stdout)

    assert text.index("colour-model") < text.index("far  (not here)")
    assert "needs an address" in text
    assert {
        "tier": "embedded",
        "name": "colour-model",
        "present": True,
        "needs": "nothing",
        "note": "colours alone",
        "size_bytes": None,
        "reads_pictures": None,
    } in tree["models"]
    assert tree["encoders"] == ["colour"]


def test_demo_composes_three_articles_once(limner: Limner, own_folder: Path) -> None:
    model = ColourModel()
    wiring = colour_wiring(model)
    first = limner("demo", wiring=wiring)
    calls = len(model.asked)
    second = limner("demo", wiring=wiring)

    assert first.exit_code == second.exit_code == 0, first.stderr
    assert calls >= 2 * len(EXAMPLES)
    assert len(model.asked) == calls
    assert first.stdout == second.stdout
    pages = [own_folder / "limner-demo" / example.folder / "article.html" for example in EXAMPLES]
    assert all(page.is_file() and str(page) in first.stdout for page in pages)


def test_demo_of_another_version_is_made_anew(limner: Limner, tmp_path: Path) -> None:
    assert limner("demo", "--out", tmp_path / "demo").exit_code == 0
    newer = ColourModel(name="newer-model")
    encoder = ColourEncoder("ee" * 32)
    wiring = colour_wiring(
        newer,
        encoder=lambda name, device: encoder,
        library=lambda folder, device: Library.open(folder, encoder=encoder),
    )

    result = limner("demo", "--out", tmp_path / "demo", wiring=wiring)

    assert result.exit_code == 0, result.stderr
    article = json.loads((tmp_path / "demo" / EXAMPLES[0].folder / "article.json").read_text())
    assert article["models"]["writer"] == "newer-model"
