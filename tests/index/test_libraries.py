"""Several libraries searched as one, against one library of all their pictures."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from limner.index.build import build
from limner.index.errors import EncoderMismatch, FilterInvalid
from limner.index.libraries import Libraries
from limner.index.library import Library
from PIL import Image

from ..colours import ColourEncoder
from ..sentences import TopicSentences

WORDS = ("fox", "boat", "snow", "lake", "tower", "night", "river", "child")


@pytest.fixture
def folders(tmp_path: Path) -> list[Path]:
    """Three folders of 20 pictures; every caption has three words, so that all texts are as long as each other."""
    chance = np.random.default_rng(0)
    found = []
    for name in ("east", "north", "west"):
        folder = tmp_path / "pictures" / name
        folder.mkdir(parents=True)
        rows = [("file", "caption", "creator")]
        for number in range(20):
            pixels = np.full((12, 12, 3), chance.integers(0, 255, 3), np.uint8)
            Image.fromarray(pixels).save(folder / f"{number}.png")
            # Words are not equally common in the folders: "fox" stands under nearly all pictures of the first.
            words = chance.choice(WORDS[:4] if name == "east" else WORDS, 3, replace=False)
            rows.append((f"{number}.png", " ".join(words), "Ann" if number % 4 == 0 else "Bo"))
        with (folder / "limner-metadata.csv").open("w", newline="") as file:
            csv.writer(file).writerows(rows)
        found.append(folder)
    return found


def _library(sources: list[Path], library: Path, *, sentences: TopicSentences | None = None) -> Library:
    build(sources, library, encoder=ColourEncoder(), sentences=sentences)
    return Library.open(library, encoder=ColourEncoder(), sentences=sentences)


TEXTS = ("red fox", "a boat on the lake at night", "blue", "nothing of the kind")


@pytest.mark.parametrize("with_sentences", [False, True], ids=["words", "words and sentences"])
def test_libraries_find_what_one_library_of_all_finds(
    folders: list[Path], tmp_path: Path, with_sentences: bool
) -> None:
    sentences = TopicSentences() if with_sentences else None
    whole = _library(folders, tmp_path / "whole", sentences=sentences)
    parts = Libraries([_library([folder], tmp_path / folder.name, sentences=sentences) for folder in folders])
    assert len(parts) == len(whole) == 60
    for text in TEXTS:
        for m in (1, 7, 60, 100):
            for where in (None, "creator = 'Ann'"):
                expected = (whole if where is None else whole.where(where)).search(text, m)
                found = parts.search(text, m, where=where)
                assert len(found) == len(expected)
                np.testing.assert_allclose([hit.score for _, hit in found], [hit.score for hit in expected], atol=1e-5)
                scores = {hit.image.path: hit for hit in expected}
                for library, hit in found:
                    assert hit.image.path.parent.name == library.folder.name
                    assert library.records()[hit.image.id - 1] == hit.image
                    if m >= 60:  # below it equal scores may be cut elsewhere
                        np.testing.assert_allclose(
                            [share for _, share in hit.shares],
                            [share for _, share in scores[hit.image.path].shares],
                            atol=1e-5,
                        )


def test_a_word_is_as_rare_as_in_all_libraries(folders: list[Path], tmp_path: Path) -> None:
    """Alone the first folder's library calls its own words common and scores them lower than the others do."""
    libraries = [_library([folder], tmp_path / folder.name) for folder in folders]
    whole = _library(folders, tmp_path / "whole")

    alone = {hit.image.path: hit.score for hit in libraries[0].search("fox", 60)}
    together = {hit.image.path: hit.score for _, hit in Libraries(libraries).search("fox", 60)}
    expected = {hit.image.path: hit.score for hit in whole.search("fox", 60)}

    assert max(abs(alone[path] - expected[path]) for path in alone) > 0.01
    assert max(abs(together[path] - expected[path]) for path in expected) < 1e-5


def test_count_and_conditions_reach_over_all(folders: list[Path], tmp_path: Path) -> None:
    libraries = Libraries([_library([folder], tmp_path / folder.name) for folder in folders])
    assert libraries.count("creator = 'Ann'") == 15
    assert {hit.image.creator for _, hit in libraries.search("fox", 60, where="creator = 'Ann'")} == {"Ann"}
    assert libraries.search("fox", 0) == []
    with pytest.raises(FilterInvalid):
        libraries.search("fox", 1, where="no_such_column = 1")


def test_libraries_of_other_encoders_are_refused(folders: list[Path], tmp_path: Path) -> None:
    one = _library([folders[0]], tmp_path / "one")
    other_weights = ColourEncoder("ff" * 32)
    build([folders[1]], tmp_path / "two", encoder=other_weights)
    with pytest.raises(EncoderMismatch, match="different encoders"):
        Libraries([one, Library.open(tmp_path / "two", encoder=other_weights)])
    said = _library([folders[2]], tmp_path / "three", sentences=TopicSentences())
    with pytest.raises(EncoderMismatch, match="sentence vectors"):
        Libraries([one, said])
