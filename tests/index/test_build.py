"""Builds and updates: what changes, what stays, and what survives kills, full disks and broken files."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from limner.index import atomic
from limner.index.build import build, update
from limner.index.encoder import EMBEDDED, encoders_at_hand, load_encoder
from limner.index.errors import (
    EncoderMismatch,
    LibraryDamaged,
    LibraryLocked,
    LibraryMissing,
    SourceMissing,
    WriteFailed,
)
from limner.index.library import Library
from limner.index.lock import writing
from PIL import Image

from ..colours import COLOURS, ColourEncoder, Paint


def _ids(library: Path) -> dict[str, int]:
    return {record.path.name: record.id for record in Library.open(library).records()}


def _files(library: Path) -> dict[str, bytes]:
    """Everything that a reader may look at."""
    ignored = ("library.lock", "library.lock.json")
    paths = (path for path in library.rglob("*") if path.is_file() and path.name not in ignored)
    return {path.relative_to(library).as_posix(): path.read_bytes() for path in paths}


def _results(library: Path, encoder: ColourEncoder) -> list[object]:
    opened = Library.open(library, encoder=encoder)
    return [[opened.search(text, 1000) for text in COLOURS], [part.tobytes() for part in opened.vectors()]]


def test_build_makes_library_that_finds_colours(colour_library: Library) -> None:
    for colour in COLOURS:
        best = colour_library.search(colour, 1)[0]
        assert (best.image.title, best.image.width, best.image.height) == (colour, 40, 30)
        assert best.score == pytest.approx(1, abs=1e-3)
        assert best.image.path.is_absolute()


def test_build_counts_and_logs_what_it_skips(
    tmp_path: Path, colour_folder: Path, colour_encoder: ColourEncoder, paint: Paint
) -> None:
    (colour_folder / "empty.jpg").touch()
    (colour_folder / "note\tbook.jpg").write_text("dear diary")
    cut = paint(colour_folder / "cut.jpg", "red", size=(400, 300))
    cut.write_bytes(cut.read_bytes()[:-200])
    paint(colour_folder / "wrong.jpg", "red", format="PNG", size=(7, 7))
    (colour_folder / "link.png").symlink_to("nowhere")
    summary = build([colour_folder], tmp_path / "library", encoder=colour_encoder)
    assert (summary.indexed, summary.unchanged, summary.moved, summary.removed) == (9, 0, 0, 0)
    reasons = {path.name: reason for path, reason in summary.skipped}
    assert reasons == {
        "cut.jpg": "the file is cut short",
        "empty.jpg": "the file is empty",
        "link.png": "a link that leads nowhere",
        "note\tbook.jpg": "not a picture that Limner can read",
    }
    log = (tmp_path / "library" / "skipped.log").read_text().splitlines()
    assert f"{colour_folder / 'empty.jpg'}\tthe file is empty" in log
    assert len(log) == 4
    assert all(line.count("\t") == 1 for line in log)


def test_build_reports_progress_to_the_end(tmp_path: Path, colour_folder: Path, colour_encoder: ColourEncoder) -> None:
    calls: list[tuple[int, int]] = []
    build(
        [colour_folder],
        tmp_path / "library",
        encoder=colour_encoder,
        batch_size=3,
        progress=lambda done, total: calls.append((done, total)),
    )
    assert calls[-1] == (8, 8)
    assert calls == sorted(calls)


@pytest.mark.parametrize("workers", [1, 5])
@pytest.mark.parametrize("batch_size", [1, 3, 100])
def test_build_does_not_depend_on_workers_or_batches(
    tmp_path: Path, colour_library: Library, colour_folder: Path, workers: int, batch_size: int
) -> None:
    encoder = ColourEncoder()
    build([colour_folder], tmp_path / "other", encoder=encoder, workers=workers, batch_size=batch_size)
    assert _results(tmp_path / "other", encoder) == _results(tmp_path / "library", encoder)


def test_build_encodes_equal_files_once(tmp_path: Path, colour_folder: Path, colour_encoder: ColourEncoder) -> None:
    for number in range(3):
        (colour_folder / f"copy{number}.png").write_bytes((colour_folder / "red.png").read_bytes())
    summary = build([colour_folder], tmp_path / "library", encoder=colour_encoder)
    assert (summary.indexed, colour_encoder.pictures_encoded) == (11, 8)
    hits = Library.open(tmp_path / "library", encoder=colour_encoder).search_image(colour_folder / "red.png", 4)
    assert [hit.image.id for hit in hits] == sorted(hit.image.id for hit in hits)
    assert {hit.image.title for hit in hits} == {"red", "copy0", "copy1", "copy2"}


def test_build_puts_metadata_into_records(tmp_path: Path, colour_folder: Path, colour_encoder: ColourEncoder) -> None:
    (colour_folder / "limner-metadata.csv").write_text("file,caption,keywords\nred.png,A red wall,wall;red\nno.png,x\n")
    summary = build([colour_folder], tmp_path / "library", encoder=colour_encoder)
    assert summary.notices == [(colour_folder / "limner-metadata.csv", "line 3: no picture 'no.png' in this folder")]
    image = Library.open(tmp_path / "library", encoder=colour_encoder).search("red", 1)[0].image
    assert (image.title, image.caption, image.keywords) == ("red", "A red wall", ("wall", "red"))


def test_update_takes_new_metadata_without_encoding(colour_library: Library, colour_folder: Path) -> None:
    (colour_folder / "limner-metadata.csv").write_text("file,caption\nred.png,A red wall\n")
    encoder = ColourEncoder()
    assert update(colour_library.folder, encoder=encoder).unchanged == 8
    assert encoder.pictures_encoded == 0
    assert Library.open(colour_library.folder, encoder=encoder).search("red", 1)[0].image.caption == "A red wall"


def test_update_tells_new_changed_moved_touched_and_gone_apart(
    colour_library: Library, colour_folder: Path, paint: Paint
) -> None:
    before = _ids(colour_library.folder)
    paint(colour_folder / "orange.png", (255, 128, 0))
    paint(colour_folder / "red.png", "red", size=(9, 9))
    (colour_folder / "sub").mkdir()
    (colour_folder / "blue.png").rename(colour_folder / "sub" / "azure.png")
    os.utime(colour_folder / "cyan.png", (1, 1))
    (colour_folder / "yellow.png").unlink()
    encoder = ColourEncoder()
    summary = update(colour_library.folder, encoder=encoder)
    assert (summary.indexed, summary.unchanged, summary.moved, summary.removed) == (2, 5, 1, 1)
    assert encoder.pictures_encoded == 2
    after = _ids(colour_library.folder)
    assert after["azure.png"] == before["blue.png"]
    assert after["red.png"] == before["red.png"]
    assert after["orange.png"] == 9
    assert "yellow.png" not in after
    opened = Library.open(colour_library.folder, encoder=encoder)
    assert opened.search("blue", 1)[0].image.path == colour_folder / "sub" / "azure.png"
    assert opened.search("red", 1)[0].image.width == 9


def test_update_never_gives_an_id_twice(colour_library: Library, colour_folder: Path, paint: Paint) -> None:
    (colour_folder / "yellow.png").unlink()
    update(colour_library.folder, encoder=ColourEncoder())
    paint(colour_folder / "zinc.png", (9, 9, 9))
    update(colour_library.folder, encoder=ColourEncoder())
    assert _ids(colour_library.folder)["zinc.png"] == 9


def test_update_drops_picture_that_became_unreadable(colour_library: Library, colour_folder: Path) -> None:
    (colour_folder / "red.png").write_bytes(b"")
    summary = update(colour_library.folder, encoder=ColourEncoder())
    assert (summary.unchanged, summary.removed, len(summary.skipped)) == (7, 1, 1)


def test_update_without_changes_writes_nothing(colour_library: Library) -> None:
    before = _files(colour_library.folder)
    assert update(colour_library.folder, encoder=ColourEncoder()).unchanged == 8
    assert _files(colour_library.folder) == before


def test_update_keeps_one_generation_on_disk(colour_library: Library, colour_folder: Path, paint: Paint) -> None:
    paint(colour_folder / "new.png", (9, 9, 9))
    update(colour_library.folder, encoder=ColourEncoder())
    names = set(_files(colour_library.folder))
    assert names == {
        "manifest.json", "catalogue/000002.parquet", "vectors/000002-0000.parquet", "index-000002.faiss",
        "words-000002.parquet",
    }  # fmt: skip


def test_build_gives_the_same_bytes_with_any_number_of_workers(tmp_path: Path) -> None:
    if EMBEDDED not in encoders_at_hand():
        pytest.skip("the embedded weights are not in this checkout")
    encoder = load_encoder(EMBEDDED, "cpu")
    rng = np.random.default_rng(0)
    (tmp_path / "pictures").mkdir()
    for number in range(13):
        pixels = rng.integers(0, 256, (90 + 20 * number, 260 - 10 * number, 3), np.uint8)
        Image.fromarray(pixels).save(tmp_path / f"pictures/{number}.jpg")
    built = []
    for workers in (1, 4):
        library = tmp_path / f"library-{workers}"
        build([tmp_path / "pictures"], library, encoder=encoder, workers=workers, batch_size=5)
        built.append(json.loads((library / "manifest.json").read_text()))
    assert built[0] == built[1]  # with the digests of all parts


def test_update_refuses_absent_source_folder(colour_library: Library, colour_folder: Path) -> None:
    colour_folder.rename(colour_folder.with_name("unplugged"))
    before = _files(colour_library.folder)
    with pytest.raises(SourceMissing, match="does not exist"):
        update(colour_library.folder, encoder=ColourEncoder())
    assert _files(colour_library.folder) == before


def test_update_lets_single_picture_go(tmp_path: Path, colour_folder: Path, colour_encoder: ColourEncoder) -> None:
    sources = sorted(colour_folder.iterdir())
    build(sources, tmp_path / "library", encoder=colour_encoder)
    sources[0].unlink()
    assert update(tmp_path / "library", encoder=colour_encoder).removed == 1


def test_build_replaces_sources(tmp_path: Path, colour_library: Library, paint: Paint) -> None:
    paint(tmp_path / "more" / "red.png", "red")
    summary = build([tmp_path / "more"], colour_library.folder, encoder=ColourEncoder())
    assert (summary.moved, summary.removed) == (1, 7)
    assert Library.open(colour_library.folder).manifest.sources == (str(tmp_path / "more"),)


def test_build_deletes_no_file_that_is_not_its_own(
    tmp_path: Path, colour_folder: Path, colour_encoder: ColourEncoder
) -> None:
    strangers = [tmp_path / "library" / name for name in ("work/thesis.tex", "catalogue/1.parquet", "vectors/a.svg")]
    for stranger in strangers:
        stranger.parent.mkdir(parents=True)
        stranger.touch()
    build([colour_folder], tmp_path / "library", encoder=colour_encoder)
    assert all(stranger.exists() for stranger in strangers)


def test_build_remembers_sources_that_hold_the_same_pictures(colour_library: Library, colour_folder: Path) -> None:
    files = sorted(colour_folder.iterdir())
    assert build(files, colour_library.folder, encoder=ColourEncoder()).unchanged == 8
    assert Library.open(colour_library.folder).manifest.sources == tuple(map(str, files))


@pytest.mark.parametrize("content", [None, "empty folder", "text", "unreadable"])
def test_build_leaves_nothing_behind_without_pictures(
    tmp_path: Path, colour_encoder: ColourEncoder, content: str | None
) -> None:
    source = tmp_path / "source"
    if content:
        source.mkdir()
    if content == "text":
        (source / "a.txt").write_text("a")
    if content == "unreadable":
        (source / "a.jpg").touch()
        (source / "b.jpg").write_text("b")
    with pytest.raises(SourceMissing) as caught:
        build([source], tmp_path / "library", encoder=colour_encoder)
    assert not (tmp_path / "library").exists()
    assert "\n" not in str(caught.value)


def test_build_spares_folder_with_other_things(
    tmp_path: Path, colour_folder: Path, colour_encoder: ColourEncoder
) -> None:
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "thesis.tex").touch()
    with pytest.raises(LibraryMissing, match="holds other things"):
        build([colour_folder], tmp_path / "home", encoder=colour_encoder)
    with pytest.raises(LibraryMissing, match="it is a file"):
        build([colour_folder], tmp_path / "home" / "thesis.tex", encoder=colour_encoder)
    assert [path.name for path in (tmp_path / "home").iterdir()] == ["thesis.tex"]


def test_build_refuses_other_encoder_unless_rebuilding(colour_library: Library, colour_folder: Path) -> None:
    other = ColourEncoder(fingerprint="d1" * 32)
    with pytest.raises(EncoderMismatch, match="--rebuild"):
        build([colour_folder], colour_library.folder, encoder=other)
    summary = build([colour_folder], colour_library.folder, encoder=other, rebuild=True)
    assert (summary.indexed, other.pictures_encoded) == (8, 8)
    assert min(_ids(colour_library.folder).values()) == 9
    assert Library.open(colour_library.folder, encoder=other).search("red", 1)[0].image.title == "red"


@pytest.mark.parametrize("part", ["manifest.json", "catalogue/000001.parquet", "index-000001.faiss"])
def test_build_refuses_damaged_library_unless_rebuilding(
    colour_library: Library, colour_folder: Path, part: str
) -> None:
    path = colour_library.folder / part
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(LibraryDamaged, match=part):
        build([colour_folder], colour_library.folder, encoder=ColourEncoder())
    build([colour_folder], colour_library.folder, encoder=ColourEncoder(), rebuild=True)
    assert len(Library.open(colour_library.folder)) == 8


def test_build_names_the_one_who_writes(tmp_path: Path, colour_folder: Path, colour_encoder: ColourEncoder) -> None:
    library = tmp_path / "library"
    library.mkdir()
    with writing(library), pytest.raises(LibraryLocked, match=rf"process {os.getpid()} of .* on .*, since 20"):
        build([colour_folder], library, encoder=colour_encoder)
    assert build([colour_folder], library, encoder=colour_encoder).indexed == 8


def test_build_skips_what_the_encoder_cannot_place(tmp_path: Path, colour_folder: Path) -> None:
    class Numb(ColourEncoder):
        def encode_images(self, images: object) -> np.ndarray:
            vectors = super().encode_images(images)  # pyright: ignore[reportArgumentType]
            vectors[0] = np.nan
            return vectors

    summary = build([colour_folder], tmp_path / "library", encoder=Numb())
    assert (summary.indexed, summary.skipped) == (7, [(colour_folder / "black.png", "the encoder makes nothing of it")])


# --- a build that ends before its time ---

_SLOW_BUILD = """
import signal
signal.signal(signal.SIGINT, signal.default_int_handler)  # a background runner has it ignored
import os, sys, time
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from colours import ColourEncoder
from limner.index.build import build

