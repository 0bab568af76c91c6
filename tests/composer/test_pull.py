"""Pulling models from a real server on loopback: what is fetched, gone on with, pinned and refused."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from limner.composer.errors import ModelIncomplete, ModelUnfit, ModelUnknown, PullFailed
from limner.composer.models import pull as pulling
from limner.composer.models.load import known_models, load_model
from limner.composer.models.options import ModelOptions
from limner.composer.models.pull import pull
from limner.index.errors import WriteFailed
from safetensors.torch import load_file, save_file

from .families import FAMILIES
from .hub import COMMIT, Hub, hub_at

NAME = "tiny/llava"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small model's own files."""
    folder = tmp_path_factory.mktemp("made") / "llava"
    FAMILIES["llava"].build(folder)
    return folder


@pytest.fixture
def hub(made: Path, tmp_path: Path) -> Iterator[Hub]:
    """A hub that has it, with the duplicates and extras that real repositories have."""
    repository = tmp_path / "hub" / NAME
    shutil.copytree(made, repository)
    for extra in ("original/model.safetensors", "onnx/model.bin", "pytorch_model.bin", "consolidated.safetensors"):
        (repository / extra).parent.mkdir(exist_ok=True)
        (repository / extra).write_bytes(b"the same again")
    (repository / "modeling_own.py").write_text("raise SystemExit('ran')")
    (repository / "README.md").write_text("# A model")
    with hub_at(tmp_path / "hub") as server:
        yield server


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("huggingface_hub.constants.DOWNLOAD_CHUNK_SIZE", 4096)  # 10 MB, more than these files have
    return tmp_path / "cache"


def fetched(cache: Path) -> set[str]:
    snapshot = cache / "models--tiny--llava" / "snapshots" / COMMIT
    return {str(path.relative_to(snapshot)) for path in snapshot.rglob("*") if path.is_file()}


def test_pull_fetches_what_is_needed_and_pins_the_commit(hub: Hub, cache: Path, made: Path) -> None:
    told: list[tuple[int, int]] = []
    pulled = pull(NAME, endpoint=hub.address, progress=lambda done, total: told.append((done, total)))

    assert pulled.revision == COMMIT
    assert fetched(cache) == {path.name for path in made.iterdir()}
    assert (pulled.folder / "model.safetensors").read_bytes() == (made / "model.safetensors").read_bytes()
    refs = cache / "models--tiny--llava" / "refs"
    assert {ref.name: ref.read_text() for ref in refs.iterdir()} == {"main": COMMIT, "limner": COMMIT}
    assert told[-1] == (pulled.size_bytes, pulled.size_bytes)
    assert [done for done, _ in told] == sorted(done for done, _ in told)
    assert pulled.size_bytes == sum(path.stat().st_size for path in made.iterdir())


def test_pulled_model_runs_by_name_and_knows_its_commit(hub: Hub) -> None:
    pull(NAME, endpoint=hub.address)
    asked = len(hub.asked)

    model = load_model(f"transformers:{NAME}", ModelOptions(device="cpu"))
    [info] = [info for info in known_models() if info.name == f"transformers:{NAME}"]

    assert getattr(model, "revision", "") == COMMIT
    assert len(hub.asked) == asked, "loading asked the network"
    assert (info.present, info.reads_pictures) == (True, True)
    assert info.size_bytes and info.size_bytes > 10_000


def test_pull_again_fetches_nothing(hub: Hub) -> None:
    pull(NAME, endpoint=hub.address)
    hub.asked.clear()

    again = pull(NAME, endpoint=hub.address)

    assert again.fetched_bytes == 0
    assert hub.gets("model.safetensors") == []


def test_pull_goes_on_after_a_reset_in_the_next_call(hub: Hub, made: Path, cache: Path) -> None:
    whole, hub.cut_after = (made / "model.safetensors").stat().st_size, 20_000

    with pytest.raises(PullFailed, match="was cut") as caught:
        pull(NAME, endpoint=hub.address)
    assert "goes on where it stopped" in caught.value.hint
    with pytest.raises(ModelIncomplete, match="download was cut"):
        load_model(f"transformers:{NAME}", ModelOptions())
    [part] = (cache / "models--tiny--llava" / "blobs").glob("*.incomplete")
    begun = part.stat().st_size
    assert 0 < begun <= 20_000
    pulled = pull(NAME, endpoint=hub.address)

    assert hub.gets("model.safetensors") == ["", f"bytes={begun}-"]
    assert pulled.fetched_bytes == whole - begun
    assert (pulled.folder / "model.safetensors").read_bytes() == (made / "model.safetensors").read_bytes()
    assert not list((cache / "models--tiny--llava" / "blobs").glob("*.incomplete"))


