"""`limner chat`: a conversation about pictures, in a terminal or, one message a line, in a pipe."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..index.errors import LimnerError
from . import options, terminal
from .groups import Given, with_groups
from .running import RUNNING
from .wiring import about_embedded, model_options, wiring_of

if TYPE_CHECKING:
    from ..composer.chat import Conversation

_HELP = """\
/image PATH   bring a picture along with the next message
/save FILE    write the conversation as Markdown
/reset        begin anew
/help         this list
/quit         end, as Ctrl-D does
Ctrl-C stops a reply. A message that begins with / is written with two: //."""


@with_groups(RUNNING)
def chat(
    ctx: typer.Context,
    *,
    pictures: Annotated[
        list[Path] | None,
        typer.Argument(metavar="IMAGE...", help="Pictures that the first message is about.", show_default=False),
    ] = None,
    model: options.Model = None,
    running: Given,
    seed: options.Seed = None,
) -> None:
    """Talk with a model about pictures; in a pipe a line is a message, and standard output has the replies alone."""
    from ..composer.chat import Conversation
    from ..composer.words import NAME as BY_WORDS
    from .settings import load_settings

    settings = load_settings({"model": model, "seed": seed, **running})
    if settings.model == BY_WORDS:
        raise typer.BadParameter("words is no model that could talk", param_hint="--model")
    if note := about_embedded(settings.model):
        terminal.note(note)
    conversation = Conversation(wiring_of(ctx).model(settings.model, model_options(settings)), settings.seed)
    for path in pictures or ():
        _bring(conversation, path)
    talking = sys.stdin.isatty()
    if talking:
        terminal.err().print(f"Talking with {terminal.clean(conversation.model.name)}; /help lists the commands.")
    for line in _lines(talking=talking):
        if not _go_on(conversation, line, talking=talking):
            return


def _go_on(conversation: Conversation, line: str, *, talking: bool) -> bool:
    """Do what a line asks for; whether there is more to say."""
    if line.startswith("/") and not line.startswith("//"):
        name, _, rest = line[1:].partition(" ")
        if name in ("quit", "exit"):
            return False
        command = _COMMANDS.get(name)
        if command is None:
            terminal.error(f"there is no command /{name}", "/help lists them")
        else:
            _tried(lambda: command(conversation, rest.strip()))
        return True
    text = line.removeprefix("/") if line.startswith("//") else line
    if text.strip():
        _tried(lambda: _reply(conversation, text.strip(), talking=talking))
    return True


def _reply(conversation: Conversation, text: str, *, talking: bool) -> None:
    """Say a message and print the reply as it is made."""
    before = conversation.forgotten
    pieces = conversation.say(text)
    try:
        for number, piece in enumerate(pieces):
            if number == 0 and conversation.forgotten > before:
                terminal.note(
                    f"the model reads the conversation without its first {conversation.forgotten} messages: "
                    "there is no room for more"
                )
            _write(terminal.clean(piece, keep="\n\t"))
    except KeyboardInterrupt:
        pieces.close()
        if not talking:
            raise
        _write(" …")
    _write((" …" if conversation.circled else "") + ("\n\n" if talking else "\n"))
    if conversation.circled:
        terminal.note("the model said the same over and over; its reply was stopped")


def _write(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()


def _tried(work: Callable[[], None]) -> None:
    """What cannot be done is one line, and the conversation goes on."""
    try:
        work()
    except LimnerError as exc:
        terminal.error(exc.message, exc.hint)


def _bring(conversation: Conversation, path: Path) -> None:
    _tried(lambda: terminal.err().print(f"with the next message: {terminal.clean(conversation.add_picture(path))}"))


def _image(conversation: Conversation, rest: str) -> None:
    if not rest:
        terminal.error("/image needs the path of a picture", "/image PATH")
        return
    quoted = len(rest) > 1 and rest[0] == rest[-1] and rest[0] in "'\""
    _bring(conversation, Path(rest[1:-1] if quoted else rest))


def _save(conversation: Conversation, rest: str) -> None:
    path = Path(rest).expanduser()
    if not rest:
        terminal.error("/save needs the name of a file", "/save FILE")
    elif not conversation.turns:
        terminal.error("nothing was said yet", "say something first")
    elif path.exists() or path.is_symlink():
        terminal.error(f"{path} is there already", "give another name: nothing is overwritten")
    else:
        conversation.save(path)
        terminal.err().print(f"saved as {terminal.clean(path.absolute())}")


def _reset(conversation: Conversation, rest: str) -> None:
    conversation.reset()
    terminal.err().print("The conversation begins anew.")


def _help(conversation: Conversation, rest: str) -> None:
    terminal.err().print(_HELP)


_COMMANDS: dict[str, Callable[[Conversation, str], None]] = {
    "image": _image,
    "save": _save,
    "reset": _reset,
    "help": _help,
}


def _lines(*, talking: bool) -> Iterator[str]:
    """Yield what the user says, line by line, until the end of it."""
    if not talking:
        for line in sys.stdin.buffer:
            yield line.decode("utf-8", "replace").removeprefix("\ufeff").rstrip("\r\n")
        return
    with suppress(ImportError):  # Windows has its own
        import readline  # noqa: F401  (input() then edits lines and remembers them)
    while True:
        try:
            # Standard error is where input() would not put it when standard output is a file.
            yield input("> ") if sys.stdout.isatty() else _asked()
        except EOFError:
            _write("\n")
            return
        except KeyboardInterrupt:
            sys.stderr.write("\n")  # as a shell: the line is given up


def _asked() -> str:
    sys.stderr.write("> ")
    sys.stderr.flush()
    line = sys.stdin.readline()
    if not line:
        raise EOFError
    return line.rstrip("\n")
