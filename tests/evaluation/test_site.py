"""Sites: which file a document means, what is left out and told, and that many pages are read one at a time."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import pytest
from limner.evaluation.errors import SiteUnreadable
from limner.evaluation.site import Page, Site, open_site


@pytest.fixture
def site(tmp_path: Path) -> Path:
    folder = tmp_path / "site"
    folder.mkdir()
    return folder


def put(path: Path, text: str = "not looked at") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def page(site: Path, markup: str, document: str = "content/posts/a/index.md") -> Page:
    put(site / document, f"Text.\n\n{markup}\n")
    return open_site(site).page(document)


@pytest.mark.parametrize(
    ("source", "file"),
    [
        ("fox.jpg", "content/posts/a/fox.jpg"),
        ("./fox.jpg", "content/posts/a/fox.jpg"),
        ("../fox.jpg", "content/posts/fox.jpg"),
        ("fox.jpg?v=2#part", "content/posts/a/fox.jpg"),
        ("/img/fox.jpg", "static/img/fox.jpg"),
        ("/img/fox.jpg", "img/fox.jpg"),
        ("/img/fox.jpg", "assets/img/fox.jpg"),
        ("img/fox.jpg", "static/img/fox.jpg"),
        ("red%20fox.jpg", "content/posts/a/red fox.jpg"),
        ("红狐.jpg", "content/posts/a/红狐.jpg"),
        ("red%20fox.jpg", "content/posts/a/red%20fox.jpg"),
        ("fox.JPG", "content/posts/a/fox.JPG"),
    ],
)
def test_the_file_that_a_document_means(site: Path, source: str, file: str) -> None:
    put(site / file)

    found = page(site, f"![A]({source})")

    assert [picture.file for picture in found.pictures] == [file]
    assert found.notices == ()


@pytest.mark.parametrize(
    ("markup", "reason"),
    [
        ("![A](https://example.org/fox.jpg)", "remote: https://example.org/fox.jpg"),
        ('<img src="//example.org/fox.jpg">', "remote: //example.org/fox.jpg"),
        ("![A](gone.jpg)", "missing: gone.jpg"),
        ("![A](红狐.jpg)", "missing: 红狐.jpg"),
        ("![A]()", "missing: "),
        ("![A](../../../../outside.jpg)", "missing: ../../../../outside.jpg"),
        ("![A](drawing.svg)", "not a picture that is read: drawing.svg"),
        ("![A](%00.jpg)", "missing: .jpg"),
        (f"![A]({'x' * 5000}.jpg)", f"missing: {'x' * 200}"),
    ],
)
def test_what_is_not_in_the_site_is_told_and_taken_out(site: Path, markup: str, reason: str) -> None:
    put(site / "content/posts/a/drawing.svg")
    put(site.parent / "outside.jpg")

    found = page(site, markup)

    assert found.pictures == ()
    assert [notice.reason for notice in found.notices] == [reason]
    assert [block.markdown for block in found.draft.blocks] == ["Text."]


def test_a_link_that_leads_out_of_the_site_is_not_followed(site: Path) -> None:
    put(site / "a.md", "![A](fox.jpg)\n")
    (site / "fox.jpg").symlink_to(put(site.parent / "outside.jpg"))

    assert open_site(site).page("a.md").pictures == ()


def test_documents_and_pictures_are_listed_in_order_without_what_is_hidden(site: Path) -> None:
    for name in ("b.md", "a/z.markdown", "a/b.png", "a/B.JPG", ".git/x.md", "node_modules/y/README.md", "text.txt"):
        put(site / name)

    found = open_site(site)

    assert found.documents == ("b.md", "a/z.markdown")
    assert found.pictures == ("a/B.JPG", "a/b.png")


def test_pages_that_cannot_be_read_end_nothing(site: Path) -> None:
    (site / "a.md").write_bytes(b"caf\xe9\n")
    put(site / "b.md", "")
    put(site / "c.md", "---\ntitle: [\n---\nText.\n")
    put(site / "d.md", "Text.\n")

    pages = list(open_site(site).pages())

    assert [page.document for page in pages] == ["a.md", "b.md", "c.md", "d.md"]
    reasons = [[notice.reason for notice in page.notices] for page in pages]
    assert "is not UTF-8 text (line 1)" in reasons[0][0]
    assert "is empty" in reasons[1][0]
    assert reasons[2][0].startswith("front matter: its front matter cannot be read")
    assert reasons[3] == []
    assert [block.kind for block in pages[2].draft.blocks] == ["front_matter", "paragraph"]


@pytest.mark.parametrize(
    ("name", "says"), [("nowhere", "is not there"), ("file", "is no folder"), (".", "no Markdown")]
)
def test_a_site_that_is_none_is_refused(site: Path, name: str, says: str) -> None:
    put(site / "file")

    with pytest.raises(SiteUnreadable, match=says) as caught:
        open_site(site / name)

    assert caught.value.hint


def test_memory_does_not_grow_with_the_pages(site: Path) -> None:
    put(site / "a.md", "A paragraph of some words.\n\n" * 200)
    one = open_site(site)

    def peak(times: int) -> int:
        tracemalloc.start()
        for _ in Site(one.root, one.documents * times, ()).pages():
            pass
        height = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return height

    peak(1)  # what is made once, patterns and tables, is made here
    assert peak(40) < 1.5 * peak(2)
