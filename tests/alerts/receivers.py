"""A real HTTP server on loopback that takes what is sent to it, and answers as it is told."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from pipeline.embedded import free_port
from pipeline.serve import serve


@dataclass(frozen=True)
class Taken:
    """One request."""

    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Server:
    """Where the server is, what came, and what it answers: one after the other, the last one for ever."""

    port: int
    answers: list[tuple[int, bytes]] = field(default_factory=lambda: [(200, b"{}")])
    taken: list[Taken] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def take(self, request: Request) -> Response:
        self.taken.append(Taken(request.url.path, dict(request.headers), await request.body()))
        status, body = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        return Response(body, status, {"Location": "/elsewhere"} if 300 <= status < 400 else None)


@contextlib.asynccontextmanager
async def http_server() -> AsyncIterator[Server]:
    """Serve on a free port of loopback until the end of the block."""
    server = Server(free_port())
    app = Starlette(routes=[Route("/{path:path}", server.take, methods=["POST", "GET"])])
    stop, ready = asyncio.Event(), asyncio.Event()
    task = asyncio.create_task(serve(app, "127.0.0.1", server.port, stop=stop, ready=ready.set))
    await asyncio.wait_for(ready.wait(), 20)
    try:
        yield server
    finally:
        stop.set()
        await task
