"""What files say of themselves, in every format that can say something."""

from __future__ import annotations

import unicodedata
import warnings
from datetime import datetime
from io import BytesIO
from typing import Any

import pytest
from limner.index.decode import decode_bytes
from limner.index.metadata import Metadata
from limner.index.xmp import MAX_PACKET_BYTES, read_xmp
from PIL import ExifTags, Image, PngImagePlugin, TiffImagePlugin

from .files import XMP_HEAD, XMP_TAIL, alt, dng, halves, heic, iim, jpeg, xmp

SHORT = xmp(alt("dc:title", "A hill"))


def _said(data: bytes, name: str = "a") -> Metadata:
    metadata = decode_bytes(data, name=name, target_px=16, with_metadata=True).metadata
    assert metadata is not None
    return metadata


def _saved(kind: str, **save: Any) -> bytes:
    buffer = BytesIO()
    halves().save(buffer, kind, **save)
    return buffer.getvalue()


def _exif(**texts: str | bytes) -> Image.Exif:
    exif = Image.Exif()
    for name, text in texts.items():
        exif[ExifTags.Base[name]] = text
    return exif


# --- XMP ---


def test_xmp_reads_every_property() -> None:
    keywords = "<dc:subject><rdf:Bag><rdf:li>hill</rdf:li><rdf:li>snow</rdf:li></rdf:Bag></dc:subject>"
    makers = "<dc:creator><rdf:Seq><rdf:li>Ann</rdf:li><rdf:li>Bo</rdf:li></rdf:Seq></dc:creator>"
    inside = "".join(
        [
            *(alt("dc:title", "A hill"), alt("dc:description", "Snow on a hill"), keywords, makers),
            *(alt("Iptc4xmpCore:AltTextAccessibility", "White hill"), alt("xmpRights:UsageTerms", "CC BY 4.0")),
            '<cc:license rdf:resource="https://creativecommons.org/licenses/by/4.0/"/>',
            "<exif:DateTimeOriginal>2019-07-01T10:20:30+02:00</exif:DateTimeOriginal>",
        ]
    )
    attributes = 'photoshop:Credit="Photo: Ann" exif:GPSLatitude="48,51.504N" exif:GPSLongitude="2,17.67E"'
    assert read_xmp(xmp(inside, attributes)) == Metadata(
        title="A hill",
        caption="Snow on a hill",
        alt="White hill",
        keywords=("hill", "snow"),
        creator="Ann, Bo",
        licence="CC BY 4.0",
        licence_url="https://creativecommons.org/licenses/by/4.0/",
        credit="Photo: Ann",
        taken_at=datetime(2019, 7, 1, 10, 20, 30),
        latitude=48.8584,
        longitude=2.2945,
    )


def test_xmp_takes_the_default_language_and_composes_letters() -> None:
    hill = unicodedata.normalize("NFD", "Hügel")
    title = (
        '<dc:title><rdf:Alt><rdf:li xml:lang="de">Berg</rdf:li><rdf:li xml:lang="x-default">'
        f"{hill}</rdf:li></rdf:Alt></dc:title>"
    )
    assert read_xmp(xmp(title)).title == "Hügel"
    assert read_xmp(xmp(title).decode().encode("utf-16")).title == "Hügel"
    assert read_xmp(xmp(title) + b"\n" + b"\0" * 2000).title == "Hügel"


LOL = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10 if n else "lol"}">' for n in range(10))


@pytest.mark.parametrize(
    "packet",
    [
        f"<!DOCTYPE x [{LOL}]>{xmp(alt('dc:title', '&l9;')).decode().partition('?>')[2]}".encode(),
        b'<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/hostname">]>' + xmp(alt("dc:title", "&e;")).partition(b"?>")[2],
        b'<!DOCTYPE x SYSTEM "http://localhost:1/x.dtd">' + SHORT.partition(b"?>")[2],
        b"<x:xmpmeta",
        b"<a/>",
        b"",
        b'<?xml version="1.0" encoding="none-such"?><a/>',
        SHORT + b" " * MAX_PACKET_BYTES,
        b"\xff\xfe\0",
        (XMP_HEAD + ">" + "<a>" * 100_000).encode(),
    ],
    ids=["bomb", "file", "dtd", "cut", "other", "empty", "encoding", "huge", "utf-16", "deep"],
)
def test_xmp_refuses_what_is_unsafe_or_broken(packet: bytes) -> None:
    with pytest.raises(ValueError):
        read_xmp(packet)


