"""What flows through the pipeline, from Brief to Article. Knows nothing of files or models."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from ..index.records import Hit

Outcome = Literal["chosen", "none_fit", "unparsed", "no_candidates", "fallback"]
Fallback = Literal["skip", "top1"]
Length = Literal["short", "medium", "long"] | int  # or a number of words; of characters where a language has no spaces
BlockKind = Literal["front_matter", "heading", "paragraph", "list", "quote", "code", "table", "rule", "html", "other"]

ILLUSTRATABLE: frozenset[str] = frozenset({"paragraph", "list", "quote", "code", "table"})


@dataclass(frozen=True, slots=True)
class Section:
    """A section that the article must have, and what it is about."""

    heading: str
    level: int = 1  # 1 for a section of the article, 2 for one inside of it
    note: str = ""


@dataclass(frozen=True, slots=True)
class Material:
    """A text to work from; data, whatever it says."""

    name: str
    text: str


@dataclass(frozen=True, slots=True)
class Reference:
    """A picture that the user brings along."""

    path: str  # absolute
    hash: str  # BLAKE3 of the file's bytes, hexadecimal


@dataclass(frozen=True, slots=True)
class Brief:
    """What the user asked for."""

    instruction: str  # empty when a finished draft is illustrated
    title: str | None = None
    images: int | None = None  # None: as many as the model sees fit
    candidates: int = 4  # m, pictures the model chooses from at each spot
    seed: int = 0
    where: str | None = None  # a condition that every picture must meet; the library given to `compose` keeps to it
    permutations: int = 1  # readings of the candidates at each spot, each in another order
    fallback: Fallback = "skip"  # where a model finds that no picture fits
    keywords: tuple[str, ...] = ()
    outline: tuple[Section, ...] = ()
    material: tuple[Material, ...] = ()
    reference: tuple[Reference, ...] = ()
    references_only: bool = False  # no library is searched
    language: str | None = None  # a tag as in "de" or "pt-BR"; None: the model decides
    length: Length | None = None
    tone: str | None = None
    audience: str | None = None
    system: str | None = None  # the writer's system message
    temperature: float | None = None  # of the writer; None: its default, as for the next two
    top_p: float | None = None
    max_new_tokens: int | None = None


@dataclass(frozen=True, slots=True)
class Block:
    """One top-level block of Markdown with its own source text.

    `markdown` + `gap` of all blocks, in order, after `Draft.lead`, is the draft byte for byte.
    """

    kind: BlockKind
    markdown: str
    gap: str = "\n\n"  # what stands between this block and the next: blank lines, link definitions


@dataclass(frozen=True, slots=True)
class Draft:
    """A text without its pictures."""

    title: str
    blocks: tuple[Block, ...]
    lead: str = ""  # what stands before the first block: a byte-order mark, blank lines

    @property
    def markdown(self) -> str:
        """The source text, exactly."""
        return self.lead + "".join(block.markdown + block.gap for block in self.blocks)


@dataclass(frozen=True, slots=True)
class Spot:
    """A place for a picture: after which block, and what the picture should show."""

    after_block: int  # index into Draft.blocks
    caption: str


@dataclass(frozen=True, slots=True)
class Candidates:
    """The pictures found for a spot, best first."""

    spot: Spot
    hits: tuple[Hit, ...]


@dataclass(frozen=True, slots=True)
class Choice:
    """What was decided at a spot, and how surely.

    A `fallback` is the first candidate, taken because the user wants one where the model finds that none fits.
    """

    candidates: Candidates
    outcome: Outcome
    chosen: int | None  # index into candidates.hits
    probabilities: tuple[float, ...]  # one a hit; empty when no model scored them
    none_probability: float = 0.0
    note: str = ""  # what went wrong, for `unparsed`

    @property
    def spot(self) -> Spot:
        return self.candidates.spot

    @property
    def hit(self) -> Hit | None:
        """The chosen picture."""
        return None if self.chosen is None else self.candidates.hits[self.chosen]

    @property
    def confidence(self) -> float:
        """The probability of what was decided, 0 where nothing was."""
        if self.chosen is not None and self.probabilities:
            return self.probabilities[self.chosen]
        return self.none_probability if self.outcome == "none_fit" else 0.0


@dataclass(frozen=True, slots=True)
class CandidateRecord:
    """A candidate as article.json keeps it."""

    path: str
    score: float
    probability: float


@dataclass(frozen=True, slots=True)
class Figure:
    """A placed picture, or (where `image` is None) a spot that stayed empty."""

    caption: str
    outcome: Outcome
    confidence: float
    candidates: tuple[CandidateRecord, ...]
    image: str | None = None  # relative to the article: images/NAME
    source: str | None = None  # the picture in the user's folder
    alt: str = ""
    credit: str = ""
    licence_url: str = ""  # where the credit leads; http or https
    width: int = 0  # pixels of the published picture
    height: int = 0
    note: str = ""


@dataclass(frozen=True, slots=True)
class Article:
    """The finished work; serialised as article.json, and all that is rendered is rendered from it alone."""

    title: str
    brief: Brief
    models: dict[str, str]  # "writer", "selector", "encoder" -> name
    blocks: tuple[Block | Figure, ...]
    lead: str = ""
    draft_path: Path | None = None  # the user's own draft, where one was given
    notices: tuple[str, ...] = field(default=())  # what the user should know: capped counts, cuts
    revisions: dict[str, str] = field(default_factory=dict)  # "writer", "selector" -> the commit of its weights
