"""What the user sees: consoles made when they are needed, text from outside without its control characters."""

from __future__ import annotations

import json
import sys
import unicodedata
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from rich.console import Console


def help_if_alone(ctx: typer.Context) -> None:
    """A group called without a command says what it has."""
    if ctx.invoked_subcommand is None:
        typer.echo(ctx.get_help())


def out() -> Console:
    """The console for results: standard output."""
    from rich.console import Console

    return Console(highlight=False, soft_wrap=True, markup=False)


def err() -> Console:
    """The console for progress, notes and errors: standard error."""
    from rich.console import Console

    return Console(stderr=True, highlight=False, soft_wrap=True, markup=False)


def clean(text: object, *, keep: str = "") -> str:
    """The text without what would steer a terminal: a caption or a reply may hold escape sequences."""
    return "".join(_shown(character, keep) for character in str(text))


def _shown(character: str, keep: str) -> str:
    if character in keep:
        return character
    category = unicodedata.category(character)
    if category == "Cs":  # a byte of a file name that is not UTF-8
        return "\ufffd"
    if category in ("Cc", "Zl", "Zp"):
        return " " if character.isspace() else ""
    return character


def note(message: str) -> None:
    """One line of what the user should know."""
    err().print(f"note: {clean(message)}", style="yellow")


def error(message: str, hint: str = "") -> None:
    """The one line of a failure, and one of its fix."""
    console = err()
    console.print("error:", style="bold red", end=" ")
    console.print(clean(message))
    if hint:
        console.print("hint:", style="bold", end=" ")
        console.print(clean(hint))


def print_json(value: Any) -> None:
    """A machine's answer on standard output."""
    plain_letters = not (sys.stdout.encoding or "").lower().startswith("utf")
    text = json.dumps(value, indent=2, ensure_ascii=plain_letters, default=_as_text)
    # A file name that is not UTF-8 is held in lone surrogates; JSON can name them, UTF-8 cannot.
    sys.stdout.write(text.encode("utf-8", "backslashreplace").decode("utf-8") + "\n")


def _as_text(value: object) -> str:
    assert isinstance(value, Path), f"no JSON for {type(value)}"
    return str(value)


def print_paths(paths: dict[str, Path]) -> None:
    """Where results lie: labelled in a terminal, one bare path a line in a pipe."""
    console = out()
    width = max(map(len, paths), default=0)
    for label, path in paths.items():
        if console.is_terminal:
            console.print(f"  {label:<{width}}  ", style="dim", end="")
        console.print(clean(path))
