"""Official checkpoints of 1.0: the layout as published, what the authors' own code makes of it, what is refused.

golden/xcomposer1_0.safetensors is tiny random weights under the official names, LoRA unmerged; *-expected.safetensors
the token ids of some prompts, the logits and greedy replies that the authors' code (commit 2b14928, under transformers
4.33.1 and torch 2.1.2, float32) gave for them, and every sixteenth pixel that it made of a picture. Its constants for
the sizes of eyes, sampler and flags were made small. What the eyes see is small too, so that the three different
epsilons of its norms tell. No weights, texts or code of theirs are in these files; the pictures are computed below.
"""

from __future__ import annotations

import json
import math
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from limner.composer.errors import ModelIncomplete, ModelUnfit
from limner.composer.models.checkpoint import Checkpoint
from limner.composer.models.xcomposer.official import load_official
from limner.composer.models.xcomposer.one.layout import (
    config_from_official,
    expected_shapes,
    left_out,
    lora_from_official,
)
from limner.composer.models.xcomposer.one.model import XComposer1ForConditionalGeneration
from limner.composer.models.xcomposer.processor import image_processor
from PIL import Image
from safetensors.torch import load_file

from .test_xcomposer_official import GOLDEN, Code, Tensors, picture, write, write_pickled

SHARED = Path(__file__).resolve().parents[3] / "shared" / "xcomposer"
SIDE_PX = 42
CONFIG = {
    "architectures": ["InternLMXComposerForCausalLM"], "model_type": "InternLMXComposer", "vocab_size": 64,
    "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4, "hidden_act": "silu",
    "max_position_embeddings": 256, "rms_norm_eps": 1e-5, "bias": True, "kqvo_bias": True, "bos_token_id": 1,
    "eos_token_id": 2, "pad_token_id": -1, "num_query_token": 5, "num_quant": 32, "intern_converted_llm": True,
    "internlm_lora": {"lora_r": 4, "lora_alpha": 8, "lora_dropout": 0.05, "learn_param": ["q", "v", "ffn"]},
    "image_token_id": 3,
    "vision_config": {
        "hidden_size": 24, "intermediate_size": 104, "num_hidden_layers": 3, "num_attention_heads": 2, "patch_size": 14,
    },
    "qformer_config": {
        "hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 4, "num_attention_heads": 2,
    },
}  # fmt: skip
PROMPTS = {"text_only": 0, "one_picture": 1, "several_pictures": 3, "next_to_each_other": 2}
QUERY = "internlm_model.model.layers.1.self_attn.q_proj"
UP = "internlm_model.model.layers.0.mlp.up_proj"


def write_one(folder: Path, tensors: Tensors) -> Checkpoint:
    return write(folder, tensors, CONFIG)


def write_one_pickled(folder: Path, tensors: Tensors) -> Checkpoint:
    return write_pickled(folder, tensors, CONFIG)


def load(checkpoint: Checkpoint, dtype: torch.dtype = torch.float32) -> XComposer1ForConditionalGeneration:
    model = load_official(checkpoint, dtype=dtype)
    assert isinstance(model, XComposer1ForConditionalGeneration)
    return model


def asked(expected: Tensors, prompt: str) -> dict[str, torch.Tensor]:
    inputs = {"input_ids": expected[f"{prompt}.input_ids"][None]}
    if pictures := PROMPTS[prompt]:
        inputs["pixel_values"] = torch.from_numpy(np.stack([picture(i, SIDE_PX, SIDE_PX) for i in range(pictures)]))
    return inputs


@pytest.fixture
def tensors() -> Tensors:
    return load_file(GOLDEN / "xcomposer1_0.safetensors")


@pytest.fixture(scope="module")
def expected() -> Tensors:
    return load_file(GOLDEN / "xcomposer1_0-expected.safetensors")


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> XComposer1ForConditionalGeneration:
    return load(write_one(tmp_path_factory.mktemp("official"), load_file(GOLDEN / "xcomposer1_0.safetensors")))