class Slow(ColourEncoder):
    def encode_images(self, images):
        if self.pictures_encoded >= 9:
            Path(sys.argv[4]).touch()
            time.sleep(60)
        return super().encode_images(images)

build([Path(sys.argv[2])], Path(sys.argv[3]), encoder=Slow(), batch_size=3)
"""


def _many(folder: Path) -> Path:
    folder.mkdir()
    for number, pixels in enumerate(np.random.default_rng(0).integers(0, 255, (20, 6, 6, 3), np.uint8)):
        Image.fromarray(pixels).save(folder / f"{number:02}.png")
    (folder / "broken.png").touch()
    return folder


@pytest.mark.parametrize("death", [signal.SIGKILL, signal.SIGINT])
@pytest.mark.parametrize("begun", [False, True], ids=["first build", "on an old library"])
def test_build_goes_on_after_it_was_stopped(tmp_path: Path, death: signal.Signals, begun: bool) -> None:
    folder, library, flag = _many(tmp_path / "pictures"), tmp_path / "library", tmp_path / "flag"
    encoder = ColourEncoder()
    if begun:
        (tmp_path / "old").mkdir()
        Image.new("RGB", (5, 5), "red").save(tmp_path / "old" / "red.png")
        build([tmp_path / "old"], library, encoder=encoder)
        build([tmp_path / "old"], tmp_path / "straight", encoder=encoder)
    before = _files(library)
    tests = Path(__file__).parents[1]
    child = subprocess.Popen(
        [sys.executable, "-c", _SLOW_BUILD, str(tests), str(folder), str(library), str(flag)], stderr=subprocess.PIPE
    )
    try:
        deadline = time.monotonic() + 60
        while not flag.exists():
            assert child.poll() is None, child.stderr and child.stderr.read()
            assert time.monotonic() < deadline
            time.sleep(0.01)
        with pytest.raises(LibraryLocked, match=f"process {child.pid} "):
            build([folder], library, encoder=encoder)
        child.send_signal(death)
        child.wait(30)
    finally:
        child.kill()
        child.communicate()
    after = _files(library)
    assert {name: data for name, data in after.items() if not name.startswith("work/")} == before
    if begun:
        assert Library.open(library, encoder=encoder).search("red", 1)[0].image.title == "red"

    again = ColourEncoder()
    assert build([folder], library, encoder=again, batch_size=3).indexed == 20
    assert again.pictures_encoded == 20 - 9

    build([folder], tmp_path / "straight", encoder=encoder, batch_size=3)
    assert _results(library, encoder) == _results(tmp_path / "straight", encoder)
    assert _files(library) == _files(tmp_path / "straight")


def test_build_does_broken_work_again(tmp_path: Path, colour_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with _failing_after(5, monkeypatch), pytest.raises(WriteFailed):
        build([colour_folder], tmp_path / "library", encoder=ColourEncoder(), batch_size=1)
    parts = sorted((tmp_path / "library" / "work").rglob("*.parquet"))
    assert len(parts) == 5
    parts[0].write_bytes(b"cut")
    encoder = ColourEncoder()
    assert build([colour_folder], tmp_path / "library", encoder=encoder).indexed == 8
    assert encoder.pictures_encoded == 4


def test_build_makes_no_use_of_other_encoders_work(
    tmp_path: Path, colour_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with _failing_after(5, monkeypatch), pytest.raises(WriteFailed):
        build([colour_folder], tmp_path / "library", encoder=ColourEncoder(), batch_size=1)
    other = ColourEncoder(fingerprint="d1" * 32)
    build([colour_folder], tmp_path / "library", encoder=other)
    assert other.pictures_encoded == 8
    assert not (tmp_path / "library" / "work").exists()


@contextmanager
def _failing_after(writes: int, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A disk that is full after so many files: flushing the next one fails, as with delayed allocation."""
    left = [2 * writes]  # a file, then its folder
    flush = os.fsync

    def fsync(descriptor: int) -> None:
        if left[0] <= 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        left[0] -= 1
        flush(descriptor)

    with monkeypatch.context() as patch:
        patch.setattr(atomic.os, "fsync", fsync)
        yield


