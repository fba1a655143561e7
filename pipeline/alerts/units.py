"""What interventie units see and answer: the open alerts that were released to them, of their sectors."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import delete, insert, select, update

from pipeline import telemetry
from pipeline.alerts.database import Database
from pipeline.alerts.rows import AlertRow, Answer, UnknownAlertError, load, visible
from pipeline.alerts.tables import ALERTS, RESPONSES, SECTORS
from pipeline.alerts.viewer import Viewer, released_to


class Units:
    """The units' side of the store. Never a covert alert, whatever other roles a unit has."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def alerts(self, user: Viewer, *, since_ns: int, limit: int = 100) -> list[AlertRow]:
        """Return the alerts released to `user` after `since_ns`, latest release first; the withdrawn ones too."""
        query = (
            visible(user)
            .where(released_to(user), ALERTS.c.released_at_ns > since_ns)
            .order_by(ALERTS.c.released_at_ns.desc())
            .limit(limit)
        )
        async with self._database.read() as connection:
            return await load(connection, query)

    async def respond(self, alert_id: str, answer: Answer, *, by: Viewer, note: str = "") -> None:
        """Store what a unit answers; the alert changes, so that every operator sees it at once.

        Raises
        ------
        UnknownAlertError
            There is none of that id, or it was not released to `by`.
        """
        async with self._database.change() as change:
            known = select(ALERTS.c.alert_id).where(ALERTS.c.alert_id == alert_id, released_to(by))
            if (await change.connection.execute(known)).first() is None:
                raise UnknownAlertError(alert_id)
            await change.connection.execute(
                insert(RESPONSES).values(
                    alert_id=alert_id, answer=answer.value, by=by.name, note=note, at_ns=telemetry.now_ns()
                )
            )
            numbers = await change.take(covert=False)
            await change.connection.execute(
                update(ALERTS)
                .where(ALERTS.c.alert_id == alert_id)
                .values(seq=numbers.seq, open_seq=numbers.open_seq)
            )

    async def sectors(self, name: str) -> list[str]:
        """Return the sectors of a unit; none means all."""
        query = select(SECTORS.c.sector).where(SECTORS.c.user == name).order_by(SECTORS.c.sector)
        async with self._database.read() as connection:
            return list((await connection.execute(query)).scalars())

    async def set_sectors(self, name: str, sectors: Iterable[str]) -> None:
        """Give a unit its sectors (zones of cameras) in the place of those it had; none means all."""
        async with self._database.write() as connection:
            await connection.execute(delete(SECTORS).where(SECTORS.c.user == name))
            rows = [{"user": name, "sector": sector} for sector in sorted(set(sectors))]
            if rows:
                await connection.execute(insert(SECTORS), rows)
