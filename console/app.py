"""The web application of the console, and the worker that serves it."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections.abc import AsyncIterator, Callable
from typing import Final

import redis.asyncio as aioredis
from fastapi import APIRouter, Depends, FastAPI
from starlette.middleware.sessions import SessionMiddleware

from console import alerts as alert_routes
from console import api, api_docs, auth, oidc, preferences, sign_in, views
from console.assets import ASSETS
from console.desk import open_desk
from console.hub import Hub, end_claims
from console.pages import PAGES
from console.stream import AlertTopic
from console.tokens import Tokens
from console.web import SafeAnswers, compile_templates, handle_errors
from hotlists import admin
from pipeline.alerts.store import AlertStore
from pipeline.cameras import Camera, load_cameras
from pipeline.serve import serve
from pipeline.settings import Settings
from pipeline.tasks import end_tasks

ROUTERS: Final[tuple[APIRouter, ...]] = (
    preferences.routes,
    sign_in.routes,
    oidc.routes,
    views.pages,
    views.routes,
    *PAGES,
    alert_routes.routes,
    api.routes,
    api_docs.routes,
)
"""Everything that the console answers, but for the admin endpoint of the hotlists and what is static."""

REDIS_TIMEOUT_S: Final = 10.0
"""A Redis that hangs is one that is away."""
REDIS_CONNECT_S: Final = 2.0


def create_app(settings: Settings, *, store: AlertStore | None = None) -> FastAPI:
    """Make the console.

    Parameters
    ----------
    settings
        Where everything is. Without `Settings.console_secret`, sessions end when this process does.
    store
        An open store; None: one of its own on `Settings.database_url`, opened and closed with the application.
    """
    alerts = store if store is not None else AlertStore.of(settings)
    hub = Hub(alerts)

    @contextlib.asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        compile_templates()
        async with contextlib.AsyncExitStack() as stack:
            if store is None:
                await alerts.open()
                stack.push_async_callback(alerts.close)
            stack.push_async_callback(app.state.redis.aclose)
            work = (hub.watch(), end_claims(alerts, hub), app.state.topic.listen(), desk.keep_ready())
            tasks = [asyncio.create_task(each) for each in work]
            stack.push_async_callback(end_tasks, tasks)
            stack.callback(app.state.hub.close)
            yield

    app = FastAPI(
        title="Kruispunt",
        lifespan=lifespan,
        openapi_url="/api/openapi.json",
        docs_url=None,
        redoc_url=None,
    )
    app.state.settings = settings
    app.state.store = alerts
    app.state.hub = hub
    app.state.topic = AlertTopic(settings, hub.nudge)
    app.state.cameras = _cameras(settings)
    app.state.oidc = oidc.make_client(settings)
    app.state.tokens = Tokens(settings.api_tokens, alerts.api_tokens)
    app.state.doorkeeper = auth.Doorkeeper(alerts, settings, app.state.tokens)
    app.state.redis = aioredis.Redis.from_url(
        settings.redis_url, socket_timeout=REDIS_TIMEOUT_S, socket_connect_timeout=REDIS_CONNECT_S
    )
    desk = open_desk(app, alerts)
    authorise = auth.authorise()
    # The router asks who acts on every route; asked here too, a route that forgets to is not left open.
    app.include_router(
        admin.router(lambda: desk, authorise, upload_bytes=settings.upload_max_bytes),
        prefix="/api/hotlists",
        dependencies=[Depends(authorise)],
    )
    for router in ROUTERS:
        app.include_router(router)
    app.add_route("/static/{path:path}", ASSETS.serve)
    app.add_middleware(
        SessionMiddleware,
        secret_key=settings.console_secret.get_secret_value() or secrets.token_urlsafe(32),
        session_cookie="kruispunt",
        max_age=auth.SESSION_S,
        same_site="lax",
        https_only=settings.console_secure_cookies,
    )
    app.add_middleware(SafeAnswers, https_only=settings.console_secure_cookies, tiles=settings.console_tiles)
    handle_errors(app)
    return app


async def run(settings: Settings, *, stop: asyncio.Event, ready: Callable[[], None] = lambda: None) -> None:
    """Serve the console until `stop`; `ready` is called once it listens.

    Raises
    ------
    ConfigurationError
        The address is taken, or the registry of cameras cannot be read.
    """
    app = create_app(settings)
    hub: Hub = app.state.hub

    async def close_streams() -> None:
        # Before the server drains: it would wait for streams that never end by themselves.
        await stop.wait()
        hub.close()

    closing = asyncio.create_task(close_streams())
    try:
        await serve(
            app,
            settings.console_host,
            settings.console_port,
            stop=stop,
            ready=ready,
            trusted_proxies=settings.console_trusted_proxies,
        )
    finally:
        await end_tasks([closing])


def _cameras(settings: Settings) -> dict[str, Camera]:
    """Read the registry, where there is one: without it, a camera shows by its id."""
    return dict(load_cameras(settings.cameras)) if settings.cameras.exists() else {}
