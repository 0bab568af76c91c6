"""A list of briefs to rows: JSON Lines, CSV, YAML, or a folder of drafts and briefs; a row that is none says why.

The list is read a row at a time; the drafts that rows name are read when their turn comes.
"""

from __future__ import annotations

import csv
import hashlib
import json
import os
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ..article import Brief
from ..brief import WRITING, BriefFields, brief_fields, to_brief
from ..errors import BatchUnreadable, BriefInvalid
from ..markdown import one_line
from ..publish import name_for

Fields = Mapping[str, Any]

_LONGEST_CELL = 10_000_000  # characters; the csv module stops at 131,072
_NAMES_FILES = {"draft", "material", "outline"}  # keys that may name a Markdown file, which then is no draft itself
_DIGEST_LENGTH = 8  # hexadecimal digits behind a name: enough for what else would have the same one


@dataclass(frozen=True, slots=True)
class Row:
    """One article to be made."""

    where: str  # "line 3", or the name of a file
    id: str
    folder: str  # the name of the row's folder
    fields: BriefFields
    digest: str  # of the brief, the draft and whatever else it names

    def brief(self) -> Brief:
        """The brief, with the files that it names read: thousands of rows would not fit into memory with them.

        Raises:
            BriefInvalid: a file that is no longer there, or no longer what it should be.
        """
        return to_brief(self.fields)


@dataclass(frozen=True, slots=True)
class BadRow:
    """A row that cannot be one."""

    where: str
    id: str
    reason: str  # a sentence that names the place


def read_rows(source: Path, defaults: BriefFields) -> list[Row | BadRow]:
    """All rows of a list or a folder, in its order; defaults is what rows have that do not say otherwise.

    Raises:
        BatchUnreadable: it is not there, of no known kind, damaged as a whole, or has no row.
        BriefInvalid: two rows would write one folder.
    """
    rows: list[Row | BadRow] = []
    by_folder: dict[str, Row] = {}
    for where, fields, folder in _fields(source):
        row = _row(where, fields, folder, defaults)
        if isinstance(row, Row):
            other = by_folder.setdefault(row.folder.casefold(), row)
            if other is not row:
                raise BriefInvalid(
                    f"two rows of {source} would write one folder, {row.folder}: {other.where} and {row.where}",
                    "give each an `id` of its own, or take one of them out",
                )
        rows.append(row)
    if not rows:
        raise BatchUnreadable(f"{source} holds no briefs", "give a row for each article that is to be made")
    return rows


def folder_name(words: str, whole: str | None = None) -> str:
    """A folder's name for some words, never a path: they themselves, or what a name can keep of them and a digest.

    whole is all that the words stand for, where that is more; then the digest is of it, and always there.
    """
    stem = name_for(words, "", ()) if any(map(str.isalnum, words)) else "row"
    if whole is None and stem == words:
        return stem
    return f"{stem}-{_digest((whole or words).encode())[:_DIGEST_LENGTH]}"


def _row(where: str, fields: Fields | str, folder: Path, defaults: BriefFields) -> Row | BadRow:
    if isinstance(fields, str):
        return BadRow(where, "", f"{where} {fields}")
    said = dict(fields)
    given = said.pop("id", None)
    name = "" if given is None else one_line(str(given))
    if given is not None and (not name or isinstance(given, list | dict | bool)):
        return BadRow(where, "", f"{where}: `id` must be a word or a number")
    try:
        own = brief_fields(said, folder=folder, source=where)
        row = own.or_else(**_fitting(own, defaults))
        brief = to_brief(row)
    except BriefInvalid as exc:
        message = exc.message if exc.message.startswith(where) else f"{where}: {exc.message}"
        return BadRow(where, name, f"{message}; {exc.hint}" if exc.hint else message)
    if name:
        return Row(where, name, folder_name(name), row, _digest_row(brief, row.draft))
    words, whole = _identity(brief, row, folder)
    name = folder_name(words, whole)
    return Row(where, name, name, row, _digest_row(brief, row.draft))


def _fitting(row: BriefFields, defaults: BriefFields) -> dict[str, Any]:
    """The defaults that a row can have: a finished draft is past how to write, and a row may use no library."""
    past = {"draft", *(WRITING if row.draft is not None else ()), *(("where",) if row.references_only else ())}
    return {key: value for key, value in defaults.said().items() if key not in past}


