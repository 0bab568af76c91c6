"""InternLM-XComposer on the command line: tiny random checkpoints in the official layout, and the paper's formats."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from limner.cli.wiring import Wiring
from limner.composer.models.load import check_models, dialect_of, known_models, load_model
from limner.composer.paper_formats import choice_opening, spot_reply
from limner.composer.protocols import Message, Picture, Sampling
from PIL import Image

from ..composer.hub import hub_at
from ..composer.official_folders import VERSIONS, write_official
from .conftest import Limner
from .fakes import ColourModel, colour_wiring

TINY = ("--device", "cpu", "--max-new-tokens", 24)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("official")
    return {version: write_official(folder / version, version, pickled=True) for version in VERSIONS}


@pytest.fixture(scope="module")
def short(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The same with little context, so that a conversation by random weights soon ends."""
    folder = tmp_path_factory.mktemp("short")
    limits: dict[str, Any] = {"max_position_embeddings": 200, "max_length": 200}
    return {version: write_official(folder / version, version, **limits) for version in VERSIONS}


def real(**other: Any) -> Wiring:
    """Models are real, the encoder of the library is not."""
    parts = {"model": load_model, "check_models": check_models, "dialect": dialect_of, "known_models": known_models}
    return colour_wiring(**parts | other)


def article(out: Path) -> dict[str, Any]:
    return json.loads((out / "article.json").read_text())


@pytest.mark.parametrize("version", VERSIONS)
def test_compose_by_random_weights_ends_in_notices(
    limner: Limner, library: Path, tmp_path: Path, made: dict[str, Path], version: str
) -> None:
    model = f"xcomposer:{made[version]}"
    options = ("--library", library, "--out", tmp_path / "out", "--model", model, *TINY)
    result = limner("compose", "A red house", *options, wiring=real())

    assert "Traceback" not in result.output
    if result.exit_code:  # noise may hold no paragraph at all
        assert re.match(r"error: .*(reply|paragraph)", result.stderr.splitlines()[-2]), result.stderr
        return
    found = article(tmp_path / "out")
    assert found["models"] == {"writer": model, "selector": model, "encoder": found["models"]["encoder"]}
    assert any("places" in notice for notice in found["notices"])


@pytest.mark.parametrize("version", VERSIONS)
def test_illustrate_chooses_by_xcomposer(
    limner: Limner, library: Path, tmp_path: Path, made: dict[str, Path], version: str
) -> None:
    """Places by a fake, pictures by the model: its scores of candidates are probabilities, and one is always taken."""
    (tmp_path / "draft.md").write_text("# Colours\n\nEverything was red.\n\nEverything was blue.\n")
    wiring = real(check_models=lambda asked: None)
    wiring = replace(wiring, model=lambda name, how: ColourModel() if name == "fake" else load_model(name, how))
    options = ("--writer", "fake", "--selector", f"xcomposer:{made[version]}", "--device", "cpu")
    result = limner(
        "illustrate", tmp_path / "draft.md", "--library", library, "--out", tmp_path / "out", *options, wiring=wiring
    )

    assert result.exit_code == 0, result.stderr
    figures = [block for block in article(tmp_path / "out")["blocks"] if "outcome" in block]
    assert [figure["outcome"] for figure in figures] == ["chosen", "chosen"]
    for figure in figures:
        assert sum(candidate["probability"] for candidate in figure["candidates"]) == pytest.approx(1, abs=1e-5)
    assert "select the appropriate image" in (tmp_path / "out" / "run" / "calls.jsonl").read_text()


@pytest.mark.parametrize("version", VERSIONS)
def test_batch_by_random_weights_names_what_failed(
    limner: Limner, library: Path, tmp_path: Path, made: dict[str, Path], version: str
) -> None:
    (tmp_path / "list.jsonl").write_text('{"instruction": "A red house"}\n{"instruction": "A blue boat"}\n')
    (tmp_path / "defaults.toml").write_text("max_new_tokens = 24\n")
    options = ("--library", library, "--out", tmp_path / "out", "--model", f"xcomposer:{made[version]}")
    options = (*options, "--device", "cpu", "--defaults", tmp_path / "defaults.toml")
    result = limner("batch", tmp_path / "list.jsonl", *options, wiring=real())

    assert result.exit_code in (0, 1)
    assert "Traceback" not in result.output
    rows = json.loads((tmp_path / "out" / "batch.json").read_text())["rows"]
    assert len(rows) == 2


