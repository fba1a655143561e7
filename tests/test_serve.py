"""Serving inside a worker: whose word is taken for where a request comes from."""

from __future__ import annotations

import asyncio

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from pipeline.embedded import free_port
from pipeline.errors import ConfigurationError
from pipeline.serve import serve


async def _who(request: Request) -> Response:
    return PlainTextResponse(request.client.host if request.client else "")


APP = Starlette(routes=[Route("/", _who)])


@pytest.mark.parametrize(
    ("trusted", "seen"), [("", "127.0.0.1"), ("10.0.0.1", "127.0.0.1"), ("127.0.0.0/8", "192.0.2.7")]
)
async def test_only_a_trusted_proxy_says_where_from(trusted: str, seen: str) -> None:
    port = free_port()
    stop, ready = asyncio.Event(), asyncio.Event()
    serving = asyncio.create_task(
        serve(APP, "127.0.0.1", port, stop=stop, ready=ready.set, trusted_proxies=trusted)
    )
    await asyncio.wait_for(ready.wait(), 20)
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:
        answer = await client.get("/", headers={"X-Forwarded-For": "192.0.2.7"})
    assert answer.text == seen
    stop.set()
    await serving


async def test_a_port_that_is_taken_is_said() -> None:
    port = free_port()
    stop, ready = asyncio.Event(), asyncio.Event()
    serving = asyncio.create_task(serve(APP, "127.0.0.1", port, stop=stop, ready=ready.set))
    await asyncio.wait_for(ready.wait(), 20)
    with pytest.raises(ConfigurationError, match=f"127.0.0.1:{port}"):
        await serve(APP, "127.0.0.1", port, stop=asyncio.Event())
    stop.set()
    await serving
