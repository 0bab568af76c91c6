"""open_clip behind the Encoder protocol: a tiny model with random weights, saved and loaded."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from limner.index.encoder import EMBEDDED, OpenClipEncoder, encoders_at_hand, load_encoder
from limner.index.errors import DeviceMissing, EncoderUnknown
from limner.index.precision import has_arithmetic
from open_clip import image_transform
from open_clip.model import CLIP
from PIL import Image
from safetensors.torch import load_file, save_file

TINY = {
    "embed_dim": 12,
    "vision_cfg": {"image_size": 32, "layers": 1, "width": 32, "head_width": 16, "patch_size": 16},
    "text_cfg": {"context_length": 16, "vocab_size": 49408, "width": 16, "heads": 2, "layers": 1},
}


@pytest.fixture(scope="module")
def tiny_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint as open_clip's local-dir: reads it, float16 on disk."""
    folder = tmp_path_factory.mktemp("tiny")
    torch.manual_seed(0)
    weights = {name: tensor.half().contiguous() for name, tensor in CLIP(**TINY).state_dict().items()}
    save_file(weights, folder / "open_clip_model.safetensors")
    config = {"model_cfg": TINY, "preprocess_cfg": {"mean": [0.5] * 3, "std": [0.5] * 3}}
    (folder / "open_clip_config.json").write_text(json.dumps(config))
    return folder


@pytest.fixture
def copy(tiny_folder: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(tiny_folder, tmp_path / "copy"))


@pytest.fixture(scope="module")
def tiny(tiny_folder: Path) -> OpenClipEncoder:
    return load_encoder(str(tiny_folder), "cpu")


def _pictures() -> list[Image.Image]:
    noise = np.random.default_rng(0).integers(0, 255, (3, 40, 60, 3), np.uint8)
    return [Image.fromarray(pixels) for pixels in noise]


def test_encoder_gives_unit_rows(tiny: OpenClipEncoder) -> None:
    assert (tiny.dimension, tiny.image_side_px) == (12, 32)
    for vectors in (tiny.encode_images(_pictures()), tiny.encode_texts(["a fox", "an owl " * 100, ""])):
        assert (vectors.shape, vectors.dtype) == ((3, 12), np.float32)
        assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)


def test_encoder_gives_no_rows_for_nothing(tiny: OpenClipEncoder) -> None:
    assert tiny.encode_images([]).shape == tiny.encode_texts([]).shape == (0, 12)


def test_encoder_row_is_the_models_own(tiny: OpenClipEncoder, tiny_folder: Path) -> None:
    model = CLIP(**TINY)
    model.load_state_dict(load_file(tiny_folder / "open_clip_model.safetensors"))
    pixels = torch.tensor(np.asarray(_pictures()[0].resize((32, 32)), np.float32)).permute(2, 0, 1)[None] / 127.5 - 1
    square = Image.fromarray(np.asarray(_pictures()[0].resize((32, 32))))
    with torch.inference_mode():
        expected = torch.nn.functional.normalize(model.eval().encode_image(pixels), dim=-1).numpy()
    assert np.allclose(tiny.encode_images([square]), expected, atol=1e-4)


def test_encoder_name_loads_it_again(tiny: OpenClipEncoder, tiny_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tiny_folder.parent)
    relative = load_encoder(tiny_folder.name, "cpu")
    monkeypatch.chdir("/")
    again = load_encoder(relative.name, "cpu")
    assert again.fingerprint == relative.fingerprint == tiny.fingerprint


def test_fingerprint_does_not_ask_where_the_weights_lie(tiny: OpenClipEncoder, copy: Path) -> None:
    assert load_encoder(str(copy), "cpu").fingerprint == tiny.fingerprint


def test_fingerprint_covers_precision(tiny: OpenClipEncoder, tiny_folder: Path) -> None:
    bf16 = load_encoder(f"{tiny_folder}@bf16", "cpu")
    assert bf16.fingerprint != tiny.fingerprint
    assert bf16.name.endswith("@bf16")
    assert np.allclose(bf16.encode_images(_pictures()), tiny.encode_images(_pictures()), atol=0.05)


@pytest.mark.parametrize(("precision", "dtype"), [("bf16", torch.bfloat16), ("fp16", torch.float16)])
def test_lower_precision_is_right_on_any_machine(tiny_folder: Path, precision: str, dtype: torch.dtype) -> None:
    """With arithmetic of its own or without: the rows are those of the rounded weights."""
    encoder = load_encoder(f"{tiny_folder}@{precision}", "cpu")
    model = CLIP(**TINY)
    weights = load_file(tiny_folder / "open_clip_model.safetensors")
    model.load_state_dict({name: tensor.to(dtype).float() for name, tensor in weights.items()})
    with torch.inference_mode():
        expected = torch.nn.functional.normalize(model.eval().encode_image(encoder.pixels(_pictures()).float()), dim=-1)
    assert np.allclose(encoder.encode_images(_pictures()), expected.numpy(), atol=0.05)
    assert encoder.encode_texts(["a fox"]).shape == (1, 12)
    assert encoder.name == f"{tiny_folder}@{precision}"


