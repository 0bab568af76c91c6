"""How articles are made: the options of every command that makes some."""

from __future__ import annotations

from typing import Any

from . import options
from .groups import Given, Group

MAKING = Group(
    "making",
    {
        "library": options.Library,
        "images": options.Images,
        "candidates": options.Candidates,
        "permutations": options.Permutations,
        "fallback": options.Fallbacks,
        "model": options.Model,
        "writer": options.Writer,
        "selector": options.Selector,
        "format": options.Formats,
        "seed": options.Seed,
        "embed": options.Embed,
    },
)


def brief_flags(making: Given) -> dict[str, Any]:
    """Those of them that a brief may say too, by its keys."""
    flags = {key: making[key] for key in ("images", "candidates", "permutations", "seed")}
    return {**flags, "fallback": making["fallback"] and str(making["fallback"])}
