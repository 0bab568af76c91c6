"""Libraries merged to one, against one library that was built of all their folders."""

from __future__ import annotations

import csv
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from limner.index import memory
from limner.index import publish as publish_module
from limner.index.build import build, update
from limner.index.describe import describe_library
from limner.index.errors import EncoderMismatch, LibraryDamaged, LibraryMissing, MemoryShort
from limner.index.library import Library
from limner.index.merge import merge
from limner.index.verify import verify
from PIL import Image

from ..colours import COLOURS, ColourEncoder, Paint
from ..sentences import TopicSentences

WORDS = ("fox", "boat", "snow", "lake", "tower", "night", "river", "child")
TEXTS = (*COLOURS, "red fox", "a boat on the lake at night", "west")


@pytest.fixture
def folders(tmp_path: Path) -> list[Path]:
    """Three folders of 20 pictures with captions; one picture lies in all of them, one twice in the last."""
    chance = np.random.default_rng(0)
    found = []
    for name in ("east", "north", "west"):
        folder = tmp_path / "pictures" / name
        folder.mkdir(parents=True)
        rows = [("file", "caption", "creator")]
        for number in range(20):
            pixels = chance.integers(0, 255, (12, 16, 3), np.uint8)
            Image.fromarray(pixels).save(folder / f"{number}.png")
            rows.append(
                (f"{number}.png", " ".join(chance.choice(WORDS, 1 + number % 4)), "Ann" if number % 4 else "Bo")
            )
        with (folder / "limner-metadata.csv").open("w", newline="") as file:
            csv.writer(file).writerows(rows)
        found.append(folder)
    for folder in found[1:]:
        shutil.copyfile(found[0] / "3.png", folder / "same.png")
    shutil.copyfile(found[2] / "5.png", found[2] / "again.png")
    (found[1] / "broken.png").write_text("no picture")
    return found


def _build(sources: Sequence[Path], library: Path, **options: object) -> Path:
    build(list(sources), library, encoder=ColourEncoder(), **options)  # pyright: ignore[reportArgumentType]
    return library


def _shards(folders: Sequence[Path], tmp_path: Path, **options: object) -> list[Path]:
    return [_build([folder], tmp_path / "shards" / folder.name, **options) for folder in folders]


def _all(library: Path, sentences: TopicSentences | None = None) -> list[object]:
    """Everything that a reader sees."""
    opened = Library.open(library, encoder=ColourEncoder(), sentences=sentences)
    ids, vectors = opened.vectors()
    return [
        opened.records(),
        (ids.tolist(), vectors.tobytes()),
        opened.groups(),
        [opened.search(text, m) for text in TEXTS for m in (1, 7, 100)],
        opened.where("creator = 'Ann'").search("fox", 9),
        opened.manifest.sources,
    ]


@pytest.mark.parametrize("with_sentences", [False, True], ids=["words", "words and sentences"])
def test_a_merged_library_is_that_of_all_folders(folders: list[Path], tmp_path: Path, with_sentences: bool) -> None:
    sentences = TopicSentences() if with_sentences else None
    whole = _build(folders, tmp_path / "whole", sentences=sentences)
    shards = _shards(folders, tmp_path, sentences=sentences)
    steps: list[tuple[int, int]] = []

    def load(name: str) -> TopicSentences:
        raise AssertionError("every text is encoded already")

    summary = merge(
        shards, tmp_path / "merged", load_sentences=load, progress=lambda done, total: steps.append((done, total))
    )

    assert (summary.indexed, summary.removed) == (63, 0)
    assert _all(tmp_path / "merged", sentences) == _all(whole, sentences)
    merged = Library.open(tmp_path / "merged").manifest
    assert merged.next_vector_id == Library.open(whole).manifest.next_vector_id == 61
    assert len(pq.read_table(tmp_path / "merged" / "vectors")) == 60
    assert steps[-1] == (62, 62)  # of three libraries, which do not know of each other's copies
    assert verify(tmp_path / "merged", files=True) == []


def test_an_update_of_a_merged_library_encodes_nothing(folders: list[Path], tmp_path: Path, paint: Paint) -> None:
    merge(_shards(folders, tmp_path), tmp_path / "merged")
    before = _all(tmp_path / "merged")
    encoder = ColourEncoder()
    summary = update(tmp_path / "merged", encoder=encoder)
    assert (summary.unchanged, encoder.pictures_encoded) == (63, 0)
    assert [path.name for path, _ in summary.skipped] == ["broken.png"]
    assert _all(tmp_path / "merged") == before
    paint(folders[0] / "new.png", "red")
    assert update(tmp_path / "merged", encoder=encoder).indexed == encoder.pictures_encoded == 1


