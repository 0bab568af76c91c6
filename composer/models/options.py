"""How models are to be run, whatever their kind; each adapter reads the fields that concern it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Dtype = Literal["auto", "float32", "bfloat16", "float16"]
Quantize = Literal["none", "8bit", "4bit"]
Attention = Literal["auto", "eager", "sdpa", "flash_attention_2"]
DEFAULT_SIDE_PX = 1024  # a picture is brought to this before the model's own processor sees it


@dataclass(frozen=True, slots=True)
class ModelOptions:
    """What the user has set about running models."""

    device: str = "auto"  # "auto", "cpu", "cuda", "cuda:N", or "map": over all GPUs
    dtype: Dtype = "auto"
    quantize: Quantize = "none"
    attention: Attention = "auto"
    max_picture_side_px: int = DEFAULT_SIDE_PX  # the longer side of a picture that a model, or its server, is given
    reads_pictures: bool = True  # False: the model is only to write, so that one of text alone will do
    base_url: str | None = None  # of the server that `openai:` names a model of, as http://localhost:8000/v1
    dialect: str | None = None  # the prompts to use; None: those for models of this kind
    context_tokens: int | None = None  # of a served model; None: what its server says
    picture_tokens: int = 1024  # of a served model, counted for each picture
    max_picture_bytes: int = 1_000_000  # of a picture as JPEG that is sent to a server
    timeout_s: float = 120.0  # how long a server may be silent
    retries: int = 4  # after a request that may succeed another time
    max_requests: int = 4  # under way to a server at a time
