"""An alert as the page shows it: in words, with the differences marked, and nothing that it must not show."""

from __future__ import annotations

import re
from collections.abc import Mapping
from difflib import SequenceMatcher
from typing import Any, Final

from console.messages import DEFAULT_LANGUAGE, text
from hotlists.entry import Handling
from pipeline import telemetry
from pipeline.alerts.store import AlertRow
from pipeline.cameras import Camera
from pipeline.model import ReadKind
from pipeline.telemetry import Stamp

_MS: Final = 1_000_000
_SPANS: Final = ("ocr", "match", "alert", "read_to_alert", "frame_to_alert")
_BELGIAN: Final = re.compile(r"[1-9][A-Z]{3}[0-9]{3}")

Cameras = Mapping[str, Camera]
Shown = dict[str, Any]


def alert_row(row: AlertRow, cameras: Cameras, language: str = DEFAULT_LANGUAGE) -> Shown:
    """Turn a stored alert into what one row of the live page shows; times in ms since the epoch, UTC."""
    alert, entry, read = row.alert, row.alert.hit.entry, row.alert.hit.read
    plain = alert.hit.kind is ReadKind.PATTERN
    latest = alert.sightings[-1]
    return {
        "id": alert.alert_id,
        "seq": row.seq,
        "created_ms": alert.created_at_ns // _MS,
        "captured_ms": latest.captured_at_ns // _MS,
        "priority": entry.priority.value,
        "priority_word": text(f"priority.{entry.priority.value}", language),
        "covert": entry.handling is Handling.COVERT,
        "late": alert.late,
        "latency_ms": _latency_ms(alert.trail),
        "read": plate_pieces(read.plate, None if plain else entry.plate, read.country),
        "listed": plate_pieces(entry.plate, None if plain else read.plate, entry.country or read.country),
        "read_country": read.country,
        "listed_country": entry.country,
        "same": plain or read.plate == entry.plate,
        "list": entry.title or entry.hotlist,
        "category_word": text(f"category.{entry.category.value}", language),
        "reason": entry.reason,
        "legal_basis": entry.legal_basis,
        "kind_word": text(f"kind.{alert.hit.kind.value}", language),
        "sightings": alert.sighting_count,
        **_place(latest.camera, cameras, language),
        "acknowledgement": _verdict(row, language),
    }


def alert_details(row: AlertRow, cameras: Cameras, language: str = DEFAULT_LANGUAGE) -> Shown:
    """Turn a stored alert into all that the details show, the row's fields included."""
    alert, hit = row.alert, row.alert.hit
    return {
        **alert_row(row, cameras, language),
        "owner": hit.entry.owner,
        "posterior": hit.posterior,
        "confidence": hit.read.confidence,
        "source": hit.read.source,
        "frames": hit.read.frames,
        "snapshot_version": hit.snapshot_version,
        "recipients": [text(f"recipient.{each}", language) for each in alert.recipients],
        "trail": [
            {"word": text(f"span.{span}", language), "ms": round(length, 1)}
            for span in _SPANS
            if (length := telemetry.span_ms(alert.trail, span)) is not None
        ],
        "all_sightings": [
            {"captured_ms": each.captured_at_ns // _MS, **_place(each.camera, cameras, language)}
            for each in reversed(alert.sightings)
        ],
    }


def plate_pieces(plate: str, other: str | None, country: str) -> list[list[Any]]:
    """Cut a plate into ``[text, differs]`` pieces, marking what is not the same in `other`.

    A Belgian plate of the current series is shown as it is on the vehicle, ``1-ABC-123``.
    """
    marks = [False] * len(plate)
    if other is not None and other != plate:
        for operation, begin, end, *_ in SequenceMatcher(None, plate, other, autojunk=False).get_opcodes():
            if operation != "equal":
                marks[begin:end] = [True] * (end - begin)
    dashes = {1, 4} if country in ("", "BE") and _BELGIAN.fullmatch(plate) else set()
    pieces: list[list[Any]] = []
    for number, (character, differs) in enumerate(zip(plate, marks, strict=True)):
        if number in dashes:
            _append(pieces, "-", False)
        _append(pieces, character, differs)
    return pieces


def _append(pieces: list[list[Any]], character: str, differs: bool) -> None:
    if pieces and pieces[-1][1] == differs:
        pieces[-1][0] += character
    else:
        pieces.append([character, differs])


def _latency_ms(trail: Mapping[str, int]) -> int | None:
    """Whole time that we took: from when the read, or the frame that it is from, was handed to Kafka."""
    if Stamp.FRAME_SENT.value in trail:
        length = telemetry.span_ms(trail, "frame_to_alert")
    else:
        length = telemetry.span_ms(trail, "read_to_alert")
    return None if length is None else round(length)


def _place(camera: str, cameras: Cameras, language: str) -> Shown:
    known = cameras.get(camera)
    if known is None:
        return {"camera": camera, "municipality": text("alert.unknown_camera", language)}
    return {"camera": known.name, "municipality": known.municipality}


def _verdict(row: AlertRow, language: str) -> Shown | None:
    given = row.acknowledgement
    if given is None:
        return None
    return {
        "verdict": given.verdict.value,
        "word": text(f"verdict.{given.verdict.value}", language),
        "by": given.by,
        "note": given.note,
        "at_ms": given.at_ns // _MS,
    }