@pytest.mark.parametrize("version", VERSIONS)
def test_chat_and_describe_by_random_weights(
    limner: Limner, tmp_path: Path, short: dict[str, Path], version: str
) -> None:
    Image.new("RGB", (60, 40), "red").save(tmp_path / "red.png")
    model = ("--model", f"xcomposer:{short[version]}", "--device", "cpu")
    chat = limner("chat", tmp_path / "red.png", *model, stdin="What is it?\n", wiring=real())
    described = limner("describe", tmp_path / "red.png", *model, wiring=real())

    assert chat.exit_code == 0, chat.stderr
    assert described.exit_code in (0, 1)
    assert "Traceback" not in chat.output + described.output


@pytest.mark.parametrize("size", [(1, 1), (1, 20_000), (20_000, 1)])
@pytest.mark.parametrize("version", ["2.0", "2.5"])
def test_pictures_of_any_shape_are_read(
    limner: Limner, tmp_path: Path, short: dict[str, Path], version: str, size: tuple[int, int]
) -> None:
    Image.new("RGB", size, "red").save(tmp_path / "odd.png")
    model = ("--model", f"xcomposer:{short[version]}", "--device", "cpu")
    chat = limner("chat", tmp_path / "odd.png", *model, stdin="What is it?\n", wiring=real())

    assert chat.exit_code == 0, chat.stderr
    assert "error" not in chat.stderr


def test_a_huge_picture_is_read_small(limner: Limner, tmp_path: Path, short: dict[str, Path]) -> None:
    """400 million pixels; JPEG is decoded at an eighth of its side."""
    Image.new("L", (20_000, 20_000), 128).save(tmp_path / "huge.jpg")
    model = ("--model", f"xcomposer:{short['2.5']}", "--device", "cpu")
    chat = limner("chat", tmp_path / "huge.jpg", *model, stdin="What is it?\n", wiring=real())

    assert chat.exit_code == 0, chat.stderr


@dataclass
class PaperModel(ColourModel):
    """Answers in the formats of the paper, and chooses by the colour that the last paragraph before the spot names."""

    dialect: str = "xcomposer2"

    def generate(
        self, messages: Sequence[Message], *, sampling: Sampling, schema: Mapping[str, Any] | None = None
    ) -> Iterator[str]:
        [text] = [part for part in messages[0].parts if isinstance(part, str)]
        found = re.findall(r"<Seg(\d+)> Everything was (\w+)", text)
        if not found:
            self.asked.append("write")
            yield "Colours of a day\n" + "\n".join(f"Everything was {colour} then." for colour in ("red", "blue"))
            return
        self.asked.append("spots")
        yield spot_reply([(int(number), f"something {colour}") for number, colour in found])

    def score(self, messages: Sequence[Message], answers: Sequence[str]) -> list[float]:
        self.asked.append("select")
        assert list(answers) == [choice_opening(letter) for letter in "ABCD"[: len(answers)]]
        before = [part for part in messages[0].parts[: -2 * len(answers)] if isinstance(part, str)]
        pictures = [part for part in messages[0].parts if isinstance(part, Picture)][-len(answers) :]
        wanted = re.findall(r"Everything was (\w+)", "".join([*before, str(messages[0].parts[0])]))[-1]
        return [0.0 if picture.path.stem == wanted else -5.0 for picture in pictures]


@pytest.mark.parametrize("dialect", ["xcomposer1", "xcomposer2"])
def test_replies_in_the_paper_s_formats_give_a_right_article(
    limner: Limner, library: Path, tmp_path: Path, dialect: str
) -> None:
    model = PaperModel(dialect=dialect)
    options = ("--library", library, "--out", tmp_path / "out")
    result = limner("compose", "A day in red and blue", *options, wiring=colour_wiring(model))

    assert result.exit_code == 0, result.stderr
    blocks = article(tmp_path / "out")["blocks"]
    shown = [(Path(b["source"]).stem, b["caption"]) if "outcome" in b else b["markdown"] for b in blocks]
    assert shown == [
        "Colours of a day",
        "Everything was red then.",
        ("red", "something red"),
        "Everything was blue then.",
        ("blue", "something blue"),
    ]
    assert article(tmp_path / "out")["notices"] == []
    assert model.asked == ["write", "spots", "select", "select"]


