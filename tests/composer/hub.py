"""A hub on this machine: a real HTTP server that speaks the endpoints which huggingface_hub asks, and can fail."""

from __future__ import annotations

import hashlib
import json
import socket
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

COMMIT = "0123456789abcdef0123456789abcdef01234567"
LARGE = (".safetensors", ".bin")


@dataclass
class Hub:
    """What the server has, how it fails, and what it was asked."""

    folder: Path  # ORGANISATION/NAME/files
    address: str = ""
    revisions: dict[str, str] = field(default_factory=lambda: {"main": COMMIT, COMMIT: COMMIT})
    refuse: tuple[int, str] | None = None  # status and X-Error-Code for everything
    cut_after: int | None = None  # bytes of the next large file, then the connection is reset
    close_after: int | None = None  # the same, and the connection is closed in good order
    slowly: bool = False  # large files in pieces, with pauses
    damage: bool = False  # large files with other bytes
    ignore_ranges: bool = False
    asked: list[tuple[str, str, str]] = field(default_factory=list)  # method, path, Range

    def gets(self, ending: str) -> list[str]:
        """The Range of every GET of a file."""
        return [span for method, path, span in self.asked if method == "GET" and path.endswith(ending)]


@contextmanager
def hub_at(folder: Path) -> Iterator[Hub]:
    """Serve the folder on loopback."""
    hub = Hub(folder)

    class Handler(_Handler):
        served = hub

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    hub.address = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    served: Hub

    def log_message(self, format: str, *args: Any) -> None:
        pass

    def do_HEAD(self) -> None:
        self._answer(body=False)

    def do_GET(self) -> None:
        self._answer(body=True)

    def _answer(self, *, body: bool) -> None:
        hub, path = self.served, unquote(urlsplit(self.path).path).strip("/")
        hub.asked.append((self.command, path, self.headers.get("Range", "")))
        if hub.refuse is not None:
            return self._error(*hub.refuse)
        parts = path.split("/")
        if len(parts) < 5:
            return self._error(404, "")
        if parts[:2] == ["api", "models"]:
            return self._api("/".join(parts[2:4]), parts[4], "/".join(parts[5:]))
        name, revision, file = "/".join(parts[:2]), parts[3], "/".join(parts[4:])
        if parts[2] != "resolve" or not (hub.folder / name).is_dir():
            return self._error(404, "RepoNotFound")
        if revision not in hub.revisions:
            return self._error(404, "RevisionNotFound")
        if not (hub.folder / name / file).is_file():
            return self._error(404, "EntryNotFound")
        return self._file(hub.folder / name / file, hub.revisions[revision], body=body)

    def _api(self, name: str, question: str, rest: str) -> None:
        hub = self.served
        if not (hub.folder / name).is_dir():
            return self._error(401, "RepoNotFound")  # as the hub does for whom it does not know
        if rest not in hub.revisions:
            return self._error(404, "RevisionNotFound")
        files = sorted(path for path in (hub.folder / name).rglob("*") if path.is_file())
        if question == "revision":
            siblings = [{"rfilename": str(path.relative_to(hub.folder / name))} for path in files]
            return self._json({"id": name, "modelId": name, "sha": hub.revisions[rest], "siblings": siblings})
        return self._json([_entry(path, hub.folder / name) for path in files])

    def _file(self, path: Path, commit: str, *, body: bool) -> None:
        hub, data = self.served, path.read_bytes()
        large = path.name.endswith(LARGE)
        etag = hashlib.sha256(data).hexdigest() if large else hashlib.sha1(data).hexdigest()
        begin = 0
        span = self.headers.get("Range", "")
        if body and span.startswith("bytes=") and not hub.ignore_ranges:
            begin = int(span.removeprefix("bytes=").split("-")[0])
        self.send_response(206 if begin else 200)
        if begin:
            self.send_header("Content-Range", f"bytes {begin}-{len(data) - 1}/{len(data)}")
        self.send_header("Content-Length", str(len(data) - begin))
        self.send_header("ETag", f'"{etag}"')
        self.send_header("X-Repo-Commit", commit)
        self.send_header("Accept-Ranges", "bytes")
        self.end_headers()
        if body:
            self._body(data[begin:], large)

    def _body(self, data: bytes, large: bool) -> None:
        hub = self.served
        if large and hub.damage:
            data = bytes(255 - byte for byte in data)
        if large and (limit := hub.cut_after if hub.cut_after is not None else hub.close_after) is not None:
            reset = hub.cut_after is not None
            hub.cut_after = hub.close_after = None
            self.wfile.write(data[:limit])
            self.wfile.flush()
            time.sleep(0.1)  # let what was sent arrive, for a reset throws away what waits
            if reset:
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.close_connection = True
            self.connection.close()
            return
        pieces = [data[i : i + 500_000] for i in range(0, len(data), 500_000)] if large and hub.slowly else [data]
        try:
            for piece in pieces:
                self.wfile.write(piece)
                if len(pieces) > 1:
                    time.sleep(0.1)
        except OSError:
            self.close_connection = True  # whoever asked is gone

    def _json(self, value: Any) -> None:
        data = json.dumps(value).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def _error(self, status: int, code: str) -> None:
        self.send_response(status)
        if code:
            self.send_header("X-Error-Code", code)
        self.send_header("Content-Length", "0")
        self.end_headers()


def _entry(path: Path, root: Path) -> dict[str, Any]:
    data = path.read_bytes()
    entry: dict[str, Any] = {
        "type": "file",
        "path": str(path.relative_to(root)),
        "size": len(data),
        "oid": hashlib.sha1(data).hexdigest(),
    }
    if path.name.endswith(LARGE):
        entry["lfs"] = {"oid": hashlib.sha256(data).hexdigest(), "size": len(data), "pointerSize": 130}
    return entry
