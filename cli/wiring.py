"""Settings to encoders, libraries and models, and the question whether the model is made for what it is given."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from ..index.errors import LimnerError

if TYPE_CHECKING:
    from ..composer.models.load import ModelInfo
    from ..composer.models.options import ModelOptions
    from ..composer.protocols import Model
    from ..index.encoder import Encoder
    from ..index.engines.engine import Engine
    from ..index.library import Library
    from ..index.sentences import SentenceEncoder
    from .settings import Settings

EMBEDDED_ENCODER = "nano-clip"


class OutsideWorld(LimnerError):
    """A text or a library that the embedded model was not made for."""


def _encoder(name: str, device: str) -> Encoder:
    from ..index.encoder import load_encoder

    return load_encoder(name, device)


def _encoders_at_hand() -> list[str]:
    from ..index.encoder import encoders_at_hand

    return encoders_at_hand()


def _sentence_encoder(name: str, device: str) -> SentenceEncoder:
    from ..index.sentences import load_sentence_encoder

    return load_sentence_encoder(name, device)


def _library(folder: Path, device: str) -> Library:
    from ..index.library import Library

    return Library.open(local_copy(folder), device=device)


def _engine(settings: Settings) -> Engine:
    from . import options

    if settings.engine is options.Engine.RAY:
        if settings.processes:
            raise typer.BadParameter(
                "is of the local engine: Ray reads in processes by itself", param_hint="--processes"
            )
        from ..index.engines.ray import RayEngine

        return RayEngine(address=settings.address, device=encoder_device(settings))
    if settings.address is not None:
        raise typer.BadParameter("is the address of a Ray cluster; add --engine ray", param_hint="--address")
    from ..index.engines.local import LocalEngine

    if settings.processes:
        from ..index.engines.processes import in_processes

        return LocalEngine(in_processes)
    return LocalEngine()


def _model(name: str, options: ModelOptions) -> Model:
    from ..composer.models.load import load_model

    return load_model(name, options)


def _dialect(name: str) -> str:
    """The prompts that a model reads, told by its name and configuration."""
    from ..composer.models.load import dialect_of

    return dialect_of(name)


def _check_models(asked: Sequence[tuple[str, ModelOptions]]) -> None:
    from ..composer.models.load import check_models

    check_models(asked)


def _known_models() -> list[ModelInfo]:
    from ..composer.models.load import known_models

    return known_models()


def _served_models(options: ModelOptions) -> list[ModelInfo]:
    from ..composer.models.served import offered

    return offered(options)


def _check_instruction(model: str, text: str) -> str | None:
    from ..composer.models.world import check_instruction

    return check_instruction(model, text)


def _check_draft(model: str, text: str) -> str | None:
    from ..composer.models.world import check_draft

    return check_draft(model, text)


def _check_library(model: str, library: Library) -> str | None:
    """Why this library is not for the embedded model, or None; looks at a few dozen of its pictures."""
    from ..composer.models.load import EMBEDDED
    from ..index.encoder import load_encoder
    from ..index.familiar import LOOKED_AT, STRANGE_LIBRARY, strange_share

    if model != EMBEDDED:
        return None
    encoder = load_encoder(EMBEDDED_ENCODER, "cpu")
    share = strange_share([record.path for record in library.sample(LOOKED_AT)], encoder)
    if share <= STRANGE_LIBRARY:
        return None
    return (
        f"{EMBEDDED} knows only drawn picture-book scenes, and {share:.0%} of this library's pictures are strange to it"
    )


@dataclass(frozen=True, slots=True)
class Wiring:
    """Where commands get their parts from, each loaded on call; a test brings its own."""

    encoder: Callable[[str, str], Encoder] = _encoder  # name, device
    encoders_at_hand: Callable[[], list[str]] = _encoders_at_hand
    sentence_encoder: Callable[[str, str], SentenceEncoder] = _sentence_encoder  # name, device
    library: Callable[[Path, str], Library] = _library  # folder, device
    engine: Callable[[Settings], Engine] = _engine
    model: Callable[[str, ModelOptions], Model] = _model  # name
    check_models: Callable[[Sequence[tuple[str, ModelOptions]]], None] = _check_models
    dialect: Callable[[str], str] = _dialect  # model's name
    known_models: Callable[[], list[ModelInfo]] = _known_models
    served_models: Callable[[ModelOptions], list[ModelInfo]] = _served_models
    check_instruction: Callable[[str, str], str | None] = _check_instruction  # model's name, text
    check_draft: Callable[[str, str], str | None] = _check_draft  # model's name, text
    check_library: Callable[[str, Library], str | None] = _check_library  # model's name


def wiring_of(ctx: typer.Context) -> Wiring:
    """The wiring that this call of the command line runs with."""
    return ctx.obj if isinstance(ctx.obj, Wiring) else Wiring()


def model_options(settings: Settings) -> ModelOptions:
    """How models are to be run, as the settings say."""
    from ..composer.models.options import ModelOptions

    return ModelOptions(
        device=settings.device,
        dtype=settings.dtype,
        quantize=settings.quantize,
        attention=settings.attention,
        max_picture_side_px=settings.max_picture_side,
        base_url=settings.base_url,
        dialect=settings.dialect,
        context_tokens=settings.context_tokens,
        picture_tokens=settings.picture_tokens,
        max_picture_bytes=settings.max_picture_bytes,
        timeout_s=settings.timeout_s,
        retries=settings.retries,
        max_requests=settings.max_requests,
    )


def writer_name(settings: Settings) -> str:
    """The model that writes the text and chooses the places."""
    return settings.writer or settings.model


def selector_name(settings: Settings) -> str:
    """The model that chooses the pictures."""
    return settings.selector or settings.model


def load_models(
    wiring: Wiring, settings: Settings, *, told: Callable[[str], None]
) -> tuple[Model | None, Model | None]:
    """The writer and the selector, each None for `words`; loaded once where they are the same.

    told gets the name of each model before it is loaded.
    """
    from ..composer.words import NAME as BY_WORDS

    names, options = (writer_name(settings), selector_name(settings)), model_options(settings)
    wanted = {names[0]: replace(options, reads_pictures=False)} | {names[1]: options}
    wanted.pop(BY_WORDS, None)
    if len(wanted) > 1:
        wiring.check_models(list(wanted.items()))
    loaded: dict[str, Model] = {}
    for name, how in wanted.items():
        told(name)
        loaded[name] = wiring.model(name, how)
    return loaded.get(names[0]), loaded.get(names[1])


def encoder_device(settings: Settings) -> str:
    """Where encoders run: as models do, but they are small, so that none is spread over GPUs."""
    return "auto" if settings.device == "map" else settings.device


def about_embedded(model: str) -> str | None:
    """What whoever asks the embedded model about any picture should know; None for other models."""
    from ..composer.models.load import EMBEDDED

    if model != EMBEDDED:
        return None
    return (
        f"{EMBEDDED} knows only drawn picture-book scenes, describes even those poorly, makes up what other pictures "
        "show, and holds no conversation; `limner models list` shows models that are made for more"
    )


def own_device(settings: Settings) -> str:
    """Where this process loads its encoders: the device asked for is that of the machines that do the work."""
    from . import options

    return "auto" if settings.engine is options.Engine.RAY else encoder_device(settings)


def library_folder(folder: Path | None) -> Path:
    """The library's folder, which has no default."""
    if folder is None:
        raise typer.BadParameter(
            "is missing; name the library's folder, or set `library` in limner.toml", param_hint="--library"
        )
    return folder


