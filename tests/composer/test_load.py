"""What is refused before weights are read, what is estimated, and what the options do, on tiny real models."""

from __future__ import annotations

import json
import pickle
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from limner.composer.errors import ModelIncomplete, ModelTooLarge, ModelUnfit, ModelUnknown
from limner.composer.models import load, memory, placement
from limner.composer.models.checkpoint import find_checkpoint
from limner.composer.models.load import check_models, known_models, load_model
from limner.composer.models.local import LocalModel
from limner.composer.models.memory import check_memory, count_parameters, weigh
from limner.composer.models.options import ModelOptions
from limner.composer.models.placement import devices_named, dtype_for
from limner.composer.protocols import Message, Picture, Sampling
from limner.index.errors import DeviceMissing
from PIL import Image

from .families import FAMILIES

CPU = ModelOptions(device="cpu")
WRITES = ModelOptions(device="cpu", reads_pictures=False)
GPU = torch.device("cuda", 0)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("made")
    for name in ("llava", "llama", "qwen3_vl"):
        FAMILIES[name].build(folder / name)
    return {name: folder / name for name in ("llava", "llama", "qwen3_vl")}


@pytest.fixture
def folder(made: dict[str, Path], tmp_path: Path) -> Path:
    """A LLaVA of its own for a test that breaks it."""
    return Path(shutil.copytree(made["llava"], tmp_path / "model"))


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def no_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    """A test with this fixture fails if weights are read."""

    def read(*args: object) -> None:
        raise AssertionError("weights were read")

    monkeypatch.setattr(load, "_weights", read)


def loaded(folder: Path, **options: Any) -> LocalModel:
    model = load_model(f"transformers:{folder}", ModelOptions(**{"device": "cpu", **options}))
    assert isinstance(model, LocalModel)
    return model


def test_unknown_names_are_refused_with_the_way_to_get_them(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for name, message, hint in (
        ("nano-vml", "no model is named 'nano-vml'", "models list"),
        (
            "transformers:nobody/no-such-model",
            "nobody/no-such-model is not on this machine",
            "limner models pull nobody/",
        ),
        (f"transformers:{tmp_path / 'empty'}", "is empty", "a folder that holds a model"),
        (f"transformers:{tmp_path / 'missing'}", "is no folder, and no model can have this name", "models list"),
    ):
        with pytest.raises(ModelUnknown, match=message) as caught:
            load_model(name, CPU)
        assert hint in caught.value.hint


@pytest.mark.usefixtures("no_weights")
@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        ("config.json", None, "config.json is missing"),
        ("config.json", b'{"model_ty', "config.json is damaged"),
        ("model.safetensors", None, "it has no weights"),
        ("model.safetensors", 20_000, r"model.safetensors is cut off: 20,000 of \d{3},\d{3} bytes"),
        ("model.safetensors", 100, "model.safetensors is cut off or damaged"),
        ("model.safetensors", b"<html>not found</html>", "cut off or damaged"),
        ("model.safetensors.index.json", b"{}", "index.json is damaged"),
        ("model.safetensors.index.json", b'{"weight_map": {"a": "../../a"}}', "index.json is damaged"),
        ("processor_config.json", None, "preprocessor_config.json or processor_config.json is missing"),
        ("tokenizer.json", b"{", "tokenizer or processor cannot be read"),
    ],
)
def test_parts_that_are_missing_or_cut_are_named(
    folder: Path, file: str, content: bytes | int | None, message: str
) -> None:
    path = folder / file
    if content is None:
        path.unlink()
    else:
        path.write_bytes(path.read_bytes()[:content] if isinstance(content, int) else content)
    with pytest.raises(ModelIncomplete, match=message):
        load_model(f"transformers:{folder}", CPU)


@pytest.mark.usefixtures("no_weights")
def test_a_download_that_was_cut_is_named_with_its_command(made: dict[str, Path], cache: Path) -> None:
    repository = cache / "models--org--name"
    (repository / "blobs").mkdir(parents=True)
    (repository / "blobs" / "0.incomplete").write_bytes(b"0")
    with pytest.raises(ModelIncomplete, match="org/name is not whole on this machine: its download was cut") as caught:
        load_model("transformers:org/name", CPU)
    assert "`limner models pull org/name`" in caught.value.hint
    shutil.copytree(made["llava"], repository / "snapshots" / "c0ffee")
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text("c0ffee")
    (repository / "snapshots" / "c0ffee" / "model.safetensors").unlink()
    with pytest.raises(ModelIncomplete, match="it has no weights") as caught:
        load_model("transformers:org/name", CPU)
    assert "`limner models pull org/name`" in caught.value.hint
    [info] = [info for info in known_models() if info.name == "transformers:org/name"]
    assert not info.present
    assert "limner models pull org/name" in info.needs


