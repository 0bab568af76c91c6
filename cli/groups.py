"""Options that several commands have, declared once as a group and given to each command as one value.

Typer has no groups of options; it reads a command's signature, so that is where they are put.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

Given = Mapping[str, Any]  # what was given on the command line, by the names of the settings; None for what was not


@dataclass(frozen=True, slots=True)
class Group:
    """Options by the names of the settings, and the parameter of a command in whose place they stand."""

    parameter: str
    options: Mapping[str, Any]  # annotations, as Typer reads them


def with_groups(*groups: Group) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Give a command the options of these groups, each in the place of its parameter, which takes a `Given`."""
    at = {group.parameter: group.options for group in groups}

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        signature = inspect.signature(command, eval_str=True)
        parameters: list[inspect.Parameter] = []
        for parameter in signature.parameters.values():
            if parameter.name in at:
                parameters += [
                    inspect.Parameter(name, parameter.KEYWORD_ONLY, default=None, annotation=annotation)
                    for name, annotation in at[parameter.name].items()
                ]
            else:
                parameters.append(parameter.replace(kind=parameter.KEYWORD_ONLY))

        @functools.wraps(command)
        def call(**given: Any) -> None:
            taken = {name: {key: given.pop(key) for key in options} for name, options in at.items()}
            command(**given, **taken)

        call.__signature__ = signature.replace(parameters=parameters)  # pyright: ignore[reportAttributeAccessIssue]
        call.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
        return call

    return decorate
