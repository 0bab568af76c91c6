"""A model from the hub into this machine's cache: the only place of the composer that uses the network.

Only the files that transformers reads are fetched: safetensors where there are some, no duplicates in other forms, no
code. Weights are fetched here, so that what a cut leaves is gone on with (huggingface_hub drops it); all else, and the
cache's layout, is huggingface_hub's. The pin is written last: a model is used once it is whole.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from ...index.atomic import digest_file, write_failed, write_whole
from ...index.errors import WriteFailed
from ...index.free import size
from ..errors import ModelUnfit, ModelUnknown, PullFailed
from .checkpoint import PICKLED_WEIGHTS, PIN, SAFE_WEIGHTS, cache_folder, kind_of, named_in, unfit
from .xcomposer.checkpoint import layout_of

# Configurations, tokenizers and templates; what lies in folders (original/, onnx/) are other forms of the same model.
_SMALL = ("*.json", "*.jinja", "*.txt", "*.model", "*.tiktoken")
_TEMPLATES = "additional_chat_templates/*.jinja"
_SPARE_BYTES = 1_000_000_000  # left free on the disk
_SHA256 = re.compile(r"[0-9a-f]{64}")

Progress = Callable[[int, int], None]  # bytes so far, bytes in all


@dataclass(frozen=True, slots=True)
class Pulled:
    """What a pull came to."""

    name: str
    revision: str  # the commit
    folder: Path
    size_bytes: int
    fetched_bytes: int  # of these, what was not here before


def pull(name: str, revision: str = "main", *, endpoint: str | None = None, progress: Progress | None = None) -> Pulled:
    """Fetch a model, or what is missing of it, and pin its commit.

    Args:
        name: ORGANISATION/NAME.
        revision: a branch, a tag or a commit.
        endpoint: of another hub than HF_ENDPOINT names.
        progress: is told how many bytes are here.

    Raises:
        ModelUnknown: the hub has no such model or revision.
        ModelUnfit: Limner could not run it; nothing but its configuration was fetched.
        PullFailed: the hub refused, or the connection was cut; what came is kept.
        WriteFailed: the disk has no room for it.
    """
    folder = cache_folder(name)
    with _locked(folder, name), _translated(name, revision):
        hub = _Hub(name, endpoint)
        commit = hub.commit(revision)
        there = hub.sizes(commit)
        weights = _check_and_choose(hub, commit, there)
        small = [path for path in there if _is_small(path)]
        total = sum(there[path] for path in (*small, *weights))
        _check_disk(folder, name, there, weights, commit)
        told = _Told(total, progress)
        for path in weights:
            hub.fetch(path, commit, folder / "blobs", told)
            hub.link([path], commit)
        hub.link(small, commit)
        told.add(total - told.done)
    for ref in {PIN, *([] if revision == commit else [revision])}:
        write_whole(folder / "refs" / ref, commit.encode())
    return Pulled(name, commit, folder / "snapshots" / commit, total, told.fetched)


def pull_file(repository: str, files: tuple[str, ...], *, progress: Progress | None = None) -> Path:
    """Fetch the first of these files that a repository has, as an encoder's weights; where it lies.

    Raises:
        As `pull`.
    """
    folder = cache_folder(repository)
    with _locked(folder, repository), _translated(repository, "main"):
        hub = _Hub(repository, None)
        commit = hub.commit("main")
        there = hub.sizes(commit)
        path = next((file for file in files if file in there), None)
        if path is None:
            raise ModelUnfit(f"{repository} has none of {', '.join(files)}", "take another encoder")
        _check_disk(folder, repository, there, [path], commit)
        hub.fetch(path, commit, folder / "blobs", _Told(there[path], progress))
        hub.link([path], commit)
    write_whole(folder / "refs" / "main", commit.encode())
    return folder / "snapshots" / commit / path


@dataclass(slots=True)
class _Told:
    """Counts bytes for whoever looks on."""

    total: int
    progress: Progress | None
    done: int = 0
    fetched: int = 0

    def add(self, count: int, *, fetched: bool = False) -> None:
        self.done += count
        self.fetched += count if fetched else 0
        if self.progress is not None:
            self.progress(self.done, self.total)


@dataclass(frozen=True, slots=True)
class _Hub:
    """The calls of huggingface_hub that a pull makes, for one repository."""

    name: str
    endpoint: str | None

    def commit(self, revision: str) -> str:
        """The commit that a revision is now."""
        from huggingface_hub import HfApi

        commit = HfApi(endpoint=self.endpoint).model_info(self.name, revision=revision).sha
        assert commit, "the hub names a commit for every revision"
        return commit

    def sizes(self, commit: str) -> dict[str, int]:
        """Its files and their bytes."""
        from huggingface_hub import HfApi
        from huggingface_hub.hf_api import RepoFile

        tree = HfApi(endpoint=self.endpoint).list_repo_tree(self.name, recursive=True, revision=commit)
        return {entry.path: entry.size for entry in tree if isinstance(entry, RepoFile)}

    def read(self, path: str, commit: str) -> bytes:
        """A small file."""
        from huggingface_hub import hf_hub_download

        return Path(hf_hub_download(self.name, path, revision=commit, endpoint=self.endpoint)).read_bytes()

    def fetch(self, path: str, commit: str, blobs: Path, told: _Told) -> None:
        """One file of weights as a blob of the cache, from where an earlier try was cut."""
        from huggingface_hub import get_hf_file_metadata, hf_hub_url
        from huggingface_hub.file_download import http_get
        from huggingface_hub.utils import build_hf_headers

        url = hf_hub_url(self.name, path, revision=commit, endpoint=self.endpoint)
        known = get_hf_file_metadata(url)
        if not known.etag or known.size is None:
            raise PullFailed(f"the hub does not say how large {path} is", "try again, or another hub (HF_ENDPOINT)")
        blob = blobs / known.etag
        if blob.is_file():
            told.add(known.size)
            return
        partial = blobs / f"{known.etag}.incomplete"
        try:
            blobs.mkdir(parents=True, exist_ok=True)
            begun = partial.stat().st_size if partial.is_file() else 0
            if begun > known.size:  # not of this file
                partial.unlink()
                begun = 0
            told.add(begun)
            with partial.open("ab") as file:
                http_get(
                    url,
                    file,  # pyright: ignore[reportArgumentType]
                    resume_size=begun,
                    headers=build_hf_headers(),
                    expected_size=known.size,
                    tqdm_class=_bar_for(told),
                )
            if _SHA256.fullmatch(known.etag) and digest_file(partial) != known.etag:
                partial.unlink()
                raise PullFailed(f"{path} arrived damaged", "run the same command again: it fetches that file anew")
            partial.rename(blob)
        except OSError as exc:
            if exc.errno is not None:
                raise write_failed(partial, exc) from exc
            raise

    def link(self, files: list[str], commit: str) -> None:
        """The snapshot of these files; what is a blob already is not fetched again."""
        from huggingface_hub import snapshot_download

        snapshot_download(
            self.name,
            revision=commit,
            endpoint=self.endpoint,
            allow_patterns=[re.sub(r"([\[*?])", r"[\1]", file) for file in files],
            tqdm_class=_no_bar(),
        )


def _check_and_choose(hub: _Hub, commit: str, there: Mapping[str, int]) -> list[str]:
    """The files of weights, once it is sure that Limner can run the model."""
    if "config.json" not in there:
        form = "only in GGUF" if any(path.endswith(".gguf") for path in there) else "without a config.json"
        raise ModelUnfit(
            f"{hub.name} comes {form}, which transformers does not run",
            "take the repository that it was made from, or serve it with llama.cpp or Ollama",
        )
    try:
        config = json.loads(hub.read("config.json", commit))
    except ValueError as exc:
        raise ModelUnfit(f"{hub.name} has a config.json that is damaged", "take another model") from exc
    if not isinstance(config, dict) or (kind_of(config) or layout_of(config)) is None:
        raise unfit(hub.name, config if isinstance(config, dict) else {})
    for name in (SAFE_WEIGHTS, PICKLED_WEIGHTS):
        index = f"{name}.index.json"
        try:
            files = named_in(hub.read(index, commit)) if index in there else [name]
        except ValueError as exc:
            raise ModelUnfit(f"{hub.name} has a damaged index of its weights", "take another model") from exc
        if all(file in there for file in files):
            return files
    raise ModelUnfit(
        f"{hub.name} has no whole weights that transformers reads ({SAFE_WEIGHTS})", "take another model or revision"
    )


def _is_small(path: str) -> bool:
    return fnmatch(path, _TEMPLATES) or ("/" not in path and any(fnmatch(path, pattern) for pattern in _SMALL))


def _check_disk(folder: Path, name: str, there: Mapping[str, int], weights: list[str], commit: str) -> None:
    snapshot = folder / "snapshots" / commit
    begun = sum(path.stat().st_size for path in folder.glob("blobs/*.incomplete"))
    needed = sum(there[path] for path in weights if not (snapshot / path).is_file()) - begun
    place = next(parent for parent in folder.parents if parent.is_dir())
    free = shutil.disk_usage(place).free
    if needed + _SPARE_BYTES > free:
        raise WriteFailed(
            f"{name} takes {size(needed)} more on the disk, {size(free)} are free in {place}",
            "make room, or set HF_HOME to a folder on another disk",
        )


def _bar_for(told: _Told) -> Any:
    """What http_get shows its progress on: a counter instead of a bar of its own."""

    class Counter:
        def __init__(self, *args: object, **options: object) -> None:
            pass

        def __enter__(self) -> Counter:
            return self

        def __exit__(self, *exc: object) -> None:
            pass

        def close(self) -> None:
            pass

        def update(self, count: int | None = 1) -> None:
            told.add(count or 0, fetched=True)

    return Counter


def _no_bar() -> Any:
    from tqdm import tqdm

    class NoBar(tqdm):
        def __init__(self, *args: Any, **options: Any) -> None:
            options.pop("name", None)
            super().__init__(*args, **{**options, "disable": True})

    return NoBar


@contextmanager
def _locked(folder: Path, name: str) -> Iterator[None]:
    """One pull of a model at a time."""
    from filelock import FileLock, Timeout

    lock = FileLock(folder.parent / ".locks" / folder.name / "limner-pull.lock", timeout=0)
    try:
        Path(lock.lock_file).parent.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except Timeout as exc:
        raise PullFailed(f"another process is pulling {name}", "wait until it is done") from exc
    except OSError as exc:
        raise write_failed(Path(lock.lock_file), exc) from exc
    try:
        yield
    finally:
        lock.release()


@contextmanager
def _translated(name: str, revision: str) -> Iterator[None]:
    """What the hub and the line to it can answer, as errors of ours; without its own notes and telemetry."""
    import httpx2
    from huggingface_hub import constants
    from huggingface_hub.errors import (
        GatedRepoError,
        HfHubHTTPError,
        LocalEntryNotFoundError,
        OfflineModeIsEnabled,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )
    from huggingface_hub.utils import logging

    before, telemetry = logging.get_verbosity(), constants.HF_HUB_DISABLE_TELEMETRY
    logging.set_verbosity_error()
    constants.HF_HUB_DISABLE_TELEMETRY = True  # the hub is asked for the model, and told nothing else
    again = "run the same command again: it goes on where it stopped"
    try:
        yield
    except GatedRepoError as exc:
        raise PullFailed(
            f"{name} is gated: its makers ask for consent first",
            f"accept their terms on its page ({name}), then log in with `hf auth login` or set HF_TOKEN",
        ) from exc
    except RevisionNotFoundError as exc:
        raise ModelUnknown(f"{name} has no revision {revision!r}", "name a branch, a tag or a commit") from exc
    except RepositoryNotFoundError as exc:
        raise ModelUnknown(
            f"the hub has no model {name}, or it is private",
            "look at the spelling; for a private one log in with `hf auth login` or set HF_TOKEN",
        ) from exc
    except OfflineModeIsEnabled as exc:
        raise PullFailed("the network is switched off (HF_HUB_OFFLINE)", "unset HF_HUB_OFFLINE") from exc
    except HfHubHTTPError as exc:
        raise PullFailed(f"the hub refused {name}: {_status(exc)}", _status_hint(exc, again)) from exc
    except (httpx2.ConnectError, httpx2.ConnectTimeout) as exc:
        raise PullFailed(f"the hub cannot be reached: {exc}", "is there a network? HF_ENDPOINT names the hub") from exc
    except (httpx2.HTTPError, LocalEntryNotFoundError) as exc:
        raise PullFailed(f"the download of {name} was cut: {type(exc).__name__}", again) from exc
    except OSError as exc:  # huggingface_hub's own, as of a size that is not as announced
        raise PullFailed(f"the download of {name} failed: {str(exc).splitlines()[0][:200]}", again) from exc
    finally:
        logging.set_verbosity(before)
        constants.HF_HUB_DISABLE_TELEMETRY = telemetry


def _status(exc: Any) -> str:
    return f"{exc.response.status_code} {exc.response.reason_phrase}".strip()


def _status_hint(exc: Any, again: str) -> str:
    if exc.response.status_code in (401, 403):
        return "look at the spelling; for what is private log in with `hf auth login`, or set HF_TOKEN to a valid token"
    return f"wait a while, then {again}"
