"""`limner index merge`: several libraries become one."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from . import options
from .summary import show_summary
from .wiring import local_copy, own_device, own_folder, wiring_of


def merge(
    ctx: typer.Context,
    libraries: Annotated[
        list[Path],
        typer.Argument(metavar="LIBRARY...", help="Libraries of one encoder, or their addresses.", show_default=False),
    ],
    library: options.Library = None,
    index_type: options.IndexType = None,
    device: options.Device = None,
    as_json: options.Json = False,
) -> None:
    """Make one library of several, without their pictures; it keeps its ids when it is merged again."""
    from ..index.merge import merge as unite
    from .progress import Bar
    from .settings import load_settings

    settings = load_settings({"library": library, "index_type": index_type, "device": device})
    folder, wiring = own_folder(settings.library), wiring_of(ctx)
    with Bar("Merging") as bar:
        summary = unite(
            [local_copy(shard) for shard in libraries],
            folder,
            index_type=settings.index_type,
            load_sentences=lambda name: wiring.sentence_encoder(name, own_device(settings)),
            progress=bar,
        )
    show_summary(folder, summary, as_json=as_json)
