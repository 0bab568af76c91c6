"""Selection as the paper's table 10 measures it: of a few candidates, how often a system takes the human's.

The human's choice is always one of them; a model may find that none fits, which does not agree. Systems that give every
candidate a score agree by chance where it is the same for several, half between two.

Source: Zhang et al. 2023, arXiv:2309.15112, table 10.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ..composer.article import Block, Candidates, Draft, Spot
from ..composer.protocols import Model
from ..composer.select import select
from ..index.errors import PictureUnreadable
from ..index.records import Hit, ImageRecord
from .ranking import rank_of
from .records import Pick, Question

if TYPE_CHECKING:
    import numpy as np

    from .seen import Seen

CHANCE, CLIP = "chance", "CLIP top-1"


@dataclass(frozen=True, slots=True)
class Asked:
    """A place with its candidates, as files."""

    title: str
    context: tuple[Block | Path, ...]  # what stands before the place: text, and the pictures that were chosen there
    caption: str  # what the picture is to show; may be empty
    candidates: tuple[Path, ...]
    answer: int  # the human's choice among them


def ask_model(asked: Asked, model: Model, *, permutations: int = 1) -> Pick:
    """What a model takes, looking at all that stands before; a picture that cannot be read leaves no answer."""
    draft, placed = _illustrated(asked.title, asked.context)
    hits = tuple(Hit(ImageRecord(i + 1, path, 1, 1, f"{i}", 1, 1), 0.0) for i, path in enumerate(asked.candidates))
    candidates = Candidates(Spot(len(draft.blocks) - 1, asked.caption), hits)
    try:
        choice = select(draft, placed, candidates, model, permutations=permutations).choice
    except PictureUnreadable as exc:
        return Pick(None, 0.0, "unreadable", note=exc.message)
    agrees = float(choice.chosen == asked.answer)
    return Pick(choice.chosen, agrees, choice.outcome, round(choice.confidence, 4), choice.note)


def ask_encoder(asked: Asked, seen: Seen, text: str) -> Pick:
    """The candidate nearest to text."""
    import numpy as np

    near = seen.cosines(text, asked.candidates)
    return best_of(np.where(np.isnan(near), -np.inf, near), asked.answer)


def best_of(scores: np.ndarray, answer: int) -> Pick:
    """The candidate with the highest of scores (n,); where several have it, by chance."""
    best = rank_of(scores, [answer])
    return Pick(int(scores.argmax()), best.recall(1))


def by_chance(question: Question) -> Pick:
    """What any draw comes to."""
    return Pick(None, 1 / len(question.candidates))


def _illustrated(title: str, context: Sequence[Block | Path]) -> tuple[Draft, dict[int, Path]]:
    """A draft, and which picture stands after which of its blocks: a second one at a place follows an empty block."""
    blocks: list[Block] = []
    placed: dict[int, Path] = {}
    for part in context:
        if isinstance(part, Block):
            blocks.append(part)
            continue
        if not blocks or len(blocks) - 1 in placed:
            blocks.append(Block("other", ""))
        placed[len(blocks) - 1] = part
    return Draft(title, tuple(blocks)), placed
