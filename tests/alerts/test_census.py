"""The census on a real broker: whatever falls in between, each message is counted once."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
import pytest
from sqlalchemy import select
from sqlalchemy.exc import OperationalError

from pipeline import telemetry, topics
from pipeline.alerts.camera_book import Advance, CameraBook, Count, FencedError, Slot
from pipeline.alerts.camera_tables import CAMERA_COUNTS
from pipeline.alerts.census import Census
from pipeline.alerts.store import AlertStore
from pipeline.model import PlateRead, RejectReason
from pipeline.settings import Settings
from pipeline.telemetry import Stamp
from pipeline.topics import Publisher
from tests.conftest import BrokerUnderTest, MakeSettings, until
from tests.factories import make_read

CAMERAS = ("cam-1", "cam-2", "cam-3")
S = 1_000_000_000


async def send(settings: Settings, reads: list[PlateRead]) -> None:
    async with Publisher(settings) as publisher:
        for read in reads:
            await publisher.send(topics.READS, read, key=read.camera)
        await publisher.flush()


async def totals(store: AlertStore) -> dict[str, int]:
    now_s = telemetry.now_ns() // S
    found = await store.cameras.totals(now_s - 3600, now_s + 60, 60)
    return {camera: each.reads for camera, each in found.items()}


async def counted(census: Census, store: AlertStore, expected: Mapping[str, int]) -> None:
    async def there() -> bool:
        await census.step()
        await census.flush()
        return await totals(store) == expected

    await until(there, f"{expected} are counted")


async def test_what_comes_of_a_camera_is_counted(
    broker: BrokerUnderTest, make_settings: MakeSettings, store: AlertStore
) -> None:
    settings, now_ns = make_settings(broker), telemetry.now_ns()
    slow = make_read(camera="cam-1", captured_at_ns=now_ns - 9 * S, confidence=0.5)
    fast = make_read("2XYZ789", camera="cam-1", captured_at_ns=now_ns, confidence=1.0)
    fast = msgspec.structs.replace(fast, trail={Stamp.RECEIVED.value: now_ns + 250_000_000})
    silent = make_read("3AAA111", camera="cam-2", confidence=None)
    await send(settings, [slow, fast, silent, make_read(camera="elders"), make_read(camera="nergens")])
    async with Publisher(settings) as publisher:
        await publisher.send_bytes(topics.READS, b"{", key="cam-1")
        for reason in (RejectReason.FROM_THE_FUTURE, RejectReason.NOT_A_PLATE):
            await publisher.reject(reason, "zo", stage="match", camera="cam-1")
        await publisher.flush()
    async with Census(settings, store.cameras, CAMERAS) as census:
        await counted(census, store, {"cam-1": 2, "cam-2": 1, "": 2})

        async def rejected() -> bool:
            await census.step()
            await census.flush()
            return bool(sum(each.rejects for each in (await store.cameras.minutes(0)).get("cam-1", [])))

        await until(rejected, "the rejects are counted")
        await until(census.caught_up, "nothing is left")
    one = (await store.cameras.totals(now_ns // S - 3600, now_ns // S + 60, 60))["cam-1"]
    assert (one.confidence, one.rejects, sum(one.bars)) == (0.75, 2, 2)
    assert one.rejected_share == 0.5
    minutes = (await store.cameras.minutes(0))["cam-1"]
    assert sum(each.future for each in minutes) == 1
    assert min(each.least_lag_ms for each in minutes if each.least_lag_ms is not None) == 250
    assert now_ns - S < (await store.cameras.seen())["cam-1"] < now_ns + 60 * S


async def test_no_plate_is_in_the_book(
    embedded_broker: BrokerUnderTest, make_settings: MakeSettings, store: AlertStore
) -> None:
    settings = make_settings(embedded_broker)
    await send(settings, [make_read("9QQQ666"), make_read("9QQQ666", camera="9QQQ666")])
    async with Census(settings, store.cameras, CAMERAS) as census:
        await counted(census, store, {"cam-1": 1, "": 1})
    async with store.database.read() as connection:
        rows = (await connection.execute(select(CAMERA_COUNTS))).all()
    assert rows
    assert "9QQQ666" not in str(rows)


@pytest.mark.usefixtures("quick_restarts")
async def test_a_fall_before_or_after_the_writing_counts_nothing_twice(
    broker: BrokerUnderTest, make_settings: MakeSettings, store: AlertStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = make_settings(broker)
    expected = dict.fromkeys(CAMERAS, 0)
    for fall in range(6):
        await send(settings, [make_read(f"1ABC{n:03d}", camera=CAMERAS[n % 3]) for n in range(30)])
        expected = {camera: count + 10 for camera, count in expected.items()}
        async with Census(settings, store.cameras, CAMERAS) as census:
            if fall % 3 == 0:
                # Taken, and gone before it was written.
                await until(census.step, "something is taken")
            elif fall % 3 == 1:
                # Written, and gone before Kafka knew.
                monkeypatch.setattr(census._consumer, "commit", _nothing)
                await counted(census, store, expected)
            else:
                await counted(census, store, expected)
    async with Census(settings, store.cameras, CAMERAS) as census:
        await counted(census, store, expected)
        await census.step()
        await census.flush()
    assert await totals(store) == expected


async def _nothing(*args: object) -> None:
    return None


async def test_a_store_that_is_away_loses_nothing(
    embedded_broker: BrokerUnderTest,
    make_settings: MakeSettings,
    store: AlertStore,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    settings, write = make_settings(embedded_broker), CameraBook.add

    async def away(*args: object) -> None:
        raise OperationalError("", {}, Exception("away"))

    # Written by `flush` alone: how long the group takes to give partitions decides nothing.
    monkeypatch.setattr("pipeline.alerts.census.FLUSH_S", 3600.0)
    await send(settings, [make_read(f"1ABC{n:03d}", camera=CAMERAS[n % 3]) for n in range(30)])
    async with Census(settings, store.cameras, CAMERAS) as census:
        monkeypatch.setattr(CameraBook, "add", away)
        await until(census.step, "something is taken")
        with pytest.raises(OperationalError):
            await census.flush()
        monkeypatch.setattr(CameraBook, "add", write)
        await counted(census, store, dict.fromkeys(CAMERAS, 10))


async def test_of_two_that_counted_the_same_one_adds(store: AlertStore) -> None:
    counts = {Slot("cam-1", 600): Count(reads=5, last_ns=1)}
    await store.cameras.add(counts, [Advance("t", 0, None, 5)])
    for begin in (None, 0):
        with pytest.raises(FencedError):
            await store.cameras.add(counts, [Advance("t", 1, None, 9), Advance("t", 0, begin, 5)])
    assert await store.cameras.offset("t", 0) == 5
    assert await store.cameras.offset("t", 1) is None
    await store.cameras.add(counts, [Advance("t", 0, 5, 9)])
    assert (await store.cameras.totals(0, 3600, 12))["cam-1"].bars == (0, 0, 10, *[0] * 9)
    assert await store.cameras.hours(0, 3600) == [("cam-1", 0, 10)]


async def test_a_worker_that_was_overtaken_begins_again_from_the_store(
    embedded_broker: BrokerUnderTest, make_settings: MakeSettings, store: AlertStore
) -> None:
    settings = make_settings(embedded_broker)
    await send(settings, [make_read(f"1ABC{n:03d}") for n in range(10)])
    async with Census(settings, store.cameras, CAMERAS) as census:
        await until(census.step, "something is taken")
        (partition,) = census._next
        # Somebody else counts the first four meanwhile.
        at = census._next[partition] - 6
        ahead = [Advance(partition.topic, partition.partition, None, at)]
        await store.cameras.add({Slot("cam-1", telemetry.now_ns() // S // 60 * 60): Count(reads=4)}, ahead)
        await counted(census, store, {"cam-1": 10})


async def test_a_broker_that_lost_everything_is_counted_from_its_beginning(
    embedded_broker: BrokerUnderTest, make_settings: MakeSettings, store: AlertStore
) -> None:
    settings = make_settings(embedded_broker)
    for partition in range(4):
        await store.cameras.add({}, [Advance(topics.READS, partition, None, 5_000)])
    await send(settings, [make_read(f"1ABC{n:03d}") for n in range(10)])
    async with Census(settings, store.cameras, CAMERAS) as census:
        await counted(census, store, {"cam-1": 10})
