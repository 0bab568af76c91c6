"""InternLM-XComposer 1.0 against a plain reference, and what the cache and left padding must not change."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from limner.composer.models.xcomposer.one.model import XComposer1ForConditionalGeneration

from .plain_xcomposer1 import PlainXComposer1
from .test_xcomposer_model import PROMPTS, logits
from .tiny_xcomposer import prompt
from .tiny_xcomposer1 import tiny_model


@pytest.fixture(scope="module")
def model() -> XComposer1ForConditionalGeneration:
    return tiny_model()


@pytest.mark.parametrize("parts", PROMPTS.values(), ids=PROMPTS)
def test_logits_equal_the_plain_reference(model: XComposer1ForConditionalGeneration, parts: tuple[int, ...]) -> None:
    inputs = prompt(*parts)
    plain = PlainXComposer1({name: value.detach().numpy() for name, value in model.named_parameters()}, model.config)
    pictures = inputs["pixel_values"].double().numpy() if "pixel_values" in inputs else None

    expected = plain.logits(inputs["input_ids"][0].tolist(), pictures)

    assert logits(model, inputs)[0].numpy() == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize(("name", "places"), [("image_begin", [5, 6]), ("image_end", [8])])
def test_flags_stand_at_the_ends_of_a_picture(
    model: XComposer1ForConditionalGeneration, name: str, places: list[int]
) -> None:
    other = tiny_model()
    getattr(other.model, name).data += 1
    inputs = prompt(4, 5)

    changed = (logits(other, inputs) - logits(model, inputs))[0].abs().amax(-1) > 1e-4

    assert not changed[: places[0]].any()
    assert changed[places].all()


@pytest.mark.parametrize("parts", PROMPTS.values(), ids=PROMPTS)
def test_generate_with_and_without_cache_gives_equal_tokens(
    model: XComposer1ForConditionalGeneration, parts: tuple[int, ...]
) -> None:
    inputs = prompt(*parts)
    with torch.inference_mode():
        with_cache, without = (
            model.generate(**inputs, max_new_tokens=12, do_sample=False, use_cache=use) for use in (True, False)
        )

    assert with_cache.tolist() == without.tolist()
    assert with_cache.shape[1] > inputs["input_ids"].shape[1]


def test_generate_never_writes_the_token_of_pictures() -> None:
    eager = tiny_model()
    eager.lm_head.weight.data[3] = 100 * eager.lm_head.weight.data[torch.randint(4, 300, (1,))]
    with torch.inference_mode():
        replies = [eager.generate(**inputs, max_new_tokens=8, do_sample=False) for inputs in (prompt(9), prompt(4, 5))]

    assert all(3 not in reply[0, -8:].tolist() for reply in replies)
    assert logits(eager, prompt(9))[0, :, 3].abs().max() > 10


def test_left_padded_batches_equal_single_runs(model: XComposer1ForConditionalGeneration) -> None:
    prompts = [prompt(3, 2, 6), prompt(7, seed=1), prompt(2, 3, seed=2)]
    width = max(each["input_ids"].shape[1] for each in prompts)
    padded = {
        name: torch.cat([torch.nn.functional.pad(each[name], (width - each[name].shape[1], 0)) for each in prompts])
        for name in ("input_ids", "attention_mask")
    }
    padded["pixel_values"] = torch.cat([each["pixel_values"] for each in prompts if "pixel_values" in each])
    with torch.inference_mode():
        together = model.generate(**padded, max_new_tokens=10, do_sample=False)[:, width:]
        places = padded["attention_mask"].cumsum(-1) - 1
        scores = model(**padded, position_ids=places.clamp(min=0)).logits[:, -1]

    for row, each in enumerate(prompts):
        with torch.inference_mode():
            alone = model.generate(**each, max_new_tokens=10, do_sample=False)[0, each["input_ids"].shape[1] :]
        assert together[row, : len(alone)].tolist() == alone.tolist()
        assert scores[row].tolist() == pytest.approx(logits(model, each)[0, -1].tolist(), abs=1e-4)


def test_pictures_and_places_for_them_must_agree(model: XComposer1ForConditionalGeneration) -> None:
    inputs = prompt(4, 5)
    inputs["input_ids"][0, 5] = 9

    with pytest.raises(ValueError, match="3 image tokens for pictures of 4 tokens"):
        logits(model, inputs)


def test_saved_and_loaded_again_it_is_the_same(model: XComposer1ForConditionalGeneration, tmp_path: Path) -> None:
    model.save_pretrained(tmp_path)

    again = XComposer1ForConditionalGeneration.from_pretrained(tmp_path).eval()

    inputs = prompt(3, 2, 6)
    assert torch.equal(logits(again, inputs), logits(model, inputs))
    assert again.model.vision_tower.post_layernorm.eps == 1e-5


def test_gradients_reach_the_sampler_and_the_flags() -> None:
    model = tiny_model().train()
    inputs = prompt(4, 5)

    model(**inputs, labels=inputs["input_ids"].masked_fill(inputs["input_ids"] == 3, -100)).loss.backward()

    learnt = [name for name, weights in model.named_parameters() if weights.grad is not None and weights.grad.any()]
    assert {"model.query_tokens", "model.image_begin", "model.image_end", "model.projector.weight"} <= set(learnt)
    assert any("crossattention" in name for name in learnt)


def test_a_new_model_begins_with_different_queries() -> None:
    torch.manual_seed(0)
    fresh = XComposer1ForConditionalGeneration(tiny_model().config)

    assert fresh.model.query_tokens.std().item() == pytest.approx(0.02, rel=0.5)
    assert not fresh.model.image_begin.any()
