"""Every family of local models behind the seam: prompts, scores and replies against the family's own classes."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from limner.composer.models.load import load_model
from limner.composer.models.local import LocalModel
from limner.composer.models.options import ModelOptions
from limner.composer.protocols import Message, Picture, Sampling
from PIL import Image

from ..colours import COLOURS
from .families import FAMILIES, Family

ANSWERS = ["A", "B", "none", "none fits"]  # tokens are bytes: of one, of four and of nine


@dataclass(frozen=True)
class Loaded:
    """A family's model, where it lies, and pictures to show it."""

    family: Family
    folder: Path
    model: LocalModel
    red: Path
    blue: Path
    green: Path

    def again(self) -> LocalModel:
        """The same model, which has read nothing yet."""
        options = ModelOptions(device="cpu", reads_pictures=self.family.reads_pictures)
        model = load_model(f"transformers:{self.folder}", options)
        assert isinstance(model, LocalModel)
        return model

    def question(self, *pictures: Path) -> list[Message]:
        """A question about pictures, or about nothing for a model that reads none."""
        if not self.family.reads_pictures:
            return [Message("user", ("First ", " then ", ". Which?"))]
        first, second = pictures or (self.red, self.blue)
        return [Message("user", ("First ", Picture(first), " then ", Picture(second), ". Which?"))]

    def inputs(self, messages: list[Message]) -> dict[str, torch.Tensor]:
        """What the family's own processor makes of messages, with pictures as PIL reads them."""
        chat = [{"role": m.role, "content": [self._part(part) for part in m.parts]} for m in messages]
        if not self.family.reads_pictures:
            chat = [{**turn, "content": "".join(part["text"] for part in turn["content"])} for turn in chat]
        processor = self.model.processor if self.family.reads_pictures else self.model.processor.tokenizer
        made = processor.apply_chat_template(
            chat, tokenize=True, return_dict=True, return_tensors="pt", add_generation_prompt=True
        )
        names = set(made) if self.family.reads_pictures else {"input_ids", "attention_mask"}
        return {name: made[name] for name in names}

    def _part(self, part: str | Picture) -> dict[str, Any]:
        if isinstance(part, str):
            return {"type": "text", "text": part}
        return {"type": "image", "image": Image.open(part.path).convert("RGB")}


