"""Rekor / OpenALPR agent JSON: ``alpr_group`` (one vehicle over several frames) and ``alpr_results`` (one frame).

Confidences are 0 to 100, times milliseconds since the epoch. The camera is ``camera_id``, which must be unique
over all agents of an installation.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from pipeline.errors import FeedError
from pipeline.ingest.feeds.base import (
    Feed,
    box_of,
    camera_of,
    characters_of,
    country_of,
    decode_json,
    epoch_ms_ns,
    get,
    make_read,
    mapping,
    share,
    text_of,
)
from pipeline.model import Box, PlateRead

_TIMES: Final = ("epoch_time", "epoch_start", "epoch_end")


def parse(payload: bytes) -> list[PlateRead]:
    """Read a group or the results of a frame."""
    body = mapping(decode_json(payload), "")
    kind = body.get("data_type")
    if kind == "alpr_group":
        return [_group(body)]
    if kind == "alpr_results":
        camera = camera_of(get(body, "camera_id"), "camera_id")
        at_ns = epoch_ms_ns(get(body, "epoch_time"), "epoch_time")
        return [
            _result(result, f"results[{number}]", number, camera, at_ns)
            for number, result in enumerate(get(body, "results", "", list))
        ]
    raise FeedError("data_type is neither alpr_group nor alpr_results", field="data_type")


def _group(body: Any) -> PlateRead:
    best = body.get("best_plate")
    text = best.get("plate") if isinstance(best, dict) else body.get("best_plate_number")
    frames = body.get("best_plate_frames", 1)
    return make_read(
        "rekor",
        camera_of(get(body, "camera_id"), "camera_id"),
        epoch_ms_ns(get(body, "epoch_start"), "epoch_start"),
        text_of(text, "best_plate.plate" if isinstance(best, dict) else "best_plate_number"),
        confidence=share(get(body, "best_confidence"), "best_confidence", 100.0),
        country=country_of(body.get("best_region")),
        characters=characters_of(_candidates(body.get("candidates"), "candidates")),
        box=_box(best.get("coordinates") if isinstance(best, dict) else None),
        frames=frames if isinstance(frames, int) and 0 < frames < 10_000 else 1,
    )


def _result(result: Any, where: str, number: int, camera: str, at_ns: int) -> PlateRead:
    found = mapping(result, where)
    return make_read(
        "rekor",
        camera,
        at_ns,
        text_of(get(found, "plate", where), f"{where}.plate"),
        number=number,
        confidence=share(get(found, "confidence", where), f"{where}.confidence", 100.0),
        country=country_of(found.get("region")),
        characters=characters_of(_candidates(found.get("candidates"), f"{where}.candidates")),
        box=_box(found.get("coordinates")),
    )


def _candidates(value: Any, where: str) -> list[tuple[str, float]]:
    if value is None:
        return []
    if not isinstance(value, list):
        raise FeedError(f"{where} is not a list", field=where)
    found = []
    for number, each in enumerate(value):
        path = f"{where}[{number}]"
        item = mapping(each, path)
        confidence = share(get(item, "confidence", path), f"{path}.confidence", 100.0)
        found.append((text_of(get(item, "plate", path), f"{path}.plate"), confidence))
    return found


def _box(corners: Any) -> Box | None:
    """The upright box around four corner points; None when they are not four points."""
    try:
        xs, ys = [each["x"] for each in corners], [each["y"] for each in corners]
        return box_of(min(xs), min(ys), max(xs), max(ys)) if len(xs) == 4 else None
    except (TypeError, KeyError, ValueError):
        return None


def split(payload: bytes) -> list[bytes]:
    """One body per result of a frame; a group is one read."""
    body = decode_json(payload)
    results = body.get("results") if isinstance(body, dict) else None
    if not isinstance(results, list) or len(results) < 2:
        return [payload]
    return [msgspec.json.encode({**body, "results": [result]}) for result in results]


def shift_time(payload: bytes, delta_ns: int) -> bytes:
    """Move the times, to the millisecond."""
    body = decode_json(payload)
    if isinstance(body, dict):
        for name in _TIMES:
            if isinstance(body.get(name), int):
                body[name] += delta_ns // 1_000_000
    return msgspec.json.encode(body)


FEED = Feed("rekor", parse, shift_time, split)