def test_auto_leaves_its_outcome_in_the_name(tiny_folder: Path) -> None:
    chosen = load_encoder(f"{tiny_folder}@auto", "cpu")
    assert chosen.name in (str(tiny_folder), f"{tiny_folder}@bf16")
    assert load_encoder(chosen.name, "cpu").fingerprint == chosen.fingerprint


@pytest.mark.parametrize(("faster", "name"), [(True, "nano-clip@bf16"), (False, "nano-clip")])
def test_auto_asks_of_the_embedded_encoder_too(monkeypatch: pytest.MonkeyPatch, faster: bool, name: str) -> None:
    monkeypatch.setattr("limner.index.encoder.has_arithmetic", lambda device, precision: True)
    monkeypatch.setattr("limner.index.encoder.is_faster", lambda other, than: faster)
    assert load_encoder("nano-clip@auto", "cpu").name == name


def test_auto_takes_float32_where_nothing_else_is_computed_with(tiny_folder: Path) -> None:
    if has_arithmetic(torch.device("cpu"), "bf16"):
        pytest.skip("this processor multiplies in bfloat16")
    assert load_encoder(f"{tiny_folder}@auto", "cpu").name == str(tiny_folder)
    assert load_encoder(f"{tiny_folder}@bf16", "cpu").dtype == torch.float32


def test_prepared_pictures_give_the_same_rows(tiny: OpenClipEncoder) -> None:
    prepared = [tiny.prepare(picture) for picture in _pictures()]
    assert {picture.size for picture in prepared} == {(32, 32)}
    assert tiny.encode_images(prepared).tobytes() == tiny.encode_images(_pictures()).tobytes()


def test_pixels_are_those_of_open_clips_own_transform(tiny: OpenClipEncoder) -> None:
    transform = image_transform(32, is_train=False, mean=(0.5,) * 3, std=(0.5,) * 3)
    expected = torch.stack([transform(picture) for picture in _pictures()])
    assert torch.equal(tiny.pixels(_pictures()), expected)


def test_fingerprint_covers_weights(tiny: OpenClipEncoder, copy: Path) -> None:
    path = copy / "open_clip_model.safetensors"
    weights = load_file(path)
    weights["visual.proj"][0, 0] += 1
    save_file(weights, path)
    assert load_encoder(str(copy), "cpu").fingerprint != tiny.fingerprint


def test_fingerprint_covers_preprocessing(tiny: OpenClipEncoder, copy: Path) -> None:
    path = copy / "open_clip_config.json"
    path.write_text(path.read_text().replace('"std": [0.5', '"std": [0.25'))
    assert load_encoder(str(copy), "cpu").fingerprint != tiny.fingerprint


def test_load_encoder_never_takes_random_weights(copy: Path) -> None:
    (copy / "open_clip_model.safetensors").unlink()
    with pytest.raises(EncoderUnknown, match=r"has no weights \(open_clip_model\.safetensors\)"):
        load_encoder(str(copy), "cpu")


@pytest.mark.parametrize("name", ["open_clip_model.safetensors", "open_clip_config.json"])
def test_load_encoder_names_broken_checkpoint(copy: Path, name: str) -> None:
    (copy / name).write_bytes(b"{broken")
    with pytest.raises(EncoderUnknown, match="cannot load the encoder"):
        load_encoder(str(copy), "cpu")


def test_load_encoder_says_which_weights_are_not_here(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path))
    with pytest.raises(EncoderUnknown, match="the weights of ViT-B-32/laion2b_s34b_b79k are not on this machine") as no:
        load_encoder("ViT-B-32/laion2b_s34b_b79k", "cpu")
    assert "limner models" in no.value.hint
    with pytest.raises(EncoderUnknown, match="the weights of ViT-B-32/openai"):
        load_encoder("ViT-B-32/openai@bf16", "cpu")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("nonsense", "no encoder is called 'nonsense'"),
        ("ViT-B-32", "no encoder is called 'ViT-B-32'"),
        ("ViT-B-32/nonsense", "ViT-B-32 has no weights called 'nonsense': it has: openai"),
        ("", "no encoder is called ''"),
    ],
)
def test_load_encoder_refuses_unknown_names(name: str, message: str) -> None:
    with pytest.raises(EncoderUnknown, match=message):
        load_encoder(name, "cpu")


def test_load_encoder_refuses_absent_device(tiny_folder: Path) -> None:
    for device in ("cuda:99", "abacus", "meta"):
        with pytest.raises(DeviceMissing, match=device):
            load_encoder(str(tiny_folder), device)


def test_embedded_encoder_loads_when_its_weights_are_there() -> None:
    if EMBEDDED not in encoders_at_hand():
        pytest.skip("the embedded weights are not in this checkout")
    encoder = load_encoder(EMBEDDED, "cpu")
    assert encoder.encode_texts(["an orange cat"]).shape == (1, encoder.dimension)
