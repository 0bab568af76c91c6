"""`limner compose` and `limner illustrate`: an article with pictures, for an instruction or for a finished draft."""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from . import options, terminal
from .running import RunningOptions, with_running
from .wiring import Wiring, library_folder, load_models, own_device, selector_name, wiring_of, within_world, writer_name

if TYPE_CHECKING:
    from ..composer.article import Article, Brief, Draft
    from .settings import Settings

_EMPTY_SPOTS = {
    "none_fit": "no picture fits",
    "unparsed": "the model's answer was not usable",
    "no_candidates": "no picture was left",
}


@with_running
def compose(
    ctx: typer.Context,
    instruction: Annotated[
        str,
        typer.Argument(
            metavar="INSTRUCTION",
            help="What to write: a title, some keywords, an outline. @FILE reads a file, - standard input.",
            show_default=False,
        ),
    ],
    out: options.Out,
    library: options.Library = None,
    images: options.Images = None,
    candidates: options.Candidates = None,
    where: options.Where = None,
    model: options.Model = None,
    writer: options.Writer = None,
    selector: options.Selector = None,
    running: RunningOptions = None,
    formats: options.Formats = None,
    title: options.Title = None,
    seed: options.Seed = None,
    resume: options.Resume = False,
    embed: options.Embed = None,
    anyway: options.Anyway = False,
    as_json: options.Json = False,
) -> None:
    """Write an article for INSTRUCTION and illustrate it from the library."""
    text = _instruction(instruction)
    from ..composer.article import Brief

    settings = _settings(library, images, candidates, model, writer, selector, formats, seed, embed, running)
    brief = Brief(text, _one_title(title), settings.images, settings.candidates, settings.seed, where)
    _run(ctx, settings, brief, out, resume=resume, anyway=anyway, as_json=as_json)


@with_running
def illustrate(
    ctx: typer.Context,
    draft: Annotated[
        Path,
        typer.Argument(metavar="DRAFT.md", help="Your own text in Markdown; it is not changed.", show_default=False),
    ],
    out: options.Out,
    library: options.Library = None,
    images: options.Images = None,
    candidates: options.Candidates = None,
    where: options.Where = None,
    model: options.Model = None,
    writer: options.Writer = None,
    selector: options.Selector = None,
    running: RunningOptions = None,
    formats: options.Formats = None,
    title: options.Title = None,
    seed: options.Seed = None,
    resume: options.Resume = False,
    embed: options.Embed = None,
    anyway: options.Anyway = False,
    as_json: options.Json = False,
) -> None:
    """Illustrate a finished DRAFT from the library: its text stays byte for byte, only figures are added."""
    from ..composer.article import Brief
    from ..composer.markdown import read_draft

    settings = _settings(library, images, candidates, model, writer, selector, formats, seed, embed, running)
    title = _one_title(title)
    text = read_draft(draft, title=title)
    brief = Brief("", title, settings.images, settings.candidates, settings.seed, where)
    _run(ctx, settings, brief, out, draft=text, draft_path=draft, resume=resume, anyway=anyway, as_json=as_json)


def _settings(
    library: Path | None,
    images: str | None,
    candidates: int | None,
    model: str | None,
    writer: str | None,
    selector: str | None,
    formats: list[options.Format] | None,
    seed: int | None,
    embed: bool | None,
    running: RunningOptions,
) -> Settings:
    from .settings import load_settings

    return load_settings(
        {
            "library": library,
            "images": images,
            "candidates": candidates,
            "model": model,
            "writer": writer,
            "selector": selector,
            "format": tuple(formats) if formats else None,
            "seed": seed,
            "embed": embed,
            **(running or {}),
        }
    )