@pytest.mark.parametrize(("whole_up_to", "share"), [(10_000, 0.2), (0, 10.0)], ids=["written anew", "written as parts"])
def test_a_second_merge_keeps_ids_and_writes_what_changed(
    folders: list[Path], tmp_path: Path, paint: Paint, monkeypatch: pytest.MonkeyPatch, whole_up_to: int, share: float
) -> None:
    monkeypatch.setattr(publish_module, "WHOLE_UP_TO", whole_up_to)
    monkeypatch.setattr(publish_module, "SHARE", share)
    shards, merged = _shards(folders, tmp_path), tmp_path / "merged"
    merge(shards, merged)
    before = {record.path: record for record in Library.open(merged).records()}
    paint(folders[1] / "new.png", "red")
    (folders[1] / "7.png").rename(folders[1] / "moved.png")
    (folders[1] / "8.png").unlink()
    (folders[2] / "limner-metadata.csv").write_text("file,caption\n4.png,Nothing but a lighthouse\n")
    for shard in shards:
        update(shard, encoder=ColourEncoder())

    summary = merge(shards, merged)

    assert (summary.indexed, summary.moved, summary.removed, summary.unchanged) == (1, 1, 1, 61)
    after = {record.path: record for record in Library.open(merged).records()}
    assert after[folders[1] / "moved.png"].id == before[folders[1] / "7.png"].id
    assert {path: record.id for path, record in after.items() if path in before} == {
        path: record.id for path, record in before.items() if path in after
    }
    assert after[folders[2] / "4.png"].caption == "Nothing but a lighthouse"
    assert after[folders[1] / "new.png"].id == 64
    opened = Library.open(merged, encoder=ColourEncoder())
    whole = Library.open(_build(folders, tmp_path / "whole"), encoder=ColourEncoder())
    for text in (*TEXTS, "lighthouse"):
        found, expected = opened.search(text, 100), whole.search(text, 100)
        assert {hit.image.path: round(hit.score, 5) for hit in found} == {
            hit.image.path: round(hit.score, 5) for hit in expected
        }
    parts = set(opened.manifest.parts)
    assert merge(shards, merged).unchanged == 63
    assert whole_up_to or len(parts & set(Library.open(merged).manifest.parts)) >= 4
    assert verify(merged, files=True) == []


def test_a_library_may_take_others_in(folders: list[Path], tmp_path: Path) -> None:
    shards = _shards(folders, tmp_path)
    before = {record.path: record.id for record in Library.open(shards[0]).records()}
    summary = merge(shards, shards[0])
    assert (summary.unchanged, summary.indexed) == (20, 43)
    after = {record.path: record.id for record in Library.open(shards[0]).records()}
    assert before.items() <= after.items()
    whole = Library.open(_build(folders, tmp_path / "whole"), encoder=ColourEncoder())
    taken = Library.open(shards[0], encoder=ColourEncoder())
    for text in TEXTS:
        expected = {hit.image.path: hit.score for hit in whole.search(text, 100)}
        assert {hit.image.path: hit.score for hit in taken.search(text, 100)} == pytest.approx(expected, abs=1e-6)


def test_of_one_path_the_newer_file_counts(folders: list[Path], tmp_path: Path, paint: Paint) -> None:
    early = _build([folders[0]], tmp_path / "early")
    paint(folders[0] / "3.png", "red")
    os.utime(folders[0] / "3.png", ns=(2_000_000_000_000_000_000,) * 2)
    late = _build([folders[0], folders[1]], tmp_path / "late")
    for number, order in enumerate(([early, late], [late, early])):
        merge(order, tmp_path / f"{number}")
        opened = Library.open(tmp_path / f"{number}", encoder=ColourEncoder())
        assert len(opened) == 41
        assert opened.search("red", 1)[0].image.path == folders[0] / "3.png"
        assert verify(tmp_path / f"{number}", files=True) == []


def test_a_models_words_come_along(folders: list[Path], tmp_path: Path) -> None:
    for folder in folders[:2]:
        (folder / "limner-metadata.csv").unlink()
    shards = _shards(folders, tmp_path)
    describe_library(shards[0], model="first", say=lambda path: f"First {path.stem}")
    describe_library(shards[1], model="second", say=lambda path: f"Second {path.stem}")
    merge(shards, tmp_path / "merged")
    told = {record.path: (record.alt, record.described_by) for record in Library.open(tmp_path / "merged").records()}
    assert told[folders[0] / "1.png"] == ("First 1", "first")
    assert told[folders[1] / "1.png"] == ("Second 1", "second")
    # The same content, of which both models said something, and of which nobody did in the third library.
    assert {told[folder / name] for folder, name in zip(folders, ("3.png", "same.png", "same.png"), strict=True)} == {
        ("First 3", "first")
    }
    before = _all(tmp_path / "merged")
    update(tmp_path / "merged", encoder=ColourEncoder())
    assert _all(tmp_path / "merged") == before


