"""`limner index search`."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from ..colours import Paint
from .conftest import Limner


def test_search_prints_a_line_a_picture(limner: Limner, library: Path) -> None:
    lines = limner("index", "search", "red", "--library", library, "-m", 2).stdout.splitlines()

    assert len(lines) == 2
    score, path, caption = lines[0].split("\t")
    assert float(score) > 0.9
    assert Path(path).name == "red.png"
    assert caption == "red"


def test_search_json_is_best_first_with_absolute_paths(limner: Limner, library: Path) -> None:
    hits = json.loads(limner("index", "search", "blue", "--library", library, "--json").stdout)

    assert len(hits) == 8
    assert {"id", "path", "score", "caption", "alt"} <= hits[0].keys()
    assert Path(hits[0]["path"]).is_absolute()
    assert Path(hits[0]["path"]).name == "blue.png"
    assert [hit["score"] for hit in hits] == sorted((hit["score"] for hit in hits), reverse=True)


def test_search_beyond_the_library_says_so(limner: Limner, library: Path) -> None:
    result = limner("index", "search", "blue", "--library", library, "-m", 50)

    assert result.exit_code == 0
    assert len(result.stdout.splitlines()) == 8
    assert "the library holds 8 pictures, fewer than 50" in result.stderr


def test_search_shows_no_escape_sequence_of_a_caption(limner: Limner, colour_folder: Path, tmp_path: Path) -> None:
    (colour_folder / "limner-metadata.csv").write_text("file,caption\nred.png,\u202ered \x9b31m sauce\n")
    limner("index", "build", colour_folder, "--library", tmp_path / "library")

    result = limner("index", "search", "red", "--library", tmp_path / "library", "-m", 1)

    assert "\x9b" not in result.stdout


def test_search_json_has_what_is_said_of_a_picture(limner: Limner, colour_folder: Path, tmp_path: Path) -> None:
    tree = {"licence_url": "https://creativecommons.org/licenses/by/4.0/", "taken_at": "1931-05-01 12:30"}
    (colour_folder / "red.json").write_text(json.dumps(tree | {"latitude": -33.5, "longitude": 151}))
    limner("index", "build", colour_folder, "--library", tmp_path / "library")

    red, other = json.loads(
        limner("index", "search", "red", "--library", tmp_path / "library", "-m", 2, "--json").stdout
    )

    assert (red["licence"], red["licence_url"]) == ("CC BY 4.0", "https://creativecommons.org/licenses/by/4.0/")
    assert (red["taken_at"], red["latitude"], red["longitude"]) == ("1931-05-01T12:30:00", -33.5, 151)
    assert (other["taken_at"], other["latitude"], other["described_by"], other["described"]) == (None, None, "", [])


def test_search_where_keeps_to_the_condition(limner: Limner, library: Path) -> None:
    options = ("--library", library, "-m", 3, "--where", "title in ('blue', 'cyan')")
    result = limner("index", "search", "red", *options)

    assert [Path(line.split("\t")[1]).stem for line in result.stdout.splitlines()] == ["blue", "cyan"]
    assert "the condition leaves 2 pictures, fewer than 3" in result.stderr


def test_search_where_names_an_unknown_column_and_those_that_there_are(limner: Limner, library: Path) -> None:
    result = limner("index", "search", "red", "--library", library, "--where", "lisence = 'CC0'")

    assert result.exit_code == 1
    error, hint = result.stderr.splitlines()
    assert error == "error: no column is called lisence"
    assert "the columns are id, path" in hint


def test_search_explain_shows_shares_that_sum_to_the_score(limner: Limner, library: Path) -> None:
    lines = limner("index", "search", "red", "--library", library, "-m", 2, "--explain").stdout.splitlines()
    tree = json.loads(limner("index", "search", "red", "--library", library, "--explain", "--json").stdout)

    assert lines[0].split("\t") == ["score", "picture", "words", "path", "caption"]
    score, picture, words = map(float, lines[1].split("\t")[:3])
    assert score == pytest.approx(picture + words, abs=0.002)
    assert sum(tree[0]["shares"].values()) == pytest.approx(tree[0]["score"], abs=1e-5)


def test_search_html_is_one_page_with_escaped_text(limner: Limner, colour_folder: Path, tmp_path: Path) -> None:
    hostile = '<script>alert(1)</script> & "friends"'
    (colour_folder / "limner-metadata.csv").write_text(
        'file,caption,creator,licence\nred.png,"' + hostile.replace('"', '""') + '",Ann,CC0\n'
    )
    limner("index", "build", colour_folder, "--library", tmp_path / "library")
    (colour_folder / "blue.png").unlink()
    page = tmp_path / "found.html"

    result = limner("index", "search", "red <b>", "--library", tmp_path / "library", "--html", page)

    assert result.exit_code == 0, result.stderr
    html = page.read_text(encoding="utf-8")
    assert str(page) in result.stderr
    assert html.count("data:image/webp;base64,") == 7
    assert html.count("The file cannot be read") == 1
    assert "<script" not in html and "red <b>" not in html
    assert "&lt;script&gt;alert(1)" in html
    assert ">Ann, CC0</p>" in html
    assert "prefers-color-scheme: dark" in html
    assert not re.findall(r'(?:src|href)="(?!data:)', html)
    assert re.findall(r"(?<=<span class=\"score\">)-?\d\.\d{3}", html)
    assert html.count("<meter") == 16


def test_search_takes_several_libraries_as_one(
    limner: Limner, library: Path, colour_folder: Path, paint: Paint
) -> None:
    other = library.with_name("other")
    paint(colour_folder.with_name("more") / "crimson.png", (220, 20, 60))
    assert limner("index", "build", colour_folder.with_name("more"), "--library", other).exit_code == 0

    result = limner("index", "search", "red", "--library", library, "--library", other, "-m", 2, "--json")

    hits = json.loads(result.stdout)
    assert [(Path(hit["path"]).name, hit["library"]) for hit in hits] == [
        ("red.png", str(library)),
        ("crimson.png", str(other)),
    ]
    many = limner("index", "search", "red", "--library", library, "--library", other, "-m", 20)
    assert "the libraries hold 9 pictures, fewer than 20" in many.stderr
    one = limner("index", "search", "red", "--library", library, "-m", 20)
    assert "the library holds 8 pictures, fewer than 20" in one.stderr
