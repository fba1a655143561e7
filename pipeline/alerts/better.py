"""Better reads of what an alert counts already: the same vehicle, read from more frames.

A vehicle is read with its first frame, and again under the same id when the read rests on more of them
(`docs/reading.md`). The same entry then gives the same hit, and that is no second sighting:

- while nobody has judged the alert, the hit is replaced where it stands: text, probability, time and pictures, and
  with them the draft of a report that nobody has touched. The entry stays as it was when the alert was made, for
  by that it was routed and shown; so do claims and all else that people did;
- after a verdict the alert stays as it was judged. What came later is kept beside it, and shown as such;
- one that rests on as many frames or fewer is a replay.

Either change is numbered, so that every page hears of it, and leaves a line in the audit trail.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any, Final

import msgspec
from sqlalchemy import delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from hotlists.entry import Handling
from pipeline import telemetry
from pipeline.alerts.database import Change, Database
from pipeline.alerts.reports import Reports
from pipeline.alerts.tables import ALERTS, LATER_READS, PICTURES, SIGHTINGS
from pipeline.alerts.trail import Deed, Trail
from pipeline.model import Alert, Hit, Sighting, decode, encode

ACTOR: Final = "meldingen"
"""Who did it, on the trail: the alert stage."""


@dataclass(frozen=True, slots=True)
class Bettered:
    """What a better read made of an alert."""

    alert: Alert
    decided: bool
    """True where there was a verdict: the alert is as it was."""


class BetterReads:
    """Takes in better reads of the hits that are in the store."""

    def __init__(self, database: Database, trail: Trail, reports: Reports) -> None:
        self._database = database
        self._trail = trail
        self._reports = reports

    async def take(self, alert_id: str, hit: Hit) -> Bettered | None:
        """Take in a hit that an alert counts already; None where it is no better, and nothing changed."""
        query = select(ALERTS.c.payload, ALERTS.c.verdict, ALERTS.c.covert).where(ALERTS.c.alert_id == alert_id)
        async with self._database.change() as change:
            row = (await change.connection.execute(query)).first()
            # A list that was turned covert must add nothing to what units have already seen.
            if row is None or row.covert is not (hit.entry.handling is Handling.COVERT):
                return None
            alert = decode(row.payload, Alert)
            frames = await _frames(change.connection, alert, hit.hit_id)
            if frames is None or hit.read.frames <= frames:
                return None
            decided = row.verdict is not None
            if decided:
                await _keep_beside(change.connection, alert_id, hit)
                await change.connection.execute(
                    update(ALERTS)
                    .where(ALERTS.c.alert_id == alert_id)
                    .values(**await _numbers(change, row.covert))
                )
            else:
                alert = bettered(alert, hit)
                await self._replace(change, alert, hit, covert=row.covert)
            what = "alert.better_read_after" if decided else "alert.better_read"
            why = f"frames {frames} -> {hit.read.frames}"
            await self._trail.add_within(change.connection, Deed(ACTOR, what, alert_id, why))
        return Bettered(alert, decided)

    async def _replace(self, change: Change, alert: Alert, hit: Hit, *, covert: bool) -> None:
        connection, read = change.connection, hit.read
        values = {
            "payload": encode(alert),
            "last_seen_ns": max(each.captured_at_ns for each in alert.sightings),
            **await _numbers(change, covert),
        }
        if alert.hit.hit_id == hit.hit_id:
            pictures = pictures_of(hit)
            await _put_pictures(connection, alert.alert_id, pictures)
            values |= {f"has_{kind}": True for kind in pictures}
            await self._reports.redraft(connection, alert, pictures)
        await connection.execute(update(ALERTS).where(ALERTS.c.alert_id == alert.alert_id).values(**values))
        await connection.execute(
            update(SIGHTINGS)
            .where(SIGHTINGS.c.hit_id == hit.hit_id)
            .values(plate=read.plate, captured_at_ns=read.captured_at_ns)
        )


def sighting_of(hit: Hit) -> Sighting:
    """Make the sighting that a hit is."""
    read = hit.read
    return Sighting(
        hit_id=hit.hit_id,
        camera=read.camera,
        captured_at_ns=read.captured_at_ns,
        plate=read.plate,
        frames=read.frames,
    )


def in_order(sightings: list[Sighting]) -> list[Sighting]:
    """Put sightings in the order in which an alert has them: oldest first."""
    return sorted(sightings, key=lambda each: (each.captured_at_ns, each.hit_id))


def bettered(alert: Alert, hit: Hit) -> Alert:
    """Put a better read of one of an alert's hits in the place of the one before; without its pictures."""
    sightings = [sighting_of(hit) if each.hit_id == hit.hit_id else each for each in alert.sightings]
    shown = alert.hit
    if shown.hit_id == hit.hit_id:
        shown = msgspec.structs.replace(without_pictures(hit), entry=alert.hit.entry, zone=alert.hit.zone)
    return msgspec.structs.replace(alert, hit=shown, sightings=in_order(sightings))


async def _frames(connection: AsyncConnection, alert: Alert, hit_id: str) -> int | None:
    """Return the most frames that a read of a hit has come with; None where the message has left the hit out."""
    known = [each.frames for each in alert.sightings if each.hit_id == hit_id]
    if alert.hit.hit_id == hit_id:
        known.append(alert.hit.read.frames)
    if not known:
        return None
    later = (await connection.execute(select(LATER_READS.c.frames).where(LATER_READS.c.hit_id == hit_id))).scalar()
    return max(*known, later or 0)


async def _keep_beside(connection: AsyncConnection, alert_id: str, hit: Hit) -> None:
    read = hit.read
    await connection.execute(delete(LATER_READS).where(LATER_READS.c.hit_id == hit.hit_id))
    await connection.execute(
        insert(LATER_READS).values(
            hit_id=hit.hit_id,
            alert_id=alert_id,
            plate=read.plate,
            country=read.country,
            frames=read.frames,
            posterior=hit.posterior,
            at_ns=telemetry.now_ns(),
        )
    )


def pictures_of(hit: Hit) -> dict[str, bytes]:
    """Give the pictures that a hit brings, by kind."""
    both = {"patch": hit.read.patch, "picture": hit.read.picture}
    return {kind: content for kind, content in both.items() if content}


def without_pictures(hit: Hit) -> Hit:
    """Give a hit as the message of an alert has it: its pictures are stored beside."""
    return msgspec.structs.replace(hit, read=msgspec.structs.replace(hit.read, patch=None, picture=None))


async def _put_pictures(connection: AsyncConnection, alert_id: str, pictures: dict[str, bytes]) -> None:
    """Put pictures in the place of those of the same kind; a kind that the better read lacks keeps its own."""
    if not pictures:
        return
    old = (PICTURES.c.alert_id == alert_id) & PICTURES.c.kind.in_(pictures)
    await connection.execute(delete(PICTURES).where(old))
    await connection.execute(insert(PICTURES), picture_rows(alert_id, pictures))


def picture_rows(alert_id: str, pictures: dict[str, bytes]) -> list[dict[str, Any]]:
    """Make the rows of an alert's pictures, by kind."""
    return [
        {
            "alert_id": alert_id,
            "kind": kind,
            "sha256": hashlib.sha256(content).hexdigest(),
            "content": content,
        }
        for kind, content in pictures.items()
    ]


async def _numbers(change: Change, covert: bool) -> dict[str, Any]:
    numbers = await change.take(covert=covert)
    return {"seq": numbers.seq, "open_seq": numbers.open_seq}
