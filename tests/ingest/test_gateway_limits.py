"""The ingest gateway under strain: too much, too many, too slow, and without Kafka."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from pipeline import topics
from pipeline.embedded import EmbeddedBroker, free_port
from pipeline.ingest import gateway
from tests.conftest import BrokerUnderTest, MakeSettings, until
from tests.factories import JPEG
from tests.ingest.gateway_client import FRAME, GOOD, application, connect, problem, server

# Too much, too many, too slow


async def test_a_body_over_the_limit_is_refused_by_its_length(
    embedded_broker: BrokerUnderTest, make_settings: MakeSettings
) -> None:
    async with application(make_settings(embedded_broker, gateway_max_body_bytes=1024)) as (_, client):
        drawn = 0

        async def body() -> AsyncIterator[bytes]:
            nonlocal drawn
            drawn += 1
            yield b"x" * 1025

        for length in ("1025", "9" * 5000):
            answer = await client.post("/ingest/csv", content=body(), headers={"Content-Length": length})
            problem(answer, 413)
            assert answer.headers["connection"] == "close"
        assert drawn == 0
        problem(await client.post("/ingest/csv", content=b"x" * 1024), 400)


async def test_a_chunked_body_over_the_limit_is_not_read_to_its_end(
    embedded_broker: BrokerUnderTest, make_settings: MakeSettings
) -> None:
    async with application(make_settings(embedded_broker, gateway_max_body_bytes=1024)) as (_, client):
        drawn = 0

        async def body() -> AsyncIterator[bytes]:
            nonlocal drawn
            for _ in range(1000):
                drawn += 1
                yield b"x" * 500

        problem(await client.post(FRAME, content=body()), 413)
    assert drawn <= 4


async def test_over_a_socket_a_body_over_the_limit_ends_the_connection(
    embedded_broker: BrokerUnderTest, make_settings: MakeSettings
) -> None:
    settings = make_settings(embedded_broker, gateway_max_body_bytes=1024, gateway_port=free_port())
    async with server(settings):
        reader, writer = await connect(settings, b"Transfer-Encoding: chunked")
        writer.write(b"800\r\n" + b"x" * 2048 + b"\r\n")
        answer = await asyncio.wait_for(reader.read(), 10)
        writer.close()
    assert answer.startswith(b"HTTP/1.1 413")
    assert b"LIK_GATEWAY_MAX_BODY_BYTES" in answer


async def test_one_more_than_there_are_places_is_answered_429(
    embedded_broker: BrokerUnderTest, make_settings: MakeSettings
) -> None:
    async with application(make_settings(embedded_broker, gateway_max_in_flight=1)) as (_, client):
        begun, go_on = asyncio.Event(), asyncio.Event()

        async def body() -> AsyncIterator[bytes]:
            begun.set()
            yield GOOD[:100]
            await go_on.wait()
            yield GOOD[100:]

        slow = asyncio.create_task(client.post("/ingest/rekor", content=body()))
        await begun.wait()
        problem(await client.post("/ingest/rekor", content=GOOD), 429)
        problem(await client.post(FRAME, content=JPEG), 429)
        go_on.set()
        assert (await slow).status_code == 202
        assert (await client.post("/ingest/rekor", content=GOOD)).status_code == 202


async def test_a_body_that_does_not_come_is_not_waited_for(
    embedded_broker: BrokerUnderTest, make_settings: MakeSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A slow loris: the head, a byte, and then nothing."""
    monkeypatch.setattr(gateway, "BODY_TIMEOUT_S", 0.2)
    settings = make_settings(embedded_broker, gateway_max_in_flight=1, gateway_port=free_port())
    async with server(settings) as client:
        reader, writer = await connect(settings, b"Content-Length: 1000")
        writer.write(b"{")
        answer = await asyncio.wait_for(reader.read(), 10)
        writer.close()
        assert answer.startswith(b"HTTP/1.1 408")
        assert (await client.post("/ingest/rekor", content=GOOD)).status_code == 202


async def test_a_sender_that_hangs_up_leaves_its_place(
    embedded_broker: BrokerUnderTest, make_settings: MakeSettings, caplog: pytest.LogCaptureFixture
) -> None:
    settings = make_settings(embedded_broker, gateway_max_in_flight=1, gateway_port=free_port())
    async with server(settings) as client:

        async def status() -> int:
            return (await client.post("/ingest/rekor", content=GOOD)).status_code

        async def taken() -> bool:
            return await status() == 429

        async def left() -> bool:
            return await status() == 202

        _, writer = await connect(settings, b"Content-Length: 1000")
        writer.write(b"{")
        await until(taken, "the sender has its place")
        writer.close()
        await until(left, "its place is free again")
    assert "Traceback" not in caplog.text


