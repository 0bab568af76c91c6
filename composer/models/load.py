"""From a model's name to a model, and the list of what is at hand. Downloads nothing."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from pickle import UnpicklingError
from typing import TYPE_CHECKING, Any

from ...index.free import size
from ..errors import ModelIncomplete, ModelUnfit, ModelUnknown
from ..protocols import Model
from ..words import NAME as BY_WORDS
from .checkpoint import Checkpoint, Kind, cache_folder, cached_names, find_checkpoint, kind_of
from .memory import check_memory, count_parameters, weigh, with_room
from .options import ModelOptions
from .placement import devices_named, dtype_for, loading_arguments
from .text import TextProcessor, no_pictures
from .xcomposer.checkpoint import PREFIX as XCOMPOSER_PREFIX
from .xcomposer.checkpoint import XComposer, find_xcomposer, layout_of

if TYPE_CHECKING:
    import torch

EMBEDDED = "nano-vlm"
EMBEDDED_DIALECT = "nano"  # the prompts that it was trained on, word for word
LOCAL_PREFIX = "transformers:"
# What transformers, tokenizers, safetensors and torch raise on files that do not fit or are broken.
_UNLOADABLE = (RuntimeError, OSError, EOFError, ValueError, LookupError, TypeError, AttributeError, UnpicklingError)
SERVED_PREFIX = "openai:"
_PACKED_OUTPUTS = 32  # of a layer, in a block of bitsandbytes's kernel


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """One line of `limner models list`."""

    tier: str  # "none", "embedded", "local" or "served"
    name: str
    present: bool
    needs: str
    note: str
    size_bytes: int | None = None  # of its weights on the disk
    reads_pictures: bool | None = None  # None: not known here


def embedded_folder() -> Path:
    """Where nano-vlm's weights lie in the package."""
    return Path(str(resources.files("limner.composer.models.nano_vlm")))


