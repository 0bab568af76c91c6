"""Article to article.json and back. What comes back may have been edited, so every field is checked."""

from __future__ import annotations

import json
from dataclasses import asdict, fields
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from .article import (
    Article,
    Block,
    BlockKind,
    Brief,
    CandidateRecord,
    Fallback,
    Figure,
    Length,
    Material,
    Outcome,
    Reference,
    Section,
)
from .errors import ArticleInvalid
from .markdown import is_web_address
from .publish import IMAGE_PATH

VERSION = 2  # 1 had briefs of the keys below alone, and is still written where they say all
_FIRST_KEYS = ("instruction", "title", "images", "candidates", "seed")

_PLACED = ("image", "source", "caption", "alt", "credit", "width", "height")
_RECORD = ("outcome", "confidence", "candidates", "note")
_FIGURE = {"figure": (*_PLACED, *_RECORD), "empty_spot": ("caption", *_RECORD)}


def to_json(article: Article) -> str:
    """Return article.json: the same article gives the same bytes; numbers keep six decimals.

    Raises:
        ArticleInvalid: a number that is not finite.
    """
    brief = brief_tree(article.brief)
    tree = {
        "version": VERSION if brief.keys() - {*_FIRST_KEYS, "where"} else 1,
        "title": article.title,
        "brief": brief,
        "models": dict(sorted(article.models.items())),
        **({"revisions": dict(sorted(article.revisions.items()))} if article.revisions else {}),
        "lead": article.lead,
        "draft_path": None if article.draft_path is None else str(article.draft_path),
        "notices": list(article.notices),
        "blocks": [_tree(block) for block in article.blocks],
    }
    try:
        return json.dumps(_rounded(tree), ensure_ascii=False, indent=2, allow_nan=False) + "\n"
    except ValueError as exc:
        raise ArticleInvalid("the article holds a number that is not finite", "this is a fault in Limner") from exc


def read_article(path: Path) -> Article:
    """Return the Article of an article.json.

    Raises:
        ArticleInvalid: as `from_json`, and for a file that cannot be read.
    """
    hint = "give the article.json that `limner compose` wrote"
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as exc:
        raise ArticleInvalid(f"cannot read {path}: {exc.strerror}", hint) from exc
    except UnicodeDecodeError as exc:
        raise ArticleInvalid(f"{path} is not text", hint) from exc
    return from_json(text)


def from_json(text: str) -> Article:
    """Return the Article that `to_json` wrote.

    Raises:
        ArticleInvalid: names the place of the first fault, or the version that this Limner does not read.
    """
    try:
        version = _Version.model_validate_json(text).version
        if not 1 <= version <= VERSION:
            raise ArticleInvalid(
                f"article.json has version {version}, this Limner reads versions 1 to {VERSION}",
                "use the Limner that wrote it",
            )
        return _Article.model_validate_json(text).article()
    except ValidationError as exc:
        fault = exc.errors(include_url=False, include_context=False)[0]
        raise ArticleInvalid(
            f"article.json is not valid{_place(fault['loc'])}: {fault['msg']}", "restore the file or compose again"
        ) from exc


def brief_tree(brief: Brief) -> dict[str, Any]:
    """A brief as JSON has it; keys that came later stand only where they say something."""
    tree = json.loads(json.dumps(asdict(brief)))
    later = [field for field in fields(brief) if field.name not in _FIRST_KEYS]
    silent = {field.name for field in later if getattr(brief, field.name) == field.default}
    return {key: value for key, value in tree.items() if key not in silent}


def _tree(block: Block | Figure) -> dict[str, Any]:
    tree = asdict(block)
    if isinstance(block, Block):
        return {key: tree[key] for key in ("kind", "markdown", "gap")}
    kind = "empty_spot" if block.image is None else "figure"
    placed = {"kind": kind} | {key: tree[key] for key in _FIGURE[kind]}
    # Only where there is one: an article.json without it is the same as before there was such a key.
    return placed | ({"licence_url": block.licence_url} if block.licence_url else {})


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return round(value, 6) + 0.0  # adding zero turns -0.0 into 0.0
    if isinstance(value, dict):
        return {key: _rounded(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_rounded(item) for item in value]
    return value


def _place(location: tuple[int | str, ...]) -> str:
    steps = list(location)
    if len(steps) > 2 and steps[0] == "blocks":
        del steps[2]  # pydantic names the member of the union after the index
    path = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in steps)
    return f" at {path.removeprefix('.')}" if path else ""