def _run(
    ctx: typer.Context,
    settings: Settings,
    brief: Brief,
    out: Path,
    *,
    draft: Draft | None = None,
    draft_path: Path | None = None,
    resume: bool,
    anyway: bool,
    as_json: bool,
) -> None:
    from .progress import Steps

    wiring: Wiring = wiring_of(ctx)
    opened = wiring.library(library_folder(settings.library), own_device(settings))
    searched = opened if brief.where is None else opened.where(brief.where)
    with Steps() as steps:
        # These questions come before the model is loaded: they are quick, and a model may not be.
        if draft is None:
            outside = wiring.check_instruction(writer_name(settings), brief.instruction)
        else:
            outside = wiring.check_draft(writer_name(settings), draft.markdown)
        within_world(outside, anyway=anyway, warn=steps.notice)
        within_world(wiring.check_library(selector_name(settings), opened), anyway=anyway, warn=steps.notice)
        if opened.caution:
            steps.notice(opened.caution)
        from ..composer.pipeline import compose as make

        writer, selector = load_models(wiring, settings, told=lambda name: steps.step("load", name))
        article = make(
            brief,
            writer=writer,
            selector=selector,
            library=searched,
            encoder=opened.manifest.encoder,
            out=out,
            draft=draft,
            draft_path=draft_path,
            formats=[str(form) for form in settings.format],
            embed=settings.embed,
            resume=resume,
            progress=steps,
        )
    paths = written(out, settings.format)
    if as_json:
        terminal.print_json(_tree(article, paths))
    else:
        show(article, paths)


def written(out: Path, formats: tuple[options.Format, ...]) -> dict[str, Path]:
    """The files of a finished article, by label."""
    from ..composer.render import FILE_NAMES

    return {str(form): (out / FILE_NAMES[form]).absolute() for form in formats} | {
        "article": (out / "article.json").absolute()
    }


def show(article: Article, paths: dict[str, Path]) -> None:
    """The end of a composition: what it is called, how many pictures it has, and where it lies."""
    console = terminal.err()
    placed, empty = _figures(article)
    console.print(terminal.clean(article.title), style="bold")
    console.print(f"{placed} picture{'' if placed == 1 else 's'}")
    for outcome, number in empty.items():
        console.print(f"{number} place{'' if number == 1 else 's'} without: {_EMPTY_SPOTS[outcome]}", style="yellow")
    terminal.print_paths(paths)


def _figures(article: Article) -> tuple[int, Counter[str]]:
    """How many pictures stand in the article, and why places stayed empty."""
    from ..composer.article import Figure

    figures = [block for block in article.blocks if isinstance(block, Figure)]
    return (
        sum(figure.image is not None for figure in figures),
        Counter(figure.outcome for figure in figures if figure.image is None),
    )


def _tree(article: Article, paths: dict[str, Path]) -> dict[str, Any]:
    placed, empty = _figures(article)
    return {"title": article.title, "figures": placed, "empty": dict(empty), "notices": list(article.notices), **paths}


def _instruction(argument: str) -> str:
    """The instruction itself, or what the file or standard input holds that the argument names."""
    try:
        if argument == "-":
            text = sys.stdin.buffer.read().decode("utf-8-sig")
        elif argument.startswith("@"):
            text = Path(argument[1:]).read_bytes().decode("utf-8-sig")
        else:
            text = argument
    except OSError as exc:
        raise typer.BadParameter(f"cannot read {argument[1:]!r}: {exc.strerror}", param_hint="INSTRUCTION") from exc
    except UnicodeDecodeError as exc:
        raise typer.BadParameter(f"{argument} is not UTF-8 text", param_hint="INSTRUCTION") from exc
    if not text.strip():
        raise typer.BadParameter("is empty; say in a few words what the article is about", param_hint="INSTRUCTION")
    return text.strip()


def _one_title(title: str | None) -> str | None:
    """The title on one line; an empty one is no title."""
    if title is None:
        return None
    line = " ".join(terminal.clean(title).split())
    if not line:
        raise typer.BadParameter("is empty", param_hint="--title")
    return line
