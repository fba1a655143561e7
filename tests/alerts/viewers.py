"""People of the tests' desk, one of each kind."""

from __future__ import annotations

from typing import Final

from pipeline.alerts.store import Viewer

OPERATOR: Final = Viewer("an", frozenset({"operator"}))
COLLEAGUE: Final = Viewer("eva", frozenset({"operator"}))
DETECTIVE: Final = Viewer("bo", frozenset({"operator", "covert"}))
NAMED: Final = Viewer("cas", frozenset({"operator"}))
"""An operator whom the tests' covert lists name."""
CHIEF: Final = Viewer("dirk", frozenset({"chief"}))
AUDITOR: Final = Viewer("fien", frozenset({"auditor"}))
ENGINEER: Final = Viewer("gust", frozenset({"engineer"}))
UNIT: Final = Viewer("ploeg-1", frozenset({"unit"}))
EVERYBODY: Final = (OPERATOR, DETECTIVE, NAMED, CHIEF, AUDITOR, ENGINEER, UNIT)
