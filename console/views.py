"""The live page, and what a monitor asks."""

from __future__ import annotations

import asyncio
from typing import Annotated

from fastapi import APIRouter, Depends, Request
from fastapi.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.exceptions import HTTPException

from console import auth
from console.rooms import note, page, rooms_of
from hotlists.entry import Category
from pipeline.alerts.store import Verdict, Viewer

routes = APIRouter(include_in_schema=False)
pages = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)

SignedIn = Annotated[Viewer, Depends(auth.current_user)]


@pages.get("/")
async def live_page(request: Request, user: SignedIn) -> Response:
    """Show the live page, whose alerts come by the stream; who may not see alerts goes to their own page."""
    if not user.roles & auth.MAY_VIEW:
        for _, path in rooms_of(user):
            return RedirectResponse(path, 303)
        raise HTTPException(403, "your role has no page here")
    await note(request, user, "page.view", "live")
    settings = request.app.state.settings
    return page(
        request,
        "live",
        user,
        verdicts=list(Verdict),
        categories=list(Category),
        zones=sorted({camera.area for camera in request.app.state.cameras.values()}),
        may_acknowledge=bool(user.roles & auth.MAY_ACKNOWLEDGE),
        embedded=settings.kafka_in_flight_bytes > 0,
        tiles=settings.console_tiles,
    )


@routes.get("/health")
async def health(request: Request) -> Response:
    """Say what this console reaches; 200 while the store answers, else 503."""
    state = request.app.state
    store, kafka, redis = await asyncio.gather(
        _answers(state.store.last_seq()), state.topic.answers(), _answers(state.redis.ping())
    )
    return JSONResponse({"store": store, "kafka": kafka, "redis": redis}, 200 if store else 503)


@routes.get("/metrics")
async def metrics() -> Response:
    """Give the Prometheus metrics of this process."""
    return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)


async def _answers(question: object) -> bool:
    try:
        await asyncio.wait_for(question, 2.0)  # type: ignore[arg-type]
    except Exception:
        # Whatever it is that goes wrong, the answer to a monitor is the same.
        return False
    return True
