"""Conditions on the catalogue: what they find, and everything that they must not do."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pyarrow.parquet as pq
import pytest
from limner.index.catalogue import Catalogue, rows_of
from limner.index.errors import FilterInvalid
from limner.index.records import ImageRecord


@pytest.fixture
def catalogue(tmp_path: Path) -> Catalogue:
    records = [
        ImageRecord(1, Path("/p/beach.jpg"), 10, 1, "a", 800, 600, "Beach", keywords=("beach", "sea"), licence="CC0"),
        ImageRecord(2, Path("/p/fox.jpg"), 20, 2, "b", 400, 600, "Fox", keywords=("fox",), licence="CC BY 4.0"),
        ImageRecord(5, Path("/p/o'hara.jpg"), 30, 3, "c", 1200, 300, "O'Hara", caption="100% wool; drop"),
    ]
    pq.write_table(rows_of(records), tmp_path / "c.parquet")
    return Catalogue.open([tmp_path / "c.parquet"])


@pytest.mark.parametrize(
    ("condition", "ids"),
    [
        ("licence = 'CC0'", [1]),
        ("LICENCE = 'CC0' or Width > 1000", [1, 5]),
        ("licence like 'CC%' and list_contains(keywords, 'beach')", [1]),
        ("'fox' in keywords", [2]),
        ("len(keywords) = 0", [5]),
        ("width between 500 and 1000", [1]),
        ("width * 1.0 / height > 1", [1, 5]),
        ("id in (1, 5) and not title = 'Beach'", [5]),
        ("title = 'O''Hara'", [5]),
        ("caption = '100% wool; drop'", [5]),
        ("caption ilike '%WOOL%'", [5]),
        ("regexp_matches(path, '/(fox|beach)[.]')", [1, 2]),
        ("case when width > 500 then height > 500 else false end", [1]),
        ("date '2024-01-01' < current_date and true", [1, 2, 5]),
        ("date '2024-01-01' + interval 1 day > date '2024-01-01'", [1, 2, 5]),
        ("coalesce(nullif(1, 1), width) > 1000", None),
        ("licence = 'CC0' -- and a remark", [1]),
        ("(licence = 'CC0')\n/* here too */", [1]),
        ("creator is null", []),
        ("false", []),
    ],
)
def test_condition_finds(catalogue: Catalogue, condition: str, ids: list[int] | None) -> None:
    if ids is None:
        with pytest.raises(FilterInvalid, match="cannot call nullif"):
            catalogue.ids_where(condition)
    else:
        assert catalogue.ids_where(condition) == ids


@pytest.mark.parametrize(
    "condition",
    [
        "true; drop table records",
        "true); drop table records; select (true",
        "true) from records where (true",
        "true) union select (true",
        "true), (true",
        "(select true)",
        "exists (select 1)",
        "id in (select id from records)",
        "id = any (select 1)",
        "(select content from read_text('/etc/passwd')) like '%root%'",
        "read_csv('/etc/passwd') is null",
        "read_text('/etc/passwd') is null",
        "glob('/*') is null",
        "getenv('HOME') = ''",
        "current_setting('home_directory') = ''",
        "getvariable('x') = 1",
        "nextval('s') = 1",
        "pragma_version() is null",
        "main.contains(title, 'a')",
        "sum(id) > 1",
        "row_number() over () = 1",
        "unnest(keywords) = 'fox'",
        "* = 1",
        "columns('id') = 1",
        "id = ?",
        "id = $1",
        "list_filter(keywords, k -> true) = []",
        "copy records to '/tmp/x'",
        "attach '/tmp/x.db'",
        "pragma version",
        "select true",
        "id = 1 /* without an end",
        "id = 1 order by id",
        "distinct id = 1",
        "id == ",
        "id = 'fox'",
        "id",
        "null",
        "'CC0'",
        "",
        "  ",
        "\0",
        "title = '\ud800'",
        "-- a remark alone",
        "true and " * 2000 + "true",
        "(" * 3000 + "true" + ")" * 3000,
    ],
    ids=lambda text: text[:30].encode("unicode_escape").decode(),
)
def test_condition_is_refused(catalogue: Catalogue, condition: str) -> None:
    with pytest.raises(FilterInvalid) as caught:
        catalogue.ids_where(condition)
    assert caught.value.hint
    assert len(catalogue) == 3


@pytest.mark.parametrize(
    ("condition", "name"),
    [
        ("lisence = 'x'", "lisence"),
        ('licence = "CC0"', "CC0"),
        ("records.id = 1", "records.id"),
        ("rowid = 1", "rowid"),
    ],
)
def test_unknown_column_is_named_with_those_that_there_are(catalogue: Catalogue, condition: str, name: str) -> None:
    with pytest.raises(FilterInvalid, match=f"no column is called {name}") as caught:
        catalogue.ids_where(condition)
    assert "id, path, size" in caught.value.hint
    assert "licence" in caught.value.hint


def test_unknown_column_is_guessed(catalogue: Catalogue) -> None:
    with pytest.raises(FilterInvalid) as caught:
        catalogue.ids_where("lisence = 'x'")
    assert caught.value.hint.startswith("did you mean licence?")


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM read_text('/etc/hostname')",
        "COPY records TO '/tmp/limner-test.csv'",
        "ATTACH '/tmp/limner-test.db'",
        "SET enable_external_access = true",
        "SET threads = 1",
        "INSTALL httpfs",
    ],
)
def test_catalogue_is_locked_also_below_the_check(catalogue: Catalogue, sql: str) -> None:
    with pytest.raises(duckdb.Error):
        catalogue._rows(sql)