def test_xmp_survives_depth() -> None:
    deep = 100_000
    assert read_xmp((XMP_HEAD + ">" + "<a>" * deep + "</a>" * deep + XMP_TAIL).encode()) == Metadata()


# --- IPTC ---


@pytest.mark.parametrize(
    ("charset", "encoding"),
    [
        *((b"\x1b%G", "utf-8"), (b"", "utf-8"), (b"", "latin-1"), (b"\x1b%G", "latin-1")),
        *((b"\x1b-A", "latin-1"), (b"\x1b.A", "latin-1"), (b"\x1b-L", "iso8859-5")),
    ],
)
def test_iptc_reads_texts_of_every_encoding(charset: bytes, encoding: str) -> None:
    caption = "Хлеб" if encoding == "iso8859-5" else "Café au lait — naïve".replace("—", "-")
    records = [(1, 90, charset)] if charset else []
    data = jpeg(iptc=iim(*records, (2, 120, caption.encode(encoding))))
    assert _said(data).caption == caption


def test_iptc_reads_every_record() -> None:
    records = iim(
        *((2, 5, b"A hill"), (2, 25, b"hill"), (2, 25, b"snow"), (2, 80, b"Ann"), (2, 80, b"Bo")),
        *((2, 116, b"(c) Ann"), (2, 110, b"Agency"), (2, 55, b"20190701"), (2, 60, b"102030+0200")),
    )
    assert _said(jpeg(iptc=records)) == Metadata(
        title="A hill",
        keywords=("hill", "snow"),
        creator="Ann, Bo",
        licence="(c) Ann",
        credit="Agency",
        taken_at=datetime(2019, 7, 1, 10, 20, 30),
    )


def test_iptc_survives_damage() -> None:
    whole = iim((2, 5, b"A hill"), (2, 120, b"x" * 50))
    for cut in range(len(whole)):
        _said(jpeg(iptc=whole[:cut] + b"\xff" * 3))


# --- EXIF ---


def test_exif_reads_texts_time_and_place() -> None:
    exif = _exif(ImageDescription="Snow", Artist="Ann", Copyright="Ann\0Editor Bo")
    exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.DateTimeOriginal] = "2019:07:01 10:20:30"
    gps = exif.get_ifd(ExifTags.IFD.GPSInfo)
    gps |= {1: "S", 2: (33.0, 51.0, 24.48), 3: "E", 4: (151.0, 12.0, 55.068)}
    assert _said(jpeg(exif=exif)) == Metadata(
        caption="Snow",
        creator="Ann",
        licence="Ann, Editor Bo",
        taken_at=datetime(2019, 7, 1, 10, 20, 30),
        latitude=-33.8568,
        longitude=151.21529670,
    )


def test_exif_reads_what_windows_writes() -> None:
    exif = _exif(**{name: f"{name}, ü\0".encode("utf-16-le") for name in ("XPTitle", "XPComment", "XPAuthor")})
    exif[ExifTags.Base.XPKeywords] = "hill;snow".encode("utf-16-le")
    assert _said(jpeg(exif=exif)) == Metadata(
        title="XPTitle, ü", caption="XPComment, ü", creator="XPAuthor, ü", keywords=("hill", "snow")
    )


@pytest.mark.parametrize("text", ["OLYMPUS DIGITAL CAMERA         ", "SONY DSC", "DCIM\\100MEDIA\\DJI_0001.JPG", "   "])
def test_exif_leaves_out_what_cameras_write_as_descriptions(text: str) -> None:
    assert _said(jpeg(exif=_exif(ImageDescription=text))).caption == ""


@pytest.mark.parametrize(
    "gps",
    [
        {1: "N", 2: (0.0, 0.0, 0.0), 3: "E", 4: (0.0, 0.0, 0.0)},
        {1: "N", 2: (TiffImagePlugin.IFDRational(0, 0), 0.0, 0.0), 3: "E", 4: (1.0, 0.0, 0.0)},
        {2: (1.0, 0.0, 0.0), 4: (1.0, 0.0, 0.0)},
        {1: "N", 2: (91.0, 0.0, 0.0), 3: "E", 4: (1.0, 0.0, 0.0)},
        {1: "N", 2: (48.0, 0.0, 0.0)},
    ],
    ids=["nowhere", "nan", "no side", "beyond", "half"],
)
def test_exif_leaves_out_places_that_are_none(gps: dict[int, object]) -> None:
    exif = Image.Exif()
    exif.get_ifd(ExifTags.IFD.GPSInfo).update(gps)
    said = _said(jpeg(exif=exif))
    assert (said.latitude, said.longitude) == (None, None)


