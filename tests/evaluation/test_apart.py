"""Documents taken apart: every way to show a picture, and nothing of it left in the text."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from limner.composer.markdown import parse_draft
from limner.evaluation.apart import Apart, take_apart, without_credit

BEFORE, AFTER = "The text before.", "The text after."
SAID = ("a.jpg", "Alt", "Caption")


def between(markup: str) -> Apart:
    return take_apart(f"{BEFORE}\n\n{markup}\n\n{AFTER}\n")


def texts(apart: Apart) -> list[str]:
    return [block.markdown for block in apart.draft.blocks]


def said(apart: Apart) -> list[tuple[str, str, str]]:
    return [(p.picture.src, p.picture.alt, p.picture.caption or p.picture.title) for p in apart.placed]


@pytest.mark.parametrize(
    "markup",
    [
        '![Alt](a.jpg "Caption")',
        "![Alt](a.jpg)\n\n*Caption*",
        "![Alt](a.jpg)\n\n_Caption_",
        "![Alt](a.jpg)\n*Caption*",
        "![Alt](a.jpg)  \n*Caption*",
        '![Alt][pic]\n\n[pic]: a.jpg "Caption"',
        "![Alt][]\n\n[alt]: <a.jpg> (Caption)",
        '[![Alt](a.jpg "Caption")](a-large.jpg)',
        '[![Alt](a.jpg "Caption")](page_(1).html "more")',
        '[![Alt](a.jpg "Caption")][there]\n\n[there]: b.html',
        "![*Al*t](a.jpg)\n\n*Caption*",
        '<img src="a.jpg" alt="Alt" title="Caption">',
        '<img\n  src="a.jpg"\n  alt="Alt"\n  title="Caption" />',
        '<p align="center"><img src="a.jpg" alt="Alt" title="Caption"></p>',
        '<a href="x"><img src="a.jpg" alt="Alt" title="Caption"></a>',
        '<picture><source srcset="a.webp"><img src="a.jpg" alt="Alt" title="Caption"></picture>',
        '<figure><img src="a.jpg" alt="Alt"><figcaption>Cap<b>tion</b></figcaption></figure>',
        '<figure>\n  <img src="a.jpg" alt="Alt">\n\n  <figcaption>Caption</figcaption>\n\n</figure>',
        "<figure>\n\n![Alt](a.jpg)\n\n<figcaption>Caption</figcaption>\n</figure>",
        '<FIGURE><IMG SRC="a.jpg" ALT="Alt"><FIGCAPTION>Caption</FIGCAPTION></FIGURE>',
        '{{< figure src="a.jpg" alt="Alt" caption="Caption" >}}',
        '{{% figure src="a.jpg" alt="Alt" title="Caption" %}}',
        "{{< figure src=a.jpg alt=`Alt` caption=`Caption` />}}",
        '{{< figure\n  src="a.jpg"\n  alt="Alt"\n  caption="Caption"\n>}}',
    ],
)
def test_a_picture_between_paragraphs_leaves_nothing(markup: str) -> None:
    apart = between(markup)

    assert said(apart) == [SAID]
    assert [placed.after_block for placed in apart.placed] == [0]
    assert texts(apart) == [BEFORE, AFTER]


def test_alternative_text_over_two_lines() -> None:
    apart = between('![Alt\nof two](a.jpg\n"Caption")')

    assert said(apart) == [("a.jpg", "Alt of two", "Caption")]
    assert texts(apart) == [BEFORE, AFTER]


@pytest.mark.parametrize(
    ("markup", "left", "place"),
    [
        ("See ![Alt](a.jpg) there.", "See  there.", 1),
        ("![Alt](a.jpg) A paragraph beside it.", " A paragraph beside it.", 0),
        ("A line.\n![Alt](a.jpg)", "A line.", 1),
        ("A line with [![Alt](a.jpg)](b.html) a link.", "A line with  a link.", 1),
        ("- one\n- two\n\n  ![Alt](a.jpg)\n- three", "- one\n- two\n\n- three", 1),
        ("1. one\n   ![Alt](a.jpg)\n2. two", "1. one\n2. two", 1),
        ("- ![Alt](a.jpg)\n- two", "- two", 0),
        ("> quoted\n>\n> ![Alt](a.jpg)\n>\n> more", "> quoted\n>\n>\n> more", 1),
        ("> said ![Alt\n> ](a.jpg) so", "> said  so", 1),
        ("| a | b |\n|---|---|\n| ![Al\\|t](a.jpg) | c |", "| a | b |\n|---|---|\n|  | c |", 1),
        ('A line with <img src="a.jpg" alt="Alt"> in it.', "A line with  in it.", 1),
        ('<div>Words <img src="a.jpg" alt="Alt"></div>', "<div>Words </div>", 1),
        ('Read {{< figure src="a.jpg" alt="Alt" >}} this.', "Read  this.", 1),
        ('- one\n\n  {{< figure src="a.jpg" alt="Alt" >}}\n\n- two', "- one\n\n\n- two", 1),
    ],
)
def test_a_picture_in_a_block_leaves_its_text(markup: str, left: str, place: int) -> None:
    apart = between(markup)

    assert [(src, alt.replace("Al|t", "Alt").strip()) for src, alt, _ in said(apart)] == [("a.jpg", "Alt")]
    assert texts(apart) == [BEFORE, left, AFTER]
    assert [placed.after_block for placed in apart.placed] == [place]


@pytest.mark.parametrize(
    "markup",
    [
        "`![Alt](a.jpg)`",
        "```\n![Alt](a.jpg)\n```",
        "\\![Alt](a.jpg)",
        "<!-- ![Alt](a.jpg) -->",
        '<!-- <img src="a.jpg"> -->',
        "![Alt][nowhere]",
        "[Alt](a.jpg)",
        "{{</* figure src=a.jpg */>}}",
        '{{< figure src="a.jpg" and no end\n\n{{< ref "b" >}}',
        "<figure>\n\n```\ncode\n```\n\n</figure>",
        "*Emphasised, after no picture*",
    ],
)
def test_what_only_looks_like_a_picture_stays(markup: str) -> None:
    apart = between(markup)

    assert apart.placed == ()
    assert texts(apart) == [block.markdown for block in parse_draft(f"{BEFORE}\n\n{markup}\n\n{AFTER}\n").blocks]


def test_the_code_that_a_list_shows_is_not_cut_for_its_picture() -> None:
    apart = take_apart("- one\n\n  ```\n  ![A](a.jpg)\n  ```\n\n- ![A](a.jpg) two\n")

    assert texts(apart) == ["- one\n\n  ```\n  ![A](a.jpg)\n  ```\n\n-  two"]


def test_several_pictures_keep_their_order_and_places() -> None:
    apart = take_apart("![A](a.jpg) ![B](b.jpg)\n\nOne.\n\n![C](c.jpg)\n\n![D](d.jpg)\n\n*Of the last.*\n\nTwo.\n")

    assert texts(apart) == ["One.", "Two."]
    assert [(p.picture.src, p.after_block) for p in apart.placed] == [
        ("a.jpg", -1), ("b.jpg", -1), ("c.jpg", 0), ("d.jpg", 0)
    ]  # fmt: skip
    assert [p.picture.caption for p in apart.placed] == ["", "", "", "Of the last."]


def test_an_emphasised_paragraph_later_on_is_no_caption() -> None:
    apart = take_apart("![A](a.jpg)\n\nText.\n\n*Emphasised.*\n")

    assert texts(apart) == ["Text.", "*Emphasised.*"]


def test_a_paragraph_that_is_emphasised_in_part_is_no_caption() -> None:
    assert len(between("![A](a.jpg)\n\n*Some* of it *alone*").draft.blocks) == 3


@pytest.mark.parametrize(
    "source",
    ["{{ site.baseurl }}/pics/a.jpg", "{{site.url}}{{site.baseurl}}/pics/a.jpg", '{{ "/pics/a.jpg" | relative_url }}'],
)
def test_addresses_that_jekyll_puts_together(source: str) -> None:
    assert [p.picture.src for p in between(f"![Alt]({source})").placed] == ["/pics/a.jpg"]


@pytest.mark.parametrize("matter", ["---\ntitle: Mine\ntags: [a, b]\n---\n", '+++\ntitle = "Mine"\n+++\n'])
def test_front_matter_is_read(matter: str) -> None:
    apart = take_apart(f"{matter}\nText.\n\n![A](a.jpg)\n")

    assert apart.draft.title == "Mine"
    assert apart.fault == ""
    assert [p.after_block for p in apart.placed] == [1]  # the front matter is the first block


@pytest.mark.parametrize(
    ("matter", "fault"),
    [
        ("---\ntitle: {{ broken\ntags: [a\n---\n", "cannot be read"),
        ('+++\ntitle = "never closed\n+++\n', "cannot be read"),
        ("---\r\na: [1\r\n---\r\n", "cannot be read"),
        ("---\ntitle: never ends\n", "never ends"),
    ],
)
def test_broken_front_matter_is_told_and_ends_nothing(matter: str, fault: str) -> None:
    apart = take_apart(f"{matter}\nText.\n\n![A](a.jpg)\n")

    assert fault in apart.fault
    assert [p.picture.src for p in apart.placed] == ["a.jpg"]


@pytest.mark.parametrize(
    ("caption", "left"),
    [
        ("A fox (credit: “Fox” by A (b)/C, CC0)", "A fox"),
        ("A fox. (Photo credit: A. Author)", "A fox."),
        ("A fox (attribution: Copyright University)", "A fox"),
        ("A fox (Vulpes vulpes) in the snow", "A fox (Vulpes vulpes) in the snow"),
        ("A credit to its kind", "A credit to its kind"),
    ],
)
def test_credits_are_taken_out_of_captions(caption: str, left: str) -> None:
    assert without_credit(caption) == left


def test_windows_lines() -> None:
    apart = take_apart("Before.\r\n\r\n- one\r\n  ![A](a.jpg)\r\n- two\r\n\r\n![B](b.jpg)\r\n*Cap*\r\n\r\nAfter.\r\n")

    assert texts(apart) == ["Before.", "- one\r\n- two", "After."]
    assert [(p.picture.src, p.after_block) for p in apart.placed] == [("a.jpg", 1), ("b.jpg", 1)]
    assert apart.placed[1].picture.caption == "Cap"


def test_hugo_s_figures_inside_of_html() -> None:
    apart = between(
        '<div class="row">\n{{< figure src="a.jpg" >}}\n<img src="b.jpg">\n{{< figure src="c.jpg" >}}\n</div>'
    )

    assert [(p.picture.src, p.after_block) for p in apart.placed] == [("a.jpg", 0), ("b.jpg", 0), ("c.jpg", 0)]
    assert texts(apart) == [BEFORE, AFTER]


def test_two_pictures_of_one_figure_share_its_caption() -> None:
    apart = between('<figure><img src="a.jpg"><img src="b.jpg"><figcaption>Both</figcaption></figure>')

    assert [(p.picture.src, p.picture.caption) for p in apart.placed] == [("a.jpg", "Both"), ("b.jpg", "Both")]
    assert texts(apart) == [BEFORE, AFTER]


FRAGMENTS = (
    *(
        "text",
        "# head",
        "    code",
        "- item",
        "  - nested",
        "> quote",
        "1. one",
        "```",
        "| a | b |",
        "|---|---|",
        "---",
    ),
    *(
        "![A](a.jpg)",
        '![A\nB](b.jpg "T")',
        "[![A](a.jpg)](b)",
        "- ![A](a.jpg)",
        "> ![A](a.jpg)",
        "\t![A](a.jpg)",
        "![a]",
    ),
    *("| ![A](a.jpg) | x |", '<img src="c.jpg">', '<img\nsrc="c.jpg"\n>', "<figure>", "</figure>", "<div>", "</div>"),
    *(
        "<figcaption>cap</figcaption>",
        '{{< figure src="d.jpg" >}}',
        '{{< figure\nsrc="d.jpg"\n>}}',
        "*emph*",
        "[a]: a.jpg",
    ),
    *("title: x", "+++", "<!-- ", "-->", "\x00", "\u2028", "{{<", ">}}", "\\", "[", "](x)", "`"),
)
BETWEEN = ("\n", "\n\n", " ", "\r\n", "\r\n\r\n", "\r", "\n   ", "\n> ")


def test_whatever_stands_in_a_text_its_pictures_have_places_in_order() -> None:
    chance = random.Random(0)
    found = 0
    for _ in range(1500):
        text = "".join(chance.choice(FRAGMENTS) + chance.choice(BETWEEN) for _ in range(chance.randint(1, 14)))
        apart = take_apart(text)
        places = [placed.after_block for placed in apart.placed]
        assert places == sorted(places), text
        assert all(-1 <= place < len(apart.draft.blocks) for place in places), text
        found += len(places)

    assert found > 1500


DATA = Path(__file__).resolve().parents[3] / "shared" / "data" / "anthropology-en"


@pytest.mark.skipif(not DATA.is_dir(), reason="the textbook is not on this machine")
def test_a_textbook_s_own_list_of_figures_is_what_is_found() -> None:
    import json

    figures = documents = 0
    for document in json.loads((DATA / "md_index.json").read_text(encoding="utf-8")):
        apart = take_apart((DATA / document["doc"]).read_text(encoding="utf-8"))
        listed = [(figure["src"], figure["alt"]) for figure in document["figures"]]
        assert [(p.picture.src, p.picture.alt) for p in apart.placed] == listed
        assert all(p.picture.caption for p in apart.placed)
        assert "![" not in apart.draft.markdown
        figures, documents = figures + len(listed), documents + 1

    assert (figures, documents) == (322, 121)
