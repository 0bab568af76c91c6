"""The README's command reference against the command line itself."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from limner.cli.app import app
from limner.cli.settings import Settings

README = Path(__file__).resolve().parents[1] / "README.md"


def commands(command: Any, name: str = "limner") -> Iterator[tuple[str, Any]]:
    if not hasattr(command, "commands"):
        yield name, command
    for key, inner in getattr(command, "commands", {}).items():
        yield from commands(inner, f"{name} {key}")


def section(title: str) -> str:
    found = re.search(rf"^## {title}\n(.*?)(?=^## |\Z)", README.read_text(encoding="utf-8"), re.M | re.S)
    assert found is not None, f"README.md has no heading: ## {title}"
    return found[1]


def described(name: str) -> str:
    """What the reference says of one command: from its heading to the next."""
    found = re.search(rf"^### `{name}`\n(.*?)(?=^### |\Z)", section("Commands"), re.M | re.S)
    assert found is not None, f"README.md, Commands, has no heading: ### `{name}`"
    return found[1]


ALL = dict(commands(typer.main.get_command(app)))


def options(command: Any) -> set[str]:
    return {
        name for parameter in command.params for name in (*parameter.opts, *parameter.secondary_opts) if name[0] == "-"
    }


@pytest.mark.parametrize("name", ALL)
def test_every_command_is_described_with_its_options(name: str) -> None:
    text = described(name)
    assert set(re.findall(r"(?<![\w-])--?[a-z][a-z-]*", text)) == options(ALL[name]) - {"-h", "--help"}
    for parameter in ALL[name].params:
        if parameter.param_type_name == "argument":
            assert parameter.metavar in text


def test_no_other_command_is_described() -> None:
    assert set(re.findall(r"^### `(limner .*)`$", section("Commands"), re.M)) == ALL.keys()


def test_every_setting_is_described() -> None:
    text = section("Commands")
    assert [key for key in Settings.model_fields if not re.search(rf"^{key} = ", text, re.M)] == []
