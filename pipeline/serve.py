"""Serve an ASGI application inside a worker's own loop, and end it on an event."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Final

import uvicorn

from pipeline.errors import ConfigurationError

DRAIN_S: Final = 1
"""How long requests under way may take to end; event streams never do, and are cut."""


class _Server(uvicorn.Server):
    """uvicorn's server without its signal handlers: the worker has its own."""

    def __init__(self, config: uvicorn.Config, ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._ready = ready

    async def startup(self, sockets: Any = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._ready()

    async def serve_until_told(self) -> None:
        """Serve; where uvicorn would end the process, raise: a task's SystemExit breaks the loop apart."""
        try:
            await self._serve()
        except SystemExit as error:
            address = f"{self.config.host}:{self.config.port}"
            raise ConfigurationError(f"cannot listen on {address}; is another program using it?") from error


async def serve(
    app: Any,
    host: str,
    port: int,
    *,
    stop: asyncio.Event,
    ready: Callable[[], None] = lambda: None,
    trusted_proxies: str = "",
) -> None:
    """Serve `app` on ``host:port`` until `stop` is set.

    Parameters
    ----------
    trusted_proxies
        Addresses or networks, comma separated, whose ``X-Forwarded-For`` is believed.

    Raises
    ------
    ConfigurationError
        The address is taken, or the application does not start.
    """
    config = uvicorn.Config(
        app,
        host=host,
        port=port,
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=DRAIN_S,
        proxy_headers=bool(trusted_proxies),
        forwarded_allow_ips=trusted_proxies,
    )
    server = _Server(config, ready)
    serving = asyncio.ensure_future(server.serve_until_told())
    stopping = asyncio.ensure_future(stop.wait())
    try:
        await asyncio.wait({serving, stopping}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        stopping.cancel()
        server.should_exit = True
    await serving
    if not stop.is_set():
        raise ConfigurationError(f"cannot serve on {host}:{port}; is another program using it?")
