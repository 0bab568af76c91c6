"""Prompt templates to messages: one Jinja file a step and dialect, with pictures as parts of the message.

A template places a picture with `{{ picture(path) }}`. Everything else that is put into a prompt is plain text: text
from outside cannot place a picture, because the marker's character is taken out of it.
"""

from __future__ import annotations

import json
import re
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

import jinja2

from .protocols import Message, Picture

_MARK = "\ufffc"  # the Unicode character that stands for an embedded object
_MARKED = re.compile(f"{_MARK}(\\d+){_MARK}")

# What a prompt of the general dialect marks off by: in text from outside it is broken up, as a control token is.
_LABEL = re.compile(r"\[(?=/?[A-Z]\])|<(?=/?article>)")


class _Loader(jinja2.BaseLoader):
    """Reads prompts from the package's own data, from a wheel or a checkout alike."""

    def get_source(self, environment: jinja2.Environment, template: str) -> tuple[str, str | None, Any]:
        file = resources.files("limner.templates").joinpath("prompts", template)
        if not file.is_file():
            raise jinja2.TemplateNotFound(template)
        return file.read_text(encoding="utf-8"), template, lambda: True


@cache
def _environment() -> jinja2.Environment:
    # A prompt is plain text, not markup: nothing is escaped for HTML here.
    environment = jinja2.Environment(
        loader=_Loader(),
        autoescape=False,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
        finalize=lambda value: value.replace(_MARK, "") if type(value) is str else value,
    )
    environment.filters["apart"] = _apart
    return environment


def _apart(text: str) -> str:
    """Text from outside that holds neither a candidate's label nor an article's end, to the eye the same."""
    return _LABEL.sub(lambda found: f"{found[0]}\u200b", text)


def dialects() -> list[str]:
    """The kinds of models that prompts are written for."""
    return sorted(folder.name for folder in resources.files("limner.templates").joinpath("prompts").iterdir())


class _Mark(str):
    """A picture's place in the rendered text; a type of its own so that `finalize` leaves it alone."""

    __slots__ = ()


def render_prompt(step: str, *, dialect: str, **values: object) -> list[Message]:
    """The messages of one step: "write", "spot", "select", "choose" or "describe".

    Args:
        step: the template's name without its suffix.
        dialect: the folder of templates, by the kind of model that reads them: `Model.dialect`.
        values: what the template names.
    """
    pictures: list[Path] = []

    def picture(path: Path) -> _Mark:
        pictures.append(path)
        return _Mark(f"{_MARK}{len(pictures) - 1}{_MARK}")

    text = _environment().get_template(f"{dialect}/{step}.j2").render(picture=picture, **values).strip()
    parts: list[str | Picture] = []
    for number, piece in enumerate(_MARKED.split(text)):
        if number % 2:
            parts.append(Picture(pictures[int(piece)]))
        elif piece:
            parts.append(piece)
    return [Message("user", tuple(parts))]


def has_prompt(step: str, *, dialect: str) -> bool:
    """Whether a dialect has a template for this step: "choose" only where a model looks first and answers then."""
    return resources.files("limner.templates").joinpath("prompts", dialect, f"{step}.j2").is_file()


def reply_schema(step: str, *, dialect: str, **values: object) -> dict[str, Any] | None:
    """The JSON schema that the replies to a step's prompt have, or None where the dialect asks for plain text.

    Args:
        step: as for `render_prompt`.
        dialect: the same.
        values: what the schema's template names.
    """
    if not has_prompt(f"{step}.schema", dialect=dialect):
        return None
    return json.loads(_environment().get_template(f"{dialect}/{step}.schema.j2").render(**values))
