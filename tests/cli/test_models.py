"""Which models a command loads and how; `limner models list` and `limner models pull`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest
from limner.cli.wiring import Wiring
from limner.composer.models.load import ModelInfo
from limner.composer.models.options import ModelOptions

from ..composer.families import FAMILIES
from ..composer.hub import COMMIT, hub_at
from .conftest import Limner
from .fakes import ColourModel, colour_wiring


class Loads:
    """A wiring that remembers what it was asked to load."""

    def __init__(self) -> None:
        self.loaded: list[tuple[str, ModelOptions]] = []
        self.checked: list[list[str]] = []

    def wiring(self, **other: object) -> Wiring:
        return colour_wiring(model=self._model, check_models=self._check, **other)

    def _model(self, name: str, options: ModelOptions) -> ColourModel:
        self.loaded.append((name, options))
        return ColourModel(name)

    def _check(self, asked: Sequence[tuple[str, ModelOptions]]) -> None:
        self.checked.append([name for name, _ in asked])


def article(out: Path) -> dict[str, dict[str, str]]:
    return json.loads((out / "article.json").read_text())


@pytest.mark.parametrize(
    ("options", "writer", "selector", "loaded"),
    [
        (["--model", "a"], "a", "a", {"a": True}),
        (["--model", "a", "--writer", "a", "--selector", "a"], "a", "a", {"a": True}),
        (["--model", "a", "--writer", "b"], "b", "a", {"b": False, "a": True}),
        (["--writer", "b", "--selector", "c"], "b", "c", {"b": False, "c": True}),
        (["--model", "a", "--selector", "words"], "a", "words", {"a": False}),
    ],
)
def test_writer_and_selector_are_loaded_once_each(
    limner: Limner, library: Path, tmp_path: Path, options: list[str], writer: str, selector: str,
    loaded: dict[str, bool],
) -> None:  # fmt: skip
    loads, out = Loads(), tmp_path / "out"
    result = limner("compose", "red", "--library", library, "--out", out, *options, wiring=loads.wiring())

    assert result.exit_code == 0, result.stderr
    assert {name: options.reads_pictures for name, options in loads.loaded} == loaded
    assert len(loads.loaded) == len(loaded)
    assert loads.checked == ([[*loaded]] if len(loaded) > 1 else [])
    models = article(out)["models"]
    assert (models["writer"], models["selector"]) == (writer, selector)


def test_illustrate_takes_places_by_words_and_pictures_by_a_model(
    limner: Limner, library: Path, tmp_path: Path
) -> None:
    (tmp_path / "draft.md").write_text("# Colours\n\nA red one.\n")
    loads, options = Loads(), ("--writer", "words", "--selector", "a", "--library", library)
    result = limner("illustrate", tmp_path / "draft.md", *options, "--out", tmp_path / "out", wiring=loads.wiring())

    assert result.exit_code == 0, result.stderr
    assert [name for name, _ in loads.loaded] == ["a"]


def test_options_of_running_come_from_flags_and_settings(
    limner: Limner, library: Path, tmp_path: Path, own_folder: Path
) -> None:
    (own_folder / "limner.toml").write_text('quantize = "8bit"\ndevice = "map"\nwriter = "w"\nselector = "w"\n')
    loads = Loads()
    flags = ("--dtype", "bfloat16", "--attention", "eager", "--max-picture-side", 512)
    result = limner("compose", "red", "--library", library, "--out", tmp_path / "o", *flags, wiring=loads.wiring())

    assert result.exit_code == 0, result.stderr
    assert loads.loaded == [("w", ModelOptions("map", "bfloat16", "8bit", "eager", 512))]
    described = limner("index", "describe", "--library", library, *flags, "--limit", 1, wiring=loads.wiring())
    assert described.exit_code in (0, 1)
    assert loads.loaded[1] == ("nano-vlm", ModelOptions("map", "bfloat16", "8bit", "eager", 512))


@pytest.mark.parametrize(
    ("option", "value", "code"),
    [("--dtype", "int3", 1), ("--quantize", "2bit", 1), ("--attention", "none", 1), ("--max-picture-side", "0", 2)],
)
def test_values_that_cannot_be_are_refused(
    limner: Limner, library: Path, tmp_path: Path, option: str, value: str, code: int
) -> None:
    result = limner("compose", "red", "--library", library, "--out", tmp_path / "out", option, value)

    assert result.exit_code == code
    assert option in result.stderr


def test_world_is_asked_of_the_model_that_it_concerns(limner: Limner, library: Path, tmp_path: Path) -> None:
    asked: list[tuple[str, str]] = []
    wiring = Loads().wiring(
        check_instruction=lambda name, text: asked.append(("instruction", name)),
        check_library=lambda name, library: asked.append(("library", name)),
    )
    options = ("--writer", "w", "--selector", "s", "--library", library)
    assert limner("compose", "red", *options, "--out", tmp_path / "out", wiring=wiring).exit_code == 0
    assert asked == [("instruction", "w"), ("library", "s")]


def test_commit_of_a_model_is_kept_and_a_run_goes_on_with_the_same(
    limner: Limner, library: Path, tmp_path: Path
) -> None:
    def of(commit: str) -> Wiring:
        model = ColourModel()
        model.revision = commit  # pyright: ignore[reportAttributeAccessIssue]
        return colour_wiring(model)

    options = ("compose", "red", "--library", library, "--out", tmp_path / "out")
    assert limner(*options, wiring=of("c0ffee")).exit_code == 0
    assert article(tmp_path / "out")["revisions"] == {"selector": "c0ffee", "writer": "c0ffee"}
    assert limner("render", tmp_path / "out" / "article.json").exit_code == 0
    assert limner(*options, "--resume", wiring=of("c0ffee")).exit_code == 0
    other = limner(*options, "--resume", wiring=of("decade"))
    assert other.exit_code == 1
    assert "other revisions" in other.stderr


def test_list_shows_sizes_and_what_models_read(limner: Limner) -> None:
    infos = [ModelInfo("local", "transformers:a/b", True, "2.2 GB of memory", "only writes", 2_000_000_000, False)]
    wiring = colour_wiring(known_models=lambda: infos)

    shown = limner("models", "list", wiring=wiring).stdout
    [model] = json.loads(limner("models", "list", "--json", wiring=wiring).stdout)["models"]

    assert "2.0 GB" in shown
    assert "only writes" in shown
    assert (model["size_bytes"], model["reads_pictures"]) == (2_000_000_000, False)


def test_pull_says_what_it_fetched_or_why_not(limner: Limner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    FAMILIES["llava"].build(tmp_path / "hub" / "tiny" / "llava")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "cache"))
    with hub_at(tmp_path / "hub") as hub:
        monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", hub.address)
        monkeypatch.setattr(
            "huggingface_hub.constants.HUGGINGFACE_CO_URL_TEMPLATE",
            f"{hub.address}/{{repo_id}}/resolve/{{revision}}/{{filename}}",
        )
        pulled = limner("models", "pull", "transformers:tiny/llava")
        again = json.loads(limner("models", "pull", "tiny/llava", "--revision", COMMIT, "--json").stdout)
        missing = limner("models", "pull", "tiny/other")

    assert pulled.exit_code == 0, pulled.stderr
    assert pulled.stdout.splitlines()[0] == "transformers:tiny/llava"
    assert COMMIT in pulled.stdout
    assert (again["model"], again["revision"], again["fetched_bytes"]) == ("transformers:tiny/llava", COMMIT, 0)
    assert missing.exit_code == 1
    assert missing.stderr.splitlines()[0].startswith("error: the hub has no model tiny/other")
    assert limner("models", "pull", "open_clip:ViT-B-32/none").exit_code == 1
    assert limner("models", "pull", "open_clip:ViT-B-32/none", "--revision", "x").exit_code == 2


def test_pull_fetches_an_encoders_weights(limner: Limner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from limner.index.encoder import hub_source

    repository, files = hub_source("ViT-B-32/laion2b_s34b_b79k")
    (tmp_path / "hub" / repository).mkdir(parents=True)
    (tmp_path / "hub" / repository / files[0]).write_bytes(b"weights")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "cache"))
    with hub_at(tmp_path / "hub") as hub:
        monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", hub.address)
        monkeypatch.setattr(
            "huggingface_hub.constants.HUGGINGFACE_CO_URL_TEMPLATE",
            f"{hub.address}/{{repo_id}}/resolve/{{revision}}/{{filename}}",
        )
        result = limner("models", "pull", "open_clip:ViT-B-32/laion2b_s34b_b79k", "--json")

    assert result.exit_code == 0, result.stderr
    assert Path(json.loads(result.stdout)["path"]).read_bytes() == b"weights"
    from limner.index.encoder import encoders_at_hand

    assert "ViT-B-32/laion2b_s34b_b79k" in encoders_at_hand()
