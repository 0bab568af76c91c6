"""The options that several commands share, each declared once, and their checks."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer


class Format(StrEnum):
    """A form that an article is rendered in."""

    HTML = "html"
    MARKDOWN = "markdown"


class Engine(StrEnum):
    """Who does the work of a build or a description."""

    LOCAL = "local"
    RAY = "ray"


class Fallback(StrEnum):
    """What stands at a place for which no picture fits."""

    SKIP = "skip"
    TOP1 = "top1"


def images_from(text: str) -> int | None:
    """`auto` is None, anything else a number of pictures.

    Raises:
        ValueError: neither; the message says what is.
    """
    if text.strip().lower() == "auto":
        return None
    try:
        number = int(text)
    except ValueError:
        number = 0
    if number < 1:
        raise ValueError(f"must be auto or a number from 1, not {text!r}")
    return number


def _images(value: str | None) -> str | None:
    if value is not None:
        try:
            images_from(value)
        except ValueError as exc:
            raise typer.BadParameter(str(exc)) from exc
    return value


def from_one(value: int | None) -> int | None:
    if value is not None and value < 1:
        raise typer.BadParameter(f"must be a number from 1, not {value}")
    return value


def not_negative(value: int | None) -> int | None:
    if value is not None and value < 0:
        raise typer.BadParameter(f"must be 0 or more, not {value}")
    return value


Library = Annotated[
    Path | None, typer.Option("--library", metavar="DIR", help="The library's folder.", show_default=False)
]
Libraries = Annotated[
    list[Path] | None,
    typer.Option(
        "--library", metavar="DIR", help="The library's folder; repeat it to search several as one.", show_default=False
    ),
]
Device = Annotated[
    str | None,
    typer.Option(
        "--device",
        metavar="auto|cpu|cuda",
        help="Where models run: auto takes a GPU where there is one.  (default: auto)",
        show_default=False,
    ),
]
Precision = Annotated[
    str | None,
    typer.Option(
        "--precision",
        metavar="auto|fp32|bf16|fp16",
        help="How the encoder computes: auto measures, for a new library, what is faster.  (default: auto)",
        show_default=False,
    ),
]
Workers = Annotated[
    int | None,
    typer.Option(
        "--workers",
        metavar="N",
        callback=from_one,
        help="Threads that read and decode pictures.  (default: two more than processors, 8 at most)",
        show_default=False,
    ),
]
Processes = Annotated[
    bool | None,
    typer.Option(
        "--processes/--threads",
        help="Read and decode in as many processes as processors (or --workers): for a GPU that waits for its pictures."
        "  (default: threads)",
        show_default=False,
    ),
]
BatchSize = Annotated[
    int | None,
    typer.Option(
        "--batch-size",
        metavar="N",
        callback=from_one,
        help="Pictures that the encoder takes at a time.  (default: 32)",
        show_default=False,
    ),
]
MaxPixels = Annotated[
    int | None,
    typer.Option(
        "--max-pixels",
        metavar="N",
        callback=from_one,
        help="Skip pictures with more pixels.  (default: 100000000)",
        show_default=False,
    ),
]
MaxBytes = Annotated[
    int | None,
    typer.Option(
        "--max-bytes",
        metavar="N",
        callback=from_one,
        help="Skip files with more bytes.  (default: 200000000)",
        show_default=False,
    ),
]
Engines = Annotated[
    Engine | None,
    typer.Option(
        "--engine", help="Who does the work: this machine, or a Ray cluster.  (default: local)", show_default=False
    ),
]
Address = Annotated[
    str | None,
    typer.Option(
        "--address",
        metavar="HOST:PORT",
        help="The Ray cluster.  (default: RAY_ADDRESS, else one on this machine for the time of the command)",
        show_default=False,
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]
Where = Annotated[
    str | None,
    typer.Option(
        "--where",
        metavar="CONDITION",
        help="Only pictures for which this holds, as in SQL: \"licence = 'CC0' and width > 1000\".",
        show_default=False,
    ),
]
Sentences = Annotated[
    str | None,
    typer.Option(
        "--sentences",
        metavar="NAME|none",
        help="Encodes what is said of the pictures, as all-MiniLM-L6-v2 does.  (default: the library's own)",
        show_default=False,
    ),
]
IndexType = Annotated[
    str | None,
    typer.Option(
        "--index-type",
        metavar="auto|flat|sq16|ivf-sq8|ivf-rabitq",
        help="How the vectors are indexed; auto goes by their number.  (default: the library's own)",
        show_default=False,
    ),
]
Out = Annotated[
    Path, typer.Option("--out", metavar="DIR", help="Where the article and its run are written.", show_default=False)
]
Images = Annotated[
    str | None,
    typer.Option(
        "--images",
        metavar="auto|N",
        callback=_images,
        help="How many pictures: auto leaves it to the model.  (default: auto)",
        show_default=False,
    ),
]
Candidates = Annotated[
    int | None,
    typer.Option(
        "-m",
        metavar="N",
        callback=from_one,
        help="How many pictures the model chooses from at each place.  (default: 4)",
        show_default=False,
    ),
]
Permutations = Annotated[
    int | None,
    typer.Option(
        "--permutations",
        metavar="N",
        callback=from_one,
        help="Let the model read the candidates N times, each time in another order.  (default: 1)",
        show_default=False,
    ),
]
Fallbacks = Annotated[
    Fallback | None,
    typer.Option(
        "--fallback",
        help="Where the model finds that no picture fits: none, or the first that was found.  (default: skip)",
        show_default=False,
    ),
]
Model = Annotated[
    str | None,
    typer.Option(
        "--model",
        metavar="NAME",
        help="The model that writes and chooses, or `words`; see `limner models list`.  (default: nano-vlm)",
        show_default=False,
    ),
]
Writer = Annotated[
    str | None,
    typer.Option(
        "--writer",
        metavar="NAME",
        help="Another model for the text and the places alone; it need not read pictures.  (default: --model)",
        show_default=False,
    ),
]
Selector = Annotated[
    str | None,
    typer.Option(
        "--selector",
        metavar="NAME",
        help="Another model for choosing pictures alone, or `words` for the first found.  (default: --model)",
        show_default=False,
    ),
]
Formats = Annotated[
    list[Format] | None,
    typer.Option("--format", help="What to render; repeat it for both.  (default: both)", show_default=False),
]
Embed = Annotated[
    bool | None,
    typer.Option(
        "--embed/--no-embed",
        help="Put the pictures inside the HTML page.  (default: beside it)",
        show_default=False,
    ),
]
Title = Annotated[
    str | None, typer.Option("--title", metavar="T", help="The article's title, word for word.", show_default=False)
]
Seed = Annotated[
    int | None,
    typer.Option(
        "--seed",
        metavar="N",
        callback=not_negative,
        help="Another seed writes another article; the same one the same.  (default: 0)",
        show_default=False,
    ),
]
Resume = Annotated[
    bool, typer.Option("--resume", help="Go on with the run that DIR holds, from its last finished step.")
]
Anyway = Annotated[
    bool, typer.Option("--anyway", help="Go on though text or pictures are outside of what the model was made for.")
]
BaseUrl = Annotated[
    str | None,
    typer.Option(
        "--base-url",
        metavar="URL",
        help="The server of an `openai:` model, as http://localhost:8000/v1.",
        show_default=False,
    ),
]
