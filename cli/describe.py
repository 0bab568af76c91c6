"""`limner index describe`: a model writes the alt texts and captions that nobody wrote."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from . import options, terminal
from .groups import Given, with_groups
from .running import RUNNING
from .wiring import model_options, own_device, own_folder, wiring_of, within_world

if TYPE_CHECKING:
    from pathlib import Path

    from ..index.describe import DescribeSummary


@with_groups(RUNNING)
def describe(
    ctx: typer.Context,
    *,
    library: options.Library = None,
    model: options.Model = None,
    running: Given,
    engine: options.Engines = None,
    address: options.Address = None,
    limit: Annotated[
        int | None,
        typer.Option(
            "--limit",
            metavar="N",
            callback=options.from_one,
            help="Describe N pictures at most, and the others another time.",
            show_default=False,
        ),
    ] = None,
    anyway: options.Anyway = False,
    as_json: options.Json = False,
) -> None:
    """Let a model write the alt texts and captions that are missing; people's words stay as they are."""
    from .settings import load_settings

    settings = load_settings({"library": library, "model": model, "engine": engine, "address": address, **running})
    folder = own_folder(settings.library)
    from ..composer.describe import Describer
    from ..index.describe import describe_library
    from .progress import Bar

    wiring = wiring_of(ctx)
    chosen = wiring.engine(settings)
    opened = wiring.library(folder, own_device(settings))
    within_world(wiring.check_library(settings.model, opened), anyway=anyway, warn=terminal.note)
    load = partial(wiring.model, settings.model, model_options(settings))
    # A cluster's machines load the model; this one need not be able to.
    loaded = load() if settings.engine is options.Engine.LOCAL else None
    name = loaded.name if loaded else settings.model
    with Bar("Describing") as bar:
        summary = describe_library(
            folder,
            model=name,
            say=Describer(load, loaded),
            limit=limit,
            sentences=opened.sentence_encoder,
            engine=chosen,
            progress=bar,
        )
    _show(folder, name, summary, as_json=as_json)


def _show(library: Path, model: str, summary: DescribeSummary, *, as_json: bool) -> None:
    if as_json:
        terminal.print_json(
            {
                "library": library.absolute(),
                "model": model,
                "described": summary.described,
                "left": summary.left,
                "skipped": [{"path": path, "reason": reason} for path, reason in summary.skipped],
            }
        )
        return
    console = terminal.out()
    if console.is_terminal:
        console.print("✓ ", style="green", end="")
    console.print(f"{terminal.clean(library.absolute())}: words by {terminal.clean(model)}")
    console.print(f"  described  {summary.described}")
    console.print(f"  left       {summary.left}")
    console.print(f"  skipped    {len(summary.skipped)}")
    for path, reason in summary.skipped:
        console.print(f"    {terminal.clean(path)}: {terminal.clean(reason)}")
