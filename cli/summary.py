"""What a build did, told at its end."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from . import terminal

if TYPE_CHECKING:
    from ..index.advance import BuildSummary

_SHOWN_REASONS = 5


def pictures(count: int) -> str:
    """So many pictures, in words."""
    return f"{count} picture{'' if count == 1 else 's'}"


def show_summary(library: Path, summary: BuildSummary, *, as_json: bool) -> None:
    """What became of which pictures: for people, or as JSON."""
    from ..index.folder import SKIPPED_NAME

    count = summary.indexed + summary.unchanged + summary.moved
    log = library.absolute() / SKIPPED_NAME if summary.skipped or summary.notices else None
    if as_json:
        terminal.print_json(
            {
                "library": library.absolute(),
                "count": count,
                "indexed": summary.indexed,
                "unchanged": summary.unchanged,
                "moved": summary.moved,
                "removed": summary.removed,
                "skipped": [{"path": path, "reason": reason} for path, reason in summary.skipped],
                "notices": [{"path": path, "reason": reason} for path, reason in summary.notices],
                "log": log,
            }
        )
        return
    console = terminal.out()
    if console.is_terminal:
        console.print("✓ ", style="green", end="")
    console.print(f"{terminal.clean(library.absolute())}: {pictures(count)}")
    for name in ("indexed", "unchanged", "moved", "removed"):
        console.print(f"  {name:<9}  {getattr(summary, name)}")
    console.print(f"  {'skipped':<9}  {len(summary.skipped)}")
    reasons = Counter(reason for _, reason in summary.skipped).most_common()
    for reason, number in reasons[:_SHOWN_REASONS]:
        console.print(f"    {number} x {terminal.clean(reason)}")
    if len(reasons) > _SHOWN_REASONS:
        console.print(f"    and {len(reasons) - _SHOWN_REASONS} more reasons")
    if summary.notices:
        console.print(f"  metadata   {len(summary.notices)} oddities")
    if log is not None:
        console.print(f"  each is named in {terminal.clean(log)}")
