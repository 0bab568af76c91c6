"""What is read once stays read: with the cache and in batches, models of every kind say what they say without."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import contextmanager
from itertools import takewhile
from pathlib import Path

import pytest
import torch
from limner.composer.models.local import LocalModel
from limner.composer.models.prefix_cache import Span, common_length, locate, without_pictures
from limner.composer.protocols import Message, Picture, Sampling
from PIL import Image

from .tiny_families import FAMILIES

ANSWERS = ("A", "B", "none", "nine")
DRAWN = Sampling(24, temperature=1.0, top_p=0.9, seed=3)

Ask = Callable[..., list[Message]]


@pytest.fixture(scope="module", params=FAMILIES)
def model(request: pytest.FixtureRequest) -> LocalModel:
    return LocalModel(request.param, *FAMILIES[request.param](), context_tokens=4096)


@pytest.fixture(scope="module")
def ask(tmp_path_factory: pytest.TempPathFactory) -> Ask:
    """A prompt of texts and of pictures named by colours, each of another size."""
    folder = tmp_path_factory.mktemp("pictures")
    for number, colour in enumerate(("red", "green", "blue", "white")):
        image = Image.new("RGB", (80 + 60 * number, 60), colour)
        image.putpixel((number, number), (9, 9, 9))
        image.save(folder / f"{colour}.png")

    def make(*parts: str) -> list[Message]:
        files = {part: folder / f"{part}.png" for part in parts}
        return [Message("user", tuple(Picture(files[p]) if files[p].is_file() else p for p in parts))]

    return make


@pytest.fixture
def prompts(ask: Ask) -> list[list[Message]]:
    """Each has another beginning in common with the one before it."""
    return [
        ask("Begin ", "red", " then ", "green", " which? "),
        ask("Begin ", "red", " then ", "green", " and ", "white", " what? "),
        ask("Begin ", "red", " then ", "blue", " and ", "white", " what? "),
        ask("Begin ", "green", " then ", "red", "?"),
        ask("No picture at all."),
        ask("No picture but ", "blue", " here "),
        ask("No picture but ", "blue", " here "),
    ]


def plain_scores(model: LocalModel, messages: list[Message]) -> list[float]:
    """Whole forward passes of transformers, without any cache: prompt and answer together."""
    scores = []
    inputs = model._inputs(messages)
    length = inputs["input_ids"].shape[1]
    for answer in ANSWERS:
        tokens = torch.tensor([model.processor.tokenizer.encode(answer, add_special_tokens=False)])
        whole = dict(inputs, input_ids=torch.cat([inputs["input_ids"], tokens], 1))
        for key in ("attention_mask", "token_type_ids", "mm_token_type_ids"):
            if key in inputs:
                more = torch.full_like(tokens, int(key == "attention_mask"))
                whole[key] = torch.cat([inputs[key], more.to(inputs[key].dtype)], 1)
        with torch.inference_mode():
            logits = model.model(**whole, use_cache=False).logits[0].log_softmax(-1)
        scores.append(sum(float(logits[length - 1 + i, token]) for i, token in enumerate(tokens[0].tolist())))
    return scores


@contextmanager
def counted(model: LocalModel):
    """How many tokens the language model reads, and how many rows of pictures' features it takes in."""
    count = {"tokens": 0, "pieces": 0}

    def before(module, args, kwargs):
        count["tokens"] += kwargs["input_ids"].shape[1]
        count["pieces"] += int((kwargs["input_ids"] == model._picture_token).sum())

    handle = model.model.register_forward_pre_hook(before, with_kwargs=True)
    try:
        yield count
    finally:
        handle.remove()


def test_scores_with_the_cache_equal_whole_forward_passes(model: LocalModel, prompts: list[list[Message]]) -> None:
    for messages in prompts:
        assert model.score(messages, ANSWERS) == pytest.approx(plain_scores(model, messages), abs=1e-4)


def test_reply_with_the_cache_equals_transformers(model: LocalModel, prompts: list[list[Message]]) -> None:
    for messages in prompts:
        inputs = model._inputs(messages)
        with torch.inference_mode():
            ids = model.model.generate(**inputs, max_new_tokens=16, do_sample=False)
        expected = model.processor.tokenizer.decode(ids[0, inputs["input_ids"].shape[1] :], skip_special_tokens=True)
        assert "".join(model.generate(messages, sampling=Sampling(16))) == expected


def test_only_what_is_new_is_read(model: LocalModel, prompts: list[list[Message]]) -> None:
    first, second, third, *_ = prompts
    model._prefix.drop()
    model.score(first, ["A"])
    for before, now, pictures in ((first, second, 1), (second, third, 2)):
        cut = [model._prompt(messages) for messages in (before, now)]
        same = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(cut[0].ids, cut[1].ids, strict=False)))
        with counted(model) as count:
            model.score(now, ["A"])
        if model.name == "qwen3_5":
            assert count["tokens"] == len(cut[1].ids)
            continue
        assert count["pieces"] == sum(span.tokens for span in cut[1].spans[-pictures:])
        assert count["tokens"] == len(cut[1].ids) - min(same, cut[1].spans[-pictures].begin)


def test_a_reply_and_what_follows_it_read_each_token_once(model: LocalModel, ask: Ask) -> None:
    question = ask("See ", "red", " well ")
    model._prefix.drop()
    reply = "".join(model.generate(question, sampling=Sampling(8)))
    follow = [*question, Message("assistant", (reply,)), Message("user", ("So? ",))]
    expected = plain_scores(model, follow)
    with counted(model) as count:
        assert model.score(follow, ANSWERS) == pytest.approx(expected, abs=1e-4)
    assert (count["pieces"] == 0) == (model.name != "qwen3_5")