@pytest.mark.usefixtures("no_weights")
@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"model_type": "vit"}, "is a vit, which neither reads pictures nor writes"),
        ({"model_type": "own", "auto_map": {"AutoModel": "modeling_own.Own"}}, "trust_remote_code"),
        ({"model_type": "of-next-year"}, "'of-next-year' is unknown"),
        ({"model_type": None}, "None"),
    ],
)
def test_models_that_could_not_be_run_are_refused(folder: Path, change: dict[str, Any], message: str) -> None:
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | change))
    (folder / "modeling_own.py").write_text("raise SystemExit('its code was run')")
    with pytest.raises(ModelUnfit, match=message):
        load_model(f"transformers:{folder}", CPU)


@pytest.mark.parametrize("name", ["transformers:", "xcomposer:", "xcomposer:@main"])
def test_an_empty_name_is_said_to_be_empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.chdir(tmp_path)  # which is not the model that was meant
    with pytest.raises(ModelUnknown, match="the name of the model is empty") as caught:
        load_model(name, CPU)
    assert "behind `transformers:` or `xcomposer:`" in caught.value.hint


@pytest.mark.usefixtures("no_weights")
def test_a_processor_with_code_of_its_own_is_refused(folder: Path) -> None:
    config = json.loads((folder / "processor_config.json").read_text())
    config |= {"processor_class": "Own", "auto_map": {"AutoProcessor": "processing_own.Own"}}
    (folder / "processor_config.json").write_text(json.dumps(config))
    (folder / "processing_own.py").write_text("raise SystemExit('its code was run')")
    with pytest.raises(ModelUnknown):
        load_model(f"transformers:{folder}", CPU)


@pytest.mark.usefixtures("no_weights")
def test_a_base_model_is_refused(folder: Path, made: dict[str, Path], tmp_path: Path) -> None:
    (folder / "chat_template.jinja").unlink()
    with pytest.raises(ModelUnfit, match="no chat template: it is a base model") as caught:
        load_model(f"transformers:{folder}", CPU)
    assert "-Instruct" in caught.value.hint
    words = Path(shutil.copytree(made["llama"], tmp_path / "words"))
    (words / "chat_template.jinja").unlink()
    with pytest.raises(ModelUnfit, match="no chat template"):
        load_model(f"transformers:{words}", WRITES)


@pytest.mark.usefixtures("no_weights")
def test_a_model_of_text_alone_cannot_choose(made: dict[str, Path]) -> None:
    name = f"transformers:{made['llama']}"
    for ask in (lambda: load_model(name, CPU), lambda: check_models([(name, WRITES), (name, CPU)])):
        with pytest.raises(ModelUnfit, match="reads no pictures") as caught:
            ask()
        assert name in caught.value.message
        assert "--selector" in caught.value.hint
    check_models([(name, WRITES), (f"transformers:{made['llava']}", CPU), ("words", CPU), ("openai:far", CPU)])
    with pytest.raises(ModelUnknown, match="no model is named 'nano-vml'"):
        check_models([("nano-vml", CPU)])


def test_a_model_of_text_alone_says_so_when_it_is_shown_a_picture(made: dict[str, Path], tmp_path: Path) -> None:
    Image.new("RGB", (8, 8)).save(tmp_path / "a.png")
    model = load_model(f"transformers:{made['llama']}", WRITES)
    with pytest.raises(ModelUnfit, match="reads no pictures"):
        model.score([Message("user", (Picture(tmp_path / "a.png"),))], ["A"])


@pytest.mark.parametrize("name", ["llava", "qwen3_vl", "llama"])
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_weights_are_estimated_as_they_load(made: dict[str, Path], name: str, dtype: Any) -> None:
    checkpoint = find_checkpoint(str(made[name]))
    model = loaded(made[name], dtype=dtype, reads_pictures=False).model
    parameters = {id(p): p for p in model.parameters()}.values()

    assert count_parameters(checkpoint) == sum(p.numel() for p in parameters)
    assert weigh(checkpoint, dtype) == sum(p.numel() * p.element_size() for p in parameters)