def local_copy(library: Path) -> Path:
    """The library's folder; of one that lies elsewhere the copy on this machine, brought up to date."""
    from ..index.places import RemotePath, place
    from ..index.remote import copied

    where = place(library)
    return copied(str(where)) if isinstance(where, RemotePath) else where


def own_folder(folder: Path | None) -> Path:
    """The library's folder for a command that needs it on this machine, as those that write do."""
    from ..index.places import RemotePath, place

    here = place(library_folder(folder))
    if isinstance(here, RemotePath):
        raise typer.BadParameter(
            f"lies elsewhere ({here}); name a folder of this machine, and bring it there with `limner index push`",
            param_hint="--library",
        )
    return here


def encoder_name(asked: str | None, precision: str, library: Path, *, rebuild: bool) -> str:
    """The encoder to build with, and its precision: what is asked for, else the library's own, else the embedded one.

    What a library was begun with is not measured again, because another outcome would be another encoder; a rebuild
    that names its encoder begins anew.

    Raises:
        EncoderUnknown: no such precision, or the encoder's name has another one.
    """
    from ..index.encoder import resolved_name
    from ..index.errors import LibraryDamaged, LibraryMissing
    from ..index.manifest import read_manifest
    from ..index.precision import AUTO, split_name, with_precision

    try:
        known = read_manifest(library).encoder
    except (LibraryMissing, LibraryDamaged):
        known = None
    base, named = split_name(asked or known or EMBEDDED_ENCODER)
    own = known is not None and not (rebuild and asked) and resolved_name(base) == split_name(known)[0]
    if known is not None and own and precision == AUTO and (asked is None or named is None):
        return known
    return with_precision(asked or base, precision)


def sentences_name(asked: str | None, library: Path) -> str | None:
    """The sentence encoder to build with: the one asked for, else the one that the library has; `none` is none."""
    from ..index.errors import LibraryDamaged, LibraryMissing
    from ..index.generation import sentences_of

    if asked is not None:
        return None if asked.strip().lower() in ("", "none") else asked
    try:
        return sentences_of(library)
    except (LibraryMissing, LibraryDamaged):
        return None


def within_world(sentence: str | None, *, anyway: bool, warn: Callable[[str], None]) -> None:
    """Do nothing for None; else warn where the user insists.

    Raises:
        OutsideWorld: the user does not insist.
    """
    if sentence is None:
        return
    if not anyway:
        raise OutsideWorld(
            sentence, "`limner models list` shows models that are made for more; --anyway goes on with this one"
        )
    warn(sentence)
