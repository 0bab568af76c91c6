"""The run folder: what each step found, every model call, and so the way to go on after an interruption.

run/run.json          what was asked, of which models; a run is continued only with the same
run/draft.json        the text, once it is written
run/spots.json        the places and their captions
run/choice-001.json   what was decided at each place, in reading order
run/calls.jsonl       every model call: its prompt, and its reply or its answers' log-probabilities
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from ..index.atomic import write_failed, write_whole
from .article import Brief, Draft
from .article_json import brief_tree
from .errors import RunMismatch
from .models.passing import Passing
from .protocols import Message, Model, Picture, Sampling

VERSION = 1
_RUN = "run.json"
T = TypeVar("T")
GIVES_NONE = "the model gave no probabilities"


@dataclass(frozen=True, slots=True)
class Run:
    """A run folder that is open for writing."""

    folder: Path

    def step(self, name: str, kind: Any, make: Callable[[], T]) -> T:
        """What an earlier run found at this step, or what `make` finds now, kept for the next.

        Args:
            name: the step's file without its suffix.
            kind: the type of the result, for pydantic.
            make: does the work.

        Raises:
            WriteFailed: the result cannot be kept.
        """
        adapter: TypeAdapter[T] = TypeAdapter(kind)
        path = self.folder / f"{name}.json"
        if path.is_file():
            try:
                return adapter.validate_json(path.read_bytes())
            except ValidationError:
                pass  # half a file from a broken disk: the step is done again
        result = make()
        write_whole(path, adapter.dump_json(result, indent=1) + b"\n")
        return result

    def recorded(self, model: Model, step: str) -> Model:
        """The same model, with every call written down under the step's name."""
        return _Recorded(model, step, self.folder / "calls.jsonl")


def open_run(
    out: Path,
    *,
    brief: Brief,
    models: dict[str, str],
    draft: Draft | None,
    resume: bool,
    revisions: dict[str, str] | None = None,
) -> Run:
    """Open out/run, empty unless an earlier run of the same brief and models, at the same revisions, is continued.

    Raises:
        RunMismatch: another brief, draft or model was at work here, or there is nothing to resume.
        WriteFailed: the folder cannot be written.
    """
    folder = out / "run"
    asked = _asked(brief, draft) | {"models": models}
    if revisions:
        asked["revisions"] = revisions
    before = _before(out, resume=resume)
    if before is not None:
        _same(out, before, asked, {**before, **asked})
    if not resume and before is not None:
        _clear(folder)
    write_whole(folder / _RUN, (json.dumps(asked, ensure_ascii=False, indent=1) + "\n").encode())
    return Run(folder)


def check_run(out: Path, *, brief: Brief, draft: Draft | None, resume: bool) -> None:
    """Raise what `open_run` would for this brief and draft, whatever the models: to be asked before they are loaded.

    Raises:
        RunMismatch: another brief or draft was at work here, or there is nothing to resume.
    """
    asked = _asked(brief, draft)
    before = _before(out, resume=resume)
    if before is not None:
        _same(out, before, asked, asked)


def _asked(brief: Brief, draft: Draft | None) -> dict[str, Any]:
    source = "" if draft is None else hashlib.sha256(draft.markdown.encode()).hexdigest()
    return {"version": VERSION, "brief": brief_tree(brief), "draft": source}


def _before(out: Path, *, resume: bool) -> dict[str, Any] | None:
    """What the run that lies in `out` was asked for, or None where there is none."""
    folder = out / "run"
    before = _read(folder / _RUN)
    if before is not None and isinstance(before.get("brief"), dict) and before["brief"].get("where", "") is None:
        del before["brief"]["where"]  # older runs name it where none was asked for
    if resume and before is None and folder.exists():
        raise RunMismatch(f"{folder} holds no run that can be resumed", "leave --resume out to start over")
    return before


def _same(out: Path, before: Mapping[str, Any], asked: Mapping[str, Any], keys: Iterable[str]) -> None:
    if changed := ", ".join(key for key in keys if before.get(key) != asked.get(key)):
        raise RunMismatch(
            f"{out} holds another run (other {changed})", "choose another --out, or remove that folder to start over"
        )


def _read(path: Path) -> dict[str, Any] | None:
    try:
        values = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return None
    return values if isinstance(values, dict) else None


def _clear(folder: Path) -> None:
    try:
        for pattern in ("draft.json", "spots.json", "choice-*.json", "calls.jsonl"):
            for path in folder.glob(pattern):
                path.unlink()
    except OSError as exc:
        raise write_failed(folder, exc) from exc


@dataclass(frozen=True, slots=True)
class _Recorded(Passing):
    """A model whose calls are appended to a file, one JSON object a line."""

    model: Model
    step: str
    log: Path

    def generate(
        self, messages: Sequence[Message], *, sampling: Sampling, schema: Mapping[str, Any] | None = None
    ) -> Iterator[str]:
        pieces: list[str] = []
        for piece in self.model.generate(messages, sampling=sampling, schema=schema):
            pieces.append(piece)
            yield piece
        self._append(messages, {"sampling": asdict(sampling), "reply": "".join(pieces)})

    def score(self, messages: Sequence[Message], answers: Sequence[str]) -> list[float]:
        scores = self.model.score(messages, answers)
        if max(scores) == 0 and min(scores) == -math.inf:
            self._append(messages, {"answer": answers[scores.index(0)], "log_probabilities": None, "note": GIVES_NONE})
            return scores
        rounded = {
            answer: round(score, 6) if math.isfinite(score) else None  # JSON has no infinity
            for answer, score in zip(answers, scores, strict=True)
        }
        self._append(messages, {"log_probabilities": rounded})
        return scores

    def _append(self, messages: Sequence[Message], result: dict[str, Any]) -> None:
        prompt = [
            {
                "role": message.role,
                "parts": [{"picture": str(part.path)} if isinstance(part, Picture) else part for part in message.parts],
            }
            for message in messages
        ]
        line = json.dumps({"step": self.step, "model": self.name, "prompt": prompt, **result}, ensure_ascii=False)
        try:
            with self.log.open("a", encoding="utf-8") as file:
                file.write(line + "\n")
        except OSError as exc:
            raise write_failed(self.log, exc) from exc
