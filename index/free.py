"""How much memory is free: of the machine, or of the control group that this process runs in."""

from __future__ import annotations

import math
from pathlib import Path

_GROUPS = (Path("/sys/fs/cgroup"), Path("/sys/fs/cgroup/memory"))  # version 2, version 1


def free_bytes() -> int:
    """Memory that a process may still take: of the machine, or of the control group that it runs in."""
    import psutil

    return min(psutil.virtual_memory().available, *(_left_in(group) for group in _GROUPS))


def size(count: int) -> str:
    """Bytes as people read them: 17.4 GB, 812 MB, 96 kB; nothing at all alone is 0 kB."""
    if count >= 999_500_000:
        return f"{count / 1e9:.1f} GB"
    return f"{count / 1e6:.0f} MB" if count > 999_000 else f"{math.ceil(count / 1e3)} kB"


def _left_in(group: Path) -> int:
    """What a control group allows beside what is in use; pages of files can be given back and are not in use."""
    names = (("memory.max", "memory.current"), ("memory.limit_in_bytes", "memory.usage_in_bytes"))
    for limit, usage in names:
        try:
            most, used = int((group / limit).read_text()), int((group / usage).read_text())
            lines = dict(line.split() for line in (group / "memory.stat").read_text().splitlines())
        except (OSError, ValueError):  # not there, or `max`
            continue
        files = sum(int(lines.get(name, 0)) for name in ("inactive_file", "active_file"))
        return max(0, most - used + files)
    return 1 << 62
