"""Official checkpoints: the layout as it is published, what the authors' own code makes of it, and what is refused.

golden/xcomposer2_0.safetensors and xcomposer2_5.safetensors are tiny random weights under the official names, and
*-expected.safetensors the token ids of some prompts and the logits that the authors' code (the 2.x base that is public
with 2.5-OmniLive, under transformers 4.33.2 and torch 2.1.2, float32, eager attention) gave for them, its constants for
the sizes of eyes, tiles and ranks made small. The 2.0 form is the same code without tiles: CLIP's last patches straight
into the projector. No weights, texts or code of theirs are in these files; the pictures are computed below.
"""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from limner.composer.errors import ModelIncomplete, ModelUnfit
from limner.composer.models.checkpoint import Checkpoint
from limner.composer.models.xcomposer.config import XComposer2Config
from limner.composer.models.xcomposer.layout import Task, left_out, official_name
from limner.composer.models.xcomposer.model import XComposer2ForConditionalGeneration
from limner.composer.models.xcomposer.official import load_official
from limner.composer.models.xcomposer.tensors import stored_dtype
from safetensors.torch import load_file, save_file

GOLDEN = Path(__file__).parent / "golden"
CONFIG = {
    "architectures": ["InternLMXComposer2ForCausalLM"], "model_type": "internlmxcomposer2", "vocab_size": 64,
    "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4,
    "num_key_value_heads": 2, "max_position_embeddings": 256, "rms_norm_eps": 1e-5, "bias": False,
    "rope_theta": 1000000, "rope_scaling": None, "bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 2,
    "hidden_act": "silu", "initializer_range": 0.02, "torch_dtype": "float32", "plora_rank": 4, "image_token_id": 3,
    "vision_config": {
        "hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 2, "num_attention_heads": 2, "patch_size": 14,
    },
}  # fmt: skip
WQKV = "model.layers.1.attention.wqkv"

Tensors = dict[str, torch.Tensor]


def write(folder: Path, tensors: Tensors, config: dict[str, Any] = CONFIG) -> Checkpoint:
    (folder / "config.json").write_text(json.dumps(config))
    save_file(tensors, folder / "model.safetensors")
    return Checkpoint(str(folder), folder)


def write_pickled(folder: Path, tensors: Tensors, config: dict[str, Any] = CONFIG) -> Checkpoint:
    """Two shards and their index, as 1.0 and 2.0 were published."""
    (folder / "config.json").write_text(json.dumps(config))
    names = sorted(tensors)
    where = {name: f"pytorch_model-0000{1 + i % 2}-of-00002.bin" for i, name in enumerate(names)}
    for shard in sorted(set(where.values())):
        torch.save({name: tensors[name] for name in names if where[name] == shard}, folder / shard)
    (folder / "pytorch_model.bin.index.json").write_text(json.dumps({"metadata": {}, "weight_map": where}))
    return Checkpoint(str(folder), folder)


def load(
    checkpoint: Checkpoint, dtype: torch.dtype = torch.float32, task: Task = "none"
) -> XComposer2ForConditionalGeneration:
    return load_official(checkpoint, dtype=dtype, task=task)


def picture(number: int, height: int, width: int) -> np.ndarray:
    return np.sin(np.arange(3 * height * width) * (0.37 + 0.11 * number)).astype(np.float32).reshape(3, height, width)


@pytest.fixture
def tensors() -> Tensors:
    return load_file(GOLDEN / "xcomposer2_0.safetensors")


@pytest.fixture(scope="module")
def expected() -> Tensors:
    return load_file(GOLDEN / "xcomposer2_0-expected.safetensors")


@pytest.mark.parametrize(("prompt", "pictures"), [("text_only", 0), ("one_picture", 1), ("several_pictures", 4)])
def test_logits_equal_those_of_the_authors_code(
    tmp_path: Path, tensors: Tensors, expected: Tensors, prompt: str, pictures: int
) -> None:
    model = load(write(tmp_path, tensors))
    seen = {}
    if pictures:
        seen["pixel_values"] = torch.from_numpy(np.stack([picture(i, 56, 56) for i in range(pictures)]))

    with torch.inference_mode():
        logits = model(input_ids=expected[f"{prompt}.input_ids"][None], **seen).logits[0]

    assert (logits - expected[f"{prompt}.logits"]).abs().max() <= 1e-4


def test_pickled_shards_load_as_safetensors_do(tmp_path: Path, tensors: Tensors, expected: Tensors) -> None:
    model = load(write_pickled(tmp_path, tensors))

    with torch.inference_mode():
        logits = model(input_ids=expected["text_only.input_ids"][None]).logits[0]
    assert (logits - expected["text_only.logits"]).abs().max() <= 1e-4


