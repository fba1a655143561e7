"""An alert as the page shows it: in words, with the differences marked, and nothing that it must not show."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from console.messages import DEFAULT_LANGUAGE, text
from hotlists.entry import Handling
from pipeline import telemetry
from pipeline.alerts.alignment import GAP, Column, align, misread_pairs
from pipeline.alerts.routing import Recipient
from pipeline.alerts.rows import Acknowledgement
from pipeline.alerts.store import AlertRow, Verdict
from pipeline.cameras import Camera
from pipeline.model import Hit, ReadKind
from pipeline.telemetry import Stamp

_MS: Final = 1_000_000
_SPANS: Final = ("ocr", "match", "alert", "read_to_alert", "frame_to_alert")
_MISSING: Final = "–"
_BELGIAN: Final = re.compile(r"[1-9][A-Z]{3}[0-9]{3}")

Cameras = Mapping[str, Camera]
Shown = dict[str, Any]
Pieces = list[list[Any]]


def alert_row(row: AlertRow, cameras: Cameras, language: str = DEFAULT_LANGUAGE) -> Shown:
    """Turn a stored alert into what one row of the live page shows; times in ms since the epoch, UTC."""
    alert, entry, read = row.alert, row.alert.hit.entry, row.alert.hit.read
    pattern = alert.hit.kind is ReadKind.PATTERN
    country = entry.country or read.country
    read_pieces, listed_pieces = plate_pieces(read.plate, None if pattern else entry.plate, country)
    latest = alert.sightings[-1]
    sure, doubt = certainty(alert.hit, language)
    given = row.acknowledgement
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
        "read": read_pieces,
        "listed": [[entry.plate, False]] if pattern else listed_pieces,
        "plate": read.plate,
        "frames": read.frames,
        "read_country": read.country,
        "listed_country": entry.country,
        "same": pattern or read.plate == entry.plate,
        "sure": sure,
        "doubt": doubt,
        "zone": alert.zone,
        "list": entry.title or entry.hotlist,
        "category": entry.category.value,
        "category_word": text(f"category.{entry.category.value}", language),
        "reason": entry.reason,
        "legal_basis": entry.legal_basis,
        "kind_word": text(f"kind.{alert.hit.kind.value}", language),
        "sightings": alert.sighting_count,
        **_place(latest.camera, cameras, language),
        "has_patch": row.has_patch,
        "has_picture": row.has_picture,
        "verify": must_verify(row),
        "acknowledgement": None if given is None else verdict_line(row, given, language),
        "claim": None if row.claim is None else {"by": row.claim.by},
        "responses": [
            {
                "answer": each.answer.value,
                "word": text(f"response.{each.answer.value}", language),
                "by": each.by,
                "note": each.note,
                "at_ms": each.at_ns // _MS,
            }
            for each in row.responses
        ],
        "trouble": _trouble(row, language),
    }


def alert_details(row: AlertRow, cameras: Cameras, language: str = DEFAULT_LANGUAGE) -> Shown:
    """Turn a stored alert into all that the details show, the row's fields included."""
    alert, hit = row.alert, row.alert.hit
    return {
        **alert_row(row, cameras, language),
        "owner": hit.entry.owner,
        "instructions": instructions(row, language),
        "posterior": hit.posterior,
        "confidence": hit.read.confidence,
        "source": hit.read.source,
        "later_read": _later(row, language),
        "snapshot_version": hit.snapshot_version,
        "recipients": [text(f"recipient.{each}", language) for each in alert.recipients],
        "trail": [
            {"word": text(f"span.{span}", language), "ms": round(length, 1)}
            for span in _SPANS
            if (length := telemetry.span_ms(alert.trail, span)) is not None
        ],
        "all_sightings": [
            {
                "captured_ms": each.captured_at_ns // _MS,
                "camera_id": each.camera,
                **_place(each.camera, cameras, language),
            }
            for each in reversed(alert.sightings)
        ],
    }


def certainty(hit: Hit, language: str) -> tuple[str, bool]:
    """Put the posterior in words, with what was probably misread as what; and say whether there is doubt."""
    sure = hit.posterior
    if hit.kind is ReadKind.NEAR:
        grade = "certain" if sure >= 0.98 else "likely" if sure >= 0.7 else "maybe"
        misread = misread_pairs(hit.read.plate, hit.entry.plate)
        pairs = ", ".join(f"{seen or _MISSING}/{true or _MISSING}" for seen, true in misread)
        return text(f"sure.{grade}_misread", language).format(pairs=pairs), True
    if hit.kind is ReadKind.PATTERN:
        return text("sure.pattern", language), sure < 0.7
    grade = "certain" if sure >= 0.99 else "very_likely" if sure >= 0.9 else "likely" if sure >= 0.7 else "maybe"
    return text(f"sure.{grade}", language), sure < 0.7