def test_weights_are_estimated_from_sizes_where_they_are_pickled(folder: Path) -> None:
    from safetensors.torch import load_file

    whole = weigh(find_checkpoint(str(folder)), "float32")
    torch.save(load_file(folder / "model.safetensors"), folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()

    assert weigh(find_checkpoint(str(folder)), "float32") == pytest.approx(whole, rel=0.5)
    assert weigh(find_checkpoint(str(folder)), "bfloat16") == pytest.approx(whole / 2, rel=0.5)


@pytest.mark.usefixtures("no_weights")
def test_a_model_that_does_not_fit_is_refused_with_figures(
    made: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    checkpoint = find_checkpoint(str(made["llava"]))
    needed = int(weigh(checkpoint, "float32") * 1.1)
    monkeypatch.setattr(memory, "free_bytes", lambda: needed - 1)
    with pytest.raises(
        ModelTooLarge, match=r"takes \d+ kB of memory as float32, \d+ kB are free on this machine"
    ) as caught:
        load_model(f"transformers:{made['llava']}", CPU)
    assert "--dtype bfloat16" in caught.value.hint
    monkeypatch.setattr(memory, "free_bytes", lambda: 10)
    with pytest.raises(ModelTooLarge) as caught:
        load_model(f"transformers:{made['llava']}", CPU)
    assert "no option makes this one small enough" in caught.value.hint


def test_memory_is_that_of_all_devices_beside_what_another_model_takes(made: dict[str, Path]) -> None:
    checkpoint = find_checkpoint(str(made["llava"]))
    needed = int(weigh(checkpoint, "float32") * 1.1)

    def ask(there: int, devices: list[torch.device], beside: int = 0) -> None:
        check_memory(checkpoint, "float32", "none", devices, beside=beside, free=lambda device: there)

    ask(needed, [GPU])
    ask(needed // 2 + 1, [GPU, torch.device("cpu")])
    with pytest.raises(ModelTooLarge, match="free on the GPU"):
        ask(needed - 1, [GPU])
    with pytest.raises(ModelTooLarge, match="free on 2 GPUs"):
        ask(needed // 2 - 1, [GPU, torch.device("cuda", 1)])
    with pytest.raises(ModelTooLarge, match="free on the GPU beside the other model"):
        ask(needed + 10, [GPU], beside=1000)


@pytest.mark.usefixtures("no_weights")
def test_two_models_that_fit_one_by_one_are_refused_together(
    made: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    names = [f"transformers:{made[name]}" for name in ("llava", "qwen3_vl")]
    needed = [int(weigh(find_checkpoint(name.partition(":")[2]), "float32") * 1.1) for name in names]
    monkeypatch.setattr(memory, "free_bytes", lambda: max(needed) + min(needed) // 2)

    for name in names:
        check_models([(name, CPU)])
    with pytest.raises(ModelTooLarge, match="beside the other model"):
        check_models([(name, CPU) for name in names])


def test_devices_are_named_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    cpu, one = torch.device("cpu"), torch.device("cuda", 1)
    asked = ("cpu", "auto", "cuda", "cuda:1", "map")
    assert [devices_named(name) for name in asked] == [[cpu], [GPU], [GPU], [one], [GPU, one, cpu]]
    for name, message in (
        ("cuda:2", "no cuda:2"),
        ("mps", "does not run on 'mps'"),
        ("gpu", "no device is called 'gpu'"),
    ):
        with pytest.raises(DeviceMissing, match=message):
            devices_named(name)


def test_dtype_goes_by_size_and_processor(monkeypatch: pytest.MonkeyPatch) -> None:
    cpu, large, small = torch.device("cpu"), 2_000_000_000, 1_000_000
    for native, expected in ((True, "bfloat16"), (False, "float32")):
        monkeypatch.setattr(placement, "_has_bfloat16", lambda native=native: native)
        assert dtype_for(CPU, cpu, large) == expected
        assert dtype_for(CPU, cpu, small) == "float32"
    assert dtype_for(CPU, GPU, small) == "auto"
    assert dtype_for(ModelOptions(dtype="float16"), cpu, small) == "float16"


@pytest.fixture
def question(tmp_path: Path) -> list[Message]:
    noise = torch.randint(0, 255, (300, 400, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))
    Image.fromarray(noise.numpy()).save(tmp_path / "noise.png")
    return [Message("user", ("What is ", Picture(tmp_path / "noise.png"), "?"))]


def test_options_reach_the_model(made: dict[str, Path], question: list[Message]) -> None:
    plain = loaded(made["llava"])
    scores = plain.score(question, ["A", "none"])
    for dtype in ("bfloat16", "float16"):
        other = loaded(made["llava"], dtype=dtype)
        assert other.model.dtype == getattr(torch, dtype)
        assert other.score(question, ["A", "none"]) == pytest.approx(scores, rel=0.2)
    for attention in ("eager", "sdpa"):
        other = loaded(made["llava"], attention=attention)
        assert other.model.config.get_text_config()._attn_implementation == attention
        assert other.score(question, ["A", "none"]) == pytest.approx(scores, abs=1e-3)


def test_map_spreads_a_model_over_what_there_is(made: dict[str, Path], question: list[Message]) -> None:
    spread = loaded(made["llava"], device="map")

    assert placement.loading_arguments(ModelOptions(device="map"), [GPU], "auto")["device_map"] == "auto"
    if torch.cuda.is_available():
        assert spread.model.hf_device_map
    else:
        assert spread.score(question, ["A"]) == loaded(made["llava"]).score(question, ["A"])


def test_pictures_are_brought_to_the_side_that_is_set(made: dict[str, Path], question: list[Message]) -> None:
    path = question[0].parts[1]
    assert isinstance(path, Picture)
    small = loaded(made["llava"], max_picture_side_px=64)
    found = small.score(question, ["A"])
    image = Image.open(path.path)
    image.thumbnail((64, 64))
    image.save(path.path.with_name("small.png"))

    assert found != loaded(made["llava"]).score(question, ["A"])
    same = [Message("user", ("What is ", Picture(path.path.with_name("small.png")), "?"))]
    assert found == pytest.approx(small.score(same, ["A"]), abs=0.5)


@pytest.mark.parametrize("bits", ["8bit", "4bit"])
def test_quantised_models_take_what_was_estimated(made: dict[str, Path], question: list[Message], bits: Any) -> None:
    pytest.importorskip("bitsandbytes")
    checkpoint = find_checkpoint(str(made["llava"]))
    model = loaded(made["llava"], quantize=bits)

    assert model.model.is_quantized
    assert model.model.get_memory_footprint() < 0.7 * weigh(checkpoint, "float32")
    assert weigh(checkpoint, "float32", bits) == pytest.approx(model.model.get_memory_footprint(), rel=0.15)
    plain = loaded(made["llava"]).score(question, ["A", "none"])
    assert model.score(question, ["A", "none"]) == pytest.approx(plain, rel=0.5)
    assert "".join(model.generate(question, sampling=Sampling(4)))


@pytest.mark.parametrize(("outputs", "inputs", "packed"), [(64, 128, True), (4304, 128, False), (64, 96, False)])
def test_layers_without_whole_blocks_are_not_packed(outputs: int, inputs: int, packed: bool) -> None:
    layer: Any = torch.nn.Linear(inputs, outputs)
    layer.weight.blocksize = 64
    layer.support_avx512bf16_for_cpu = True  # as bitsandbytes says on processors that have these instructions
    load._leave_odd_layers_unpacked(torch.nn.Sequential(layer))
    assert layer.support_avx512bf16_for_cpu is packed


@pytest.mark.usefixtures("no_weights")
def test_what_an_option_needs_is_said(made: dict[str, Path], folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ModelUnfit, match="flash_attention_2 runs on GPUs alone"):
        loaded(made["llava"], attention="flash_attention_2")
    monkeypatch.setattr("transformers.utils.import_utils.is_bitsandbytes_available", lambda: False)
    with pytest.raises(ModelUnfit, match="needs the package bitsandbytes") as caught:
        loaded(made["llava"], quantize="4bit")
    assert "pip install 'limner[quantize]'" in caught.value.hint
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"quantization_config": {"quant_method": "awq"}}))
    with pytest.raises(ModelUnfit, match="is quantised as it is stored"):
        loaded(folder, quantize="8bit")


class _Runs:
    """What a pickle can hold: code that runs when it is read."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return (Path.touch, (self.path,))


def test_pickled_weights_run_no_code(folder: Path, tmp_path: Path) -> None:
    (folder / "model.safetensors").unlink()
    with (folder / "pytorch_model.bin").open("wb") as file:
        pickle.dump({"weights": _Runs(tmp_path / "ran")}, file, protocol=2)
    with pytest.raises(ModelUnfit, match="cannot load"):
        load_model(f"transformers:{folder}", CPU)
    torch.save({"weights": _Runs(tmp_path / "ran")}, folder / "pytorch_model.bin")
    with pytest.raises(ModelUnfit, match="cannot load"):
        load_model(f"transformers:{folder}", CPU)
    assert not (tmp_path / "ran").exists()


def test_known_models_say_what_each_can_do(made: dict[str, Path], cache: Path) -> None:
    for name in ("llava", "llama"):
        repository = cache / f"models--org--{name}"
        shutil.copytree(made[name], repository / "snapshots" / "c0ffee")
        (repository / "refs").mkdir()
        (repository / "refs" / "main").write_text("c0ffee")
    (cache / "models--timm--encoder" / "snapshots" / "c0ffee").mkdir(parents=True)
    infos = {info.name: info for info in known_models()}

    assert [info.tier for info in infos.values()][:2] == ["none", "embedded"]
    assert infos["transformers:org/llava"].reads_pictures is True
    assert infos["transformers:org/llama"].reads_pictures is False
    assert "--writer" in infos["transformers:org/llama"].note
    assert infos["transformers:org/llava"].size_bytes == (made["llava"] / "model.safetensors").stat().st_size
    assert "c0ffee" in infos["transformers:org/llava"].note
    assert not any("encoder" in name for name in infos)
