"""The ingest gateway as tests use it: in this process or on a socket, and what it put on its topics."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import httpx
from fastapi import FastAPI

from pipeline import topics
from pipeline.ingest import gateway
from pipeline.model import Message, decode
from pipeline.settings import Settings
from tests.conftest import running
from tests.ingest.feeds.sample_files import sample

M = TypeVar("M", bound=Message)
TOKEN = {"Authorization": "Bearer gateway-token"}
STREAM = sample("platerecognizer-stream.json")
GOOD = sample("rekor-group.json")
FRAME = "/ingest/frame?camera=cam-1&captured_at=2026-03-14T22:04:11%2B01:00"


@asynccontextmanager
async def application(settings: Settings) -> AsyncIterator[tuple[FastAPI, httpx.AsyncClient]]:
    """The application, started, and a sender that has the token."""
    app = gateway.create_app(settings)
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://gateway.test", headers=TOKEN) as client,
    ):
        yield app, client


@asynccontextmanager
async def server(settings: Settings) -> AsyncIterator[httpx.AsyncClient]:
    """The gateway as `lik worker gateway` serves it, on a real socket, and a sender that has the token."""
    async with (
        running(gateway.run, settings),
        httpx.AsyncClient(
            base_url=f"http://{settings.gateway_host}:{settings.gateway_port}", headers=TOKEN, trust_env=False
        ) as client,
    ):
        yield client


async def kept(settings: Settings, topic: str, kind: type[M], count: int) -> list[tuple[str, M]]:
    """The first `count` messages of a topic, each with its key."""
    found: list[tuple[str, M]] = []
    async with topics.consumer(settings, topic, group="none", group_id=None) as consumer:
        while len(found) < count:
            record = await asyncio.wait_for(consumer.getone(), 20)
            found.append((record.key.decode(), decode(record.value, kind)))
    return found


def problem(answer: httpx.Response, status: int) -> dict[str, Any]:
    """Check that an answer is a problem document, and return it."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    body: dict[str, Any] = answer.json()
    assert body["status"] == status
    assert body["type"] == "about:blank"
    assert body["title"]
    assert body["detail"]
    assert body["instance"] == answer.request.url.path
    if status in (429, 503):
        assert int(answer.headers["retry-after"]) >= 1
    return body


async def connect(settings: Settings, *headers: bytes) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Open a connection and send the head of a request that has the token."""
    reader, writer = await asyncio.open_connection(settings.gateway_host, settings.gateway_port)
    head = [b"POST /ingest/rekor HTTP/1.1", b"Host: gateway.test", b"X-Api-Token: gateway-token", *headers]
    writer.write(b"\r\n".join(head) + b"\r\n\r\n")
    await writer.drain()
    return reader, writer