def test_numbers_are_cast_on_the_way(tmp_path: Path, tensors: Tensors) -> None:
    model = load(write(tmp_path, tensors), torch.bfloat16)

    assert {weights.dtype for weights in model.parameters()} == {torch.bfloat16}
    assert torch.equal(model.lm_head.weight, tensors["output.weight"].bfloat16())
    assert model.model.language_model.rotary_emb.inv_freq.dtype == torch.float32  # bfloat16 has no room for positions


def test_replies_end_at_the_end_of_the_text(tmp_path: Path, tensors: Tensors) -> None:
    assert load(write(tmp_path, tensors)).generation_config.eos_token_id == [2]  # no turns in 64 tokens


def test_what_only_older_versions_stored_is_left_out(tmp_path: Path, tensors: Tensors) -> None:
    tensors["vit.vision_tower.vision_model.embeddings.position_ids"] = torch.arange(17)[None]
    tensors["model.layers.0.attention.rotary_emb.inv_freq"] = torch.ones(4)

    load(write(tmp_path, tensors))


@pytest.mark.parametrize("name", ["output.weight", f"{WQKV}.Plora_A.weight", "vision_proj.2.bias"])
@pytest.mark.parametrize("form", [write, write_pickled])
def test_a_missing_tensor_is_named(
    tmp_path: Path, tensors: Tensors, name: str, form: Callable[[Path, Tensors], Checkpoint]
) -> None:
    del tensors[name]

    with pytest.raises(ModelIncomplete, match=f"the tensor {name} is missing:"):
        load(form(tmp_path, tensors))


def test_missing_positions_are_named(tmp_path: Path, tensors: Tensors) -> None:
    del tensors["vit.vision_tower.vision_model.embeddings.position_embedding.weight"]

    with pytest.raises(ModelIncomplete, match=r"embeddings\.position_embedding\.weight is missing"):
        load(write(tmp_path, tensors))


@pytest.mark.parametrize("name", ["model.layers.2.attention.wo.weight", f"{WQKV}.lora_sft_A.weight", "logit_scale"])
def test_an_unknown_tensor_is_named(tmp_path: Path, tensors: Tensors, name: str) -> None:
    tensors[name] = torch.zeros(3)

    with pytest.raises(ModelUnfit, match=f"unknown tensor: {name}"):
        load(write(tmp_path, tensors))


def test_a_renamed_tensor_is_named_by_both_names(tmp_path: Path, tensors: Tensors) -> None:
    tensors[f"{WQKV}.lora_A.weight"] = tensors.pop(f"{WQKV}.Plora_A.weight")

    with pytest.raises(ModelUnfit, match=r"wqkv\.Plora_A\.weight is missing, .*wqkv\.lora_A\.weight is unknown"):
        load(write(tmp_path, tensors))


def test_a_tensor_of_another_shape_is_named(tmp_path: Path, tensors: Tensors) -> None:
    tensors[f"{WQKV}.weight"] = tensors[f"{WQKV}.weight"].T.contiguous()

    with pytest.raises(ModelUnfit, match=rf"{WQKV}\.weight is \(32, 64\), by config.json it is \(64, 32\)"):
        load(write(tmp_path, tensors))


def test_positions_of_no_square_are_named(tmp_path: Path, tensors: Tensors) -> None:
    tensors["vit.vision_tower.vision_model.embeddings.position_embedding.weight"] = torch.zeros(13, 16)

    with pytest.raises(ModelUnfit, match=r"position_embedding\.weight has 13 rows"):
        load(write(tmp_path, tensors))


def test_a_tensor_that_is_there_twice_is_named(tmp_path: Path, tensors: Tensors) -> None:
    checkpoint = write_pickled(tmp_path, tensors)
    for shard in checkpoint.weights:
        torch.save(torch.load(shard) | {"output.weight": tensors["output.weight"]}, shard)

    with pytest.raises(ModelUnfit, match=r"the tensor output\.weight twice, again in pytorch_model-00002"):
        load(checkpoint)


class Code:
    """What a pickled file may hold beside tensors."""

    def __reduce__(self) -> Any:
        return (Path.touch, (Path("ran"),))


def test_pickled_code_does_not_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tensors: Tensors) -> None:
    monkeypatch.chdir(tmp_path)
    checkpoint = write_pickled(tmp_path, tensors)
    torch.save({"output.weight": Code()}, checkpoint.weights[0])

    with pytest.raises(ModelUnfit, match="holds more than tensors"):
        load(checkpoint)
    assert not Path("ran").exists()


