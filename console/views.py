"""The pages, the live stream, the plate patches, the verdicts; and what a monitor asks."""

from __future__ import annotations

import asyncio
import re
from typing import Annotated, Final
from urllib.parse import parse_qs

import msgspec
from fastapi import APIRouter, Depends, Request
from fastapi.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from sse_starlette import EventSourceResponse
from starlette.exceptions import HTTPException

from console import auth
from console.messages import text
from console.present import alert_details, alert_row
from console.stream import BEAT_S, AlertEvents, beat
from console.web import TEMPLATES, small_body
from pipeline.alerts.store import AlertStore, UnknownAlertError, Verdict, Viewer

MAX_NOTE: Final = 2000
MAX_SEQ: Final = 2**62

routes = APIRouter(include_in_schema=False)
pages = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)

SignedIn = Annotated[Viewer, Depends(auth.current_user)]
AlertViewer = Annotated[Viewer, Depends(auth.alert_viewer)]


class VerdictGiven(msgspec.Struct, forbid_unknown_fields=True):
    """Body of an acknowledgement."""

    verdict: Verdict
    note: str = ""


@pages.get("/")
async def live_page(request: Request, user: AlertViewer) -> Response:
    """Show the live page; its alerts come by the stream."""
    await _audit(request, user, "page.view", "live")
    settings = request.app.state.settings
    return TEMPLATES.TemplateResponse(
        request,
        "live.html",
        {
            "user": user,
            "csrf": auth.csrf_token(request),
            "verdicts": list(Verdict),
            "may_acknowledge": bool(user.roles & auth.MAY_ACKNOWLEDGE),
            "embedded": settings.kafka_in_flight_bytes > 0,
        },
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
    form = parse_qs((await small_body(request)).decode("utf-8", "replace"), keep_blank_values=True)
    name, password = form.get("username", [""])[0].strip(), form.get("password", [""])[0]
    keeper, store, where = auth.doorkeeper(request), _store(request), _where(request)
    wait_s = keeper.throttle.wait_s(name, where)
    if wait_s > 0:
        answer = _form(request, "sign_in.throttled", 429)
        answer.headers["Retry-After"] = str(int(wait_s) + 1)
        return answer
    # Counted before the work, so that many at once are not all let through.
    keeper.throttle.failed(name, where)
    user = await keeper.check(name, password)
    if user is None:
        # What was typed as a name may be a password: only names that exist are written down.
        known = len(name) <= 128 and "\x00" not in name and await store.get_user(name) is not None
        await store.audit("", "sign_in.refused", name if known else "", where=where)
        return _form(request, "sign_in.wrong", 401)
    keeper.throttle.succeeded(name, where)
    auth.begin_session(request, user)
    await store.audit(user.name, "sign_in", user.name, where=where)
    return RedirectResponse("/", 303)


@pages.post("/sign-out")
async def sign_out(request: Request, user: SignedIn) -> Response:
    """End the session."""
    form = parse_qs((await small_body(request)).decode("utf-8", "replace"))
    auth.check_csrf(request, form.get("csrf", [""])[0])
    request.session.clear()
    await _audit(request, user, "sign_out", user.name)
    return RedirectResponse("/sign-in", 303)


@routes.get("/alerts/stream")
async def alert_stream(request: Request, user: AlertViewer, since: str = "") -> Response:
    """Stream the alerts as server-sent events, after ``Last-Event-ID`` or ``since`` where given."""
    seq = _seq(request.headers.get("Last-Event-ID") or since)
    await _audit(request, user, "alerts.stream", "live", why="" if seq is None else f"since {seq}")
    state = request.app.state

    async def who() -> Viewer | None:
        now = await state.doorkeeper.session_user(request)
        return now if now is not None and now.roles & auth.MAY_VIEW else None

    events = AlertEvents(state.hub, state.store, state.cameras, who)
    return EventSourceResponse(
        events.after(seq), ping=BEAT_S, ping_message_factory=beat, send_timeout=30, sep="\n"
    )


@routes.get("/alerts/{alert_id}")
async def show_alert(request: Request, alert_id: str, user: AlertViewer) -> Response:
    """Give one alert with all its details."""
    try:
        row = await _store(request).get(alert_id, user)
    except UnknownAlertError:
        raise _no_alert() from None
    await _audit(request, user, "alert.view", alert_id)
    return JSONResponse(alert_details(row, request.app.state.cameras))


@routes.get("/alerts/{alert_id}/patch.jpg")
async def show_patch(request: Request, alert_id: str, user: AlertViewer) -> Response:
    """Give the picture of the plate."""
    try:
        patch = await _store(request).patch(alert_id, user)
    except UnknownAlertError:
        raise _no_alert() from None
    if patch is None:
        raise HTTPException(404, "this alert has no picture of the plate")
    await _audit(request, user, "patch.view", alert_id)
    return Response(patch, media_type="image/jpeg")


@routes.post("/alerts/{alert_id}/acknowledgement")
async def acknowledge(request: Request, alert_id: str, user: AlertViewer) -> Response:
    """Store a verdict on an alert: ``{"verdict": "confirmed", "note": ""}``."""
    auth.check_csrf(request, request.headers.get(auth.CSRF_HEADER))
    if not user.roles & auth.MAY_ACKNOWLEDGE:
        raise HTTPException(403, "your role may not acknowledge alerts")
    try:
        given = msgspec.json.decode(await small_body(request), type=VerdictGiven)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise HTTPException(400, f"not a verdict: {error}") from error
    if len(given.note) > MAX_NOTE or "\x00" in given.note:
        raise HTTPException(400, f"note: at most {MAX_NOTE} characters, and no NUL")
    try:
        row = await _store(request).acknowledge(alert_id, given.verdict, by=user, note=given.note)
    except UnknownAlertError:
        raise _no_alert() from None
    request.app.state.hub.nudge()
    await _audit(request, user, "alert.acknowledge", alert_id, why=given.verdict.value)
    return JSONResponse(alert_row(row, request.app.state.cameras))


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


async def _audit(request: Request, user: Viewer, what: str, target: str, why: str = "") -> None:
    await _store(request).audit(user.name, what, target, why=why, where=_where(request))


def _store(request: Request) -> AlertStore:
    store: AlertStore = request.app.state.store
    return store


def _where(request: Request) -> str:
    return request.client.host if request.client is not None else ""


def _form(request: Request, problem: str | None, status: int = 200) -> Response:
    sentence = None if problem is None else text(problem)
    return TEMPLATES.TemplateResponse(request, "sign_in.html", {"problem": sentence}, status_code=status)


def _no_alert() -> HTTPException:
    # The same for one that never was and one that this user may not know of.
    return HTTPException(404, "there is no such alert")


def _seq(given: str) -> int | None:
    """Read a change number; anything else means: begin anew."""
    if not re.fullmatch(r"[0-9]{1,19}", given):
        return None
    number = int(given)
    return number if number <= MAX_SEQ else None
