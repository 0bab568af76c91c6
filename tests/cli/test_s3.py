"""Commands over pictures at s3://, on a real S3 server: built, searched, put into articles, brought up to date."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from limner.cli.wiring import Wiring, local_copy
from limner.index.library import Library

from ..colours import ColourEncoder
from .conftest import Limner
from .fakes import colour_wiring


def test_an_article_shows_pictures_that_lie_at_s3(limner: Limner, s3: Any, colour_folder: Path, tmp_path: Path) -> None:
    library, out, sheet = tmp_path / "library", tmp_path / "out", tmp_path / "sheet.html"
    s3.put(f"{colour_folder}/", "bucket/pictures/", recursive=True)

    built = limner("index", "build", "s3://bucket/pictures", "--library", library, "--json")
    assert built.exit_code == 0, built.stderr
    assert json.loads(built.stdout)["indexed"] == 8
    found = limner("index", "search", "red", "--library", library, "-m", 1, "--json", "--html", sheet)
    assert json.loads(found.stdout)[0]["path"] == "s3://bucket/pictures/red.png"
    assert "s3://bucket/pictures/red.png" in sheet.read_text()
    assert "data:image/webp" in sheet.read_text()
    assert "s3://bucket/pictures" in limner("index", "info", "--library", library).stdout

    written = limner("compose", "Of red and blue", "--library", library, "--out", out)
    assert written.exit_code == 0, written.stderr
    for name in ("red.png", "blue.png"):
        assert (out / "images" / name).read_bytes() == (colour_folder / name).read_bytes()
    figures = [block for block in json.loads((out / "article.json").read_text())["blocks"] if block["kind"] == "figure"]
    assert {figure["source"] for figure in figures} == {f"s3://bucket/pictures/{name}.png" for name in ("red", "blue")}

    s3.rm("bucket/pictures/red.png")
    again = limner("compose", "Of red and blue", "--library", library, "--out", tmp_path / "again")
    assert again.exit_code == 0, again.stderr
    assert "pictures/red.png" not in (tmp_path / "again" / "article.json").read_text()
    updated = limner("index", "update", "--library", library, "--json")
    assert (json.loads(updated.stdout)["removed"], json.loads(updated.stdout)["unchanged"]) == (1, 7)


def test_pictures_that_cannot_be_asked_for_are_named(
    limner: Limner, s3: Any, colour_folder: Path, monkeypatch: Any, tmp_path: Path
) -> None:
    s3.put(f"{colour_folder}/", "bucket/pictures/", recursive=True)
    assert limner("index", "build", "s3://bucket/pictures", "--library", tmp_path / "library").exit_code == 0
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    type(s3).clear_instance_cache()
    for command in (("compose", "red", "--out", tmp_path / "out"), ("index", "update")):
        result = limner(*command, "--library", tmp_path / "library")
        assert result.exit_code == 1
        assert "s3://bucket/pictures" in result.stderr
        assert "unexpected" not in result.stderr


def test_a_library_at_s3_is_read_and_not_written(
    limner: Limner, s3: Any, library: Path, colour_folder: Path, monkeypatch: Any, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    s3.put(f"{library}/", "bucket/library/", recursive=True)
    reading = colour_wiring(library=Wiring().library)
    info = limner("index", "info", "--library", "s3://bucket/library", "--json", wiring=reading)
    assert info.exit_code == 0, info.stderr
    assert json.loads(info.stdout)["count"] == 8
    merged = limner("index", "merge", "s3://bucket/library", "--library", tmp_path / "merged", "--json")
    assert merged.exit_code == 0, merged.stderr
    assert json.loads(merged.stdout)["count"] == 8
    refused = limner("index", "build", colour_folder, "--library", "s3://bucket/library")
    assert refused.exit_code == 2
    assert "lies elsewhere (s3://bucket/library)" in " ".join(refused.stderr.replace("│", " ").split())


def test_a_library_is_pushed_to_s3_and_read_there(
    limner: Limner, s3: Any, library: Path, colour_folder: Path, monkeypatch: Any, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    address = "s3://bucket/libraries/colours"
    pushed = limner("index", "push", address, "--library", library, "--json")
    assert pushed.exit_code == 0, pushed.stderr
    assert json.loads(pushed.stdout)["copied"] > 2
    reading = colour_wiring(
        library=lambda folder, device: Library.open(local_copy(folder), encoder=ColourEncoder(), device=device)
    )
    found = [
        [
            (hit["id"], hit["path"], hit["score"])
            for hit in json.loads(limner("index", "search", "red", "--library", where, "--json", wiring=reading).stdout)
        ]
        for where in (library, address)
    ]
    assert found[0] == found[1] and found[0]
    again = json.loads(limner("index", "push", address, "--library", library, "--json").stdout)
    assert (again["copied"], again["bytes"]) == (0, 0)

    refused = limner("index", "push", tmp_path / "folder", "--library", library)
    assert refused.exit_code == 2 and "is no address" in " ".join(refused.stderr.replace("│", " ").split())