def test_build_keeps_old_library_when_disk_fills_anywhere(
    colour_library: Library, colour_folder: Path, paint: Paint, monkeypatch: pytest.MonkeyPatch
) -> None:
    library, encoder = colour_library.folder, ColourEncoder()
    before = _files(library)
    results = _results(library, encoder)
    for number in range(4):
        paint(colour_folder / f"new{number}.png", (9, 9, 50 * number))
    (colour_folder / "broken.png").touch()
    failures = 0
    while True:
        with _failing_after(failures, monkeypatch):
            try:
                update(library, encoder=encoder, batch_size=2)
                break
            except WriteFailed as exc:
                assert "No space left on device" in exc.message
        after = _files(library)
        assert {name: data for name, data in after.items() if not name.startswith(("work/", "skipped.log"))} == before
        assert _results(library, encoder) == results
        failures += 1
    # Each failed attempt got as far as it could: of the four pictures none was encoded more than twice.
    assert failures >= 4
    assert encoder.pictures_encoded <= 8
    assert len(Library.open(library)) == 12


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 256 KiB, where the system lets the test make one."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(disk)]
    if sys.platform != "linux" or os.geteuid() != 0 or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("cannot mount a small disk here")
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


def test_build_survives_full_disk(tmp_path: Path, small_disk: Path, colour_encoder: ColourEncoder) -> None:
    folder, library = _many(tmp_path / "pictures"), small_disk / "library"
    build([folder], library, encoder=colour_encoder)
    results = _results(library, colour_encoder)
    for number in range(20, 40):
        Image.new("RGB", (5, 5), (number, 0, 0)).save(folder / f"{number}.png")
    ballast = small_disk / "ballast"
    room = os.statvfs(small_disk)
    ballast.write_bytes(b"x" * (room.f_bavail * room.f_frsize - 8192))
    with pytest.raises(WriteFailed, match="No space left on device"):
        update(library, encoder=colour_encoder)
    assert _results(library, colour_encoder) == results
    ballast.unlink()
    assert update(library, encoder=colour_encoder).indexed == 20


def test_build_reports_read_only_place(tmp_path: Path, colour_folder: Path, colour_encoder: ColourEncoder) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(WriteFailed, match="cannot write"):
        build([colour_folder], tmp_path / "file" / "library", encoder=colour_encoder)


def test_manifest_is_plain_json(colour_library: Library, colour_folder: Path) -> None:
    manifest = json.loads((colour_library.folder / "manifest.json").read_text())
    assert manifest["encoder"] == "colour"
    assert manifest["sources"] == [str(colour_folder)]
    assert (manifest["version"], manifest["count"], manifest["dimension"], manifest["generation"]) == (3, 8, 4, 1)
