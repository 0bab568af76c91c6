"""Where a picture lies: a path of this machine, or an address (`s3://bucket/a.jpg`) that is used like one.

Whoever has a picture's path asks it for its name, its folder, its size or its bytes, and need not know which of the two
it is. Addresses are read by fsspec; what its packages raise becomes an OSError here.
"""

from __future__ import annotations

import errno
import hashlib
import os
import re
import stat
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

_Path = Path if TYPE_CHECKING else type(Path())  # before Python 3.12 only the path of a system can be derived from

# A path of it has lost a slash; one letter is a drive of Windows.
_ADDRESS = re.compile(r"(?!file:)(?P<scheme>[a-z][a-z0-9+.-]+):/{1,2}(?P<rest>[^/].*)", re.DOTALL)
_LOCAL = re.compile(r"\Afile:/*(?=/)")
_TIMES = ("LastModified", "last_modified", "updated", "mtime", "modified", "created")
_VERSIONS = ("ETag", "etag", "md5Hash", "Content-MD5", "Last-Modified")
_SECOND = 1_000_000_000  # ns
# What the packages raise that is no OSError, by the module that has it.
_FOREIGN = {
    "aiohttp": "ClientError",
    "azure.core.exceptions": "AzureError",
    "botocore.exceptions": "BotoCoreError",
    "fsspec.exceptions": "FSTimeoutError",
    "google.auth.exceptions": "GoogleAuthError",
}


class NotOrdinary(OSError):
    """A folder, a pipe, a device: nothing that can be read to its end."""


class RemotePath(_Path):
    """An address as a path: what a path says of names and folders, and what reads; a file system of here refuses it."""

    def __str__(self) -> str:
        return address_of(super().__str__()) or super().__str__()

    def __fspath__(self) -> str:
        raise TypeError(f"{self} is no path of this machine")

    def absolute(self) -> RemotePath:
        """Itself."""
        return self

    def stat(self, *, follow_symlinks: bool = True) -> os.stat_result:
        """Kind, size and time as the storage tells them; see `stamp_of`.

        Raises:
            OSError: it cannot be asked, or, a FileNotFoundError, there is nothing.
        """
        system, root = filesystem_of(str(self))
        with said_in_words(self):
            info = system.info(root)
        is_file = info.get("type", "file") == "file"
        size, mtime_ns = stamp_of(info)
        kind = stat.S_IFREG if is_file else stat.S_IFDIR
        return os.stat_result((kind, 0, 0, 1, 0, 0, size, 0, mtime_ns // _SECOND, 0), {"st_mtime_ns": mtime_ns})

    def exists(self, *, follow_symlinks: bool = True) -> bool:
        """Whether there is a file, or anything below it."""
        try:
            self.stat()
        except FileNotFoundError:
            return False
        return True

    def is_file(self, *, follow_symlinks: bool = True) -> bool:
        """Whether there is a file."""
        try:
            return stat.S_ISREG(self.stat().st_mode)
        except FileNotFoundError:
            return False

    def read_bytes(self) -> bytes:
        """All of it, in one request.

        Raises:
            OSError: it cannot be read, or, a FileNotFoundError, there is nothing.
        """
        system, root = filesystem_of(str(self))
        with said_in_words(self):
            return system.cat_file(root)

    def read_start(self, most: int) -> bytes:
        """Its first bytes, as `read_bytes`."""
        system, root = filesystem_of(str(self))
        with said_in_words(self):
            try:
                return system.cat_file(root, start=0, end=most)
            except FileNotFoundError:
                raise
            except (OSError, ValueError):
                if system.info(root).get("size") == 0:
                    return b""  # of nothing, S3 gives no first bytes either
                raise


def place(text: str | Path) -> Path:
    """The path or the address that a text is; a path that was an address once is one again."""
    if isinstance(text, RemotePath):
        return text
    if address := address_of(text):
        return RemotePath(address)
    return Path(_LOCAL.sub("", os.fspath(text)))


def absolute(source: Path) -> Path:
    """The same place wherever it is asked from; links stay as they are."""
    where = place(source)
    return where if isinstance(where, RemotePath) else Path(os.path.abspath(where))  # noqa: PTH100


def address_of(path: str | Path) -> str | None:
    """The address that a path was written as (`s3://bucket/library`), or None where it is one of this machine."""
    match = _ADDRESS.fullmatch(path.as_posix() if isinstance(path, Path) else path.replace(os.sep, "/"))
    return f"{match['scheme']}://{match['rest']}" if match else None


def filesystem_of(address: str) -> tuple[Any, str]:
    """The file system of fsspec that reads an address, and what it calls it.

    Raises:
        OSError: no package that reads such addresses is installed.
    """
    from fsspec import get_filesystem_class

    try:
        kind = get_filesystem_class(address.partition("://")[0])
        # Of the address alone: fsspec's own way would take `::` in a name for a chain of file systems. What a listing
        # said is not kept, because pictures change while it is.
        system = kind(**kind._get_kwargs_from_urls(address), use_listings_cache=False)
    except (ImportError, ValueError) as exc:
        message = f"nothing here can read such an address ({exc}): install its package of fsspec, or limner[s3]"
        raise OSError(errno.EPROTONOSUPPORT, message, address) from exc
    return system, str(kind._strip_protocol(address)).rstrip("/")


@contextmanager
def said_in_words(place: Path | str) -> Iterator[None]:
    """What goes wrong in the block as an OSError with words for people."""
    foreign = [getattr(sys.modules[module], name) for module, name in _FOREIGN.items() if module in sys.modules]
    try:
        yield
    except FileNotFoundError as exc:
        raise FileNotFoundError(errno.ENOENT, "it is not there", str(place)) from exc
    except tuple(foreign) as exc:
        raise OSError(errno.EIO, " ".join(str(exc).split()) or type(exc).__name__, str(place)) from exc


def read_within(path: Path, most: int) -> tuple[int, bytes]:
    """The size of an ordinary file and its bytes; none of one that is larger than most.

    Raises:
        OSError: it cannot be read; NotOrdinary: nothing that has an end.
    """
    if isinstance(path, RemotePath):
        # One request: asking for the size before would be another one for each picture.
        data = path.read_start(most + 1) if most < 2**62 else path.read_bytes()
        return (len(data), data) if len(data) <= most else (path.stat().st_size, b"")
    status = path.stat()
    if not stat.S_ISREG(status.st_mode):
        raise NotOrdinary(errno.EINVAL, "not an ordinary file", str(path))
    return status.st_size, path.read_bytes() if status.st_size <= most else b""


def stamp_of(info: Mapping[str, Any]) -> tuple[int, int]:
    """Size and time (ns) of a file as fsspec tells of it.

    Object storage knows whole seconds, in which a file may change twice: what is below the second is made of its ETag.
    """
    time = next((info[name] for name in _TIMES if info.get(name)), 0)
    if isinstance(time, str):
        time = datetime.fromisoformat(time)
    if isinstance(time, datetime):
        time = (time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp()
    version = next((str(info[name]).strip('"') for name in _VERSIONS if info.get(name)), str(time))
    below = int.from_bytes(hashlib.sha256(version.encode()).digest()[:8], "big") % _SECOND
    return int(info.get("size") or 0), int(time) * _SECOND + below
