"""`limner index duplicates`, `verify` and `compact`: what a library needs now and then."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from . import options, terminal
from .summary import pictures
from .wiring import encoder_device, library_folder, own_folder, wiring_of

_SHOWN_FAULTS = 20


def duplicates(ctx: typer.Context, library: options.Library = None, as_json: options.Json = False) -> None:
    """Show the groups of pictures that are the same one again; an article uses one of a group."""
    from .settings import load_settings

    settings = load_settings({"library": library})
    groups = wiring_of(ctx).library(library_folder(settings.library), encoder_device(settings)).groups()
    if as_json:
        terminal.print_json(
            [
                [{"id": image.id, "path": image.path, "exact": image.hash == group[0].hash} for image in group]
                for group in groups
            ]
        )
        return
    for number, group in enumerate(groups):
        if number:
            typer.echo()
        for image in group:
            typer.echo(terminal.clean(image.path))
    extra = sum(map(len, groups)) - len(groups)
    number = f"{len(groups)} group{'' if len(groups) == 1 else 's'}"
    terminal.note(f"{number}: {pictures(extra)} {'is' if extra == 1 else 'are'} one of the others again")


def verify(
    library: options.Library = None,
    files: Annotated[bool, typer.Option("--files", help="Look at each picture's file too.")] = False,
    repair: Annotated[
        bool, typer.Option("--repair", help="Make index, words and duplicates anew from catalogue and vectors.")
    ] = False,
    as_json: options.Json = False,
) -> None:
    """Check every part of a library, and say what is wrong and which command mends it."""
    from ..index.verify import repair as mend
    from ..index.verify import verify as check
    from .settings import load_settings

    folder = own_folder(load_settings({"library": library}).library)
    if repair:
        mend(folder)
    faults = check(folder, files=files)
    if as_json:
        terminal.print_json(
            {
                "library": folder.absolute(),
                "whole": not faults,
                "faults": [{"part": fault.part, "what": fault.what, "fix": fault.fix} for fault in faults],
            }
        )
    else:
        _show(folder, [(fault.part, fault.what) for fault in faults], list(dict.fromkeys(f.fix for f in faults)))
    if faults:
        raise typer.Exit(1)


def compact(
    library: options.Library = None, index_type: options.IndexType = None, as_json: options.Json = False
) -> None:
    """Write a library anew without what is gone from it; builds do so by themselves when it pays."""
    from ..index.compact import compact as rewrite
    from ..index.free import size
    from .settings import load_settings

    settings = load_settings({"library": library, "index_type": index_type})
    folder = own_folder(settings.library)
    freed = rewrite(folder, index_type=settings.index_type)
    if as_json:
        terminal.print_json({"library": folder.absolute(), "freed_bytes": freed})
    else:
        terminal.out().print(f"{terminal.clean(folder.absolute())}: {size(freed)} freed")


def _show(folder: Path, faults: list[tuple[str, str]], fixes: list[str]) -> None:
    console = terminal.out()
    if not faults:
        console.print(f"{terminal.clean(folder.absolute())}: whole")
        return
    for part, what in faults[:_SHOWN_FAULTS]:
        console.print(f"{terminal.clean(part)}: {terminal.clean(what)}")
    if len(faults) > _SHOWN_FAULTS:
        console.print(f"and {len(faults) - _SHOWN_FAULTS} more")
    for fix in fixes:
        terminal.note(f"to mend it: {fix}")
