"""What lies at an address: one listing of the storage, told as a walk tells what lies in folders."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .csvfile import METADATA_NAME
from .errors import SourceMissing
from .formats import PICTURE_SUFFIXES
from .places import RemotePath, filesystem_of, said_in_words, stamp_of
from .sidefiles import SIDE_SUFFIXES, side_names

Stamps = dict[str, tuple[int, int]]  # address to (size, mtime_ns)


class Listed:
    """The files at an address that matter; hidden ones are passed over, as in folders."""

    def __init__(self) -> None:
        self.pictures: Stamps = {}
        self.metadata_files: Stamps = {}
        self.side_files: Stamps = {}
        self.skipped: list[tuple[Path, str]] = []


def list_source(source: RemotePath) -> Listed:
    """List what is below source, or take it as a picture, whatever its suffix, if it is a file.

    Raises:
        SourceMissing: nothing is there, or it cannot be listed.
    """
    found = Listed()
    try:
        system, root = filesystem_of(str(source))
        with said_in_words(source):
            files: Mapping[str, Mapping[str, Any]] = system.find(root, detail=True)
            for name, info in files.items():
                parts = name[len(root) :].removeprefix("/").split("/")
                if name == root:
                    _take_alone(source, info, found)
                elif parts[-1] == "":
                    continue  # an empty object that some tools put where they want a folder
                elif info.get("type", "file") == "file" and not any(part[:1] == "." for part in parts):
                    stamp = stamp_of(info if info.get("size") is not None else system.info(name))
                    _take(f"{source}/{'/'.join(parts)}", parts, stamp, found)
    except OSError as exc:
        reason = exc.strerror or str(exc)
        raise SourceMissing(f"{source} cannot be listed: {reason}", "check the address, and who may read it") from exc
    if not files:
        raise SourceMissing(f"{source} does not exist, or is empty", "give the address of pictures, or of a picture")
    return found


def _take(address: str, parts: list[str], stamp: tuple[int, int], found: Listed) -> None:
    name = parts[-1]
    suffix = name[name.rfind(".") :].lower()
    if "" in parts:  # which no path can say
        if suffix in PICTURE_SUFFIXES:
            found.skipped.append((RemotePath(address), f"two slashes stand one after the other in {address}"))
    elif suffix in PICTURE_SUFFIXES:
        found.pictures[address] = stamp
    elif name == METADATA_NAME:
        found.metadata_files[address] = stamp
    elif suffix in SIDE_SUFFIXES:
        found.side_files[address] = stamp


def _take_alone(source: RemotePath, info: Mapping[str, Any], found: Listed) -> None:
    """A picture that is named, and what lies beside it and may speak of it."""
    found.pictures[str(source)] = stamp_of(info)
    for name in (METADATA_NAME, *side_names(source)):
        into = found.metadata_files if name == METADATA_NAME else found.side_files
        beside = source.with_name(name)
        try:
            status = beside.stat()
        except FileNotFoundError:
            continue
        into[str(beside)] = status.st_size, status.st_mtime_ns
