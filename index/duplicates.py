"""Groups of pictures that are the same one again; of a group an article shows one. Kept beside the catalogue.

Exact copies share a content and with it a vector, so a group is made of contents: those that `likeness` links, and what
is linked to these in turn. A content that was grouped before is not compared again unless its group lost a member.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .likeness import alike

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True, slots=True)
class Member:
    """A picture's place in its group."""

    group: int  # the lowest id of the group's pictures
    vector_id: int  # of the content that it had when it was grouped


def group(
    image_ids: np.ndarray,
    vector_ids: np.ndarray,
    hashes: Sequence[str],
    *,
    before: dict[int, Member],
    known_below: int,
    vectors: Callable[[np.ndarray], np.ndarray],
) -> dict[int, Member]:
    """The groups of these pictures; a picture that is like no other has none.

    Args:
        image_ids: (n,) int64.
        vector_ids: (n,) int64, of their contents.
        hashes: their perceptual hashes, empty where they have none.
        before: the groups of the generation before.
        known_below: contents with a lower id were grouped then.
        vectors: ids (k,) ascending to unit vectors (k, d).
    """
    import numpy as np

    contents, first, counts = np.unique(vector_ids, return_index=True, return_counts=True)
    whole, broken = _sort_out(before, dict(zip(image_ids.tolist(), vector_ids.tolist(), strict=True)) if before else {})
    fresh = (contents >= known_below) | np.isin(contents, np.fromiter(broken, np.int64, len(broken)))
    digits = [hashes[int(row)] for row in first]
    has_hash = np.array(list(map(bool, digits)), bool)
    values = np.frombuffer(bytes.fromhex("".join(digits)), ">u8").astype(np.uint64)
    links = [link for members in whole for link in pairwise(members)]
    if fresh[has_hash].any():
        links += alike(contents[has_hash], values, fresh[has_hash], vectors)
    roots = _roots(links)
    grouped = np.union1d(np.fromiter(roots, np.int64, len(roots)), contents[counts > 1])
    there = np.isin(vector_ids, grouped)
    pictures: list[tuple[int, int]] = list(zip(image_ids[there].tolist(), vector_ids[there].tolist(), strict=True))
    together: dict[int, list[tuple[int, int]]] = defaultdict(list)
    for image_id, vector_id in pictures:
        together[roots.get(vector_id, vector_id)].append((image_id, vector_id))
    return {
        image_id: Member(min(members)[0], vector_id)
        for members in together.values()
        if len(members) > 1
        for image_id, vector_id in members
    }


def groups_table(groups: dict[int, Member]) -> Any:
    """Groups as an Arrow table, by picture."""
    import pyarrow as pa

    ids = sorted(groups)
    columns = {
        "id": ids,
        "group": [groups[image_id].group for image_id in ids],
        "vector_id": [groups[image_id].vector_id for image_id in ids],
    }
    return pa.table({name: pa.array(column, pa.int64()) for name, column in columns.items()})


def read_groups(paths: Iterable[Path]) -> dict[int, Member]:
    """The inverse of `groups_table`, from its files.

    Raises:
        OSError, ValueError: a file cannot be read as one of them.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    groups: dict[int, Member] = {}
    for path in paths:
        try:
            with pq.ParquetFile(path) as file:
                table = file.read(["id", "group", "vector_id"])
            columns = (table[name].to_pylist() for name in ("id", "group", "vector_id"))
        except (pa.ArrowException, KeyError) as exc:
            raise ValueError(f"{path} is no list of duplicates") from exc
        groups.update((row[0], Member(row[1], row[2])) for row in zip(*columns, strict=True))
    return groups


def _sort_out(before: dict[int, Member], now: dict[int, int]) -> tuple[list[list[int]], set[int]]:
    """The contents of each group that is still whole; and the contents of groups that lost a picture."""
    members: dict[int, list[tuple[int, int]]] = defaultdict(list)
    for image_id, member in before.items():
        members[member.group].append((image_id, member.vector_id))
    whole: list[list[int]] = []
    broken: set[int] = set()
    for pictures in members.values():
        left = [vector_id for image_id, vector_id in pictures if now.get(image_id) == vector_id]
        if len(left) == len(pictures):
            whole.append(left)
        else:
            broken.update(left)
    return whole, broken


def _roots(links: Iterable[tuple[int, int]]) -> dict[int, int]:
    """Each linked content to the one that stands for all that are linked with it."""
    parents: dict[int, int] = {}

    def find(item: int) -> int:
        parents.setdefault(item, item)
        while parents[item] != item:
            parents[item] = parents[parents[item]]
            item = parents[item]
        return item

    for a, b in links:
        a, b = find(a), find(b)
        parents[max(a, b)] = min(a, b)
    return {item: find(item) for item in list(parents)}
