"""Plate Recognizer: the webhook of Stream (``hook``, ``data``) and the answer of the Snapshot API (top level).

Stream posts ``multipart/form-data`` with the JSON in a field named ``json`` when it sends pictures; the gateway
takes the field out. Scores are 0 to 1. ``timestamp`` carries an offset or ``Z``.
"""

from __future__ import annotations

from typing import Any

import msgspec

from pipeline.errors import FeedError
from pipeline.ingest.feeds.base import (
    Feed,
    box_of,
    camera_of,
    characters_of,
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
from pipeline.model import PlateRead


def parse(payload: bytes) -> list[PlateRead]:
    """Read every result of a webhook or Snapshot body."""
    body = mapping(decode_json(payload), "")
    where = "data" if "data" in body else ""
    data = mapping(body["data"], "data") if where else body
    prefix = f"{where}." if where else ""
    camera = camera_of(get(data, "camera_id", where), f"{prefix}camera_id")
    at_ns = moment_ns(get(data, "timestamp", where), f"{prefix}timestamp")
    results = get(data, "results", where, list)
    return [
        _read(result, f"{prefix}results[{number}]", number, camera, at_ns) for number, result in enumerate(results)
    ]


def _read(result: Any, where: str, number: int, camera: str, at_ns: int) -> PlateRead:
    found = mapping(result, where)
    plate = found.get("plate")
    if isinstance(plate, dict):
        # Stream 1.5x with `mmc`: the text is one level down.
        plate = plate.get("props", {}).get("plate", [{}])[0].get("value") if plate.get("props") else None
    region = found.get("region")
    box = found.get("box")
    return make_read(
        "platerecognizer",
        camera,
        at_ns,
        text_of(plate, f"{where}.plate"),
        number=number,
        confidence=share(get(found, "score", where), f"{where}.score"),
        country=country_of(region.get("code") if isinstance(region, dict) else ""),
        box=box_of(*(box.get(side) for side in ("xmin", "ymin", "xmax", "ymax")))
        if isinstance(box, dict)
        else None,
        characters=characters_of(_candidates(found.get("candidates"), where)),
    )


def _candidates(value: Any, where: str) -> list[tuple[str, float]]:
    if value is None:
        return []
    if not isinstance(value, list):
        raise FeedError(f"{where}.candidates is not a list", field=f"{where}.candidates")
    found = []
    for number, each in enumerate(value):
        path = f"{where}.candidates[{number}]"
        item = mapping(each, path)
        found.append(
            (text_of(get(item, "plate", path), f"{path}.plate"), share(get(item, "score", path), f"{path}.score"))
        )
    return found


def split(payload: bytes) -> list[bytes]:
    """One body per result."""
    body = decode_json(payload)
    data: Any = body.get("data", body) if isinstance(body, dict) else None
    results = data.get("results") if isinstance(data, dict) else None
    if not isinstance(results, list) or len(results) < 2:
        return [payload]
    parts = []
    for result in results:
        data["results"] = [result]
        parts.append(msgspec.json.encode(body))
    return parts


def shift_time(payload: bytes, delta_ns: int) -> bytes:
    """Move ``timestamp`` and, where it is, ``timestamp_local``."""
    body = decode_json(payload)
    data = body.get("data", body) if isinstance(body, dict) else None
    if isinstance(data, dict):
        for name in ("timestamp", "timestamp_local"):
            if name in data:
                data[name] = shift_iso(data[name], delta_ns)
    return msgspec.json.encode(body)


FEED = Feed("platerecognizer", parse, shift_time, split)
