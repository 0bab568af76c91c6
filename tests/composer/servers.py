"""Real servers on loopback: `transformers serve` with nano-vlm, and one whose every answer a test writes."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Lock, Thread
from typing import Any

from limner.composer.models.load import embedded_folder

READY_S = 300  # seconds for the imports of a loaded machine


@contextmanager
def transformers_serve(folder: Path, log: Path) -> Iterator[str]:
    """`transformers serve` with nano-vlm, offline; yields its base URL.

    It samples only where the model's own generation configuration says so, whatever temperature is asked for (5.23);
    with that set it draws the tokens that the local path draws with the same seed.
    """
    shutil.copytree(embedded_folder(), folder, ignore=shutil.ignore_patterns("*.py", "__pycache__", "world.json"))
    path = folder / "generation_config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"do_sample": True}))
    (log.parent / "hub").mkdir()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = os.environ | {"HF_HUB_OFFLINE": "1", "HF_HOME": str(log.parent), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "transformers.cli.transformers", "serve", str(folder)]
    command += ["--device", "cpu", "--dtype", "float32", "--host", "127.0.0.1", "--port", str(port)]
    with log.open("wb") as file:
        process = subprocess.Popen(command, stdout=file, stderr=file, env=environment)
        try:
            until = time.monotonic() + READY_S
            while not _answers(f"http://127.0.0.1:{port}/health"):
                assert process.poll() is None and time.monotonic() < until, log.read_text()
                time.sleep(0.5)
            yield f"http://127.0.0.1:{port}/v1"
        finally:
            process.terminate()
            process.wait(30)


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5):
            return True
    except (urllib.error.URLError, OSError):
        return False


class Exchange:
    """One request to the scripted server, and the ways to answer it."""

    def __init__(self, handler: BaseHTTPRequestHandler, body: dict[str, Any]) -> None:
        self.handler = handler
        self.path = handler.path
        self.headers = dict(handler.headers)
        self.body = body
        self.answered: Callable[[], None] | None = None

    def over(self) -> None:
        """Count it as under way no more: before the first byte of its answer, which may lead to the next request."""
        answered, self.answered = self.answered, None
        if answered is not None:
            answered()

    def send(self, status: int, body: str | dict[str, Any], kind: str = "application/json", **headers: str) -> None:
        self.over()
        data = (body if isinstance(body, str) else json.dumps(body)).encode()
        self.handler.send_response(status)
        for name, value in {"content-type": kind, "content-length": str(len(data)), **headers}.items():
            self.handler.send_header(name.replace("_", "-"), value)
        self.handler.end_headers()
        self.handler.wfile.write(data)

    def fail(self, status: int, message: str, **headers: str) -> None:
        self.send(status, {"error": {"message": message, "type": "error"}}, **headers)

    def begin_stream(self) -> None:
        self.over()
        self.handler.send_response(200)
        self.handler.send_header("content-type", "text/event-stream")
        self.handler.send_header("transfer-encoding", "chunked")
        self.handler.end_headers()

    def event(self, text: str | None = None, finish: str | None = None) -> None:
        choice = {"index": 0, "delta": {} if text is None else {"content": text}, "finish_reason": finish}
        chunk = {"id": "1", "object": "chat.completion.chunk", "created": 0, "model": "m", "choices": [choice]}
        self._chunk(f"data: {json.dumps(chunk)}\n\n".encode())

    def end_stream(self) -> None:
        self._chunk(b"data: [DONE]\n\n")
        self.handler.wfile.write(b"0\r\n\r\n")

    def _chunk(self, data: bytes) -> None:
        self.handler.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
        self.handler.wfile.flush()

    def say(self, text: str, *, top: list[tuple[str, float]] | None = None, finish: str = "stop") -> None:
        """A reply, in the form that was asked for."""
        if self.body.get("stream"):
            self.begin_stream()
            for start in range(0, len(text), 7):
                self.event(text[start : start + 7])
            self.event(finish=finish)
            self.end_stream()
            return
        choice: dict[str, Any] = {"index": 0, "finish_reason": finish}
        choice["message"] = {"role": "assistant", "content": text}
        if top is not None:
            entries = [{"token": token, "logprob": value, "bytes": None} for token, value in top]
            choice["logprobs"] = {"content": [{**entries[0], "top_logprobs": entries}]}
        self.send(200, {"id": "1", "object": "chat.completion", "created": 0, "model": "m", "choices": [choice]})

    def drop(self) -> None:
        """Close the connection in the middle of it all."""
        self.over()
        self.handler.close_connection = True
        self.handler.connection.shutdown(socket.SHUT_RDWR)


Answer = Callable[[Exchange], None]


class ScriptedServer:
    """Answers chats by its script, one entry a request and the last for ever; knows what it was asked."""

    def __init__(self) -> None:
        self.script: list[Answer] = [lambda exchange: exchange.say("Hello.")]
        self.models: Answer = lambda exchange: exchange.send(200, {"object": "list", "data": [{"id": "m"}]})
        self.asked: list[Exchange] = []
        self.at: list[float] = []
        self.under_way = 0
        self.most_under_way = 0
        lock = Lock()
        outer = self

        def ended() -> None:
            with lock:
                outer.under_way -= 1

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                exchange = Exchange(self, {})
                if self.path == "/v1/models":
                    outer.models(exchange)
                elif self.path == "/props":
                    exchange.send(200, {"default_generation_settings": {"n_ctx": 3072}})
                else:
                    exchange.send(404, "404 page not found", "text/plain")

            def do_POST(self) -> None:
                exchange = Exchange(self, json.loads(self.rfile.read(int(self.headers["content-length"]))))
                if self.path != "/v1/chat/completions":
                    exchange.send(404, {"detail": "Not Found"})
                    return
                exchange.answered = ended
                with lock:
                    outer.asked.append(exchange)
                    outer.at.append(time.monotonic())
                    outer.under_way += 1
                    outer.most_under_way = max(outer.most_under_way, outer.under_way)
                    answer = outer.script.pop(0) if len(outer.script) > 1 else outer.script[0]
                try:
                    answer(exchange)
                except (BrokenPipeError, ConnectionResetError):
                    self.close_connection = True
                finally:
                    exchange.over()

            def log_message(self, format: str, *args: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.base_url = f"http://127.0.0.1:{self.server.server_port}/v1"
        self._thread = Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()
