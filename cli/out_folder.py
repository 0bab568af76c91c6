"""The folder that `--out` names, before anything is written to it."""

from __future__ import annotations

from pathlib import Path

import typer

from . import terminal


def check_folder(folder: Path, option: str) -> None:
    """Refuse a folder that cannot be made because a file stands in its way.

    Raises:
        typer.BadParameter: names the file.
    """
    nearest = next((path for path in (folder, *folder.parents) if path.exists()), None)
    if nearest is not None and not nearest.is_dir():
        raise typer.BadParameter(f"{terminal.clean(nearest)} is a file; name a folder", param_hint=option)


def check_out(out: Path) -> None:
    """Refuse to write an article, or a batch of some, into a library or in the place of a file.

    Raises:
        typer.BadParameter: that is what out is.
    """
    from ..index.manifest import MANIFEST_NAME

    check_folder(out, "--out")
    if (out / MANIFEST_NAME).is_file():
        raise typer.BadParameter(
            f"{terminal.clean(out)} is a library of pictures; name a folder of its own", param_hint="--out"
        )
