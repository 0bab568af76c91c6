"""`limner models`: what can write and choose, and what can search, here and now; and how more comes here."""

from __future__ import annotations

from dataclasses import fields
from enum import StrEnum
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from . import options, terminal
from .wiring import model_options, wiring_of

if TYPE_CHECKING:
    from ..composer.models.load import ModelInfo
    from ..composer.models.pull import Pulled


class Dtype(StrEnum):
    """The numbers of a converted model."""

    AUTO = "auto"
    FLOAT32 = "float32"
    BFLOAT16 = "bfloat16"
    FLOAT16 = "float16"


class Task(StrEnum):
    """What the adapters of XComposer 2.5 are for."""

    WRITE = "write"
    WEB = "web"
    NONE = "none"


_OPEN_CLIP = "open_clip:"
app = typer.Typer()

_TIERS = {
    "none": "Without a model",
    "embedded": "Embedded: came with Limner; made for its drawn picture-book world",
    "local": "Local: models on this machine",
    "served": "Served: models behind an address",
}


@app.callback(invoke_without_command=True)
def models(ctx: typer.Context) -> None:
    """See which models are at hand."""
    terminal.help_if_alone(ctx)


@app.command("list")
def list_models(ctx: typer.Context, base_url: options.BaseUrl = None, as_json: options.Json = False) -> None:
    """Show the three tiers of models, what is present and what each needs; with --base-url what a server offers."""
    from .settings import load_settings

    wiring = wiring_of(ctx)
    models, encoders = wiring.known_models(), wiring.encoders_at_hand()
    if base_url is not None:
        models += wiring.served_models(model_options(load_settings({"base_url": base_url})))
    if as_json:
        shown = ("tier", "name", "present", "needs", "note", "size_bytes", "reads_pictures")
        terminal.print_json(
            {"models": [{name: getattr(model, name) for name in shown} for model in models], "encoders": encoders}
        )
        return
    _show(models, encoders)


@app.command("pull")
def pull_model(
    ctx: typer.Context,
    name: Annotated[
        str,
        typer.Argument(
            metavar="NAME",
            help="A model of the hub, as ORGANISATION/NAME; or an encoder, as open_clip:ARCHITECTURE/TAG.",
            show_default=False,
        ),
    ],
    revision: Annotated[
        str | None,
        typer.Option(
            "--revision",
            metavar="R",
            help="A branch, a tag or a commit of the model.  (default: main)",
            show_default=False,
        ),
    ] = None,
    as_json: options.Json = False,
) -> None:
    """Fetch a model, or what is missing of it: the one command that uses the network."""
    from .progress import Bytes

    if name.startswith(_OPEN_CLIP):
        if revision is not None:
            raise typer.BadParameter("is for models alone, encoders have tags", param_hint="--revision")
        _pull_encoder(name.removeprefix(_OPEN_CLIP), as_json=as_json)
        return
    from ..composer.models.load import LOCAL_PREFIX, XCOMPOSER_PREFIX, full_name
    from ..composer.models.pull import pull
    from ..index.free import size

    own = name.removeprefix(LOCAL_PREFIX).removeprefix(XCOMPOSER_PREFIX)
    with Bytes(f"Fetching {own}") as bar:
        pulled = pull(own, revision or "main", progress=bar)
    if as_json:
        terminal.print_json({"model": full_name(pulled.name), **_fields(pulled)})
        return
    console = terminal.out()
    if console.is_terminal:
        console.print("✓ ", style="green", end="")
    console.print(terminal.clean(full_name(pulled.name)))
    console.print(f"  commit   {pulled.revision}")
    console.print(f"  size     {size(pulled.size_bytes)}, of which {size(pulled.fetched_bytes)} were fetched now")
    console.print(f"  folder   {terminal.clean(pulled.folder)}")


