"""What lies in the folders: which files count as pictures, and how they differ from the catalogue."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from .csvfile import METADATA_NAME
from .errors import SourceMissing
from .formats import PICTURE_SUFFIXES
from .records import ImageRecord
from .sidefiles import SIDE_SUFFIXES, side_names


@dataclass(frozen=True, slots=True)
class Found:
    """A file that counts as a picture, not yet opened."""

    path: Path  # absolute
    size: int  # bytes
    mtime_ns: int


@dataclass(slots=True)
class Scan:
    """Everything that a walk met."""

    pictures: list[Found] = field(default_factory=list)  # by path, each once
    metadata_files: list[Path] = field(default_factory=list)  # a folder before the folders in it
    side_files: list[Path] = field(default_factory=list)  # by name; whether they speak of a picture is not known yet
    skipped: list[tuple[Path, str]] = field(default_factory=list)  # pictures by name that are no files, with the reason
    unread_folders: list[tuple[Path, str]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Changes:
    """A scan against the catalogue, as far as names, sizes and times tell."""

    unchanged: list[ImageRecord]
    to_read: list[Found]  # new or changed: only their content tells
    gone: list[ImageRecord]


def scan(sources: Sequence[Path]) -> Scan:
    """Walk folders, and take files as they are named, whatever their suffix.

    Hidden files and folders (and the `._*` of other systems) are passed over; a folder reached twice, through links or
    overlapping sources, is walked once, under the path without links if it has one.

    Raises:
        SourceMissing: a source is not there, or none of them holds a picture.
    """
    absolute = [Path(os.path.abspath(source)) for source in sources]  # noqa: PTH100  (resolve() would follow links)
    for source in absolute:
        if not source.exists():
            raise SourceMissing(f"{source} does not exist", "give a folder of pictures, or a picture")
    result = Scan()
    pictures: dict[Path, Found] = {}
    metadata_files: dict[Path, None] = {}
    for path in _files(absolute, result):
        if path.name == METADATA_NAME:
            metadata_files[path] = None
        elif path.suffix.lower() in PICTURE_SUFFIXES or path in absolute:
            _take(path, pictures, result)
        elif path.suffix.lower() in SIDE_SUFFIXES:
            result.side_files.append(path)
    for source in filter(Path.is_file, absolute):
        beside = source.parent / METADATA_NAME
        if beside.is_file():
            metadata_files[beside] = None
        result.side_files.extend(file for name in side_names(source) if (file := source.with_name(name)).is_file())
    result.pictures = [pictures[path] for path in sorted(pictures)]
    result.metadata_files = sorted(metadata_files, key=lambda path: (len(path.parts), path))
    if not result.pictures:
        raise _no_pictures(absolute, result)
    return result


def compare(found: Iterable[Found], records: Iterable[ImageRecord], *, unread_folders: Iterable[Path]) -> Changes:
    """Tell apart what stayed as it was, what must be read, and what is gone.

    A picture is unchanged when its path, size and modification time are; pictures in a folder that could not be listed
    count as unchanged too, because not seeing them does not mean that they are gone.
    """
    catalogued = {record.path: record for record in records}
    unread = set(unread_folders)
    unchanged: list[ImageRecord] = []
    to_read: list[Found] = []
    seen: set[Path] = set()
    for file in found:
        seen.add(file.path)
        record = catalogued.get(file.path)
        # What format 1 did not keep of a picture is read once; its vector stays.
        known = record and record.embedded is not None
        if record and known and (record.size, record.mtime_ns) == (file.size, file.mtime_ns):
            unchanged.append(record)
        else:
            to_read.append(file)
    gone: list[ImageRecord] = []
    for record in catalogued.values():
        if record.path not in seen:
            (gone if unread.isdisjoint(record.path.parents) else unchanged).append(record)
    return Changes(unchanged, to_read, gone)


def _files(sources: Sequence[Path], result: Scan) -> Iterator[Path]:
    """Every file below the sources; folders that are links wait until the others are walked."""
    walked: set[tuple[int, int]] = set()
    linked: list[Path] = []
    folders: list[Path] = []
    for source in sources:
        if source.is_dir():
            folders.append(source)
        else:
            yield source
    folders.reverse()
    while folders or linked:
        folder = folders.pop() if folders else linked.pop(0)
        try:
            status = folder.stat()
            if (status.st_dev, status.st_ino) in walked:
                continue
            walked.add((status.st_dev, status.st_ino))
            with os.scandir(folder) as listing:
                entries = sorted(listing, key=lambda entry: entry.name)
        except OSError as exc:
            result.unread_folders.append((folder, f"the folder cannot be read: {exc.strerror}"))
            continue
        below: list[Path] = []
        for entry in entries:
            if entry.name.startswith("."):
                continue
            if not _is_folder(entry):
                yield folder / entry.name
            elif entry.is_symlink():
                linked.append(folder / entry.name)
            else:
                below.append(folder / entry.name)
        folders.extend(reversed(below))


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:
        return False  # a link that leads in a circle


def _take(path: Path, pictures: dict[Path, Found], result: Scan) -> None:
    try:
        str(path).encode()
        status = path.stat()
    except UnicodeEncodeError:
        result.skipped.append((path, "the file name is not valid text"))
        return
    except OSError as exc:
        reason = "a link that leads nowhere" if path.is_symlink() else exc.strerror or "cannot be read"
        result.skipped.append((path, reason))
        return
    if not stat.S_ISREG(status.st_mode):
        result.skipped.append((path, "not an ordinary file"))
        return
    pictures[path] = Found(path, status.st_size, status.st_mtime_ns)


def _no_pictures(sources: Sequence[Path], result: Scan) -> SourceMissing:
    where = ", ".join(map(str, sources)) or "the list of sources"
    troubles = [*result.unread_folders, *result.skipped]
    if troubles:
        path, reason = troubles[0]
        return SourceMissing(f"no readable picture in {where}", f"{path}: {reason}")
    kinds = " ".join(sorted(suffix[1:] for suffix in PICTURE_SUFFIXES))
    return SourceMissing(f"no picture in {where}", f"these count as pictures: {kinds}")
