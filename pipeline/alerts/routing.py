"""Who receives which alert.

| handling | category | recipients |
| --- | --- | --- |
| covert | any | recherche, RIR |
| open | traffic, uninsured, no_inspection | LIK, interventie, verkeer |
| open | wanted, sis, recherche | LIK, interventie, recherche |
| open | any other | LIK, interventie |

A covert alert reaches the recherche and those whom its list names, never a unit: a patrol that stops the
vehicle would end the investigation. An open alert of critical or high priority also becomes an information
report (RIR).
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from hotlists.entry import Category, Handling, Priority
from pipeline.model import Hit


class Recipient(StrEnum):
    """Who an alert is for."""

    LIK = "lik"
    INTERVENTIE = "interventie"
    VERKEER = "verkeer"
    RECHERCHE = "recherche"
    RIR = "rir"


_TRAFFIC: Final = frozenset({Category.TRAFFIC, Category.UNINSURED, Category.NO_INSPECTION})
_INVESTIGATION: Final = frozenset({Category.WANTED, Category.SIS, Category.RECHERCHE})
_REPORTED: Final = frozenset({Priority.CRITICAL, Priority.HIGH})


def recipients(hit: Hit) -> tuple[Recipient, ...]:
    """Return who receives the alert of `hit`, in the order of `Recipient`."""
    entry = hit.entry
    if entry.handling is Handling.COVERT:
        return (Recipient.RECHERCHE, Recipient.RIR)
    chosen = {Recipient.LIK, Recipient.INTERVENTIE}
    if entry.category in _TRAFFIC:
        chosen.add(Recipient.VERKEER)
    if entry.category in _INVESTIGATION:
        chosen.add(Recipient.RECHERCHE)
    if entry.priority in _REPORTED:
        chosen.add(Recipient.RIR)
    return tuple(each for each in Recipient if each in chosen)
