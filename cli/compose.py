"""`limner compose` and `limner illustrate`: an article with pictures, for an instruction or for a finished draft."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from . import brief as briefs
from . import options, terminal
from .groups import Given, with_groups
from .making import MAKING, brief_flags
from .out_folder import check_out
from .running import RUNNING
from .wiring import (
    Wiring,
    encoder_device,
    library_folder,
    load_models,
    selector_name,
    wiring_of,
    writer_name,
)

if TYPE_CHECKING:
    from ..composer.article import Article
    from ..composer.brief import BriefFields
    from .settings import Settings

_EMPTY_SPOTS = {
    "none_fit": "no picture fits",
    "unparsed": "the model's answer was not usable",
    "no_candidates": "no picture was left",
}


_SUBJECTS = ("instruction", "title", "keywords", "outline", "material", "draft")
NO_ENCODER = "none"  # as article.json names it where no library was searched


@with_groups(MAKING, RUNNING)
def compose(
    ctx: typer.Context,
    *,
    instruction: Annotated[
        str | None,
        typer.Argument(
            metavar="[INSTRUCTION]",
            help="What to write: a title, some keywords, an outline. @FILE reads a file, - standard input.",
            show_default=False,
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="DIR", help="Where the article and its run are written.", show_default=False),
    ] = None,
    making: Given,
    where: options.Where = None,
    running: Given,
    title: options.Title = None,
    file: briefs.File = None,
    keywords: briefs.Keywords = None,
    outline: briefs.Outline = None,
    material: briefs.Material = None,
    reference: briefs.Reference = None,
    references_only: briefs.ReferencesOnly = False,
    language: briefs.Language = None,
    length: briefs.Length = None,
    tone: briefs.Tone = None,
    audience: briefs.Audience = None,
    system: briefs.System = None,
    temperature: briefs.Temperature = None,
    top_p: briefs.TopP = None,
    max_new_tokens: briefs.MaxNewTokens = None,
    resume: options.Resume = False,
    anyway: options.Anyway = False,
    dry_run: briefs.DryRun = False,
    as_json: options.Json = False,
) -> None:
    """Write an article for INSTRUCTION, or for a brief, and illustrate it from the library."""
    from .settings import load_settings

    settings = load_settings({**making, **running})
    fields = _fields(
        settings,
        file,
        {
            "instruction": None if instruction is None else _instruction(instruction),
            "title": _one_title(title),
            "keywords": keywords,
            "outline": outline,
            "material": material,
            "reference": reference,
            "references_only": references_only,
            "language": language,
            "length": length,
            "tone": tone,
            "audience": audience,
            "where": where,
            "system": None if system is None else _text(system, "--system"),
            "temperature": temperature,
            "top_p": top_p,
            "max_new_tokens": max_new_tokens,
            **brief_flags(making),
        },
    )
    if not file and all(fields.said().get(key) is None for key in _SUBJECTS):
        raise typer.BadParameter("is missing; say what the article is about", param_hint="INSTRUCTION")
    if dry_run:
        _dry_run(ctx, settings, fields, as_json=as_json)
    else:
        _run(ctx, settings, fields, _folder(out), resume=resume, anyway=anyway, as_json=as_json)


@with_groups(MAKING, RUNNING)
def illustrate(
    ctx: typer.Context,
    *,
    out: options.Out,
    draft: Annotated[
        Path | None,
        typer.Argument(metavar="[DRAFT.md]", help="Your own text in Markdown; it is not changed.", show_default=False),
    ] = None,
    making: Given,
    where: options.Where = None,
    running: Given,
    title: options.Title = None,
    file: briefs.File = None,
    reference: briefs.Reference = None,
    references_only: briefs.ReferencesOnly = False,
    language: briefs.Language = None,
    resume: options.Resume = False,
    anyway: options.Anyway = False,
    as_json: options.Json = False,
) -> None:
    """Illustrate a finished DRAFT from the library: its text stays byte for byte, only figures are added."""
    from .settings import load_settings

    settings = load_settings({**making, **running})
    fields = _fields(
        settings,
        file,
        {
            "draft": draft,
            "title": _one_title(title),
            "reference": reference,
            "references_only": references_only,
            "language": language,
            "where": where,
            **brief_flags(making),
        },
    )
    if fields.draft is None:
        raise typer.BadParameter("is missing; give the path of a Markdown file", param_hint="DRAFT.md")
    _run(ctx, settings, fields, out, draft_path=draft, resume=resume, anyway=anyway, as_json=as_json)


def _fields(settings: Settings, file: Path | None, flags: Mapping[str, Any]) -> BriefFields:
    """The brief: flags, else the file, else the settings."""
    return briefs.fields_of(
        file,
        flags,
        images=settings.images or "auto",
        candidates=settings.candidates,
        permutations=settings.permutations,
        fallback=str(settings.fallback),
        seed=settings.seed,
    )


def _folder(out: Path | None) -> Path:
    if out is None:
        raise typer.BadParameter("is missing; name the folder that receives the article", param_hint="--out")
    return out


def _dry_run(ctx: typer.Context, settings: Settings, fields: BriefFields, *, as_json: bool) -> None:
    from ..composer.brief import to_brief
    from ..composer.dry_run import Unloaded, first_prompt
    from ..composer.errors import BriefInvalid
    from ..composer.markdown import read_draft
    from ..composer.prompts import read_by
    from ..composer.words import NAME as BY_WORDS

    brief = to_brief(fields)
    draft = None if fields.draft is None else read_draft(fields.draft, title=fields.title)
    name = writer_name(settings)
    model = Unloaded(name, settings.dialect or wiring_of(ctx).dialect(name))
    if draft is None and name == BY_WORDS:
        raise BriefInvalid("an article needs a model that writes", "name one, or give a draft to illustrate")
    # Words alone choose the places in a draft, and ask nobody.
    messages, notices = ([], []) if draft and name == BY_WORDS else first_prompt(brief, draft, model)
    for notice in notices:
        terminal.note(notice)
    if brief.material and "material" in read_by("write", dialect=model.dialect, language=brief.language):
        terminal.note("the material stands whole below; what does not fit the model's context is cut from its middle")
    briefs.show(fields, messages, model=name, as_json=as_json)


def _run(
    ctx: typer.Context,
    settings: Settings,
    fields: BriefFields,
    out: Path,
    *,
    draft_path: Path | None = None,
    resume: bool,
    anyway: bool,
    as_json: bool,
) -> None:
    from ..composer.brief import to_brief
    from ..composer.markdown import read_draft
    from ..composer.references import NoLibrary
    from ..composer.run import check_run
    from .cautions import tell_cautions
    from .progress import Steps

    wiring: Wiring = wiring_of(ctx)
    draft = None if fields.draft is None else read_draft(fields.draft, title=fields.title)
    brief = to_brief(fields)
    check_out(out)
    check_run(out, brief=brief, draft=draft, resume=resume)
    opened = None
    searched = NoLibrary()
    if not brief.references_only:
        opened = wiring.library(library_folder(settings.library), encoder_device(settings))
        searched = opened if brief.where is None else opened.where(brief.where)
    told: list[str] = []
    with Steps() as steps:

        def warn(message: str) -> None:
            told.append(message)
            steps.notice(message)

        tell_cautions(
            brief,
            draft,
            wiring=wiring,
            settings=settings,
            opened=opened,
            searched=searched,
            strange=lambda: None if opened is None else wiring.check_library(selector_name(settings), opened),
            anyway=anyway,
            warn=warn,
        )
        from ..composer.pipeline import compose as make

        writer, selector = load_models(wiring, settings, told=lambda name: steps.step("load", name))
        article = make(
            brief,
            writer=writer,
            selector=selector,
            library=searched,
            encoder=opened.manifest.encoder if opened else NO_ENCODER,
            out=out,
            draft=draft,
            draft_path=draft_path or fields.draft,
            formats=[str(form) for form in settings.format],
            embed=settings.embed,
            resume=resume,
            progress=steps,
            notices=told,
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
    placed, empty, first = _figures(article)
    console.print(terminal.clean(article.title), style="bold")
    console.print(f"{placed} picture{'' if placed == 1 else 's'}")
    if first:
        console.print(f"{first} of them the first found: none fitted", style="yellow")
    for outcome, number in empty.items():
        console.print(f"{number} place{'' if number == 1 else 's'} without: {_EMPTY_SPOTS[outcome]}", style="yellow")
    terminal.print_paths(paths)


def _figures(article: Article) -> tuple[int, Counter[str], int]:
    """How many pictures stand in the article, why places stayed empty, and how many pictures stand in for none."""
    from ..composer.article import Figure

    figures = [block for block in article.blocks if isinstance(block, Figure)]
    return (
        sum(figure.image is not None for figure in figures),
        Counter(figure.outcome for figure in figures if figure.image is None),
        sum(figure.outcome == "fallback" for figure in figures),
    )


def _tree(article: Article, paths: dict[str, Path]) -> dict[str, Any]:
    placed, empty, first = _figures(article)
    counts = {"figures": placed, "fallbacks": first, "empty": dict(empty)}
    return {"title": article.title, **counts, "notices": list(article.notices), **paths}


def _instruction(argument: str) -> str:
    """The instruction itself, or what the file or standard input holds that the argument names."""
    text = sys.stdin.buffer.read() if argument == "-" else _text(argument, "INSTRUCTION")
    if isinstance(text, bytes):
        text = _decoded(text, argument, "INSTRUCTION")
    if not text.strip():
        raise typer.BadParameter("is empty; say in a few words what the article is about", param_hint="INSTRUCTION")
    return text.strip()


def _text(argument: str, name: str) -> str:
    """The argument itself, or what the file holds that it names after an @."""
    if not argument.startswith("@"):
        return argument
    try:
        return _decoded(Path(argument[1:]).read_bytes(), argument, name)
    except OSError as exc:
        raise typer.BadParameter(f"cannot read {argument[1:]!r}: {exc.strerror}", param_hint=name) from exc


def _decoded(data: bytes, argument: str, name: str) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as exc:
        raise typer.BadParameter(f"{argument} is not UTF-8 text", param_hint=name) from exc


def _one_title(title: str | None) -> str | None:
    """The title on one line; an empty one is no title."""
    if title is None:
        return None
    line = " ".join(terminal.clean(title).split())
    if not line:
        raise typer.BadParameter("is empty", param_hint="--title")
    return line
