"""What every engine must make of a folder alike."""

from __future__ import annotations

from pathlib import Path

from limner.index.library import Library

from ..colours import COLOURS, ColourEncoder


def results_of(library: Path) -> list[object]:
    """What a library holds and answers."""
    opened = Library.open(library, encoder=ColourEncoder())
    texts = [*COLOURS, "a red fox"]
    return [
        opened.records(),
        [part.tobytes() for part in opened.vectors()],
        [opened.search(text, 1000) for text in texts],
        opened.groups(),
    ]
