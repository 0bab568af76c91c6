"""What was found in each document, kept as it is found: an evaluation that was cut goes on, and two can be compared.

OUT/evaluation.json   the settings, what the sites held, and a digest of both; records of other settings are refused
OUT/records.jsonl     a document a line: the author's places and pictures, and what each system made of them; or a
                      verdict a line, of a judge
OUT/summary.json      the measures, when all documents are done
OUT/report.html       the same to look at; of a judge and of people judge.html

A folder may hold other things too: they stay as they are, and where one of them has a name of these, the folder is
refused.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Generic, Protocol, TypeVar

from pydantic import TypeAdapter, ValidationError

from ..index.atomic import alone_in, write_failed, write_whole
from .errors import EvaluationBusy, EvaluationMismatch, RecordsUnreadable
from .ranking import Rank

SETTINGS, RECORDS, SUMMARY = "evaluation.json", "records.jsonl", "summary.json"
PAGE, JUDGE_PAGE = "report.html", "judge.html"
VERSION = 1
_LOCK = ".evaluation.lock"
_BY_PEOPLE = {"evaluation": "grades"}


@dataclass(frozen=True, slots=True)
class Placement:
    """Where a system put pictures, in reading order, and which; the lists are as long as each other."""

    places: tuple[int, ...]  # blocks that they follow
    pictures: tuple[str, ...]  # from the site's folder; empty where it found none
    notes: tuple[str, ...] = ()  # what went wrong, as a model's reply that was not usable


@dataclass(frozen=True, slots=True)
class Question:
    """A place with the candidates for it, as they were shown."""

    candidates: tuple[str, ...]
    answer: int  # the human's choice among them


@dataclass(frozen=True, slots=True)
class Pick:
    """What a system took of the candidates of a question."""

    chosen: int | None  # None: it took none, or gives no preference
    agrees: float  # with the human: 0 or 1, and between them where it is a matter of chance
    outcome: str = "chosen"  # of a model: as `composer.article.Outcome`, or "unreadable"
    confidence: float = 0.0
    note: str = ""


@dataclass(frozen=True, slots=True)
class Record:
    """All that was found in one document; every measure is worked out from it."""

    site: str
    document: str
    places: tuple[int, ...]  # the author's
    pictures: tuple[str, ...]  # the author's, as many
    placement: dict[str, Placement] = field(default_factory=dict)  # by system
    retrieval: dict[str, tuple[Rank, ...]] = field(default_factory=dict)  # by system, at the author's places
    questions: tuple[Question, ...] = ()  # of selection, at the author's places
    selection: dict[str, tuple[Pick, ...]] = field(default_factory=dict)  # by system, of each question
    # Of each placed picture that could be read, the cosine to the paragraph that it follows; by system, and "author".
    clip: dict[str, tuple[float, ...]] = field(default_factory=dict)

    @property
    def key(self) -> tuple[str, ...]:
        return (self.site, self.document)


class Kept(Protocol):
    """A dataclass of plain values that is found again by its key."""

    __dataclass_fields__: ClassVar[dict[str, Any]]

    @property
    def key(self) -> tuple[str, ...]: ...


R = TypeVar("R", bound=Kept)


class Keeper(Generic[R]):
    """The records so far, and where new ones are kept."""

    def __init__(self, path: Path | None, records: Sequence[R]) -> None:
        self._path = path
        self._records = {record.key: record for record in records}

    def get(self, *key: str) -> R | None:
        """What an earlier run found."""
        return self._records.get(key)

    def line(self, record: R) -> int:
        """In which line of the file a record stands, from 1."""
        return list(self._records).index(record.key) + 1

    def add(self, record: R) -> None:
        """Keep a record.

        Raises:
            WriteFailed: the disk refused.
        """
        self._records[record.key] = record
        if self._path is None:
            return
        try:
            with self._path.open("ab") as file:
                file.write(_line(record))
        except OSError as exc:
            raise write_failed(self._path, exc) from exc


@contextmanager
def keep_records(
    out: Path | None,
    settings: Mapping[str, Any],
    *,
    start_over: bool,
    kind: type[R] = Record,  # pyright: ignore[reportArgumentType]
) -> Iterator[Keeper[R]]:
    """Open the records in out for this evaluation alone; without a folder they are not kept.

    Raises:
        EvaluationMismatch: out holds records of other settings, or of sites that have changed, and is not started over;
            or files that no evaluation has written.
        EvaluationBusy: another process is at work in out.
        RecordsUnreadable: out holds damaged records.
        WriteFailed: the disk refused.
    """
    if out is None:
        yield Keeper(None, [])
        return
    busy = EvaluationBusy(f"another process evaluates into {out}", "wait for it, or choose another --out")
    with alone_in(out, _LOCK, busy):
        path = out / RECORDS
        check_records(out, settings, start_over=start_over)
        if start_over:
            _remove(out)
        _write_settings(out, settings)
        records, whole = _read(path, kind) if path.exists() else ([], True)
        if not whole:  # a line that a crash cut off is written anew
            write_whole(path, b"".join(map(_line, records)))
        yield Keeper(path, records)


def check_folder(out: Path) -> None:
    """Refuse a folder where files of others would be written over: it has our names, and no settings of ours.

    Raises:
        EvaluationMismatch: it does.
        RecordsUnreadable: its settings are those of something else.
    """
    path = out / SETTINGS
    if path.exists():
        try:
            tree = json.loads(path.read_bytes())
        except (OSError, ValueError):
            tree = None
        if not isinstance(tree, dict) or not tree.keys() >= {"version", "digest", "settings"}:
            raise RecordsUnreadable(
                f"{path} is no record of an evaluation", "choose another --out, or remove that file"
            )
        return
    if found := [name for name in (RECORDS, SUMMARY, PAGE, JUDGE_PAGE) if (out / name).exists()]:
        raise EvaluationMismatch(
            f"{out} holds {' and '.join(found)} of something else",
            "choose another --out, or move what is there to another folder",
        )


def check_records(
    out: Path | None, settings: Mapping[str, Any], *, later: Collection[str] = (), start_over: bool
) -> None:
    """Refuse what `keep_records` would, as far as the settings are known: before the work that finds those of `later`.

    Raises:
        EvaluationMismatch: out holds records of other settings, and is not started over; or files that no evaluation
            has written.
        RecordsUnreadable: out holds damaged settings, and is not started over.
    """
    if out is None:
        return
    check_folder(out)
    if start_over or not (out / SETTINGS).exists():
        return
    before, asked = (
        {key: value for key, value in each.items() if key not in later} for each in (read_settings(out), settings)
    )
    _same(out, before, asked)


def read_settings(out: Path) -> dict[str, Any]:
    """The settings that the records in a folder were made with.

    Raises:
        RecordsUnreadable: it holds no evaluation, or one of another version.
    """
    path = out / SETTINGS
    try:
        tree = json.loads(path.read_bytes())
        settings, digest, version = tree["settings"], tree["digest"], tree["version"]
    except FileNotFoundError as exc:
        raise RecordsUnreadable(
            f"{out} holds no evaluation", "name a folder that `limner evaluate articles --out` has written"
        ) from exc
    except (OSError, ValueError, KeyError, TypeError) as exc:
        raise RecordsUnreadable(
            f"{path} is no record of an evaluation", "name a folder that `limner evaluate articles --out` has written"
        ) from exc
    if version != VERSION or not isinstance(settings, dict) or digest != _digest(settings):
        raise RecordsUnreadable(
            f"{path} was changed, or is of another version of Limner", "evaluate again with --start-over"
        )
    return settings


def read_records(out: Path) -> list[Record]:
    """The records in a folder, in the order of its documents.

    Raises:
        RecordsUnreadable: it holds none, or damaged ones.
    """
    path = out / RECORDS
    if not path.exists():
        raise RecordsUnreadable(
            f"{out} holds no evaluation", "name a folder that `limner evaluate articles` has written"
        )
    return _read(path, Record)[0]


def check_no_records(out: Path) -> None:
    """Refuse a folder for an evaluation that keeps no records, where it holds another one or foreign files.

    Raises:
        EvaluationMismatch: it does.
        RecordsUnreadable: out holds damaged settings.
    """
    check_folder(out)
    if (out / SETTINGS).exists() and read_settings(out) != _BY_PEOPLE:
        raise EvaluationMismatch(f"{out} holds another evaluation", "choose another --out")


def mark_folder(out: Path) -> None:
    """Make a folder that of an evaluation which keeps no records: the grades of people lie in their own files."""
    _write_settings(out, _BY_PEOPLE)


def write_summary(out: Path, summary: Mapping[str, Any]) -> None:
    """Keep the measures beside their records."""
    write_whole(out / SUMMARY, _json(summary))


def _read(path: Path, kind: type[R]) -> tuple[list[R], bool]:
    """The records of a file, and whether its last line is whole."""
    adapter = TypeAdapter(kind)
    try:
        lines = path.read_bytes().split(b"\n")
    except OSError as exc:
        raise RecordsUnreadable(f"cannot read {path}", exc.strerror or str(exc)) from exc
    records: list[R] = []
    for number, line in enumerate(lines[:-1], start=1):
        try:
            records.append(adapter.validate_json(line))
        except ValidationError as exc:
            raise RecordsUnreadable(
                f"{path} is damaged in line {number}, or of another kind of evaluation",
                "remove that line, or evaluate again with --start-over",
            ) from exc
    return records, not lines[-1]


def _write_settings(out: Path, settings: Mapping[str, Any]) -> None:
    tree = {"version": VERSION, "digest": _digest(settings), "settings": dict(settings)}
    write_whole(out / SETTINGS, _json(tree))


def _same(out: Path, before: Mapping[str, Any], asked: Mapping[str, Any]) -> None:
    if changed := [key for key in {**before, **asked} if before.get(key) != asked.get(key)]:
        raise EvaluationMismatch(
            f"{out} holds an evaluation with other {', '.join(changed)}",
            "choose another --out, or add --start-over to evaluate anew",
        )


def _remove(out: Path) -> None:
    for name in (SUMMARY, RECORDS):  # the settings are written over: without them nothing here would be known as ours
        try:
            (out / name).unlink(missing_ok=True)
        except OSError as exc:
            raise write_failed(out / name, exc) from exc


def _line(record: Kept) -> bytes:
    return json.dumps(asdict(record), ensure_ascii=False).encode("utf-8", "backslashreplace") + b"\n"


def _json(tree: Mapping[str, Any]) -> bytes:
    return (json.dumps(tree, ensure_ascii=False, indent=1) + "\n").encode("utf-8", "backslashreplace")


def _digest(settings: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()
