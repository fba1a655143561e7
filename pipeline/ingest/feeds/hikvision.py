"""Hikvision ISAPI: ``EventNotificationAlert`` XML with an ``ANPR`` element.

The camera is ``channelName`` where the installer set one, else ``channelID``. ``dateTime`` must carry an offset.
``confidenceLevel`` is 0 to 100. A document type or an entity is refused (`defusedxml`).
"""

from __future__ import annotations

from typing import Final
from xml.etree.ElementTree import Element, ParseError, tostring

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import fromstring

from pipeline.errors import FeedError
from pipeline.ingest.feeds.base import (
    Feed,
    camera_of,
    country_of,
    make_read,
    moment_ns,
    share,
    shift_iso,
    text_of,
    whole,
)
from pipeline.model import PlateRead

_ROOT: Final = "EventNotificationAlert"
# The firmware writes "unknown" when it saw a vehicle without a plate.
_NO_PLATE: Final = frozenset({"unknown", "noplate"})


def _local(element: Element) -> str:
    return element.tag.rsplit("}", 1)[-1]


def _child(parent: Element, name: str) -> Element | None:
    return next((each for each in parent if _local(each) == name), None)


def _text(parent: Element, name: str) -> str:
    found = _child(parent, name)
    return (found.text or "").strip() if found is not None else ""


def _root(payload: bytes) -> Element:
    try:
        root: Element = fromstring(payload, forbid_dtd=True)
    except (ParseError, DefusedXmlException, ValueError, LookupError) as error:
        raise FeedError(f"the body is not XML that is safe to read: {error}", field="") from error
    if _local(root) != _ROOT:
        raise FeedError(f"the root is {_local(root)[:40]}, not {_ROOT}", field=_local(root)[:40])
    return root


def parse(payload: bytes) -> list[PlateRead]:
    """Read one event."""
    root = _root(payload)
    anpr = _child(root, "ANPR")
    if anpr is None:
        raise FeedError("ANPR is missing: not a plate event", field="ANPR")
    plate = text_of(_text(anpr, "licensePlate"), "ANPR.licensePlate")
    if plate.lower() in _NO_PLATE:
        return []
    confidence = _text(anpr, "confidenceLevel")
    return [
        make_read(
            "hikvision",
            camera_of(_text(root, "channelName") or _text(root, "channelID"), "channelName"),
            moment_ns(_text(root, "dateTime"), "dateTime"),
            plate,
            confidence=share(_number(confidence), "ANPR.confidenceLevel", 100.0) if confidence else None,
            country=country_of(_text(anpr, "country")),
        )
    ]


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise FeedError("ANPR.confidenceLevel is not a number", field="ANPR.confidenceLevel") from None


def shift_time(payload: bytes, delta_ns: int) -> bytes:
    """Move ``dateTime``."""
    root = _root(payload)
    moment = _child(root, "dateTime")
    if moment is not None:
        moment.text = shift_iso((moment.text or "").strip(), delta_ns)
    text: bytes = tostring(root, encoding="utf-8", xml_declaration=True)
    return text


FEED = Feed("hikvision", parse, shift_time, whole)
