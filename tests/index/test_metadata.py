"""What counts as a value, and which of several counts."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import pytest
from limner.index.metadata import (
    Metadata,
    clean,
    from_json,
    is_web_address,
    merge,
    metadata_of,
    parse_degrees,
    parse_time,
    position,
    title_from_name,
    to_json,
)


def test_merge_takes_the_first_that_is_not_empty() -> None:
    first = Metadata(title="A", keywords=("x",))
    second = Metadata(title="B", caption="C", keywords=("y", "z"), taken_at=datetime(2020, 5, 1))
    assert merge(first, second) == Metadata("A", "C", keywords=("x",), taken_at=datetime(2020, 5, 1))
    assert merge() == Metadata()


def test_merge_keeps_licence_with_its_address_and_latitude_with_longitude() -> None:
    mine = Metadata(licence="All rights reserved", latitude=0.0, longitude=10.0)
    theirs = Metadata(licence="CC0", licence_url="https://example.org/cc0", latitude=1.0, longitude=2.0, creator="Ann")
    assert merge(mine, theirs) == Metadata(licence="All rights reserved", creator="Ann", latitude=0.0, longitude=10.0)


def test_json_gives_metadata_back() -> None:
    whole = Metadata("t", "ü", "a", ("k", "l"), "c", "l", "https://e.org", "p", datetime(1931, 5, 1, 12), -33.5, 0.0)
    assert from_json(to_json(whole)) == whole
    assert (to_json(Metadata()), from_json(""), from_json(None)) == ("", Metadata(), Metadata())


@pytest.mark.parametrize(
    ("text", "time"),
    [
        ("2023:05:01 12:30:59", datetime(2023, 5, 1, 12, 30, 59)),
        ("2023-05-01T12:30:59.25+02:00", datetime(2023, 5, 1, 12, 30, 59)),
        ("2023-05-01T12:30Z", datetime(2023, 5, 1, 12, 30)),
        ("1931-5-1", datetime(1931, 5, 1)),
        *(
            (text, None)
            for text in ("", "0000:00:00 00:00:00", "    :  :     :  :  ", "2023", "2023-02-30", "May 2023")
        ),
    ],
)
def test_parse_time_reads_what_is_written_and_nothing_else(text: str, time: datetime | None) -> None:
    assert parse_time(text) == time


@pytest.mark.parametrize(
    ("text", "degrees"),
    [
        ("48.8584", 48.8584),
        ("-33.8568", -33.8568),
        ("48,51.504N", 48.8584),
        ("2,17,40.2W", -2.2945),
        ("33 deg 51' 24.48\" S", -33.8568),
        *((text, None) for text in ("", "48,8584", "here", "1 2 3 4", "48 61", "nan", "1e5", "1" * 400 + "N")),
    ],
)
def test_parse_degrees_reads_every_form(text: str, degrees: float | None) -> None:
    found = parse_degrees(text)
    if text == "1" * 400 + "N":
        assert position(found, 1.0) == (None, None)
    else:
        assert found == (None if degrees is None else pytest.approx(degrees, abs=1e-9))


def test_position_is_both_or_none() -> None:
    assert (
        position(10.0, None) == position(91.0, 0.0) == position(0.0, 0.0) == position(float("nan"), 1.0) == (None, None)
    )
    assert position(0.0, 6.6) == (0.0, 6.6)


@pytest.mark.parametrize(
    ("text", "is_one"),
    [
        ("https://creativecommons.org/licenses/by/4.0/", True),
        ("HTTP://example.org", True),
        *(
            (text, False)
            for text in ("javascript:alert(1)", "ftp://a.b", "https://", "https://a b", "//a.b", "https://[")
        ),
        ('https://a.b/"onclick=', False),
    ],
)
def test_is_web_address_takes_http_alone(text: str, is_one: bool) -> None:
    assert is_web_address(text) is is_one


def test_licence_is_named_by_its_address() -> None:
    def licence(**values: str) -> tuple[str, str]:
        found = metadata_of(values)[0]
        return found.licence, found.licence_url

    by_sa = "http://creativecommons.org/licenses/by-sa/4.0/deed.de"
    zero = "https://creativecommons.org/publicdomain/zero/1.0/"
    assert licence(licence_url=by_sa) == ("CC BY-SA 4.0", by_sa)
    assert licence(licence=zero) == ("CC0 1.0", zero)
    assert licence(licence="Mine", licence_url=zero) == ("Mine", zero)
    assert licence(licence_url="javascript:alert(1)") == ("", "")


def test_metadata_of_says_what_is_of_no_use() -> None:
    values = {"title": "x" * 301, "licence_url": "ftp://a", "taken_at": "yesterday", "latitude": "91", "longitude": "0"}
    found, odd = metadata_of(values, ["k" * 500, *map(str, range(200))])
    assert (len(found.title), len(found.keywords), len(found.keywords[0])) == (300, 100, 100)
    assert odd == [
        *("too long and cut: title", "no web address: licence_url", "too long and cut: keywords"),
        *("no date: taken_at", "no position: latitude, longitude"),
    ]


def test_title_is_the_words_of_the_name_and_of_the_folder_for_a_cameras_name() -> None:
    titles = {
        "/p/red_fox-on.hill 2.jpg": "red fox on hill 2",
        "/p/Lisbon 2019/IMG_0042.jpg": "Lisbon 2019 IMG 0042",
        "/p/Lisbon_2019/DSC01234.ARW": "Lisbon 2019 DSC01234",
        "/p/Lisbon/P1010203.jpg": "Lisbon P1010203",
        "/p/Lisbon/20230501_123456.jpg": "Lisbon 20230501 123456",
        "/p/Lisbon/IMG-20230501-WA0001.jpg": "Lisbon IMG 20230501 WA0001",
        "/p/DCIM/100CANON/IMG_0042.jpg": "IMG 0042",
        "/p/Lisbon/harbour.jpg": "harbour",
    }
    assert {path: title_from_name(Path(path)) for path in titles} == titles


def test_clean_takes_control_characters_out_of_plain_and_of_other_texts_alike() -> None:
    assert clean("a\x00b\x7f\n c\x1b", 200) == "ab c"
    assert clean("é\x00b\x7f\n c\x1b", 200) == "éb c"
    every = "".join(map(chr, range(128)))
    assert clean(f"x{every}", 200)[1:] == clean(f"é{every}", 200)[1:]
