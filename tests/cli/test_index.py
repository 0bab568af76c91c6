"""`limner index`: libraries are built, brought up to date, merged, described; `test_search` searches them."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import fsspec
import numpy as np
import pytest
from limner.cli.settings import Settings
from limner.cli.wiring import Wiring
from limner.index.build import build
from limner.index.engines.ahead import on_threads
from limner.index.engines.local import LocalEngine
from limner.index.engines.processes import in_processes

from ..colours import COLOURS, Paint
from ..sentences import TopicSentences
from .conftest import Limner
from .fakes import ColourEncoder, colour_wiring


def test_build_says_what_was_indexed_and_skipped(limner: Limner, colour_folder: Path, tmp_path: Path) -> None:
    (colour_folder / "empty.png").touch()
    (colour_folder / "text.jpg").write_text("no picture")

    result = limner("index", "build", colour_folder, "--library", tmp_path / "library")

    assert result.exit_code == 0, result.stderr
    assert "indexed    8" in result.stdout
    assert "skipped    2" in result.stdout
    log = tmp_path / "library" / "skipped.log"
    assert str(log) in result.stdout
    assert "empty.png" in log.read_text()


def test_build_counts_in_plain_lines_where_there_is_no_terminal(
    limner: Limner, colour_folder: Path, tmp_path: Path
) -> None:
    result = limner("index", "build", colour_folder, "--library", tmp_path / "library")

    assert result.stderr.splitlines()[-1] == "Indexing: 8 of 8"
    assert "\x1b" not in result.output


def test_build_json_is_the_whole_summary(limner: Limner, colour_folder: Path, tmp_path: Path) -> None:
    (colour_folder / "empty.png").touch()

    tree = json.loads(limner("index", "build", colour_folder, "--library", tmp_path / "library", "--json").stdout)

    assert (tree["indexed"], tree["unchanged"], tree["count"]) == (8, 0, 8)
    assert [Path(entry["path"]).name for entry in tree["skipped"]] == ["empty.png"]


def test_update_takes_new_and_drops_deleted_pictures(
    limner: Limner, library: Path, colour_folder: Path, paint: Paint
) -> None:
    paint(colour_folder / "grey.png", (127, 127, 127))
    (colour_folder / "red.png").unlink()

    tree = json.loads(limner("index", "update", "--library", library, "--json").stdout)

    assert (tree["indexed"], tree["unchanged"], tree["removed"]) == (1, 7, 1)


def test_build_keeps_the_librarys_encoder_unless_asked(limner: Limner, library: Path, colour_folder: Path) -> None:
    asked: list[tuple[str, str]] = []

    def encoder(name: str, device: str) -> ColourEncoder:
        asked.append((name, device))
        return ColourEncoder()

    wiring = colour_wiring(encoder=encoder)
    limner("index", "build", colour_folder, "--library", library, wiring=wiring)
    limner("index", "build", colour_folder, "--library", library.with_name("new"), "--device", "cpu", wiring=wiring)
    limner("index", "build", colour_folder, "--library", library, "--encoder", "other", wiring=wiring)

    assert asked == [("colour", "auto"), ("nano-clip@auto", "cpu"), ("other@auto", "auto")]


@pytest.mark.parametrize(
    ("known", "flags", "name"),
    [
        (None, ["--encoder", "x"], "x@auto"),
        (None, ["--encoder", "x", "--precision", "bf16"], "x@bf16"),
        (None, ["--encoder", "x@bf16", "--precision", "auto"], "x@bf16"),
        (None, ["--encoder", "x", "--precision", "fp32"], "x"),
        ("x@bf16", [], "x@bf16"),
        ("x@bf16", ["--rebuild"], "x@bf16"),
        ("x@bf16", ["--encoder", "x"], "x@bf16"),
        ("x", ["--encoder", "x"], "x"),
        ("x@bf16", ["--encoder", "y"], "y@auto"),
        ("x@bf16", ["--precision", "fp32"], "x"),
        ("x@bf16", ["--encoder", "x", "--rebuild"], "x@auto"),
    ],
)
def test_build_measures_precision_only_for_a_library_that_is_begun(
    limner: Limner, tmp_path: Path, colour_folder: Path, known: str | None, flags: list[str], name: str
) -> None:
    asked: list[str] = []

    def encoder(name: str, device: str) -> ColourEncoder:
        asked.append(name)
        made = ColourEncoder()
        made.name = name
        return made

    library = tmp_path / "begun"
    if known:
        build([colour_folder], library, encoder=encoder(known, "cpu"))
    wiring = colour_wiring(encoder=encoder)
    limner("index", "build", colour_folder, "--library", library, *flags, wiring=wiring)
    limner("index", "update", "--library", library, wiring=wiring)
    if not known:
        assert asked[-1] == name  # what the manifest keeps
    assert asked[1 if known else 0] == name


def test_build_refuses_two_precisions(limner: Limner, tmp_path: Path, colour_folder: Path) -> None:
    arguments = ("index", "build", colour_folder, "--library", tmp_path / "new", "--encoder", "x@bf16")
    refused = limner(*arguments, "--precision", "fp32")
    assert refused.exit_code == 1
    assert "x@bf16 has a precision already, asked for fp32" in refused.stderr
    assert limner(*arguments, "--precision", "fp64").exit_code == 1


def test_build_refuses_another_encoder_and_rebuild_takes_it(limner: Limner, library: Path, colour_folder: Path) -> None:
    wiring = colour_wiring(encoder=lambda name, device: ColourEncoder("ff" * 32))

    refused = limner("index", "build", colour_folder, "--library", library, wiring=wiring)
    rebuilt = limner("index", "build", colour_folder, "--library", library, "--rebuild", wiring=wiring)

    assert refused.exit_code == 1
    assert "--rebuild" in refused.stderr
    assert rebuilt.exit_code == 0


def test_build_passes_workers_and_batch_size_on(limner: Limner, colour_folder: Path, tmp_path: Path) -> None:
    batches: list[int] = []

    class Watched(ColourEncoder):
        def encode_images(self, images):
            batches.append(len(images))
            return super().encode_images(images)

    wiring = colour_wiring(encoder=lambda name, device: Watched())
    options = ("--library", tmp_path / "library", "--batch-size", 3, "--workers", 1)
    assert limner("index", "build", colour_folder, *options, wiring=wiring).exit_code == 0
    assert batches == [3, 3, 2]


def test_info_describes_the_library(limner: Limner, library: Path, colour_folder: Path) -> None:
    tree = json.loads(limner("index", "info", "--library", library, "--json").stdout)
    text = limner("index", "info", "--library", library).stdout

    assert (tree["encoder"], tree["count"], tree["sources"]) == ("colour", 8, [str(colour_folder)])
    assert "8 pictures" in text
    assert str(colour_folder) in text


@pytest.mark.parametrize("command", [("search", "red"), ("info",), ("update",)])
def test_missing_library_is_one_line_and_a_hint(limner: Limner, tmp_path: Path, command: tuple[str, ...]) -> None:
    result = limner("index", *command, "--library", tmp_path / "nowhere")

    assert result.exit_code == 1
    assert result.stderr.splitlines() == [
        f"error: no library at {tmp_path / 'nowhere'}",
        "hint: build one with `limner index build SOURCE --library DIR`",
    ]
    assert not (tmp_path / "nowhere").exists()


def test_damaged_library_names_the_part_and_the_fix(limner: Limner, library: Path) -> None:
    part = next(library.glob("index-*.faiss"))
    part.write_bytes(part.read_bytes()[:-5])

    result = limner("index", "info", "--library", library)

    assert result.exit_code == 1
    assert part.name in result.stderr
    assert f"limner index verify --library {library}" in result.stderr


@pytest.mark.parametrize("kind", ["missing", "empty", "no-pictures"])
def test_source_without_pictures_leaves_nothing(limner: Limner, tmp_path: Path, kind: str) -> None:
    source = tmp_path / "source"
    if kind != "missing":
        source.mkdir()
    if kind == "no-pictures":
        (source / "notes.txt").write_text("words")

    result = limner("index", "build", source, "--library", tmp_path / "library")

    assert result.exit_code == 1
    assert str(source) in result.stderr
    assert not (tmp_path / "library").exists()


@pytest.mark.parametrize(
    ("args", "complaint"),
    [
        (("search", "  ", "--library", "x"), "is empty"),
        (("search", "red", "--library", "x", "-m", "0"), "must be a number from 1, not 0"),
        (("search", "red", "--library", "x", "-m", "many"), "integer"),
        (("search", "red"), "--library"),
        (("build", "--library", "x"), "SOURCE"),
        (("build", ".", "--library", "x", "--workers", "-1"), "must be a number from 1, not -1"),
        (("build", ".", "--library", "x", "--batch-size", "0"), "must be a number from 1, not 0"),
        (("build", ".", "--library", "x", "--colour"), "--colour"),
        (("paint",), "paint"),
    ],
)
def test_usage_error_is_one_line_and_exit_2(limner: Limner, args: tuple[str, ...], complaint: str) -> None:
    result = limner("index", *args)

    assert result.exit_code == 2
    error, hint = result.stderr.splitlines()
    assert error.startswith("error: ")
    assert complaint in error
    assert "--help" in hint


def test_build_and_update_hold_to_the_limits_asked_for(
    limner: Limner, colour_folder: Path, tmp_path: Path, paint: Paint
) -> None:
    paint(colour_folder / "large.png", "red", size=(50, 50))
    (colour_folder / "long.bmp").write_bytes((colour_folder / "red.png").read_bytes() + b"\0" * 9000)
    options = ("--library", tmp_path / "library", "--json")
    limits = ("--max-pixels", 2499, "--max-bytes", 9000)

    built = json.loads(limner("index", "build", colour_folder, *options, *limits).stdout)
    again = json.loads(limner("index", "update", *options, *limits).stdout)
    lifted = json.loads(limner("index", "update", *options).stdout)

    reasons = {Path(entry["path"]).name: entry["reason"] for entry in built["skipped"]}
    assert reasons["large.png"] == "50 x 50 pixels, above the limit of 2,499 pixels"
    assert reasons["long.bmp"].endswith("bytes, above the limit of 9,000")
    assert (built["indexed"], again["skipped"], lifted["indexed"]) == (8, built["skipped"], 2)


def test_build_with_sentences_is_kept_by_update_and_dropped_by_none(
    limner: Limner, colour_folder: Path, tmp_path: Path
) -> None:
    asked: list[str] = []

    def encoder(name: str, device: str) -> TopicSentences:
        asked.append(name)
        return TopicSentences()

    wiring = colour_wiring(sentence_encoder=encoder)
    options = ("--library", tmp_path / "library")
    limner("index", "build", colour_folder, *options, "--sentences", "topics", wiring=wiring)
    assert list((tmp_path / "library").glob("sentences-*"))
    limner("index", "update", *options, wiring=wiring)
    limner("index", "build", colour_folder, *options, wiring=wiring)
    assert asked == ["topics"] * 3
    assert list((tmp_path / "library").glob("sentences-*"))
    limner("index", "build", colour_folder, *options, "--sentences", "none", wiring=wiring)
    assert not list((tmp_path / "library").glob("sentences-*"))


def test_index_type_is_kept_until_another_is_named(limner: Limner, library: Path, colour_folder: Path) -> None:
    def info() -> dict[str, Any]:
        return json.loads(limner("index", "info", "--library", library, "--json").stdout)

    before = info()
    assert before["index_type"] == "flat"
    assert limner("index", "update", "--library", library, "--index-type", "sq16").exit_code == 0
    assert info()["index_type"] == "sq16"
    assert info()["memory_bytes"]["search"] < before["memory_bytes"]["search"]
    assert limner("index", "build", colour_folder, "--library", library).exit_code == 0
    assert "index       sq16, about" in limner("index", "info", "--library", library).stdout
    assert limner("index", "compact", "--library", library, "--index-type", "auto").exit_code == 0
    assert info()["index_type"] == "flat"


def test_unknown_index_type_is_refused_with_those_there_are(limner: Limner, library: Path) -> None:
    for command in ("update", "compact"):
        result = limner("index", command, "--library", library, "--index-type", "hnsw")
        assert result.exit_code == 1
        assert "no index type 'hnsw'" in result.stderr
        assert "ivf-sq8" in result.stderr


def test_build_and_update_go_to_the_engine_asked_for(limner: Limner, library: Path, colour_folder: Path) -> None:
    asked: list[tuple[str, str | None]] = []

    def engine(settings: Settings) -> LocalEngine:
        asked.append((settings.engine.value, settings.address))
        return LocalEngine()

    devices: list[str] = []

    def encoder(name: str, device: str) -> ColourEncoder:
        devices.append(device)
        return ColourEncoder()

    wiring = colour_wiring(engine=engine, encoder=encoder)
    cluster = ("--engine", "ray", "--address", "head:6379", "--device", "cuda")
    limner("index", "build", colour_folder, "--library", library, *cluster, wiring=wiring)
    limner("index", "update", "--library", library, wiring=wiring)

    assert asked == [("ray", "head:6379"), ("local", None)]
    assert devices == ["auto", "auto"]  # cuda is asked of the cluster, not of this machine


def test_an_address_is_of_no_use_without_ray(limner: Limner, library: Path) -> None:
    result = limner("index", "update", "--library", library, "--address", "head:6379")
    assert (result.exit_code, "--engine ray" in result.stderr) == (2, True)


def test_processes_are_the_local_engines(limner: Limner, library: Path, colour_folder: Path) -> None:
    asked: list[bool] = []

    def engine(settings: Settings) -> LocalEngine:
        asked.append(settings.processes)
        return LocalEngine()

    wiring = colour_wiring(engine=engine)
    limner("index", "build", colour_folder, "--library", library, "--processes", wiring=wiring)
    limner("index", "update", "--library", library, "--threads", wiring=wiring)
    refused = limner("index", "update", "--library", library, "--processes", "--engine", "ray")

    assert asked == [True, False]
    assert (refused.exit_code, "Ray reads in processes by itself" in refused.stderr) == (2, True)
    ahead = [Wiring().engine(Settings(processes=processes)).ahead for processes in (False, True)]
    assert ahead == [on_threads, in_processes]


def test_info_reads_a_library_elsewhere(limner: Limner, library: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(library.with_name("cache")))
    memory = fsspec.filesystem("memory")
    memory.put(f"{library}/", "/elsewhere/library/", recursive=True)
    wiring = colour_wiring(library=Wiring().library)  # the one that the command has
    try:
        result = limner("index", "info", "--library", "memory://elsewhere/library", "--json", wiring=wiring)
    finally:
        memory.rm("/elsewhere", recursive=True)
    assert json.loads(result.stdout)["count"] == 8
    assert list(library.with_name("cache").glob("limner/libraries/*/manifest.json"))


def test_merge_makes_one_library_of_several(limner: Limner, colour_folder: Path, paint: Paint, tmp_path: Path) -> None:
    paint(tmp_path / "more" / "orange.png", (255, 165, 0))
    for name, folder in (("a", colour_folder), ("b", tmp_path / "more")):
        assert limner("index", "build", folder, "--library", tmp_path / name).exit_code == 0
    result = limner("index", "merge", tmp_path / "a", tmp_path / "b", "--library", tmp_path / "one", "--json")
    assert result.exit_code == 0, result.stderr
    assert (json.loads(result.stdout)["count"], json.loads(result.stdout)["indexed"]) == (9, 9)
    found = limner("index", "search", "red", "--library", tmp_path / "one", "-m", 9, "--json")
    assert {Path(hit["path"]).stem for hit in json.loads(found.stdout)} == {*COLOURS, "orange"}
    again = limner("index", "merge", tmp_path / "a", "--library", tmp_path / "one", "--index-type", "sq16")
    assert "removed    1" in again.stdout
    info = json.loads(limner("index", "info", "--library", tmp_path / "one", "--json").stdout)
    assert (info["count"], info["index_type"]) == (8, "sq16")
    missing = limner("index", "merge", tmp_path / "a", tmp_path / "none", "--library", tmp_path / "other")
    assert missing.exit_code == 1
    assert "no library at" in missing.stderr
    assert limner("index", "merge", tmp_path / "a").exit_code == 2


def test_lists_are_trained_once_and_taken_by_build_and_merge(limner: Limner, paint: Paint, tmp_path: Path) -> None:
    chance = np.random.default_rng(0)
    for number in range(90):
        paint(tmp_path / "pictures" / f"{number % 2}" / f"{number}.png", tuple(chance.integers(0, 255, 3).tolist()))
    assert limner("index", "build", tmp_path / "pictures", "--library", tmp_path / "sample").exit_code == 0
    lists = tmp_path / "lists.faiss"
    train = ("index", "train", "--library", tmp_path / "sample", "--for", 1_000_000, "--out", lists)

    result = limner(*train, "--json")

    tree = json.loads(result.stdout)
    digest = hashlib.sha256(lists.read_bytes()).hexdigest()
    assert tree == {
        "lists": str(lists),
        "index_type": "ivf-sq8",
        "dimension": 4,
        "count": 2,
        "wanted": 4096,
        "vectors": 90,
        "sha256": digest,
    }
    assert "1,000,000 pictures would have 4,096 lists; the library has pictures to learn 2 from" in result.stderr
    again = limner(*train)
    assert (again.exit_code, "lists.faiss is there already" in again.stderr) == (1, True)
    small = limner(*train[:5], 1_000, "--out", tmp_path / "small.faiss", "--index-type", "ivf-rabitq")
    assert small.stdout == f"{tmp_path / 'small.faiss'}: 2 lists for ivf-rabitq, learnt from 90 vectors\n"
    for name in ("0", "1"):
        flags = ("--library", tmp_path / name, "--lists", lists, "--index-type", "ivf-sq8")
        assert limner("index", "build", tmp_path / "pictures" / name, *flags).exit_code == 0
    merged = limner("index", "merge", tmp_path / "0", tmp_path / "1", "--library", tmp_path / "merged")
    assert merged.exit_code == 0, merged.stderr
    info = json.loads(limner("index", "info", "--library", tmp_path / "merged", "--json").stdout)
    assert (info["count"], info["index_type"], info["lists"]) == (90, "ivf-sq8", digest)
    assert f"lists       shared, SHA-256 {digest}\n" in limner("index", "info", "--library", tmp_path / "0").stdout
    assert json.loads(limner("index", "info", "--library", tmp_path / "sample", "--json").stdout)["lists"] is None
    wrong = limner("index", "build", tmp_path / "pictures", "--library", tmp_path / "2", "--lists", tmp_path / "none")
    assert (wrong.exit_code, "limner index train" in wrong.stderr) == (1, True)
