"""The grades of people, as the sheet saves them: one JSON file a rater."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ..composer.markdown import one_line
from .entries import Entry, id_of
from .errors import EvaluationMismatch, GradesInvalid
from .rubric import KEYS, Level, is_complete
from .verdicts import Verdict

VERSION = 1
_HINT = "give a file that the page of --sheet has saved"


class _Saved(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    limner_grades: Literal[1]
    rater: Annotated[str, Field(min_length=1, max_length=200)]
    seed: Annotated[int, Field(ge=0)]
    grades: dict[str, dict[Literal[KEYS], Level]]  # pyright: ignore[reportInvalidTypeForm]


@dataclass(frozen=True, slots=True)
class Rated:
    """What one person graded."""

    rater: str
    seed: int  # of the sheet, which its articles' ids depend on
    verdicts: tuple[Verdict, ...]  # of the articles with all eight grades
    unfinished: int  # articles with some of them


def read_rated(path: Path) -> Rated:
    """The grades in a file.

    Raises:
        GradesInvalid: not one that a sheet has saved, or edited into something else.
    """
    try:
        saved = _Saved.model_validate_json(path.read_bytes())
    except OSError as exc:
        raise GradesInvalid(f"cannot read {path}: {exc.strerror}", _HINT) from exc
    except ValidationError as exc:
        fault = exc.errors(include_url=False, include_context=False)[0]
        place = ".".join(map(str, fault["loc"]))
        raise GradesInvalid(
            f"{path} holds no grades: {f'{place}: ' if place else ''}{fault['msg'].removeprefix('Value error, ')}",
            _HINT,
        ) from exc
    rater = one_line(saved.rater)
    complete = {article: grades for article, grades in saved.grades.items() if is_complete(grades)}
    verdicts = tuple(Verdict(article, rater, "graded", dict(grades)) for article, grades in complete.items())
    return Rated(rater, saved.seed, verdicts, sum(map(bool, saved.grades.values())) - len(complete))


def verdicts_of(rated: Sequence[Rated], entries: Sequence[Entry]) -> tuple[list[Verdict], int]:
    """The verdicts of all raters on the entries, and how many are on articles that are none of them.

    Each rater may have a sheet of another seed, in which the same articles have other ids.

    Raises:
        EvaluationMismatch: a person twice, or one who graded none of the entries.
    """
    names = [each.rater for each in rated]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise EvaluationMismatch(f"two files hold grades by {twice!r}", "give one file a rater")
    found: list[Verdict] = []
    for each in rated:
        ids = {id_of(entry.content, each.seed): entry.id for entry in entries}
        known = [replace(verdict, article=ids[verdict.article]) for verdict in each.verdicts if verdict.article in ids]
        if not known and each.verdicts:
            raise EvaluationMismatch(
                f"{each.rater!r} graded none of these articles", "give those that the sheet was made of, as they were"
            )
        found += known
    return found, sum(len(each.verdicts) for each in rated) - len(found)
