"""The folder that `--out` names, before anything is written to it."""

from __future__ import annotations

from pathlib import Path

from ..index.errors import LimnerError


class OutTaken(LimnerError):
    """What is to receive an article is a file, or a library of pictures."""


def check_out(out: Path) -> None:
    """Refuse to write an article, or a batch of some, into a library or in the place of a file.

    Raises:
        OutTaken: that is what out is.
    """
    from ..index.manifest import MANIFEST_NAME

    if out.exists() and not out.is_dir():
        raise OutTaken(f"{out} is a file", "name a folder for --out, new or of an earlier run")
    if (out / MANIFEST_NAME).is_file():
        raise OutTaken(f"{out} is a library of pictures", "name a folder of its own for --out")
