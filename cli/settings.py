"""What the user has set: flags before LIMNER_* variables before limner.toml in the current folder before defaults."""

from __future__ import annotations

import difflib
import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, ValidationError
from pydantic_settings import BaseSettings, NoDecode, PydanticBaseSettingsSource, SettingsConfigDict
from pydantic_settings import TomlConfigSettingsSource as TomlFile

from ..composer.models.options import DEFAULT_SIDE_PX, Attention, Dtype, Quantize
from ..index.errors import LimnerError
from .options import Engine, Fallback, Format, images_from

FILE_NAME = "limner.toml"
PREFIX = "LIMNER_"


class SettingsInvalid(LimnerError):
    """A setting that is not one, or has a value that cannot be."""


def _split(value: object) -> object:
    """A list in one variable: LIMNER_FORMAT=html,markdown."""
    return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value


def _images(value: object) -> object:
    return images_from(value) if isinstance(value, str) else value


class Settings(BaseSettings):
    """Everything that may be set other than by a flag; the field names are the keys of limner.toml."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, env_ignore_empty=True, extra="forbid", frozen=True)

    library: Annotated[Path | None, AfterValidator(lambda path: path and path.expanduser())] = None
    encoder: str | None = None  # None: the library's own, nano-clip for a new one
    precision: Literal["auto", "fp32", "bf16", "fp16"] = "auto"
    sentences: str | None = None  # None: the library's own, none for a new one
    index_type: str | None = None  # None: the library's own, auto for a new one
    device: str = "auto"
    workers: Annotated[int, Field(ge=1)] | None = None
    processes: bool = False
    batch_size: Annotated[int, Field(ge=1)] = 32
    max_pixels: Annotated[int, Field(ge=1)] = 100_000_000
    max_bytes: Annotated[int, Field(ge=1)] = 200_000_000
    engine: Engine = Engine.LOCAL
    address: str | None = None  # of a Ray cluster; None: RAY_ADDRESS, else this machine
    model: str = "nano-vlm"
    writer: str | None = None  # None: the model
    selector: str | None = None  # None: the model
    dtype: Dtype = "auto"
    quantize: Quantize = "none"
    attention: Attention = "auto"
    max_picture_side: Annotated[int, Field(ge=32)] = DEFAULT_SIDE_PX
    images: Annotated[Annotated[int, Field(ge=1)] | None, BeforeValidator(_images)] = None
    candidates: Annotated[int, Field(ge=1)] = 4
    permutations: Annotated[int, Field(ge=1)] = 1
    fallback: Fallback = Fallback.SKIP
    format: Annotated[tuple[Format, ...], NoDecode, BeforeValidator(_split), Field(min_length=1)] = tuple(Format)
    embed: bool = False
    seed: Annotated[int, Field(ge=0)] = 0
    base_url: str | None = None  # of the server of a served model
    dialect: str | None = None  # None: the prompts for models of this kind
    context_tokens: Annotated[int, Field(ge=512)] | None = None  # of a served model; None: what its server says
    picture_tokens: Annotated[int, Field(ge=1)] = 1024
    max_picture_bytes: Annotated[int, Field(ge=4096)] = 1_000_000
    timeout_s: Annotated[float, Field(gt=0)] = 120.0
    retries: Annotated[int, Field(ge=0, le=20)] = 4
    max_requests: Annotated[int, Field(ge=1)] = 4

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return init_settings, env_settings, TomlFile(settings_cls, Path(FILE_NAME))


def load_settings(flags: Mapping[str, Any]) -> Settings:
    """The settings for one command; flags are by field name, None or an empty list where not given.

    Raises:
        SettingsInvalid: an unknown key, or a value that cannot be; names the variable or the key.
    """
    given = {name: value for name, value in flags.items() if value not in (None, [])}
    assert given.keys() <= Settings.model_fields.keys(), f"no such settings: {given.keys()}"
    try:
        return Settings(**given)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as exc:
        raise SettingsInvalid(
            f"{FILE_NAME} is not valid TOML: {exc}", f"mend or remove {Path(FILE_NAME).absolute()}"
        ) from exc
    except OSError as exc:
        raise SettingsInvalid(f"cannot read {FILE_NAME}: {exc.strerror}", "mend its permissions or remove it") from exc
    except ValidationError as exc:
        raise _invalid(exc, given) from exc


def _invalid(exc: ValidationError, given: Mapping[str, Any]) -> SettingsInvalid:
    fault = exc.errors(include_url=False, include_context=False)[0]
    key = str(fault["loc"][0])
    if fault["type"] == "extra_forbidden":
        near = difflib.get_close_matches(key.lower().replace("-", "_"), Settings.model_fields, n=1)
        every = ", ".join(Settings.model_fields)
        return SettingsInvalid(
            f"{FILE_NAME} has an unknown key: {key}", f"did you mean `{near[0]}`?" if near else f"the keys are {every}"
        )
    message = fault["msg"].removeprefix("Value error, ")
    return SettingsInvalid(
        f"{_source(key, given)} cannot be {_value(fault['input'])}: {message}", "see the README, Commands"
    )


def _value(value: object) -> str:
    return repr(value) if isinstance(value, str | int | float | bool) else "that"


def _source(key: str, given: Mapping[str, Any]) -> str:
    """Where the value in force came from, as the user would look for it."""
    if key in given:
        return "-m" if key == "candidates" else f"--{key.replace('_', '-')}"
    variable = PREFIX + key.upper()
    return variable if any(name.upper() == variable for name in os.environ) else f"{key} in {FILE_NAME}"
