"""Messages for tests, with sensible contents that a test overrides where it matters."""

from __future__ import annotations

import time
from typing import Any

from hotlists.entry import Category, Handling, Priority
from pipeline.model import Alert, EntryRef, Hit, PlateRead, ReadKind, Sighting, derive_id

JPEG = bytes.fromhex(
    "ffd8ffe000104a46494600010100000100010000ffdb004300080606070605080707070909080a0c140d0c0b0b0c1912130f141d1a"
    "1f1e1d1a1c1c20242e2720222c231c1c2837292c30313434341f27393d38323c2e333432ffc0000b080001000101011100ffc4001f"
    "0000010501010101010100000000000000000102030405060708090a0bffda0008010100003f00d2cf20ffd9"
)
"""A grey JPEG of one pixel."""


def make_read(plate: str = "1ABC123", **more: Any) -> PlateRead:
    """A read of now at cam-1."""
    values: dict[str, Any] = {
        "camera": "cam-1",
        "captured_at_ns": time.time_ns(),
        "text": plate,
        "plate": plate,
        "confidence": 0.93,
        "source": "test",
        **more,
    }
    identity = derive_id("read", values["camera"], values["captured_at_ns"], plate)
    return PlateRead(**{"read_id": identity, "capture_id": identity, **values})


def make_hit(
    plate: str = "1ABC123", *, handling: Handling = Handling.OPEN, read: PlateRead | None = None, **entry: Any
) -> Hit:
    """A hit of that plate on the list "gestolen"."""
    read = read or make_read(plate)
    values: dict[str, Any] = {
        "plate": plate,
        "hotlist": "gestolen",
        "title": "Gestolen voertuigen",
        "reason": "Diefstal gemeld",
        "legal_basis": "WPA art. 44/2",
        "category": Category.STOLEN,
        "priority": Priority.HIGH,
        "handling": handling,
        **entry,
    }
    reference = EntryRef(entry_id=derive_id("entry", values["hotlist"], values["plate"]), **values)
    return Hit(
        hit_id=derive_id("hit", read.read_id, reference.entry_id),
        read=read,
        entry=reference,
        kind=ReadKind.EXACT,
        edits=0,
        posterior=0.93,
        snapshot_version=1,
        zone="noord",
    )


def make_alert(plate: str = "1ABC123", **hit: Any) -> Alert:
    """An alert of one hit."""
    found = make_hit(plate, **hit)
    read = found.read
    covert = found.entry.handling is Handling.COVERT
    return Alert(
        alert_id=derive_id("alert", found.hit_id),
        hit=found,
        sightings=[
            Sighting(hit_id=found.hit_id, camera=read.camera, captured_at_ns=read.captured_at_ns, plate=read.plate)
        ],
        zone=found.zone,
        recipients=["recherche", "rir"] if covert else ["lik", "interventie"],
        created_at_ns=read.captured_at_ns,
    )
