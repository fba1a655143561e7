"""Rekor Scout (OpenALPR) agent JSON: ``alpr_group`` (one vehicle over several frames) and ``alpr_results`` (one
frame), and the web server's ``alpr_alert``, which wraps a group.

Confidences are 0 to 100, times milliseconds since the epoch. The camera is ``camera_id``, a number, which must be
unique over all agents of an installation. Agents of version 1 put candidates and region inside ``best_plate``,
and a region without its country. A heartbeat each minute, vehicles without a plate and the web server's test are
no reads: an agent keeps on sending what it is refused, and holds back all that comes behind it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from pipeline.errors import FeedError
from pipeline.ingest.feeds.base import Feed, Part, checked_count, spread
from pipeline.ingest.feeds.fields import (
    camera_of,
    decode_json,
    epoch_ms_ns,
    get,
    listed,
    mapping,
    optional_share,
    path_of,
    plate_of,
    raw_list,
    raw_object,
)
from pipeline.ingest.feeds.reads import (
    box_of,
    candidates_of,
    characters_of,
    country_of,
    make_read,
    patch_from_base64,
    picture_from_base64,
)
from pipeline.model import Box, PlateRead

_FULL: Final = 100.0
_TIMES: Final = ("epoch_time", "epoch_start", "epoch_end")
_ENVELOPE: Final[tuple[str, ...]] = ("data_type", "camera_id", "epoch_time", "country")
_NO_READS: Final = frozenset({"heartbeat", "vehicle"})
_MAX_FRAMES: Final = 10_000


def parse(payload: bytes, first: int = 0) -> list[PlateRead]:
    """Read a group, or the results of a frame."""
    body = mapping(decode_json(payload), "")
    kind = body.get("data_type")
    if kind == "alpr_group":
        return [_group(body, "")]
    if kind == "alpr_alert":
        return [_group(mapping(get(body, "group"), "group"), "group")]
    if kind == "alpr_results":
        return _results(body, first)
    if (isinstance(kind, str) and kind in _NO_READS) or "openalpr_webhook" in body:
        return []
    raise FeedError("data_type is none of alpr_group, alpr_results, alpr_alert, heartbeat", field="data_type")


def _group(body: Mapping[str, Any], where: str) -> PlateRead:
    best = body.get("best_plate")
    frame: Mapping[str, Any] = best if isinstance(best, Mapping) else {}
    # The group's own text is weighed over all its frames; the best frame's is one of them.
    named = body.get("best_plate_number") is not None or "plate" not in frame
    text = plate_of(
        get(body, "best_plate_number", where) if named else frame["plate"],
        path_of(where, "best_plate_number" if named else "best_plate.plate"),
    )
    confidence = optional_share(body, "best_confidence", where, _FULL)
    candidates = body.get("candidates") or frame.get("candidates")
    region, sure = body.get("best_region"), body.get("best_region_confidence")
    if region is None:
        region, sure = frame.get("region"), frame.get("region_confidence")
    uuids = body.get("uuids")
    return make_read(
        "rekor",
        camera_of(get(body, "camera_id", where), path_of(where, "camera_id")),
        epoch_ms_ns(get(body, "epoch_start", where), path_of(where, "epoch_start")),
        text,
        confidence=confidence,
        country=_country(region, sure, body.get("country")),
        characters=characters_of(text, confidence, candidates_of(candidates, "confidence", _FULL)),
        box=_box(frame.get("coordinates")),
        frames=min(max(len(uuids), 1), _MAX_FRAMES) if isinstance(uuids, list) else 1,
        patch=patch_from_base64(frame.get("plate_crop_jpeg")),
        picture=_picture(body),
    )


def _results(body: Mapping[str, Any], first: int) -> list[PlateRead]:
    camera = camera_of(get(body, "camera_id"), "camera_id")
    at_ns = epoch_ms_ns(get(body, "epoch_time"), "epoch_time")
    reads = []
    for number, result in enumerate(listed(get(body, "results"), "results"), first):
        where = f"results[{number}]"
        found = mapping(result, where)
        text = plate_of(get(found, "plate", where), path_of(where, "plate"))
        confidence = optional_share(found, "confidence", where, _FULL)
        candidates = candidates_of(found.get("candidates"), "confidence", _FULL)
        reads.append(
            make_read(
                "rekor",
                camera,
                at_ns,
                text,
                confidence=confidence,
                country=_country(found.get("region"), found.get("region_confidence"), body.get("country")),
                characters=characters_of(text, confidence, candidates),
                box=_box(found.get("coordinates")),
                patch=patch_from_base64(found.get("plate_crop_jpeg")),
            )
        )
    return reads


def _picture(body: Mapping[str, Any]) -> bytes | None:
    """The vehicle, or else the scene with it."""
    found = (picture_from_base64(body.get(name)) for name in ("vehicle_crop_jpeg", "overview_jpeg"))
    return next((picture for picture in found if picture), None)


def _country(region: Any, sure: Any, area: Any) -> str:
    """Country of a region; without a country before it (``mo``), it is one only where the agent reads Europe."""
    if isinstance(region, str) and "-" not in region and area != "eu":
        return ""
    known = isinstance(sure, int | float) and not isinstance(sure, bool)
    return country_of(region, sure / _FULL if known else None)


def _box(corners: Any) -> Box | None:
    """The upright box around four corner points; None when they are not four points."""
    if not isinstance(corners, list) or len(corners) != 4:
        return None
    points = [(each.get("x"), each.get("y")) for each in corners if isinstance(each, Mapping)]
    xs, ys = [x for x, _ in points if type(x) is int], [y for _, y in points if type(y) is int]
    if len(xs) != 4 or len(ys) != 4:
        return None
    return box_of(min(xs), min(ys), max(xs), max(ys))


def split(payload: bytes) -> list[Part]:
    """One part per result of a frame, with camera and time; a group is one read."""
    body = raw_object(payload)
    if "results" not in body or bytes(body.get("data_type", b"")) != b'"alpr_results"':
        return [Part(payload)]
    results = raw_list(body["results"], "results")
    checked_count(len(results), "results", "results")
    envelope = {name: body[name] for name in _ENVELOPE if name in body}
    return spread(payload, "results", results, envelope)


def shift_time(payload: bytes, delta_ns: int) -> bytes:
    """Move the times, to the millisecond."""
    body = raw_object(payload)
    _shift(body, delta_ns)
    if "group" in body:
        group = raw_object(body["group"], "group")
        _shift(group, delta_ns)
        return msgspec.json.encode({**body, "group": group})
    return msgspec.json.encode(body)


def _shift(parent: dict[str, msgspec.Raw], delta_ns: int) -> None:
    for name in _TIMES:
        value = decode_json(parent[name], name) if name in parent else None
        if isinstance(value, int) and not isinstance(value, bool):
            parent[name] = msgspec.Raw(msgspec.json.encode(value + delta_ns // 1_000_000))


FEED = Feed("rekor", parse, shift_time, split)
