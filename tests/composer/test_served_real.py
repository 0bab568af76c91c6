"""`openai:` against `transformers serve` with nano-vlm: the article that the local path gives."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from limner.composer.article import Brief, Figure
from limner.composer.models.load import EMBEDDED, load_model
from limner.composer.models.options import ModelOptions
from limner.composer.models.served import ServedModel
from limner.composer.pipeline import NO_PROBABILITIES, compose
from limner.composer.protocols import Message, Model, Sampling
from limner.composer.run import GIVES_NONE
from limner.index.build import build
from limner.index.encoder import load_encoder
from limner.index.library import Library

from .servers import transformers_serve

pytestmark = pytest.mark.slow
PICTURES = Path(__file__).resolve().parents[2] / "sample_repos" / "picture_book"
# With other seeds a look may hang by a hair: pictures that a server gets are encoded anew.
BRIEF = Brief("A story about a bus in the mountains, in the village and in the city", None, None, 4, 5)


@pytest.fixture(scope="module")
def local() -> Model:
    return load_model(EMBEDDED, ModelOptions(device="cpu"))


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Model]:
    folder = tmp_path_factory.mktemp("serve")
    with transformers_serve(folder / "nano", folder / "log") as base_url:
        options = ModelOptions(base_url=base_url, dialect="nano", context_tokens=4096, picture_tokens=25)
        model = load_model(f"openai:{folder / 'nano'}", options)
        assert isinstance(model, ServedModel)
        yield model
        model.close()


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Library:
    folder = tmp_path_factory.mktemp("library")
    encoder = load_encoder("nano-clip", "cpu")
    build([PICTURES / "vehicles"], folder, encoder=encoder)
    return Library.open(folder, encoder=encoder)


def test_replies_are_those_of_the_local_model(local: Model, served: Model) -> None:
    prompt = [Message("user", ("Write an article in Markdown. The instruction:\nA red boat by the lake",))]
    for sampling in (Sampling(60), Sampling(60, temperature=0.5, top_p=0.9, seed=3)):
        replies = ["".join(model.generate(prompt, sampling=sampling)) for model in (local, served)]
        assert replies[0] == replies[1] != ""


def test_article_is_that_of_the_local_model(local: Model, served: Model, library: Library, tmp_path: Path) -> None:
    articles = [
        compose(BRIEF, writer=model, selector=model, library=library, encoder="nano-clip", out=tmp_path / str(number))
        for number, model in enumerate((local, served))
    ]
    one, two = ([block for block in article.blocks if isinstance(block, Figure)] for article in articles)
    assert len(one) >= 2
    assert articles[0].title == articles[1].title
    assert [block for block in articles[0].blocks if not isinstance(block, Figure)] == [
        block for block in articles[1].blocks if not isinstance(block, Figure)
    ]
    assert [(figure.caption, figure.source, figure.outcome) for figure in one] == [
        (figure.caption, figure.source, figure.outcome) for figure in two
    ]
    for name in ("article.md", "article.html"):
        assert (tmp_path / "0" / name).read_bytes() == (tmp_path / "1" / name).read_bytes()
    # This server gives no log-probabilities: the record says so, and one answer has it all.
    calls = [json.loads(line) for line in (tmp_path / "1" / "run" / "calls.jsonl").read_text().splitlines()]
    scored = [call for call in calls if "log_probabilities" in call]
    assert len(scored) == len(two)
    assert all(call["log_probabilities"] is None and call["note"] == GIVES_NONE for call in scored)
    assert {(figure.confidence, figure.note) for figure in two} == {(1.0, NO_PROBABILITIES)}
    assert {figure.note for figure in one} == {""}
