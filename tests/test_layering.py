"""Imports run one way, cli -> evaluation -> composer -> index, and our folders are imported relatively."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
MAY_IMPORT = {
    "cli": {"cli", "evaluation", "composer", "index", "sample_repos", "templates"},
    "evaluation": {"evaluation", "composer", "index", "templates"},
    "composer": {"composer", "index", "templates"},
    "index": {"index"},
}
# Of the library, the composer knows its records and errors, whole files, how a picture is read and its content named,
# what memory is free:
# not its insides.
OF_INDEX = {"records", "errors", "atomic", "content", "decode", "free"}
FILES = sorted(path for folder in MAY_IMPORT for path in (ROOT / folder).rglob("*.py"))


def imports(path: Path) -> Iterator[tuple[int, str]]:
    """Each import of a file as (line, dotted name from the root of the checkout, or as written where absolute)."""
    package = path.relative_to(ROOT).with_suffix("").parts[:-1]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = (*package[: len(package) - node.level + 1],) if node.level else ()
            start = ".".join((*base, *filter(None, [node.module])))
            yield from ((node.lineno, f"{start}.{alias.name}".lstrip(".")) for alias in node.names)


def is_relative(path: Path, line: int) -> bool:
    return any(
        isinstance(node, ast.ImportFrom) and node.lineno == line and node.level > 0
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
    )


def test_there_are_files_to_look_at() -> None:
    assert {path.relative_to(ROOT).parts[0] for path in FILES} >= {"cli", "evaluation", "composer", "index"}


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_run_one_way(path: Path) -> None:
    folder = path.relative_to(ROOT).parts[0]
    ours = MAY_IMPORT.keys() | {"sample_repos", "templates", "training", "benchmarks", "limner"}
    for line, name in imports(path):
        top, _, rest = name.partition(".")
        if top not in ours:
            continue
        assert is_relative(path, line), f"{path}:{line} imports {name} absolutely, which makes a second copy of it"
        assert top in MAY_IMPORT[folder], f"{path}:{line} imports {name}, and {folder} stands below {top}"
        if folder == "composer" and top == "index" and not _only_a_type(path, line):
            assert rest.split(".")[0] in OF_INDEX, f"{path}:{line} reaches into the library: {name}"


def _only_a_type(path: Path, line: int) -> bool:
    """Whether the import stands under `if TYPE_CHECKING:`."""
    return any(
        isinstance(node, ast.If)
        and ast.unparse(node.test) == "TYPE_CHECKING"
        and node.lineno <= line <= (node.end_lineno or 0)
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
    )


def test_print_stands_only_in_the_command_line() -> None:
    for path in FILES:
        if path.relative_to(ROOT).parts[0] == "cli":
            continue
        calls = [node for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(node, ast.Call)]
        assert not any(isinstance(call.func, ast.Name) and call.func.id == "print" for call in calls), path
