"""A model's files on this machine: where they lie, of which commit, whether they are whole, and what they can do.

Reads names, sizes, headers and configurations, never weights; asks no network.

    models--ORGANISATION--NAME/      in huggingface_hub's cache, as that library lays it out
      refs/main, refs/limner         a branch to the commit that it had; the one that `limner models pull` pinned
      snapshots/COMMIT/              the files of one commit
      blobs/*.incomplete             what a download left half done
"""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from ..errors import ModelIncomplete, ModelUnfit, ModelUnknown

PIN = "limner"  # the ref of the commit that `limner models pull` fetched
SAFE_WEIGHTS = "model.safetensors"
PICKLED_WEIGHTS = "pytorch_model.bin"
_HEADER_LIMIT = 100_000_000  # bytes, safetensors' own bound

Kind = Literal["pictures", "text"]


@dataclass(frozen=True, slots=True)
class Tensor:
    """What a safetensors header says of one tensor."""

    name: str
    dtype: str  # as safetensors names it: "BF16"
    shape: tuple[int, ...]

    @property
    def numbers(self) -> int:
        """How many numbers it has."""
        return math.prod(self.shape)


@dataclass(frozen=True)
class Checkpoint:
    """A folder with a model's files."""

    source: str  # as the user named it: a folder, or ORGANISATION/NAME
    folder: Path
    revision: str = ""  # the commit; empty for a folder of the user's own

    @cached_property
    def config(self) -> dict[str, Any]:
        """config.json.

        Raises:
            ModelIncomplete: it is missing or no JSON object.
        """
        try:
            values = json.loads((self.folder / "config.json").read_bytes())
        except OSError as exc:
            raise self.incomplete("config.json is missing") from exc
        except ValueError as exc:
            raise self.incomplete("config.json is damaged") from exc
        if not isinstance(values, dict):
            raise self.incomplete("config.json is damaged")
        return values

    @cached_property
    def weights(self) -> tuple[Path, ...]:
        """The files of weights that transformers would read, all of them there.

        Raises:
            ModelIncomplete: some are missing.
        """
        for name in (SAFE_WEIGHTS, PICKLED_WEIGHTS):
            index = self.folder / f"{name}.index.json"
            names = self._named_in(index) if index.is_file() else [name]
            files = [self.folder / file for file in names]
            missing = [path.name for path in files if not path.is_file()]
            if not missing:
                return tuple(files)
            if index.is_file():
                more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
                raise self.incomplete(f"{missing[0]}{more} of its {len(files)} files of weights are missing")
        raise self.incomplete(f"it has no weights ({SAFE_WEIGHTS})")

    def tensors(self) -> Iterator[Tensor]:
        """What the headers of its safetensors files say; nothing for pickled weights.

        Raises:
            ModelIncomplete: a file is shorter than its header says.
        """
        for path in self.weights:
            if path.suffix == ".safetensors":
                yield from self._header(path)

    def kind(self) -> Kind:
        """Whether transformers knows it as a model that reads pictures and writes, or as one that only writes.

        Raises:
            ModelUnfit: it is neither, or a model whose own code would have to run.
        """
        kind = kind_of(self.config)
        if kind is None:
            raise unfit(self.source, self.config)
        return kind

    def incomplete(self, what: str) -> ModelIncomplete:
        """The error for a file that is missing or damaged."""
        if self.revision:
            return ModelIncomplete(
                f"{self.source} is not whole on this machine: {what}",
                f"`limner models pull {self.source.partition('@')[0]}` fetches what is missing",
            )
        return ModelIncomplete(f"the model in {self.folder} is not whole: {what}", "copy the whole folder again")

    def _named_in(self, index: Path) -> list[str]:
        try:
            return named_in(index.read_bytes())
        except (OSError, ValueError) as exc:
            raise self.incomplete(f"{index.name} is damaged") from exc

    def _header(self, path: Path) -> list[Tensor]:
        there = path.stat().st_size
        try:
            with path.open("rb") as file:
                (length,) = struct.unpack("<Q", file.read(8))
                if length > min(there, _HEADER_LIMIT):
                    raise self.incomplete(f"{path.name} is cut off or damaged")
                header = json.loads(file.read(length))
            entries = {name: entry for name, entry in header.items() if name != "__metadata__"}
            tensors = [Tensor(name, entry["dtype"], tuple(entry["shape"])) for name, entry in entries.items()]
            end = 8 + length + max((entry["data_offsets"][1] for entry in entries.values()), default=0)
        except (struct.error, ValueError, KeyError, TypeError, AttributeError) as exc:
            raise self.incomplete(f"{path.name} is cut off or damaged") from exc
        if there < end:
            raise self.incomplete(f"{path.name} is cut off: {there:,} of {end:,} bytes")
        return tensors


