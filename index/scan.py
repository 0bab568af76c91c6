"""What lies in the folders: which files count as pictures, and how they differ from the catalogue."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from .errors import SourceMissing
from .metadata import METADATA_NAME

PICTURE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".avif"})


class Found(NamedTuple):
    """A file that counts as a picture, not yet opened."""

    location: str  # its absolute path, as text: for 100,000 files a Path each costs as much as the walk
    size: int  # bytes
    mtime_ns: int

    @property
    def path(self) -> Path:
        """Its absolute path."""
        return Path(self.location)


@dataclass(slots=True)
class Scan:
    """Everything that a walk met."""

    pictures: list[Found] = field(default_factory=list)  # by path, each once
    metadata_files: list[Path] = field(default_factory=list)  # a folder before the folders in it
    skipped: list[tuple[Path, str]] = field(default_factory=list)  # pictures by name that are no files, with the reason
    unread_folders: list[tuple[Path, str]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Changes:
    """A scan against what a library knows, as far as names, sizes and times tell."""

    unchanged: list[str]  # paths
    to_read: list[Found]  # new or changed: only their content tells
    gone: list[str]
    unseen: list[str]  # in a folder that could not be listed: not seeing them does not mean that they are gone
    still_broken: list[Found]  # could not be read the last time, and did not change since


def scan(sources: Sequence[Path]) -> Scan:
    """Walk folders, and take files as they are named, whatever their suffix.

    Hidden files and folders (and the `._*` of other systems) are passed over; a folder reached twice, through links or
    overlapping sources, is walked once, under the path without links if it has one.

    Raises:
        SourceMissing: a source is not there, or none of them holds a picture.
    """
    absolute = [os.path.abspath(source) for source in sources]  # noqa: PTH100  (resolve() would follow links)
    for source in absolute:
        if not os.path.exists(source):  # noqa: PTH110
            raise SourceMissing(f"{source} does not exist", "give a folder of pictures, or a picture")
    result = Scan()
    metadata_files: set[str] = set()
    for source in absolute:
        if not os.path.isdir(source):  # noqa: PTH112
            _take(source, lambda source=source: os.stat(source), result)  # noqa: PTH116
            beside = os.path.join(os.path.dirname(source), METADATA_NAME)  # noqa: PTH118, PTH120
            if os.path.isfile(beside):  # noqa: PTH113
                metadata_files.add(beside)
    _walk([source for source in absolute if os.path.isdir(source)], result, metadata_files)  # noqa: PTH112
    result.pictures.sort()
    if len(absolute) > 1:
        # A picture that is named may lie in a folder that is named too.
        result.pictures = list(dict.fromkeys(result.pictures))
        result.skipped = list(dict.fromkeys(result.skipped))
    result.metadata_files = sorted(map(Path, metadata_files), key=lambda path: (len(path.parts), path))
    if not result.pictures:
        raise _no_pictures(absolute, result)
    return result


def compare(
    found: Iterable[Found],
    known: Mapping[str, tuple[int, int]],
    broken: Mapping[str, tuple[int, int]],
    *,
    unread_folders: Iterable[Path],
) -> Changes:
    """Tell apart what stayed as it was, what must be read, and what is gone.

    A picture is unchanged when its path, size and modification time are.

    Args:
        found: the pictures of a scan.
        known: path to (size, mtime_ns) of the pictures in the library.
        broken: the same of those that could not be read.
        unread_folders: of the scan.
    """
    unread = tuple(os.path.join(folder, "") for folder in unread_folders)  # noqa: PTH118
    changes = Changes([], [], [], [], [])
    seen: set[str] = set()
    for file in found:
        location, size, mtime_ns = file
        seen.add(location)
        if known.get(location) == (size, mtime_ns):
            changes.unchanged.append(location)
        elif broken.get(location) == (size, mtime_ns):
            changes.still_broken.append(file)
        else:
            changes.to_read.append(file)
    for location in known:
        if location not in seen:
            (changes.unseen if location.startswith(unread) else changes.gone).append(location)
    return changes


def _walk(sources: Sequence[str], result: Scan, metadata_files: set[str]) -> None:
    """Everything below the sources; folders that are links wait until the others are walked."""
    walked: set[tuple[int, int]] = set()
    linked: list[str] = []
    folders = list(reversed(sources))
    while folders or linked:
        folder = folders.pop() if folders else linked.pop(0)
        try:
            status = os.stat(folder)  # noqa: PTH116
            if (status.st_dev, status.st_ino) in walked:
                continue
            walked.add((status.st_dev, status.st_ino))
            with os.scandir(folder) as listing:
                entries = sorted(listing, key=lambda entry: entry.name)
        except OSError as exc:
            result.unread_folders.append((Path(folder), f"the folder cannot be read: {exc.strerror}"))
            continue
        below: list[str] = []
        for entry in entries:
            name = entry.name
            if name[0] == ".":
                continue
            if _is_folder(entry):
                (linked if entry.is_symlink() else below).append(entry.path)
            elif name == METADATA_NAME:
                metadata_files.add(entry.path)
            elif name[name.rfind(".") :].lower() in PICTURE_SUFFIXES:
                _take(entry.path, entry.stat, result)
        folders.extend(reversed(below))


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:
        return False  # a link that leads in a circle


def _take(location: str, ask: Callable[[], os.stat_result], result: Scan) -> None:
    try:
        location.encode()
        status = ask()
    except UnicodeEncodeError:
        result.skipped.append((Path(location), "the file name is not valid text"))
        return
    except OSError as exc:
        reason = "a link that leads nowhere" if os.path.islink(location) else exc.strerror or "cannot be read"  # noqa: PTH114
        result.skipped.append((Path(location), reason))
        return
    if not stat.S_ISREG(status.st_mode):
        result.skipped.append((Path(location), "not an ordinary file"))
        return
    result.pictures.append(Found(location, status.st_size, status.st_mtime_ns))


def _no_pictures(sources: Sequence[str], result: Scan) -> SourceMissing:
    where = ", ".join(sources) or "the list of sources"
    troubles = [*result.unread_folders, *result.skipped]
    if troubles:
        path, reason = troubles[0]
        return SourceMissing(f"no readable picture in {where}", f"{path}: {reason}")
    kinds = " ".join(sorted(suffix[1:] for suffix in PICTURE_SUFFIXES))
    return SourceMissing(f"no picture in {where}", f"these count as pictures: {kinds}")
