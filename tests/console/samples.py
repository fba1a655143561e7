"""Alerts for the console's tests."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np

from hotlists.entry import Category, Handling, Priority
from pipeline import telemetry
from pipeline.model import Alert, EntryRef, Hit, PlateRead, ReadKind, Sighting, derive_id
from pipeline.telemetry import Stamp

_MS = 1_000_000


def picture(text: str) -> bytes:
    """Draw a plate as a JPEG of 128 by 64."""
    image = np.full((64, 128, 3), (236, 243, 245), np.uint8)
    cv2.rectangle(image, (2, 12), (125, 52), (40, 30, 30), 1)
    cv2.rectangle(image, (3, 13), (12, 51), (165, 74, 31), -1)
    cv2.putText(image, text, (16, 41), cv2.FONT_HERSHEY_DUPLEX, 0.72, (46, 31, 143), 2, cv2.LINE_AA)
    return cv2.imencode(".jpg", image)[1].tobytes()


def make_alert(
    number: int,
    *,
    read: str = "1ABC123",
    listed: str | None = None,
    age_s: float = 2.0,
    latency_ms: int = 84,
    sightings: int = 1,
    patch: bytes | None = None,
    vehicle: bytes | None = None,
    camera: str = "cam-1",
    late: bool = False,
    **entry: Any,
) -> Alert:
    """Make an alert; the same number gives the same alert."""
    listed = read if listed is None else listed
    captured_ns = telemetry.now_ns() - int(age_s * 1e9)
    sent_ns = captured_ns + 40 * _MS
    trail = {
        Stamp.READ_SENT.value: sent_ns,
        Stamp.READ_TAKEN.value: sent_ns + 4 * _MS,
        Stamp.HIT_SENT.value: sent_ns + 11 * _MS,
        Stamp.HIT_TAKEN.value: sent_ns + 18 * _MS,
        Stamp.ALERT_STORED.value: sent_ns + latency_ms * _MS,
    }
    values: dict[str, Any] = {
        "title": "Gestolen voertuigen",
        "owner": "PZ Veldeke",
        "legal_basis": "Wet op het politieambt, art. 44/11/3",
        "category": Category.STOLEN,
        "priority": Priority.HIGH,
        "handling": Handling.OPEN,
        "reason": "Gestolen op 12 maart",
        "country": "BE",
        **entry,
    }
    hit = Hit(
        hit_id=derive_id("test hit", number),
        read=PlateRead(
            read_id=derive_id("test read", number),
            capture_id=derive_id("test capture", number),
            camera=camera,
            captured_at_ns=captured_ns,
            text=read,
            plate=read,
            country=values["country"] or "BE",
            confidence=0.97,
            source="platerecognizer",
            patch=patch,
            picture=vehicle,
        ),
        entry=EntryRef(entry_id=derive_id("test entry", number), plate=listed, hotlist="gestolen", **values),
        kind=ReadKind.PATTERN if set(listed) & {"?", "*"} else ReadKind.EXACT if listed == read else ReadKind.NEAR,
        edits=0 if listed == read else 1,
        posterior=0.93 if listed != read else 0.999,
        snapshot_version=3,
        zone="noord",
    )
    return Alert(
        alert_id=derive_id("test alert", number),
        hit=hit,
        sightings=[
            Sighting(
                hit_id=derive_id("test hit", number, each),
                camera=camera,
                captured_at_ns=captured_ns - (sightings - 1 - each) * 30_000 * _MS,
                plate=read,
            )
            for each in range(sightings)
        ],
        sighting_count=sightings,
        zone="noord",
        recipients=["lik", "interventie", "rir"],
        created_at_ns=sent_ns + latency_ms * _MS,
        late=late,
        trail=trail,
    )