def test_exif_reads_utf8_and_latin1() -> None:
    for encoding in ("utf-8", "latin-1"):
        exif = _exif(Artist="Zoë".encode(encoding))
        assert _said(jpeg(exif=exif)).creator == "Zoë"


# --- together, in every format ---


def test_packets_count_in_their_order() -> None:
    exif = _exif(ImageDescription="by EXIF", Artist="by EXIF", Copyright="by EXIF")
    exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.DateTimeOriginal] = "2001:01:01 00:00:00"
    iptc = iim((2, 120, b"by IPTC"), (2, 80, b"by IPTC"), (2, 5, b"by IPTC"))
    packet = xmp(alt("dc:description", "by XMP"), 'exif:DateTimeOriginal="2002-02-02"')
    said = _said(jpeg(iptc=iptc, exif=exif, xmp=packet))
    assert (said.caption, said.creator, said.title, said.licence) == ("by XMP", "by IPTC", "by IPTC", "by EXIF")
    assert said.taken_at == datetime(2001, 1, 1)


def test_one_broken_packet_leaves_the_others() -> None:
    iptc = iim((2, 5, b"A hill"))
    assert _said(jpeg(iptc=iptc, xmp=b"<broken")).title == "A hill"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what Pillow thinks of the damage
        assert _said(jpeg(iptc=iptc, exif=b"Exif\0\0MM\0*\0\0\0\x08\xff\xffbroken")).title == "A hill"


@pytest.mark.parametrize("kind", ["JPEG", "WEBP", "AVIF"])
def test_packets_are_read_in(kind: str) -> None:
    said = _said(_saved(kind, exif=_exif(Artist="Ann"), xmp=SHORT))
    assert (said.title, said.creator) == ("A hill", "Ann")


def test_packets_are_read_in_heic() -> None:
    said = _said(heic(halves(), exif=_exif(Artist="Ann").tobytes(), xmp=SHORT))
    assert (said.title, said.creator) == ("A hill", "Ann")


def test_packets_are_read_in_gif() -> None:
    trailer = b"\x01" + bytes(range(255, -1, -1)) + b"\0"  # as the XMP specification has it, part 3
    data = _saved("GIF")[:-1] + b"!\xff\x0bXMP DataXMP" + SHORT + trailer + b";"
    assert _said(data).title == "A hill"


def test_packets_are_read_in_tiff() -> None:
    info = {700: SHORT, 315: "Ann", 33723: iim((2, 120, b"Snow"))}
    said = _said(_saved("TIFF", tiffinfo=info))
    assert (said.title, said.caption, said.creator) == ("A hill", "Snow", "Ann")


def test_packets_are_read_in_raw() -> None:
    pytest.importorskip("rawpy")
    said = _said(dng(_saved("JPEG"), xmp=SHORT), "a.dng")
    assert (said.title, said.creator, said.taken_at) == ("A hill", "Ann", None)


@pytest.mark.parametrize("behind", [False, True], ids=["before the pixels", "behind them"])
def test_packets_are_read_in_png(behind: bool) -> None:
    texts = PngImagePlugin.PngInfo()
    texts.add_itxt("XML:com.adobe.xmp", SHORT.decode())
    texts.add_text("Author", "Ann")
    data = _saved("PNG", pnginfo=texts)
    if behind:
        data = _texts_behind_pixels(data)
    said = _said(data)
    assert (said.title, said.creator) == ("A hill", "Ann")


def _texts_behind_pixels(data: bytes) -> bytes:
    chunks, at = [], 8
    while at < len(data):
        length = 12 + int.from_bytes(data[at : at + 4], "big")
        chunks.append(data[at : at + length])
        at += length
    chunks.sort(key=lambda chunk: {b"IHDR": 0, b"IDAT": 1, b"IEND": 3}.get(chunk[4:8], 2))
    return data[:8] + b"".join(chunks)


def test_text_is_bounded_and_on_one_line() -> None:
    said = _said(
        _saved("WEBP", xmp=xmp(alt("dc:description", "a\n\tb" * 50_000), 'photoshop:Credit="\u009b31m&#10;x"'))
    )
    assert 1990 < len(said.caption) <= 2000
    assert said.caption.startswith("a ba b")
    assert said.credit == "31m x"
