"""The command `limner`: its groups put together, and every failure turned into one line and an exit code."""

from __future__ import annotations

import os
import sys
import warnings
from importlib.metadata import version
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from ..index.errors import LimnerError
from . import batch, chat, compose, demo, describe_pictures, evaluate, index, models, render, terminal

_AGAIN = "run the same command again: it goes on where it stopped"
_WITH_RESUME = "run the same command again with --resume: it goes on where it stopped"
_AFTER_INTERRUPT = {
    "index": _AGAIN,
    "models": "run the same command again: a download goes on where it stopped, a conversion begins anew",
    "demo": _AGAIN,
    "compose": _WITH_RESUME,
    "illustrate": _WITH_RESUME,
    "batch": _WITH_RESUME,
    "evaluate": "with --out DIR the same command goes on where it stopped",
    "describe": "with --out FILE and --resume the same command goes on where it stopped",
}


class _Limner(TyperGroup):
    """Where errors end: no traceback reaches the user unless --debug asks for it."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            terminal.error("stopped; nothing is lost", _AFTER_INTERRUPT.get(ctx.invoked_subcommand, ""))
            raise typer.Exit(130) from None
        except (typer.Exit, typer.Abort, typer.TyperException, BrokenPipeError):
            raise
        except LimnerError as exc:
            if ctx.params["debug"]:
                raise
            terminal.error(exc.message, exc.hint)
            raise typer.Exit(1) from exc
        except Exception as exc:
            if ctx.params["debug"]:
                raise
            terminal.error(
                f"unexpected {type(exc).__name__}: {exc}",
                "this is a fault in Limner: `limner --debug COMMAND ...` shows where it lies, for a report",
            )
            raise typer.Exit(1) from exc

    def main(self, *args: Any, standalone_mode: bool = True, **extra: Any) -> Any:
        try:
            code = super().main(*args, standalone_mode=False, **extra)
        except typer.TyperException as exc:
            if not standalone_mode:
                raise
            context = getattr(exc, "ctx", None)
            terminal.error(exc.format_message(), f"`{context.command_path} --help`" if context else "")
            code = exc.exit_code
        if standalone_mode:
            sys.exit(code if isinstance(code, int) else 0)
        return code


app = typer.Typer(
    cls=_Limner,
    name="limner",
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(asked: bool) -> None:
    if asked:
        typer.echo(f"limner {version('limner')}")
        raise typer.Exit


@app.callback(invoke_without_command=True)
def limner(
    ctx: typer.Context,
    show_version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and stop.")
    ] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
) -> None:
    """Illustrated articles from a writing instruction and a folder of your own pictures."""
    terminal.help_if_alone(ctx)


app.add_typer(index.app, name="index")
app.command("compose")(compose.compose)
app.command("illustrate")(compose.illustrate)
app.command("batch")(batch.batch)
app.command("chat")(chat.chat)
app.command("describe")(describe_pictures.describe)
app.command("render")(render.render)
app.add_typer(evaluate.app, name="evaluate")
app.add_typer(models.app, name="models")
app.command("demo")(demo.demo)


def main() -> None:
    """The entry point of the command."""
    if not sys.warnoptions:
        # Libraries warn their developers; a user can do nothing about it.
        warnings.simplefilter("ignore")
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    app()
