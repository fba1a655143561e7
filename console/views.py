"""The live page, signing in and out; and what a monitor asks."""

from __future__ import annotations

import asyncio
from typing import Annotated

from fastapi import APIRouter, Depends, Request
from fastapi.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.exceptions import HTTPException

from console import auth
from console.body import form
from console.messages import text
from console.preferences import language_of
from console.rooms import note, page, rooms_of, store_of, where
from console.web import TEMPLATES
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


@pages.get("/sign-in")
async def sign_in_page(request: Request) -> Response:
    """Show the form; who is signed in already goes on to the live page."""
    if await auth.doorkeeper(request).session_user(request) is not None:
        return RedirectResponse("/", 303)
    return _form(request, None)


@pages.post("/sign-in")
async def sign_in(request: Request) -> Response:
    """Check a name and a password, and begin a session."""
    if not auth.same_origin(request):
        return _form(request, "sign_in.foreign", 403)
    given = await form(request, strip=False)
    name, password = given.get("username", "").strip(), given.get("password", "")
    keeper, store, address = auth.doorkeeper(request), store_of(request), where(request)
    wait_s = keeper.throttle.wait_s(name, address)
    if wait_s > 0:
        answer = _form(request, "sign_in.throttled", 429)
        answer.headers["Retry-After"] = str(int(wait_s) + 1)
        return answer
    # Counted before the work, so that many at once are not all let through.
    keeper.throttle.failed(name, address)
    user = await keeper.check(name, password)
    if user is None:
        # What was typed as a name may be a password: only names that exist are written down.
        known = len(name) <= 128 and "\x00" not in name and await store.get_user(name) is not None
        await store.audit("", "sign_in.refused", name if known else "", where=address)
        return _form(request, "sign_in.wrong", 401)
    keeper.throttle.succeeded(name, address)
    auth.begin_session(request, user)
    await store.audit(user.name, "sign_in", user.name, where=address)
    return RedirectResponse("/", 303)


@pages.post("/sign-out")
async def sign_out(request: Request, user: SignedIn) -> Response:
    """End the session."""
    auth.check_csrf(request, (await form(request)).get("csrf"))
    request.session.clear()
    await note(request, user, "sign_out", user.name)
    return RedirectResponse("/sign-in", 303)


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


def _form(request: Request, problem: str | None, status: int = 200) -> Response:
    sentence = None if problem is None else text(problem, language_of(request))
    return TEMPLATES.TemplateResponse(
        request, "sign_in.html", {"problem": sentence, "oidc": False}, status_code=status
    )