def must_verify(row: AlertRow) -> bool:
    """Tell whether confirming tells units something new: then an operator looks with their own eyes first."""
    if row.alert.hit.entry.handling is Handling.COVERT or Recipient.INTERVENTIE.value not in row.alert.recipients:
        return False
    return row.released_at_ns is None or row.withdrawn_at_ns is not None


def instructions(row: AlertRow, language: str) -> str:
    """Return what to do, by category; on a covert alert, that nothing may show."""
    entry = row.alert.hit.entry
    covert = entry.handling is Handling.COVERT
    return text("instructions.covert" if covert else f"instructions.{entry.category.value}", language)


def unit_alert(row: AlertRow, name: str, cameras: Cameras, language: str = DEFAULT_LANGUAGE) -> Shown:
    """Turn a released alert into what unit `name` is shown: no operator's note, no list's owner, no posterior."""
    shown = alert_row(row, cameras, language)
    kept = ("id", "captured_ms", "priority", "priority_word", "read", "listed", "read_country", "listed_country")
    more = (
        "frames",
        "same",
        "sure",
        "doubt",
        "category",
        "category_word",
        "reason",
        "camera",
        "municipality",
        "has_patch",
    )
    camera = cameras.get(row.alert.sightings[-1].camera)
    own = [each for each in shown["responses"] if each["by"] == name]
    return {
        **{key: shown[key] for key in (*kept, *more, "has_picture")},
        "heading": None if camera is None else round(camera.heading),
        "instructions": instructions(row, language),
        "released_ms": (row.released_at_ns or 0) // _MS,
        "withdrawn": row.withdrawn_at_ns is not None,
        "confirmed": row.acknowledgement is not None and row.acknowledgement.verdict is Verdict.CONFIRMED,
        "mine": own[-1]["answer"] if own else None,
        "responses": [{key: each[key] for key in ("word", "by", "at_ms")} for each in shown["responses"]],
    }


def plate_pieces(read: str, listed: str | None, country: str) -> tuple[Pieces, Pieces]:
    """Cut a plate that was read and the one that is listed into ``[text, differs]`` pieces, column by column.

    A piece without text is a gap: the other plate has a character there. A Belgian plate of the current series is
    shown as it is on the vehicle, ``1-ABC-123``, and so is what was read in its place.

    Parameters
    ----------
    listed
        None where nothing is compared: a pattern is not what a plate says.
    """
    columns = align(read, read if listed is None else listed)
    dashes = _dashes(columns, country)
    pieces: tuple[Pieces, Pieces] = ([], [])
    for number, column in enumerate(columns):
        for side, character in enumerate(column):
            if number in dashes:
                _append(pieces[side], "-", False)
            _append(pieces[side], character, column[0] != column[1])
    return pieces


def _dashes(columns: list[Column], country: str) -> set[int]:
    """Return before which columns a dash stands: where the listed plate has one, or else the one that was read."""
    for side in (1, 0) if country in ("", "BE") else ():
        filled = [number for number, column in enumerate(columns) if column[side] != GAP]
        if _BELGIAN.fullmatch("".join(columns[number][side] for number in filled)):
            return {filled[1], filled[4]}
    return set()


def _append(pieces: Pieces, character: str, differs: bool) -> None:
    if pieces and pieces[-1][1] == differs and character != GAP and pieces[-1][0] != GAP:
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


def verdict_line(row: AlertRow, given: Acknowledgement, language: str) -> Shown:
    """Turn a verdict on an alert, the latest or one before it, into what is shown of it."""
    return {
        "verdict": given.verdict.value,
        "word": text(f"verdict.{given.verdict.value}", language),
        "by": given.by,
        "note": given.note,
        "true_plate": _plate_text(row, given.true_plate, row.alert.hit.read.country),
        "number": given.number,
        "at_ms": given.at_ns // _MS,
    }


def _later(row: AlertRow, language: str) -> str:
    """Say what the vehicle was read as after the verdict, from more frames; empty where nothing came."""
    later = row.later_read
    if later is None:
        return ""
    plate = _plate_text(row, later.plate, later.country)
    return text("alert.later_read", language).format(plate=plate, frames=later.frames)


def _plate_text(row: AlertRow, plate: str, country: str) -> str:
    """Write a plate of an alert's vehicle as it is on the vehicle."""
    pieces, _ = plate_pieces(plate, None, row.alert.hit.entry.country or country)
    return "".join(piece for piece, _ in pieces)


def _trouble(row: AlertRow, language: str) -> str:
    """Say what went wrong in telling the units; empty where nothing did."""
    if row.failed_deliveries:
        return text("response.failed", language).format(count=row.failed_deliveries)
    if row.escalated_at_ns is not None and not row.responses:
        return text("response.nobody", language)
    return ""
