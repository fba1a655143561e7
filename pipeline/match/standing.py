"""How a worker's hotlists stand, as metrics. No metric names a list: it would tell of a covert one, for years."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Mapping, Sequence
from typing import Final

from hotlists.entry import Hotlist
from hotlists.versions import Mark
from pipeline import telemetry

STATES: Final = ("held", "behind", "lost", "stale")
"""Held: matched. Of these: behind, not as it is live; lost, no longer in Redis; stale, past its maximum age."""
_CODE_BYTES: Final = 4
_shown: set[str] = set()


def show(
    hotlists: Sequence[Hotlist], marks: Mapping[str, Mark], behind: Sequence[str], lost: Sequence[str]
) -> None:
    """Set the metrics of the lists that are held."""
    now_s = time.time()
    overdue = {
        code_of(each.name, marks[each.name]): overdue_s(each, marks[each.name], now_s)
        for each in hotlists
        if each.name in marks and each.max_age_s is not None
    }
    for code in _shown - set(overdue):
        telemetry.LIST_OVERDUE_S.remove(code)
    _shown.intersection_update(overdue)
    for code, seconds in overdue.items():
        telemetry.LIST_OVERDUE_S.labels(code).set(seconds)
        _shown.add(code)
    stale = sum(seconds > 0 for seconds in overdue.values())
    for state, count in zip(STATES, (len(marks), len(behind), len(lost), stale), strict=True):
        telemetry.LISTS.labels(state).set(count)


def overdue_s(hotlist: Hotlist, mark: Mark, now_s: float) -> float:
    """How many seconds a list is past its maximum age; 0 while it is not, or has none."""
    if hotlist.max_age_s is None:
        return 0.0
    return max(0.0, now_s - mark.fresh_ns / 1e9 - hotlist.max_age_s)


def code_of(name: str, mark: Mark) -> str:
    """Return a list's code, the same in every worker; who does not have the Redis cannot tell of which list."""
    return hashlib.blake2b(name.encode(), key=mark.epoch.encode()[:64], digest_size=_CODE_BYTES).hexdigest()
