"""One writer at a time: a lock on the library that says who holds it."""

from __future__ import annotations

import getpass
import json
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

from .atomic import write_failed
from .errors import LibraryLocked

LOCK_NAME = "library.lock"
# The holder stands in a file of its own: older filelocks empty the lock file when a second process tries it.
HOLDER_NAME = "library.lock.json"


@contextmanager
def writing(library: Path) -> Iterator[None]:
    """Hold the library for writing; a lock left by a process that died is free again.

    Raises:
        LibraryLocked: another process writes; the message names it.
        WriteFailed: the folder cannot be written to.
    """
    from filelock import FileLock, Timeout

    lock = FileLock(library / LOCK_NAME, timeout=0)
    holder = library / HOLDER_NAME
    try:
        lock.acquire()
    except Timeout as exc:
        raise LibraryLocked(
            f"another build is writing to {library} ({_describe(holder)})",
            "wait until it ends, or stop it and run the command again: finished work is kept",
        ) from exc
    except OSError as exc:
        raise write_failed(library / LOCK_NAME, exc) from exc
    try:
        try:
            holder.write_text(json.dumps(_myself()), encoding="utf-8")
        except OSError as exc:
            raise write_failed(holder, exc) from exc
        yield
    finally:
        with suppress(OSError):
            holder.unlink(missing_ok=True)
        lock.release()


def _myself() -> dict[str, str | int]:
    try:
        user = getpass.getuser()
    except (KeyError, OSError):
        # A container may run under a user id that has no name.
        user = str(os.getuid()) if hasattr(os, "getuid") else "unknown"
    started = datetime.now(UTC).isoformat(timespec="seconds")
    return {"pid": os.getpid(), "host": socket.gethostname(), "user": user, "started": started}


def _describe(holder: Path) -> str:
    try:
        who = json.loads(holder.read_text(encoding="utf-8"))
        return f"process {who['pid']} of {who['user']} on {who['host']}, since {who['started']}"
    except (OSError, ValueError, KeyError, TypeError):
        return "its process is not known"
