"""A batch on many machines: Ray Data hands out groups of rows, and each worker composes them as this machine would.

Machines must see the library, the drafts and the pictures, and the batch's folder, under the same paths.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .engines import BatchProgress, LocalEngine, Unseen, groups
from .rows import Row
from .work import Outcome, Parts, from_json, to_json


@dataclass(frozen=True, slots=True)
class RayEngine:
    """A Ray cluster; see Engine. Its groups are those of LocalEngine, so the articles are the same."""

    load: Callable[[], Parts]  # pickled; called once in each worker
    out: Path  # absolute
    group_size: int
    connect: Callable[[], AbstractContextManager[Any]]  # gives Ray
    share: Callable[[Any], dict[str, Any]]  # what a worker asks of the cluster
    tables: Callable[[Any], Iterator[Any]]  # the blocks of a dataset, with errors that are ours

    def __call__(self, rows: Sequence[Row], progress: BatchProgress) -> Iterator[Outcome]:
        """See Engine.

        Raises:
            EngineMissing: no cluster answers.
            EngineFailed: the cluster gave up; finished rows are kept.
        """
        together = groups(rows, self.group_size)
        with self.connect() as ray:
            outcomes = ray.data.range(len(together), override_num_blocks=len(together)).map_batches(
                ComposeGroups,
                fn_constructor_args=(self.load, self.out, ray.put(together)),
                batch_size=1,
                batch_format="pyarrow",
                **self.share(ray),
            )
            for table in self.tables(outcomes):
                yield from map(from_json, table["outcome"].to_pylist())


class ComposeGroups:
    """An actor with models and a library, loaded by its first group."""

    def __init__(self, load: Callable[[], Parts], out: Path, groups: Any) -> None:
        self._load = load
        self._out = out
        self._groups = groups
        self._parts: Parts | None = None

    def __call__(self, numbers: Any) -> Any:
        """The outcomes of these groups, a row each, as JSON."""
        import pyarrow as pa
        import ray

        if self._parts is None:
            self._parts = self._load()
        every: Any = ray.get(self._groups)
        outcomes: list[str] = []
        for number in numbers["id"].to_pylist():
            group = every[number]
            engine = LocalEngine(self._parts, self._out, group_size=len(group), jobs=len(group))
            outcomes += map(to_json, engine(group, Unseen()))
        return pa.table({"outcome": pa.array(outcomes, pa.string())})
