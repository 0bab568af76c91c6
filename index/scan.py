"""What lies in the folders: which files count as pictures, and how they differ from the catalogue."""

from __future__ import annotations

import os
import stat
from array import array
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple, overload

from .columns import Texts
from .csvfile import METADATA_NAME
from .errors import SourceMissing
from .formats import PICTURE_SUFFIXES
from .listing import list_source
from .places import RemotePath, absolute, place
from .sidefiles import SIDE_SUFFIXES, side_names


class Found(NamedTuple):
    """A file that counts as a picture, not yet opened."""

    location: str  # its absolute path, or its address
    size: int  # bytes
    mtime_ns: int

    @property
    def path(self) -> Path:
        """The same as a path."""
        return place(self.location)


class Files(Sequence[Found]):
    """Files by number, in columns: an object and its text for each take five times the memory."""

    def __init__(self, files: Iterable[Found] = ()) -> None:
        self._locations, self._sizes, self._times = Texts(), array("q"), array("q")
        for file in files:
            self._locations.append(file.location)
            self._sizes.append(file.size)
            self._times.append(file.mtime_ns)

    def __len__(self) -> int:
        return len(self._sizes)

    @overload
    def __getitem__(self, number: int) -> Found: ...
    @overload
    def __getitem__(self, number: slice) -> Files: ...
    def __getitem__(self, number: int | slice) -> Found | Files:
        """A file, or some."""
        if isinstance(number, slice):
            return Files(self[i] for i in range(*number.indices(len(self))))
        number = range(len(self))[number]
        return Found(self._locations[number], self._sizes[number], self._times[number])


@dataclass(slots=True)
class Scan:
    """Everything that a walk met."""

    # Path to (size, mtime_ns). Text and plain tuples: a Path each costs ten times as much as the walk.
    pictures: dict[str, tuple[int, int]] = field(default_factory=dict)
    metadata_files: list[Path] = field(default_factory=list)  # a folder before the folders in it
    side_files: list[Path] = field(default_factory=list)  # by name; whether they speak of a picture is not known yet
    skipped: list[tuple[Path, str]] = field(default_factory=list)  # pictures by name that are no files, with the reason
    unread_folders: list[tuple[Path, str]] = field(default_factory=list)
    stamps: dict[str, tuple[int, int]] = field(default_factory=dict)  # of metadata and side files that were listed


@dataclass(frozen=True, slots=True)
class Changes:
    """A scan against what a library knows, as far as names, sizes and times tell."""

    unchanged: list[str]  # paths
    to_read: Files  # by path: new or changed: only their content tells
    gone: list[str]
    unseen: list[str]  # in a folder that could not be listed: not seeing them does not mean that they are gone
    still_broken: list[Found]  # could not be read the last time, and did not change since


def scan(sources: Sequence[Path]) -> Scan:
    """Walk folders, and take files as they are named, whatever their suffix.

    Hidden files and folders (and the `._*` of other systems) are passed over; a folder reached twice, through links or
    overlapping sources, is walked once, under the path without links if it has one. An address is listed.

    Raises:
        SourceMissing: a source is not there or cannot be listed, or none of them holds a picture.
    """
    places = list(map(absolute, sources))
    here = [os.fspath(source) for source in places if not isinstance(source, RemotePath)]
    for source in here:
        if not os.path.exists(source):  # noqa: PTH110
            raise SourceMissing(f"{source} does not exist", "give a folder of pictures, or a picture")
    result = Scan()
    metadata_files: set[str] = set()
    side_files: set[str] = set()
    for source in places:
        if isinstance(source, RemotePath):
            listed = list_source(source)
            result.pictures |= listed.pictures
            result.skipped += listed.skipped
            result.stamps |= listed.metadata_files | listed.side_files
            metadata_files.update(listed.metadata_files)
            side_files.update(listed.side_files)
    for source in here:
        if not os.path.isdir(source):  # noqa: PTH112
            _take(source, result)
            beside = os.path.join(os.path.dirname(source), METADATA_NAME)  # noqa: PTH118, PTH120
            if os.path.isfile(beside):  # noqa: PTH113
                metadata_files.add(beside)
            picture = Path(source)
            side_files.update(str(file) for name in side_names(picture) if (file := picture.with_name(name)).is_file())
    folders = [source for source in here if os.path.isdir(source)]  # noqa: PTH112
    _walk(folders, result, metadata_files, side_files)
    result.skipped = list(dict.fromkeys(result.skipped))  # one that is named may lie in a folder that is named too
    result.metadata_files = sorted(map(place, metadata_files), key=lambda path: (len(path.parts), path))
    result.side_files = sorted(map(place, side_files))
    if not result.pictures:
        raise _no_pictures(list(map(str, places)), result)
    return result


