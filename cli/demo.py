"""`limner demo`: the sample library, and three articles with pictures from it, on a machine with nothing else."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from . import terminal
from .compose import show, written
from .wiring import EMBEDDED_ENCODER, Wiring, wiring_of

if TYPE_CHECKING:
    from ..composer.protocols import Model
    from ..index.library import Library

EMBEDDED_MODEL = "nano-vlm"


@dataclass(frozen=True, slots=True)
class Example:
    """One article of the demo."""

    folder: str
    kind: str  # what the instruction is
    instruction: str
    seed: int = 0
    images: int | None = None


EXAMPLES = (
    Example(
        "outline",
        "an outline",
        "A purple balloon:\n- The purple balloon in the mountains in the morning\n- In the village at noon\n"
        "- In the city in the evening\n- The balloon by the lake at night",
        seed=2,
    ),
    Example("keywords", "keywords", "blue elephant, lake, desert", seed=4, images=2),
    # No colour is named: the first picture decides, and the others follow it.
    Example("title", "a title", "A story about a bus in the mountains, in the village and in the city", seed=5),
)


def demo(
    ctx: typer.Context,
    out: Annotated[
        Path, typer.Option("--out", metavar="DIR", help="Where the library and the articles are written.")
    ] = Path("limner-demo"),
) -> None:
    """Build the sample library and compose three articles; what is finished is not done again."""
    from ..composer.models.options import ModelOptions

    wiring = wiring_of(ctx)
    console = terminal.err()
    console.print(f"The demo goes to {terminal.clean(out.absolute())}; it needs no network and no GPU.")
    library = _library(wiring, out / "library")
    model = wiring.model(EMBEDDED_MODEL, ModelOptions(device="cpu"))
    for number, example in enumerate(EXAMPLES, start=1):
        console.print(f"\nArticle {number} of {len(EXAMPLES)}, from {example.kind}: {example.instruction}")
        _compose(example, model, library, out / example.folder)
    console.print("\nOpen an article.html in a browser. Then build a library of your own: `limner index build --help`.")


def _library(wiring: Wiring, folder: Path) -> Library:
    """The sample library, up to date; one of an older Limner is built anew."""
    from ..index.build import build
    from ..index.errors import EncoderMismatch, LibraryDamaged
    from .progress import Bar

    terminal.err().print("Building the sample library, a drawn picture book")
    encoder = wiring.encoder(EMBEDDED_ENCODER, "cpu")
    sample = resources.files("limner.sample_repos") / "picture_book"
    with resources.as_file(sample) as pictures, Bar("Indexing") as bar:
        try:
            summary = build([pictures], folder, encoder=encoder, progress=bar)
        except (EncoderMismatch, LibraryDamaged):
            summary = build([pictures], folder, encoder=encoder, rebuild=True, progress=bar)
    kept = summary.unchanged + summary.moved
    terminal.err().print(f"{summary.indexed + kept} pictures, {summary.indexed} of them indexed now")
    return wiring.library(folder, "cpu")


def _compose(example: Example, model: Model, library: Library, out: Path) -> None:
    from ..composer.article import Brief
    from ..composer.errors import RunMismatch
    from ..composer.pipeline import compose
    from .options import Format
    from .progress import Steps

    def make(steps: Steps) -> None:
        article = compose(
            Brief(example.instruction, seed=example.seed, images=example.images),
            writer=model,
            selector=model,
            library=library,
            encoder=library.manifest.encoder,
            out=out,
            formats=tuple(map(str, Format)),
            embed=False,
            resume=True,
            progress=steps,
        )
        steps.end()
        show(article, written(out, tuple(Format)))

    with Steps() as steps:
        try:
            make(steps)
        except RunMismatch:
            # The demo of an older Limner: its folders are the demo's own, so they are made anew.
            shutil.rmtree(out)
            make(steps)