def _identity(brief: Brief, fields: BriefFields, folder: Path) -> tuple[str, str]:
    """What the article is about: some words, and everything; how it is to be made is not part of it.

    So a row without an id keeps its folder when, say, its number of pictures is edited.
    """
    draft = None if fields.draft is None else os.path.relpath(fields.draft, folder)
    said = [
        brief.title,
        *brief.instruction.strip().splitlines()[:1],
        ", ".join(brief.keywords),
        *(section.heading for section in brief.outline[:1]),
        fields.draft and fields.draft.stem,
        *(material.name for material in brief.material[:1]),
    ]
    words = next((words for words in said if words), "")
    outline = [asdict(section) for section in brief.outline]
    names = [material.name for material in brief.material]
    everything = [brief.instruction, brief.title, brief.keywords, outline, draft, names]
    return words, json.dumps(everything, ensure_ascii=False)


def _digest_row(brief: Brief, draft: Path | None) -> str:
    values = json.dumps(asdict(brief), ensure_ascii=False, sort_keys=True)
    try:
        text = b"" if draft is None else draft.read_bytes()
    except OSError:
        text = b""  # its turn will say so
    return _digest(values.encode() + b"\0" + text)


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _fields(source: Path) -> Iterator[tuple[str, Fields | str, Path]]:
    """Yield (where, the fields of a row or what is wrong with it, the folder that its paths start from).

    Raises:
        BatchUnreadable: see `read_rows`.
    """
    kinds = {
        ".jsonl": _json_lines,
        ".ndjson": _json_lines,
        ".csv": _csv,
        ".tsv": _csv,
        ".yaml": _yaml,
        ".yml": _yaml,
    }
    kind = kinds.get(source.suffix.lower())
    if not source.is_dir() and (kind is None or not source.exists()):
        known = "JSON Lines (.jsonl), CSV, YAML or a folder of drafts (.md) and briefs (.toml)"
        reason = "is no list of briefs by its name" if source.exists() else "does not exist"
        raise BatchUnreadable(f"{source} {reason}", f"give {known}")
    try:
        if kind is None or source.is_dir():
            yield from _folder(source)
        else:
            yield from ((where, fields, source.parent) for where, fields in kind(source))
    except OSError as exc:
        raise BatchUnreadable(f"cannot read {source}: {exc.strerror}", "mend its permissions") from exc
    except UnicodeDecodeError as exc:
        raise BatchUnreadable(f"{source} is not UTF-8 text", "save it as UTF-8") from exc


def _json_lines(source: Path) -> Iterator[tuple[str, Fields | str]]:
    with source.open("rb") as file:
        for number, line in enumerate(file, start=1):
            where = f"line {number}"
            try:
                text = line.decode("utf-8-sig" if number == 1 else "utf-8").strip()
                if not text:
                    continue
                values = json.loads(text, object_pairs_hook=_once)
            except UnicodeDecodeError:
                yield where, "is not UTF-8 text"
            except json.JSONDecodeError as exc:
                yield where, f"is not JSON: {exc.msg} at character {exc.pos + 1}"
            except RecursionError:
                yield where, "is not a brief: nested too deeply"
            except _Twice as exc:
                yield where, f"has {exc} twice"
            else:
                yield where, values if isinstance(values, dict) else "is not an object with a brief's keys"


class _Twice(ValueError):
    """A key that a row has two of."""


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for key, value in pairs:
        if key in values:
            raise _Twice(key)
        values[key] = value
    return values


@contextmanager
def _long_cells() -> Iterator[None]:
    """Python bounds the cells of every CSV file of the process by one number, which others count on."""
    before = csv.field_size_limit(_LONGEST_CELL)
    try:
        yield
    finally:
        csv.field_size_limit(before)


def _csv(source: Path) -> Iterator[tuple[str, Fields | str]]:
    """A header with a brief's keys, then a row a brief; what a cell is empty of is not given."""
    with _long_cells(), source.open(encoding="utf-8-sig", newline="") as file:
        first = file.readline()
        file.seek(0)
        reader = csv.reader(file, delimiter=max("\t,;", key=first.count), strict=True)
        header: list[str] = []
        line = 0
        try:
            for cells in reader:
                where, line = f"line {line + 1}", reader.line_num
                if not any(cell.strip() for cell in cells):
                    continue
                if not header:
                    header = _header(source, cells)
                    continue
                if any(cell.strip() for cell in cells[len(header) :]):
                    yield where, f"has {len(cells)} cells, the header has {len(header)}"
                    continue
                given = zip(header, cells, strict=False)
                yield where, {key: _cell(key, cell.strip()) for key, cell in given if key and cell.strip()}
        except csv.Error as exc:
            raise BatchUnreadable(f"{source}, line {reader.line_num}, is not CSV: {exc}", "mend that line") from exc


