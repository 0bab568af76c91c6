"""A brief as it comes from outside: flags, brief.toml or a row of a batch, checked and made into a `Brief`.

    fields = read_brief(Path("brief.toml"))             # or brief_fields(row, folder=..., source="row 3")
    fields = fields.over(brief_fields(flags, ...))      # what is set there wins
    brief = to_brief(fields)                            # reads the files that it names

The keys are those of brief.toml; a flag is the same with dashes. Files are named relative to the brief's own folder.
"""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from .article import Brief, Fallback, Length, Material, Section
from .errors import BriefInvalid, FieldInvalid
from .language import language_tag
from .markdown import one_line
from .outline import is_list, outline_of, read_outline
from .references import MAX_REFERENCES, read_references

MAX_MATERIAL_BYTES = 10_000_000  # of one file; a thick book has one
MIN_WORDS = 20
MAX_WORDS = 100_000
LENGTHS = ("short", "medium", "long")
# What belongs to a run and not to what is asked for: a flag, a variable, or a key of limner.toml.
_SETTINGS = frozenset(
    {"library", "model", "writer", "selector", "out", "format", "embed", "device", "encoder", "base_url"}
)
# What says how to write, which a finished draft is past.
WRITING = (
    *("instruction", "keywords", "outline", "material", "length", "tone", "audience"),
    *("system", "temperature", "top_p", "max_new_tokens"),
)


def _filled(text: str) -> str:
    if not text.strip():
        raise ValueError("it is empty")
    return text.strip()


def _line(text: str) -> str:
    return _filled(one_line(text))


def _number(value: object) -> object:
    """A cell of a table holds its number as text; a truth is no number, though Python counts it as one."""
    if isinstance(value, bool):
        raise ValueError("it must be a number")
    return value


def _images(value: object) -> object:
    if isinstance(value, str) and value.strip().lower() == "auto":
        return "auto"
    if isinstance(value, bool) or not str(value).strip().isdecimal() or int(str(value)) < 1:
        raise ValueError("it must be auto or a number from 1")
    return int(str(value))


def _length(value: object) -> object:
    text = str(value).strip().lower()
    if text in LENGTHS:
        return text
    if isinstance(value, bool) or not text.isdecimal() or not MIN_WORDS <= int(text) <= MAX_WORDS:
        raise ValueError(f"it must be short, medium, long or a number of words from {MIN_WORDS} to {MAX_WORDS:,}")
    return int(text)


def _several(value: object) -> object:
    """One file alone is a list of one."""
    return [value] if isinstance(value, str | Path) else value


def _words(value: object) -> object:
    return re.split("[,，、]", value) if isinstance(value, str) else value


def _keywords(words: tuple[str, ...]) -> tuple[str, ...]:
    kept = tuple(dict.fromkeys(line for word in words if (line := one_line(word))))
    if not kept:
        raise ValueError("it is empty")
    return kept


def _tag(text: str) -> str:
    try:
        return language_tag(text)
    except BriefInvalid as exc:
        raise ValueError(f"{exc.message}; {exc.hint}") from exc


def _outline(value: object) -> object:
    """A path, where it is one line that is no list; else the outline itself."""
    if isinstance(value, str):
        text = _filled(value)
        return text if "\n" in text or text[0] in "-*+#" else Path(text)
    return value


_Text = Annotated[str, AfterValidator(_filled)]
_Line = Annotated[str, AfterValidator(_line)]
_Files = Annotated[tuple[Path, ...], BeforeValidator(_several)]