def test_dry_run_shows_the_prompt_of_the_dialect(limner: Limner, tmp_path: Path, made: dict[str, Path]) -> None:
    options = ("--model", f"xcomposer:{made['1.0']}", "--dry-run")
    result = limner("compose", "On tea", *options, wiring=real())

    assert result.exit_code == 0, result.stderr
    assert "Write an illustrated article based on the given instruction: On tea" in result.output


def test_convert_says_the_size_and_writes_what_runs(limner: Limner, tmp_path: Path, short: dict[str, Path]) -> None:
    out = tmp_path / "own"
    model = f"xcomposer:{short['2.5']}"
    result = limner("models", "convert", model, "--out", out, "--dtype", "bfloat16", "--task", "none")
    again = limner("models", "convert", model, "--out", out)
    told = json.loads(limner("models", "convert", model, "--out", tmp_path / "b", "--json").stdout)

    assert result.exit_code == 0, result.stderr
    assert result.stdout.splitlines() == [f"xcomposer:{out}"]
    assert re.search(r"^[1-9]\d+ kB of bfloat16 are going to be written to ", result.stderr, re.M)
    assert "Converting" in result.stderr and "100%" not in result.stdout
    assert again.exit_code == 1
    assert again.stderr.splitlines()[-2].startswith(f"error: {out} is in use")
    assert (told["dtype"], told["task"]) == ("float32", "write")
    chat = limner("chat", "--model", f"xcomposer:{out}", "--device", "cpu", stdin="Hi\n", wiring=real())
    assert chat.exit_code == 0, chat.stderr


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        ("other", "is no InternLM-XComposer"),
        ("cut", "is cut off or damaged"),
        ("index", "files of weights are missing"),
        ("code", "holds more than tensors"),
    ],
)
@pytest.mark.parametrize("command", ["compose", "convert"])
def test_a_checkpoint_that_cannot_be_used_is_one_line_and_a_hint(
    limner: Limner, library: Path, tmp_path: Path, made: dict[str, Path], broken: str, message: str, command: str
) -> None:
    folder = Path(shutil.copytree(made["2.0"], tmp_path / "model"))
    shard = folder / "pytorch_model-00002-of-00002.bin"
    if broken == "other":
        (folder / "config.json").write_text('{"model_type": "llama"}')
    elif broken == "cut":
        shard.write_bytes(shard.read_bytes()[:9_000])
    elif broken == "index":
        shard.unlink()
    else:
        import torch

        torch.save({"output.weight": re.compile("x")}, shard)
    model, out = f"xcomposer:{folder}", ("--out", tmp_path / "out")
    if command == "compose":
        result = limner("compose", "red", "--library", library, *out, "--model", model, *TINY, wiring=real())
    else:
        result = limner("models", "convert", model, *out)

    assert result.exit_code == 1
    error, hint = result.stderr.splitlines()[-2:]
    assert error.startswith("error: ") and message in error
    assert hint.strip()
    assert not (tmp_path / "out" / "article.json").exists()


def test_convert_that_is_stopped_leaves_nothing_and_says_so(
    limner: Limner, tmp_path: Path, made: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*args: object, **more: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("safetensors.torch.save_file", stop)
    result = limner("models", "convert", f"xcomposer:{made['2.0']}", "--out", tmp_path / "new" / "out")

    assert result.exit_code == 130
    assert "a conversion begins anew" in result.stderr.splitlines()[-1]
    assert not list((tmp_path / "new").iterdir())


def test_convert_takes_xcomposer_alone(limner: Limner, tmp_path: Path) -> None:
    assert limner("models", "convert", "transformers:x", "--out", tmp_path / "out").exit_code == 2


def test_pull_fetches_an_official_checkpoint_and_says_how_to_name_it(
    limner: Limner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_official(tmp_path / "hub" / "internlm" / "tiny", "2.0", pickled=True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "cache"))
    with hub_at(tmp_path / "hub") as hub:
        monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", hub.address)
        monkeypatch.setattr(
            "huggingface_hub.constants.HUGGINGFACE_CO_URL_TEMPLATE",
            f"{hub.address}/{{repo_id}}/resolve/{{revision}}/{{filename}}",
        )
        pulled = limner("models", "pull", "xcomposer:internlm/tiny")

    assert pulled.exit_code == 0, pulled.stderr
    assert pulled.stdout.splitlines()[0] == "xcomposer:internlm/tiny"
    converted = limner("models", "convert", "xcomposer:internlm/tiny", "--out", tmp_path / "own")
    assert converted.exit_code == 0, converted.stderr