def _cell(key: str, cell: str) -> str | list[str]:
    """What a cell says; one of files may name several."""
    if key in ("reference", "material"):
        return [name for part in cell.split(";") if (name := part.strip())]
    return cell


def _header(source: Path, cells: Iterable[str]) -> list[str]:
    names = [cell.strip() for cell in cells]
    for name in names:
        if name and names.count(name) > 1:
            raise BatchUnreadable(f"{source} has two columns named {name}", "rename one of them, or take it out")
    return names


def _yaml(source: Path) -> Iterator[tuple[str, Fields | str]]:
    """A list of briefs, or a document a brief."""
    import yaml

    with source.open("rb") as file:
        loader = yaml.SafeLoader(file)
        try:
            while loader.check_node():
                document = loader.get_node()
                assert document is not None
                rows = document.value if isinstance(document, yaml.SequenceNode) else [document]
                for node in rows:
                    yield f"line {node.start_mark.line + 1}", _of_node(loader, node)
        except yaml.reader.ReaderError as exc:
            raise BatchUnreadable(f"{source} is not YAML in UTF-8: {exc.reason}", "save it as UTF-8") from exc
        except yaml.YAMLError as exc:
            line = f", line {mark.line + 1}," if (mark := getattr(exc, "problem_mark", None)) else ""
            reason = getattr(exc, "problem", None) or " ".join(str(exc).split())
            raise BatchUnreadable(f"{source}{line} is not YAML: {reason}", "mend that line") from exc
        finally:
            loader.dispose()


def _of_node(loader: Any, node: Any) -> Fields | str:
    import yaml

    if not isinstance(node, yaml.MappingNode):
        return "is not a mapping with a brief's keys"
    names = [key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode)]
    if twice := next((name for name in names if names.count(name) > 1), None):
        return f"has {twice} twice"
    try:
        values = loader.construct_document(node)
    except (yaml.constructor.ConstructorError, ValueError, RecursionError) as exc:
        return f"is not a brief: {getattr(exc, 'problem', None) or exc}"
    return {str(key): value for key, value in values.items()}


def _folder(source: Path) -> Iterator[tuple[str, Fields | str, Path]]:
    """Every .toml is a brief and every .md a draft, but those that a brief of the folder names as its own."""
    files = sorted(path for path in source.rglob("*") if path.suffix.lower() in (".md", ".markdown", ".toml"))
    files = [p for p in files if p.is_file() and not any(part[0] == "." for part in p.relative_to(source).parts)]
    found: dict[str, tuple[Fields | str, Path]] = {}
    taken: set[Path] = set()
    for path in files:
        if path.suffix.lower() == ".toml":
            place = path.relative_to(source)
            fields = _toml(path)
            if isinstance(fields, dict):
                of_folder = place.name == "brief.toml" and place.parent.parts
                fields.setdefault("id", (place.parent if of_folder else place.with_suffix("")).as_posix())
                for key in _NAMES_FILES & fields.keys():
                    named = fields[key] if isinstance(fields[key], list) else [fields[key]]
                    taken.update((path.parent / name).resolve() for name in named if isinstance(name, str))
            found[place.as_posix()] = fields, path.parent
    for path in files:
        if path.suffix.lower() != ".toml" and path.resolve() not in taken:
            place = path.relative_to(source)
            found[place.as_posix()] = {"id": place.with_suffix("").as_posix(), "draft": path.name}, path.parent
    yield from ((name, *found[name]) for name in sorted(found))


def _toml(path: Path) -> Fields | str:
    try:
        return tomllib.loads(path.read_bytes().decode("utf-8-sig"))
    except tomllib.TOMLDecodeError as exc:
        return f"is not TOML: {exc}"
    except UnicodeDecodeError:
        return "is not UTF-8 text"
    except OSError as exc:
        return f"cannot be read: {exc.strerror}"
