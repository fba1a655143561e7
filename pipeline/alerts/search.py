"""Looking for alerts: filters, pages, and what must be said before looking far back.

Every search is written to the audit trail before its results are given. Alerts older than
`Settings.search_reason_after_days` are looked through only with a reason, and by those who are not at liberty to
decide that themselves also with an authorisation number (`docs/retention.md` says which law stands behind it).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Final

import msgspec
from sqlalchemy import ColumnElement, Select, and_, or_, select, union
from sqlalchemy import func as sql

from pipeline import telemetry
from pipeline.alerts.database import Database
from pipeline.alerts.rows import AlertRow, Verdict, changes_scale, load, visible
from pipeline.alerts.tables import ALERTS, SIGHTINGS, TRUE_PLATES
from pipeline.alerts.trail import Deed, Trail
from pipeline.alerts.viewer import Viewer, may_see
from plates.normalise import normalise_pattern

DAY_NS: Final = 86_400_000_000_000
PAGE: Final = 100
MAX_PAGE: Final = 500


class Query(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What to look for; every condition that is given must hold."""

    plate: str = ""
    """Listed, read, or on the plate by the eye of who said *misread*.

    ``?`` is one character, ``*`` any run; without them it is the whole plate.
    """
    hotlist: str = ""
    camera: str = ""
    zone: str = ""
    category: str = ""
    priority: str = ""
    verdict: str = ""
    """A `Verdict`, or ``none`` for those that still wait for one."""
    claimed_by: str = ""
    from_ns: int | None = None
    until_ns: int | None = None
    """Created in this time: from inclusive, until exclusive."""


@dataclass(frozen=True, slots=True)
class Pretext:
    """Why somebody looks, under which authorisation, and from where they ask."""

    reason: str = ""
    authorisation: str = ""
    where: str = ""


@dataclass(frozen=True, slots=True)
class Page:
    """Some of the alerts that were found, newest first."""

    rows: list[AlertRow]
    next: str | None
    """Give it back for those that follow; None where these are the last."""


class ReasonNeededError(Exception):
    """Looking this far back needs a reason, or an authorisation number.

    Parameters
    ----------
    what
        ``reason`` or ``authorisation``.
    older_than_ns
        From before which moment on it is needed.
    """

    def __init__(self, what: str, older_than_ns: int) -> None:
        super().__init__(f"alerts this old are looked at only with: {what}")
        self.what = what
        self.older_than_ns = older_than_ns


@dataclass(frozen=True, slots=True)
class Limits:
    """From which age a search must say why, and who needs an authorisation for it."""

    reason_after_days: int = 30
    """The law's month; see `Settings.search_reason_after_days`."""
    authorised_roles: frozenset[str] = frozenset({"chief"})
    """Roles that need no authorisation number beside their reason."""