@pytest.mark.parametrize("prompt", PROMPTS)
def test_logits_equal_those_of_the_authors_code(
    model: XComposer1ForConditionalGeneration, expected: Tensors, prompt: str
) -> None:
    with torch.inference_mode():
        logits = model(**asked(expected, prompt)).logits[0]

    assert (logits - expected[f"{prompt}.logits"]).abs().max() <= 1e-4


@pytest.mark.parametrize("prompt", PROMPTS)
def test_replies_equal_those_of_the_authors_code(
    model: XComposer1ForConditionalGeneration, expected: Tensors, prompt: str
) -> None:
    inputs = asked(expected, prompt)
    reply = expected[f"{prompt}.reply"][1:].tolist()  # the authors' code puts a token in front of what it says

    with torch.inference_mode():
        ids = model.generate(**inputs, do_sample=False, min_new_tokens=len(reply), max_new_tokens=len(reply))

    assert ids[0, inputs["input_ids"].shape[1] :].tolist() == reply


def test_pictures_are_prepared_as_by_the_authors_code(expected: Tensors) -> None:
    """Resized to 224 px out of proportion, then scaled by CLIP's means and deviations."""
    image = Image.fromarray((np.arange(50 * 37 * 3) * 37 % 251).astype(np.uint8).reshape(50, 37, 3))

    pixels = image_processor(224)(image, return_tensors="pt")["pixel_values"][0]

    assert pixels.shape == (3, 224, 224)
    assert (pixels[:, ::16, ::16] - expected["pixels"]).abs().max() <= 1e-5


def test_pickled_shards_load_as_safetensors_do(
    tmp_path: Path, model: XComposer1ForConditionalGeneration, tensors: Tensors
) -> None:
    """A weight and its LoRA lie in different files there."""
    checkpoint = write_one_pickled(tmp_path, tensors)
    assert {f"{QUERY}.lora_A.weight", f"{QUERY}.lora_B.weight"} - torch.load(checkpoint.weights[0]).keys()

    for (name, weights), other in zip(load(checkpoint).named_parameters(), model.parameters(), strict=True):
        assert torch.equal(weights, other), name


def test_merged_lora_equals_the_sum_token_by_token(model: XComposer1ForConditionalGeneration, tensors: Tensors) -> None:
    x = torch.randn(7, 32, generator=torch.Generator().manual_seed(2), dtype=torch.float64)

    for layer, merged in (
        (QUERY, model.model.language_model.layers[1].self_attn.q_proj),
        (UP, model.model.language_model.layers[0].mlp.up_proj),
    ):
        w, a, b = (tensors[f"{layer}.{part}weight"].double() for part in ("", "lora_A.", "lora_B."))
        bias = tensors.get(f"{layer}.bias", torch.zeros(len(w))).double()
        unmerged = x @ w.T + bias + 8 / 4 * ((x @ a.T) @ b.T)
        found = x @ merged.weight.double().T + (0 if merged.bias is None else merged.bias.double())
        assert (found - unmerged).abs().max() <= 1e-5
    assert all("lora" not in name for name, _ in model.named_parameters())


def test_lora_is_summed_before_numbers_are_cast(tmp_path: Path, tensors: Tensors) -> None:
    model = load(write_one(tmp_path, tensors), torch.bfloat16)

    w, a, b = (tensors[f"{UP}.{part}weight"] for part in ("", "lora_A.", "lora_B."))
    assert torch.equal(model.model.language_model.layers[0].mlp.up_proj.weight, (w + 2 * b @ a).bfloat16())
    assert {weights.dtype for weights in model.parameters()} == {torch.bfloat16}
    assert model.model.language_model.rotary_emb.inv_freq.dtype == torch.float32  # bfloat16 has no room for positions


def test_a_checkpoint_without_lora_loads_too(tmp_path: Path, tensors: Tensors) -> None:
    plain = {name: value for name, value in tensors.items() if ".lora_" not in name}

    model = load(write(tmp_path, plain, CONFIG | {"internlm_lora": None}))

    assert torch.equal(model.model.language_model.layers[0].mlp.up_proj.weight, tensors[f"{UP}.weight"])


