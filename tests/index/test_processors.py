"""Pieces of the items side by side on torch's threads: all of them, in their order, and nothing changed after."""

from __future__ import annotations

import threading

import pytest
import torch
from limner.index.processors import on_all_processors

CPU = torch.device("cpu")


@pytest.mark.parametrize("threads", [1, 2, 3])
@pytest.mark.parametrize("count", [1, 2, 3, 7, 32])
def test_pieces_are_all_items_in_their_order(threads: int, count: int) -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        pieces = on_all_processors(list, range(count), CPU)
        assert torch.get_num_threads() == threads
    finally:
        torch.set_num_threads(before)
    assert [item for piece in pieces for item in piece] == list(range(count))
    assert len(pieces) == (threads if count >= threads else 1)


def test_each_piece_has_one_thread_of_torch() -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    together = threading.Barrier(2, timeout=60)  # both pieces at once, or neither ends

    def look(piece: object) -> int:
        together.wait()
        return torch.get_num_threads()

    try:
        assert on_all_processors(look, [0, 1, 2, 3], CPU) == [1, 1]
    finally:
        torch.set_num_threads(before)


def test_failure_of_a_piece_is_the_callers() -> None:
    before = torch.get_num_threads()
    with pytest.raises(ZeroDivisionError):
        on_all_processors(lambda piece: 1 / 0, range(8), CPU)
    assert torch.get_num_threads() == before