def _image_path(value: str) -> str:
    if not IMAGE_PATH.fullmatch(value):
        raise ValueError("must be images/NAME with the suffix of a web picture")
    return value


def _web_address(value: str) -> str:
    if value and not is_web_address(value):
        raise ValueError("must be an address that begins with http:// or https://")
    return value


_Share = Annotated[float, Field(ge=0, le=1)]


class _Outside(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)


class _Version(BaseModel):
    model_config = ConfigDict(extra="ignore", strict=True)

    version: int


class _Section(_Outside):
    heading: str
    level: Annotated[int, Field(ge=1)]
    note: str


class _Material(_Outside):
    name: str
    text: str


class _Reference(_Outside):
    path: str
    hash: str


class _Brief(_Outside):
    instruction: str
    title: str | None
    images: Annotated[int, Field(ge=0)] | None
    candidates: Annotated[int, Field(ge=1)]
    seed: int
    where: str | None = None
    permutations: Annotated[int, Field(ge=1)] = 1
    fallback: Fallback = "skip"
    keywords: tuple[str, ...] = ()
    outline: tuple[_Section, ...] = ()
    material: tuple[_Material, ...] = ()
    reference: tuple[_Reference, ...] = ()
    references_only: bool = False
    language: str | None = None
    length: Length | None = None
    tone: str | None = None
    audience: str | None = None
    system: str | None = None
    temperature: float | None = None
    top_p: float | None = None
    max_new_tokens: int | None = None

    def brief(self) -> Brief:
        values = {name: getattr(self, name) for name in type(self).model_fields}
        values["outline"] = tuple(Section(**part.model_dump()) for part in self.outline)
        values["material"] = tuple(Material(**part.model_dump()) for part in self.material)
        values["reference"] = tuple(Reference(**part.model_dump()) for part in self.reference)
        return Brief(**values)


class _Candidate(_Outside):
    path: str
    score: float
    probability: _Share

    def record(self) -> CandidateRecord:
        return CandidateRecord(self.path, self.score, self.probability)


class _Block(_Outside):
    kind: BlockKind
    markdown: str
    gap: str

    def block(self) -> Block:
        return Block(self.kind, self.markdown, self.gap)


class _Spot(_Outside):
    caption: str
    outcome: Outcome
    confidence: _Share
    candidates: tuple[_Candidate, ...]
    note: str


class _EmptySpot(_Spot):
    kind: Literal["empty_spot"]

    def block(self) -> Figure:
        records = tuple(candidate.record() for candidate in self.candidates)
        return Figure(self.caption, self.outcome, self.confidence, records, note=self.note)


class _Figure(_Spot):
    kind: Literal["figure"]
    image: Annotated[str, AfterValidator(_image_path)]
    source: str | None
    alt: str
    credit: str
    licence_url: Annotated[str, AfterValidator(_web_address)] = ""
    width: Annotated[int, Field(ge=0)]
    height: Annotated[int, Field(ge=0)]

    def block(self) -> Figure:
        records = tuple(candidate.record() for candidate in self.candidates)
        return Figure(
            caption=self.caption,
            outcome=self.outcome,
            confidence=self.confidence,
            candidates=records,
            image=self.image,
            source=self.source,
            alt=self.alt,
            credit=self.credit,
            licence_url=self.licence_url,
            width=self.width,
            height=self.height,
            note=self.note,
        )


class _Article(_Outside):
    version: int
    title: str
    brief: _Brief
    models: dict[str, str]
    revisions: dict[str, str] = Field(default_factory=dict)
    lead: str
    draft_path: str | None
    notices: tuple[str, ...]
    blocks: tuple[Annotated[_Block | _EmptySpot | _Figure, Field(discriminator="kind")], ...]

    def article(self) -> Article:
        return Article(
            title=self.title,
            brief=self.brief.brief(),
            models=self.models,
            blocks=tuple(block.block() for block in self.blocks),
            lead=self.lead,
            draft_path=None if self.draft_path is None else Path(self.draft_path),
            notices=self.notices,
            revisions=self.revisions,
        )
