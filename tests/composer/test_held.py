"""Replies held to a JSON schema: random models that know nothing still give what the schema says."""

from __future__ import annotations

import json

import jsonschema
import pytest
from limner.composer.errors import ReplyInvalid
from limner.composer.models.load import load_model
from limner.composer.models.local import LocalModel
from limner.composer.models.options import ModelOptions
from limner.composer.prompts import reply_schema
from limner.composer.protocols import Message, Sampling
from limner.composer.replies import read_spots

from .tiny_families import qwen2_5_vl

SCHEMA = {
    "type": "object",
    "properties": {
        "colour": {"enum": ["red", "green"]},
        "numbers": {"type": "array", "items": {"type": "integer", "minimum": 1, "maximum": 7}, "maxItems": 3},
    },
    "required": ["colour", "numbers"],
    "additionalProperties": False,
}
QUESTION = [Message("user", ("Which?",))]


@pytest.fixture(scope="module", params=["tiny", "nano-vlm"])
def model(request: pytest.FixtureRequest) -> LocalModel:
    if request.param == "tiny":
        return LocalModel("tiny", *qwen2_5_vl(), context_tokens=4096)
    return load_model("nano-vlm", ModelOptions(device="cpu"))


def held(model: LocalModel, seed: int, *, schema: dict = SCHEMA, tokens: int = 120) -> str:
    return "".join(model.generate(QUESTION, sampling=Sampling(tokens, temperature=1.5, seed=seed), schema=schema))


def test_reply_is_what_the_schema_says(model: LocalModel) -> None:
    replies = [held(model, seed) for seed in range(4)]
    for reply in replies:
        jsonschema.validate(json.loads(reply), SCHEMA)
    assert len(set(replies)) > 1
    with pytest.raises(ValueError, match="Expecting value"):
        json.loads("".join(model.generate(QUESTION, sampling=Sampling(120, temperature=1.5))))


def test_batch_holds_each_reply_to_its_own_schema(model: LocalModel) -> None:
    other = {"type": "array", "items": {"type": "boolean"}, "minItems": 1, "maxItems": 2}
    schemas = [SCHEMA, other, None, SCHEMA]
    samplings = [Sampling(n, temperature=1.5, seed=i) for i, n in enumerate((120, 90, 60, 5))]
    replies = model.generate_many([QUESTION] * 4, samplings, schemas)
    jsonschema.validate(json.loads(replies[0]), SCHEMA)
    jsonschema.validate(json.loads(replies[1]), other)
    pairs = zip(samplings, schemas, strict=True)
    assert replies == ["".join(model.generate(QUESTION, sampling=s, schema=schema)) for s, schema in pairs]


def test_spot_prompts_schema_gives_places_that_exist(model: LocalModel) -> None:
    schema = reply_schema("spot", dialect="limner", places=3, images=2)
    assert schema is not None
    schema["properties"]["pictures"]["items"]["properties"]["caption"]["maxLength"] = 8  # random words end late
    for seed in range(3):
        reply = held(model, seed, schema=schema, tokens=300)
        jsonschema.validate(json.loads(reply), schema)
        try:
            places = read_spots(reply, 3)
        except ReplyInvalid as exc:
            assert "twice" in exc.message or "empty" in exc.message  # what a schema cannot say
        else:
            assert len(places) <= 2


def test_what_is_no_schema_is_refused(model: LocalModel) -> None:
    with pytest.raises(ReplyInvalid, match="schema"):
        held(model, 0, schema={"type": "no such type"})


def test_only_the_general_dialect_asks_for_json() -> None:
    assert reply_schema("spot", dialect="nano") is None
    schema = reply_schema("spot", dialect="limner", places=5, images=None)
    jsonschema.Draft202012Validator.check_schema(schema)
    assert schema["properties"]["pictures"]["maxItems"] == 5
