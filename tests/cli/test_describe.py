"""`limner index describe`."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from limner.composer.models.options import ModelOptions
from limner.composer.protocols import Message, Picture, Sampling

from .conftest import Limner
from .fakes import ColourModel, colour_wiring


class Describer(ColourModel):
    """Says of a picture what its file is called."""

    def generate(self, messages: Sequence[Message], *, sampling: Sampling, schema=None) -> Iterator[str]:
        [picture] = [part for part in messages[0].parts if isinstance(part, Picture)]
        self.before_call(picture.path.stem)
        yield f"A {picture.path.stem} "
        yield "wall.\n"


def _alts(limner: Limner, library: Path) -> dict[str, tuple[str, str]]:
    hits = json.loads(limner("index", "search", "red", "--library", library, "-m", 8, "--json").stdout)
    return {Path(hit["path"]).stem: (hit["alt"], hit["described_by"]) for hit in hits}


def test_describe_fills_what_is_missing(limner: Limner, library: Path) -> None:
    wiring = colour_wiring(Describer())
    first = limner("index", "describe", "--library", library, "--limit", 3, "--json", wiring=wiring)
    assert json.loads(first.stdout) == {
        **{"library": str(library), "model": "colour-model", "described": 3, "left": 5, "skipped": []}
    }
    assert first.stderr.splitlines()[-1] == "Describing: 3 of 3"
    second = limner("index", "describe", "--library", library, wiring=wiring)
    assert (second.exit_code, "described  5" in second.stdout) == (0, True)
    assert _alts(limner, library)["red"] == ("A red wall.", "colour-model")
    said = json.loads(limner("index", "info", "--library", library, "--json").stdout)["said"]
    assert (said["alt"], said["described_by"], said["licence"]) == (8, 8, 0)


def test_describe_takes_the_model_asked_for(limner: Limner, library: Path) -> None:
    asked: list[tuple[str, str]] = []

    def model(name: str, options: ModelOptions) -> ColourModel:
        asked.append((name, options.device))
        return Describer()

    options = ("--library", library, "--limit", 1, "--model", "transformers:x", "--device", "cpu")
    assert limner("index", "describe", *options, wiring=colour_wiring(model=model)).exit_code == 0
    assert asked == [("transformers:x", "cpu")]


def test_describe_refuses_pictures_outside_of_the_models_world(limner: Limner, library: Path) -> None:
    wiring = colour_wiring(Describer(), check_library=lambda name, library: "these pictures are strange to it")
    refused = limner("index", "describe", "--library", library, wiring=wiring)
    assert (refused.exit_code, "--anyway" in refused.stderr) == (1, True)
    assert _alts(limner, library)["red"] == ("", "")
    assert limner("index", "describe", "--library", library, "--anyway", wiring=wiring).exit_code == 0
    assert _alts(limner, library)["red"] == ("A red wall.", "colour-model")


def test_ctrl_c_keeps_what_was_described(limner: Limner, library: Path) -> None:
    def stop(name: str) -> None:
        if name == "cyan":
            raise KeyboardInterrupt

    stopped = limner("index", "describe", "--library", library, wiring=colour_wiring(Describer(before_call=stop)))
    assert (stopped.exit_code, "nothing is lost" in stopped.stderr) == (130, True)
    assert _alts(limner, library)["blue"] == ("A blue wall.", "colour-model")


def test_describe_names_pictures_that_it_skipped(limner: Limner, library: Path, colour_folder: Path) -> None:
    (colour_folder / "red.png").unlink()
    result = limner("index", "describe", "--library", library, wiring=colour_wiring(Describer()))
    assert result.exit_code == 0
    assert f"{colour_folder / 'red.png'}: the file is not there" in result.stdout


@pytest.mark.parametrize(("args", "complaint"), [(("--limit", "0"), "from 1"), ((), "--library")])
def test_describe_usage_error(limner: Limner, args: tuple[str, ...], complaint: str) -> None:
    result = limner("index", "describe", *args)
    assert (result.exit_code, complaint in result.stderr) == (2, True)
