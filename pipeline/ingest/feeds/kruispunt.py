"""The project's own JSON: one read or a list of reads.

``camera``, ``captured_at`` (ISO 8601 with offset) and ``plate`` are required. Taken when they are there, and
refused when they are wrong: ``country`` (two letters), ``confidence`` (0 to 1), ``characters`` (per character of
the plate ``{character: probability}``), ``box`` (``{x, y, w, h}``, pixels), ``patch`` and
``picture`` (JPEGs of plate and vehicle in base64).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from pipeline.errors import FeedError
from pipeline.ingest.feeds.base import Feed, Part, checked_count
from pipeline.ingest.feeds.fields import (
    BOM,
    camera_of,
    decode_json,
    get,
    mapping,
    moment_ns,
    optional_share,
    path_of,
    plate_of,
    raw_list,
    raw_object,
    share,
    shift_raw_iso,
)
from pipeline.ingest.feeds.reads import box_of, country_of, make_read, patch_from_base64, picture_from_base64
from pipeline.model import MAX_PATCH_BYTES, Box, PlateRead
from plates.alphabet import CHARACTERS, SLOTS
from plates.normalise import normalise

# Probabilities that were rounded before they were sent may add up to a little more than one.
_ROUNDING: Final = 0.01


def parse(payload: bytes, first: int = 0) -> list[PlateRead]:
    """Read one object or a list of them."""
    body = decode_json(payload)
    if not isinstance(body, list):
        return [_read(body, "")]
    if not body:
        raise FeedError("the list is empty", field="")
    return [_read(item, f"[{number}]") for number, item in enumerate(body, first)]


def _read(item: Any, where: str) -> PlateRead:
    found = mapping(item, where)
    plate = plate_of(get(found, "plate", where), path_of(where, "plate"))
    return make_read(
        "kruispunt",
        camera_of(get(found, "camera", where), path_of(where, "camera")),
        moment_ns(get(found, "captured_at", where), path_of(where, "captured_at")),
        plate,
        country=_country(found, path_of(where, "country")),
        confidence=optional_share(found, "confidence", where),
        characters=_characters(found, plate, path_of(where, "characters")),
        box=_box(found, path_of(where, "box")),
        patch=_patch(found, path_of(where, "patch")),
        picture=_picture(found, path_of(where, "picture")),
    )


def _country(found: Mapping[str, Any], field: str) -> str:
    code = found.get("country")
    country = country_of(code)
    if code and not country:
        raise FeedError(f"{field} is not a country's two letters (BE)", field=field)
    return country


def _characters(found: Mapping[str, Any], plate: str, field: str) -> list[dict[str, float]] | None:
    slots = found.get("characters")
    if slots is None:
        return None
    length = len(normalise([plate])[0])
    if not isinstance(slots, list) or len(slots) != length or length > SLOTS:
        raise FeedError(f"{field} is not a list of one object per character of the plate", field=field)
    for number, slot in enumerate(slots):
        path = f"{field}[{number}]"
        for character, probability in mapping(slot, path).items():
            if len(character) != 1 or character not in CHARACTERS:
                raise FeedError(f"{path} names a character other than 0-9 and A-Z", field=path)
            share(probability, path)
        if sum(slot.values()) > 1 + _ROUNDING:
            raise FeedError(f"{path}: the probabilities add up to more than 1", field=path)
    return slots


def _box(found: Mapping[str, Any], field: str) -> Box | None:
    given = found.get("box")
    if given is None:
        return None
    sides = [side for name in ("x", "y", "w", "h") if type(side := mapping(given, field).get(name)) is int]
    box = box_of(sides[0], sides[1], sides[0] + sides[2], sides[1] + sides[3]) if len(sides) == 4 else None
    if box is None:
        raise FeedError(f"{field} is not x, y, w, h in whole pixels of a picture", field=field)
    return box


def _patch(found: Mapping[str, Any], field: str) -> bytes | None:
    given = found.get("patch")
    patch = patch_from_base64(given)
    if given is not None and patch is None:
        raise FeedError(f"{field} is not a JPEG of at most {MAX_PATCH_BYTES} bytes in base64", field=field)
    return patch


def _picture(found: Mapping[str, Any], field: str) -> bytes | None:
    given = found.get("picture")
    picture = picture_from_base64(given)
    if given is not None and picture is None:
        raise FeedError(f"{field} is not a JPEG in base64", field=field)
    return picture


def split(payload: bytes) -> list[Part]:
    """One part, a list of one, per read of a list."""
    if not _is_list(payload):
        return [Part(payload)]
    items = raw_list(payload)
    checked_count(len(items), "reads", "")
    return [Part(msgspec.json.encode([item]), number) for number, item in enumerate(items)] or [Part(payload)]


def _is_list(payload: bytes) -> bool:
    return payload.removeprefix(BOM).lstrip().startswith(b"[")


def shift_time(payload: bytes, delta_ns: int) -> bytes:
    """Move ``captured_at``."""
    many = _is_list(payload)
    items = [raw_object(item) for item in (raw_list(payload) if many else [payload])]
    for item in items:
        shift_raw_iso(item, "captured_at", delta_ns)
    return msgspec.json.encode(items if many else items[0])


FEED = Feed("kruispunt", parse, shift_time, split)
