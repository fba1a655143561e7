"""What a read must be before it is matched; what is not goes to ``anpr.rejects`` with its reason."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from hotlists.entry import SHORTEST_PLATE
from pipeline.cameras import Camera
from pipeline.model import PlateRead, RejectReason
from plates.alphabet import SLOTS

_PLATE: Final = re.compile(r"[0-9A-Z]*\Z")


def check_capture(
    camera: str, captured_at_ns: int, cameras: Mapping[str, Camera], *, now_ns: int, tolerance_s: float
) -> tuple[RejectReason, str] | None:
    """Check where and when something was captured; None when all is well, else the reason and a plain text."""
    if camera not in cameras:
        return RejectReason.UNKNOWN_CAMERA, f"camera {camera[:80]!r} is not registered; add it to LIK_CAMERAS"
    ahead_s = (captured_at_ns - now_ns) / 1e9
    if ahead_s > tolerance_s:
        return (
            RejectReason.FROM_THE_FUTURE,
            f"captured {ahead_s:.0f} s ahead of our clock; set the clock of camera {camera!r}",
        )
    return None


def check_read(
    read: PlateRead, cameras: Mapping[str, Camera], *, now_ns: int, tolerance_s: float
) -> tuple[RejectReason, str] | None:
    """Check a read; None when it may be matched, else the reason and a plain text (never the plate)."""
    refused = check_capture(read.camera, read.captured_at_ns, cameras, now_ns=now_ns, tolerance_s=tolerance_s)
    if refused:
        return refused
    if not _PLATE.match(read.plate):
        return RejectReason.NOT_A_PLATE, "plate: characters other than 0-9 and A-Z; normalise it first"
    if not SHORTEST_PLATE <= len(read.plate) <= SLOTS:
        return (
            RejectReason.NOT_A_PLATE,
            f"plate: {len(read.plate)} characters; a plate has {SHORTEST_PLATE}-{SLOTS}",
        )
    return None
