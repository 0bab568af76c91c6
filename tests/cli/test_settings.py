"""Flags before variables before limner.toml before defaults."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from limner.cli.settings import Settings, SettingsInvalid, load_settings

from .conftest import Limner


def test_defaults_hold_where_nothing_is_set() -> None:
    settings = load_settings({"model": None})

    assert settings == Settings()
    assert (settings.model, settings.candidates, settings.images, settings.device) == ("nano-vlm", 4, None, "auto")
    assert settings.format == ("html", "markdown")


def test_flags_go_before_variables_before_the_file(own_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (own_folder / "limner.toml").write_text('model = "file"\ndevice = "file"\nencoder = "file"\nimages = 2\n')
    monkeypatch.setenv("LIMNER_MODEL", "variable")
    monkeypatch.setenv("LIMNER_DEVICE", "variable")

    settings = load_settings({"model": "flag", "device": None})

    assert (settings.model, settings.device, settings.encoder, settings.images) == ("flag", "variable", "file", 2)


def test_lists_and_words_are_read_from_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LIMNER_FORMAT", "markdown, html")
    monkeypatch.setenv("LIMNER_IMAGES", "auto")
    monkeypatch.setenv("LIMNER_CANDIDATES", "6")

    settings = load_settings({})

    assert (settings.format, settings.images, settings.candidates) == (("markdown", "html"), None, 6)


def test_home_is_meant_by_a_tilde(own_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/somewhere")
    (own_folder / "limner.toml").write_text('library = "~/pictures"\n')

    assert load_settings({}).library == Path("/somewhere/pictures")


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ('modle = "x"', "limner.toml has an unknown key: modle", "did you mean `model`?"),
        ("batch-size = 3", "limner.toml has an unknown key: batch-size", "did you mean `batch_size`?"),
        ("zzz = 3", "limner.toml has an unknown key: zzz", "the keys are library, encoder,"),
        ("images = 0", "images in limner.toml cannot be 0", ""),
        ('images = "few"', "images in limner.toml cannot be 'few': must be auto or a number from 1", ""),
        ('format = ["pdf"]', "format in limner.toml cannot be", ""),
        ("model = ", "limner.toml is not valid TOML", "limner.toml"),
    ],
)
def test_bad_file_names_the_key_and_the_fix(own_folder: Path, text: str, message: str, hint: str) -> None:
    (own_folder / "limner.toml").write_text(text)

    with pytest.raises(SettingsInvalid) as caught:
        load_settings({})

    assert message in caught.value.message
    assert hint in caught.value.hint


def test_bad_variable_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LIMNER_SEED", "-4")

    with pytest.raises(SettingsInvalid, match="LIMNER_SEED cannot be '-4'"):
        load_settings({})


def test_command_takes_its_library_from_the_file(limner: Limner, library: Path, own_folder: Path) -> None:
    (own_folder / "limner.toml").write_text(f"library = {json.dumps(str(library))}\n")

    assert limner("index", "info").exit_code == 0


def test_command_reports_a_bad_file_in_one_line(limner: Limner, own_folder: Path) -> None:
    (own_folder / "limner.toml").write_text("libary = 'x'\n")

    result = limner("index", "info")

    assert result.exit_code == 1
    assert result.stderr.splitlines() == [
        "error: limner.toml has an unknown key: libary", "hint: did you mean `library`?"
    ]  # fmt: skip


def test_flag_turns_off_what_the_file_turns_on(own_folder: Path) -> None:
    (own_folder / "limner.toml").write_text("embed = true\n")

    assert load_settings({}).embed
    assert not load_settings({"embed": False}).embed
