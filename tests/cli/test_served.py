"""`--model openai:NAME --base-url URL` of the commands, and `limner models list --base-url`."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from limner.cli.wiring import Wiring
from limner.composer.models.load import load_model
from limner.composer.models.options import ModelOptions
from limner.composer.models.served import ServedModel

from ..composer.servers import Exchange, ScriptedServer
from ..evaluation.judged import a_reply, write_article
from .conftest import Limner
from .fakes import ColourModel, colour_wiring


@pytest.fixture
def wiring() -> Iterator[Wiring]:
    models: list[ServedModel] = []

    def load(name: str, options: ModelOptions) -> ServedModel:
        model = load_model(name, options)
        assert isinstance(model, ServedModel)
        models.append(model)
        return model

    yield colour_wiring(model=load)
    for model in models:
        model.close()


def test_settings_reach_the_model(limner: Limner, library: Path, tmp_path: Path, own_folder: Path) -> None:
    asked: list[ModelOptions] = []

    def model(name: str, options: ModelOptions) -> ColourModel:
        asked.append(options)
        return ColourModel()

    (own_folder / "limner.toml").write_text(
        'base_url = "http://toml/v1"\npicture_tokens = 9\nmax_picture_side = 512\nmax_picture_bytes = 9999\n'
        "timeout_s = 7.5\nretries = 1\nmax_requests = 2\n"
    )
    command = ("compose", "red", "--library", library, "--out", tmp_path / "out", "--base-url", "http://flag/v1")
    result = limner(*command, "--dialect", "nano", "--context-tokens", 2000, wiring=colour_wiring(model=model))
    assert result.exit_code == 0, result.stderr
    assert asked == [
        ModelOptions(
            max_picture_side_px=512,
            base_url="http://flag/v1",
            dialect="nano",
            context_tokens=2000,
            picture_tokens=9,
            max_picture_bytes=9999,
            timeout_s=7.5,
            retries=1,
            max_requests=2,
        )
    ]


def test_a_served_judge_reads_as_many_articles_at_a_time_as_requests_may_be_under_way(
    limner: Limner, tmp_path: Path, own_folder: Path, server: ScriptedServer, wiring: Wiring
) -> None:
    def answer(exchange: Exchange) -> None:
        time.sleep(0.2)
        exchange.say(a_reply(3))

    server.script = [answer]
    (own_folder / "limner.toml").write_text("max_requests = 3\n")
    path = write_article(tmp_path / "a", "red")
    command = ("evaluate", "judge", path, "--judge", "openai:m", "--repeats", 6, "--base-url", server.base_url)
    done = limner(*command, wiring=wiring)

    assert done.exit_code == 0, done.stderr
    assert (server.most_under_way, len(server.asked)) == (3, 6)


def test_failure_of_a_server_is_one_line_and_a_hint(
    limner: Limner, library: Path, tmp_path: Path, server: ScriptedServer, wiring: Wiring
) -> None:
    server.script = [lambda exchange: exchange.fail(404, "The model `n` does not exist.")]
    command = ("compose", "red", "--library", library, "--out", tmp_path / "out", "--base-url", server.base_url)
    result = limner(*command, "--model", "openai:n", wiring=wiring)
    assert result.exit_code == 1
    assert result.stderr.splitlines()[-2:] == [f"error: {server.base_url} has no model 'n'", "hint: it has m"]
    missing = limner(*command[:-2], "--model", "openai:n", wiring=wiring)
    assert "--base-url" in missing.stderr.splitlines()[-1]


def test_models_list_shows_what_a_server_offers(limner: Limner, server: ScriptedServer) -> None:
    shown = limner("models", "list", "--base-url", server.base_url)
    tree = json.loads(limner("models", "list", "--base-url", server.base_url, "--json").stdout)
    assert shown.exit_code == 0 and "✓ openai:m" in shown.stdout
    assert {"tier": "served", "name": "openai:m", "present": True} in [
        {name: model[name] for name in ("tier", "name", "present")} for model in tree["models"]
    ]
    server.models = lambda exchange: exchange.fail(401, "no key")
    refused = limner("models", "list", "--base-url", server.base_url)
    assert refused.exit_code == 1 and "OPENAI_API_KEY" in refused.stderr
