"""Plate Recognizer: the webhook of Stream (``hook``, ``data``) and the answer of the Snapshot API (top level).

Two shapes of result are sent: ``plate`` as text with ``score``, ``box``, ``region`` and ``candidates`` beside
it; and, where vehicles are detected, ``plate`` as an object with ``box`` and ``props``, or null for a vehicle
without one. Scores are 0 to 1. Stream's candidates carry no score. ``timestamp`` is UTC, with ``Z``; some
versions leave that out, and then ``timestamp_local``, the same moment with its offset, counts.

A picture comes in a form, as ``upload`` beside the message in ``json``; it shows the vehicle or the scene, not the
plate.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from pipeline.ingest.feeds.base import Feed, Form, Part, checked_count, spread
from pipeline.ingest.feeds.fields import (
    camera_of,
    decode_json,
    get,
    iso_moment,
    listed,
    mapping,
    moment_ns,
    optional_share,
    path_of,
    plate_of,
    raw_list,
    raw_object,
    shift_raw_iso,
)
from pipeline.ingest.feeds.reads import box_of, candidates_of, characters_of, country_of, make_read
from pipeline.model import PlateRead

_TIMES: Final = ("timestamp", "timestamp_local")
_ENVELOPE: Final[tuple[str, ...]] = ("camera_id", *_TIMES)
# Events of a hook that must hold results; others (a heartbeat, a video clip) are no reads.
_RECOGNITIONS: Final = frozenset({"recognition", "image.done"})


def parse(payload: bytes, first: int = 0) -> list[PlateRead]:
    """Read every result of a webhook or Snapshot body; vehicles without a plate give none."""
    body = mapping(decode_json(payload), "")
    where = "data" if "data" in body else ""
    data = mapping(body["data"], "data") if where else body
    if _is_other_event(body, data):
        return []
    camera = camera_of(get(data, "camera_id", where), path_of(where, "camera_id"))
    at_ns = _captured_at_ns(data, where)
    results = path_of(where, "results")
    return [
        read
        for number, result in enumerate(listed(get(data, "results", where), results), first)
        if (read := _read(mapping(result, f"{results}[{number}]"), f"{results}[{number}]", camera, at_ns))
    ]


def _is_other_event(body: Mapping[str, Any], data: Mapping[str, Any]) -> bool:
    hook = body.get("hook")
    event = hook.get("event") if isinstance(hook, dict) else None
    return isinstance(event, str) and event not in _RECOGNITIONS and "results" not in data


def _captured_at_ns(data: Mapping[str, Any], where: str) -> int:
    given, local = get(data, "timestamp", where), iso_moment(data.get("timestamp_local"))
    moment = iso_moment(given)
    if moment is not None and moment.tzinfo is None and local is not None and local.tzinfo is not None:
        return moment_ns(data["timestamp_local"], path_of(where, "timestamp_local"))
    return moment_ns(given, path_of(where, "timestamp"))


def _read(found: Mapping[str, Any], where: str, camera: str, at_ns: int) -> PlateRead | None:
    plate = get(found, "plate", where)
    if plate is None or plate == "":
        return None
    if isinstance(plate, Mapping):
        return _read_props(plate, path_of(where, "plate"), camera, at_ns)
    text = plate_of(plate, path_of(where, "plate"))
    confidence = optional_share(found, "score", where)
    region, box = _object(found.get("region")), _object(found.get("box"))
    return make_read(
        "platerecognizer",
        camera,
        at_ns,
        text,
        confidence=confidence,
        country=country_of(region.get("code"), region.get("score")),
        box=box_of(*(box.get(side) for side in ("xmin", "ymin", "xmax", "ymax"))),
        characters=characters_of(text, confidence, candidates_of(found.get("candidates"), "score")),
    )


def _read_props(plate: Mapping[str, Any], where: str, camera: str, at_ns: int) -> PlateRead | None:
    """Read the second shape: ``props.plate`` is a list of texts with their scores, the best one first."""
    props = path_of(where, "props")
    found = mapping(get(plate, "props", where), props)
    texts = listed(get(found, "plate", props), path_of(props, "plate"))
    if not texts:
        return None
    best_path = f"{props}.plate[0]"
    best = mapping(texts[0], best_path)
    text = plate_of(get(best, "value", best_path), path_of(best_path, "value"))
    confidence = optional_share(best, "score", best_path)
    regions = found.get("region")
    region = _object(regions[0]) if isinstance(regions, list) and regions else {}
    box = _object(plate.get("box"))
    named = [{**each, "plate": each.get("value")} for each in texts if isinstance(each, Mapping)]
    return make_read(
        "platerecognizer",
        camera,
        at_ns,
        text,
        confidence=confidence,
        country=country_of(region.get("value"), region.get("score")),
        box=box_of(*(box.get(side) for side in ("xmin", "ymin", "xmax", "ymax"))),
        characters=characters_of(text, confidence, candidates_of(named, "score")),
    )


def _object(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def split(payload: bytes) -> list[Part]:
    """One part per result, with the camera and the times."""
    body = raw_object(payload)
    where = "data" if "data" in body else ""
    data = raw_object(body["data"], "data") if where else body
    if "results" not in data:
        return [Part(payload)]
    results = raw_list(data["results"], path_of(where, "results"))
    checked_count(len(results), "results", path_of(where, "results"))
    envelope = {name: data[name] for name in _ENVELOPE if name in data}
    return spread(payload, "results", results, envelope, where)


def shift_time(payload: bytes, delta_ns: int) -> bytes:
    """Move ``timestamp`` and, where it is, ``timestamp_local``."""
    body = raw_object(payload)
    data = raw_object(body["data"], "data") if "data" in body else body
    for name in _TIMES:
        shift_raw_iso(data, name, delta_ns)
    return msgspec.json.encode({**body, "data": data} if "data" in body else data)


FEED = Feed("platerecognizer", parse, shift_time, split, Form(pictures=("upload*",)))