def test_pull_goes_on_within_a_call_when_a_connection_closes_early(hub: Hub, made: Path) -> None:
    hub.close_after = 20_000

    pulled = pull(NAME, endpoint=hub.address)

    assert [span != "" for span in hub.gets("model.safetensors")] == [False, True]
    assert (pulled.folder / "model.safetensors").read_bytes() == (made / "model.safetensors").read_bytes()


def test_pull_begins_a_file_anew_where_the_server_knows_no_ranges(hub: Hub, made: Path) -> None:
    hub.cut_after = 20_000
    with pytest.raises(PullFailed):
        pull(NAME, endpoint=hub.address)
    hub.ignore_ranges = True

    pulled = pull(NAME, endpoint=hub.address)

    assert (pulled.folder / "model.safetensors").read_bytes() == (made / "model.safetensors").read_bytes()


def test_pull_refuses_bytes_that_are_not_those_of_the_digest(hub: Hub, cache: Path) -> None:
    hub.damage = True
    with pytest.raises(PullFailed, match="arrived damaged"):
        pull(NAME, endpoint=hub.address)
    hub.damage = False

    assert pull(NAME, endpoint=hub.address).revision == COMMIT


def test_pulled_revision_stays_when_a_branch_moves_on(hub: Hub, made: Path) -> None:
    later = COMMIT[::-1]
    pull(NAME, endpoint=hub.address)
    hub.revisions |= {"next": later, later: later}
    pull(NAME, "next", endpoint=hub.address)

    by_name = load_model(f"transformers:{NAME}", ModelOptions(device="cpu"))
    by_commit = load_model(f"transformers:{NAME}@{COMMIT}", ModelOptions(device="cpu"))

    assert getattr(by_name, "revision", "") == later
    assert getattr(by_commit, "revision", "") == COMMIT
    with pytest.raises(ModelUnknown, match="not its revision v9"):
        load_model(f"transformers:{NAME}@v9", ModelOptions())


def test_cut_update_leaves_the_pinned_commit_in_use(hub: Hub, tmp_path: Path) -> None:
    pull(NAME, endpoint=hub.address)
    later = COMMIT[::-1]
    weights = tmp_path / "hub" / NAME / "model.safetensors"
    weights.write_bytes(weights.read_bytes() + b"\0" * 50_000)
    hub.revisions |= {"main": later, later: later}
    hub.cut_after = 20_000
    with pytest.raises(PullFailed):
        pull(NAME, endpoint=hub.address)

    assert getattr(load_model(f"transformers:{NAME}", ModelOptions(device="cpu")), "revision", "") == COMMIT


def test_pull_takes_the_shards_that_the_index_names(hub: Hub, tmp_path: Path, cache: Path) -> None:
    from transformers import LlavaForConditionalGeneration

    repository = tmp_path / "hub" / NAME
    LlavaForConditionalGeneration.from_pretrained(repository).save_pretrained(repository, max_shard_size="40KB")
    (repository / "model.safetensors").unlink(missing_ok=True)
    shards = {path.name for path in repository.glob("model-*.safetensors")}
    assert len(shards) > 2

    pull(NAME, endpoint=hub.address)

    assert {name for name in fetched(cache) if name.endswith(".safetensors")} == shards
    load_model(f"transformers:{NAME}", ModelOptions(device="cpu"))
    (cache / "models--tiny--llava" / "snapshots" / COMMIT / sorted(shards)[1]).unlink()
    with pytest.raises(ModelIncomplete, match=rf"{sorted(shards)[1]} of its {len(shards)} files") as caught:
        load_model(f"transformers:{NAME}", ModelOptions(device="cpu"))
    assert f"limner models pull {NAME}" in caught.value.hint


def test_pull_takes_pickled_weights_only_where_there_are_no_others(hub: Hub, tmp_path: Path, cache: Path) -> None:
    repository = tmp_path / "hub" / NAME
    torch.save(load_file(repository / "model.safetensors"), repository / "pytorch_model.bin")
    (repository / "model.safetensors").unlink()

    pull(NAME, endpoint=hub.address)

    assert "pytorch_model.bin" in fetched(cache)
    load_model(f"transformers:{NAME}", ModelOptions(device="cpu"))


