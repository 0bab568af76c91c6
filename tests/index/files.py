"""Files as cameras and programs write them, made byte by byte where no library writes them."""

from __future__ import annotations

import struct
from io import BytesIO
from typing import Any

import numpy as np
from PIL import Image

XMP_HEAD = (
    '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?><x:xmpmeta xmlns:x="adobe:ns:meta/">'
    '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    '<rdf:Description rdf:about="" xmlns:dc="http://purl.org/dc/elements/1.1/"'
    ' xmlns:xmpRights="http://ns.adobe.com/xap/1.0/rights/" xmlns:photoshop="http://ns.adobe.com/photoshop/1.0/"'
    ' xmlns:exif="http://ns.adobe.com/exif/1.0/" xmlns:cc="http://creativecommons.org/ns#"'
    ' xmlns:Iptc4xmpCore="http://iptc.org/std/Iptc4xmpCore/1.0/xmlns/"'
)
XMP_TAIL = '</rdf:Description></rdf:RDF></x:xmpmeta><?xpacket end="w"?>'


def xmp(inside: str, attributes: str = "") -> bytes:
    """A packet with these properties, as elements and as attributes."""
    return f"{XMP_HEAD} {attributes}>{inside}{XMP_TAIL}".encode()


def alt(name: str, text: str) -> str:
    """A property in its default language."""
    return f'<{name}><rdf:Alt><rdf:li xml:lang="x-default">{text}</rdf:li></rdf:Alt></{name}>'


def iim(*records: tuple[int, int, bytes]) -> bytes:
    """IPTC records: (record, data set, value)."""
    return b"".join(struct.pack(">BBBH", 0x1C, record, number, len(value)) + value for record, number, value in records)


def jpeg(*, iptc: bytes = b"", **save: Any) -> bytes:
    """A JPEG, with IPTC records in Photoshop's block if there are any."""
    buffer = BytesIO()
    Image.new("RGB", (40, 30), "red").save(buffer, "JPEG", **save)
    data = buffer.getvalue()
    if not iptc:
        return data
    resource = b"8BIM" + struct.pack(">HHI", 0x0404, 0, len(iptc)) + iptc + b"\0" * (len(iptc) % 2)
    segment = b"Photoshop 3.0\0" + resource
    return data[:2] + b"\xff\xed" + struct.pack(">H", len(segment) + 2) + segment + data[2:]


def halves(size: tuple[int, int] = (60, 40)) -> Image.Image:
    """Left half red, right half blue."""
    image = Image.new("RGB", size, "red")
    image.paste("blue", (size[0] // 2, 0, *size))
    return image


def heic(image: Image.Image, **save: Any) -> bytes:
    """A HEIC file by pillow-heif."""
    import pillow_heif

    buffer = BytesIO()
    pillow_heif.from_pillow(image).save(buffer, **save)
    return buffer.getvalue()


def dng(preview: bytes | None, *, orientation: int = 1, size: tuple[int, int] = (64, 48), xmp: bytes = b"") -> bytes:
    """A camera raw file: a sensor's 16-bit mosaic of one grey, and a JPEG preview if there is one."""
    width, height = size
    sensor = np.full((height, width), 1000, "<u2").tobytes()

    def layout(sub_at: int, sensor_at: int, preview_at: int) -> tuple[bytes, bytes]:
        entries = [
            (254, 4, 1, _long(0)),
            *((256, 4, 1, _long(width)), (257, 4, 1, _long(height)), (258, 3, 1, _short(16)), (259, 3, 1, _short(1))),
            (262, 3, 1, _short(32803)),
            *((271, 2, 7, b"Limner\0"), (272, 2, 5, b"Test\0"), (315, 2, 4, b"Ann\0")),
            *((273, 4, 1, _long(sensor_at)), (274, 3, 1, _short(orientation)), (277, 3, 1, _short(1))),
            *((278, 4, 1, _long(height)), (279, 4, 1, _long(len(sensor)))),
            *((33421, 3, 2, _short(2, 2)), (33422, 1, 4, bytes([0, 1, 1, 2]))),
            *((50706, 1, 4, bytes([1, 4, 0, 0])), (50708, 2, 5, b"Test\0")),
            *((50714, 3, 1, _short(0)), (50717, 4, 1, _long(65535)), (50778, 3, 1, _short(21))),
            (50721, 10, 9, struct.pack("<18i", *[1, 1, 0, 1, 0, 1, 0, 1, 1, 1, 0, 1, 0, 1, 0, 1, 1, 1])),
        ]
        if xmp:
            entries.append((700, 1, len(xmp), xmp))
        sub = b""
        if preview is not None:
            entries.append((330, 4, 1, _long(sub_at)))
            shown = Image.open(BytesIO(preview)).size
            sub_entries = [
                *((254, 4, 1, _long(1)), (256, 4, 1, _long(shown[0])), (257, 4, 1, _long(shown[1]))),
                *((258, 3, 3, _short(8, 8, 8)), (259, 3, 1, _short(7)), (262, 3, 1, _short(6))),
                *((273, 4, 1, _long(preview_at)), (277, 3, 1, _short(3)), (278, 4, 1, _long(shown[1]))),
                (279, 4, 1, _long(len(preview))),
            ]
            sub = _directory(sub_entries, sub_at)
        return struct.pack("<2sHI", b"II", 42, 8) + _directory(entries, 8), sub

    main, sub = layout(0, 0, 0)
    sensor_at = len(main) + len(sub)
    main, sub = layout(len(main), sensor_at, sensor_at + len(sensor))
    return main + sub + sensor + (preview or b"")


def _short(*values: int) -> bytes:
    return struct.pack(f"<{len(values)}H", *values)


def _long(*values: int) -> bytes:
    return struct.pack(f"<{len(values)}I", *values)


def _directory(entries: list[tuple[int, int, int, bytes]], at: int) -> bytes:
    """A TIFF directory that lies at this offset, with the values that do not fit into it behind it."""
    beyond = at + 2 + 12 * len(entries) + 4
    table, values = struct.pack("<H", len(entries)), b""
    for tag, kind, count, value in sorted(entries):
        if len(value) <= 4:
            table += struct.pack("<HHI", tag, kind, count) + value.ljust(4, b"\0")
        else:
            table += struct.pack("<HHII", tag, kind, count, beyond + len(values))
            values += value + b"\0" * (len(value) % 2)
    return table + struct.pack("<I", 0) + values
