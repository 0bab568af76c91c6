"""2.5's task adapters: merged for the task in hand, and never silently left out."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import torch
from limner.composer.errors import ModelIncomplete, ModelUnfit
from limner.composer.models.xcomposer.layout import Task
from limner.composer.models.xcomposer.official import load_official
from safetensors.torch import load_file

from .test_xcomposer_official import GOLDEN, WQKV, Tensors, load, write, write_pickled

IDS = torch.tensor([[1, 9, 20, 33, 41, 7]])
RANKS = {"sft": 2, "dpo": 3, "web": 5}


def with_adapters() -> Tensors:
    """The golden weights of 2.5, and adapters beside each of the decoder's linear layers."""
    tensors = load_file(GOLDEN / "xcomposer2_5.safetensors")
    drawn = torch.Generator().manual_seed(4)
    linears = [name for name in tensors if re.fullmatch(r"model\.layers\.\d+\.\w+\.(w\d|wqkv|wo)\.weight", name)]
    assert len(linears) == 10
    for name in linears:
        outputs, inputs = tensors[name].shape
        for kind, rank in RANKS.items():
            at = name.removesuffix("weight") + f"lora_{kind}"
            tensors[f"{at}_A.weight"] = torch.randn(rank, inputs, generator=drawn) * 0.2
            tensors[f"{at}_B.weight"] = torch.randn(outputs, rank, generator=drawn) * 0.2
    return tensors


def by_hand(tensors: Tensors, *kinds: str) -> Tensors:
    """The same weights with the adapters of these kinds added, and no adapters."""
    summed = {name: value for name, value in tensors.items() if ".lora_" not in name}
    for name in tensors:
        if (at := name.removesuffix("_A.weight")) != name and at.split("lora_")[-1] in kinds:
            a, b = tensors[name].double(), tensors[f"{at}_B.weight"].double()
            weight = at.rpartition(".lora_")[0] + ".weight"
            summed[weight] = (summed[weight].double() + torch.einsum("or,ri->oi", b, a)).float()
    return summed


def folder(parent: Path, name: str) -> Path:
    (parent / name).mkdir()
    return parent / name


@pytest.mark.parametrize(("task", "kinds"), [("write", ("sft", "dpo")), ("web", ("web",)), ("none", ())])
def test_the_adapters_of_the_task_are_merged(tmp_path: Path, task: Task, kinds: tuple[str, ...]) -> None:
    tensors = with_adapters()
    expected = load(write(folder(tmp_path, "by hand"), by_hand(tensors, *kinds)))

    model = load(write(folder(tmp_path, "official"), tensors), task=task)

    with torch.inference_mode():
        assert (model(input_ids=IDS).logits - expected(input_ids=IDS).logits).abs().max() <= 1e-4
    assert all("lora_sft" not in name for name, _ in model.named_parameters())


def test_each_task_is_another_model(tmp_path: Path) -> None:
    checkpoint = write(tmp_path, with_adapters())
    tasks: list[Task] = ["write", "web", "none"]
    with torch.inference_mode():
        said = [load(checkpoint, task=task)(input_ids=IDS).logits for task in tasks]

    assert min((one - other).abs().max() for one, other in zip(said, [*said[1:], said[0]], strict=True)) > 1e-2


def test_writing_is_what_a_checkpoint_is_loaded_for(tmp_path: Path) -> None:
    tensors = with_adapters()
    checkpoint = write(tmp_path, tensors)

    model = load_official(checkpoint, dtype=torch.float32)

    assert torch.equal(model.lm_head.weight, tensors["output.weight"])
    with torch.inference_mode():
        assert torch.equal(model(input_ids=IDS).logits, load(checkpoint, task="write")(input_ids=IDS).logits)


def test_a_checkpoint_without_adapters_is_not_taken_for_one_that_writes(tmp_path: Path) -> None:
    checkpoint = write(tmp_path, load_file(GOLDEN / "xcomposer2_5.safetensors"))

    with pytest.raises(ModelIncomplete, match=r"adapters of the task write.*lora_sft_A\.weight is missing.*task none"):
        load(checkpoint, task="write")


@pytest.mark.parametrize("name", [f"{WQKV}.lora_dpo_B.weight", "model.layers.0.feed_forward.w2.lora_sft_A.weight"])
def test_a_missing_adapter_is_named(tmp_path: Path, name: str) -> None:
    tensors = with_adapters()
    del tensors[name]

    with pytest.raises(ModelIncomplete, match=re.escape(f"the tensor {name} is missing")):
        load(write(tmp_path, tensors), task="write")


def test_an_adapter_of_another_shape_is_named(tmp_path: Path) -> None:
    tensors = with_adapters()
    tensors[f"{WQKV}.lora_dpo_B.weight"] = torch.zeros(64, 4)

    with pytest.raises(ModelUnfit, match=r"wqkv\.lora_dpo_B\.weight is \(64, 4\), beside its layer it is \(64, 3\)"):
        load(write(tmp_path, tensors), task="write")


@pytest.mark.parametrize("name", [f"{WQKV}.lora_ppo_A.weight", "model.layers.2.attention.wo.lora_sft_A.weight"])
def test_an_unknown_adapter_is_named(tmp_path: Path, name: str) -> None:
    tensors = with_adapters()
    tensors[name] = torch.zeros(2, 32)

    with pytest.raises(ModelUnfit, match=re.escape(f"unknown tensor: {name}")):
        load(write(tmp_path, tensors), task="write")


def test_adapters_are_summed_in_float32(tmp_path: Path) -> None:
    tensors = with_adapters()
    model = load(write(tmp_path, tensors), torch.bfloat16, task="write")

    at = f"{WQKV}.lora"
    expected = tensors[f"{WQKV}.weight"].float()
    for kind in ("sft", "dpo"):
        expected += tensors[f"{at}_{kind}_B.weight"] @ tensors[f"{at}_{kind}_A.weight"]
    found = model.get_submodule("model.language_model.layers.1.self_attn.wqkv.linear").weight
    assert torch.equal(found, expected.bfloat16())


def test_what_belongs_together_may_lie_in_different_files(tmp_path: Path) -> None:
    tensors = with_adapters()
    whole = load(write(folder(tmp_path, "one"), tensors), task="write")

    model = load(write_pickled(folder(tmp_path, "two"), tensors), task="write")

    assert all(torch.equal(one, other) for one, other in zip(whole.parameters(), model.parameters(), strict=True))
