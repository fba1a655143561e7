"""The texts in English."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from console.messages.en import (
    api,
    hotlists,
    hotlists_rows,
    hotlists_urgent,
    live,
    pages,
    rir,
    shared,
    statistics,
    tokens,
)

TEXTS: Final[Mapping[str, str]] = {
    **shared.TEXTS,
    **api.TEXTS,
    **hotlists.TEXTS,
    **hotlists_rows.TEXTS,
    **hotlists_urgent.TEXTS,
    **live.TEXTS,
    **pages.TEXTS,
    **rir.TEXTS,
    **statistics.TEXTS,
    **tokens.TEXTS,
}
