"""`limner index duplicates`, `verify` and `compact`."""

from __future__ import annotations

import json
from pathlib import Path

from .conftest import Limner


def test_duplicates_shows_groups(limner: Limner, library: Path, colour_folder: Path) -> None:
    (colour_folder / "copy.png").write_bytes((colour_folder / "red.png").read_bytes())
    limner("index", "update", "--library", library)

    result = limner("index", "duplicates", "--library", library)
    [group] = json.loads(limner("index", "duplicates", "--library", library, "--json").stdout)

    assert result.stdout.splitlines() == [str(colour_folder / "red.png"), str(colour_folder / "copy.png")]
    assert "1 group: 1 picture is one of the others again" in result.stderr
    assert [(Path(image["path"]).name, image["exact"]) for image in group] == [("red.png", True), ("copy.png", True)]


def test_verify_says_whole(limner: Limner, library: Path) -> None:
    result = limner("index", "verify", "--library", library, "--files")

    assert (result.exit_code, result.stdout) == (0, f"{library}: whole\n")


def test_verify_names_fault_and_fix_and_exits_with_1(limner: Limner, library: Path) -> None:
    (library / "index-000001.faiss").write_bytes(b"broken")

    result = limner("index", "verify", "--library", library)
    tree = limner("index", "verify", "--library", library, "--json")

    assert result.exit_code == tree.exit_code == 1
    assert result.stdout == "index-000001.faiss: was changed or cut short\n"
    assert f"limner index verify --repair --library {library}" in result.stderr
    assert json.loads(tree.stdout)["whole"] is False
    assert [fault["part"] for fault in json.loads(tree.stdout)["faults"]] == ["index-000001.faiss"]
    assert limner("index", "verify", "--library", library, "--repair").exit_code == 0
    assert limner("index", "search", "red", "--library", library).exit_code == 0


def test_verify_looks_at_files_when_asked(limner: Limner, library: Path, colour_folder: Path) -> None:
    (colour_folder / "red.png").unlink()

    assert limner("index", "verify", "--library", library).exit_code == 0
    result = limner("index", "verify", "--library", library, "--files")

    assert result.exit_code == 1
    assert "limner index update" in result.stderr


def test_compact_says_what_it_gave_back(limner: Limner, library: Path) -> None:
    tree = json.loads(limner("index", "compact", "--library", library, "--json").stdout)
    result = limner("index", "compact", "--library", library)

    assert tree["freed_bytes"] == 0
    assert result.stdout == f"{library}: 0 kB freed\n"


def test_info_tells_of_broken_files_and_duplicates(limner: Limner, library: Path, colour_folder: Path) -> None:
    (colour_folder / "copy.png").write_bytes((colour_folder / "red.png").read_bytes())
    (colour_folder / "empty.png").touch()
    limner("index", "update", "--library", library)

    tree = json.loads(limner("index", "info", "--library", library, "--json").stdout)
    text = limner("index", "info", "--library", library).stdout

    assert (tree["broken"], tree["duplicates"]) == (1, 1)
    assert tree["bytes"] == sum(
        path.stat().st_size for path in library.rglob("*") if path.suffix in (".parquet", ".faiss")
    )
    assert "broken      1 file, not tried again until they change" in text
    assert "duplicates  2 pictures in 1 group\n" in text


def test_commands_that_write_refuse_a_library_elsewhere(limner: Limner) -> None:
    for command in ("update", "verify", "compact", "describe"):
        result = limner("index", command, "--library", "s3://bucket/library")
        assert (result.exit_code, "s3://bucket/library" in result.stderr.replace("\n", "")) == (2, True)
    assert list(Path.cwd().iterdir()) == []