@pytest.mark.parametrize(
    ("refuse", "kind", "message", "hint"),
    [
        ((401, "RepoNotFound"), ModelUnknown, "the hub has no model tiny/llava", "hf auth login"),
        ((404, "RepoNotFound"), ModelUnknown, "the hub has no model tiny/llava", "spelling"),
        ((403, "GatedRepo"), PullFailed, "is gated", "accept their terms"),
        ((401, ""), PullFailed, "refused tiny/llava: 401", "spelling"),
        ((403, ""), PullFailed, "refused tiny/llava: 403", "HF_TOKEN"),
        ((500, ""), PullFailed, "refused tiny/llava: 500", "goes on where it stopped"),
    ],
)
def test_pull_says_why_the_hub_refused(
    hub: Hub, refuse: tuple[int, str], kind: type[Exception], message: str, hint: str
) -> None:
    hub.refuse = refuse
    with pytest.raises(kind, match=message) as caught:
        pull(NAME, endpoint=hub.address)
    assert hint in getattr(caught.value, "hint", "")


def test_pull_names_what_is_not_there(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ModelUnknown, match="no model tiny/other"):
        pull("tiny/other", endpoint=hub.address)
    with pytest.raises(ModelUnknown, match="no revision 'v9'"):
        pull(NAME, "v9", endpoint=hub.address)
    with pytest.raises(ModelUnknown, match="no model can have this name"):
        pull("../../etc", endpoint=hub.address)
    with pytest.raises(PullFailed, match="cannot be reached"):
        pull(NAME, endpoint="http://127.0.0.1:9")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(PullFailed, match="switched off"):
        pull(NAME, endpoint=hub.address)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"model_type": "vit"}, "is a vit, which neither reads pictures nor writes"),
        ({"model_type": "own", "auto_map": {"AutoModel": "modeling_own.Own"}}, "trust_remote_code"),
        ({"model_type": "of-next-year"}, "'of-next-year' is unknown"),
        (None, "GGUF"),
    ],
)
def test_pull_refuses_before_weights_what_could_not_be_run(
    hub: Hub, tmp_path: Path, config: dict[str, object] | None, message: str
) -> None:
    repository = tmp_path / "hub" / NAME
    if config is None:
        (repository / "config.json").unlink()
        (repository / "model.gguf").write_bytes(b"GGUF")
    else:
        (repository / "config.json").write_text(json.dumps(config))
    with pytest.raises(ModelUnfit, match=message):
        pull(NAME, endpoint=hub.address)
    assert hub.gets("model.safetensors") == []


def test_pull_looks_at_the_disk_first(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pulling, "_SPARE_BYTES", 1 << 60)
    with pytest.raises(WriteFailed, match=r"tiny/llava takes .* more on the disk") as caught:
        pull(NAME, endpoint=hub.address)
    assert "HF_HOME" in caught.value.hint
    assert hub.gets("model.safetensors") == []


def test_killed_command_is_gone_on_with(hub: Hub, tmp_path: Path) -> None:
    """`limner models pull`, killed in the middle of the weights and called again; then listed without a network."""
    environment = {
        **os.environ,
        "HF_ENDPOINT": hub.address,
        "HF_HOME": str(tmp_path / "home"),
        "HF_HUB_CACHE": str(tmp_path / "home" / "hub"),
    }
    command = [str(Path(sys.executable).with_name("limner")), "models"]
    weights = tmp_path / "hub" / NAME / "model.safetensors"
    save_file({**load_file(weights), "unused": torch.zeros(6_000_000)}, weights, {"format": "pt"})
    hub.slowly = True
    with subprocess.Popen([*command, "pull", NAME], env=environment, stderr=subprocess.PIPE) as process:
        blobs = tmp_path / "home" / "hub" / "models--tiny--llava" / "blobs"
        deadline = time.monotonic() + 60
        while not any(part.stat().st_size > 0 for part in blobs.glob("*.incomplete")):
            assert process.poll() is None, process.stderr and process.stderr.read().decode()
            assert time.monotonic() < deadline
            time.sleep(0.02)
        process.send_signal(signal.SIGKILL)
    hub.slowly = False

    done = subprocess.run([*command, "pull", NAME, "--json"], env=environment, capture_output=True, check=True)
    said = json.loads(done.stdout)
    listed = subprocess.run(
        [*command, "list", "--json"], env={**environment, "HF_ENDPOINT": "http://127.0.0.1:9"}, capture_output=True,
        check=True,
    )  # fmt: skip

    assert said["revision"] == COMMIT
    assert 0 < said["fetched_bytes"] < weights.stat().st_size - 1_000_000
    assert hub.gets("model.safetensors")[-1].startswith("bytes=")
    assert b"of 24 MB" in done.stderr
    assert b"\x1b" not in done.stdout + done.stderr
    assert all(NAME in path for _, path, _ in hub.asked), "the hub was told of more than the model"
    names = {model["name"]: model for model in json.loads(listed.stdout)["models"]}
    assert names[f"transformers:{NAME}"]["present"] is True
