"""The command line in this process, with fakes for what would load weights."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from limner.cli.app import app
from limner.cli.settings import PREFIX, Settings
from limner.cli.wiring import Wiring
from typer.testing import CliRunner, Result

from .fakes import colour_wiring

Limner = Callable[..., Result]


@pytest.fixture(autouse=True)
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Run in an empty folder: no limner.toml, no variables of whoever runs the tests."""
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    for key in (*Settings.model_fields, "api_key"):
        monkeypatch.delenv(f"{PREFIX}{key.upper()}", raising=False)
    monkeypatch.delenv("FORCE_COLOR", raising=False)
    return folder


@pytest.fixture
def limner() -> Limner:
    """limner("index", "info", ..., wiring=...): the command's exit_code, stdout and stderr."""

    def call(*args: object, wiring: Wiring | None = None, stdin: str | bytes | None = None) -> Result:
        return CliRunner().invoke(app, [str(arg) for arg in args], input=stdin, obj=wiring or colour_wiring())

    return call


@pytest.fixture
def library(limner: Limner, colour_folder: Path, tmp_path: Path) -> Path:
    """A library of the eight colours, built by the command."""
    folder = tmp_path / "library"
    assert limner("index", "build", colour_folder, "--library", folder).exit_code == 0
    return folder
