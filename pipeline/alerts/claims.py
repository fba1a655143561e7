"""Claims and verdicts: two operators never handle the same alert unknowingly.

A claim holds for `CLAIM_S` and is renewed by claiming again. While somebody holds it, another's verdict is refused
unless they take over in so many words; an alert that nobody claimed takes a verdict at once, so that one key is
enough at night. A verdict ends the claim, and so does its time: every page hears of either. A page that says what
it showed (`LookedAt`) is refused when there has been another verdict or another read since.
"""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import func as sql
from sqlalchemy import insert, select, update

from pipeline import telemetry
from pipeline.alerts.database import Change, Database
from pipeline.alerts.pairs import TruePlateError, check_not_listed, true_plate
from pipeline.alerts.reports import Reports
from pipeline.alerts.rows import (
    Acknowledgement,
    Claim,
    LookedAt,
    Remark,
    UnknownAlertError,
    Verdict,
    acknowledgement,
    live_claim,
    verdicts,
)
from pipeline.alerts.tables import ACKNOWLEDGEMENTS, ALERTS, TRUE_PLATES
from pipeline.alerts.viewer import Viewer, may_see
from pipeline.model import Alert, decode

CLAIM_S: Final = 300
"""How long a claim holds without being renewed: an operator who is called away must not keep an alert for ever."""


class ClaimedError(Exception):
    """Somebody else is handling this alert."""

    def __init__(self, claim: Claim) -> None:
        super().__init__(f"{claim.by} is handling this alert")
        self.claim = claim


class OutdatedError(Exception):
    """There has been another verdict, or another read, since what was looked at."""