class Search:
    """Looking through the store."""

    def __init__(self, database: Database, trail: Trail) -> None:
        self._database = database
        self._trail = trail
        self.limits = Limits()

    async def find(
        self, query: Query, user: Viewer, *, pretext: Pretext, after: str | None = None, limit: int = PAGE
    ) -> Page:
        """Return the alerts that fit `query` and that `user` may see, newest first, a page at a time.

        Without `Query.from_ns`, a search goes back as far as needs no reason; 0 is to the beginning.

        Raises
        ------
        ReasonNeededError
            It goes further back than `Limits.reason_after_days`, and the pretext does not say why.
        ValueError
            `after` is not a page's `Page.next`, a plate has no plate character, or a verdict is none.
        """
        at = _cursor(after)
        from_ns = self._reach(query, user, pretext)
        limit = min(limit, MAX_PAGE)
        async with self._database.read() as connection:
            scale = await changes_scale(connection, user)
            selected = visible(user, scale).where(*self._conditions(query, from_ns))
            if at is not None:
                selected = selected.where(
                    or_(
                        ALERTS.c.created_at_ns < at[0],
                        and_(ALERTS.c.created_at_ns == at[0], ALERTS.c.alert_id < at[1]),
                    )
                )
            newest = (ALERTS.c.created_at_ns.desc(), ALERTS.c.alert_id.desc())
            rows = await load(connection, selected.order_by(*newest).limit(limit + 1))
        page = rows[:limit]
        # What those look for who see covert alerts would tell of these: so does a search that found nothing.
        covert = scale.covert
        await self._trail.add(
            Deed(user.name, "alerts.search", _asked(query), _why(pretext), pretext.where, covert)
        )
        more = f"{page[-1].alert.created_at_ns}-{page[-1].alert.alert_id}" if len(rows) > limit else None
        return Page(page, more)

    async def count(self, query: Query, user: Viewer, *, most: int = 10_000) -> int:
        """Count the alerts that fit and that need no reason to look at; at most `most`."""
        from_ns = max(query.from_ns or 0, self.free_from_ns())
        found: Select[Any] = (
            select(ALERTS.c.alert_id).where(may_see(user), *self._conditions(query, from_ns)).limit(most)
        )
        async with self._database.read() as connection:
            return int((await connection.execute(select(sql.count()).select_from(found.subquery()))).scalar_one())

    def free_from_ns(self) -> int:
        """Return the moment since when alerts are looked at without saying why."""
        return telemetry.now_ns() - self.limits.reason_after_days * DAY_NS

    def admit(self, created_at_ns: int, user: Viewer, pretext: Pretext) -> None:
        """Let pass who may look at alerts created at a moment: what every page asks before it shows an old one.

        Raises
        ------
        ReasonNeededError
            The moment is before `free_from_ns`, and the pretext does not say why.
        """
        free_from_ns = self.free_from_ns()
        if created_at_ns >= free_from_ns:
            return
        if not pretext.reason.strip():
            raise ReasonNeededError("reason", free_from_ns)
        if not user.roles & self.limits.authorised_roles and not pretext.authorisation.strip():
            raise ReasonNeededError("authorisation", free_from_ns)

    def _reach(self, query: Query, user: Viewer, pretext: Pretext) -> int:
        """Return from when on is looked; raise where a pretext is missing for what was asked."""
        if query.from_ns is None:
            return self.free_from_ns()
        self.admit(query.from_ns, user, pretext)
        return query.from_ns

    def _conditions(self, query: Query, from_ns: int) -> list[ColumnElement[bool]]:
        found = _plain(query, from_ns)
        if query.plate:
            # A union of look-ups: of an OR of them, neither database would make use of all indexes.
            looked_up = [
                select(column.table.c.alert_id).where(self._plate(column, query.plate))
                for column in (ALERTS.c.plate_listed, SIGHTINGS.c.plate, TRUE_PLATES.c.plate)
            ]
            found.append(ALERTS.c.alert_id.in_(union(*looked_up)))
        return found

    def _plate(self, column: ColumnElement[str], asked: str) -> ColumnElement[bool]:
        (pattern,) = normalise_pattern([asked])
        if not pattern.strip("?*"):
            raise ValueError(f"plate: no plate character in {asked[:20]!r}; give at least one letter or digit")
        if "?" not in pattern and "*" not in pattern:
            return column == pattern
        if self._database.sqlite:
            # The same signs mean the same there, and unlike LIKE it looks a beginning up in the index.
            return column.op("GLOB", is_comparison=True)(pattern)
        like = column.like(pattern.replace("?", "_").replace("*", "%"))
        begins = re.split(r"[?*]", pattern, maxsplit=1)[0]
        if not begins:
            return like
        # Said in so many words, by the operators of text_pattern_ops: of LIKE alone, a plan that was made for any
        # pattern cannot tell that there is a beginning.
        beyond = begins[:-1] + chr(ord(begins[-1]) + 1)
        from_it = column.op("~>=~", is_comparison=True)(begins)
        return and_(from_it, column.op("~<~", is_comparison=True)(beyond), like)


def _asked(query: Query) -> str:
    asked = {name: value for name, value in msgspec.to_builtins(query).items() if value not in ("", None)}
    return msgspec.json.encode(asked).decode()


def _why(pretext: Pretext) -> str:
    authorisation = pretext.authorisation.strip()
    return pretext.reason.strip() + (f" [{authorisation}]" if authorisation else "")


def _plain(query: Query, from_ns: int) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = []
    if from_ns > 0:
        found.append(ALERTS.c.created_at_ns >= from_ns)
    if query.until_ns is not None:
        found.append(ALERTS.c.created_at_ns < query.until_ns)
    for column, value in (
        (ALERTS.c.hotlist, query.hotlist),
        (ALERTS.c.zone, query.zone),
        (ALERTS.c.category, query.category),
        (ALERTS.c.priority, query.priority),
        (ALERTS.c.claimed_by, query.claimed_by),
    ):
        if value:
            found.append(column == value)
    if query.verdict:
        waits = query.verdict == "none"
        found.append(ALERTS.c.verdict.is_(None) if waits else ALERTS.c.verdict == Verdict(query.verdict).value)
    if query.camera:
        found.append(_sighting(SIGHTINGS.c.camera == query.camera))
    return found


def _sighting(condition: ColumnElement[bool]) -> ColumnElement[bool]:
    return ALERTS.c.alert_id.in_(select(SIGHTINGS.c.alert_id).where(condition))


def _cursor(after: str | None) -> tuple[int, str] | None:
    if after is None:
        return None
    created, _, alert_id = after.partition("-")
    if not (created.isascii() and created.isdigit() and len(created) < 20 and len(alert_id) == 32):
        raise ValueError("after: not a page's next; begin at the first page")
    return int(created), alert_id
