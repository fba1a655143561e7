"""The statistics, in Dutch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

TEXTS: Final[Mapping[str, str]] = {
    # Statistics
    "statistics.title": "Statistieken",
    "statistics.days": "dagen",
    "statistics.show": "Tonen",
    "statistics.lists": "Lijsten",
    "statistics.cameras": "Camera’s",
    "statistics.stages": "Verwerkingstijd tegenover het budget",
    "statistics.list": "Lijst",
    "statistics.alerts": "Meldingen",
    "statistics.verdicts": "Beoordelingen",
    "statistics.precision": "Juist",
    "statistics.camera": "Camera",
    "statistics.hits": "Treffers",
    "statistics.last_hit": "Laatste treffer",
    "statistics.stage": "Stap",
    "statistics.p50": "mediaan",
    "statistics.p99": "p99",
    "statistics.max": "hoogste",
    "statistics.budget": "budget",
    "statistics.late": "te laat",
    "statistics.nothing": "Nog geen cijfers in deze periode.",
    "statistics.silent": "nog geen treffer",
    "statistics.span.frame_to_read": "van beeld tot lezing",
    "statistics.span.read_to_hit": "van lezing tot treffer",
    "statistics.span.ocr": "lezen van het beeld",
    "statistics.span.match": "vergelijken met de lijsten",
    "statistics.span.alert": "melding maken",
    "statistics.span.read_to_alert": "van lezing tot melding",
    "statistics.span.frame_to_alert": "van beeld tot melding",
}
