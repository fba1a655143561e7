"""Hikvision ISAPI: ``EventNotificationAlert`` XML with an ``ANPR`` element, alone or in a form with pictures.

The camera is ``channelName``, which the installer sets to the camera's id; where the firmware leaves it out,
``macAddress``. (``channelID`` is 1 on every camera.) ``dateTime`` must carry an offset. ``confidenceLevel`` is 0
to 100, and ``plateCharBelieve`` the same per character. ``country`` is the maker's own number and is not used.
Events of other kinds, such as heartbeats, are no reads. A document type or an entity is refused (`defusedxml`).
"""

from __future__ import annotations

from typing import Final
from xml.etree.ElementTree import Element, ParseError, tostring

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import fromstring

from pipeline.errors import FeedError
from pipeline.ingest.feeds.base import Feed, Form, whole
from pipeline.ingest.feeds.fields import camera_of, moment_ns, number_of, plate_of, share, shift_iso
from pipeline.ingest.feeds.reads import box_of, country_of, make_read
from pipeline.model import Box, PlateRead
from plates.normalise import normalise

_ROOT: Final = "EventNotificationAlert"
_PLATE_EVENTS: Final = frozenset({"", "anpr", "vehicledetection"})
# What the firmware writes, in just this spelling, when it saw a vehicle without a plate.
_NO_PLATE: Final = frozenset({"unknown", "noPlate", "noplate"})
_FULL: Final = 100.0
# An event has 3 to 8 kB. XML is slow to read, and nobody else is served meanwhile.
_MAX_BYTES: Final = 131_072


def _local(element: Element) -> str:
    return element.tag.rsplit("}", 1)[-1]


def _child(parent: Element | None, name: str) -> Element | None:
    return None if parent is None else next((each for each in parent if _local(each) == name), None)


def _text(parent: Element | None, name: str) -> str:
    found = _child(parent, name)
    return (found.text or "").strip() if found is not None else ""


def _required(parent: Element, name: str, field: str) -> str:
    if _child(parent, name) is None:
        raise FeedError(f"{field} is missing", field=field)
    return _text(parent, name)


def _root(payload: bytes) -> Element:
    if len(payload) > _MAX_BYTES:
        raise FeedError(f"the body is {len(payload)} bytes of XML; an event has at most {_MAX_BYTES}", field="")
    try:
        # Some firmware writes a line end before the declaration.
        root: Element = fromstring(payload.strip(), forbid_dtd=True)
    except ParseError as error:
        line, column = error.position
        raise FeedError(f"the body is not XML (line {line}, column {column})", field="") from None
    except DefusedXmlException:
        raise FeedError("the body has a document type or an entity, which no camera sends", field="") from None
    except (ValueError, LookupError):
        raise FeedError("the body is XML in an encoding that cannot be read; send UTF-8", field="") from None
    if _local(root) != _ROOT:
        raise FeedError(f"the root is not {_ROOT}", field="")
    return root


def parse(payload: bytes, first: int = 0) -> list[PlateRead]:
    """Read one event; one without a plate gives none."""
    root = _root(payload)
    anpr = _child(root, "ANPR")
    if anpr is None:
        if _text(root, "eventType").lower() not in _PLATE_EVENTS:
            return []
        raise FeedError("ANPR is missing: not a plate event", field="ANPR")
    plate = plate_of(_required(anpr, "licensePlate", "ANPR.licensePlate"), "ANPR.licensePlate")
    if plate in _NO_PLATE:
        return []
    confidence = _text(anpr, "confidenceLevel")
    field = "ANPR.confidenceLevel"
    return [
        make_read(
            "hikvision",
            camera_of(_text(root, "channelName") or _text(root, "macAddress"), "channelName"),
            moment_ns(_required(root, "dateTime", "dateTime"), "dateTime"),
            plate,
            confidence=share(number_of(confidence, field), field, _FULL) if confidence else None,
            country=country_of(_text(anpr, "country")),
            characters=_characters(plate, _text(anpr, "plateCharBelieve")),
            box=_box(anpr),
        )
    ]


def _characters(plate: str, beliefs: str) -> list[dict[str, float]] | None:
    """The text's own characters with the camera's belief in each; None unless there is one for each."""
    text = normalise([plate])[0]
    found = beliefs.split(",")
    if len(found) != len(text) or not all(each.strip().isdecimal() for each in found):
        return None
    shares = [int(each) / _FULL for each in found]
    if not all(0.0 < each <= 1.0 for each in shares):
        return None
    return [{character: each} for character, each in zip(text, shares, strict=True)]


def _box(anpr: Element) -> Box | None:
    """The plate on the scene picture, where the event says so."""
    for picture in _child(anpr, "pictureInfoList") or ():
        rect = _child(picture, "plateRect")
        sides = [_text(rect, name) for name in ("X", "Y", "width", "height")]
        if all(side.isdecimal() and len(side) < 6 for side in sides):
            left, top, width, height = map(int, sides)
            return box_of(left, top, left + width, top + height)
    return None


def shift_time(payload: bytes, delta_ns: int) -> bytes:
    """Move ``dateTime``."""
    root = _root(payload)
    moment = _child(root, "dateTime")
    if moment is not None:
        moment.text = shift_iso((moment.text or "").strip(), delta_ns)
    try:
        text: bytes = tostring(root, encoding="utf-8", xml_declaration=True)
    except RecursionError:
        raise FeedError("the body nests too deeply", field="") from None
    return text


# The scene is worth less than the vehicle, and all that most firmware sends.
_FORM: Final = Form("*.xml", "licenseplatepicture*", ("vehiclepicture*", "detectionpicture*"))
FEED = Feed("hikvision", parse, shift_time, whole, _FORM)
