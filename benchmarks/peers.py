"""A build against what others take for the same pictures with the same checkpoint: prints a ratio for each of them.

    python -m benchmarks.peers [--count 5000] [--environments DIR] [--folder DIR] [--only NAME]

Each peer is installed from the package registry into an environment of its own, below --environments, which are used
again, or in a temporary folder; torch is the one that Limner runs on. All run as commands, one after another and
offline, on the same small JPEGs, with as many threads as there are processors; what a run of START_UP pictures takes is
taken off, so that imports and loading do not count. They make much of it: clip-retrieval imports torch in three
processes and warms up on two batches of pictures and texts.

    clip-retrieval  takes any file of open_clip: `--clip_model open_clip:ViT-B-32-256/FILE`
    rclip           runs one model, ViT-B-32-256, from ONNX files in its folder of data, and fetches only those that are
                    not there: the checkpoint's picture side is exported to its `visual.onnx`. The query is a picture,
                    so its text side is never loaded, and an empty file stands for it
"""

from __future__ import annotations

import argparse
import os
import re
import shlex
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import time
import venv
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from limner.index.build import BATCH_SIZE

from .build_small import SIDE_PX
from .checkpoint import export_onnx, write_checkpoint
from .folders import make_folder

START_UP = 32
MODEL = "ViT-B-32-256"  # what rclip takes pictures to
_ONNX = Path("ViT-B-32-256-datacomp_s34b_b86k", "visual.onnx")
# What an environment shares with ours: torch, and what only torch needs.
_SHARED = re.compile(r"(torch|torchgen|torchvision|functorch|triton|nvidia|cuda)([-_.].*)?")
_OVERRIDES = "torch; sys_platform == 'never'\ntorchvision; sys_platform == 'never'\n"
_QUIET = {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1", "PYTHONWARNINGS": "ignore"}


class CannotRun(Exception):
    """A peer that cannot be measured here; the message says why."""


@dataclass(frozen=True)
class Peer:
    """Another program that makes vectors of a folder of pictures."""

    package: str
    beside: Sequence[str]  # what its own requirements leave out
    at_least: float  # times as fast
    command: Callable[[Path, Path, Path, Path], Sequence[str]]  # bin folder, pictures, an empty folder, checkpoint
    prepare: Callable[[Path, Path], None] = lambda environment, checkpoint: None  # once, and not measured


def clip_retrieval(programs: Path, pictures: Path, out: Path, checkpoint: Path) -> list[str]:
    weights = checkpoint / "open_clip_model.safetensors"
    return [
        *(str(programs / "clip-retrieval"), "inference", "--input_dataset", str(pictures), "--output_folder", str(out)),
        *("--clip_model", f"open_clip:{MODEL}/{weights}", "--enable_text", "False"),
        *("--num_prepro_workers", str(os.cpu_count()), "--batch_size", str(BATCH_SIZE)),
    ]


def rclip(programs: Path, pictures: Path, out: Path, checkpoint: Path) -> list[str]:
    model = out / "data" / _ONNX
    model.parent.mkdir(parents=True)
    model.symlink_to(checkpoint / "visual.onnx")
    model.with_name("textual.onnx").touch()
    vocabulary = out / "data" / "tokenizer" / "bpe_simple_vocab_16e6.txt.gz"
    vocabulary.parent.mkdir()
    vocabulary.touch()
    query = min(pictures.rglob("*.jpg"))
    # It takes the pictures that lie where it is called.
    where = f"cd {shlex.quote(str(pictures))}; RCLIP_DATADIR={shlex.quote(str(out / 'data'))}"
    return ["sh", "-c", f"{where} exec {shlex.quote(str(programs / 'rclip'))} -f -t 1 {shlex.quote(str(query))}"]


def prepare_rclip(environment: Path, checkpoint: Path) -> None:
    sys.path.append(sysconfig.get_path("purelib", vars={"base": str(environment)}))  # onnx is there
    export_onnx(checkpoint, checkpoint / "visual.onnx")


PEERS = (
    Peer("clip-retrieval", ("setuptools<81", "sympy", "networkx"), 3.0, clip_retrieval),  # imports pkg_resources
    Peer("rclip", ("onnx",), 1.5, rclip, prepare_rclip),
)


def limner(programs: Path, pictures: Path, out: Path, checkpoint: Path) -> list[str]:
    """Ours, as a user calls it."""
    build = [str(programs / "limner"), "index", "build", str(pictures), "--library", str(out / "library")]
    return [*build, "--encoder", str(checkpoint)]


def install(peer: Peer, folder: Path) -> Path:
    """The programs of an environment with this peer, made if it is not there."""
    programs = folder / ("Scripts" if os.name == "nt" else "bin")
    if not (folder / "installed").exists():
        shutil.rmtree(folder, ignore_errors=True)
        venv.create(folder, with_pip=True)
        _share_torch(folder)
        python = str(programs / "python")
        # pip did not get through what clip-retrieval asks for in ten minutes; uv takes seconds.
        _run([python, "-m", "pip", "install", "--quiet", "uv"])
        (folder / "overrides.txt").write_text(_OVERRIDES)
        install = [str(programs / "uv"), "pip", "install", "--quiet", "--python", python]
        _run([*install, "--override", str(folder / "overrides.txt"), peer.package, *peer.beside])
        (folder / "installed").touch()
    return programs


def _share_torch(folder: Path) -> None:
    import torch

    ours = Path(torch.__file__).parents[1]
    shared = folder / "shared"
    shared.mkdir()
    for path in ours.iterdir():
        if _SHARED.fullmatch(path.name):
            (shared / path.name).symlink_to(path)
    own = Path(sysconfig.get_path("purelib", vars={"base": str(folder)}))
    (own / "shared.pth").write_text(f"{shared}\n")


@dataclass(frozen=True)
class Rate:
    """Pictures a second, and a second of all processors, which tells more where the machine has other work."""

    wall: float
    processor: float

    def __str__(self) -> str:
        return f"{self.wall:>8.2f} a second, {self.processor:.2f} a processor second"

    def over(self, other: Rate) -> str:
        return f"{self.wall / other.wall:.2f} (of processor seconds {self.processor / other.processor:.2f})"


def rate(command: Callable[[Path, Path], Sequence[str]], few: Path, many: Path, out: Path, count: int) -> Rate:
    """How fast a command is with the count pictures that many has more than few."""
    taken: list[tuple[float, float]] = []
    for pictures in (few, many):
        shutil.rmtree(out, ignore_errors=True)
        out.mkdir()
        arguments = command(pictures, out)
        started, before = time.perf_counter(), os.times()
        _run(arguments)
        ended, after = time.perf_counter(), os.times()
        processor = after.children_user + after.children_system - before.children_user - before.children_system
        taken.append((ended - started, processor))
    wall, processor = (many_s - few_s for few_s, many_s in zip(*taken, strict=True))
    if min(wall, processor) <= 0:
        raise CannotRun(f"{count} pictures are too few to stand out from the start-up")
    return Rate(count / wall, count / processor)


def _run(command: Sequence[str]) -> None:
    threads = {"OMP_NUM_THREADS": str(os.cpu_count())}
    done = subprocess.run(command, env=os.environ | _QUIET | threads, capture_output=True, text=True, check=False)
    if done.returncode:
        last = (done.stderr.strip() or done.stdout.strip() or "no message").splitlines()[-1]
        raise CannotRun(f"{Path(command[0]).name} failed ({done.returncode}): {last[:300]}")


def _version(programs: Path, package: str) -> str:
    ask = f"from importlib.metadata import version; print(version({package!r}))"
    return subprocess.run([programs / "python", "-c", ask], capture_output=True, text=True, check=True).stdout.strip()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=5000)
    parser.add_argument("--environments", type=Path)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--only", action="append", choices=[peer.package for peer in PEERS])
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=arguments.folder) as name:
        place = Path(name)
        few, many = place / "few", place / "many"
        make_folder(few, START_UP, side_px=SIDE_PX)
        make_folder(many, START_UP + arguments.count, side_px=SIDE_PX)
        checkpoint = write_checkpoint(place / "checkpoint", MODEL)
        own = Path(sys.executable).parent
        to_measure = few, many, place / "out", arguments.count
        try:
            ours = rate(lambda *where: limner(own, *where, checkpoint), *to_measure)
        except CannotRun as exc:
            sys.exit(f"limner cannot be measured: {exc}")
        print(f"{arguments.count:,} pictures of {SIDE_PX} px, {MODEL} of random weights, {os.cpu_count()} processors")
        print(f"{'limner':<16}{ours}", flush=True)
        for peer in PEERS:
            if arguments.only and peer.package not in arguments.only:
                continue
            try:
                environment = (arguments.environments or place).absolute() / peer.package
                programs = install(peer, environment)
                peer.prepare(environment, checkpoint)
                version = _version(programs, peer.package)
                run = peer.command
                theirs = rate(lambda *where, run=run, at=programs: run(at, *where, checkpoint), *to_measure)
            except CannotRun as exc:
                print(f"{peer.package:<16}not measured: {exc}", flush=True)
                continue
            ratio = f"ratio {ours.over(theirs)}, at least {peer.at_least}"
            print(f"{peer.package:<16}{theirs}, {ratio}  ({version})", flush=True)


if __name__ == "__main__":
    main()
