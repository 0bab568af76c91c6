"""What a brief may say, as options of the command line, and `--dry-run`, which shows how it is understood."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from . import terminal

if TYPE_CHECKING:
    from ..composer.brief import BriefFields
    from ..composer.protocols import Message

_COMMAND_LINE = "the command line"

File = Annotated[
    Path | None,
    typer.Option("--brief", metavar="FILE", help="A brief.toml; flags win over it.", show_default=False),
]
Keywords = Annotated[
    str | None,
    typer.Option("--keywords", metavar="A,B", help="What the article brings together.", show_default=False),
]
Outline = Annotated[
    str | None,
    typer.Option(
        "--outline",
        metavar="FILE",
        help="The article's sections in order: a Markdown list, nested or not, or YAML.",
        show_default=False,
    ),
]
Material = Annotated[
    list[str] | None,
    typer.Option(
        "--material",
        metavar="FILE",
        help="Text or Markdown to work from; repeat it for more.",
        show_default=False,
    ),
]
Reference = Annotated[
    list[str] | None,
    typer.Option(
        "--reference",
        metavar="FILE",
        help="A picture of yours: read before writing, offered first, used once; repeat it, 10 at most.",
        show_default=False,
    ),
]
ReferencesOnly = Annotated[
    bool, typer.Option("--references-only", help="Take pictures from --reference alone; no library is needed.")
]
Language = Annotated[
    str | None,
    typer.Option(
        "--language",
        metavar="en|zh|de|...",
        help="The language of text and captions; checked.  (default: the model's choice)",
        show_default=False,
    ),
]
Length = Annotated[
    str | None,
    typer.Option(
        "--length",
        metavar="short|medium|long|N",
        help="About how long: N is words, in Chinese and Japanese characters.",
        show_default=False,
    ),
]
Tone = Annotated[
    str | None, typer.Option("--tone", metavar="TEXT", help="How it sounds: warm, sober.", show_default=False)
]
Audience = Annotated[
    str | None, typer.Option("--audience", metavar="TEXT", help="Who reads it: children of six.", show_default=False)
]
System = Annotated[
    str | None,
    typer.Option(
        "--system", metavar="TEXT", help="The writer's system message; @FILE reads a file.", show_default=False
    ),
]
Temperature = Annotated[
    str | None,
    typer.Option(
        "--temperature",
        metavar="T",
        help="How freely the writer draws, 0 to 2.  (default: 0.5)",
        show_default=False,
    ),
]
TopP = Annotated[
    str | None,
    typer.Option(
        "--top-p", metavar="P", help="Draw from the likeliest, up to this share.  (default: 0.9)", show_default=False
    ),
]
MaxNewTokens = Annotated[
    str | None,
    typer.Option(
        "--max-new-tokens",
        metavar="N",
        help="The longest answer of the writer.  (default: 4096, more for long articles)",
        show_default=False,
    ),
]
DryRun = Annotated[
    bool, typer.Option("--dry-run", help="Print the brief and the first prompt; load no model, write nothing.")
]


def fields_of(file: Path | None, flags: Mapping[str, Any], **defaults: Any) -> BriefFields:
    """What the flags say, else the file, else the defaults."""
    from ..composer.brief import BriefFields, brief_fields, read_brief
    from ..composer.errors import FieldInvalid

    fields = read_brief(file) if file else BriefFields()
    given = {key: value for key, value in flags.items() if value is not None and value is not False and value != []}
    try:
        flagged = brief_fields(given, folder=Path.cwd(), source=_COMMAND_LINE)
    except FieldInvalid as exc:
        reason = exc.message.removeprefix(f"{_COMMAND_LINE}: ")
        raise typer.BadParameter(reason, param_hint=f"--{exc.key.replace('_', '-')}") from exc
    return fields.over(flagged).or_else(**defaults)


def show(fields: BriefFields, messages: Sequence[Message], *, model: str, as_json: bool) -> None:
    """The brief as it is understood, as a brief.toml, and the first prompt, word for word."""
    import tomli_w

    from ..composer.protocols import Picture

    said = {key: _plain(value) for key, value in fields.said().items()}
    if as_json:
        prompt = [
            {
                "role": message.role,
                "parts": [{"picture": str(part.path)} if isinstance(part, Picture) else part for part in message.parts],
            }
            for message in messages
        ]
        terminal.print_json({"brief": said, "model": model, "prompt": prompt})
        return
    lines = [f"# The brief\n{tomli_w.dumps(said, multiline_strings=True)}", f"# The first prompt, for {model}\n"]
    for message in messages:
        text = "".join(f"[picture {part.path}]" if isinstance(part, Picture) else part for part in message.parts)
        lines.append(f"[{message.role}]\n{text}\n")
    typer.echo(terminal.clean("\n".join(lines), keep="\n\t"), nl=False)


def _plain(value: Any) -> Any:
    """A value as TOML and JSON have it."""
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    return value if isinstance(value, str | int | float | bool) else str(value)
