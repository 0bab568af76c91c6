"""What an evaluation loads, and what its user should know of it before the figures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from . import terminal
from .out_folder import check_folder
from .wiring import about_embedded, encoder_device, model_options, wiring_of

if TYPE_CHECKING:
    from ..composer.models.options import ModelOptions
    from ..evaluation.seen import Seen
    from ..evaluation.systems import Systems
    from ..index.encoder import Encoder
    from .settings import Settings


def check_model(ctx: typer.Context, settings: Settings, model: str | None, *, selects: bool = True) -> None:
    """Refuse a name that no model has, or one that cannot run here, before anything is read or loaded."""
    from ..composer.words import NAME as BY_WORDS

    if model == BY_WORDS:
        raise typer.BadParameter("words is no model; it is measured as a baseline", param_hint="--model")
    if model:
        wiring_of(ctx).check_models([(model, _options(settings, selects=selects))])


def load_systems(
    ctx: typer.Context,
    settings: Settings,
    *,
    model: str | None,
    encoder: str | None,
    sentences: str | None = None,
    selects: bool = True,
) -> Systems:
    """Load what is named, a note first where the model knows one world alone; one that selects must read pictures.

    The model comes last: it takes longest, and a name that no encoder has is told before.
    """
    from ..composer.protocols import reads_pictures
    from ..evaluation.remembered import Remembered
    from ..evaluation.systems import Systems

    wiring, device = wiring_of(ctx), encoder_device(settings)
    if model and (note := about_embedded(model)):
        terminal.note(note)
    seeing = wiring.encoder(encoder, device) if encoder else None
    reading = Remembered(wiring.sentence_encoder(sentences, device)) if sentences else None
    loaded = wiring.model(model, _options(settings, selects=selects)) if model else None
    if loaded and selects and not reads_pictures(loaded):
        raise typer.BadParameter(f"{model} reads no pictures; leave selection out of --tasks", param_hint="--model")
    return Systems(reading, loaded, seeing)


def _options(settings: Settings, *, selects: bool) -> ModelOptions:
    return replace(model_options(settings), reads_pictures=selects)


def look(sources: Sequence[Path], encoder: Encoder, library: Path) -> Seen:
    """Let an encoder see pictures, and say what it could not see."""
    from ..evaluation.seen import see
    from .progress import Bar

    with Bar("Looking at the pictures") as bar:
        seen = see(sources, encoder, library, bar)
    if seen.caution:
        terminal.note(seen.caution)
    if seen.skipped:
        terminal.note(f"{seen.skipped} pictures could not be read: {encoder.name} says nothing of them")
    return seen


def checked_candidates(given: int) -> int:
    """How many candidates a model chooses from: two or more, or there is nothing to choose."""
    from ..composer.select import MAX_CANDIDATES

    if not 2 <= given <= MAX_CANDIDATES:
        raise typer.BadParameter(f"must be from 2 to {MAX_CANDIDATES}, not {given}", param_hint="-m")
    return given


def check_outputs(out: Path | None, html: Path | None, *, start_over: bool) -> None:
    """Refuse to start over what is not kept, and what could not be written, or must not, once all the work is done."""
    from ..evaluation.records import check_folder as check_records

    if html is not None and html.is_dir():
        raise typer.BadParameter(f"{terminal.clean(html)} is a folder; name a file for the page", param_hint="--html")
    if out is not None:
        check_folder(out, "--out")
    if html is not None:
        check_folder(html.parent, "--html")
    if start_over and out is None:
        raise typer.BadParameter(
            "is for an evaluation that is kept; name its folder by --out", param_hint="--start-over"
        )
    if out is not None:
        check_records(out)
