"""`xcomposer:` as a model's name: every version in its official layout and converted, and what is refused."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from limner.composer.errors import ModelIncomplete, ModelTooLarge, ModelUnfit, OutputInUse
from limner.composer.models import load
from limner.composer.models.load import check_models, dialect_of, known_models, load_model
from limner.composer.models.local import LocalModel
from limner.composer.models.memory import check_memory, weigh
from limner.composer.models.options import ModelOptions
from limner.composer.models.xcomposer.checkpoint import find_xcomposer
from limner.composer.models.xcomposer.convert import convert, plan_conversion
from limner.composer.models.xcomposer.layout import Task
from limner.composer.protocols import Message, Picture, Sampling
from limner.index.atomic import alone_in
from limner.index.errors import WriteFailed
from PIL import Image
from safetensors.torch import load_file

from .official_folders import VERSIONS, write_official

HELLO = [Message("user", ("Hello",))]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("official")
    return {version: write_official(folder / version, version, pickled=version != "2.5") for version in VERSIONS}


@pytest.fixture(scope="module")
def converted(made: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("converted")
    for version, official in made.items():
        convert(plan_conversion(find_xcomposer(str(official)), folder / version, shard_bytes=60_000))
    return {version: folder / version for version in made}


@pytest.fixture
def folder(made: dict[str, Path], tmp_path: Path) -> Path:
    """A 2.0 of its own, in two pickled shards, for a test that breaks it."""
    return Path(shutil.copytree(made["2.0"], tmp_path / "model"))


def loaded(folder: Path, **options: Any) -> LocalModel:
    model = load_model(f"xcomposer:{folder}", ModelOptions(**{"device": "cpu", **options}))
    assert isinstance(model, LocalModel)
    return model


def picture(folder: Path, size: tuple[int, int] = (90, 40)) -> Path:
    Image.radial_gradient("L").resize(size).convert("RGB").save(folder / "picture.png")
    return folder / "picture.png"


@pytest.mark.parametrize(("version", "dialect", "context"), [("1.0", 1, 2048), ("2.0", 2, 1024), ("2.5", 2, 1024)])
def test_every_version_answers_and_chooses(
    made: dict[str, Path], tmp_path: Path, version: str, dialect: int, context: int
) -> None:
    model = loaded(made[version])
    shown = Message("user", ("Look: ", Picture(picture(tmp_path)), "What?"))

    assert (model.dialect, model.context_tokens) == (f"xcomposer{dialect}", context)
    assert dialect_of(f"xcomposer:{made[version]}") == model.dialect
    assert "".join(model.generate([shown], sampling=Sampling(4)))
    assert all(score < 0 for score in model.score([shown], ["The A", "The B"]))


@pytest.mark.parametrize("version", VERSIONS)
def test_a_converted_model_is_the_same_bit_by_bit(
    made: dict[str, Path], converted: dict[str, Path], tmp_path: Path, version: str
) -> None:
    official, own = loaded(made[version]), loaded(converted[version])
    shown = Message("user", ("Look: ", Picture(picture(tmp_path)), "What? 你好 [UNUSED_TOKEN_146]"))

    for (name, weights), (other, same) in zip(
        official.model.named_parameters(), own.model.named_parameters(), strict=True
    ):
        assert name == other
        assert torch.equal(weights, same)
    inputs, others = official._inputs([shown]), own._inputs([shown])
    assert inputs.keys() == others.keys()
    assert all(torch.equal(inputs[key], others[key]) for key in inputs)
    assert official.score([shown], ["A", "B"]) == own.score([shown], ["A", "B"])
    assert (official.dialect, official.context_tokens) == (own.dialect, own.context_tokens)
    chosen = (official.model.generation_config, own.model.generation_config)
    assert len({(str(c.eos_token_id), c.pad_token_id, str(c.suppress_tokens)) for c in chosen}) == 1


def test_a_converted_model_lies_in_shards_of_the_size_asked_for(converted: dict[str, Path]) -> None:
    shards = sorted(converted["2.0"].glob("model-*.safetensors"))
    index = json.loads((converted["2.0"] / "model.safetensors.index.json").read_text())

    assert len(shards) > 2
    assert all(path.stat().st_size < 60_000 + 5_000 for path in shards)
    assert {name: path.name for path in shards for name in load_file(path)} == index["weight_map"]
    assert not list(converted["2.0"].parent.glob("*.partial"))


@pytest.mark.parametrize("task", ["web", "none"])
def test_a_task_is_merged_when_it_is_converted(made: dict[str, Path], tmp_path: Path, task: Task) -> None:
    convert(plan_conversion(find_xcomposer(str(made["2.5"]), task), tmp_path / "out"))

    weights, official = load_file(tmp_path / "out" / "model.safetensors"), load_file(made["2.5"] / "model.safetensors")
    ours, theirs = "model.language_model.layers.0.mlp.w2.linear.weight", "model.layers.0.feed_forward.w2"
    expected = official[f"{theirs}.weight"].double()
    if task == "web":
        a, b = (official[f"{theirs}.lora_web_{part}.weight"].double() for part in "AB")
        expected = expected + b @ a
    assert (weights[ours] - expected).abs().max() < 1e-6


def test_numbers_are_cast_when_they_are_converted(made: dict[str, Path], tmp_path: Path) -> None:
    plan = plan_conversion(find_xcomposer(str(made["2.0"])), tmp_path / "out", dtype="bfloat16")
    convert(plan)

    assert {value.dtype for value in load_file(tmp_path / "out" / "model.safetensors").values()} == {torch.bfloat16}
    assert plan.size_bytes == plan_conversion(find_xcomposer(str(made["2.0"])), tmp_path / "x").size_bytes // 2
    kept = json.loads((tmp_path / "out" / "config.json").read_text())
    assert kept["dtype"] == "bfloat16"


def test_the_most_tiles_are_an_option_of_the_converted_processor(converted: dict[str, Path], tmp_path: Path) -> None:
    folder = Path(shutil.copytree(converted["2.5"], tmp_path / "own"))
    shown = [Message("user", ("Look: ", Picture(picture(tmp_path, (400, 400)))))]
    said = json.loads((folder / "processor_config.json").read_text())
    assert said["image_processor"]["max_tiles"] == 6
    before = loaded(folder).count_tokens(shown)

    said["image_processor"]["max_tiles"] = 1
    (folder / "processor_config.json").write_text(json.dumps(said))

    one, side = loaded(folder), 2
    tiles = one._inputs(shown)["pixel_values"]
    assert tiles.shape[1] == 2  # the whole, and the whole as its only tile
    assert (
        before - one.count_tokens(shown) == (4 - 1) * side * side + side
    )  # from 2 x 2 tiles, and their second row's ends


@pytest.mark.parametrize("quantize", ["8bit", "4bit"])
@pytest.mark.parametrize("version", VERSIONS)
def test_quantised_as_it_is_loaded(
    made: dict[str, Path], converted: dict[str, Path], version: str, quantize: str
) -> None:
    official, own = loaded(made[version], quantize=quantize), loaded(converted[version], quantize=quantize)

    kinds = {type(module).__name__ for module in official.model.modules()}
    assert {"8bit": "Linear8bitLt", "4bit": "Linear4bit"}[quantize] in kinds
    assert type(official.model.lm_head) is torch.nn.Linear
    assert official.score(HELLO, ["A", "B"]) == own.score(HELLO, ["A", "B"])


def test_numbers_are_what_is_asked_for(made: dict[str, Path]) -> None:
    model = loaded(made["2.5"], dtype="bfloat16", attention="eager")
    assert {weights.dtype for weights in model.model.parameters()} == {torch.bfloat16}
    assert model.model.config._attn_implementation == "eager"


@pytest.mark.parametrize("version", VERSIONS)
def test_memory_is_that_of_the_parameters(made: dict[str, Path], converted: dict[str, Path], version: str) -> None:
    """Adapters and LoRA take none of their own; pickled files are weighed by their tensors too."""
    parameters = sum(weights.numel() for weights in loaded(made[version]).model.parameters())

    for folder in (made[version], converted[version]):
        checkpoint = find_xcomposer(str(folder))
        assert weigh(checkpoint, "float32") == weigh(checkpoint, "auto") == 4 * parameters
        assert weigh(checkpoint, "bfloat16") == 2 * parameters
        assert weigh(checkpoint, "bfloat16", "4bit") < weigh(checkpoint, "bfloat16", "8bit") < 2 * parameters


@pytest.fixture
def no_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    """A test with this fixture fails if weights are read."""

    def read(*args: object) -> None:
        raise AssertionError("weights were read")

    monkeypatch.setattr(load, "_weights", read)


@pytest.mark.usefixtures("no_weights")
def test_too_little_memory_is_said_before_weights_are_read(made: dict[str, Path]) -> None:
    checkpoint = find_xcomposer(str(made["2.0"]))
    devices = [torch.device("cpu")]
    check_memory(checkpoint, "float32", "none", devices, free=lambda device: 10_000_000)
    with pytest.raises(ModelTooLarge, match=r"takes \d+ kB of memory as float32, 150 kB are free") as caught:
        check_memory(checkpoint, "float32", "none", devices, free=lambda device: 150_000)
    assert "`--dtype bfloat16`" in caught.value.hint


@pytest.mark.usefixtures("no_weights")
def test_two_models_are_checked_beside_each_other(made: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    asked = [(f"xcomposer:{made[version]}", ModelOptions(device="cpu")) for version in ("1.0", "2.0")]
    check_models(asked)
    monkeypatch.setattr("limner.composer.models.memory.free_bytes", lambda: 300_000)
    with pytest.raises(ModelTooLarge, match="beside the other model"):
        check_models(asked)


@pytest.mark.usefixtures("no_weights")
def test_other_models_and_other_names_are_refused(made: dict[str, Path], tmp_path: Path) -> None:
    other = write_official(tmp_path / "other", "2.0", architectures=["LlamaForCausalLM"], model_type="llama")
    with pytest.raises(ModelUnfit, match=r"is no InternLM-XComposer: its config.json is that of 'llama'"):
        loaded(other)
    with pytest.raises(ModelUnfit, match="is InternLM-XComposer, which Limner runs by classes of its own") as caught:
        load_model(f"transformers:{made['2.0']}", ModelOptions(device="cpu"))
    assert f"xcomposer:{made['2.0']}" in caught.value.hint
    claims = write_official(tmp_path / "claims", "1.0", architectures=["InternLMXComposer2ForCausalLM"])
    with pytest.raises((ModelUnfit, ModelIncomplete), match="missing"):
        loaded(claims)


@pytest.mark.usefixtures("no_weights")
@pytest.mark.parametrize(
    ("file", "keep", "error", "message"),
    [
        ("pytorch_model-00002-of-00002.bin", None, ModelIncomplete, r"00002-of-00002\.bin.* are missing"),
        ("pytorch_model-00002-of-00002.bin", 9_000, ModelIncomplete, r"00002\.bin is cut off or damaged"),
        ("pytorch_model.bin.index.json", 40, ModelIncomplete, "index.json is damaged"),
        ("config.json", 30, ModelIncomplete, "config.json is damaged"),
        ("tokenizer.model", None, ModelIncomplete, "tokenizer.model is missing"),
        ("tokenizer.model", 100, ModelIncomplete, "tokenizer.model is"),
    ],
)
def test_parts_that_are_missing_or_cut_are_named(
    folder: Path, file: str, keep: int | None, error: type[Exception], message: str
) -> None:
    path = folder / file
    if keep is None:
        path.unlink()
    else:
        path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(error, match=message):
        loaded(folder)


class _Code:
    def __reduce__(self) -> Any:
        return (Path.touch, (Path("ran"),))


@pytest.mark.usefixtures("no_weights")
@pytest.mark.parametrize("kind", ["official", "converted"])
def test_a_tokenizer_of_another_model_is_named(
    made: dict[str, Path], converted: dict[str, Path], tmp_path: Path, kind: str
) -> None:
    folder = shutil.copytree((made if kind == "official" else converted)["2.0"], tmp_path / "model")
    config = json.loads((folder / "config.json").read_text())
    config["image_token_id"] += 1
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(ModelIncomplete, match="its tokenizer is another model's"):
        loaded(folder)


def test_code_in_weights_does_not_run(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    torch.save({"output.weight": _Code()}, folder / "pytorch_model-00001-of-00002.bin")
    with pytest.raises(ModelUnfit, match="holds more than tensors, and Limner runs no code"):
        loaded(folder)
    assert not Path("ran").exists()


@pytest.mark.parametrize(
    ("file", "change", "error", "message"),
    [
        ("model-00001-of-00004.safetensors", "unlink", ModelIncomplete, "missing"),
        ("model-00001-of-00004.safetensors", "cut", ModelIncomplete, "is cut off"),
        ("processor_config.json", "unlink", ModelIncomplete, "processor or tokenizer cannot be read"),
        ("processor_config.json", "cut", ModelIncomplete, "processor or tokenizer cannot be read"),
        ("tokenizer.json", "unlink", ModelIncomplete, "processor or tokenizer cannot be read"),
        ("chat_template.jinja", "unlink", ModelIncomplete, "processor or tokenizer cannot be read"),
        ("config.json", "wider", ModelUnfit, "by config.json it is"),
        ("config.json", "deeper", ModelIncomplete, "layers.2.* is missing"),
    ],
)
def test_parts_of_a_converted_model_that_do_not_fit_are_named(
    converted: dict[str, Path], tmp_path: Path, file: str, change: str, error: type[Exception], message: str
) -> None:
    folder = Path(shutil.copytree(converted["2.0"], tmp_path / "own"))
    path = folder / file
    if change == "unlink":
        path.unlink()
    elif change == "cut":
        path.write_bytes(path.read_bytes()[:60])
    else:
        said = json.loads(path.read_text())
        said["text_config"] |= {"wider": {"intermediate_size": 56}, "deeper": {"num_hidden_layers": 3}}[change]
        path.write_text(json.dumps(said))
    with pytest.raises(error, match=message):
        loaded(folder)


def test_a_folder_in_use_is_not_written_into(made: dict[str, Path], converted: dict[str, Path], tmp_path: Path) -> None:
    official = find_xcomposer(str(made["2.0"]))
    (tmp_path / "used").mkdir()
    (tmp_path / "used" / "mine.txt").write_text("mine")
    (tmp_path / "file").write_text("mine")
    for out in (tmp_path / "used", tmp_path / "file", made["2.0"]):
        with pytest.raises(OutputInUse, match="is in use"):
            plan_conversion(official, out)
    with pytest.raises(ModelUnfit, match="is converted already"):
        plan_conversion(find_xcomposer(str(converted["2.0"])), tmp_path / "out")
    plan = plan_conversion(official, tmp_path / "out")
    with (
        alone_in(tmp_path / "out.partial", ".limner-convert.lock", OutputInUse("x")),
        pytest.raises(OutputInUse, match="another process is converting"),
    ):
        convert(plan)


def test_a_conversion_that_is_cut_leaves_nothing_and_can_be_made_again(made: dict[str, Path], tmp_path: Path) -> None:
    plan = plan_conversion(find_xcomposer(str(made["2.0"])), tmp_path / "out", shard_bytes=60_000)

    def cut(done: int, total: int) -> None:
        if done > total // 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        convert(plan, progress=cut)
    assert not (tmp_path / "out").exists()
    assert not any(tmp_path.iterdir())
    (tmp_path / "out.partial").mkdir()
    (tmp_path / "out.partial" / "model-00009.safetensors").write_bytes(b"of a try that was killed")
    seen: list[tuple[int, int]] = []
    convert(plan, progress=lambda done, total: seen.append((done, total)))

    assert loaded(tmp_path / "out").score(HELLO, ["A"])
    assert not (tmp_path / "out" / "model-00009.safetensors").exists()
    assert not (tmp_path / "out.partial").exists()
    assert seen[-1] == (plan.size_bytes, plan.size_bytes)


@pytest.mark.parametrize("version", ["1.0", "2.0"])
def test_a_conversion_for_web_pages_is_of_2_5_alone(made: dict[str, Path], tmp_path: Path, version: str) -> None:
    with pytest.raises(ModelUnfit, match="has no adapters for web pages"):
        plan_conversion(find_xcomposer(str(made[version]), "web"), tmp_path / "out")


def test_a_config_that_names_no_model_is_said(made: dict[str, Path], tmp_path: Path) -> None:
    folder = Path(shutil.copytree(made["2.0"], tmp_path / "model"))
    (folder / "config.json").write_text("{}")

    with pytest.raises(ModelUnfit, match=r"its config\.json names neither its architecture nor its type"):
        find_xcomposer(str(folder))


def test_a_full_disk_is_said_before_anything_is_written(
    made: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda place: shutil._ntuple_diskusage(10, 9, 1))
    with pytest.raises(WriteFailed, match=r"takes \d+ kB on the disk, 1 kB are free"):
        plan_conversion(find_xcomposer(str(made["2.0"])), tmp_path / "out")
    assert not any(tmp_path.iterdir())


def test_a_pulled_checkpoint_is_listed_by_its_name(
    made: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    repository = tmp_path / "cache" / "models--internlm--tiny"
    shutil.copytree(made["2.0"], repository / "snapshots" / "c0ffee")
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text("c0ffee")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "cache"))

    [info] = [info for info in known_models() if "internlm/tiny" in info.name]

    assert (info.name, info.present, info.reads_pictures) == ("xcomposer:internlm/tiny", True, True)
    assert getattr(load_model(info.name, ModelOptions(device="cpu")), "revision", "") == "c0ffee"