def test_a_plain_pickle_is_refused(tmp_path: Path, tensors: Tensors) -> None:
    checkpoint = write_pickled(tmp_path, tensors)
    checkpoint.weights[0].write_bytes(pickle.dumps({"output.weight": [1.0]}))

    with pytest.raises((ModelUnfit, ModelIncomplete), match=r"pytorch_model-00001-of-00002\.bin"):
        load(checkpoint)


def test_a_name_that_is_no_text_is_refused(tmp_path: Path, tensors: Tensors) -> None:
    checkpoint = write_pickled(tmp_path, tensors)
    torch.save({7: torch.zeros(2)}, checkpoint.weights[0])

    with pytest.raises(ModelUnfit, match=r"pytorch_model-00001-of-00002\.bin is no file of weights: 7 is no name"):
        load(checkpoint)


def test_the_stored_type_is_that_of_the_first_file_with_tensors(tmp_path: Path, tensors: Tensors) -> None:
    checkpoint = write_pickled(tmp_path, {name: weights.half() for name, weights in tensors.items()})
    first, second = checkpoint.weights
    torch.save(torch.load(first) | torch.load(second), second)
    torch.save({}, first)

    assert stored_dtype(checkpoint) == torch.float16


def test_whole_numbers_are_refused(tmp_path: Path, tensors: Tensors) -> None:
    checkpoint = write(tmp_path, {name: weights.to(torch.int8) for name, weights in tensors.items()})

    with pytest.raises(ModelUnfit, match=r"is quantised: the numbers of .* are int8"):
        stored_dtype(checkpoint)


@pytest.mark.parametrize("form", [write, write_pickled])
def test_a_file_that_is_cut_off_is_named(
    tmp_path: Path, tensors: Tensors, form: Callable[[Path, Tensors], Checkpoint]
) -> None:
    checkpoint = form(tmp_path, tensors)
    path = checkpoint.weights[-1]
    path.write_bytes(path.read_bytes()[:-2000])

    with pytest.raises(ModelIncomplete, match=f"{path.name} is cut off or damaged"):
        load(checkpoint)


def test_an_index_that_names_a_missing_file_is_refused(tmp_path: Path, tensors: Tensors) -> None:
    checkpoint = write_pickled(tmp_path, tensors)
    (tmp_path / "pytorch_model-00002-of-00002.bin").unlink()

    with pytest.raises(ModelIncomplete, match=r"pytorch_model-00002-of-00002\.bin"):
        load(checkpoint)


@pytest.mark.parametrize(
    "change", [{"hidden_size": -32}, {"num_attention_heads": 0}, {"vocab_size": "many"}, {"max_length": 0}]
)
def test_numbers_that_cannot_be_are_refused(tmp_path: Path, tensors: Tensors, change: dict[str, Any]) -> None:
    with pytest.raises(ModelUnfit, match=r"config\.json of .* describes no such model"):
        load(write(tmp_path, tensors, CONFIG | change))


def test_a_config_of_another_size_is_refused(tmp_path: Path, tensors: Tensors) -> None:
    with pytest.raises(ModelUnfit, match=r"vision_proj\.0\.weight is \(32, 16\), by config.json it is \(40, 16\)"):
        load(write(tmp_path, tensors, CONFIG | {"hidden_size": 40}))


def test_another_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelUnfit, match=r"another layout.*model\.embed_tokens\.weight is unknown"):
        load(write(tmp_path, {"model.embed_tokens.weight": torch.zeros(64, 32)}, CONFIG | {"model_type": "llama"}))


def test_the_7b_sizes_have_the_published_names_and_shapes() -> None:
    eyes = {"hidden_size": 1024, "intermediate_size": 4096, "num_hidden_layers": 24, "num_attention_heads": 16}
    with torch.device("meta"):
        model = XComposer2ForConditionalGeneration(
            XComposer2Config(vision_config={**eyes, "patch_size": 14, "image_size": 224})
        )
    shapes = {official_name(name): tuple(weights.shape) for name, weights in model.named_parameters()}

    # A layer has five linear layers of three tensors and two norms; CLIP's has 16 tensors, and 7 stand around them.
    assert len(shapes) == 32 * 17 + 3 + 24 * 16 + 7 + 4
    assert not any(left_out(name) for name in shapes)
    assert shapes["model.tok_embeddings.weight"] == shapes["output.weight"] == (92544, 4096)
    assert shapes["model.layers.31.attention.wqkv.weight"] == (6144, 4096)
    assert shapes["model.layers.31.attention.wqkv.Plora_B.weight"] == (6144, 256)
    assert shapes["model.layers.0.feed_forward.w2.Plora_A.weight"] == (256, 14336)
    assert shapes["vit.vision_tower.vision_model.embeddings.position_embedding.weight"] == (257, 1024)
    assert shapes["vision_proj.0.weight"] == (4096, 1024)