@app.command("convert")
def convert_model(
    name: Annotated[
        str,
        typer.Argument(
            metavar="MODEL",
            help="An official checkpoint of InternLM-XComposer, as xcomposer:FOLDER or xcomposer:ORGANISATION/NAME.",
            show_default=False,
        ),
    ],
    out: Annotated[
        Path, typer.Option("--out", metavar="DIR", help="The folder to write, not there yet.", show_default=False)
    ],
    dtype: Annotated[
        Dtype, typer.Option("--dtype", help="The numbers to store.  (default: auto: as they are)", show_default=False)
    ] = Dtype.AUTO,
    task: Annotated[
        Task,
        typer.Option(
            "--task", help="Which adapters of 2.5 become part of the weights.  (default: write)", show_default=False
        ),
    ] = Task.WRITE,
    as_json: options.Json = False,
) -> None:
    """Make a folder of a checkpoint of InternLM-XComposer that loads directly from then on."""
    from ..composer.models.load import XCOMPOSER_PREFIX
    from ..composer.models.xcomposer.checkpoint import find_xcomposer
    from ..composer.models.xcomposer.convert import convert, plan_conversion
    from ..index.free import size
    from .progress import Bytes

    if not name.startswith(XCOMPOSER_PREFIX):
        raise typer.BadParameter(f"is {XCOMPOSER_PREFIX}FOLDER or a name behind the same", param_hint="MODEL")
    source = name.removeprefix(XCOMPOSER_PREFIX)
    conversion = plan_conversion(find_xcomposer(source, task.value), out, dtype=dtype.value)
    number = str(conversion.dtype).removeprefix("torch.")
    terminal.err().print(f"{size(conversion.size_bytes)} of {number} are going to be written to {terminal.clean(out)}")
    with Bytes(f"Converting {source}") as bar:
        convert(conversion, progress=bar)
    if as_json:
        said = {"model": f"{XCOMPOSER_PREFIX}{out}", "size_bytes": conversion.size_bytes, "dtype": number}
        terminal.print_json({**said, "task": task.value})
        return
    console = terminal.out()
    if console.is_terminal:
        console.print("✓ ", style="green", end="")
    console.print(terminal.clean(f"{XCOMPOSER_PREFIX}{out}"))


def _fields(pulled: Pulled) -> dict[str, object]:
    return {field.name: getattr(pulled, field.name) for field in fields(pulled) if field.name != "name"}


def _pull_encoder(name: str, *, as_json: bool) -> None:
    from ..composer.models.pull import pull_file
    from ..index.encoder import hub_source
    from .progress import Bytes

    with Bytes(f"Fetching {name}") as bar:
        path = pull_file(*hub_source(name), progress=bar)
    if as_json:
        terminal.print_json({"encoder": name, "path": path})
        return
    console = terminal.out()
    if console.is_terminal:
        console.print("✓ ", style="green", end="")
    console.print(terminal.clean(name))
    console.print(f"  weights  {terminal.clean(path)}")


def _show(models: list[ModelInfo], encoders: list[str]) -> None:
    from ..index.free import size

    console = terminal.out()
    console.print("Models, for --model", style="bold")
    ranked = sorted(models, key=lambda model: [*_TIERS, model.tier].index(model.tier))
    for tier, group in groupby(ranked, key=lambda model: model.tier):
        console.print(f"  {_TIERS.get(tier, tier)}")
        for model in group:
            console.print("    ✓ " if model.present else "    - ", style="green" if model.present else "dim", end="")
            console.print(f"{terminal.clean(model.name)}{'' if model.present else '  (not here)'}")
            stored = size(model.size_bytes) if model.size_bytes else ""
            for line in (stored, model.needs and f"needs {model.needs}", model.note):
                if line:
                    console.print(f"        {terminal.clean(line)}", style="dim")
    console.print("Encoders, for --encoder", style="bold")
    for name in encoders:
        console.print("    ✓ ", style="green", end="")
        console.print(terminal.clean(name))
    pulled = "ARCHITECTURE/TAG of open_clip after `limner models pull open_clip:ARCHITECTURE/TAG`"
    console.print(f"    any open_clip folder, or {pulled}", style="dim")
