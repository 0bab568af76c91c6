"""XMP: what programs for pictures write, inside a picture or in a file beside it. Knows nothing of files.

The packet comes from outside: no document type, no entities, and a bound on its size.

Source: ISO 16684-1; IPTC Photo Metadata Standard 2023.1; Creative Commons, XMP.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from .metadata import Metadata, metadata_of

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

MAX_PACKET_BYTES = 4_000_000

_RDF = "{http://www.w3.org/1999/02/22-rdf-syntax-ns#}"
_DC = "{http://purl.org/dc/elements/1.1/}"
_RIGHTS = "{http://ns.adobe.com/xap/1.0/rights/}"
_PHOTOSHOP = "{http://ns.adobe.com/photoshop/1.0/}"
_XMP = "{http://ns.adobe.com/xap/1.0/}"
_EXIF = "{http://ns.adobe.com/exif/1.0/}"
_TIFF = "{http://ns.adobe.com/tiff/1.0/}"
_IPTC = "{http://iptc.org/std/Iptc4xmpCore/1.0/xmlns/}"
_COMMONS = "{http://creativecommons.org/ns#}"
_LANGUAGE = "{http://www.w3.org/XML/1998/namespace}lang"

# Where each text may stand, the best place first.
_PLACES = {
    "title": (f"{_DC}title", f"{_PHOTOSHOP}Headline"),
    "caption": (f"{_DC}description", f"{_TIFF}ImageDescription"),
    "alt": (f"{_IPTC}AltTextAccessibility", f"{_IPTC}ExtDescrAccessibility"),
    "creator": (f"{_DC}creator", f"{_TIFF}Artist"),
    "licence": (f"{_RIGHTS}UsageTerms", f"{_DC}rights", f"{_TIFF}Copyright"),
    "licence_url": (f"{_COMMONS}license", f"{_RIGHTS}WebStatement"),
    "credit": (f"{_PHOTOSHOP}Credit",),
    "taken_at": (
        f"{_EXIF}DateTimeOriginal",
        f"{_PHOTOSHOP}DateCreated",
        f"{_EXIF}DateTimeDigitized",
        f"{_XMP}CreateDate",
    ),
    "latitude": (f"{_EXIF}GPSLatitude",),
    "longitude": (f"{_EXIF}GPSLongitude",),
}
_KEYWORDS = f"{_DC}subject"


def read_xmp(packet: bytes) -> Metadata:
    """What a packet says.

    Raises:
        ValueError: no XMP, a document type or entities in it, or above MAX_PACKET_BYTES; the message says which.
    """
    root = _parse(packet)
    said: dict[str, list[str]] = {}
    for rdf in _below(root, f"{_RDF}RDF"):
        for description in rdf.findall(f"{_RDF}Description"):
            for name, value in description.attrib.items():
                said.setdefault(name, []).append(value)
            for child in description:
                said.setdefault(child.tag, []).extend(_texts(child))
    values = {
        name: next((", ".join(filter(None, said[place])) for place in places if any(said.get(place, ()))), "")
        for name, places in _PLACES.items()
    }
    return metadata_of(values, said.get(_KEYWORDS, ()))[0]


def _parse(packet: bytes) -> Element:
    from xml.etree.ElementTree import ParseError

    from defusedxml.common import DefusedXmlException
    from defusedxml.ElementTree import fromstring

    if len(packet) > MAX_PACKET_BYTES:
        raise ValueError(f"{len(packet):,} bytes of XMP, above the limit of {MAX_PACKET_BYTES:,}")
    if not packet.startswith((b"\xff\xfe", b"\xfe\xff", b"\0")):
        packet = packet.strip(b"\0 \t\r\n")  # room that was left for later
    try:
        return fromstring(packet, forbid_dtd=True)
    except DefusedXmlException as exc:
        raise ValueError("XML with a document type or entities, which XMP has none of") from exc
    except (ParseError, LookupError) as exc:  # LookupError: an encoding that does not exist
        raise ValueError(f"broken XML ({exc})") from exc


def _below(root: Element, tag: str) -> Iterator[Element]:
    """The element itself or those below it; without RDF there is nothing to read."""
    found = list(root.iter(tag))
    if not found:
        raise ValueError("XML without XMP")
    return iter(found)


def _texts(element: Element) -> list[str]:
    """The texts of a property: one, those of a list, or of several languages the default one."""
    if address := element.get(f"{_RDF}resource"):
        return [address]
    languages = element.find(f"{_RDF}Alt")
    if languages is not None:
        items = [item for item in languages.findall(f"{_RDF}li") if _text(item)]
        default = [item for item in items if item.get(_LANGUAGE) == "x-default"]
        return [_text(item) for item in (default or items)[:1]]
    items = [item for container in ("Seq", "Bag") for item in element.iterfind(f"{_RDF}{container}/{_RDF}li")]
    return [_text(item) for item in items] or [_text(element)]


def _text(element: Element) -> str:
    return (element.text or "").strip() or element.get(f"{_RDF}resource", "")
