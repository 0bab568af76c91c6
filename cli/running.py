"""How models are run: the options that every command with a model has, declared once and given to it as one value."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Annotated, Any

import typer

from .options import from_one

RunningOptions = dict[str, Any] | None  # by the names of the settings; None for what was not given


def _option(name: str, metavar: str, says: str, kind: Any = str, **more: Any) -> Any:
    return Annotated[kind | None, typer.Option(name, metavar=metavar, help=says, show_default=False, **more)]


# By the names of the settings.
_OPTIONS: dict[str, Any] = {
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
}


def with_running(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command these options in the place of its parameter `running`: a dict by the names of the settings.

    Typer has no groups of options; it reads the signature, so that is where they are put.
    """
    signature = inspect.signature(command, eval_str=True)
    parameters: list[inspect.Parameter] = []
    for parameter in signature.parameters.values():
        if parameter.name == "running":
            parameters += [
                inspect.Parameter(name, parameter.KEYWORD_ONLY, default=None, annotation=annotation)
                for name, annotation in _OPTIONS.items()
            ]
        else:
            parameters.append(parameter.replace(kind=parameter.KEYWORD_ONLY))

    @functools.wraps(command)
    def call(**given: Any) -> None:
        running = {name: given.pop(name) for name in _OPTIONS}
        command(**given, running=running)

    call.__signature__ = signature.replace(parameters=parameters)  # pyright: ignore[reportAttributeAccessIssue]
    call.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return call
