"""`limner describe`: a sentence for each picture, to read or for another program."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TextIO

import typer

from ..index.errors import LimnerError, PictureUnreadable
from . import options, terminal
from .groups import Given, with_groups
from .running import RUNNING
from .wiring import about_embedded, model_options, wiring_of

if TYPE_CHECKING:
    from ..composer.protocols import Model


class CaptionsInTheWay(LimnerError):
    """A file of captions that is there already, or is not one."""


@with_groups(RUNNING)
def describe(
    ctx: typer.Context,
    *,
    pictures: Annotated[
        list[Path],
        typer.Argument(
            metavar="IMAGE...", help="Pictures, and folders with all that is below them.", show_default=False
        ),
    ],
    model: options.Model = None,
    running: Given,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            metavar="FILE",
            help="Write there instead of standard output, a line a picture.",
            show_default=False,
        ),
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with FILE: pictures that it has already are left out.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON object a line.")] = False,
) -> None:
    """Describe pictures, one sentence each; what cannot be read is named, and the others go on."""
    from ..composer.words import NAME as BY_WORDS
    from ..index.scan import scan
    from .settings import load_settings

    settings = load_settings({"model": model, **running})
    if resume and out is None:
        raise typer.BadParameter("goes on with a file; name it with --out", param_hint="--resume")
    if settings.model == BY_WORDS:
        raise typer.BadParameter("words is no model that could see", param_hint="--model")
    failed = [(path, "does not exist") for path in pictures if not path.exists()]
    present = [path for path in pictures if path.exists()]
    found = scan(present) if present else None
    if found:
        failed += [*found.skipped, *found.unread_folders]
    paths = sorted(found.pictures) if found else []
    waiting = paths
    with ExitStack() as stack:
        file = sys.stdout
        if out is not None:
            known, file = _open(out, stack, resume=resume, as_json=as_json)
            waiting = [path for path in paths if (path if as_json else _escaped(path)) not in known]
        without: list[tuple[Path, str]] = []
        if waiting:
            if note := about_embedded(settings.model):
                terminal.note(note)
            loaded = wiring_of(ctx).model(settings.model, model_options(settings))
            without = _describe(waiting, loaded, file, as_json=as_json, aside=out is not None)
    failed += without
    for path, reason in failed:
        terminal.error(f"{path}: {reason}")
    if out is not None:
        before = len(paths) - len(waiting)
        terminal.err().print(f"{len(waiting) - len(without)} described, {before} before, {len(failed)} without words")
    if failed:
        raise typer.Exit(1)


def _describe(
    paths: Sequence[str], model: Model, file: TextIO, *, as_json: bool, aside: bool
) -> list[tuple[Path, str]]:
    """Write a line for each picture, at once; those that have none with the reason."""
    from ..composer.describe import describe as sentence_for
    from .progress import Bar

    failed: list[tuple[Path, str]] = []
    with Bar("Describing") as bar:
        for number, path in enumerate(paths, start=1):
            try:
                caption = sentence_for(Path(path), model)
            except PictureUnreadable as exc:
                failed.append((Path(path), exc.hint or exc.message))
            else:
                file.write(_line(path, caption, model.name, as_json=as_json) + "\n")
                file.flush()
            if aside or not sys.stdout.isatty():
                bar(number, len(paths))
    return failed


def _line(path: str, caption: str, model: str, *, as_json: bool) -> str:
    if as_json:
        return json.dumps({"path": path, "caption": caption, "model": model}, ensure_ascii=True)
    return f"{_escaped(path)}\t{terminal.clean(caption)}"


def _escaped(path: str) -> str:
    r"""A path without what would end it or its line: \t, \n, \r and \\; a byte that is not UTF-8 as \udcXX."""
    names = {"\\": r"\\", "\t": r"\t", "\n": r"\n", "\r": r"\r"}
    plain = "".join(names.get(character, character) for character in path)
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode() for character in plain
    )


def _open(out: Path, stack: ExitStack, *, resume: bool, as_json: bool) -> tuple[set[str], TextIO]:
    """The paths that the file has, and the file to append to.

    Raises:
        CaptionsInTheWay: it is there and was not to be gone on with, or it holds something else.
        WriteFailed: the disk refused.
    """
    from ..index.atomic import write_failed

    if out.exists() and not resume:
        raise CaptionsInTheWay(f"{out} is there already", "--resume goes on with it; or give another file")
    try:
        data = out.read_bytes() if out.exists() else b""
        whole = data[: data.rfind(b"\n") + 1]  # a line that a kill cut is written again
        known = set(_known(out, whole, as_json=as_json))
        out.parent.mkdir(parents=True, exist_ok=True)
        file = stack.enter_context(out.open("a", encoding="utf-8", newline="\n"))
        file.truncate(len(whole))
    except OSError as exc:
        raise write_failed(out, exc) from exc
    return known, file


def _known(out: Path, data: bytes, *, as_json: bool) -> Iterator[str]:
    for number, line in enumerate(data.splitlines(), start=1):
        try:
            if as_json:
                yield str(json.loads(line)["path"])
            else:
                path, tab, _ = line.decode().partition("\t")
                if not tab:
                    raise ValueError("no tab")
                yield path
        except (ValueError, KeyError, TypeError) as exc:
            kind = "a JSON object with a path" if as_json else "a path, a tab and a caption"
            raise CaptionsInTheWay(
                f"{out}, line {number}, is not {kind}", "give the options that it was begun with, or another file"
            ) from exc
