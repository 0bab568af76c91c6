"""`limner index train`: lists that the indexes of several libraries share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from . import options, terminal
from .wiring import library_folder, local_copy


def train(
    count: Annotated[
        int,
        typer.Option(
            "--for",
            metavar="N",
            callback=options.from_one,
            help="How many pictures all libraries will hold together.",
            show_default=False,
        ),
    ],
    out: Annotated[
        Path,
        typer.Option("--out", metavar="LISTS.faiss", help="The file to write, which must be new.", show_default=False),
    ],
    library: options.Library = None,
    index_type: Annotated[
        str | None,
        typer.Option(
            "--index-type",
            metavar="auto|ivf-sq8|ivf-rabitq",
            help="The type that the lists are for; auto goes by N.  (default: auto)",
            show_default=False,
        ),
    ] = None,
    as_json: options.Json = False,
) -> None:
    """Learn from a library the lists of large indexes, for `limner index build --lists`."""
    from .settings import load_settings

    settings = load_settings({"library": library, "index_type": index_type})
    sample = local_copy(library_folder(settings.library))
    from ..index.index_types import AUTO
    from ..index.lists import train_lists

    training = train_lists(sample, count, out, index_type=settings.index_type or AUTO)
    lists, path = training.lists, out.absolute()
    if lists.count < training.wanted:
        terminal.note(
            f"{count:,} pictures would have {training.wanted:,} lists; the library has pictures to learn "
            f"{lists.count:,} from, so searches will take longer"
        )
    if as_json:
        terminal.print_json(
            {
                "lists": path,
                "index_type": lists.index_type,
                "dimension": lists.dimension,
                "count": lists.count,
                "wanted": training.wanted,
                "vectors": training.vectors,
                "sha256": lists.sha256,
            }
        )
    else:
        terminal.out().print(
            f"{terminal.clean(path)}: {lists.count:,} lists for {lists.index_type}, "
            f"learnt from {training.vectors:,} vectors"
        )
