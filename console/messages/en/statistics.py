"""The statistics, in English."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

TEXTS: Final[Mapping[str, str]] = {
    # Statistics
    "statistics.title": "Statistics",
    "statistics.days": "days",
    "statistics.show": "Show",
    "statistics.lists": "Lists",
    "statistics.cameras": "Cameras",
    "statistics.stages": "Processing time against its budget",
    "statistics.list": "List",
    "statistics.alerts": "Alerts",
    "statistics.verdicts": "Verdicts",
    "statistics.precision": "Right",
    "statistics.camera": "Camera",
    "statistics.hits": "Hits",
    "statistics.last_hit": "Latest hit",
    "statistics.stage": "Stage",
    "statistics.p50": "median",
    "statistics.p99": "p99",
    "statistics.max": "highest",
    "statistics.budget": "budget",
    "statistics.late": "late",
    "statistics.nothing": "No figures in this period yet.",
    "statistics.silent": "no hit yet",
    "statistics.span.frame_to_read": "from frame to read",
    "statistics.span.read_to_hit": "from read to hit",
    "statistics.span.ocr": "reading the picture",
    "statistics.span.match": "matching with the lists",
    "statistics.span.alert": "making the alert",
    "statistics.span.read_to_alert": "from read to alert",
    "statistics.span.frame_to_alert": "from frame to alert",
}
