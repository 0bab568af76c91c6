"""Lists learnt once and taken by several libraries: their file, what keeps them, and a merge that learns nothing."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from limner.index import index_types, memory, quantised
from limner.index import publish as publish_module
from limner.index.build import build, update
from limner.index.catalogue import read_rows
from limner.index.compact import compact
from limner.index.describe import describe_library
from limner.index.errors import LibraryDamaged, LibraryMissing, ListsInvalid, MemoryShort
from limner.index.folder import FULL, INDEX, LISTS
from limner.index.index_file import open_index
from limner.index.index_types import IVF_RABITQ, IVF_SQ8, QUANTISED
from limner.index.library import Library
from limner.index.lists import own_digest, read_lists, train_lists
from limner.index.manifest import read_manifest
from limner.index.merge import merge
from limner.index.vectors import read_faiss
from limner.index.verify import repair, verify
from PIL import Image

from ..colours import COLOURS, ColourEncoder

TEXTS = (*COLOURS, "red yellow", "blue black", "west")
EACH = 90
MANY = 10_000

Learn = Callable[..., Path]


@pytest.fixture(autouse=True)
def few_lists_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """As of a large library: what is found hangs on the lists."""
    monkeypatch.setattr(quantised, "LISTS_ASKED", {IVF_SQ8: 2, IVF_RABITQ: 2})
    monkeypatch.setattr(quantised, "RESCORED", {IVF_SQ8: (1, 1), IVF_RABITQ: (1, 1)})
    monkeypatch.setattr(quantised, "SCORED_UP_TO", 0)


@pytest.fixture
def folders(tmp_path: Path) -> list[Path]:
    """Three folders of 90 pictures of one colour each; the colours of a folder lie near each other."""
    return [_paint(tmp_path / "pictures" / name, seed) for seed, name in enumerate(("east", "north", "west"))]


def _paint(folder: Path, seed: int, count: int = EACH) -> Path:
    folder.mkdir(parents=True)
    chance = np.random.default_rng(seed)
    centre = chance.integers(60, 196, 3)
    for number in range(count):
        colour = tuple((centre + chance.integers(-60, 60, 3)).tolist())
        Image.new("RGB", (2, 2), colour).save(folder / f"{number}.png")
    return folder


@pytest.fixture
def learn(tmp_path: Path, folders: Sequence[Path]) -> Learn:
    """Learn lists of a type from a library of some of the folders: learn("ivf-sq8", 0, 2) -> the file."""

    def call(kind: str, *of: int) -> Path:
        name = f"{kind}-{'-'.join(map(str, of))}"
        sample = _build([folders[number] for number in of], tmp_path / "samples" / name)
        return train_lists(sample, MANY, tmp_path / f"{name}.faiss", index_type=kind).lists.path

    return call


def _learn_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def train(*_: object) -> None:
        raise AssertionError("lists are learnt")

    monkeypatch.setattr(quantised, "train", train)


def _build(sources: Sequence[Path], library: Path, **options: object) -> Path:
    build(list(sources), library, encoder=ColourEncoder(), **options)  # pyright: ignore[reportArgumentType]
    return library


def _part(library: Path, kind: str) -> Path:
    [name] = [name for name in read_manifest(library).parts if name.startswith(kind)]
    return library / name


def _centres(path: Path) -> np.ndarray:
    index = read_faiss(path)
    return index.quantizer.reconstruct_n(0, index.nlist)


def _check_made_of(library: Path, lists: Path, kind: str) -> None:
    """The library keeps these lists, and its index has them."""
    assert _part(library, LISTS).read_bytes() == lists.read_bytes()
    assert Library.open(library).index_type == kind
    assert np.array_equal(_centres(_part(library, INDEX)), _centres(lists))
    assert verify(library) == []


def _found(library: Path) -> list[list[tuple[Path, float]]]:
    opened = Library.open(library, encoder=ColourEncoder())
    return [[(hit.image.path, hit.score) for hit in opened.search(text, m)] for text in TEXTS for m in (1, 9)]


def _nearest(library: Path) -> list[list[tuple[Path, float]]]:
    """What its index alone finds, which of few lists is not all that is near."""
    opened = Library.open(library)
    path_of = {record.id: record.path for record in opened.records()}
    rows = read_rows(sorted((library / "catalogue").iterdir()), ("id", "vector_id"))
    index = open_index(library, opened.manifest, rows["id"].to_numpy(), rows["vector_id"].to_numpy())
    queries = np.random.default_rng(3).standard_normal((30, 4)).astype(np.float32)
    return [[(path_of[image_id], score) for image_id, score in index.search(query, 5)] for query in queries]


@pytest.mark.parametrize("kind", QUANTISED)
def test_lists_are_those_that_the_sample_s_own_index_learns(folders: list[Path], tmp_path: Path, kind: str) -> None:
    own = _build(folders, tmp_path / "own", index_type=kind)
    training = train_lists(own, len(Library.open(own)), tmp_path / "lists.faiss", index_type=kind)
    assert (training.lists.index_type, training.lists.count, training.wanted) == (kind, 6, 6)
    assert training.vectors == 256
    assert read_lists(training.lists.path, 4) == training.lists
    shared = _build(folders, tmp_path / "shared", index_type=kind, lists=training.lists.path)
    for part in (INDEX, FULL):
        assert _part(shared, part).read_bytes() == _part(own, part).read_bytes()


def test_a_small_sample_gives_fewer_lists_than_are_wanted(folders: list[Path], tmp_path: Path) -> None:
    sample = _build(folders[:1], tmp_path / "sample")
    training = train_lists(sample, 10**6, tmp_path / "deep" / "lists.faiss")
    assert (training.wanted, training.lists.count, training.lists.index_type) == (4096, 2, IVF_SQ8)
    assert train_lists(sample, 10**7, tmp_path / "more.faiss").lists.index_type == IVF_RABITQ


@pytest.mark.parametrize("kind", QUANTISED)
def test_same_pictures_and_lists_give_the_same_bytes_without_training(
    folders: list[Path], tmp_path: Path, learn: Learn, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    lists = learn(kind, 0, 2)
    _learn_nothing(monkeypatch)
    one, other = (_build(folders[1:], tmp_path / name, index_type=kind, lists=lists) for name in ("one", "other"))
    _check_made_of(one, lists, kind)
    assert _part(one, INDEX).read_bytes() == _part(other, INDEX).read_bytes()


@pytest.mark.parametrize("kind", QUANTISED)
def test_a_merge_of_shared_lists_finds_what_one_library_of_them_finds(
    folders: list[Path], tmp_path: Path, learn: Learn, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    lists = learn(kind, 0, 2)
    own = _build(folders, tmp_path / "own", index_type=kind)
    _learn_nothing(monkeypatch)
    whole = _build(folders, tmp_path / "whole", index_type=kind, lists=lists)
    shards = [_build([folder], tmp_path / folder.name, index_type=kind, lists=lists) for folder in folders]
    merge(shards, tmp_path / "merged")
    _check_made_of(tmp_path / "merged", lists, kind)
    assert _found(tmp_path / "merged") == _found(whole)
    assert _nearest(tmp_path / "merged") == _nearest(whole)
    assert _nearest(whole) != _nearest(own)  # so what is found does hang on the lists
    Image.new("RGB", (2, 2), "red").save(folders[0] / "new.png")
    update(shards[0], encoder=ColourEncoder())
    merge(shards, tmp_path / "merged")
    _check_made_of(tmp_path / "merged", lists, kind)
    assert _found(tmp_path / "merged")[TEXTS.index("red") * 2][0][0] == folders[0] / "new.png"
    generation = read_manifest(tmp_path / "merged").generation
    merge(shards, tmp_path / "merged", index_type="flat")
    assert (Library.open(tmp_path / "merged").index_type, generation) == ("flat", 2)
    assert own_digest(read_manifest(tmp_path / "merged")) == read_lists(lists, 4).sha256  # they wait


def test_a_merge_learns_lists_where_they_are_not_shared(folders: list[Path], tmp_path: Path, learn: Learn) -> None:
    first, second = learn(IVF_SQ8, 0), learn(IVF_SQ8, 1)
    shards = [
        _build([folder], tmp_path / folder.name, index_type=IVF_SQ8, lists=lists)
        for folder, lists in zip(folders, (first, second, None), strict=True)
    ]
    for number, chosen in enumerate((shards[:2], shards[1:])):
        merge(chosen, tmp_path / f"{number}")
        assert own_digest(read_manifest(tmp_path / f"{number}")) is None
        assert len(_centres(_part(tmp_path / f"{number}", INDEX))) == 4
    # Of another type than the lists' it has lists of its own.
    merge(shards[:1], tmp_path / "other", index_type=IVF_RABITQ)
    assert Library.open(tmp_path / "other").index_type == IVF_RABITQ
    assert own_digest(read_manifest(tmp_path / "other")) is None
    # A library that takes others in keeps what it has.
    merge(shards, shards[0])
    _check_made_of(shards[0], first, IVF_SQ8)
    with pytest.raises(ListsInvalid, match=r"for an index of type ivf-sq8, and ivf-rabitq is asked for"):
        merge(shards, shards[0], index_type=IVF_RABITQ)


@pytest.mark.parametrize(("whole_up_to", "share"), [(10_000, 0.2), (0, 10.0)], ids=["written anew", "written as parts"])
def test_lists_are_kept_whatever_is_written(
    folders: list[Path],
    tmp_path: Path,
    learn: Learn,
    monkeypatch: pytest.MonkeyPatch,
    whole_up_to: int,
    share: float,
) -> None:
    monkeypatch.setattr(publish_module, "WHOLE_UP_TO", whole_up_to)
    monkeypatch.setattr(publish_module, "SHARE", share)
    lists = learn(IVF_SQ8, 0, 1)
    _learn_nothing(monkeypatch)
    library = _build(folders[:2], tmp_path / "library", index_type=IVF_SQ8, lists=lists)

    def check() -> None:
        _check_made_of(library, lists, IVF_SQ8)
        assert len(list(library.glob(f"{LISTS}*"))) == 1

    (folders[0] / "3.png").unlink()
    Image.new("RGB", (2, 2), "red").save(folders[0] / "new.png")
    update(library, encoder=ColourEncoder())
    check()
    assert _found(library)[TEXTS.index("red") * 2][0][0] == folders[0] / "new.png"
    describe_library(library, model="words", say=lambda path: f"Picture {path.stem}")
    check()
    compact(library)
    check()
    _part(library, INDEX).write_bytes(b"broken")
    assert repair(library) == []
    check()
    _build(folders, library)
    check()
    _build(folders, library, rebuild=True, index_type=IVF_SQ8)
    check()


def test_lists_do_not_outlive_their_encoder(folders: list[Path], tmp_path: Path, learn: Learn) -> None:
    library = _build(folders, tmp_path / "library", lists=learn(IVF_SQ8, 0))
    build(folders, library, encoder=ColourEncoder("ff" * 32), rebuild=True)
    assert own_digest(read_manifest(library)) is None


def test_lists_wait_until_the_library_is_large(
    folders: list[Path], tmp_path: Path, learn: Learn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(index_types, "EXACT_UP_TO", 2 * EACH)
    lists = learn(IVF_RABITQ, 0, 1, 2)
    _learn_nothing(monkeypatch)
    library = _build(folders[:2], tmp_path / "library", lists=lists)
    assert Library.open(library).index_type == "flat"
    assert _part(library, LISTS).read_bytes() == lists.read_bytes()
    _build(folders, library)
    _check_made_of(library, lists, IVF_RABITQ)
    assert read_manifest(library).index_type == "auto"
    with pytest.raises(ListsInvalid, match="ivf-sq8 is asked for") as caught:
        compact(library, index_type=IVF_SQ8)
    assert "--index-type auto" in caught.value.hint
    _check_made_of(library, lists, IVF_RABITQ)


def test_other_lists_write_the_index_anew_and_the_same_ones_nothing(
    folders: list[Path], tmp_path: Path, learn: Learn
) -> None:
    first, second = learn(IVF_SQ8, 0), learn(IVF_SQ8, 1, 2)
    encoder = ColourEncoder()
    library = tmp_path / "library"
    build(folders, library, encoder=encoder, index_type=IVF_SQ8)
    for generation, lists in ((2, first), (2, first), (3, second), (3, None)):
        build(folders, library, encoder=encoder, lists=lists)
        assert read_manifest(library).generation == generation
        _check_made_of(library, lists or second, IVF_SQ8)
    assert encoder.pictures_encoded == 3 * EACH


def test_damaged_lists_are_found_and_mended(folders: list[Path], tmp_path: Path, learn: Learn) -> None:
    lists = learn(IVF_SQ8, 0, 2)
    library = _build(folders, tmp_path / "library", index_type=IVF_SQ8, lists=lists)
    name = _part(library, LISTS).name
    whole = lists.read_bytes()
    encoder = ColourEncoder()
    for damage in (whole[:-1] + bytes([whole[-1] ^ 1]), whole[:100], None):
        (library / name).unlink() if damage is None else (library / name).write_bytes(damage)
        [fault] = verify(library)
        assert fault.part == name
        assert fault.fix.endswith(f"--library {library} --lists LISTS.faiss")
        with pytest.raises(LibraryDamaged, match=name):
            compact(library)
        with pytest.raises(LibraryDamaged, match=name):
            merge([library], tmp_path / "merged")
        build(folders, library, encoder=encoder, lists=lists)
        _check_made_of(library, lists, IVF_SQ8)
        name = _part(library, LISTS).name
    assert encoder.pictures_encoded == 0
    (library / name).write_bytes(b"broken")
    _build(folders, library, rebuild=True)  # begins anew, whatever is damaged
    assert own_digest(read_manifest(library)) is None
    assert verify(library) == []


def test_files_that_are_no_such_lists_are_refused_before_anything_is_read(
    folders: list[Path], tmp_path: Path, learn: Learn
) -> None:
    lists = learn(IVF_SQ8, 0)
    library = _build(folders[:1], tmp_path / "filled", index_type=IVF_SQ8)
    index = read_faiss(lists)
    refused = {
        "cannot read the lists .*: No such file": tmp_path / "none.faiss",
        "cannot read the lists .*: Is a directory": tmp_path,
        "holds no lists: it is not of FAISS": folders[0] / "1.png",
        "holds no lists: it is not of FAISS, or cut short": tmp_path / "cut.faiss",
        "holds no lists that were learnt": _part(library, INDEX),
        "holds no lists that were learnt for": _part(_build(folders[:1], tmp_path / "flat"), INDEX),
    }
    (tmp_path / "cut.faiss").write_bytes(lists.read_bytes()[:-20])
    encoder = ColourEncoder()
    for message, path in refused.items():
        with pytest.raises(ListsInvalid, match=message) as caught:
            build(folders, tmp_path / "library", encoder=encoder, lists=path)
        assert "limner index train" in caught.value.hint
    encoder.dimension = index.d + 4  # pyright: ignore[reportAttributeAccessIssue]
    with pytest.raises(ListsInvalid, match="are for vectors of 4 numbers, the encoder gives 8"):
        build(folders, tmp_path / "library", encoder=encoder, lists=lists)
    encoder.dimension = index.d  # pyright: ignore[reportAttributeAccessIssue]
    with pytest.raises(ListsInvalid, match="for an index of type ivf-sq8, and ivf-rabitq is asked for"):
        build(folders, tmp_path / "library", encoder=encoder, lists=lists, index_type=IVF_RABITQ)
    assert encoder.pictures_encoded == 0
    assert not (tmp_path / "library").exists()


def test_training_refuses_what_it_cannot_learn(
    folders: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sample, out = _build(folders[:1], tmp_path / "sample"), tmp_path / "lists.faiss"
    few = _build([_paint(tmp_path / "few", 7, 39)], tmp_path / "small")
    with pytest.raises(ListsInvalid, match="holds 39 different pictures, too few"):
        train_lists(few, 10**6, out)
    with pytest.raises(ListsInvalid, match="for 200,000 pictures the index is sq16"):
        train_lists(sample, 200_000, out)
    with pytest.raises(ListsInvalid, match="for 1,000,000 pictures the index is flat"):
        train_lists(sample, 10**6, out, index_type="flat")
    with pytest.raises(LibraryMissing, match="no library at"):
        train_lists(tmp_path / "none", 10**6, out)
    monkeypatch.setattr(memory, "free_bytes", lambda: 1000)
    with pytest.raises(MemoryShort, match="learning 2 lists from 90 vectors"):
        train_lists(sample, 10**6, out)
    monkeypatch.undo()
    part = next((sample / "vectors").iterdir())
    data = part.read_bytes()
    part.write_bytes(data[:-1] + b"?")
    with pytest.raises(LibraryDamaged, match="vectors/"):
        train_lists(sample, 10**6, out)
    part.write_bytes(data)
    assert not out.exists()
    out.write_text("somebody's")
    with pytest.raises(ListsInvalid, match=r"lists\.faiss is there already"):
        train_lists(sample, 10**6, out)
    assert out.read_text() == "somebody's"


_KILLED = """
import os, signal, sys, time
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from colours import ColourEncoder
from limner.index.build import build
import duckdb, faiss, pyarrow.parquet
faiss.omp_set_num_threads(1)  # OpenMP's threads do not live on in a fork
source, library = Path(sys.argv[2]), Path(sys.argv[3])
for line in sys.stdin:
    lists, seconds = line.rstrip().split("\\t")
    started, child = time.monotonic(), os.fork()
    if not child:
        build([source], library, encoder=ColourEncoder(), lists=Path(lists))
        os._exit(0)
    if float(seconds):
        time.sleep(float(seconds))
        os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    print(time.monotonic() - started, flush=True)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="needs fork")
def test_a_build_that_is_killed_keeps_index_and_lists_together(
    folders: list[Path], tmp_path: Path, learn: Learn
) -> None:
    both = [learn(IVF_SQ8, 0), learn(IVF_SQ8, 1, 2)]
    library = _build(folders, tmp_path / "library", index_type=IVF_SQ8, lists=both[0])
    command = [sys.executable, "-c", _KILLED, str(Path(__file__).parents[1]), str(folders[0].parent), str(library)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin and process.stdout

        def attempt(lists: Path, seconds: float = 0) -> float:
            assert process.stdin and process.stdout
            process.stdin.write(f"{lists}\t{seconds}\n")
            process.stdin.flush()
            return float(process.stdout.readline())

        took = attempt(both[1])
        for moment in range(1, 7):
            digest = own_digest(read_manifest(library))
            other = next(lists for lists in both if read_lists(lists, 4).sha256 != digest)
            attempt(other, took * moment / 7)
            kept = _part(library, LISTS).read_bytes()
            _check_made_of(library, next(lists for lists in both if lists.read_bytes() == kept), IVF_SQ8)
            attempt(other)
            _check_made_of(library, other, IVF_SQ8)
        process.stdin.close()
