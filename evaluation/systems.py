"""What an evaluation does, and with what: its settings, and the models and encoders that are loaded for it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, get_args

from ..composer.protocols import Pinned
from .baselines import BASELINES
from .pool import Knows

if TYPE_CHECKING:
    from ..composer.protocols import Model
    from ..index.encoder import Encoder
    from ..index.sentences import SentenceEncoder
    from .seen import Seen

Task = Literal["placement", "retrieval", "selection"]
TASKS: tuple[Task, ...] = get_args(Task)


@dataclass(frozen=True, slots=True)
class Settings:
    """What is evaluated, and what the library may know."""

    knows: Knows = "captions"
    tasks: tuple[Task, ...] = TASKS
    baselines: tuple[str, ...] = tuple(BASELINES)
    limit: int | None = None  # documents of each site, drawn by the seed
    seed: int = 0
    candidates: int = 4  # of selection
    permutations: int = 1  # readings of them by a model


@dataclass(frozen=True, slots=True)
class Systems:
    """What is loaded to search, to place and to select, beside the baselines."""

    sentences: SentenceEncoder | None = None
    model: Model | None = None
    encoder: Encoder | None = None
    seen: Mapping[str, Seen] = field(default_factory=dict)  # by the site's name, as the encoder sees its pictures

    @property
    def search(self) -> str:
        """What a search listens to."""
        *parts, last = ["words", *["sentences"] * bool(self.sentences), *["pictures"] * bool(self.encoder)]
        return f"{', '.join(parts)} and {last}" if parts else last


ALONE = Systems()  # words and baselines


def named(model: Model) -> str:
    """A model's name, with the commit of its weights where they have one."""
    return f"{model.name}@{model.revision}" if isinstance(model, Pinned) and model.revision else model.name
