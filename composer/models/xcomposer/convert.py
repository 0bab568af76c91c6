"""Official checkpoints to folders that load directly: safetensors in shards, configurations, processor and tokenizer.

All is written into a folder beside the one that is asked for, which takes its name at the end: a reader sees the whole
model or none. Memory holds one shard at a time.
"""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ....index.atomic import TEMPORARY_SUFFIX, alone_in, flush_file, write_failed, write_whole
from ....index.errors import WriteFailed
from ....index.free import size
from ...errors import ModelUnfit, OutputInUse
from ..checkpoint import SAFE_WEIGHTS
from .checkpoint import XComposer

if TYPE_CHECKING:
    import torch

SHARD_BYTES = 2_000_000_000
_LOCK = ".limner-convert.lock"
_SPARE_BYTES = 100_000_000  # for all that is not weights, the tokenizer's file first of all

Progress = Callable[[int, int], None]  # bytes so far, bytes in all


@dataclass(frozen=True, slots=True)
class Conversion:
    """What is going to be written; nothing is yet."""

    checkpoint: XComposer
    folder: Path
    dtype: torch.dtype
    shards: tuple[tuple[str, ...], ...]  # names of parameters
    size_bytes: int  # of the weights


def plan_conversion(
    checkpoint: XComposer, folder: Path, *, dtype: str = "auto", shard_bytes: int = SHARD_BYTES
) -> Conversion:
    """Look at everything that can be known before the first number is read.

    Args:
        checkpoint: of an official layout.
        folder: what is to be written; it is not there yet, or empty.
        dtype: "auto" for what the numbers are stored in, or what they are cast to.
        shard_bytes: the most that a file of weights has, unless one tensor alone has more.

    Raises:
        ModelIncomplete: a part of the checkpoint is missing.
        ModelUnfit: it is another model, quantised, converted already, or has no adapters for the task.
        OutputInUse: there is something in the folder.
        WriteFailed: the disk has no room for it.
    """
    import torch

    from .tensors import parameter_shapes, stored_dtype

    if checkpoint.layout.converted:
        raise ModelUnfit(
            f"{checkpoint.source} is converted already", f"run it as `--model xcomposer:{checkpoint.source}`"
        )
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise OutputInUse(f"{folder} is in use", "name a folder with --out that is not there yet")
    recipe = checkpoint.recipe
    if checkpoint.task == "web" and not getattr(recipe.config, "tiled", False):
        raise ModelUnfit(
            f"{checkpoint.source} has no adapters for web pages, which come with 2.5 alone", "leave out --task web"
        )
    _ = checkpoint.processor()  # its files too are whole before the large ones are written
    stored = stored_dtype(checkpoint)
    number: Any = stored if dtype == "auto" else getattr(torch, dtype)
    sizes = {
        name: math.prod(shape) * number.itemsize for name, shape in parameter_shapes(recipe.kind, recipe.config).items()
    }
    conversion = Conversion(checkpoint, folder, number, tuple(_shards(sizes, shard_bytes)), sum(sizes.values()))
    place = next(parent for parent in folder.absolute().parents if parent.is_dir())
    if conversion.size_bytes + _SPARE_BYTES > (free := shutil.disk_usage(place).free):
        raise WriteFailed(
            f"the converted model takes {size(conversion.size_bytes)} on the disk, {size(free)} are free in {place}",
            "make room, or name a folder on another disk with --out",
        )
    return conversion


def convert(conversion: Conversion, *, progress: Progress | None = None) -> None:
    """Write the folder, whole or not at all; what an earlier try left unfinished is thrown away.

    Raises:
        ModelIncomplete: a number is NaN or infinite.
        ModelUnfit: a number is beyond the dtype that is written.
        OutputInUse: another process is writing it, or something has come to lie there.
        WriteFailed: the disk is full, read-only or broken.
    """
    folder = conversion.folder
    unfinished = folder.with_name(folder.name + TEMPORARY_SUFFIX)
    busy = OutputInUse(f"another process is converting into {folder}", "wait until it is done, or name another folder")
    with alone_in(unfinished, _LOCK, busy):
        with _no_leftovers(unfinished):
            _write_beside(conversion, unfinished)
            _write_weights(conversion, unfinished, progress)
        (unfinished / _LOCK).unlink(missing_ok=True)
        try:
            if folder.is_dir():
                folder.rmdir()  # an empty one
            unfinished.rename(folder)
        except OSError as exc:
            raise write_failed(folder, exc) from exc


@contextmanager
def _no_leftovers(folder: Path) -> Iterator[None]:
    """A folder with nothing in it but the lock; where writing fails, none."""
    _clear(folder)
    try:
        yield
    except BaseException:
        _clear(folder)
        with suppress(OSError):  # what went wrong is said, not this
            (folder / _LOCK).unlink(missing_ok=True)
            folder.rmdir()
        raise


def _clear(folder: Path) -> None:
    for path in folder.iterdir():
        if path.name != _LOCK:
            path.unlink()


def _write_beside(conversion: Conversion, folder: Path) -> None:
    """All but the weights."""
    recipe = conversion.checkpoint.recipe
    config = recipe.config
    config.architectures = [recipe.kind.__name__]
    config.dtype = conversion.dtype
    try:
        config.save_pretrained(folder)
        recipe.generation().save_pretrained(folder)
        conversion.checkpoint.processor().save_pretrained(folder)
    except OSError as exc:
        raise write_failed(folder, exc) from exc


def _write_weights(conversion: Conversion, folder: Path, progress: Progress | None) -> None:
    from safetensors import SafetensorError
    from safetensors.torch import save_file

    parameters = conversion.checkpoint.recipe.cast(conversion.checkpoint, conversion.dtype)
    count, done = len(conversion.shards), 0
    where: dict[str, str] = {}
    for number, names in enumerate(conversion.shards, start=1):
        file = SAFE_WEIGHTS if count == 1 else f"model-{number:05}-of-{count:05}.safetensors"
        tensors: dict[str, torch.Tensor] = {}
        for name in names:
            tensors[name] = parameters[name][...].contiguous()
            done += tensors[name].nbytes
            if progress is not None:
                progress(done, conversion.size_bytes)
        where |= dict.fromkeys(names, file)
        try:
            save_file(tensors, folder / file, metadata={"format": "pt"})
            flush_file(folder / file)
        except (SafetensorError, OSError) as exc:
            raise write_failed(folder / file, exc) from exc
    if count > 1:
        index = {"metadata": {"total_size": conversion.size_bytes}, "weight_map": where}
        write_whole(folder / f"{SAFE_WEIGHTS}.index.json", json.dumps(index, indent=1).encode())


def _shards(sizes: Mapping[str, int], most: int) -> Iterator[tuple[str, ...]]:
    """The names in their order, in runs of at most so many bytes."""
    run: list[str] = []
    total = 0
    for name, count in sizes.items():
        if run and total + count > most:
            yield tuple(run)
            run, total = [], 0
        run.append(name)
        total += count
    if run:
        yield tuple(run)
