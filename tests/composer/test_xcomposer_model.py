"""InternLM-XComposer 2 against a plain reference, and what Partial LoRA, the cache and left padding must not change."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from limner.composer.models.xcomposer.model import XComposer2ForConditionalGeneration
from limner.composer.models.xcomposer.partial_lora import PartialLoraLinear

from .plain_xcomposer import PlainXComposer2
from .tiny_xcomposer import prompt, tiny_model

PROMPTS = {"text only": (9,), "one picture": (4, 5), "several pictures": (3, 2, 6, 1), "next to each other": (2, 0, 3)}


@pytest.fixture(scope="module")
def model() -> XComposer2ForConditionalGeneration:
    return tiny_model()


def logits(model: XComposer2ForConditionalGeneration, inputs: dict[str, torch.Tensor]) -> torch.Tensor:
    with torch.inference_mode():
        return model(**inputs).logits


@pytest.mark.parametrize("parts", PROMPTS.values(), ids=PROMPTS)
def test_logits_equal_the_plain_reference(model: XComposer2ForConditionalGeneration, parts: tuple[int, ...]) -> None:
    inputs = prompt(*parts)
    plain = PlainXComposer2({name: value.detach().numpy() for name, value in model.named_parameters()}, model.config)
    pictures = inputs["pixel_values"].double().numpy() if "pixel_values" in inputs else None

    expected = plain.logits(inputs["input_ids"][0].tolist(), pictures)

    assert logits(model, inputs)[0].numpy() == pytest.approx(expected, abs=1e-4)


def test_partial_lora_touches_pictures_alone(model: XComposer2ForConditionalGeneration) -> None:
    other = tiny_model()
    text, picture = prompt(9), prompt(4, 5)
    for module in other.modules():
        if isinstance(module, PartialLoraLinear):
            module.lora_B.weight.data += 0.1

    assert torch.equal(logits(other, text), logits(model, text))
    assert torch.equal(logits(other, picture)[:, :5], logits(model, picture)[:, :5])  # the text before the picture
    changed = (logits(other, picture)[:, 5:] - logits(model, picture)[:, 5:]).abs().amax(-1)
    assert (changed > 1e-3).all()


@pytest.mark.parametrize("layer", ["self_attn.wqkv", "self_attn.wo", "mlp.w1", "mlp.w2", "mlp.w3"])
def test_every_linear_layer_has_its_partial_lora(model: XComposer2ForConditionalGeneration, layer: str) -> None:
    other, picture = tiny_model(), prompt(4, 5)
    for number in range(2):
        linear = other.get_submodule(f"model.language_model.layers.{number}.{layer}")
        assert isinstance(linear, PartialLoraLinear)
        linear.lora_A.weight.data.zero_()

    assert (logits(other, picture) - logits(model, picture)).abs().max() > 1e-3


def test_a_new_partial_lora_adds_nothing() -> None:
    torch.manual_seed(0)
    fresh = XComposer2ForConditionalGeneration(tiny_model().config).eval()
    picture = prompt(4, 5)
    before = logits(fresh, picture)
    for module in fresh.modules():
        if isinstance(module, PartialLoraLinear):
            assert module.lora_A.weight.any()
            module.lora_A.weight.data.zero_()

    assert torch.equal(logits(fresh, picture), before)


@pytest.mark.parametrize("parts", PROMPTS.values(), ids=PROMPTS)
def test_generate_with_and_without_cache_gives_equal_tokens(
    model: XComposer2ForConditionalGeneration, parts: tuple[int, ...]
) -> None:
    inputs = prompt(*parts)
    with torch.inference_mode():
        with_cache, without = (
            model.generate(**inputs, max_new_tokens=12, do_sample=False, use_cache=use) for use in (True, False)
        )

    assert with_cache.tolist() == without.tolist()
    assert with_cache.shape[1] > inputs["input_ids"].shape[1]


def test_generate_never_writes_the_token_of_pictures(model: XComposer2ForConditionalGeneration) -> None:
    eager = tiny_model()
    eager.lm_head.weight.data[3] = 100 * eager.lm_head.weight.data[torch.randint(4, 300, (1,))]
    inputs = prompt(9)
    with torch.inference_mode():
        replies = [eager.generate(**inputs, max_new_tokens=8, do_sample=False) for inputs in (prompt(9), prompt(4, 5))]

    assert all(3 not in reply[0, -8:].tolist() for reply in replies)
    assert logits(eager, inputs)[0, :, 3].abs().max() > 10


def test_left_padded_batches_equal_single_runs(model: XComposer2ForConditionalGeneration) -> None:
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


def test_logits_to_keep_are_the_last_ones(model: XComposer2ForConditionalGeneration) -> None:
    inputs = prompt(4, 5)
    with torch.inference_mode():
        last = model(**inputs, logits_to_keep=2).logits

    assert last.shape[1] == 2
    assert last == pytest.approx(logits(model, inputs)[:, -2:], abs=1e-5)


def test_pictures_and_places_for_them_must_agree(model: XComposer2ForConditionalGeneration) -> None:
    inputs = prompt(4, 5)
    inputs["input_ids"][0, 5] = 9

    with pytest.raises(ValueError, match="3 image tokens for pictures of 4 tokens"):
        logits(model, inputs)


def test_saved_and_loaded_again_it_is_the_same(model: XComposer2ForConditionalGeneration, tmp_path: Path) -> None:
    model.save_pretrained(tmp_path)

    again = XComposer2ForConditionalGeneration.from_pretrained(tmp_path).eval()

    inputs = prompt(3, 2, 6)
    assert torch.equal(logits(again, inputs), logits(model, inputs))


def test_gradients_reach_partial_lora_from_pictures_alone(model: XComposer2ForConditionalGeneration) -> None:
    other = tiny_model().train()
    weights = [module.lora_A.weight for module in other.modules() if isinstance(module, PartialLoraLinear)]

    other(**prompt(9), labels=prompt(9)["input_ids"]).loss.backward()
    assert all(weight.grad is None for weight in weights)
    inputs = prompt(4, 5)
    other(**inputs, labels=inputs["input_ids"].masked_fill(inputs["input_ids"] == 3, -100)).loss.backward()
    assert all(weight.grad is not None and weight.grad.any() for weight in weights[:-2])


def test_every_part_of_partial_lora_can_be_quantised() -> None:
    """bitsandbytes replaces layers of this very class alone, and leaves others in full size without a word."""
    for module in tiny_model().modules():
        if isinstance(module, PartialLoraLinear):
            assert {type(part) for part in module.children()} == {torch.nn.Linear}