def test_biases_are_there_where_the_configuration_says_so(tmp_path: Path, tensors: Tensors) -> None:
    plain = {name: value for name, value in tensors.items() if not re.search(r"self_attn\.\w_proj\.bias", name)}

    model = load(write(tmp_path, plain, CONFIG | {"kqvo_bias": False}))

    assert len(plain) == len(tensors) - 8
    assert model.model.language_model.layers[0].self_attn.o_proj.bias is None


def test_keys_of_the_eyes_have_no_bias(model: XComposer1ForConditionalGeneration, tensors: Tensors) -> None:
    bias = model.model.vision_tower.encoder.layers[2].self_attn.qkv.bias

    at = "visual_encoder.blocks.2.attn"
    assert torch.equal(bias, torch.cat([tensors[f"{at}.q_bias"], torch.zeros(24), tensors[f"{at}.v_bias"]]))


def test_replies_end_at_the_end_of_the_text(model: XComposer1ForConditionalGeneration) -> None:
    assert model.generation_config.eos_token_id == [2]  # no turns in 64 tokens


@pytest.mark.parametrize(
    "name",
    [
        "internlm_model.lm_head.weight", f"{QUERY}.lora_A.weight", f"{QUERY}.bias", "query_tokens", "flag_image_end",
        "visual_encoder.blocks.0.attn.v_bias", "visual_encoder.pos_embed", "ln_vision.bias", "internlm_proj.weight",
        "Qformer.bert.encoder.layer.2.crossattention.self.key.weight",
    ],
)  # fmt: skip
def test_a_missing_tensor_is_named(tmp_path: Path, tensors: Tensors, name: str) -> None:
    del tensors[name]

    with pytest.raises(ModelIncomplete, match=f"the tensor {re.escape(name)} is missing:"):
        load(write_one(tmp_path, tensors))


@pytest.mark.parametrize(
    "name",
    [
        "internlm_model.model.layers.2.self_attn.o_proj.weight", "visual_encoder.blocks.0.attn.k_bias",
        "internlm_model.model.layers.0.mlp.gate_proj.lora_A.weight", "visual_encoder.blocks.0.attn.qkv.bias",
        "Qformer.bert.encoder.layer.1.crossattention.self.key.weight", "Qformer.cls.predictions.bias",
        "Qformer.bert.encoder.layer.0.intermediate.dense.weight",
    ],
)  # fmt: skip
def test_an_unknown_tensor_is_named(tmp_path: Path, tensors: Tensors, name: str) -> None:
    tensors[name] = torch.zeros(3)

    with pytest.raises(ModelUnfit, match=f"unknown tensor: {re.escape(name)}"):
        load(write_one(tmp_path, tensors))


def test_a_renamed_tensor_is_named_by_both_names(tmp_path: Path, tensors: Tensors) -> None:
    tensors[f"{UP}.Plora_A.weight"] = tensors.pop(f"{UP}.lora_A.weight")

    with pytest.raises(ModelUnfit, match=r"up_proj\.lora_A\.weight is missing, .*up_proj\.Plora_A\.weight is unknown"):
        load(write_one(tmp_path, tensors))


@pytest.mark.parametrize(
    ("name", "shape", "right"),
    [
        (f"{UP}.lora_B.weight", (48, 5), (48, 4)),
        ("visual_encoder.blocks.1.attn.q_bias", (25,), (24,)),
        ("query_tokens", (1, 6, 16), (1, 5, 16)),
        ("flag_image_start", (32,), (1, 1, 32)),
        ("Qformer.bert.encoder.layer.0.crossattention.self.value.weight", (16, 16), (16, 24)),
    ],
)
def test_a_tensor_of_another_shape_is_named(
    tmp_path: Path, tensors: Tensors, name: str, shape: tuple[int, ...], right: tuple[int, ...]
) -> None:
    tensors[name] = torch.zeros(shape)

    message = f"the tensor {name} is {shape}, by config.json it is {right}"
    with pytest.raises(ModelUnfit, match=re.escape(message)):
        load(write_one(tmp_path, tensors))


