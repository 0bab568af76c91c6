"""Channels on one scale: what pictures without words may expect."""

from __future__ import annotations

import numpy as np
import pytest
from limner.index.fusion import Channel, fuse, scaled


def _floats(*values: float) -> np.ndarray:
    return np.array(values, np.float32)


def test_average_is_nothing_and_best_is_one() -> None:
    values = scaled(Channel("picture", _floats(0.1, 0.2, 0.3, 0.6), 1.0))
    assert values == pytest.approx([-2 / 3, -1 / 3, 0, 1], abs=1e-6)


def test_no_picture_falls_below_minus_one() -> None:
    assert scaled(Channel("picture", _floats(0.5, 0.5, 0.5, -9), 1.0)).min() == -1


def test_best_of_a_poor_match_is_not_one() -> None:
    values = scaled(Channel("words", _floats(0, 0, 0, 1), 1.0, full=4.0))
    assert values[3] == pytest.approx(0.2)


def test_shares_sum_to_the_score() -> None:
    fused = fuse([Channel("picture", _floats(1, 2, 3), 0.5), Channel("words", _floats(5, 0, 0), 0.5)])
    assert sum(fused.shares.values()) == pytest.approx(fused.scores, abs=1e-6)
    assert set(fused.shares) == {"picture", "words"}
    assert np.abs(fused.scores).max() <= 1


def test_channel_that_says_nothing_is_left_out() -> None:
    nothing = Channel("words", _floats(0, 0, 0), 0.5)
    unknown = Channel("sentences", np.full(3, np.nan, np.float32), 0.5)
    fused = fuse([Channel("picture", _floats(1, 2, 3), 0.5), nothing, unknown])
    assert set(fused.shares) == {"picture"}
    assert fused.scores.tolist() == [-1, 0, 1]
    assert fuse([nothing]).scores.tolist() == [0, 0, 0]


def test_pictures_without_words_keep_their_order_and_are_overtaken_by_words_alone() -> None:
    """The definition of fair: what nobody said is not held against a picture."""
    rng = np.random.default_rng(0)
    for _ in range(200):
        said = rng.random(40) < 0.5
        picture = rng.standard_normal(40).astype(np.float32)
        matches = np.where(said & (rng.random(40) < 0.4), rng.random(40), 0).astype(np.float32)
        sentences = np.where(said, rng.standard_normal(40), np.nan).astype(np.float32)
        channels = [
            Channel("picture", picture, 0.5),
            Channel("words", matches, 0.25, full=float(rng.random()), against=said),
            Channel("sentences", sentences, 0.25),
        ]
        fused = fuse(channels)
        spoken_for = sum(share for name, share in fused.shares.items() if name != "picture")
        without = np.flatnonzero(~said)
        for i in without:
            ahead = fused.scores > fused.scores[i]
            behind_in_vectors = picture < picture[i]
            assert not (ahead & behind_in_vectors & ~said).any()
            assert (np.asarray(spoken_for)[ahead & behind_in_vectors] > 0).all()


def test_a_file_name_raises_and_never_lowers() -> None:
    names = Channel("words", _floats(2, 0, 0, 0), 1.0, against=np.zeros(4, bool))
    assert scaled(names).tolist() == [1, 0, 0, 0]
    said = Channel("words", _floats(2, 0, 0, 0), 1.0, against=np.ones(4, bool))
    assert (scaled(said)[1:] < 0).all()
