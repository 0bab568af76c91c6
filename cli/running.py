"""How models are run: the options that every command with a model has."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from .groups import Group
from .options import BaseUrl, from_one


def _option(name: str, metavar: str, says: str, kind: Any = str, **more: Any) -> Any:
    return Annotated[kind | None, typer.Option(name, metavar=metavar, help=says, show_default=False, **more)]


RUNNING = Group(
    "running",
    {
        "device": _option(
            "--device",
            "auto|cpu|cuda|cuda:N|map",
            "Where models run: auto takes a GPU where there is one, map spreads over all.  (default: auto)",
        ),
        "dtype": _option(
            "--dtype",
            "auto|float32|bfloat16|float16",
            "The numbers that models compute in.  (default: auto: as stored on a GPU, by size on a processor)",
        ),
        "quantize": _option(
            "--quantize",
            "none|8bit|4bit",
            "Bring a model's matrices to fewer bits, so that it takes less memory.  (default: none)",
        ),
        "attention": _option(
            "--attention",
            "auto|eager|sdpa|flash_attention_2",
            "How attention is computed.  (default: auto)",
        ),
        "max_picture_side": _option(
            "--max-picture-side",
            "PX",
            "Pictures are brought to this before the model sees them.  (default: 1024)",
            int,
            callback=from_one,
        ),
        "base_url": BaseUrl,
        "dialect": _option("--dialect", "NAME", "The prompts that a served model is asked with.  (default: limner)"),
        "context_tokens": _option(
            "--context-tokens",
            "N",
            "How many tokens a served model takes.  (default: what its server says, else 8192)",
            int,
            callback=from_one,
        ),
    },
)