@pytest.mark.parametrize("kind", ["sq16", "ivf-sq8", "ivf-rabitq"])
def test_the_index_is_made_of_all_vectors(folders: list[Path], tmp_path: Path, kind: str) -> None:
    shards = _shards(folders, tmp_path, index_type=kind)
    whole = _build(folders, tmp_path / "whole", index_type=kind)
    merge(shards, tmp_path / "merged")
    merge(shards, tmp_path / "flat", index_type="flat")
    assert Library.open(tmp_path / "merged").index_type == kind
    assert Library.open(tmp_path / "flat").index_type == "flat"
    found, expected = (Library.open(path, encoder=ColourEncoder()) for path in (tmp_path / "merged", whole))
    for text in TEXTS:
        one, other = ({hit.image.path: hit.score for hit in opened.search(text, 100)} for opened in (found, expected))
        assert one == pytest.approx(other, abs=1e-5)


def test_what_does_not_belong_together_is_refused(
    folders: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = _build([folders[0]], tmp_path / "one")
    build([folders[1]], tmp_path / "two", encoder=ColourEncoder("ff" * 32))
    with pytest.raises(EncoderMismatch, match=r"one and .*two were built with different encoders"):
        merge([one, tmp_path / "two"], tmp_path / "merged")
    with pytest.raises(EncoderMismatch, match="two was built with colour"):
        merge([one], tmp_path / "two")
    said = _build([folders[2]], tmp_path / "three", sentences=TopicSentences())
    with pytest.raises(EncoderMismatch, match="sentence vectors"):
        merge([one, said], tmp_path / "merged")
    with pytest.raises(LibraryMissing, match="no library at"):
        merge([one, tmp_path / "none"], tmp_path / "merged")
    with pytest.raises(LibraryMissing, match="holds other things"):
        merge([one], folders[0])
    monkeypatch.setattr(memory, "free_bytes", lambda: 0)
    with pytest.raises(MemoryShort, match="free"):
        merge([one], tmp_path / "merged")
    assert not (tmp_path / "merged").exists()


def test_a_damaged_library_is_not_taken_in(folders: list[Path], tmp_path: Path) -> None:
    shards = _shards(folders, tmp_path)
    part = next((shards[1] / "vectors").iterdir())
    data = bytearray(part.read_bytes())
    data[len(data) // 2] ^= 1
    part.write_bytes(data)
    with pytest.raises(LibraryDamaged, match=rf"north is damaged: its part vectors/{part.name} was changed"):
        merge(shards, tmp_path / "merged")
    assert not (tmp_path / "merged").exists()


_KILLED = """
import os, signal, sys, time
from pathlib import Path
from limner.index.merge import merge
import duckdb, faiss, pyarrow.parquet
*shards, merged, moments = sys.argv[1:]
for moment in range(int(moments)):
    started, child = time.monotonic(), os.fork()
    if not child:
        merge(list(map(Path, shards)), Path(merged))
        os._exit(0)
    if moment:
        time.sleep(took * moment / int(moments))
        os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    if not moment:
        took = time.monotonic() - started
    print(took, flush=True)
    sys.stdin.readline()
"""


@pytest.mark.skipif(sys.platform != "linux", reason="needs fork")
def test_a_merge_that_is_killed_leaves_the_old_library(folders: list[Path], tmp_path: Path, paint: Paint) -> None:
    shards, merged = _shards(folders, tmp_path), tmp_path / "merged"
    merge(shards[:2], merged)
    shutil.copytree(merged, tmp_path / "old")
    old = _all(merged)
    moments = 8
    command = [sys.executable, "-c", _KILLED, *map(str, shards), str(merged), str(moments)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin and process.stdout
        new = None
        for _ in range(moments):
            assert process.stdout.readline()
            found = _all(merged)
            new = new or found
            assert found in (old, new)
            merge(shards, merged)
            assert _all(merged) == new
            shutil.rmtree(merged)
            shutil.copytree(tmp_path / "old", merged)
            process.stdin.write("\n")
            process.stdin.flush()
    assert new != old
