"""A document that a person has illustrated, illustrated anew by its words: ours beside the author's, to look at.

    python -m benchmarks.chapter ../shared/data/anthropology-en md/m00046.md --out chapter

The pictures are taken out, a library is built of all pictures of the site with their alt texts and captions (without
credits), and `limner illustrate --model words` puts as many back. chapter/beside.html shows both articles in columns.
No model, no network; nothing is written to the site.
"""

from __future__ import annotations

import argparse
import csv
from pathlib import Path

from limner.cli.app import app
from limner.composer.article import Article, Block, Brief, Figure
from limner.composer.publish import publish_images
from limner.composer.render import render
from limner.evaluation.articles import survey
from limner.evaluation.document import caption_of
from limner.evaluation.pool import Words
from limner.evaluation.site import Page, Site, open_site

PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark"><title>Ours beside the author’s</title><style>
:root { color-scheme: light dark; }
body { margin: 0; display: grid; grid-template-columns: 1fr 1fr; font: 0.9rem sans-serif; }
h2 { margin: 0; padding: 0.5rem 1rem; font-size: 1rem; }
iframe { width: 100%; height: calc(100vh - 2.2rem); border: 0; border-top: 1px solid #8886; }
section + section iframe { border-left: 1px solid #8886; }
@media (max-width: 50rem) { body { grid-template-columns: 1fr; } iframe { height: 80vh; } }
</style></head><body>
<section><h2>Limner, by words</h2><iframe src="ours/article.html" title="Limner, by words"></iframe></section>
<section><h2>The author</h2><iframe src="author/article.html" title="The author"></iframe></section>
</body></html>
"""


def main() -> None:
    """Make both articles and the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("site", type=Path)
    parser.add_argument("document", help="its path from the site's folder")
    parser.add_argument("--out", type=Path, required=True, help="an empty or new folder")
    arguments = parser.parse_args()
    site, out = open_site(arguments.site), arguments.out
    page, said = site.page(arguments.document), survey(site).said
    out.mkdir(parents=True, exist_ok=True)
    (out / "draft.md").write_text(page.draft.markdown, encoding="utf-8")
    link_pictures(site, said, out / "pictures")
    library = out / "library"
    app(["index", "build", str(out / "pictures"), "--library", str(library)], standalone_mode=False)
    command = ["illustrate", str(out / "draft.md"), "--library", str(library), "--out", str(out / "ours")]
    app([*command, "--model", "words", "--images", str(len(page.pictures))], standalone_mode=False)
    author(page, site, out / "author")
    (out / "beside.html").write_text(PAGE, encoding="utf-8")
    print(out / "beside.html")


def link_pictures(site: Site, said: dict[str, Words], folder: Path) -> None:
    """The site's pictures as links, with what is said of them, as a user would write it down."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "limner-metadata.csv").open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["file", "alt", "caption"])
        for name, words in said.items():
            link = folder / name
            link.parent.mkdir(parents=True, exist_ok=True)
            if not link.exists():
                link.symlink_to(site.root / name)
            rows.writerow([name, words.alt, words.caption])


def author(page: Page, site: Site, out: Path) -> None:
    """The document with the author's pictures, rendered as ours is."""
    out.mkdir(parents=True, exist_ok=True)
    captions = [caption_of(shown) for shown in page.pictures]
    files = [site.root / shown.file for shown in page.pictures]
    published = publish_images(list(zip(files, captions, strict=True)), out)
    blocks: list[Block | Figure] = []
    for index in range(-1, len(page.draft.blocks)):
        if index >= 0:
            blocks.append(page.draft.blocks[index])
        for shown, caption, made in zip(page.pictures, captions, published, strict=True):
            if shown.placed.after_block == index:
                alt = shown.placed.picture.alt
                size = {"width": made.width, "height": made.height}
                blocks.append(Figure(caption, "chosen", 1.0, (), image=made.image, alt=alt, **size))
    render(Article(page.draft.title, Brief(""), {}, tuple(blocks), page.draft.lead), out, formats=("html",))


if __name__ == "__main__":
    main()
