"""Weights that are no numbers, or do not fit into those asked for, are noticed as they are read: by tensor and file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from limner.composer.errors import ModelIncomplete, ModelUnfit
from limner.composer.models.checkpoint import Checkpoint
from limner.composer.models.load import load_model
from limner.composer.models.options import ModelOptions
from limner.composer.models.xcomposer.checkpoint import find_xcomposer
from limner.composer.models.xcomposer.convert import convert, plan_conversion
from limner.composer.models.xcomposer.numbers import check_finite, check_range
from safetensors.torch import load_file, save_file

from .official_folders import VERSIONS, write_official

BAD = {"nan": float("nan"), "inf": float("inf"), "-inf": float("-inf")}
OFFICIAL = {"1.0": "Qformer.bert.embeddings.LayerNorm.weight", "2.0": "output.weight", "2.5": "plora_glb_GN"}


def load(folder: Path, **options: Any) -> Any:
    return load_model(f"xcomposer:{folder}", ModelOptions(**{"device": "cpu", **options}))


def put(folder: Path, name: str, number: float) -> str:
    """Put a number into a tensor, whichever file has it; the file's name."""
    for path in (*folder.glob("*.safetensors"), *folder.glob("*.bin")):
        safe = path.suffix == ".safetensors"
        tensors = load_file(path) if safe else torch.load(path, weights_only=True)
        if name in tensors:
            tensors[name].view(-1)[-1] = number
            (save_file(tensors, path, {"format": "pt"}) if safe else torch.save(tensors, path))
            return path.name
    raise AssertionError(f"no file has {name}")


@pytest.mark.parametrize(("version", "bad"), list(zip(VERSIONS, BAD, strict=True)))
def test_a_number_that_is_none_is_refused_by_tensor_and_file(tmp_path: Path, version: str, bad: str) -> None:
    folder = write_official(tmp_path / "model", version, pickled=version != "2.5")
    file = put(folder, OFFICIAL[version], BAD[bad])
    counts = "1 are NaN and 0 infinite" if bad == "nan" else "0 are NaN and 1 infinite"
    told = rf"{file}: of the [\d,]+ numbers of the tensor {OFFICIAL[version]} {counts}"

    with pytest.raises(ModelIncomplete, match=told) as caught:
        load(folder)
    assert "copy that file again" in caught.value.hint
    with pytest.raises(ModelIncomplete, match=told):
        convert(plan_conversion(find_xcomposer(str(folder)), tmp_path / "out"))
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


@pytest.mark.parametrize("part", ["A", "B"])
def test_a_number_that_is_none_is_found_in_what_is_merged(tmp_path: Path, part: str) -> None:
    folder = write_official(tmp_path / "model", "2.5")
    name = f"model.layers.1.feed_forward.w2.lora_sft_{part}.weight"
    put(folder, name, BAD["nan"])

    with pytest.raises(ModelIncomplete, match=name):
        load(folder)
    convert(plan_conversion(find_xcomposer(str(folder), "none"), tmp_path / "out"))  # which reads no adapters


@pytest.mark.parametrize(("bad", "quantize"), [("nan", "none"), ("-inf", "8bit")])
def test_a_converted_model_is_looked_at_too(tmp_path: Path, bad: str, quantize: str) -> None:
    folder = tmp_path / "own"
    official = find_xcomposer(str(write_official(tmp_path / "model", "2.0")))
    convert(plan_conversion(official, folder, shard_bytes=60_000))
    name = "model.language_model.layers.1.mlp.w2.linear.weight"
    file = put(folder, name, BAD[bad])

    with pytest.raises(ModelIncomplete, match=rf"{file}: .* the tensor {name}") as caught:
        load(folder, quantize=quantize)
    assert "convert its model again" in caught.value.hint


def test_a_pulled_file_is_to_be_deleted_before_it_is_pulled_again(tmp_path: Path) -> None:
    blob = tmp_path / "blobs" / "c0ffee"
    blob.parent.mkdir()
    blob.touch()
    (tmp_path / "model.bin").symlink_to(blob)

    with pytest.raises(ModelIncomplete) as caught:
        check_finite(
            Checkpoint("a/b@main", tmp_path, "commit"), tmp_path / "model.bin", "x", torch.tensor([BAD["nan"]])
        )
    assert caught.value.hint.startswith(f"delete {blob}, and `limner models pull a/b` fetches it again")


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float32, torch.float64])
def test_no_place_of_a_tensor_is_passed_over(tmp_path: Path, dtype: torch.dtype) -> None:
    checkpoint, path = Checkpoint("m", tmp_path), tmp_path / "file"
    largest = torch.full((7, 11), torch.finfo(dtype).max, dtype=dtype)
    for good in (largest, -largest, largest[:0], largest[:, ::2]):
        check_finite(checkpoint, path, "x", good)
    for bad in BAD.values():
        for place in range(77):
            weights = largest.clone()
            weights.view(-1)[place] = bad
            with pytest.raises(ModelIncomplete):
                check_finite(checkpoint, path, "x", weights)


def test_numbers_beyond_those_asked_for_are_refused(tmp_path: Path) -> None:
    folder = write_official(tmp_path / "model", "2.0")
    convert(plan_conversion(find_xcomposer(str(folder)), tmp_path / "own"))
    put(folder, "output.weight", -70_000.0)
    put(tmp_path / "own", "lm_head.weight", -70_000.0)

    for stored in (folder, tmp_path / "own"):
        load(stored, dtype="bfloat16")
        with pytest.raises(ModelUnfit, match=r"lm_head.weight has the number -7e\+04, and float16 ends at") as caught:
            load(stored, dtype="float16")
        assert "`--dtype bfloat16`" in caught.value.hint
    with pytest.raises(ModelUnfit, match="float16 ends at"):
        convert(plan_conversion(find_xcomposer(str(folder)), tmp_path / "out", dtype="float16"))
    assert not (tmp_path / "out").exists()


def test_numbers_that_fit_are_cast(tmp_path: Path) -> None:
    checkpoint = Checkpoint("m", tmp_path)
    check_range(checkpoint, "x", torch.tensor([65_504.0, -65_504.0]), torch.float16)
    check_range(checkpoint, "x", torch.tensor([3e38]), torch.bfloat16)
    check_range(checkpoint, "x", torch.tensor([60_000.0], dtype=torch.float16), torch.float32)
    with pytest.raises(ModelUnfit):
        check_range(checkpoint, "x", torch.tensor([0.0, 70_000.0]).bfloat16(), torch.float16)


def test_numbers_of_8_bits_are_quantised_ones(tmp_path: Path) -> None:
    folder = write_official(tmp_path / "model", "2.0")
    tensors = {
        name: weights.to(torch.float8_e4m3fn) for name, weights in load_file(folder / "model.safetensors").items()
    }
    save_file(tensors, folder / "model.safetensors")

    with pytest.raises(ModelUnfit, match=r"is quantised: the numbers of .* are float8_e4m3fn"):
        load(folder)