def test_batched_equals_single(model: LocalModel, prompts: list[list[Message]]) -> None:
    samplings = [
        DRAWN if i % 2 else Sampling(12 + i, temperature=0.4 * i, top_p=0.8, seed=i) for i in range(len(prompts))
    ]
    single = ["".join(model.generate(m, sampling=s)) for m, s in zip(prompts, samplings, strict=True)]
    assert len(set(single[1:3])) == 2
    answers = [ANSWERS[: 2 + i % 3] for i in range(len(prompts))]
    scores = [model.score(messages, own) for messages, own in zip(prompts, answers, strict=True)]
    # Families lay out a batch's pictures in their own ways; a prompt without any stands with others without.
    assert model.generate_many(prompts[:4], samplings[:4]) == single[:4]
    for got, expected in zip(model.score_many(prompts[:4], answers[:4]), scores[:4], strict=True):
        assert got == pytest.approx(expected, abs=1e-4)


def test_batches_of_none_and_without_pictures(model: LocalModel, ask: Ask) -> None:
    assert model.generate_many([], []) == []
    assert model.score_many([], []) == []
    texts = [ask("One."), ask("Another that is longer.")]
    single = ["".join(model.generate(messages, sampling=DRAWN)) for messages in texts]
    assert model.generate_many(texts, [DRAWN] * 2) == single
    mixed = [*texts, ask("With ", "red", " in it")]
    scores = [model.score(messages, ANSWERS) for messages in mixed]
    for got, expected in zip(model.score_many(mixed, [ANSWERS] * 3), scores, strict=True):
        assert got == pytest.approx(expected, abs=1e-4)


def test_another_picture_under_the_same_name_is_read_again(model: LocalModel, tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    scores = []
    for number, colour in enumerate(("red", "blue")):
        Image.new("RGB", (70, 70), colour).save(path)
        os.utime(path, ns=(number, number))
        messages = [Message("user", ("See ", Picture(path), " now"))]
        scores.append(model.score(messages, ANSWERS))
        assert scores[-1] == pytest.approx(plain_scores(model, messages), abs=1e-4)
    assert scores[0] != scores[1]


def test_a_failure_leaves_no_cache_behind(model: LocalModel, prompts: list[list[Message]], monkeypatch) -> None:
    model.score(prompts[0], ["A"])
    with monkeypatch.context() as patch:
        patch.setattr(model.model, "forward", lambda *args, **kwargs: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            model.score(prompts[1], ["A"])
    assert model.score(prompts[1], ANSWERS) == pytest.approx(plain_scores(model, prompts[1]), abs=1e-4)


def test_an_abandoned_reply_does_no_harm(model: LocalModel, prompts: list[list[Message]]) -> None:
    stream = model.generate(prompts[1], sampling=Sampling(300, temperature=1.0))
    next(stream)
    stream.close()
    assert model.score(prompts[2], ANSWERS) == pytest.approx(plain_scores(model, prompts[2]), abs=1e-4)


def test_locate_finds_runs_and_tiles() -> None:
    ids = [1, 9, 9, 2, 9, 9, 3, 9]
    assert locate(ids, 9, ["a", "b", "c"], None) == (Span("a", 1, 3, 2), Span("b", 4, 6, 2), Span("c", 7, 8, 1))
    assert locate(ids, 9, ["a", "b"], [2, 1]) == (Span("a", 1, 6, 4), Span("b", 7, 8, 1))
    assert locate([1, 2], 9, [], None) == ()
    for token, tiles in ((9, None), (9, [1, 1]), (9, [3, 0]), (None, [2, 1])):
        assert locate(ids, token, ["a", "b"], tiles) is None


def test_common_length_takes_no_picture_in_part_and_leaves_a_token() -> None:
    ids = [1, 9, 9, 2, 9, 9, 3, 4]
    spans = [Span("a", 1, 3, 2), Span("b", 4, 6, 2)]
    assert common_length(ids, spans, ids, spans) == 7
    assert common_length(ids, spans, ids, [spans[0], Span("c", 4, 6, 2)]) == 4
    assert common_length(ids, spans, ids, [Span("c", 1, 3, 2), spans[1]]) == 1
    assert common_length(ids[:5], spans, ids, spans) == 4  # the first ends within the second picture
    assert common_length(ids, spans, [1, 9, 9, 2, 5], spans[:1]) == 4
    assert common_length([7], [], ids, spans) == 0


def test_without_pictures_refuses_what_it_does_not_know() -> None:
    spans = [Span("a", 1, 3, 2), Span("b", 4, 10, 6)]
    inputs = {"input_ids": torch.zeros(1, 12), "pixel_values": torch.arange(16.0).reshape(8, 2)}
    rest = without_pictures(inputs, spans, 5)
    assert rest is not None
    assert rest["pixel_values"].tolist() == inputs["pixel_values"][2:].tolist()
    assert without_pictures(inputs, spans, 11).keys() == {"input_ids"}
    assert without_pictures({**inputs, "cross_attention_mask": torch.zeros(1, 12)}, spans, 5) is None
    assert without_pictures({"pixel_values": torch.zeros(7, 2)}, spans, 5) is None
