"""The name of a content: files with the same one are the same picture, byte for byte.

BLAKE3 gives it, at 10 GB/s on one processor with AVX-512 where SHA-256 does 2: of a photograph of 3 MB that is 0.3 ms
in place of 1.4, beside 22 for decoding it. Pictures that a library knows by their SHA-256 keep that name until their
files change: names are only ever compared.
"""

from __future__ import annotations

from blake3 import blake3


def content_hash(data: bytes) -> str:
    """64 hexadecimal digits that no other content has."""
    return blake3(data).hexdigest()
