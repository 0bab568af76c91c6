"""Words of a library that is too large to be written anew each time: its parts say what one part would."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from limner.index import publish as publish_module
from limner.index.build import build, update
from limner.index.compact import compact
from limner.index.library import Library

from ..colours import ColourEncoder, Paint

QUERIES = ("fox", "lake in the night", "3", "step 4", "winter", "coast", "rocks")


@pytest.fixture
def many(tmp_path: Path, paint: Paint, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A library of 40 pictures that counts as large."""
    monkeypatch.setattr(publish_module, "WHOLE_UP_TO", 0)
    for number in range(40):
        paint(tmp_path / "pictures" / "coast" / f"fox {number:02}.png", (4 * number, 255 - 4 * number, number))
    build([tmp_path / "pictures"], tmp_path / "library", encoder=ColourEncoder())
    return tmp_path / "library"


def _scores(library: Path) -> list[dict[Path, tuple[float, tuple[tuple[str, float], ...]]]]:
    opened = Library.open(library, encoder=ColourEncoder())
    return [{hit.image.path: (hit.score, hit.shares) for hit in opened.search(text, 1000)} for text in QUERIES]


def _anew(many: Path, *sources: Path) -> Path:
    anew = many.with_name("anew")
    build(sources or [many.parent / "pictures"], anew, encoder=ColourEncoder(), rebuild=True)
    return anew


def _words(library: Path) -> set[str]:
    return {path.name for path in library.glob("words-*")}


def test_small_change_cuts_only_its_own_words(many: Path, paint: Paint) -> None:
    before = {name: (many / name).read_bytes() for name in _words(many)}
    paint(many.parent / "pictures" / "lake.png", (1, 2, 3))
    update(many, encoder=ColourEncoder())
    assert {name: (many / name).read_bytes() for name in before} == before
    assert _words(many) - before.keys() == {"words-000002.parquet"}
    assert (many / "words-000002.parquet").stat().st_size < len(before["words-000001.parquet"])


def test_words_after_updates_equal_words_made_anew(many: Path, paint: Paint) -> None:
    rng = np.random.default_rng(0)
    pictures = many.parent / "pictures"
    most = 0
    for step in range(12):
        for name in rng.choice(sorted(path.name for path in (pictures / "coast").iterdir()), 2, replace=False):
            if rng.random() < 0.3:
                (pictures / "coast" / name).unlink()
            else:
                (pictures / "coast" / name).rename(pictures / "coast" / f"step {step} {name}")
        paint(pictures / "winter" / f"lake {step}.png", tuple(rng.integers(0, 255, 3).tolist()))
        (pictures / "limner-metadata.csv").write_text(
            f"file,caption\ncoast/step 4 fox 03.png,\nwinter/lake 0.png,{step}\n"
        )
        update(many, encoder=ColourEncoder())
        most = max(most, len(_words(many)))
        assert _scores(many) == _scores(_anew(many))
    assert most > 1
    compact(many)
    assert len(_words(many)) == 1
    assert _scores(many) == _scores(_anew(many))


def test_words_of_folders_follow_a_source_that_comes_inside_another(many: Path) -> None:
    pictures = many.parent / "pictures"
    rocks = pictures / "coast" / "rocks"
    rocks.mkdir()
    for number in range(5):
        (pictures / "coast" / f"fox {number:02}.png").rename(rocks / f"fox {number:02}.png")
    build([pictures], many, encoder=ColourEncoder())
    assert _scores(many) == _scores(_anew(many, pictures))
    build([pictures, rocks], many, encoder=ColourEncoder())
    assert _scores(many) == _scores(_anew(many, pictures, rocks))
    build([pictures], many, encoder=ColourEncoder())
    assert _scores(many) == _scores(_anew(many, pictures))
