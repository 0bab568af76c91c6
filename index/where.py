"""A condition on the catalogue, as a user writes it after --where, held to what a condition may be.

DuckDB parses it; here its tree is looked through, and only what is named here may stand in it: columns of the
catalogue, constants, comparisons, and functions that compute and do nothing else. So there is no other statement, no
subquery, no file and no variable in it, whatever it says. (The catalogue's connection is locked besides.)
"""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterator
from typing import Any

from .errors import FilterInvalid

MAX_LENGTH = 10_000
_EXAMPLE = "for example: --where \"licence = 'CC0' and list_contains(keywords, 'beach')\""
_CLASSES = "BETWEEN CASE CAST COLLATE COLUMN_REF COMPARISON CONJUNCTION CONSTANT FUNCTION OPERATOR TYPE"
_OPERATORS = "+ - * / // % ~~ !~~ ~~* !~~* ~~~ like_escape ilike_escape not_like_escape not_ilike_escape"
_CALLS = """
    abs ceil floor greatest least round trunc
    contains ends_with left len length lower ltrim prefix regexp_full_match regexp_matches right rtrim starts_with
    strip_accents substring suffix trim upper
    array_contains array_has list_contains list_has list_has_all list_has_any list_value
    age date_diff date_part date_trunc datediff day dayofweek hour isodow make_date minute month now quarter strftime
    to_days to_hours to_minutes to_months to_seconds to_weeks to_years today week year
"""
_FUNCTIONS = frozenset([*_OPERATORS.split(), *_CALLS.split()])


def check_condition(tree: dict[str, Any], columns: Collection[str]) -> None:
    """Look through DuckDB's tree of `SELECT (condition)`.

    Raises:
        FilterInvalid: it cannot be parsed, or holds what a condition must not; the message names it.
    """
    if tree.get("error"):
        reason = " ".join(str(tree.get("error_message", "")).split())[:200]
        raise FilterInvalid(f"this is not a condition: {reason}", _EXAMPLE)
    node = tree["statements"][0]["node"]
    only_one = len(tree["statements"]) == 1 and node.get("type") == "SELECT_NODE"
    if not only_one or len(node["select_list"]) != 1 or node["from_table"].get("type") != "EMPTY" or _has_more(node):
        raise FilterInvalid("this is more than one condition", _EXAMPLE)
    for part in _parts(node["select_list"][0]):
        _check_part(part, columns)


def check_length(condition: str) -> str:
    """The condition, if it may be parsed at all.

    Raises:
        FilterInvalid: it is empty, too long, or no text.
    """
    if not condition.strip():
        raise FilterInvalid("the condition is empty", _EXAMPLE)
    if len(condition) > MAX_LENGTH:
        raise FilterInvalid(f"the condition has more than {MAX_LENGTH:,} characters", _EXAMPLE)
    if "\0" in condition or any("\ud800" <= character <= "\udfff" for character in condition):
        raise FilterInvalid("the condition is not valid text", _EXAMPLE)
    return condition


def _has_more(node: dict[str, Any]) -> bool:
    """Whether clauses follow the one expression."""
    clauses = ("modifiers", "where_clause", "group_expressions", "having", "sample", "qualify")
    return any(node.get(name) for name in clauses) or bool(node.get("cte_map", {}).get("map"))


def _parts(value: Any) -> Iterator[dict[str, Any]]:
    """Every expression in a tree."""
    if isinstance(value, dict):
        if "class" in value:
            yield value
        for inner in value.values():
            yield from _parts(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _parts(inner)


def _check_part(part: dict[str, Any], columns: Collection[str]) -> None:
    kind = part["class"]
    if kind not in _CLASSES.split():
        raise FilterInvalid(f"a condition cannot hold a {str(kind).lower()}", _EXAMPLE)
    if kind == "FUNCTION":
        name = str(part["function_name"]).lower()
        if name not in _FUNCTIONS or part.get("schema") or part.get("catalog"):
            raise FilterInvalid(f"a condition cannot call {name}", f"it can call {' '.join(_CALLS.split())}")
    if kind == "COLUMN_REF":
        name = ".".join(part["column_names"])
        if name.lower() not in {*(column.lower() for column in columns), "current_date"}:
            raise _unknown_column(name, columns)


def _unknown_column(name: str, columns: Collection[str]) -> FilterInvalid:
    near = difflib.get_close_matches(name.lower(), columns, n=1)
    guess = f"did you mean {near[0]}? " if near else "a text stands in single quotes; "
    return FilterInvalid(f"no column is called {name}", f"{guess}the columns are {', '.join(columns)}")
