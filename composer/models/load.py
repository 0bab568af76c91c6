"""From a model's name to a model, and the list of what is at hand. Downloads nothing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import ModelUnknown
from ..protocols import Model
from ..words import NAME as BY_WORDS
from .options import ModelOptions

if TYPE_CHECKING:
    from .local import LocalModel

EMBEDDED = "nano-vlm"
EMBEDDED_DIALECT = "nano"  # the prompts that it was trained on, word for word
LOCAL_PREFIX = "transformers:"
SERVED_PREFIX = "openai:"


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """One line of `limner models list`."""

    tier: str  # "none", "embedded", "local" or "served"
    name: str
    present: bool
    needs: str
    note: str


def embedded_folder() -> Path:
    """Where nano-vlm's weights lie in the package."""
    return Path(str(resources.files("limner.composer.models.nano_vlm")))


def known_models() -> list[ModelInfo]:
    """What Limner can run: the embedded model, the models in this machine's cache, and how to name others."""
    infos = [
        ModelInfo(
            "none",
            BY_WORDS,
            True,
            "captions, alt texts or keywords in the library",
            "illustrates a finished draft by them alone; writes nothing",
        ),
        ModelInfo(
            "embedded",
            EMBEDDED,
            (embedded_folder() / "model.safetensors").is_file(),
            "nothing",
            "the drawn picture-book world alone: for a first look, demos and tests",
        ),
    ]
    infos += [
        ModelInfo("local", f"{LOCAL_PREFIX}{name}", True, "memory for its weights", "in this machine's cache")
        for name in _cached_models()
    ]
    infos.append(
        ModelInfo(
            "local",
            f"{LOCAL_PREFIX}FOLDER_OR_NAME",
            False,
            "an image-text-to-text model of transformers, on this machine",
            "any subject; a GPU is advisable",
        )
    )
    infos.append(
        ModelInfo(
            "served",
            f"{SERVED_PREFIX}NAME",
            False,
            "--base-url, the address of an OpenAI-compatible server",
            "any subject; text and pictures are sent there",
        )
    )
    return infos


def load_model(name: str, options: ModelOptions) -> Model:
    """Load a model by the name that `--model` takes.

    Args:
        name: "nano-vlm", or "transformers:" and a folder or the name of a model in this machine's cache, or "openai:"
            and the name of a model of the server at `options.base_url`.
        options: how to run it.

    Raises:
        ModelUnknown: no such model is at hand, or it does not read pictures.
        ServerFailed: or one of its kinds; a served model's server does not answer as it should.
    """
    if name == EMBEDDED:
        folder = embedded_folder()
        if not (folder / "model.safetensors").is_file():
            raise ModelUnknown("the embedded model nano-vlm is missing from this installation", "install Limner again")
        return _load(name, str(folder), options, EMBEDDED_DIALECT)
    if name.startswith(LOCAL_PREFIX):
        return _load(name, name.removeprefix(LOCAL_PREFIX), options)
    if name.startswith(SERVED_PREFIX):
        from .served import connect

        return connect(name, options)
    raise ModelUnknown(f"no model is named {name!r}", "`limner models list` shows the names")


def _load(name: str, source: str, options: ModelOptions, dialect: str = "limner") -> LocalModel:
    import torch
    from transformers import AutoModelForImageTextToText, AutoProcessor

    from .local import LocalModel

    target = ("cuda" if torch.cuda.is_available() else "cpu") if options.device == "auto" else options.device
    if target == "cuda" and not torch.cuda.is_available():
        raise ModelUnknown(f"{name} was asked to run on cuda and this machine has none", "use --device auto or cpu")
    hint = "give a folder of an image-text-to-text model, or see `limner models list`"
    with _quiet():
        try:
            processor = AutoProcessor.from_pretrained(source, local_files_only=True)
            # float32 on a CPU: the same bytes on every machine, and small models lose nothing by it.
            dtype = torch.float32 if target == "cpu" else "auto"
            model: Any = AutoModelForImageTextToText.from_pretrained(source, dtype=dtype, local_files_only=True)
        except (OSError, ValueError, KeyError) as exc:
            reason = str(exc).splitlines()[0] if str(exc) else type(exc).__name__
            raise ModelUnknown(f"cannot load {source!r} as an image-text-to-text model: {reason}", hint) from exc
    text = model.config.get_text_config()
    model = model.to(torch.device(target)).eval()
    return LocalModel(name, model, processor, int(getattr(text, "max_position_embeddings", 4096)), dialect)


def _cached_models() -> list[str]:
    """The models of the local cache that read pictures and write text, as their configurations say."""
    from huggingface_hub import scan_cache_dir
    from huggingface_hub.errors import CacheNotFound

    try:
        repositories = scan_cache_dir().repos
    except CacheNotFound:
        return []
    names = (repository.repo_id for repository in repositories if repository.repo_type == "model")
    return sorted(name for name in names if _reads_pictures(name))


def _reads_pictures(name: str) -> bool:
    from transformers import AutoConfig
    from transformers.models.auto.modeling_auto import MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING_NAMES

    try:
        with _quiet():
            config = AutoConfig.from_pretrained(name, local_files_only=True)
    except (OSError, ValueError, KeyError):
        return False
    return config.model_type in MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING_NAMES


@contextmanager
def _quiet() -> Iterator[None]:
    """Without transformers' own progress bars and notes, which are not for Limner's users."""
    from transformers.utils import logging

    before = logging.get_verbosity()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(before)
