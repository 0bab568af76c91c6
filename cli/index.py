"""`limner index`: a library of pictures is built, brought up to date, searched, described."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from . import describe, lists, merge, options, push, terminal, upkeep
from .groups import Given, with_groups
from .reading import READING, reading_of
from .summary import pictures, show_summary
from .wiring import encoder_device, encoder_name, library_folder, own_device, own_folder, sentences_name, wiring_of

if TYPE_CHECKING:
    from ..index.records import Hit, ImageRecord

app = typer.Typer()


@app.callback(invoke_without_command=True)
def index(ctx: typer.Context) -> None:
    """Build and search a library of your pictures."""
    terminal.help_if_alone(ctx)


@app.command("build")
@with_groups(READING)
def build_library(
    ctx: typer.Context,
    *,
    sources: Annotated[
        list[Path], typer.Argument(metavar="SOURCE...", help="Folders of pictures, or pictures.", show_default=False)
    ],
    library: options.Library = None,
    encoder: Annotated[
        str | None,
        typer.Option(
            "--encoder",
            metavar="NAME",
            help="nano-clip, a folder, or ARCHITECTURE/TAG of open_clip.  (default: the library's own, else nano-clip)",
            show_default=False,
        ),
    ] = None,
    precision: options.Precision = None,
    sentences: options.Sentences = None,
    reading: Given,
    lists_file: Annotated[
        Path | None,
        typer.Option(
            "--lists",
            metavar="LISTS.faiss",
            help="Lists of `limner index train` for the index.  (default: the library's own)",
            show_default=False,
        ),
    ] = None,
    rebuild: Annotated[bool, typer.Option("--rebuild", help="Begin anew, also over a damaged library.")] = False,
    as_json: options.Json = False,
) -> None:
    """Make a library of the pictures in SOURCE; what it has already is not read again."""
    from .settings import load_settings

    settings = load_settings(
        {"library": library, "encoder": encoder, "precision": precision, "sentences": sentences, **reading}
    )
    folder = own_folder(settings.library)
    from ..index.build import build
    from .progress import Bar

    wiring, device = wiring_of(ctx), own_device(settings)
    chosen = wiring.engine(settings)
    name = encoder_name(settings.encoder, settings.precision, folder, rebuild=rebuild)
    said = sentences_name(settings.sentences, folder)
    with Bar("Indexing") as bar:
        summary = build(
            sources,
            folder,
            encoder=wiring.encoder(name, device),
            rebuild=rebuild,
            sentences=wiring.sentence_encoder(said, device) if said else None,
            **reading_of(settings),
            lists=lists_file,
            engine=chosen,
            progress=bar,
        )
    show_summary(folder, summary, as_json=as_json)


@app.command("update")
@with_groups(READING)
def update_library(
    ctx: typer.Context,
    *,
    library: options.Library = None,
    reading: Given,
    as_json: options.Json = False,
) -> None:
    """Bring a library up to date with the folders that it was built from."""
    from .settings import load_settings

    settings = load_settings({"library": library, **reading})
    folder = own_folder(settings.library)
    from ..index.build import update
    from ..index.manifest import read_manifest
    from .progress import Bar

    wiring, device = wiring_of(ctx), own_device(settings)
    chosen = wiring.engine(settings)
    name, said = read_manifest(folder).encoder, sentences_name(None, folder)
    with Bar("Indexing") as bar:
        summary = update(
            folder,
            encoder=wiring.encoder(name, device),
            sentences=wiring.sentence_encoder(said, device) if said else None,
            **reading_of(settings),
            engine=chosen,
            progress=bar,
        )
    show_summary(folder, summary, as_json=as_json)


app.command("describe")(describe.describe)
app.command("merge")(merge.merge)
app.command("push")(push.push)
app.command("train")(lists.train)


@app.command("search")
def search_library(
    ctx: typer.Context,
    text: Annotated[str, typer.Argument(metavar="TEXT", help="What the picture shows.", show_default=False)],
    library: options.Libraries = None,
    m: Annotated[
        int,
        typer.Option(
            "-m",
            metavar="N",
            callback=options.from_one,
            help="How many pictures to show.  (default: 8)",
            show_default=False,
        ),
    ] = 8,
    where: options.Where = None,
    explain: Annotated[
        bool, typer.Option("--explain", help="Show how much of each score is whose: picture, words, sentences.")
    ] = False,
    html: Annotated[
        Path | None,
        typer.Option("--html", metavar="FILE", help="Write a page with the pictures to look at.", show_default=False),
    ] = None,
    device: options.Device = None,
    as_json: options.Json = False,
) -> None:
    """Find the pictures that fit TEXT best, by what they show and by what is said of them."""
    if not text.strip():
        raise typer.BadParameter("is empty; say what the picture shows", param_hint="TEXT")
    from .settings import load_settings

    settings = load_settings({"device": device} | ({"library": library[0]} if library else {}))
    from ..index.libraries import Libraries

    folders = library or [library_folder(settings.library)]
    opened = Libraries([wiring_of(ctx).library(folder, encoder_device(settings)) for folder in folders])
    count = len(opened) if where is None else opened.count(where)
    found = opened.search(text, m, where=where)
    hits = [hit for _, hit in found]
    if opened.caution:
        terminal.note(opened.caution)
    if m > count:
        holds = "the condition leaves" if where is not None else f"the librar{'y' if len(folders) == 1 else 'ies'} hold"
        terminal.note(f"{holds}{'s' if where is None and len(folders) == 1 else ''} {pictures(count)}, fewer than {m}")
    if html is not None:
        from .contact_sheet import write_contact_sheet

        write_contact_sheet(html, text, hits, where=where)
    if as_json:
        terminal.print_json([{**_hit_tree(hit, explain=explain), "library": library.folder} for library, hit in found])
    else:
        _show_hits(hits, explain=explain)
    if html is not None:
        terminal.note(f"the page is {html.absolute()}")


@app.command("info")
def describe_library(ctx: typer.Context, library: options.Library = None, as_json: options.Json = False) -> None:
    """Say what a library holds, after checking that it is whole."""
    from .settings import load_settings

    settings = load_settings({"library": library})
    opened = wiring_of(ctx).library(library_folder(settings.library), encoder_device(settings))
    manifest = opened.manifest
    from ..index.free import size
    from ..index.generation import count_broken
    from ..index.lists import own_digest
    from ..index.memory import build_bytes, search_bytes

    shape = opened.index_type, manifest.count, manifest.dimension
    said = _said(opened.records())
    broken, shared = count_broken(opened.folder, manifest), own_digest(manifest)
    groups = opened.groups()
    if as_json:
        terminal.print_json(
            {
                "library": opened.folder,
                "version": manifest.version,
                "encoder": manifest.encoder,
                "fingerprint": manifest.fingerprint,
                "dimension": manifest.dimension,
                "index_type": opened.index_type,
                "lists": shared,
                "memory_bytes": {"build": build_bytes(*shape), "search": search_bytes(*shape)},
                "count": manifest.count,
                "generation": manifest.generation,
                "sources": list(manifest.sources),
                "said": said,
                "broken": broken,
                "duplicates": sum(map(len, groups)) - len(groups),
                "bytes": sum(manifest.sizes.values()),
            }
        )
        return
    console = terminal.out()
    console.print(f"{terminal.clean(opened.folder)}: {pictures(manifest.count)}")
    console.print(f"encoder     {terminal.clean(manifest.encoder)}, {manifest.dimension} numbers a picture")
    console.print(
        f"index       {opened.index_type}, about {size(build_bytes(*shape))} of memory to build, "
        f"{size(search_bytes(*shape))} to search"
    )
    if shared:
        console.print(f"lists       shared, SHA-256 {shared}")
    console.print(f"generation  {manifest.generation}")
    console.print(f"size        {size(sum(manifest.sizes.values()))} in {len(manifest.parts)} parts")
    if broken:
        console.print(f"broken      {broken} file{'' if broken == 1 else 's'}, not tried again until they change")
    if groups:
        number = f"{len(groups)} group{'' if len(groups) == 1 else 's'}"
        console.print(f"duplicates  {sum(map(len, groups))} pictures in {number}")
    for source in manifest.sources:
        console.print(f"source      {terminal.clean(source)}")
    console.print(f"said        {', '.join(f'{what} of {number}' for what, number in said.items())}")


def _said(records: list[ImageRecord]) -> dict[str, int]:
    """Of how many pictures the library knows what."""
    return {
        "caption": sum(bool(record.caption) for record in records),
        "alt": sum(bool(record.alt) for record in records),
        "creator": sum(bool(record.creator) for record in records),
        "licence": sum(bool(record.licence) for record in records),
        "taken_at": sum(record.taken_at is not None for record in records),
        "position": sum(record.latitude is not None for record in records),
        "described_by": sum(bool(record.described_by) for record in records),
    }


app.command("duplicates")(upkeep.duplicates)
app.command("verify")(upkeep.verify)
app.command("compact")(upkeep.compact)


def _hit_tree(hit: Hit, *, explain: bool) -> dict[str, Any]:
    image = hit.image
    shares = {"shares": {name: round(share, 6) for name, share in hit.shares}} if explain else {}
    return {
        "id": image.id,
        "path": image.path,
        "score": round(hit.score, 6),
        "caption": image.caption,
        "alt": image.alt,
        "title": image.title,
        "keywords": list(image.keywords),
        "creator": image.creator,
        "licence": image.licence,
        "licence_url": image.licence_url,
        "credit": image.credit,
        "taken_at": image.taken_at.isoformat() if image.taken_at else None,
        "latitude": image.latitude,
        "longitude": image.longitude,
        "described_by": image.described_by,
        "described": list(image.described),
        "width": image.width,
        "height": image.height,
        **shares,
    }


def _show_hits(hits: list[Hit], *, explain: bool) -> None:
    """A table in a terminal; score, path and caption between tabs in a pipe, and each channel's share before them."""
    console = terminal.out()
    channels = [name for name, _ in hits[0].shares] if explain and hits else []
    if not console.is_terminal:
        if channels:
            typer.echo("\t".join(["score", *channels, "path", "caption"]))
        for hit in hits:
            shares = [f"{share:+.3f}" for _, share in hit.shares] if explain else []
            fields = (f"{hit.score:.3f}", *shares, hit.image.path, hit.image.caption or hit.image.title)
            typer.echo("\t".join(map(terminal.clean, fields)))  # rich would make spaces of the tabs
        return
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD)
    table.add_column("score", justify="right", style="cyan")
    for name in channels:
        table.add_column(name, justify="right", style="dim")
    table.add_column("picture", overflow="fold")
    table.add_column("path", overflow="fold", style="dim")
    for hit in hits:
        words = hit.image.caption or hit.image.title
        shares = [f"{share:+.3f}" for _, share in hit.shares] if explain else []
        table.add_row(f"{hit.score:.3f}", *shares, terminal.clean(words), terminal.clean(hit.image.path))
    console.print(table, soft_wrap=False)
