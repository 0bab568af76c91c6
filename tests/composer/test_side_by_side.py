"""Prompts in one pass with what the last pass read of them: the answers are those that each gets alone."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from limner.composer.models.load import load_model
from limner.composer.models.local import LocalModel
from limner.composer.models.options import ModelOptions
from limner.composer.models.side_by_side import growing_cache
from limner.composer.protocols import Message, Picture, Sampling
from transformers import DynamicCache

from ..conftest import Paint

ANSWERS = ["A", "B", "none"]


@pytest.fixture(scope="module")
def model() -> LocalModel:
    loaded = load_model("nano-vlm", ModelOptions(device="cpu"))
    assert isinstance(loaded, LocalModel)
    return loaded


@pytest.fixture
def prompts(tmp_path: Path, paint: Paint) -> list[list[Message]]:
    """Four of different lengths, each with two pictures of its own."""
    colours = ["red", "green", "blue", "yellow", "cyan", "white", "black", "magenta"]
    pictures = [Picture(paint(tmp_path / f"{colour}.png", colour)) for colour in colours]
    return [
        [
            Message(
                "user", ("The cat went home. " * (3 * i + 1), pictures[i], " and then ", pictures[i + 4], "What is it?")
            )
        ]
        for i in range(4)
    ]


@pytest.fixture
def read(model: LocalModel, monkeypatch: pytest.MonkeyPatch) -> list[list[int]]:
    """How many tokens of each prompt were read anew, a list a pass."""
    passes: list[list[int]] = []
    take = model._side_by_side.take

    def counted(cut, pad):
        together = take(cut, pad)
        passes.append([sum(slot >= together.read for slot in slots) for slots in together.slots])
        return together

    model._side_by_side.drop()
    monkeypatch.setattr(model._side_by_side, "take", counted)
    return passes


def close(many: list[list[float]], single: list[list[float]]) -> None:
    assert torch.allclose(torch.tensor(many), torch.tensor(single), atol=1e-4, rtol=1e-5)


def test_a_pass_reads_what_follows_the_last_one_and_no_more(
    model: LocalModel, prompts: list[list[Message]], read: list[list[int]]
) -> None:
    samplings = [Sampling(24, 0.7 * (i % 2), 0.9, seed=i) for i in range(4)]
    replies = model.generate_many(prompts, samplings)
    assert replies == ["".join(model.generate(p, sampling=s)) for p, s in zip(prompts, samplings, strict=True)]

    asked = [
        [*p, Message("assistant", (r,)), Message("user", ("So which?",))] for p, r in zip(prompts, replies, strict=True)
    ]
    close(model.score_many(asked, [ANSWERS] * 4), [model.score(p, ANSWERS) for p in asked])
    assert read[0] == [model.count_tokens(p) for p in prompts]
    assert max(read[1]) < 25  # the question, and the last token of the reply


def test_other_rows_in_another_order_with_other_pictures(
    model: LocalModel, prompts: list[list[Message]], read: list[list[int]]
) -> None:
    model.score_many(prompts, [ANSWERS] * 4)
    parts = [prompts[i][0].parts for i in (3, 1, 0)]
    # The same tokens throughout, but another second picture; a longer text; nothing in common but the beginning.
    other = [
        [Message("user", (*parts[0][:3], parts[1][3], parts[0][4]))],
        [Message("user", (*parts[1], "And why is that so?"))],
        [Message("user", ("Something else.", parts[2][1]))],
    ]
    close(model.score_many(other, [ANSWERS] * 3), [model.score(p, ANSWERS) for p in other])
    lengths = [model.count_tokens(p) for p in other]
    assert 25 < read[1][0] < lengths[0] - 50
    assert read[1][1] < 20
    assert read[1][2] > lengths[2] - 10


def test_the_same_pass_twice_gives_the_same(
    model: LocalModel, prompts: list[list[Message]], read: list[list[int]]
) -> None:
    first = model.score_many(prompts, [ANSWERS] * 4)
    close(model.score_many(prompts, [ANSWERS] * 4), first)
    assert read[1] == [1] * 4


def test_a_growing_cache_holds_what_one_that_joins_holds() -> None:
    ours, theirs = growing_cache(), DynamicCache()
    generator = torch.Generator().manual_seed(0)
    for length in (5, 1, 1, 70, 1):
        states = torch.rand((2, 2, 3, length, 4), generator=generator)
        for layer in range(2):
            for mine, other in zip(ours.update(*states, layer), theirs.update(*states, layer), strict=True):
                assert torch.equal(mine, other)
        if length == 70:
            ours.crop(-30)
            theirs.crop(-30)
    assert ours.get_seq_length() == theirs.get_seq_length() == 48
