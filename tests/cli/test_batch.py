"""`limner batch`."""

from __future__ import annotations

import json
import threading
from collections.abc import Sequence
from pathlib import Path

import pytest
from limner.composer.protocols import Message, Sampling

from .conftest import Limner
from .fakes import ColourModel, colour_wiring


class ManyColours(ColourModel):
    """The colour model, for many prompts at once; remembers how many each pass had."""

    def __init__(self, **other: object) -> None:
        super().__init__(**other)  # pyright: ignore[reportArgumentType]
        self.passes: list[tuple[str, int]] = []

    def generate_many(self, prompts: Sequence[Sequence[Message]], samplings: Sequence[Sampling]) -> list[str]:
        self.passes.append(("generate", len(prompts)))
        return ["".join(self.generate(p, sampling=s)) for p, s in zip(prompts, samplings, strict=True)]

    def score_many(self, prompts: Sequence[Sequence[Message]], answers: Sequence[Sequence[str]]) -> list[list[float]]:
        self.passes.append(("score", len(prompts)))
        return [self.score(p, a) for p, a in zip(prompts, answers, strict=True)]


def write_jsonl(path: Path, *rows: object) -> Path:
    path.write_text("".join((row if isinstance(row, str) else json.dumps(row)) + "\n" for row in rows))
    return path


def test_batch_composes_every_row(limner: Limner, library: Path, tmp_path: Path) -> None:
    briefs = write_jsonl(tmp_path / "b.jsonl", {"id": "one", "instruction": "red"}, {"instruction": "Of blue, green"})
    out = tmp_path / "out"
    model = ManyColours()
    result = limner("batch", briefs, "--library", library, "--out", out, wiring=colour_wiring(model))
    print(result.stderr, result.stdout)
    assert result.exit_code == 0, result.stderr
    print(model.passes)
    print(sorted(out.rglob("*")))
    print((out/"batch.json").read_text())
