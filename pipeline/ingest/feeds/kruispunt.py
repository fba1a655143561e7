"""The project's own JSON: one read or a list of reads.

``camera``, ``captured_at`` (ISO 8601 with offset) and ``plate`` are required; ``country`` (two letters),
``confidence`` (0 to 1), ``characters`` (per slot ``{character: probability}``) and ``box``
(``{x, y, w, h}``) are taken when they are there.
"""

from __future__ import annotations

from typing import Any

import msgspec

from pipeline.errors import FeedError
from pipeline.ingest.feeds.base import (
    Feed,
    camera_of,
    country_of,
    decode_json,
    get,
    make_read,
    mapping,
    moment_ns,
    share,
    shift_iso,
    text_of,
)
from pipeline.model import Box, PlateRead


def _items(payload: bytes) -> list[Any]:
    body = decode_json(payload)
    items = body if isinstance(body, list) else [body]
    if not items:
        raise FeedError("the list is empty", field="")
    return items


def parse(payload: bytes) -> list[PlateRead]:
    """Read one object or a list of them."""
    items = _items(payload)
    return [_read(item, number, f"[{number}]" if len(items) > 1 else "") for number, item in enumerate(items)]


def _read(item: Any, number: int, where: str) -> PlateRead:
    found = mapping(item, where)
    prefix = f"{where}." if where else ""
    confidence = found.get("confidence")
    return make_read(
        "kruispunt",
        camera_of(get(found, "camera", where), f"{prefix}camera"),
        moment_ns(get(found, "captured_at", where), f"{prefix}captured_at"),
        text_of(get(found, "plate", where), f"{prefix}plate"),
        number=number,
        country=country_of(found.get("country")),
        confidence=None if confidence is None else share(confidence, f"{prefix}confidence"),
        characters=_optional(found, "characters", list[dict[str, float]], prefix),
        box=_optional(found, "box", Box, prefix),
    )


def _optional(found: Any, name: str, kind: Any, prefix: str) -> Any:
    value = found.get(name)
    if value is None:
        return None
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        raise FeedError(f"{prefix}{name}: {error}", field=f"{prefix}{name}") from error


def split(payload: bytes) -> list[bytes]:
    """One body per read."""
    return [msgspec.json.encode(item) for item in _items(payload)]


def shift_time(payload: bytes, delta_ns: int) -> bytes:
    """Move ``captured_at``."""
    body = decode_json(payload)
    for item in body if isinstance(body, list) else [body]:
        if isinstance(item, dict) and "captured_at" in item:
            item["captured_at"] = shift_iso(item["captured_at"], delta_ns)
    return msgspec.json.encode(body)


FEED = Feed("kruispunt", parse, shift_time, split)