def known_models() -> list[ModelInfo]:
    """What Limner can run: the embedded model, the models in this machine's cache, and how to name others."""
    weights = embedded_folder() / "model.safetensors"
    infos = [
        ModelInfo(
            "none",
            BY_WORDS,
            True,
            "captions, alt texts or keywords in the library",
            "illustrates a finished draft by them alone; writes nothing",
            reads_pictures=False,
        ),
        ModelInfo(
            "embedded",
            EMBEDDED,
            weights.is_file(),
            "nothing",
            "the drawn picture-book world alone: for a first look, demos and tests",
            weights.stat().st_size if weights.is_file() else None,
            True,
        ),
    ]
    infos += [info for name in cached_names() if (info := _cached_info(name)) is not None]
    infos.append(
        ModelInfo(
            "local",
            f"{LOCAL_PREFIX}FOLDER_OR_NAME",
            False,
            "an image-text-to-text model of transformers, on this machine",
            "any subject; a GPU is advisable; `limner models pull NAME` fetches one",
        )
    )
    infos.append(
        ModelInfo(
            "local",
            f"{XCOMPOSER_PREFIX}FOLDER_OR_NAME",
            False,
            "a checkpoint of InternLM-XComposer 1.0, 2.0 or 2.5, on this machine",
            "the paper's own model, official or made by `limner models convert`; docs/xcomposer.md says what it takes",
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
    """Load a model by the name that `--model`, `--writer` and `--selector` take.

    Everything that can be known from names, headers and configurations is looked at before weights are read.

    Args:
        name: "nano-vlm", or "transformers:" and a folder or the name of a model in this machine's cache, with
            @REVISION where another commit than the pinned one is meant; "xcomposer:" and the same of a checkpoint of
            InternLM-XComposer; or "openai:" and the name of a model of the server at `options.base_url`.
        options: how to run it.

    Raises:
        ModelUnknown: no such model is at hand.
        ModelIncomplete: some of its files are missing or cut off.
        ModelUnfit: it reads no pictures, or does not write, or cannot be run as the options say.
        ModelTooLarge: it does not fit into the memory that is free.
        DeviceMissing: this machine has no such device.
        ServerFailed: or one of its kinds; a served model's server does not answer as it should.
    """
    if name.startswith(SERVED_PREFIX):
        from .served import connect

        return connect(name, options)
    plan = _plan(name, options)
    check_memory(plan.checkpoint, plan.dtype, options.quantize, plan.devices)
    from .local import LocalModel

    with _quietly_offline():
        processor = _processor(plan.checkpoint, plan.kind)
        model = _weights(plan.checkpoint, plan.kind, plan.arguments)
    return LocalModel(
        name,
        model,
        processor,
        _context_tokens(plan.checkpoint, model),
        dialect_of(name, plan.checkpoint),
        revision=plan.checkpoint.revision,
        max_side_px=options.max_picture_side_px,
    )


def _context_tokens(checkpoint: Checkpoint, model: Any) -> int:
    if isinstance(checkpoint, XComposer):
        return checkpoint.context_tokens
    return int(getattr(model.config.get_text_config(), "max_position_embeddings", 4096))


def dialect_of(name: str, checkpoint: Checkpoint | None = None) -> str:
    """The prompts that a model is asked with, as far as its name and its config.json tell.

    Raises:
        ModelUnknown: where that takes its files, and they are not at hand.
    """
    if name == EMBEDDED:
        return EMBEDDED_DIALECT
    if not name.startswith(XCOMPOSER_PREFIX):
        return "limner"
    found = checkpoint or find_xcomposer(name.removeprefix(XCOMPOSER_PREFIX))
    assert isinstance(found, XComposer)
    return found.layout.dialect


def check_models(asked: Sequence[tuple[str, ModelOptions]]) -> None:
    """Do nothing where all these models can be loaded beside each other; reads no weights.

    `words` is no model, and what a server has is known to it alone: both are passed over.

    Raises:
        What `load_model` raises before it reads weights, for the first model that gives cause.
    """
    taken = 0
    for name, options in asked:
        if name == BY_WORDS or name.startswith(SERVED_PREFIX):
            continue
        plan = _plan(name, options)
        check_memory(plan.checkpoint, plan.dtype, options.quantize, plan.devices, beside=taken)
        taken += weigh(plan.checkpoint, plan.dtype, options.quantize)


@dataclass(frozen=True, slots=True)
class _Plan:
    """What is known of a model, and of the way to run it, before its weights are read."""

    checkpoint: Checkpoint
    kind: Kind
    devices: list[torch.device]
    dtype: str
    arguments: dict[str, Any]


def _plan(name: str, options: ModelOptions) -> _Plan:
    checkpoint = _checkpoint(name)
    kind = checkpoint.kind()
    if kind == "text" and options.reads_pictures:
        raise no_pictures(name)
    if options.quantize != "none" and "quantization_config" in checkpoint.config:
        raise ModelUnfit(f"{checkpoint.source} is quantised as it is stored", "leave --quantize out")
    devices = devices_named(options.device)
    dtype = dtype_for(options, devices[0], count_parameters(checkpoint))
    return _Plan(checkpoint, kind, devices, dtype, loading_arguments(options, devices, dtype))


def _checkpoint(name: str) -> Checkpoint:
    if name == EMBEDDED:
        folder = embedded_folder()
        if not (folder / "model.safetensors").is_file():
            raise ModelUnknown("the embedded model nano-vlm is missing from this installation", "install Limner again")
        return Checkpoint(name, folder)
    if name.startswith(LOCAL_PREFIX):
        found = find_checkpoint(name.removeprefix(LOCAL_PREFIX))
        if kind_of(found.config) is None and layout_of(found.config) is not None:
            raise ModelUnfit(
                f"{found.source} is InternLM-XComposer, which Limner runs by classes of its own",
                f"name it {XCOMPOSER_PREFIX}{found.source}",
            )
        return found
    if name.startswith(XCOMPOSER_PREFIX):
        return find_xcomposer(name.removeprefix(XCOMPOSER_PREFIX))
    raise ModelUnknown(f"no model is named {name!r}", "`limner models list` shows the names")


def _processor(checkpoint: Checkpoint, kind: Kind) -> Any:
    """The model's processor, or its tokenizer in the place of one; it has a chat template."""
    from transformers import AutoProcessor, AutoTokenizer

    if isinstance(checkpoint, XComposer):
        return checkpoint.processor()
    source = str(checkpoint.folder)
    prepared = any((checkpoint.folder / f"{name}_config.json").is_file() for name in ("processor", "preprocessor"))
    if kind == "pictures" and not prepared:
        raise checkpoint.incomplete("its preprocessor_config.json or processor_config.json is missing")
    try:
        if kind == "text":
            tokenizer = AutoTokenizer.from_pretrained(source, local_files_only=True, trust_remote_code=False)
            processor, template = TextProcessor(checkpoint.source, tokenizer), tokenizer.chat_template
        else:
            processor = AutoProcessor.from_pretrained(source, local_files_only=True, trust_remote_code=False)
            template = getattr(processor, "chat_template", None)
    except ImportError as exc:
        raise _lacks_package(checkpoint, exc) from exc
    except _UNLOADABLE as exc:
        raise checkpoint.incomplete(f"its tokenizer or processor cannot be read: {_first_line(exc)}") from exc
    if kind == "pictures" and not hasattr(processor, "image_processor"):
        raise ModelUnfit(f"{checkpoint.source} has no processor for pictures", "see `limner models list` for others")
    if not template:
        raise ModelUnfit(
            f"{checkpoint.source} has no chat template: it is a base model, which follows no instructions",
            "take its instruction-tuned sibling, whose name often ends in -Instruct, -it or -Chat",
        )
    return processor


def _weights(checkpoint: Checkpoint, kind: Kind, arguments: dict[str, Any]) -> Any:
    """The model itself, ready to run. Pickled weights are read as tensors alone: no code of theirs runs."""
    from safetensors import SafetensorError
    from transformers import AutoModelForCausalLM, AutoModelForImageTextToText

    loader: Any = AutoModelForImageTextToText if kind == "pictures" else AutoModelForCausalLM
    try:
        if isinstance(checkpoint, XComposer):
            model = checkpoint.load(arguments)
        else:
            model = loader.from_pretrained(
                str(checkpoint.folder), local_files_only=True, trust_remote_code=False, weights_only=True, **arguments
            ).eval()
    except ImportError as exc:
        raise _lacks_package(checkpoint, exc) from exc
    except (SafetensorError, *_UNLOADABLE) as exc:
        raise ModelUnfit(
            f"cannot load {checkpoint.source}: {_first_line(exc)}", "see `limner models list` for others"
        ) from exc
    _leave_odd_layers_unpacked(model)
    return model


def _leave_odd_layers_unpacked(model: Any) -> None:
    """Keep bitsandbytes from packing 4-bit layers that its AVX512-BF16 kernel cannot take; they run without it.

    On processors that have these instructions it packs every layer, and fails where one's sides are not whole blocks.
    """
    for module in model.modules():
        if getattr(module, "support_avx512bf16_for_cpu", False) and (
            module.out_features % _PACKED_OUTPUTS or module.in_features % module.weight.blocksize
        ):
            module.support_avx512bf16_for_cpu = False


def _lacks_package(checkpoint: Checkpoint, exc: ImportError) -> ModelUnfit:
    return ModelUnfit(
        f"{checkpoint.source} needs a package that is not installed: {_first_line(exc)}",
        "install it beside Limner, or take another model",
    )


def _first_line(exc: Exception) -> str:
    return next((line.strip() for line in str(exc).splitlines() if line.strip()), type(exc).__name__)[:300]


def _cached_info(name: str) -> ModelInfo | None:
    """What the cache has of a model that Limner can run; None for all others, such as encoders."""
    full = f"{LOCAL_PREFIX}{name}"
    try:
        checkpoint = find_checkpoint(name)
        kind = kind_of(checkpoint.config)
        if kind is None and layout_of(checkpoint.config) is not None:
            full, checkpoint, kind = f"{XCOMPOSER_PREFIX}{name}", find_xcomposer(name), "pictures"
        if kind is None:
            return None
        stored = sum(path.stat().st_size for path in checkpoint.weights)
        needs = f"{size(with_room(weigh(checkpoint, 'bfloat16')))} of memory in bfloat16"
    except ModelIncomplete as exc:
        # Of encoders the cache has no config.json of transformers; they are listed by themselves.
        return ModelInfo("local", full, False, exc.hint, exc.message) if _began_as_model(name) else None
    except (ModelUnknown, OSError):
        return None
    note = "reads pictures and writes" if kind == "pictures" else "only writes: for --writer"
    return ModelInfo(
        "local", full, True, needs, f"{note}; commit {checkpoint.revision[:12]}", stored, kind == "pictures"
    )


def full_name(name: str) -> str:
    """What `--model` takes for a model in this machine's cache."""
    config = find_checkpoint(name).config
    return f"{LOCAL_PREFIX if kind_of(config) or layout_of(config) is None else XCOMPOSER_PREFIX}{name}"


def _began_as_model(name: str) -> bool:
    """Whether what the cache has of it says that it is a model which writes."""
    for path in (cache_folder(name) / "snapshots").glob("*/config.json"):
        try:
            config = json.loads(path.read_bytes())
        except (OSError, ValueError):
            continue
        if isinstance(config, dict) and (kind_of(config) or layout_of(config)) is not None:
            return True
    return False


@contextmanager
def _quietly_offline() -> Iterator[None]:
    """Without the network, and without transformers' own progress bars and notes, which are not for Limner's users."""
    from huggingface_hub import constants
    from transformers.utils import logging

    before, offline = logging.get_verbosity(), constants.HF_HUB_OFFLINE
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    constants.HF_HUB_OFFLINE = True
    try:
        yield
    finally:
        logging.set_verbosity(before)
        constants.HF_HUB_OFFLINE = offline
