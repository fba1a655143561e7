"""Who is looking, and what they may see: a condition that is part of every query on alerts.

| role | sees |
| --- | --- |
| operator, ops, chief, auditor | open alerts, and the covert ones of lists that name them |
| covert | every alert |
| unit | open alerts that were released to the units, of its sectors |
| any other | none |
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from sqlalchemy import ColumnElement, Select, and_, exists, false, or_, select, true

from pipeline.alerts.tables import ALERTS, AUDIT, NAMED, RIR_NAMED, RIR_REPORTS, SECTORS

COVERT_ROLE: Final = "covert"
UNIT_ROLE: Final = "unit"
DESK_ROLES: Final = frozenset({"operator", "ops", "chief", "auditor", COVERT_ROLE})


@dataclass(frozen=True, slots=True)
class Viewer:
    """Who is looking, and in which roles."""

    name: str
    roles: frozenset[str]

    @property
    def at_desk(self) -> bool:
        """True for who sees alerts before they are released to the units."""
        return bool(self.roles & DESK_ROLES)


def may_see(user: Viewer) -> ColumnElement[bool]:
    """Make the condition on ``alerts`` that `user` may see the row."""
    if COVERT_ROLE in user.roles:
        return true()
    if user.at_desk:
        return or_(ALERTS.c.covert.is_(False), ALERTS.c.alert_id.in_(_named(user)))
    if UNIT_ROLE in user.roles:
        return released_to(user)
    return false()


def hidden(user: Viewer) -> Select[tuple[str]]:
    """Select the ids of the alerts that `user`, who is at the desk, may not see: few, and found by an index."""
    covert = select(ALERTS.c.alert_id).where(ALERTS.c.covert.is_(True))
    if COVERT_ROLE in user.roles:
        return covert.where(false())
    return covert.where(ALERTS.c.alert_id.not_in(_named(user)))


def released_to(user: Viewer) -> ColumnElement[bool]:
    """Make the condition on ``alerts`` that the row was released to units, and is of `user`'s sectors.

    Never a covert one, whatever other roles the user has.
    """
    own = select(SECTORS.c.sector).where(SECTORS.c.user == user.name)
    return and_(
        ALERTS.c.covert.is_(False),
        ALERTS.c.released_at_ns.is_not(None),
        or_(~exists(own), ALERTS.c.zone.in_(own)),
    )


def may_see_report(user: Viewer) -> ColumnElement[bool]:
    """Make the condition on ``rir_reports`` that `user` may see the row."""
    if COVERT_ROLE in user.roles:
        return true()
    if not user.at_desk:
        return false()
    named = select(RIR_NAMED.c.rir_id).where(RIR_NAMED.c.user == user.name)
    return or_(RIR_REPORTS.c.covert.is_(False), RIR_REPORTS.c.rir_id.in_(named))


def may_see_line(user: Viewer) -> ColumnElement[bool]:
    """Make the condition on ``audit`` that `user` may see the row: a line on a covert alert tells of it."""
    if COVERT_ROLE in user.roles:
        return true()
    return or_(AUDIT.c.covert.is_(False), AUDIT.c.who == user.name, AUDIT.c.target.in_(_named(user)))


def _named(user: Viewer) -> Select[tuple[str]]:
    return select(NAMED.c.alert_id).where(NAMED.c.user == user.name)
