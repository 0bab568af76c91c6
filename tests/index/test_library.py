"""The readers' door: searches, and libraries that cannot be opened."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
from limner.index import library as library_module
from limner.index.build import build, update
from limner.index.errors import (
    EncoderMismatch,
    EncoderUnknown,
    FilterInvalid,
    LibraryDamaged,
    LibraryMissing,
    PictureUnreadable,
)
from limner.index.library import Library
from PIL import Image

from ..colours import COLOURS, ColourEncoder, Paint
from ..sentences import TopicSentences


def test_search_is_ordered_by_score(colour_library: Library) -> None:
    hits = colour_library.search("red", 8)
    assert hits[0].image.title == "red"
    assert hits[-1].image.title == "cyan"
    assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)
    assert all(-1 <= hit.score <= 1 for hit in hits)


@pytest.mark.parametrize(("m", "count"), [(-1, 0), (0, 0), (3, 3), (8, 8), (1000, 8)])
def test_search_returns_all_when_m_exceeds_library(colour_library: Library, m: int, count: int) -> None:
    assert len(colour_library.search("red", m)) == count


def test_search_leaves_out_excluded_pictures(colour_library: Library) -> None:
    first = colour_library.search("red", 1)[0].image.id
    hits = colour_library.search("red", 7, exclude=[first])
    assert len(hits) == 7
    assert first not in {hit.image.id for hit in hits}
    assert colour_library.search("red", 3, exclude=range(1, 9)) == []


def test_search_takes_any_text(colour_library: Library) -> None:
    for text in ("", "'; DROP TABLE records; --", "\0", "🦊" * 10_000):
        assert len(colour_library.search(text, 2)) == 2


def test_search_scores_stay_cosines(tmp_path: Path, paint: Paint) -> None:
    encoder = ColourEncoder()
    for number, colour in enumerate(np.random.default_rng(0).integers(0, 255, (40, 3)).tolist()):
        paint(tmp_path / "pictures" / f"{number}.png", tuple(colour))
    build([tmp_path / "pictures"], tmp_path / "library", encoder=encoder)
    library = Library.open(tmp_path / "library", encoder=encoder)
    # Half precision rounds some lengths above 1: without a bound their own query would score above it.
    assert np.linalg.norm(library.vectors()[1], axis=1).max() > 1
    assert max(library.search_image(record.path, 1)[0].score for record in library.records()) == 1


def test_search_image_finds_like_pictures(colour_library: Library, tmp_path: Path, paint: Paint) -> None:
    path = paint(tmp_path / "query.jpg", (250, 10, 5))
    assert colour_library.search_image(path, 1)[0].image.title == "red"
    assert colour_library.search_image(Image.new("RGBA", (9, 9), "blue"), 1)[0].image.title == "blue"
    with pytest.raises(PictureUnreadable):
        colour_library.search_image(tmp_path / "absent.jpg", 1)


def test_records_and_vectors_go_together(colour_library: Library) -> None:
    ids, vectors = colour_library.vectors()
    assert [record.id for record in colour_library.records()] == ids.tolist() == list(range(1, 9))
    assert (vectors.shape, vectors.dtype) == ((8, 4), np.float32)
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-3)
    assert [record.title for record in colour_library.sample(2)] == ["cyan", "white"]
    assert len(colour_library) == colour_library.manifest.count == 8


def test_open_names_missing_library(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for folder in (tmp_path, tmp_path / "nowhere", tmp_path / "file"):
        with pytest.raises(LibraryMissing, match=f"no library at {folder}"):
            Library.open(folder)


@pytest.mark.parametrize(
    "part", ["catalogue/000001.parquet", "vectors/000001-0000.parquet", "index-000001.faiss", "words-000001.parquet"]
)
@pytest.mark.parametrize("harm", ["gone", "cut", "changed"])
def test_open_names_damaged_part(colour_library: Library, part: str, harm: str) -> None:
    path = colour_library.folder / part
    data = path.read_bytes()
    path.unlink()
    if harm == "cut":
        path.write_bytes(data[:-1])
    elif harm == "changed":
        path.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    with pytest.raises(LibraryDamaged, match=part) as caught:
        Library.open(colour_library.folder)
    assert f"limner index verify --library {colour_library.folder}" in caught.value.hint


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "{}",
        '{"version": 1}',
        '{"version": 2}',
        '{"version": 1, "encoder": "e", "fingerprint": "f", "dimension": 4, "count": 0, "generation": 1, "sources": [],'
        ' "parts": {}, "next_id": 1}',
    ],
)
def test_open_refuses_broken_manifest(colour_library: Library, text: str) -> None:
    (colour_library.folder / "manifest.json").write_text(text)
    with pytest.raises(LibraryDamaged):
        Library.open(colour_library.folder)


def test_open_reads_no_part_outside_the_library(colour_library: Library) -> None:
    path = colour_library.folder / "manifest.json"
    path.write_text(path.read_text().replace("index-000001.faiss", "../index-000001.faiss"))
    with pytest.raises(LibraryDamaged, match=r"a part outside the library: \.\./index"):
        Library.open(colour_library.folder)


def test_open_refuses_other_encoder(colour_library: Library) -> None:
    with pytest.raises(EncoderMismatch, match="built with colour, asked for other weights of colour"):
        Library.open(colour_library.folder, encoder=ColourEncoder(fingerprint="d1" * 32))


def test_search_says_when_encoder_is_not_at_hand(colour_library: Library) -> None:
    library = Library.open(colour_library.folder)
    with pytest.raises(EncoderUnknown, match="colour"):
        library.search("red", 1)


def test_open_library_stays_as_it_was(colour_library: Library, colour_folder: Path, paint: Paint) -> None:
    (colour_folder / "red.png").unlink()
    paint(colour_folder / "new.png", (255, 0, 9))
    update(colour_library.folder, encoder=ColourEncoder())
    assert colour_library.search("red", 1)[0].image.title == "red"
    assert len(colour_library.records()) == len(colour_library.vectors()[0]) == 8
    assert Library.open(colour_library.folder, encoder=ColourEncoder()).search("red", 1)[0].image.title == "new"


def test_open_follows_build_that_ends_meanwhile(
    colour_library: Library, colour_folder: Path, paint: Paint, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = library_module.read_manifest
    updates = [paint]

    def read_then_publish(folder: Path) -> object:
        manifest = read(folder)
        if updates:
            updates.pop()(colour_folder / "new.png", (9, 9, 9))
            update(folder, encoder=ColourEncoder())
        return manifest

    monkeypatch.setattr(library_module, "read_manifest", read_then_publish)
    library = Library.open(colour_library.folder, encoder=ColourEncoder())
    assert (library.manifest.generation, len(library.records())) == (2, 9)


def test_readers_never_see_a_mixture(colour_library: Library, colour_folder: Path, paint: Paint) -> None:
    wrong: list[object] = []
    done = threading.Event()

    def read() -> None:
        while not done.is_set():
            library = Library.open(colour_library.folder, encoder=ColourEncoder())
            ids = [record.id for record in library.records()]
            if ids != library.vectors()[0].tolist() or len(ids) != 7 + library.manifest.generation:
                wrong.append(ids)

    readers = [threading.Thread(target=read) for _ in range(2)]
    for reader in readers:
        reader.start()
    for number in range(8):
        paint(colour_folder / f"new{number}.png", (9, 9, 20 * number))
        update(colour_library.folder, encoder=ColourEncoder())
    done.set()
    for reader in readers:
        reader.join()
    assert not wrong


def test_search_serves_threads(colour_library: Library) -> None:
    found: list[tuple[str, str]] = []

    def look(colour: str) -> None:
        found.extend((colour, colour_library.search(colour, 1)[0].image.title) for _ in range(20))

    threads = [threading.Thread(target=look, args=(colour,)) for colour in COLOURS]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 160
    assert all(asked == got for asked, got in found)


def test_import_of_library_loads_nothing_heavy() -> None:
    code = "import sys, limner.index.library; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not {"torch", "open_clip", "faiss", "duckdb", "pyarrow", "numpy", "PIL"} & set(loaded)


def test_search_finds_what_is_said(colour_folder: Path, tmp_path: Path) -> None:
    (colour_folder / "limner-metadata.csv").write_text("file,caption\ncyan.png,A lighthouse at dusk\n")
    build([colour_folder], tmp_path / "library", encoder=ColourEncoder())
    library = Library.open(tmp_path / "library", encoder=ColourEncoder())

    best = library.search("lighthouses", 8)[0]

    assert best.image.title == "cyan"
    assert dict(best.shares)["words"] > 0.4
    assert sum(share for _, share in best.shares) == pytest.approx(best.score, abs=1e-6)


def test_search_asks_words_for_the_context_and_vectors_for_the_text(colour_library: Library) -> None:
    hits = colour_library.search("red", 2, context=["The yellow one.", "Nothing else."])
    assert [hit.image.title for hit in hits] == ["red", "yellow"]
    plain = {hit.image.title: dict(hit.shares) for hit in colour_library.search("red", 8)}
    assert dict(hits[1].shares)["picture"] == plain["yellow"]["picture"]


def test_pictures_without_words_keep_the_order_of_their_vectors(colour_folder: Path, tmp_path: Path) -> None:
    for number, path in enumerate(sorted(colour_folder.iterdir())):
        path.rename(path.with_name(f"{number}.png"))
    (colour_folder / "limner-metadata.csv").write_text("file,caption\n1.png,A boat\n2.png,A red house\n")
    build([colour_folder], tmp_path / "library", encoder=ColourEncoder())
    library = Library.open(tmp_path / "library", encoder=ColourEncoder())

    hits = library.search("red", 8)

    cosines = dict(library._index.search(ColourEncoder().encode_texts(["red"])[0], 8))
    ids = [hit.image.id for hit in hits]
    boat, red_house = 2, 3
    without = [cosines[i] for i in ids if i not in (boat, red_house)]
    assert without == pytest.approx(sorted(without, reverse=True), abs=1e-5)
    # Words speak for the red house alone: the boat, said to be something else, overtakes nobody.
    assert all(cosines[i] > cosines[boat] - 1e-5 for i in ids[: ids.index(boat)] if i != red_house)
    assert any(cosines[i] > cosines[red_house] + 0.1 for i in ids[ids.index(red_house) :])


def test_where_comes_before_the_best_are_taken(colour_library: Library) -> None:
    filtered = colour_library.where("title in ('cyan', 'blue', 'black')")
    hits = filtered.search("red", 3)
    assert len(filtered) == 3
    assert [hit.image.title for hit in hits] == ["black", "blue", "cyan"]
    assert [hit.image.title for hit in filtered.search("red", 9, exclude=[hits[0].image.id])] == ["blue", "cyan"]
    assert colour_library.where("false").search("red", 3) == []
    with pytest.raises(FilterInvalid):
        colour_library.where("colour = 'red'")


def test_sentences_are_searched_by_meaning(colour_folder: Path, tmp_path: Path) -> None:
    encoder, sentences = ColourEncoder(), TopicSentences()
    (colour_folder / "limner-metadata.csv").write_text("file,caption\ncyan.png,A hound\nblue.png,Soup\nred.png,Waves\n")
    build([colour_folder], tmp_path / "library", encoder=encoder, sentences=sentences)
    library = Library.open(tmp_path / "library", encoder=encoder, sentences=sentences)

    best = library.search("a canine", 1)[0]

    assert best.image.title == "cyan"
    assert dict(best.shares)["sentences"] > 0
    with pytest.raises(EncoderMismatch, match="sentence vectors"):
        Library.open(tmp_path / "library", encoder=encoder, sentences=TopicSentences("ab" * 32))


def test_library_that_is_strange_to_its_encoder_leans_on_words(colour_library: Library) -> None:
    path = colour_library.folder / "manifest.json"
    path.write_text(path.read_text().replace('"strange": 0.0', '"strange": 0.8'))

    library = Library.open(colour_library.folder, encoder=ColourEncoder())

    assert colour_library.caution is None
    assert library.caution is not None and "80%" in library.caution
    shares = dict(library.search("red", 1)[0].shares)
    assert shares["words"] > 5 * shares["picture"] > 0
