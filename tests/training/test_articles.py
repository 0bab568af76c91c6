"""Articles to samples: the replies say what the article has, in words that the pipeline reads back."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from limner.composer.errors import ModelUnfit
from limner.composer.paper_formats import read_paper_spots
from limner.composer.protocols import Picture
from limner.composer.replies import read_article, read_spots
from limner.evaluation.site import open_site
from PIL import Image

from training.articles import Illustrated, Learner, articles_of, select_sample, spot_sample, write_sample

TEXT = """# A day at the sea

We left early.

![](boat.png "")

The harbour was still asleep.

![A blue boat](boat.png)
![A second picture of one place](gull.png)

## Noon

- fish
- bread

![A white gull](gull.png)
"""
CAPTIONS = {2: "A blue boat", 3: "A white gull"}  # by the numbers of the parts that a picture may follow


def learner(dialect: str) -> Learner:
    return Learner(dialect, 4096, lambda messages: 0)


@pytest.fixture
def article(tmp_path: Path) -> Illustrated:
    for name in ("boat", "gull", "other"):
        Image.new("RGB", (8, 6)).save(tmp_path / f"{name}.png")
    (tmp_path / "sea.md").write_text(TEXT)
    (tmp_path / "without.md").write_text("# No picture\n\nNothing to see.\n")
    [found] = articles_of(open_site(tmp_path))
    return found


def test_articles_have_the_pictures_that_say_what_they_show(article: Illustrated) -> None:
    assert [(picture.path.name, picture.caption) for picture in article.pictures] == [
        ("boat.png", "A blue boat"),
        ("gull.png", "A white gull"),
    ]
    assert "png" not in article.draft.markdown


def test_spot_sample_is_read_back_as_the_articles_places(article: Illustrated) -> None:
    *_, paper = spot_sample(article, learner("xcomposer2"), images=None).turns
    *_, general = spot_sample(article, learner("limner"), images=None).turns

    assert read_paper_spots(str(paper.parts[0]), 3).found == list(CAPTIONS.items())
    assert read_spots(str(general.parts[0]), 3) == list(CAPTIONS.items())


def test_spot_sample_names_the_first_pictures_where_a_number_is_asked_for(article: Illustrated) -> None:
    question, reply = spot_sample(article, learner("xcomposer2"), images=1).turns

    assert "the appropriate 1 location" in str(question.parts[0])
    assert read_paper_spots(str(reply.parts[0]), 3).found == [(2, "A blue boat")]


def test_write_sample_is_read_back_as_the_article(article: Illustrated) -> None:
    for seed in range(8):  # titles, keywords and outlines
        question, reply = write_sample(article, learner("xcomposer2"), np.random.default_rng(seed)).turns
        draft = read_article(str(reply.parts[0]), title=None)
        assert draft.title == "A day at the sea"
        assert [block.markdown for block in draft.blocks] == [block.markdown for block in article.draft.blocks]
        assert any(word in str(question.parts[0]) for word in ("A day at the sea", "day, the, sea"))


@pytest.mark.parametrize(("dialect", "reply"), [("xcomposer2", "The {} image."), ("limner", "{}")])
def test_select_sample_takes_the_articles_picture(article: Illustrated, dialect: str, reply: str) -> None:
    negatives = [Path("red.png"), Path("green.png")]
    places = set()
    for seed in range(12):
        sample = select_sample(article, 1, negatives, learner(dialect), np.random.default_rng(seed))
        shown = [part.path.name for part in sample.turns[0].parts if isinstance(part, Picture)]
        assert shown[0] == "boat.png"  # placed before
        assert shown[1:][sample.answer] == "gull.png"
        assert sample.turns[1].parts == (reply.format("ABC"[sample.answer]),)
        places.add(sample.answer)
    assert places == {0, 1, 2}


def test_learner_refuses_the_dialect_that_looks_before_it_chooses() -> None:
    with pytest.raises(ModelUnfit, match=r"training\.nano_vlm"):
        learner("nano")