class Claims:
    """Who handles which alert, and what they say of it."""

    def __init__(self, database: Database, reports: Reports) -> None:
        self._database = database
        self._reports = reports

    async def claim(self, alert_id: str, by: Viewer, *, take_over: bool = False) -> Claim:
        """Take an alert in hand, or renew one's claim; a new holder is a change that every page hears of.

        Raises
        ------
        UnknownAlertError
            There is none of that id, or `by` may not see it.
        ClaimedError
            Somebody else holds it, and `take_over` is not given.
        """
        async with self._database.change() as change:
            row = await _state(change, alert_id, by)
            now_ns = telemetry.now_ns()
            held = live_claim(row.claimed_by, row.claimed_until_ns, now_ns)
            if held is not None and held.by != by.name and not take_over:
                raise ClaimedError(held)
            claim = Claim(by.name, now_ns + int(CLAIM_S * 1e9))
            values: dict[str, Any] = {"claimed_by": claim.by, "claimed_until_ns": claim.until_ns}
            if held is None or held.by != by.name:
                values |= await _numbers(change, row.covert)
            await change.connection.execute(update(ALERTS).where(ALERTS.c.alert_id == alert_id).values(**values))
        return claim

    async def release(self, alert_id: str, by: Viewer) -> None:
        """Give up one's claim; without one, nothing changes.

        Raises
        ------
        UnknownAlertError
            As `claim`.
        """
        async with self._database.change() as change:
            row = await _state(change, alert_id, by)
            if row.claimed_by != by.name:
                return
            values = {"claimed_by": None, "claimed_until_ns": None, **await _numbers(change, row.covert)}
            await change.connection.execute(update(ALERTS).where(ALERTS.c.alert_id == alert_id).values(**values))

    async def expire(self) -> int:
        """End the claims that have run out, each a change that every page hears of; return how many there were."""
        over = select(ALERTS.c.alert_id, ALERTS.c.covert).where(ALERTS.c.claimed_until_ns <= telemetry.now_ns())
        async with self._database.read() as connection:
            # Nearly always there is none, and nobody has to wait for that.
            if (await connection.execute(over.limit(1))).first() is None:
                return 0
        async with self._database.change() as change:
            # Asked again: one that was renewed meanwhile holds.
            rows = (await change.connection.execute(over)).all()
            for row in rows:
                values = {"claimed_by": None, "claimed_until_ns": None, **await _numbers(change, row.covert)}
                mine = ALERTS.c.alert_id == row.alert_id
                await change.connection.execute(update(ALERTS).where(mine).values(**values))
        return len(rows)

    async def acknowledge(
        self, alert_id: str, verdict: Verdict, *, by: Viewer, remark: Remark, looked_at: LookedAt, take_over: bool
    ) -> None:
        """Store a verdict; see `AlertStore.acknowledge`."""
        plate = true_plate(remark.true_plate)
        if plate and verdict is not Verdict.MISREAD:
            raise TruePlateError("verdict")
        async with self._database.change() as change:
            row = await _state(change, alert_id, by)
            now_ns = telemetry.now_ns()
            held = live_claim(row.claimed_by, row.claimed_until_ns, now_ns)
            if held is not None and held.by != by.name and not take_over:
                raise ClaimedError(held)
            count = select(sql.count()).where(ACKNOWLEDGEMENTS.c.alert_id == alert_id)
            given = int((await change.connection.execute(count)).scalar_one())
            alert = decode(row.payload, Alert)
            if looked_at.is_outdated(given, alert.hit.read.plate):
                raise OutdatedError(alert_id)
            check_not_listed(plate, alert.hit)
            key = {"alert_id": alert_id, "number": given + 1}
            await change.connection.execute(
                insert(ACKNOWLEDGEMENTS).values(
                    **key, verdict=verdict.value, by=by.name, note=remark.note, at_ns=now_ns
                )
            )
            if plate:
                await change.connection.execute(insert(TRUE_PLATES).values(**key, plate=plate))
            values = {
                "verdict": verdict.value,
                "verdict_at_ns": now_ns,
                "claimed_by": None,
                "claimed_until_ns": None,
                **_release(row, verdict, now_ns),
                **await _numbers(change, row.covert),
            }
            await change.connection.execute(update(ALERTS).where(ALERTS.c.alert_id == alert_id).values(**values))
            if verdict is Verdict.CONFIRMED:
                await self._reports.draft_stored(change.connection, alert, by=by.name)

    async def history(self, alert_id: str, by: Viewer) -> list[Acknowledgement]:
        """Return every verdict on an alert that `by` may see, oldest first; none where they may not."""
        mine = verdicts().join(ALERTS, ALERTS.c.alert_id == ACKNOWLEDGEMENTS.c.alert_id)
        query = mine.where(ACKNOWLEDGEMENTS.c.alert_id == alert_id, may_see(by))
        async with self._database.read() as connection:
            return [acknowledgement(row) for row in await connection.execute(query)]


def _release(row: Any, verdict: Verdict, now_ns: int) -> dict[str, Any]:
    """Say what a verdict does to the units' view: confirmed shows the alert, any other takes it back."""
    if row.covert:
        return {}
    shown = row.released_at_ns is not None and row.withdrawn_at_ns is None
    if verdict is Verdict.CONFIRMED and not shown:
        return {"released_at_ns": now_ns, "withdrawn_at_ns": None, "release_round": row.release_round + 1}
    if verdict is not Verdict.CONFIRMED and shown:
        return {"withdrawn_at_ns": now_ns}
    return {}


async def _state(change: Change, alert_id: str, by: Viewer) -> Any:
    query = select(
        ALERTS.c.covert,
        ALERTS.c.claimed_by,
        ALERTS.c.claimed_until_ns,
        ALERTS.c.released_at_ns,
        ALERTS.c.withdrawn_at_ns,
        ALERTS.c.release_round,
        ALERTS.c.payload,
    ).where(ALERTS.c.alert_id == alert_id, may_see(by))
    row = (await change.connection.execute(query)).first()
    if row is None:
        raise UnknownAlertError(alert_id)
    return row


async def _numbers(change: Change, covert: bool) -> dict[str, Any]:
    numbers = await change.take(covert=covert)
    return {"seq": numbers.seq, "open_seq": numbers.open_seq}
