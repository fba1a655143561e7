"""Publisher, consumer and lag on each kind of broker."""

from __future__ import annotations

import asyncio

import pytest

from pipeline import topics
from pipeline.embedded import EmbeddedRedis
from pipeline.errors import UnavailableError
from pipeline.model import PlateRead, Reject, RejectReason, decode
from pipeline.topics import Publisher
from tests.conftest import BrokerUnderTest, MakeSettings


def _read(number: int, patch: bytes | None = None) -> PlateRead:
    return PlateRead(
        read_id=str(number), capture_id="c", camera="cam-1", captured_at_ns=1, text="x", plate="X", patch=patch
    )


async def test_what_is_sent_arrives_in_order_and_lag_is_counted(
    broker: BrokerUnderTest, make_settings: MakeSettings
) -> None:
    settings = make_settings(broker)
    async with Publisher(settings) as publisher:
        for number in range(100):
            await publisher.send(topics.READS, _read(number), key="cam-1")
        await publisher.flush()
    assert await topics.group_lag(settings, topics.READS) == 100
    seen: list[str] = []
    async with topics.consumer(settings, topics.READS) as consumer:
        while len(seen) < 100:
            for records in (await consumer.getmany(timeout_ms=1000)).values():
                seen += [decode(record.value, PlateRead).read_id for record in records]
        await consumer.commit()
    assert seen == [str(number) for number in range(100)]
    assert await topics.group_lag(settings, topics.READS) == 0


async def test_a_reject_says_where_it_came_from(broker: BrokerUnderTest, make_settings: MakeSettings) -> None:
    settings = make_settings(broker, reject_payload_bytes=4)
    async with Publisher(settings) as publisher:
        await (await publisher.send_bytes(topics.READS, b"not json at all", key="cam-1"))
        async with topics.consumer(settings, topics.READS) as consumer:
            record = await consumer.getone()
        await publisher.reject(
            RejectReason.UNREADABLE, "no JSON", stage="test", payload=record.value, record=record
        )
        await publisher.flush()
    async with topics.consumer(settings, topics.REJECTS, group="test") as consumer:
        reject = decode((await consumer.getone()).value, Reject)
    assert (reject.topic, reject.partition, reject.offset) == (topics.READS, record.partition, record.offset)
    assert reject.reason is RejectReason.UNREADABLE
    assert reject.payload == b"not "


async def test_the_gate_waits_for_the_consumer(
    embedded_broker: BrokerUnderTest, make_settings: MakeSettings
) -> None:
    settings = make_settings(embedded_broker, kafka_in_flight_bytes=10_000)
    async with Publisher(settings) as publisher:
        await publisher.send(topics.READS, _read(1, b"x" * 6_000), key="cam-1")
        await publisher.flush()
        blocked = asyncio.ensure_future(publisher.send(topics.READS, _read(2, b"x" * 6_000), key="cam-1"))
        done, _ = await asyncio.wait({blocked}, timeout=0.3)
        assert not done
        async with topics.consumer(settings, topics.READS) as consumer:
            await consumer.getone()
            await consumer.commit()
            await asyncio.wait_for(blocked, 10)


async def test_a_message_over_the_limit_is_refused_and_the_next_goes(
    embedded_broker: BrokerUnderTest, make_settings: MakeSettings
) -> None:
    settings = make_settings(embedded_broker, kafka_max_message_bytes=65_536)
    async with Publisher(settings) as publisher:
        with pytest.raises(UnavailableError, match="not taken"):
            await publisher.send(topics.READS, _read(1, b"x" * 100_000), key="cam-1")
        await publisher.send(topics.READS, _read(2), key="cam-1")
        await publisher.flush()
    assert await topics.group_lag(settings, topics.READS) == 1


async def test_what_could_not_be_sent_takes_no_place_for_ever(
    embedded_broker: BrokerUnderTest, make_settings: MakeSettings
) -> None:
    settings = make_settings(embedded_broker, kafka_max_message_bytes=65_536, kafka_in_flight_bytes=150_000)
    async with Publisher(settings) as publisher:
        for number in range(3):
            with pytest.raises(UnavailableError, match="not taken"):
                await publisher.send(topics.READS, _read(number, b"x" * 100_000), key="cam-1")
        # Nobody consumes: had the three kept their places, this one would wait for ever.
        await asyncio.wait_for(publisher.send(topics.READS, _read(4), key="cam-1"), 10)
        await publisher.flush()


async def test_no_broker_is_said_plainly(make_settings: MakeSettings) -> None:
    settings = make_settings(kafka_bootstrap="127.0.0.1:1")
    with pytest.raises(UnavailableError, match="LIK_KAFKA_BOOTSTRAP"):
        async with Publisher(settings):
            pass


def test_redis_keeps_what_it_is_given_a_folder_for(tmp_path: object) -> None:
    import redis

    folder = tmp_path / "redis"  # type: ignore[operator]
    with EmbeddedRedis(folder) as server, redis.Redis.from_url(server.url) as client:
        client.set("a", "b")
    with EmbeddedRedis(folder) as server, redis.Redis.from_url(server.url) as client:
        assert client.get("a") == b"b"
