"""What nano-vlm's recipe counts as learnt, and how much each token weighs."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from limner.composer.models.load import embedded_folder
from transformers import AutoProcessor, PreTrainedTokenizerFast

from training.curriculum import CURRICULUM, IGNORE, VERDICT_WEIGHT, Curriculum, collate
from training.llava import PATCHES
from training.picture_book.stories import make_story
from training.pictures import SIDE_PX, scenes_for
from training.samples import Pool, drill_sample, select_sample, write_sample

PIXELS = np.zeros((24 * 9 * 16, SIDE_PX, SIDE_PX, 3), np.uint8)


@pytest.fixture(scope="module")
def tokenizer() -> PreTrainedTokenizerFast:
    return AutoProcessor.from_pretrained(embedded_folder()).tokenizer


@pytest.fixture(scope="module")
def pool() -> Pool:
    return Pool(scenes_for(held=False, each=1, seed=5))


def words_of(ids: torch.Tensor, tokenizer: PreTrainedTokenizerFast) -> list[str]:
    return [tokenizer.decode([int(i)]) for i in ids]


def test_collate_weighs_the_verdicts_and_the_articles_colour(tokenizer: PreTrainedTokenizerFast, pool: Pool) -> None:
    rng = np.random.default_rng(1)
    samples = [select_sample(pool, seed, rng, level=1) for seed in range(6)]
    batch = collate(samples, tokenizer, PIXELS)
    for sample, labels, weights in zip(samples, batch["labels"], batch["weights"], strict=True):
        look = str(sample.turns[1].parts[0]).splitlines()
        heavy = words_of(labels[weights == VERDICT_WEIGHT], tokenizer)
        assert heavy == [" " + line.split()[-1] for line in look]
        assert set(weights.tolist()) == {0.0, 1.0, VERDICT_WEIGHT}
        assert ((labels == IGNORE) == (weights == 0)).all()


def test_collate_learns_replies_and_nothing_that_was_asked(tokenizer: PreTrainedTokenizerFast) -> None:
    sample = write_sample(make_story(3), np.random.default_rng(0))
    batch = collate([sample], tokenizer, PIXELS)
    learnt = tokenizer.decode(batch["labels"][0][batch["labels"][0] != IGNORE])
    assert learnt == f"{sample.turns[-1].parts[0]}<|im_end|>"


def test_collate_learns_only_the_verdicts_of_a_drill(tokenizer: PreTrainedTokenizerFast) -> None:
    sample = drill_sample(np.random.default_rng(0))
    batch = collate([sample], tokenizer, PIXELS)
    learnt = words_of(batch["labels"][0][batch["labels"][0] != IGNORE], tokenizer)
    assert learnt == [str(part) for part in sample.turns[0].parts[2::2]]


def test_collate_has_the_pixels_of_every_image_token(tokenizer: PreTrainedTokenizerFast, pool: Pool) -> None:
    samples = [select_sample(pool, seed, np.random.default_rng(seed), level=2) for seed in range(4)]
    batch = collate(samples, tokenizer, PIXELS)
    image_tokens = int((batch["input_ids"] == tokenizer.convert_tokens_to_ids("<image>")).sum())
    assert image_tokens == len(batch["pixel_values"]) * PATCHES


def test_curriculum_begins_where_it_is_told_to(tokenizer: PreTrainedTokenizerFast, pool: Pool) -> None:
    def tasks(from_share: float) -> set[str]:
        curriculum = Curriculum(tokenizer, total=40, from_share=from_share)
        return {curriculum.samples(number, pool)[0].task.partition("@")[0] for number in range(40)}

    assert tasks(CURRICULUM[-1][0]) <= {task.partition("@")[0] for task in CURRICULUM[-1][1]}
    assert "drill" in tasks(0.0)


def test_curriculum_of_another_seed_has_other_stories(tokenizer: PreTrainedTokenizerFast, pool: Pool) -> None:
    def texts(seed: int) -> set[str]:
        curriculum = Curriculum(tokenizer, total=20, from_share=CURRICULUM[-1][0], seed=seed)
        return {str(sample.turns) for number in range(4) for sample in curriculum.samples(number, pool)}

    assert len(texts(0)) > 20
    assert not texts(0) & texts(1)