async def test_a_frame_larger_than_a_message_is_answered_413_and_the_next_goes(
    embedded_broker: BrokerUnderTest, make_settings: MakeSettings
) -> None:
    settings = make_settings(embedded_broker, kafka_max_message_bytes=65_536, kafka_in_flight_bytes=0)
    async with application(settings) as (_, client):
        found = problem(await client.post(FRAME, content=JPEG + bytes(60_000)), 413)
        assert "LIK_KAFKA_MAX_MESSAGE_BYTES" in found["detail"]
        assert (await client.post(FRAME, content=JPEG)).status_code == 202


# Kafka is away


class Crossing:
    """A port that leads to a broker, to another one, or nowhere."""

    def __init__(self) -> None:
        self.port = free_port()
        self.target = 0

    async def __aenter__(self) -> Crossing:
        self._server = await asyncio.start_server(self._connect, "127.0.0.1", self.port)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if not self.target:
            writer.close()
            return
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self.target)
        await asyncio.gather(self._copy(reader, far_writer), self._copy(far_reader, writer))

    @staticmethod
    async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(65_536):
                writer.write(data)
                await writer.drain()
        except ConnectionError:
            pass
        finally:
            writer.close()


def port_of(broker: EmbeddedBroker) -> int:
    return int(broker.bootstrap.rsplit(":", 1)[1])


async def test_without_kafka_the_gateway_is_up_and_says_503(make_settings: MakeSettings) -> None:
    settings = make_settings(kafka_bootstrap="127.0.0.1:1", gateway_port=free_port())
    async with server(settings) as client:
        problem(await client.post("/ingest/rekor", content=GOOD), 503)
        problem(await client.post(FRAME, content=JPEG), 503)
        problem(await client.post("/ingest/rekor", content=b"{"), 503)
        health = await client.get("/health")
        assert (health.status_code, health.json()) == (503, {"kafka": False})
        assert (await client.get("/metrics")).status_code == 200
        assert (await client.post("/ingest/rekor", headers={"Authorization": "Bearer no"})).status_code == 401


async def test_kafka_that_comes_later_is_found(
    make_settings: MakeSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gateway, "RECONNECT_S", 0.1)
    async with Crossing() as crossing:
        settings = make_settings(
            kafka_bootstrap=f"127.0.0.1:{crossing.port}", kafka_create_topics=False, gateway_port=free_port()
        )
        async with server(settings) as client:
            problem(await client.post("/ingest/rekor", content=GOOD), 503)
            with EmbeddedBroker() as broker:
                crossing.target = port_of(broker)

                async def healthy() -> bool:
                    return (await client.get("/health")).status_code == 200

                await until(healthy, "the gateway finds Kafka")
                assert (await client.post("/ingest/rekor", content=GOOD)).status_code == 202
                assert await topics.group_lag(settings, topics.READS) == 1


async def test_kafka_that_stops_is_503_and_kafka_that_comes_back_elsewhere_is_found(
    make_settings: MakeSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gateway, "ACKNOWLEDGE_TIMEOUT_S", 1.0)
    monkeypatch.setattr(gateway, "RECONNECT_S", 0.1)
    async with Crossing() as crossing:
        settings = make_settings(
            kafka_bootstrap=f"127.0.0.1:{crossing.port}", kafka_create_topics=False, gateway_port=free_port()
        )
        with EmbeddedBroker() as first:
            crossing.target = port_of(first)
            async with server(settings) as client:
                assert (await client.post("/ingest/rekor", content=GOOD)).status_code == 202
                first.stop()
                crossing.target = 0
                problem(await client.post("/ingest/rekor", content=GOOD), 503)
                problem(await client.post("/ingest/rekor", content=b"{}"), 503)
                with EmbeddedBroker() as second:
                    crossing.target = port_of(second)

                    async def taken() -> bool:
                        return (await client.post("/ingest/rekor", content=GOOD)).status_code == 202

                    await until(taken, "the gateway finds the other broker", timeout_s=60)
                    assert await topics.group_lag(settings, topics.READS) == 1


async def test_consumers_that_are_behind_are_503_and_the_connection_stays(
    embedded_broker: BrokerUnderTest, make_settings: MakeSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On the embedded broker the publisher holds back; that is no reason to start its count from nothing."""
    monkeypatch.setattr(gateway, "ACKNOWLEDGE_TIMEOUT_S", 0.5)
    settings = make_settings(embedded_broker, kafka_in_flight_bytes=2_000)
    async with application(settings) as (app, client):
        publisher = app.state.gateway.publisher
        answers = [await client.post("/ingest/rekor", content=GOOD) for _ in range(3)]
        problem(answers[-1], 503)
        async with topics.consumer(settings, topics.READS) as consumer:
            await consumer.getone()
            await consumer.commit()
        assert (await client.post("/ingest/rekor", content=GOOD)).status_code == 202
        assert app.state.gateway.publisher is publisher