@pytest.mark.parametrize("shape", [(1, 8, 24), (24,)])
def test_positions_of_no_square_are_named(tmp_path: Path, tensors: Tensors, shape: tuple[int, ...]) -> None:
    tensors["visual_encoder.pos_embed"] = torch.zeros(shape)

    with pytest.raises(ModelUnfit, match=r"visual_encoder\.pos_embed"):
        load(write_one(tmp_path, tensors))


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"hidden_size": -32}, ""),
        ({"internlm_lora": {"lora_r": 0, "lora_alpha": 8, "learn_param": ["q"]}}, "the rank 0"),
        ({"internlm_lora": {"lora_r": 4, "lora_alpha": 8, "learn_param": ["x"]}}, "learns 'x'"),
        ({"internlm_lora": {"lora_r": 4}}, "lora_alpha|learn_param"),
        ({"internlm_lora": [4]}, ""),
        ({"num_query_token": -1}, ""),
    ],
)
def test_numbers_that_cannot_be_are_refused(tmp_path: Path, tensors: Tensors, change: dict[str, Any], why: str) -> None:
    with pytest.raises(ModelUnfit, match=rf"config\.json of .* describes no such model: .*({why})"):
        load(write(tmp_path, tensors, CONFIG | change))


def test_another_version_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelUnfit, match=r"another layout: .* is missing .*model\.layers\.0\.attention"):
        load(write(tmp_path, load_file(GOLDEN / "xcomposer2_0.safetensors"), CONFIG))


def test_pickled_code_does_not_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tensors: Tensors) -> None:
    monkeypatch.chdir(tmp_path)
    checkpoint = write_one_pickled(tmp_path, tensors)
    torch.save({"query_tokens": Code()}, checkpoint.weights[0])

    with pytest.raises(ModelUnfit, match="holds more than tensors"):
        load(checkpoint)
    assert not Path("ran").exists()


def test_a_shard_that_is_cut_off_is_named(tmp_path: Path, tensors: Tensors) -> None:
    checkpoint = write_one_pickled(tmp_path, tensors)
    path = checkpoint.weights[-1]
    path.write_bytes(path.read_bytes()[:-2000])

    with pytest.raises(ModelIncomplete, match=f"{path.name} is cut off or damaged"):
        load(checkpoint)


WIDTHS = {"internlm": 8, "ffn": 12, "vocabulary": 16, "eyes": 6, "eyes_ffn": 10, "sampler": 4, "sampler_ffn": 6}


def tiny_shape(name: str) -> tuple[int, ...]:
    """What a tensor of the official list has as its shape, in a model of the same depth and these widths."""
    w = WIDTHS
    rules = [
        (r"visual_encoder\.cls_token", (1, 1, w["eyes"])),
        (r"visual_encoder\.pos_embed", (1, 5, w["eyes"])),
        (r"visual_encoder\.patch_embed\.proj\.weight", (w["eyes"], 3, 2, 2)),
        (r"visual_encoder.*qkv\.weight", (3 * w["eyes"], w["eyes"])),
        (r"visual_encoder.*attn\.proj\.weight", (w["eyes"], w["eyes"])),
        (r"visual_encoder.*fc1\.weight", (w["eyes_ffn"], w["eyes"])),
        (r"visual_encoder.*fc1\.bias", (w["eyes_ffn"],)),
        (r"visual_encoder.*fc2\.weight", (w["eyes"], w["eyes_ffn"])),
        (r"(visual_encoder|ln_vision).*", (w["eyes"],)),
        (r"query_tokens", (1, 3, w["sampler"])),
        (r"Qformer.*position_ids", (1, 512)),
        (r"Qformer.*LayerNorm.*", (w["sampler"],)),
        (r"Qformer.*crossattention\.self\.(key|value)\.weight", (w["sampler"], w["eyes"])),
        (r"Qformer.*intermediate_query\.dense\.weight", (w["sampler_ffn"], w["sampler"])),
        (r"Qformer.*intermediate_query\.dense\.bias", (w["sampler_ffn"],)),
        (r"Qformer.*output_query\.dense\.weight", (w["sampler"], w["sampler_ffn"])),
        (r"Qformer.*\.weight", (w["sampler"], w["sampler"])),
        (r"Qformer.*\.bias", (w["sampler"],)),
        (r"flag_image_.*", (1, 1, w["internlm"])),
        (r"internlm_proj\.weight", (w["internlm"], w["sampler"])),
        (r"internlm_model\.(lm_head|model\.embed_tokens)\.weight", (w["vocabulary"], w["internlm"])),
        (r".*down_proj\.lora_A\.weight", (2, w["ffn"])),
        (r".*lora_A\.weight", (2, w["internlm"])),
        (r".*up_proj\.lora_B\.weight", (w["ffn"], 2)),
        (r".*lora_B\.weight", (w["internlm"], 2)),
        (r".*(up|gate)_proj\.weight", (w["ffn"], w["internlm"])),
        (r".*down_proj\.weight", (w["internlm"], w["ffn"])),
        (r".*[qkvo]_proj\.weight", (w["internlm"], w["internlm"])),
        (r".*inv_freq", (2,)),
        (r".*(norm\.weight|_proj\.bias)", (w["internlm"],)),
    ]
    return next(shape for pattern, shape in rules if re.fullmatch(pattern, name))