def find_checkpoint(source: str) -> Checkpoint:
    """A model by the name that stands behind `transformers:`.

    Args:
        source: a folder; or ORGANISATION/NAME of a model in this machine's cache, with @REVISION where another commit
            than the pinned one is meant.

    Raises:
        ModelUnknown: there is no such folder, and no such model in the cache.
        ModelIncomplete: its download was cut.
    """
    folder = Path(source).expanduser()
    if source and folder.is_dir():
        found = Checkpoint(source, folder)
        if not any(folder.iterdir()):
            raise ModelUnknown(f"the folder {folder} is empty", "name a folder that holds a model of transformers")
    else:
        name, _, revision = source.partition("@")
        found = _cached(source, name, revision)
    _ = found.config, found.weights
    return found


def cached_names() -> list[str]:
    """The models of which this machine's cache has something."""
    from huggingface_hub import constants

    folders = Path(constants.HF_HUB_CACHE).glob("models--*")
    return sorted("/".join(folder.name.split("--")[1:]) for folder in folders if folder.is_dir())


def cache_folder(name: str) -> Path:
    """Where huggingface_hub's cache keeps a model.

    Raises:
        ModelUnknown: no model can have this name, or there is none.
    """
    from huggingface_hub import constants
    from huggingface_hub.errors import HFValidationError
    from huggingface_hub.file_download import repo_folder_name
    from huggingface_hub.utils import validate_repo_id

    if not name:
        raise ModelUnknown(
            "the name of the model is empty",
            "put a folder, or a model as ORGANISATION/NAME, behind `transformers:` or `xcomposer:`; "
            "`limner models list` shows those at hand",
        )
    try:
        validate_repo_id(name)
    except HFValidationError as exc:
        raise ModelUnknown(
            f"{name!r} is no folder, and no model can have this name",
            "name a folder, or a model as ORGANISATION/NAME; `limner models list` shows those at hand",
        ) from exc
    return Path(constants.HF_HUB_CACHE) / repo_folder_name(repo_id=name, repo_type="model")


def kind_of(config: dict[str, Any]) -> Kind | None:
    """What a configuration says that its model can do, as far as transformers' own classes go."""
    from transformers.models.auto.modeling_auto import (
        MODEL_FOR_CAUSAL_LM_MAPPING_NAMES,
        MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING_NAMES,
    )

    model_type = config.get("model_type", "")
    if model_type in MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING_NAMES:
        return "pictures"
    return "text" if model_type in MODEL_FOR_CAUSAL_LM_MAPPING_NAMES else None


def unfit(source: str, config: dict[str, Any]) -> ModelUnfit:
    """The error for a model that is neither of the two kinds."""
    from transformers import CONFIG_MAPPING

    model_type = str(config.get("model_type", ""))
    families = "take a model of a family that transformers has, as Qwen2.5-VL, Gemma 3 or SmolVLM"
    if model_type in CONFIG_MAPPING:
        return ModelUnfit(f"{source} is a {model_type}, which neither reads pictures nor writes", families)
    if "auto_map" in config:
        return ModelUnfit(
            f"{source} needs code of its own to run (trust_remote_code), and Limner runs none that comes with weights",
            families,
        )
    named = f"its type {model_type!r} is unknown" if model_type else "its config.json names no type"
    return ModelUnfit(
        f"{source} is no model that this version of transformers knows: {named}",
        "`pip install -U transformers` where it is newer than that; else " + families,
    )


def named_in(index: bytes) -> list[str]:
    """The files that an index of weights names.

    Raises:
        ValueError: it is no such index, or names what lies outside of its folder.
    """
    try:
        names = sorted(set(json.loads(index)["weight_map"].values()))
    except (KeyError, TypeError, AttributeError) as exc:
        raise ValueError("no index of weights") from exc
    if not names or any(not isinstance(name, str) or Path(name).name != name for name in names):
        raise ValueError("no index of weights")
    return names


def _cached(source: str, name: str, revision: str) -> Checkpoint:
    repository = cache_folder(name)
    pull = f"limner models pull {name}" + (f" --revision {revision}" if revision else "")
    if not repository.is_dir():
        raise ModelUnknown(
            f"{name} is not on this machine: there is no such folder, and the cache has no model of this name",
            f"`{pull}` fetches it; `limner models list` shows those at hand",
        )
    for ref in [revision] if revision else [PIN, "main"]:
        commit = _commit(repository, ref)
        if commit and (repository / "snapshots" / commit).is_dir():
            return Checkpoint(source, repository / "snapshots" / commit, commit)
    if any((repository / "snapshots").glob("*/*")) and revision:
        raise ModelUnknown(f"{name} is on this machine, but not its revision {revision}", f"`{pull}` fetches it")
    raise ModelIncomplete(f"{name} is not whole on this machine: its download was cut", f"`{pull}` goes on with it")


def _commit(repository: Path, ref: str) -> str:
    """The commit of a ref; a commit is its own."""
    try:
        return (repository / "refs" / ref).read_text(encoding="utf-8").strip()
    except OSError:
        return ref if (repository / "snapshots" / ref).is_dir() and ref not in (PIN, "main") else ""
