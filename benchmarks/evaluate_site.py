"""A site of many pages under `limner evaluate articles`: processor seconds and memory, against a tenth of the pages.

python -m benchmarks.evaluate_site --pages 10000
"""

from __future__ import annotations

import argparse
import os
import random
import subprocess
import sys
import tempfile
from pathlib import Path

from .folders import jpeg

WORDS_A_PAGE = 400


def main() -> None:
    """Measure both sites, each in a process of its own."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pages", type=int, default=10_000)
    parser.add_argument("--limit", type=int, default=500, help="documents that are evaluated; all are read")
    arguments = parser.parse_args()
    figures: list[tuple[float, float]] = []
    with tempfile.TemporaryDirectory() as folder:
        for pages in (arguments.pages // 10, arguments.pages):
            site = Path(folder) / f"site-{pages}"
            make_site(site, pages)
            seconds, mib = measured(site, min(arguments.limit, pages), Path(folder) / f"out-{pages}")
            figures.append((seconds, mib))
            print(f"{pages:,} pages: {seconds:.1f} processor seconds, {mib:.0f} MiB at the highest", flush=True)
    (few_s, few_mib), (many_s, many_mib) = figures
    print(f"ten times the pages: {many_s / few_s:.2f} times the time, {many_mib / few_mib:.2f} times the memory")


def make_site(site: Path, pages: int) -> None:
    """Pages of 400 words in ten paragraphs, each with a picture that its text speaks of."""
    chance = random.Random(0)
    vocabulary = ["".join(chance.choices("abcdefghijklmnopqrstuvwxyz", k=6)) for _ in range(20_000)]
    picture = jpeg(0)
    for number in range(pages):
        folder = site / f"{number // 1000:03d}"
        folder.mkdir(parents=True, exist_ok=True)
        paragraphs = [" ".join(chance.choices(vocabulary, k=WORDS_A_PAGE // 10)) for _ in range(10)]
        said = " ".join(chance.sample(paragraphs[4].split(), 8))
        text = "\n\n".join([*paragraphs[:5], f"![{said}]({number}.jpg)", *paragraphs[5:]])
        (folder / f"{number}.md").write_text(f"# Page {number}\n\n{text}\n")
        (folder / f"{number}.jpg").write_bytes(picture)


def measured(site: Path, limit: int, out: Path) -> tuple[float, float]:
    """Processor seconds and the highest memory in MiB of the command, its page included."""
    command = [sys.executable, "-c", "from limner.cli.app import main; main()", "evaluate", "articles", str(site)]
    process = subprocess.Popen(
        [*command, "--limit", str(limit), "--out", str(out)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"the command failed with {process.returncode}")
    return usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


if __name__ == "__main__":
    main()