class BriefFields(BaseModel):
    """Everything that a brief may say; what is None is not said."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    instruction: _Text | None = None
    title: _Line | None = None
    keywords: Annotated[tuple[str, ...], BeforeValidator(_words), AfterValidator(_keywords)] | None = None
    outline: Annotated[str | Path | list[Any] | dict[Any, Any], BeforeValidator(_outline)] | None = None
    draft: Path | None = None
    material: _Files | None = None
    reference: _Files | None = None
    references_only: bool | None = None
    language: Annotated[str, AfterValidator(_tag)] | None = None
    length: Annotated[Length, BeforeValidator(_length)] | None = None
    tone: _Line | None = None
    audience: _Line | None = None
    images: Annotated[Literal["auto"] | int, BeforeValidator(_images)] | None = None
    candidates: Annotated[int, BeforeValidator(_number), Field(ge=1)] | None = None
    permutations: Annotated[int, BeforeValidator(_number), Field(ge=1)] | None = None
    fallback: Fallback | None = None
    where: _Text | None = None
    system: _Text | None = None
    temperature: Annotated[float, BeforeValidator(_number), Field(ge=0, le=2, allow_inf_nan=False)] | None = None
    top_p: Annotated[float, BeforeValidator(_number), Field(gt=0, le=1, allow_inf_nan=False)] | None = None
    max_new_tokens: Annotated[int, BeforeValidator(_number), Field(ge=1)] | None = None
    seed: Annotated[int, BeforeValidator(_number), Field(ge=0)] | None = None

    def said(self) -> dict[str, Any]:
        """What is said, by key."""
        return {key: value for key in type(self).model_fields if (value := getattr(self, key)) is not None}

    def over(self, other: BriefFields) -> Self:
        """These fields, with what is said in `other` in their place."""
        return self.model_copy(update=other.said())

    def or_else(self, **values: Any) -> Self:
        """These fields, with values for those that are not said."""
        return self.model_copy(update={key: value for key, value in values.items() if getattr(self, key) is None})


KEYS = tuple(BriefFields.model_fields)


def read_brief(path: Path) -> BriefFields:
    """The fields of a brief.toml.

    Raises:
        BriefInvalid: no such file, no TOML, an unknown key, or a value that cannot be; names the key.
    """
    try:
        text = path.read_bytes().decode("utf-8-sig")
        values = tomllib.loads(text)
    except OSError as exc:
        raise BriefInvalid(f"cannot read the brief {path}: {exc.strerror}", "give the path of a brief.toml") from exc
    except UnicodeDecodeError as exc:
        raise BriefInvalid(f"the brief {path} is not UTF-8 text", "save it as UTF-8 and try again") from exc
    except (tomllib.TOMLDecodeError, RecursionError) as exc:
        raise BriefInvalid(f"the brief {path} is not valid TOML: {exc}", "see Briefs in the README for one") from exc
    return brief_fields(values, folder=path.absolute().parent, source=str(path))


def brief_fields(values: Mapping[str, Any], *, folder: Path, source: str) -> BriefFields:
    """Values from outside by key, with dashes or underscores, as fields.

    Args:
        values: text or numbers; keys whose value is None are not said.
        folder: where files are that are named relatively.
        source: what the values come from, as messages name it.

    Raises:
        FieldInvalid: an unknown key, or a value that cannot be.
    """
    given: dict[str, Any] = {}
    for key, value in values.items():
        name = str(key).replace("-", "_")
        if name not in BriefFields.model_fields:
            raise _unknown(str(key), name, source)
        if name in given:
            raise FieldInvalid(name, f"{source} has `{name}` twice, once with dashes", "leave one of them out")
        if value is not None and value != []:  # an empty list says nothing
            given[name] = value
    try:
        fields = BriefFields.model_validate(given)
    except ValidationError as exc:
        raise _invalid(exc, source) from exc
    return fields.model_copy(update=_paths(fields, folder))


def to_brief(fields: BriefFields) -> Brief:
    """The brief that the fields say, with the files that they name read; `fields.draft` is left to the caller.

    Raises:
        BriefInvalid: a file that is missing or not what it should be, nothing to write about, or fields that do not go
            together; names the key.
    """
    _check_together(fields)
    title, instruction, sections = fields.title, fields.instruction or "", _read_sections(fields.outline)
    if sections is None and is_list(instruction):
        sections, instruction = _titled("instruction", lambda: read_outline(instruction)), ""
    outline_title, outline = sections or ("", ())
    return Brief(
        instruction=instruction,
        title=title or outline_title or None,
        images=None if fields.images in ("auto", None) else fields.images,
        candidates=fields.candidates or Brief("").candidates,
        seed=fields.seed or 0,
        where=fields.where,
        permutations=fields.permutations or Brief("").permutations,
        fallback=fields.fallback or Brief("").fallback,
        keywords=fields.keywords or (),
        outline=outline,
        material=tuple(_read_material(path) for path in fields.material or ()),
        reference=read_references(fields.reference or ()),
        references_only=bool(fields.references_only),
        language=fields.language,
        length=fields.length,
        tone=fields.tone,
        audience=fields.audience,
        system=fields.system,
        temperature=fields.temperature,
        top_p=fields.top_p,
        max_new_tokens=fields.max_new_tokens,
    )


def _check_together(fields: BriefFields) -> None:
    said = fields.said()
    if fields.draft is not None:
        if (key := next((key for key in WRITING if key in said), None)) is not None:
            raise FieldInvalid(
                key, f"`{key}` says how to write, and the draft {fields.draft} is written", "leave one of them out"
            )
    elif not any(key in said for key in ("instruction", "title", "keywords", "outline", "material")):
        raise BriefInvalid(
            "the brief does not say what to write about",
            "give an instruction, a title, keywords, an outline or material, or a draft to illustrate",
        )
    if fields.references_only and not fields.reference:
        raise FieldInvalid(
            "references_only", "`references_only` is set and there is no reference", "name some pictures"
        )
    if fields.references_only and fields.where:
        raise FieldInvalid(
            "where", "`where` searches a library, and `references_only` uses none", "leave one of them out"
        )
    if len(fields.reference or ()) > MAX_REFERENCES:
        raise FieldInvalid(
            "reference",
            f"{len(fields.reference or ())} reference pictures are given, {MAX_REFERENCES} are the most",
            "put the others into a library: `limner index build`",
        )


def _read_sections(outline: str | Path | list[Any] | dict[Any, Any] | None) -> tuple[str, tuple[Section, ...]] | None:
    if outline is None:
        return None
    if isinstance(outline, Path):
        text = _text_of(outline, "outline")
        if outline.suffix.lower() in (".yaml", ".yml"):
            return _titled("outline", lambda: outline_of(_yaml(text, outline)))
        return _titled("outline", lambda: read_outline(text))
    if isinstance(outline, str):
        return _titled("outline", lambda: read_outline(outline))
    return _titled("outline", lambda: outline_of(outline))


def _titled(key: str, read: Any) -> tuple[str, tuple[Section, ...]]:
    try:
        return read()
    except BriefInvalid as exc:
        raise FieldInvalid(key, f"`{key}`: {exc.message}", exc.hint) from exc


def _yaml(text: str, path: Path) -> Any:
    import yaml

    try:
        return yaml.safe_load(text)
    except (yaml.YAMLError, RecursionError, ValueError) as exc:
        reason = " ".join(str(exc).split())
        raise BriefInvalid(f"{path} is not valid YAML: {reason}", "mend it, or give a Markdown list") from exc


def _read_material(path: Path) -> Material:
    return Material(path.name, _text_of(path, "material"))


def _text_of(path: Path, key: str) -> str:
    """The text of a file that the brief names."""
    try:
        if path.stat().st_size > MAX_MATERIAL_BYTES:
            raise FieldInvalid(
                key,
                f"`{key}`: {path} has {path.stat().st_size:,} bytes, the most is {MAX_MATERIAL_BYTES:,}",
                "give the part that matters",
            )
        data = path.read_bytes()
    except FileNotFoundError as exc:
        raise FieldInvalid(
            key, f"`{key}`: there is no file {path}", "mend the name; a brief's files are relative to its own folder"
        ) from exc
    except OSError as exc:
        raise FieldInvalid(key, f"`{key}`: cannot read {path}: {exc.strerror}", "give a text or Markdown file") from exc
    try:
        text = "" if b"\0" in data else data.decode("utf-8-sig")
    except UnicodeDecodeError as exc:
        raise FieldInvalid(key, f"`{key}`: {path} is not UTF-8 text", "give a text or Markdown file") from exc
    if b"\0" in data:
        raise FieldInvalid(key, f"`{key}`: {path} is not text", "give a text or Markdown file")
    if not text.strip():
        raise FieldInvalid(key, f"`{key}`: {path} is empty", "leave it out")
    return text.strip()


def _paths(fields: BriefFields, folder: Path) -> dict[str, Any]:
    """The files that are named, absolute."""

    def whole(path: Path) -> Path:
        return folder.absolute() / path.expanduser()

    found: dict[str, Any] = {}
    for key, value in fields.said().items():
        if isinstance(value, Path):
            found[key] = whole(value)
        elif key in ("material", "reference"):
            found[key] = tuple(whole(path) for path in value)
    return found


def _unknown(key: str, name: str, source: str) -> FieldInvalid:
    near = difflib.get_close_matches(name.lower(), KEYS, n=1, cutoff=0.5)
    if name in _SETTINGS:
        hint = f"`{name}` is no part of a brief: give it as a flag, or in limner.toml"
    else:
        hint = f"did you mean `{near[0]}`?" if near else f"the keys are {', '.join(KEYS)}"
    return FieldInvalid(name, f"{source} has an unknown key: {key}", hint)


_WANTED = {
    "int_parsing": "it must be a whole number",
    "int_type": "it must be a whole number",
    "int_from_float": "it must be a whole number",
    "float_parsing": "it must be a number",
    "float_type": "it must be a number",
    "finite_number": "it must be a finite number",
    "string_type": "it must be text",
    "bool_parsing": "it must be true or false",
    "bool_type": "it must be true or false",
    "path_type": "it must be the path of a file",
    "tuple_type": "it must be a list",
}


def _invalid(exc: ValidationError, source: str) -> FieldInvalid:
    fault = exc.errors(include_url=False)[0]
    key = str(fault["loc"][0])
    reason = _WANTED.get(fault["type"]) or fault["msg"].removeprefix("Value error, ").replace(
        "Input should be", "it must be", 1
    )
    value = f" {fault['input']!r}" if isinstance(fault["input"], str | int | float | bool) else " that"
    return FieldInvalid(key, f"{source}: `{key}` cannot be{value:.120}: {reason}", "see Briefs in the README")
