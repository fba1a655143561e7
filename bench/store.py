"""How long the desk's store takes with many alerts in it: `python -m bench.store --alerts 100000`.

Fills a database (SQLite in a temporary folder, or `--url`, an empty one) with alerts of the last 25 days, one in
twenty of them covert, and times what the stage, the console and the desk's worker ask of it. Each figure is held
against is the budget of 250 ms from read to browser, of which the store is one part.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import random
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any, Final

import msgspec
from sqlalchemy import insert, update

from hotlists.entry import Category, Handling, Priority
from pipeline.alerts import rir
from pipeline.alerts.search import Pretext, Query
from pipeline.alerts.store import AlertStore, Verdict, Viewer
from pipeline.alerts.tables import ACKNOWLEDGEMENTS, ALERTS, COUNTER, PICTURES, SIGHTINGS
from pipeline.model import Alert, EntryRef, Hit, PlateRead, ReadKind, Sighting, derive_id, encode
from pipeline.telemetry import Stamp, now_ns

OPERATOR: Final = Viewer("operator", frozenset({"operator"}))
DETECTIVE: Final = Viewer("recherche", frozenset({"operator", "covert"}))
UNIT: Final = Viewer("ploeg", frozenset({"unit"}))
SPAN_NS: Final = 25 * 86_400_000_000_000
HALF_DAY_NS: Final = 43_200_000_000_000
PATCH_BYTES: Final = 1500
ROWS_AT_ONCE: Final = 5000
_LETTERS: Final = "ABCDEFGHIJ"

Row = dict[str, Any]
Work = Callable[[], Awaitable[Any]]


def make_alert(number: int, at_ns: int) -> Alert:
    """Make alert `number`, of a vehicle of its own, captured and created at `at_ns`."""
    letters = "".join(_LETTERS[number // step % 10] for step in (10, 100, 1000))
    plate = f"{number % 10}{letters}{number // 10_000:03d}"
    camera = f"cam-{number % 200}"
    trail = {Stamp.READ_SENT.value: at_ns, Stamp.ALERT_STORED.value: at_ns + 10_000_000}
    identity = derive_id("read", plate, at_ns)
    read = PlateRead(
        read_id=identity, capture_id=identity, camera=camera, captured_at_ns=at_ns, text=plate, plate=plate
    )
    entry = EntryRef(
        entry_id=derive_id("entry", plate),
        plate=plate,
        hotlist=f"lijst-{number % 30}",
        category=list(Category)[number % 11],
        priority=list(Priority)[number % 4],
        handling=Handling.COVERT if number % 20 == 0 else Handling.OPEN,
    )
    hit_id = derive_id("hit", identity)
    hit = Hit(
        hit_id=hit_id,
        read=read,
        entry=entry,
        kind=ReadKind.EXACT,
        edits=0,
        posterior=0.98,
        snapshot_version=1,
        zone=f"zone-{number % 5}",
    )
    return Alert(
        alert_id=derive_id("alert", hit_id),
        hit=hit,
        sightings=[Sighting(hit_id=hit_id, camera=camera, captured_at_ns=at_ns, plate=plate)],
        zone=hit.zone,
        recipients=["lik", "interventie"],
        created_at_ns=at_ns,
        trail=trail,
    )


def _rows(number: int, alert: Alert) -> tuple[Row, Row, Row, Row | None]:
    """Make the rows that an alert is in the store: its own, its sighting, its patch, its verdict if it has one."""
    entry, at_ns = alert.hit.entry, alert.created_at_ns
    covert = entry.handling is Handling.COVERT
    verdict = None if number % 7 == 0 else list(Verdict)[number % 4].value
    released = verdict == Verdict.CONFIRMED.value and not covert
    row: Row = {
        "alert_id": alert.alert_id,
        "seq": number + 1,
        "open_seq": None if covert else number + 1,
        "covert": covert,
        "entry_id": entry.entry_id,
        "zone": alert.zone,
        "last_seen_ns": at_ns,
        "created_at_ns": at_ns,
        "hotlist": entry.hotlist,
        "plate_listed": entry.plate,
        "category": entry.category.value,
        "priority": entry.priority.value,
        "priority_rank": entry.priority.rank,
        "verdict": verdict,
        "released_at_ns": at_ns if released else None,
        "release_round": int(released),
        "has_patch": True,
        "has_picture": False,
        "payload": encode(alert),
    }
    picture = {"alert_id": alert.alert_id, "kind": "patch", "sha256": "0" * 64, "content": bytes(PATCH_BYTES)}
    sighting = {**msgspec.structs.asdict(alert.sightings[0]), "alert_id": alert.alert_id}
    given = {"alert_id": alert.alert_id, "number": 1, "verdict": verdict, "by": "an", "note": "", "at_ns": at_ns}
    return row, sighting, picture, given if verdict else None


async def fill(store: AlertStore, count: int) -> list[Alert]:
    """Put `count` alerts into an empty store; return the last hundred, oldest first."""
    begin_ns = now_ns() - SPAN_NS
    last: list[Alert] = []
    for start in range(0, count, ROWS_AT_ONCE):
        numbers = range(start, min(start + ROWS_AT_ONCE, count))
        alerts = [make_alert(number, begin_ns + number * SPAN_NS // count) for number in numbers]
        last = alerts[-100:]
        made = [_rows(number, alert) for number, alert in zip(numbers, alerts, strict=True)]
        async with store.database.write() as connection:
            for table, column in ((ALERTS, 0), (SIGHTINGS, 1), (PICTURES, 2), (ACKNOWLEDGEMENTS, 3)):
                rows = [row for each in made if (row := each[column]) is not None]
                await connection.execute(insert(table), rows)
    async with store.database.write() as connection:
        await connection.execute(update(COUNTER).values(seq=count, open_seq=count))
    return last


def operations(store: AlertStore, count: int, last: list[Alert]) -> Iterator[tuple[str, int, Work]]:
    """Yield what is timed: its name, how often, and the work."""
    fresh = (make_alert(number, now_ns()) for number in itertools.count(count + 1))
    open_ones = itertools.cycle([each.alert_id for each in last if each.hit.entry.handling is Handling.OPEN])
    known, pretext, half_day_ns = last[-1], Pretext(), now_ns() - HALF_DAY_NS
    search, figures = store.search, store.figures

    async def stage() -> None:
        alert = next(fresh)
        await store.with_hit(alert.hit)
        await store.open_alert(alert.hit, 900_000_000_000)
        await store.record(alert)

    async def reported() -> None:
        alert = next(fresh)
        await store.record(alert, rir.report(alert))

    yield "stage: with_hit, open_alert, record", 300, stage
    yield "record, with a report in the outbox", 200, reported
    yield "with_hit, known", 200, lambda: store.with_hit(known.hit)
    yield "claim", 50, lambda: store.claims.claim(next(open_ones), OPERATOR)
    yield "acknowledge (confirmed)", 50, lambda: store.acknowledge(next(open_ones), Verdict.CONFIRMED, by=OPERATOR)
    yield "get", 100, lambda: store.get(next(open_ones), OPERATOR)
    yield "latest 200", 20, lambda: store.latest(200, OPERATOR)
    yield "changes_since, operator", 20, lambda: store.changes_since(count - 10, user=OPERATOR, limit=50)
    yield "last_seq", 100, lambda: store.last_seq(DETECTIVE)
    yield "search, all, first page", 20, lambda: search.find(Query(), OPERATOR, pretext=pretext)
    yield "search, one plate", 20, lambda: search.find(Query(plate="1ABC003"), OPERATOR, pretext=pretext)
    yield "search, beginning of a plate", 20, lambda: search.find(Query(plate="1AB*"), OPERATOR, pretext=pretext)
    yield "search, end of a plate", 10, lambda: search.find(Query(plate="*003"), OPERATOR, pretext=pretext)
    yield "search, one camera", 20, lambda: search.find(Query(camera="cam-17"), OPERATOR, pretext=pretext)
    yield "hand-over of 12 hours", 10, lambda: figures.hand_over(OPERATOR, since_ns=half_day_ns)
    yield "figures per list, 25 days", 5, lambda: figures.per_list(OPERATOR, since_ns=0)
    yield "figures per camera, 25 days", 5, lambda: figures.per_camera(OPERATOR, since_ns=0)
    yield "figures per stage", 5, lambda: figures.per_stage(OPERATOR, {})
    yield "a unit's page, 12 hours", 20, lambda: store.units.alerts(UNIT, since_ns=half_day_ns)
    yield "worker: deliveries due (none)", 50, lambda: store.deliveries.take_due(now_ns())
    yield "worker: rounds to escalate (none)", 50, lambda: store.deliveries.unanswered(now_ns())
    yield "worker: releases taken back (none)", 50, store.deliveries.withdraw
    yield "audit line", 100, lambda: store.audit("an", "alert.view", "x")


async def measure(url: str, count: int) -> None:
    """Fill and time; print one line per operation."""
    store = AlertStore(url)
    await store.open()
    try:
        began_s = time.perf_counter()
        last = await fill(store, count)
        random.Random(1).shuffle(last)
        print(f"{count} alerts in {time.perf_counter() - began_s:.1f} s")
        print(f"{'operation':40} {'p50 ms':>9} {'p99 ms':>9}")
        for name, times, work in operations(store, count, last):
            lengths = []
            for _ in range(times):
                began_s = time.perf_counter()
                await work()
                lengths.append((time.perf_counter() - began_s) * 1e3)
            lengths.sort()
            print(f"{name:40} {lengths[times // 2]:9.2f} {lengths[round((times - 1) * 0.99)]:9.2f}")
    finally:
        await store.close()


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--alerts", type=int, default=100_000)
    parser.add_argument("--url", default="", help="an empty database; default: SQLite in a temporary folder")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(measure(given.url or f"sqlite+aiosqlite:///{Path(folder) / 'bench.db'}", given.alerts))


if __name__ == "__main__":
    main()
