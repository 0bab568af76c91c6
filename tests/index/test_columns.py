"""Columns that hold what a build knows: against Python's own containers."""

from __future__ import annotations

import hashlib
import threading
import tracemalloc

from limner.index.columns import Digests, Texts
from limner.index.scan import Files, Found


def _digest(number: int) -> bytes:
    return hashlib.sha256(str(number).encode()).digest()


def test_texts_come_back_in_any_script() -> None:
    texts = ["", "a", "日本の写真/狐.jpg", "", "été 🦊", "x" * 5000]
    column = Texts(texts)
    assert [column[number] for number in range(len(column))] == texts


def test_digests_are_found_as_a_dict_finds_them() -> None:
    column, expected = Digests(), {}
    for number in range(5000):
        digest = _digest(number % 3000)
        if column.find(digest) is None:
            expected[digest] = len(column)
            column.append(digest)
    assert len(column) == len(expected) == 3000
    assert all(column.find(digest) == number for digest, number in expected.items())
    assert [column[number] for number in range(3000)] == list(expected)
    assert all(column.find(_digest(number)) is None for number in range(3000, 4000))


def test_digests_that_begin_alike_are_told_apart() -> None:
    column = Digests()
    alike = [b"\xff" * 31 + bytes([last]) for last in range(200)]
    for digest in alike:
        column.append(digest)
    assert [column.find(digest) for digest in alike] == list(range(200))
    assert column.find(b"\xff" * 30 + b"\x00\x00") is None


def test_digests_are_found_while_others_are_added() -> None:
    column, known = Digests(), [_digest(number) for number in range(500)]
    for digest in known:
        column.append(digest)
    missed: list[int | None] = []
    stop = threading.Event()

    def look() -> None:
        while not stop.is_set():
            missed.extend(n for n, digest in enumerate(known) if column.find(digest) != n)

    threads = [threading.Thread(target=look) for _ in range(3)]
    for thread in threads:
        thread.start()
    for number in range(500, 6000):
        column.append(_digest(number))
    stop.set()
    for thread in threads:
        thread.join()
    assert not missed


def test_files_take_little_more_than_their_paths() -> None:
    found = [Found(f"/pictures/2024/{number:06d}.jpg", number, 10**18 + number) for number in range(20_000)]
    tracemalloc.start()
    files = Files(found)
    taken, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert list(files) == found
    assert files[-1] == found[-1]
    assert list(files[3:9:2]) == found[3:9:2]
    assert taken < 1.3 * sum(len(file.location) + 24 for file in found)


def test_digests_take_little_more_than_their_bytes() -> None:
    digests = [_digest(number) for number in range(20_000)]
    tracemalloc.start()
    column = Digests()
    for digest in digests:
        column.append(digest)
    taken, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert taken < 1.8 * 32 * len(digests)
