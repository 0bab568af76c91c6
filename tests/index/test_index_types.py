"""Which type an index gets, what it takes of memory, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from limner.index import free, index_file, memory, publish
from limner.index.build import build, update
from limner.index.errors import IndexTypeUnknown, MemoryShort
from limner.index.free import free_bytes, size
from limner.index.index_types import AUTO, TYPES, lists_for, type_for
from limner.index.library import Library
from limner.index.memory import build_bytes, check_memory, search_bytes

from ..colours import ColourEncoder, Paint


def test_type_goes_by_the_number_of_pictures() -> None:
    counts = [0, 20_000, 20_001, 200_000, 200_001, 5_000_000, 5_000_001, 100_000_000]
    kinds = ["flat", "flat", "sq16", "sq16", "ivf-sq8", "ivf-sq8", "ivf-rabitq", "ivf-rabitq"]
    assert [type_for(count) for count in counts] == kinds
    assert type_for(10**6, "flat") == "flat"
    assert type_for(100, "ivf-sq8") == "ivf-sq8"
    assert type_for(39, "ivf-sq8") == "flat"  # no lists can be learnt from so few


def test_lists_grow_with_the_square_root() -> None:
    assert [lists_for(count) for count in (0, 40, 1000, 200_000, 10**6, 10**8)] == [1, 1, 25, 2048, 4096, 32768]


def test_unknown_type_is_named_with_those_there_are(colour_folder: Path, tmp_path: Path) -> None:
    with pytest.raises(IndexTypeUnknown, match="'hnsw'") as caught:
        build([colour_folder], tmp_path / "library", encoder=ColourEncoder(), index_type="hnsw")
    assert all(name in caught.value.hint for name in (AUTO, *TYPES))
    assert not (tmp_path / "library").exists()


@pytest.mark.parametrize("kind", TYPES)
def test_estimate_holds_the_vectors(kind: str) -> None:
    """At least the vectors' own bytes and not much more, and growth in every direction."""
    bytes_a_vector = {"flat": 2048, "sq16": 1024, "ivf-sq8": 512, "ivf-rabitq": 276}[kind]
    found = search_bytes(kind, 10**6, 512)
    assert bytes_a_vector * 10**6 < found < (bytes_a_vector + 60) * 10**6
    assert found < build_bytes(kind, 10**6, 512) < build_bytes(kind, 2 * 10**6, 512) < build_bytes(kind, 2 * 10**6, 768)


def test_index_that_does_not_fit_is_refused_with_figure_and_way_out() -> None:
    with pytest.raises(
        MemoryShort, match=r"1,000,000 vectors of 512 numbers takes 2\.2 GB .* as flat, 1\.6 GB are free"
    ) as caught:
        check_memory("flat", 10**6, 512, free=lambda: 1_600_000_000)
    assert "--index-type sq16" in caught.value.hint
    with pytest.raises(MemoryShort) as caught:
        check_memory("sq16", 10**8, 512, free=lambda: 10**9)
    assert "no `--index-type` fits" in caught.value.hint
    check_memory("sq16", 10**6, 512, free=lambda: 1_600_000_000)


def test_build_is_refused_before_a_picture_is_read(
    colour_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory, "free_bytes", lambda: 1000)
    encoder = ColourEncoder()
    with pytest.raises(MemoryShort, match="8 vectors of 4 numbers"):
        build([colour_folder], tmp_path / "library", encoder=encoder)
    assert encoder.pictures_encoded == 0
    assert not (tmp_path / "library").exists()


def test_free_memory_is_no_more_than_the_group_may_take(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = free_bytes()
    assert 0 < whole < 1 << 50
    (tmp_path / "memory.max").write_text("3000000\n")
    (tmp_path / "memory.current").write_text("2500000\n")
    (tmp_path / "memory.stat").write_text("anon 5\ninactive_file 300000\nactive_file 100000\n")
    monkeypatch.setattr(free, "_GROUPS", (tmp_path,))
    assert free_bytes() == 900_000
    (tmp_path / "memory.max").write_text("max\n")
    assert free_bytes() > 1_000_000


@pytest.mark.parametrize(
    ("count", "shown"),
    [
        (0, "0 kB"), (1, "1 kB"), (1000, "1 kB"), (1001, "2 kB"), (499_999, "500 kB"), (999_000, "999 kB"),
        (999_001, "1 MB"), (1_500_001, "2 MB"), (999_499_999, "999 MB"), (999_500_000, "1.0 GB"),
        (17_350_000_000, "17.4 GB"),
    ],
)  # fmt: skip
def test_size_is_what_people_read_and_nothing_is_nothing_alone(count: int, shown: str) -> None:
    assert size(count) == shown


def test_build_makes_the_type_that_is_asked_for_and_keeps_it(
    tmp_path: Path, paint: Paint, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(publish, "WHOLE_UP_TO", 0)
    rng = np.random.default_rng(0)
    for number in range(60):
        paint(tmp_path / "pictures" / f"{number}.png", tuple(rng.integers(0, 255, 3).tolist()))
    folder = tmp_path / "library"

    def kinds() -> tuple[str, str]:
        library = Library.open(folder, encoder=ColourEncoder())
        assert len(library.search("red", 60)) == 60
        return library.manifest.index_type, library.index_type

    encoder = ColourEncoder()
    build([tmp_path / "pictures"], folder, encoder=encoder)
    assert kinds() == ("auto", "flat")
    build([tmp_path / "pictures"], folder, encoder=encoder, index_type="IVF-SQ8")
    assert kinds() == ("ivf-sq8", "ivf-sq8")
    assert encoder.pictures_encoded == 60
    generation = Library.open(folder).manifest.generation
    update(folder, encoder=encoder, index_type="ivf-sq8")
    assert Library.open(folder).manifest.generation == generation
    paint(tmp_path / "pictures" / "new.png", "red")
    (tmp_path / "pictures" / "3.png").unlink()
    update(folder, encoder=encoder)
    assert kinds() == ("ivf-sq8", "ivf-sq8")
    update(folder, encoder=encoder, index_type="auto")
    assert kinds() == ("auto", "flat")


def test_library_that_does_not_say_has_the_type_for_its_size(colour_library: Library) -> None:
    path = colour_library.folder / "manifest.json"
    manifest = json.loads(path.read_text())
    del manifest["index_type"]
    path.write_text(json.dumps(manifest))
    assert Library.open(colour_library.folder).manifest.index_type == "auto"
    assert index_file.type_for(8, "auto") == colour_library.index_type == "flat"