@pytest.fixture(scope="module", params=FAMILIES)
def loaded(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Loaded:
    family, folder = FAMILIES[request.param], tmp_path_factory.mktemp(request.param)
    pictures = {}
    for colour in ("red", "blue", "green"):
        pictures[colour] = folder / f"{colour}.png"
        Image.new("RGB", (40, 40), COLOURS[colour]).save(pictures[colour])
    family.build(folder / "model")
    model = load_model(
        f"transformers:{folder / 'model'}", ModelOptions(device="cpu", reads_pictures=family.reads_pictures)
    )
    assert isinstance(model, LocalModel)
    return Loaded(family, folder / "model", model, **pictures)


def expected_scores(loaded: Loaded, messages: list[Message], answers: list[str]) -> list[float]:
    """Each answer's log-probability from one whole pass over prompt and answer, without any cache."""
    scores = []
    for answer in answers:
        inputs = dict(loaded.inputs(messages))
        length = inputs["input_ids"].shape[1]
        tokens = torch.tensor([loaded.model.processor.tokenizer.encode(answer, add_special_tokens=False)])
        for name, values in inputs.items():
            if values.shape == (1, length):  # token ids, mask, kinds of tokens
                more = {"input_ids": tokens, "attention_mask": torch.ones_like(tokens)}
                inputs[name] = torch.cat([values, more.get(name, torch.zeros_like(tokens))], 1)
        with torch.inference_mode():
            logits = loaded.model.model(**inputs, use_cache=False).logits[0].log_softmax(-1)
        scores.append(sum(float(logits[length - 1 + i, token]) for i, token in enumerate(tokens[0])))
    return scores


def test_pictures_stand_where_the_template_puts_them(loaded: Loaded) -> None:
    family, question = loaded.family, loaded.question()
    ids = loaded.inputs(question)["input_ids"]
    text = loaded.model.processor.tokenizer.decode(ids[0])

    assert loaded.model.count_tokens(question) == ids.shape[1]
    found = re.search(r"First(.*)then(.*)\. Which\?", text, re.S)
    assert found is not None, text
    if not family.reads_pictures:
        return
    assert text.count(family.image_token) == 2 * family.tokens_a_picture
    for between in found.groups():
        assert between.count(family.image_token) == family.tokens_a_picture
        before, _, _ = between.partition(family.image_token)
        *_, after = between.split(family.image_token)
        assert family.around[0] in before
        assert family.around[1] in after


def test_score_equals_whole_passes(loaded: Loaded) -> None:
    question = loaded.question()

    assert loaded.model.score(question, ANSWERS) == pytest.approx(expected_scores(loaded, question, ANSWERS), abs=2e-4)


def test_score_sees_pictures_in_their_order(loaded: Loaded) -> None:
    if not loaded.family.reads_pictures:
        pytest.skip("reads no pictures")
    one, other = (
        loaded.model.score(loaded.question(*pictures), ["A", "B"])
        for pictures in ((loaded.red, loaded.blue), (loaded.blue, loaded.red))
    )

    assert max(abs(a - b) for a, b in zip(one, other, strict=True)) > 1e-3


def test_generate_streams_what_the_family_generates(loaded: Loaded) -> None:
    question = loaded.question()
    inputs = loaded.inputs(question)
    with torch.inference_mode():
        ids = loaded.model.model.generate(**inputs, max_new_tokens=12, do_sample=False)
    expected = loaded.model.processor.tokenizer.decode(ids[0, inputs["input_ids"].shape[1] :], skip_special_tokens=True)

    assert "".join(loaded.model.generate(question, sampling=Sampling(12))) == expected


def test_generate_ends_where_the_model_ends(loaded: Loaded) -> None:
    """Its own first token of a reply becomes the end of replies: nothing more is said, and nothing waits."""
    model, question = loaded.again(), loaded.question()
    inputs = loaded.inputs(question)
    with torch.inference_mode():
        ids = loaded.model.model.generate(**inputs, max_new_tokens=1, do_sample=False)[
            0, inputs["input_ids"].shape[1] :
        ]
    model.model.generation_config.eos_token_id = int(ids[0])

    said = "".join(model.generate(question, sampling=Sampling(200)))

    assert said == model.processor.tokenizer.decode(ids, skip_special_tokens=True)


def test_score_of_a_growing_conversation_equals_that_of_a_fresh_model(loaded: Loaded) -> None:
    first = loaded.question()
    then = "And " if not loaded.family.reads_pictures else Picture(loaded.green)
    grown = [*first, Message("assistant", ("The first.",)), Message("user", ("Now ", then, " as well?"))]
    shorter = loaded.question(loaded.red, loaded.green)
    asked = [first, grown, shorter, grown]

    scores = [loaded.model.score(messages, ANSWERS) for messages in asked]

    for messages, found in zip(asked, scores, strict=True):
        assert found == pytest.approx(loaded.again().score(messages, ANSWERS), abs=2e-4)
        assert found == pytest.approx(expected_scores(loaded, messages, ANSWERS), abs=2e-4)


def test_batches_equal_single_calls(loaded: Loaded) -> None:
    if not hasattr(loaded.model, "score_many"):
        pytest.skip("no batches yet")
    model: Any = loaded.model
    prompts = [loaded.question(), [*loaded.question(), Message("assistant", ("No.",)), Message("user", ("Why?",))]]
    answers = [ANSWERS, ["yes", "no"]]

    together = model.score_many(prompts, answers)
    replies = model.generate_many(prompts, [Sampling(6), Sampling(9)])

    for prompt, own, found in zip(prompts, answers, together, strict=True):
        assert found == pytest.approx(model.score(prompt, own), abs=2e-4)
    assert replies == [
        "".join(model.generate(prompt, sampling=Sampling(n))) for prompt, n in zip(prompts, (6, 9), strict=True)
    ]
