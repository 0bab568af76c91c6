"""Columns of texts and digests in one buffer each: a million Python objects would take ten times the memory."""

from __future__ import annotations

from array import array
from collections.abc import Iterable

_DIGEST_BYTES = 32
_FREE = -1


class Texts:
    """Texts by number."""

    def __init__(self, texts: Iterable[str] = ()) -> None:
        self._data = bytearray()
        self._ends = array("Q", [0])
        for text in texts:
            self.append(text)

    def __len__(self) -> int:
        return len(self._ends) - 1

    def __getitem__(self, number: int) -> str:
        return self._data[self._ends[number] : self._ends[number + 1]].decode()

    def append(self, text: str) -> None:
        """Take in a text under the next number."""
        self._data += text.encode()
        self._ends.append(len(self._data))


class Digests:
    """SHA-256 digests, each once, numbered as they come, and found by a table of numbers with open addresses.

    Threads may look up while one other adds: a digest is there before its number is, and a table is whole when it takes
    the place of a smaller one.
    """

    def __init__(self) -> None:
        self._data = bytearray()
        self._count = 0
        self._slots = _free_slots(1024)

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, number: int) -> bytes:
        return bytes(self._data[number * _DIGEST_BYTES : (number + 1) * _DIGEST_BYTES])

    def find(self, digest: bytes) -> int | None:
        """The number of a digest, None if it is not here."""
        slots = self._slots
        number = slots[self._slot(slots, digest)]
        return None if number == _FREE else number

    def append(self, digest: bytes) -> None:
        """Take in a digest that is not here under the next number."""
        assert len(digest) == _DIGEST_BYTES
        self._data += digest
        if 2 * self._count >= len(self._slots):
            slots = _free_slots(2 * len(self._slots))
            for number in range(self._count):
                slots[self._slot(slots, self[number])] = number
            self._slots = slots
        self._slots[self._slot(self._slots, digest)] = self._count
        self._count += 1

    def _slot(self, slots: array[int], digest: bytes) -> int:
        """Where a digest stands in slots, or would."""
        last = len(slots) - 1
        at = int.from_bytes(digest[:8], "little") & last  # its bytes are as good as random
        while (number := slots[at]) != _FREE and self[number] != digest:
            at = (at + 1) & last
        return at


def _free_slots(count: int) -> array[int]:
    """count is a power of two."""
    return array("i", [_FREE]) * count
