"""What the composer's tests share."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from limner.composer.models import served_server
from limner.composer.models.load import load_model
from limner.composer.models.options import ModelOptions
from limner.composer.models.served import ServedModel

from .servers import ScriptedServer
from .serving import Connect


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update-golden", action="store_true", help="write the golden files anew; look at them then")


@pytest.fixture
def update_golden(request: pytest.FixtureRequest) -> bool:
    return bool(request.config.getoption("--update-golden", default=False))


@pytest.fixture
def no_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    """No key of the machine's own, and no long wait before a request is made again."""
    for name in ("LIMNER_API_KEY", "OPENAI_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(served_server, "FIRST_WAIT_S", 0.01)


@pytest.fixture
def connect(server: ScriptedServer, no_keys: None) -> Iterator[Connect]:
    """connect(name, **options): a model that the server has."""
    models: list[ServedModel] = []

    def make(name: str = "openai:m", **options: Any) -> ServedModel:
        model = load_model(name, ModelOptions(**{"base_url": server.base_url, "timeout_s": 5.0, **options}))
        assert isinstance(model, ServedModel)
        models.append(model)
        return model

    yield make
    for model in models:
        model.close()
