"""A list of briefs to rows: JSON Lines, CSV, YAML, or a folder of drafts and briefs; a row that is none says why.

The list is read a row at a time; the drafts that rows name are read when their turn comes.
"""

from __future__ import annotations

import csv
import hashlib
import json
import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ..article import Brief
from ..errors import BatchUnreadable, BriefInvalid
from ..publish import name_for

Fields = Mapping[str, Any]
# The fields of a row and the folder that its paths start from, to a brief and the path of its draft.
ReadBrief = Callable[[Fields, Path], tuple[Brief, Path | None]]

_LONGEST_CELL = 10_000_000  # characters; the csv module stops at 131,072
_DIGEST_LENGTH = 8  # hexadecimal digits behind a name: enough for what else would have the same one


@dataclass(frozen=True, slots=True)
class Row:
    """One article to be made."""

    where: str  # "line 3", or the name of a file
    id: str
    folder: str  # the name of the row's folder
    brief: Brief
    draft: Path | None
    digest: str  # of the brief and the draft's bytes


@dataclass(frozen=True, slots=True)
class BadRow:
    """A row that cannot be one."""

    where: str
    id: str
    reason: str


def read_rows(source: Path, read: ReadBrief) -> list[Row | BadRow]:
    """All rows of a list or a folder, in its order.

    Raises:
        BatchUnreadable: it is not there, of no known kind, damaged as a whole, or has no row.
        BriefInvalid: two rows would write one folder.
    """
    rows: list[Row | BadRow] = []
    by_folder: dict[str, Row] = {}
    for where, fields in _fields(source):
        row = _row(where, fields, source if source.is_dir() else source.parent, read)
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


def folder_name(words: str, *, exact: bool) -> str:
    """A folder's name for an id, or for other words; never a path. What does not say the words whole has a digest."""
    stem = name_for(words, "", ()) if any(map(str.isalnum, words)) else "row"
    return stem if exact and stem == words else f"{stem}-{_digest(words.encode())[:_DIGEST_LENGTH]}"


def _row(where: str, fields: Fields | str, base: Path, read: ReadBrief) -> Row | BadRow:
    if isinstance(fields, str):
        return BadRow(where, "", fields)
    rest = dict(fields)
    given = rest.pop("id", None)
    name = "" if given is None else str(given).strip()
    if given is not None and (not name or isinstance(given, list | dict | bool)):
        return BadRow(where, "", "id: must be a word or a number")
    try:
        brief, draft = read(rest, base)
    except BriefInvalid as exc:
        return BadRow(where, name, str(exc))
    if name:
        folder = folder_name(name, exact=True)
    else:
        # What the article is, so that another number of pictures is another edition of the same row.
        said = brief.title or next(iter(brief.instruction.strip().splitlines()), "") or (draft.stem if draft else "")
        whole = json.dumps([brief.instruction, brief.title, str(rest.get("draft", ""))], ensure_ascii=False)
        folder = f"{folder_name(said, exact=False).rpartition('-')[0]}-{_digest(whole.encode())[:_DIGEST_LENGTH]}"
        name = folder
    return Row(where, name, folder, brief, draft, _digest_row(brief, draft))


def _digest_row(brief: Brief, draft: Path | None) -> str:
    values = json.dumps(asdict(brief), ensure_ascii=False, sort_keys=True, default=str)
    try:
        text = b"" if draft is None else draft.read_bytes()
    except OSError:
        text = b""  # its turn will say so
    return _digest(values.encode() + b"\0" + text)


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _fields(source: Path) -> Iterator[tuple[str, Fields | str]]:
    """Yield (where, the fields of a row or what is wrong with it).

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
    kind = _folder if source.is_dir() else kinds.get(source.suffix.lower())
    if kind is None:
        known = "JSON Lines (.jsonl), CSV, YAML or a folder of drafts (.md) and briefs (.toml)"
        reason = "is no list of briefs by its name" if source.exists() else "does not exist"
        raise BatchUnreadable(f"{source} {reason}", f"give {known}")
    try:
        yield from kind(source)
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


def _csv(source: Path) -> Iterator[tuple[str, Fields | str]]:
    """A header with a brief's keys, then a row a brief; what a cell is empty of is not given."""
    csv.field_size_limit(_LONGEST_CELL)
    with source.open(encoding="utf-8-sig", newline="") as file:
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
                yield where, {key: cell for key, cell in given if key and cell.strip()}
        except csv.Error as exc:
            raise BatchUnreadable(f"{source}, line {reader.line_num}, is not CSV: {exc}", "mend that line") from exc


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


def _folder(source: Path) -> Iterator[tuple[str, Fields | str]]:
    """Every .toml is a brief and every .md a draft, but those that a brief of the folder names as its own."""
    files = sorted(path for path in source.rglob("*") if path.suffix.lower() in (".md", ".markdown", ".toml"))
    files = [p for p in files if p.is_file() and not any(part[0] == "." for part in p.relative_to(source).parts)]
    found: dict[str, Fields | str] = {}
    taken: set[Path] = set()
    for path in files:
        if path.suffix.lower() != ".toml":
            continue
        place = path.relative_to(source)
        found[place.as_posix()] = fields = _toml(path)
        if isinstance(fields, dict):
            fields.setdefault("id", (place.parent if place.name == "brief.toml" else place.with_suffix("")).as_posix())
            for key in ("draft", "references"):
                if key in fields:
                    fields[key] = _beside(fields[key], place.parent)
            if isinstance(fields.get("draft"), str):
                taken.add((source / fields["draft"]).resolve())
    for path in files:
        place = path.relative_to(source)
        if path.suffix.lower() != ".toml" and path.resolve() not in taken:
            found[place.as_posix()] = {"id": place.with_suffix("").as_posix(), "draft": str(place)}
    yield from ((name, found[name]) for name in sorted(found))


def _toml(path: Path) -> Fields | str:
    try:
        return tomllib.loads(path.read_bytes().decode("utf-8-sig"))
    except tomllib.TOMLDecodeError as exc:
        return f"is not TOML: {exc}"
    except UnicodeDecodeError:
        return "is not UTF-8 text"
    except OSError as exc:
        return f"cannot be read: {exc.strerror}"


def _beside(value: Any, folder: Path) -> Any:
    """Paths that a brief in a folder below gives, as the list's own folder sees them."""
    if isinstance(value, list):
        return [_beside(item, folder) for item in value]
    return str(folder / value) if isinstance(value, str) else value
