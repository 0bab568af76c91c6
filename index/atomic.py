"""Files that are whole or absent: written beside, flushed to the disk, then renamed into place."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from .errors import LimnerError, WriteFailed

TEMPORARY_SUFFIX = ".partial"


class WholeFile:
    """What `whole_file` gives to write to; it knows what went through it."""

    closed = False  # pyarrow asks

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._digest = hashlib.sha256()
        self.size = 0  # bytes

    @property
    def sha256(self) -> str:
        """The digest of all that was written, hexadecimal."""
        return self._digest.hexdigest()

    def write(self, data: bytes | memoryview) -> int:
        """Append data."""
        self._digest.update(data)
        self.size += memoryview(data).nbytes
        return self._file.write(data)

    def tell(self) -> int:
        """Bytes so far."""
        return self.size

    def flush(self) -> None:
        """Hand what was written to the system."""
        self._file.flush()


@contextmanager
def whole_file(path: Path) -> Iterator[WholeFile]:
    """Write to path piece by piece; a reader finds the old file until the block ends, then the new one.

    Raises:
        WriteFailed: the disk is full, read-only or broken; path is as it was before.
    """
    temporary = path.with_name(path.name + TEMPORARY_SUFFIX)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with temporary.open("wb") as file:
            yield WholeFile(file)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
        _flush_folder(path.parent)
    except OSError as exc:
        # On a full disk the half-written file would keep the space that the next attempt needs.
        _remove_quietly(temporary)
        raise write_failed(path, exc) from exc


@contextmanager
def alone_in(folder: Path, lock_name: str, busy: LimnerError) -> Iterator[None]:
    """Hold a folder, which is made if it is not there, for this process alone; the file lock_name in it is the lock.

    Raises:
        busy: another process holds it.
        WriteFailed: the folder cannot be made or locked.
    """
    from filelock import FileLock, Timeout

    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(folder / lock_name)
        lock.acquire(timeout=0)
    except Timeout as exc:
        raise busy from exc
    except OSError as exc:
        raise write_failed(folder, exc) from exc
    try:
        yield
    finally:
        lock.release()


def write_whole(path: Path, data: bytes | memoryview) -> str:
    """Write data to path so that a reader finds the old file or the new one, and return the SHA-256 of data.

    Raises:
        WriteFailed: the disk is full, read-only or broken; path is as it was before.
    """
    with whole_file(path) as file:
        file.write(data)
    return file.sha256


def flush_file(path: Path) -> None:
    """Bring to the disk what another library wrote to a file.

    Raises:
        OSError: the disk is full or broken.
    """
    with path.open("rb") as file:
        os.fsync(file.fileno())


def write_failed(path: Path, exc: Exception) -> WriteFailed:
    """The error for a write that the system, or a library that writes, refused."""
    reason = getattr(exc, "strerror", None) or str(exc)
    return WriteFailed(
        f"cannot write {path}: {reason}",
        "make room or choose another folder, then run the same command again: finished work is kept",
    )


def digest_file(path: Path) -> str:
    """The SHA-256 of a file's bytes, hexadecimal.

    Raises:
        OSError: the file is not there or cannot be read.
    """
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _flush_folder(folder: Path) -> None:
    """Make a rename durable; Windows has no such call and needs none."""
    if os.name == "nt":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _remove_quietly(path: Path) -> None:
    try:
        path.unlink(missing_ok=True)
    except OSError:
        return
