"""`limner index push`: a library brought to where others read it."""

from __future__ import annotations

from typing import Annotated

import typer

from . import options, terminal
from .wiring import own_folder


def push(
    address: Annotated[
        str, typer.Argument(metavar="ADDRESS", help="Where it goes: s3://bucket/library.", show_default=False)
    ],
    library: options.Library = None,
    as_json: options.Json = False,
) -> None:
    """Bring a library to object storage, where `--library ADDRESS` reads it; only new parts are copied."""
    from ..index.free import size
    from ..index.places import RemotePath, place
    from ..index.push import push as bring
    from .progress import Bytes
    from .settings import load_settings

    folder = own_folder(load_settings({"library": library}).library)
    if not isinstance(place(address), RemotePath):
        raise typer.BadParameter(
            f"{address!r} is no address; a folder of this machine is copied by the machine's own means",
            param_hint="ADDRESS",
        )
    with Bytes("Copying") as progress:
        done = bring(folder, address, progress=progress)
    if as_json:
        terminal.print_json(
            {"copied": done.copied, "bytes": done.bytes, "there_before": done.there_before, "removed": done.removed}
        )
        return
    copied = f"{done.copied} parts copied ({size(done.bytes)})"
    terminal.err().print(f"{terminal.clean(address)} is up to date: {copied}, {done.there_before} were there")