def compare(
    found: Mapping[str, tuple[int, int]],
    known: Mapping[str, tuple[int, int]],
    broken: Mapping[str, tuple[int, int]],
    *,
    unread_folders: Iterable[Path],
) -> Changes:
    """Tell apart what stayed as it was, what must be read, and what is gone; what must be read by path.

    A picture is unchanged when its path, size and modification time are.

    Args:
        found: the pictures of a scan, path to (size, mtime_ns).
        known: those of the library.
        broken: the files that could not be read.
        unread_folders: of the scan.
    """
    if found == known:
        return Changes(list(found), Files(), [], [], [])
    unread = tuple(os.path.join(folder, "") for folder in unread_folders)  # noqa: PTH118
    unchanged: list[str] = []
    to_read: list[str] = []
    still_broken: list[Found] = []
    for location, stamp in found.items():
        if known.get(location) == stamp:
            unchanged.append(location)
        elif broken.get(location) == stamp:
            still_broken.append(Found(location, *stamp))
        else:
            to_read.append(location)
    to_read.sort()
    changes = Changes(unchanged, Files(Found(location, *found[location]) for location in to_read), [], [], still_broken)
    for location in known:
        if location not in found:
            (changes.unseen if location.startswith(unread) else changes.gone).append(location)
    return changes


def _walk(sources: Sequence[str], result: Scan, metadata_files: set[str], side_files: set[str]) -> None:
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
                entries = list(listing)
        except OSError as exc:
            result.unread_folders.append((Path(folder), f"the folder cannot be read: {exc.strerror}"))
            continue
        in_text = folder.isascii()
        below: list[str] = []
        links: list[str] = []
        for entry in entries:
            name = entry.name
            if name[0] == ".":
                continue
            suffix = name[name.rfind(".") :].lower()
            if suffix in PICTURE_SUFFIXES:
                # Nearly every entry of a picture folder comes by here: no call more than the two that it needs.
                try:
                    status = entry.stat()
                    if stat.S_ISREG(status.st_mode) and in_text and name.isascii():
                        result.pictures[entry.path] = status.st_size, status.st_mtime_ns
                        continue
                except OSError:
                    pass
                if not _is_folder(entry):
                    _take(entry.path, result)
                    continue
            if _is_folder(entry):
                (links if entry.is_symlink() else below).append(entry.path)
            elif name == METADATA_NAME:
                metadata_files.add(entry.path)
            elif suffix in SIDE_SUFFIXES:
                side_files.add(entry.path)
        linked.extend(sorted(links))
        folders.extend(sorted(below, reverse=True))


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:
        return False  # a link that leads in a circle


def _take(location: str, result: Scan) -> None:
    """Take a file, or say why not."""
    try:
        location.encode()
        status = os.stat(location)  # noqa: PTH116
    except UnicodeEncodeError:
        result.skipped.append((Path(location), "the file name is not valid text"))
        return
    except OSError as exc:
        reason = "a link that leads nowhere" if os.path.islink(location) else exc.strerror or "cannot be read"  # noqa: PTH114
        result.skipped.append((Path(location), reason))
        return
    if stat.S_ISREG(status.st_mode):
        result.pictures[location] = status.st_size, status.st_mtime_ns
    else:
        result.skipped.append((Path(location), "not an ordinary file"))


def _no_pictures(sources: Sequence[str], result: Scan) -> SourceMissing:
    where = ", ".join(sources) or "the list of sources"
    troubles = [*result.unread_folders, *result.skipped]
    if troubles:
        path, reason = troubles[0]
        return SourceMissing(f"no readable picture in {where}", f"{path}: {reason}")
    kinds = " ".join(sorted(suffix[1:] for suffix in PICTURE_SUFFIXES))
    return SourceMissing(f"no picture in {where}", f"these count as pictures: {kinds}")
