"""`limner render`: an article that is there, rendered again, here or into another folder."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from . import options, terminal
from .out_folder import check_out

if TYPE_CHECKING:
    from ..composer.article import Article


def render(
    source: Annotated[
        Path,
        typer.Argument(
            metavar="ARTICLE.json", help="The article.json of a composition, or its folder.", show_default=False
        ),
    ],
    formats: options.Formats = None,
    embed: options.Embed = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", metavar="DIR", help="Where to write.  (default: beside ARTICLE.json)", show_default=False
        ),
    ] = None,
    as_json: options.Json = False,
) -> None:
    """Render ARTICLE.json again: in other formats, with its pictures inside, after an edit."""
    from .settings import load_settings

    settings = load_settings({"format": formats, "embed": embed})
    from ..composer.article_json import read_article
    from ..composer.render import FILE_NAMES
    from ..composer.render import render as make

    if source.is_dir():
        source /= "article.json"
    article = read_article(source)
    folder = source.parent if out is None else out
    check_out(folder)
    if folder.absolute() != source.parent.absolute():
        _copy_pictures(article, source.parent, folder)
    make(article, folder, formats=[str(form) for form in settings.format], embed=settings.embed)
    paths = {str(form): (folder / FILE_NAMES[form]).absolute() for form in settings.format}
    if as_json:
        terminal.print_json({"title": article.title, **paths})
    else:
        terminal.print_paths(paths)


def _copy_pictures(article: Article, source: Path, target: Path) -> None:
    """Bring the used pictures along; the addresses were checked when the article was read."""
    from ..composer.article import Figure
    from ..composer.errors import ArticleInvalid
    from ..index.atomic import write_whole

    for block in article.blocks:
        if isinstance(block, Figure) and block.image is not None:
            try:
                data = (source / block.image).read_bytes()
            except OSError as exc:
                raise ArticleInvalid(
                    f"cannot read the picture {source / block.image}: {exc.strerror}",
                    "keep images/ beside article.json",
                ) from exc
            write_whole(target / block.image, data)