@pytest.fixture(scope="module")
def names() -> list[str]:
    if not (SHARED / "1.0-keys.txt").is_file():
        pytest.skip("the official list of names is not beside this checkout")
    return (SHARED / "1.0-keys.txt").read_text().split()


@pytest.fixture(scope="module")
def official_config(names: list[str]) -> dict[str, Any]:
    return json.loads((SHARED / "1.0-config.json").read_text())


def test_the_official_list_of_names_loads_whole(
    tmp_path: Path, names: list[str], official_config: dict[str, Any]
) -> None:
    drawn = torch.Generator().manual_seed(6)
    tensors = {name: torch.randn(tiny_shape(name), generator=drawn) for name in names}
    small = {
        "hidden_size": 8, "intermediate_size": 12, "num_attention_heads": 2, "vocab_size": 16, "num_query_token": 3,
        "vision_config": {"hidden_size": 6, "intermediate_size": 10, "num_attention_heads": 2, "patch_size": 2},
        "qformer_config": {"hidden_size": 4, "intermediate_size": 6, "num_attention_heads": 2},
        "internlm_lora": official_config["internlm_lora"] | {"lora_r": 2, "lora_alpha": 2}, "image_token_id": 15,
    }  # fmt: skip

    model = load(write(tmp_path, tensors, official_config | small))

    ids = torch.tensor([[1, 4, *[15] * 5, 6]])
    with torch.inference_mode():
        assert model(input_ids=ids, pixel_values=torch.randn(1, 3, 4, 4)).logits.isfinite().all()
    assert torch.equal(model.lm_head.weight, tensors["internlm_model.lm_head.weight"])
    assert model.generation_config.pad_token_id == 2


def test_the_published_names_and_bytes_are_those_of_our_model(
    names: list[str], official_config: dict[str, Any]
) -> None:
    """The writer and the layers of the eyes were stored in float16, all else in float32: 18,577,196,288 bytes."""
    with torch.device("meta"):
        model = XComposer1ForConditionalGeneration(config_from_official(official_config, 257))
    shapes = expected_shapes(model, lora_from_official(official_config))

    assert set(shapes) == {name for name in names if not left_out(name)}
    assert len(names) == 1480

    def bytes_of(name: str) -> int:
        small = r"internlm_model\.(?!.*lora).*|visual_encoder\.(.*attn\.(proj|qkv).*|.*fc\d.*|patch_embed.*)"
        return math.prod(shapes[name]) * (2 if re.fullmatch(small, name) else 4)

    left = 512 * 8 + 32 * 64 * 2  # whole numbers of 64 bits for positions, and float16 for each layer's speeds
    assert sum(map(bytes_of, shapes)) + left == 18_577_196_288
