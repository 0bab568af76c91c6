"""How models are to be run, whatever their kind; each adapter reads the fields that concern it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ModelOptions:
    """What the user has set about running models."""

    device: str = "auto"  # "auto", "cpu" or "cuda"
    base_url: str | None = None  # of the server that `openai:` names a model of, as http://localhost:8000/v1
    dialect: str | None = None  # the prompts to use; None: those for models of this kind
    context_tokens: int | None = None  # of a served model; None: what its server says
    picture_tokens: int = 1024  # of a served model, counted for each picture
    max_picture_px: int = 1024  # the longer side of a picture that is sent to a server
    max_picture_bytes: int = 1_000_000  # the same as JPEG
    timeout_s: float = 120.0  # how long a server may be silent
    retries: int = 4  # after a request that may succeed another time
    max_requests: int = 4  # under way to a server at a time
