"""`limner models`: what can write and choose, and what can search, here and now."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING

import typer

from . import options, terminal
from .wiring import model_options, wiring_of

if TYPE_CHECKING:
    from ..composer.models.load import ModelInfo

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
        fields = ("tier", "name", "present", "needs", "note")
        terminal.print_json(
            {"models": [{name: getattr(model, name) for name in fields} for model in models], "encoders": encoders}
        )
        return
    _show(models, encoders)


def _show(models: list[ModelInfo], encoders: list[str]) -> None:
    console = terminal.out()
    console.print("Models, for --model", style="bold")
    ranked = sorted(models, key=lambda model: [*_TIERS, model.tier].index(model.tier))
    for tier, group in groupby(ranked, key=lambda model: model.tier):
        console.print(f"  {_TIERS.get(tier, tier)}")
        for model in group:
            console.print("    ✓ " if model.present else "    - ", style="green" if model.present else "dim", end="")
            console.print(f"{terminal.clean(model.name)}{'' if model.present else '  (not here)'}")
            for line in (model.needs and f"needs {model.needs}", model.note):
                if line:
                    console.print(f"        {terminal.clean(line)}", style="dim")
    console.print("Encoders, for --encoder", style="bold")
    for name in encoders:
        console.print("    ✓ ", style="green", end="")
        console.print(terminal.clean(name))
    console.print(
        "    any open_clip folder, or ARCHITECTURE/TAG of open_clip once it is in the local cache", style="dim"
    )
