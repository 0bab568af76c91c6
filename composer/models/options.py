"""How models are to be run, whatever their kind; each adapter reads the fields that concern it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ModelOptions:
    """What the user has set about running models."""

    device: str = "auto"  # "auto", "cpu" or "cuda"
