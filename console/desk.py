"""The hotlist desk within the console: its lines go to the audit trail of the alerts."""

from __future__ import annotations

from fastapi import FastAPI, Request

from hotlists.desk import Desk
from hotlists.people import Deed
from pipeline.alerts import trail
from pipeline.alerts.store import AlertStore

MAX_WHO = 128


class TrailRecorder:
    """Writes the desk's lines into the audit trail of the store."""

    def __init__(self, store: AlertStore) -> None:
        self._store = store

    async def record(self, deed: Deed) -> None:
        """Write a line, for good, before this returns."""
        await self._store.trail.add(
            trail.Deed(deed.who[:MAX_WHO], deed.what, deed.target, deed.why, deed.where, deed.covert)
        )


def open_desk(app: FastAPI, store: AlertStore) -> Desk:
    """Make the application's desk, on its Redis and with its trail."""
    desk = Desk(app.state.redis, TrailRecorder(store))
    app.state.desk = desk
    return desk


def desk_of(request: Request) -> Desk:
    """Return the application's desk."""
    desk: Desk = request.app.state.desk
    return desk
