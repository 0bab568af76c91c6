"""A site: a folder of Markdown and its pictures, read a page at a time. Writes nothing and fetches nothing."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

from ..composer.article import Draft
from ..composer.errors import DraftUnreadable
from ..composer.markdown import one_line, read_markdown
from ..index.formats import PICTURE_SUFFIXES
from .apart import Placed, take_apart
from .errors import SiteUnreadable

MARKDOWN_SUFFIXES = frozenset({".md", ".markdown", ".mdown", ".mkd"})
# Below the site's folder, where a path that begins with / may lie: Jekyll's sites, Hugo's static files and assets.
_ROOTS = ("", "static", "assets", "content")
_ADDRESS = re.compile(r"\s*(?://|(?:https?|ftp|data):)", re.I)
_AFTER_PATH = re.compile(r"[?#]")
_NOT_PART = frozenset({"node_modules"})


@dataclass(frozen=True, slots=True)
class SitePicture:
    """A picture of the site at the place that the author gave it."""

    file: str  # its path from the site's folder, with /
    placed: Placed


@dataclass(frozen=True, slots=True)
class Notice:
    """Something that was left out, and why; it ends nothing."""

    document: str
    reason: str  # "remote", "missing", "not read" or "front matter", and what follows a colon


@dataclass(frozen=True, slots=True)
class Page:
    """A document without its pictures, and those of them that are in the site, in reading order."""

    document: str  # its path from the site's folder, with /
    draft: Draft
    pictures: tuple[SitePicture, ...]
    notices: tuple[Notice, ...] = ()


@dataclass(frozen=True, slots=True)
class Site:
    """What lies in a folder, by its paths from there, in order; hidden folders and links to folders are passed over."""

    root: Path  # absolute
    documents: tuple[str, ...]
    pictures: tuple[str, ...]

    @property
    def name(self) -> str:
        """What reports call it."""
        return self.root.name or str(self.root)

    def page(self, document: str) -> Page:
        """Read one document.

        Pictures that are not in the site, or that Limner does not read, are taken out of the text all the same.

        Raises:
            DraftUnreadable: it is no UTF-8 text, or empty.
        """
        apart = take_apart(read_markdown(self.root / document))
        notices = [Notice(document, f"front matter: {apart.fault}")] if apart.fault else []
        pictures: list[SitePicture] = []
        for placed in apart.placed:
            source = placed.picture.src
            file = None if _is_remote(source) else self._file(document, source)
            if file is not None and Path(file).suffix.lower() in PICTURE_SUFFIXES:
                pictures.append(SitePicture(file, placed))
                continue
            why = "remote" if _is_remote(source) else "missing" if file is None else "not a picture that is read"
            notices.append(Notice(document, f"{why}: {one_line(unquote(source))[:200]}"))
        return Page(document, apart.draft, tuple(pictures), tuple(notices))

    def pages(self) -> Iterator[Page]:
        """Every document, one at a time; one that cannot be read has no text, and a notice."""
        for document in self.documents:
            try:
                yield self.page(document)
            except DraftUnreadable as exc:
                yield Page(document, Draft("", ()), (), (Notice(document, f"not read: {exc.message}"),))

    def _file(self, document: str, source: str) -> str | None:
        """The file that a document means, as a path from the site's folder; None where there is none in the site."""
        path = _AFTER_PATH.split(source, maxsplit=1)[0]
        if path.startswith("/"):
            folders = [self.root / root for root in _ROOTS]
        else:
            # Hugo shows content/posts/a.md at /posts/a/, whose pictures may lie in static/posts/a/.
            own = (self.root / document).parent
            folders = [own, *(self.root / root for root in _ROOTS)]
        root = self.root.resolve()
        # A name may have been written as in an address, or as it is.
        for name in dict.fromkeys([unquote(path), path, unquote(source)]):
            for folder in folders if name.strip("/") else []:
                try:
                    found = (folder / name.lstrip("/")).resolve()
                    if found.is_file():
                        return found.relative_to(root).as_posix()
                except (OSError, ValueError):  # a name that no file can have, or a file outside of the site
                    continue
        return None


def open_site(folder: Path) -> Site:
    """See what lies in a folder; nothing is read yet.

    Raises:
        SiteUnreadable: it is missing, no folder, or has no Markdown.
    """
    root = Path(os.path.abspath(folder))  # noqa: PTH100
    if not root.is_dir():
        what = "is no folder" if root.exists() else "is not there"
        raise SiteUnreadable(f"the site {folder} {what}", "name a folder of Markdown files with their pictures")
    documents: list[str] = []
    pictures: list[str] = []
    for here, folders, files in os.walk(root):
        folders[:] = sorted(name for name in folders if not name.startswith(".") and name not in _NOT_PART)
        below = Path(here).relative_to(root)
        for name in sorted(files):
            suffix = Path(name).suffix.lower()
            if name.startswith("."):
                continue
            if suffix in MARKDOWN_SUFFIXES:
                documents.append((below / name).as_posix())
            elif suffix in PICTURE_SUFFIXES:
                pictures.append((below / name).as_posix())
    if not documents:
        raise SiteUnreadable(
            f"the site {folder} has no Markdown", f"its documents must end with {', '.join(sorted(MARKDOWN_SUFFIXES))}"
        )
    return Site(root, tuple(documents), tuple(pictures))


def _is_remote(source: str) -> bool:
    """Whether a source is an address elsewhere, or holds its picture itself."""
    return bool(_ADDRESS.match(source))
