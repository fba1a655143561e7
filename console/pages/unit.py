"""The units' page: what was released to their sectors, live, and three answers that one thumb can give."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Annotated, Any, Final

import msgspec
from fastapi import APIRouter, Depends, Request
from fastapi.responses import JSONResponse, Response
from sse_starlette import EventSourceResponse, ServerSentEvent
from starlette.exceptions import HTTPException

from console import auth
from console.body import small_body
from console.hub import Hub
from console.pictures import picture_answer
from console.preferences import language_of
from console.present import Cameras, Shown, unit_alert
from console.rooms import enter, note, page, store_of
from console.stream import BEAT_S, RETRY_MS, beat
from pipeline import telemetry
from pipeline.alerts.rows import AlertRow, Answer, UnknownAlertError
from pipeline.alerts.store import AlertStore, Viewer
from pipeline.alerts.viewer import UNIT_ROLE

SHIFT_NS: Final = 12 * 3_600_000_000_000
"""A release is shown for as long as a shift lasts."""
MAX_NOTE: Final = 500
GATHER_S: Final = 0.25
"""Changes that follow one another faster than this reach a phone together."""

routes = APIRouter(include_in_schema=False)
Visitor = Annotated[Viewer, Depends(enter("unit"))]


class AnswerGiven(msgspec.Struct, forbid_unknown_fields=True):
    """Body of an answer."""

    answer: Answer
    note: str = ""


@routes.get("/unit")
async def unit_page(request: Request, user: Visitor) -> Response:
    """Show the page; its alerts come by the stream."""
    await note(request, user, "page.view", "unit")
    sectors = await store_of(request).units.sectors(user.name)
    return page(request, "unit", user, sectors=sectors, answers=list(Answer))


@routes.get("/unit/stream")
async def unit_stream(request: Request, user: Visitor) -> Response:
    """Stream what the unit has to do: each event is the whole list, so that none can be missed."""
    await note(request, user, "unit.stream", "unit")
    state = request.app.state

    async def who() -> Viewer | None:
        now: Viewer | None = await state.doorkeeper.session_user(request)
        return now if now is not None and UNIT_ROLE in now.roles else None

    events = _events(state.hub, state.store, state.cameras, language_of(request), who)
    return EventSourceResponse(events, ping=BEAT_S, ping_message_factory=beat, send_timeout=30, sep="\n")


@routes.get("/unit/alerts/{alert_id}/{kind}.jpg")
async def unit_picture(request: Request, alert_id: str, kind: str, user: Visitor) -> Response:
    """Give the picture of the plate or of the vehicle of an alert that was released to the unit."""
    store = store_of(request)
    row = await _released(store, alert_id, user)
    asked = {"patch": store.patch, "picture": store.picture}.get(kind)
    picture = None if asked is None else await asked(row.alert.alert_id, user)
    if picture is None:
        raise HTTPException(404, "this alert has no such picture")
    await note(request, user, f"{kind}.view", alert_id)
    return picture_answer(picture)


@routes.post("/unit/alerts/{alert_id}/response")
async def respond(request: Request, alert_id: str, user: Visitor) -> Response:
    """Store an answer: ``{"answer": "onderweg", "note": ""}``; every operator sees it at once."""
    auth.check_csrf(request, request.headers.get(auth.CSRF_HEADER))
    try:
        given = msgspec.json.decode(await small_body(request), type=AnswerGiven)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise HTTPException(400, f"not an answer: {error}") from error
    if len(given.note) > MAX_NOTE or "\x00" in given.note:
        raise HTTPException(400, f"note: at most {MAX_NOTE} characters, and no NUL")
    store = store_of(request)
    try:
        await store.units.respond(alert_id, given.answer, by=user, note=given.note)
    except UnknownAlertError:
        raise _no_alert() from None
    request.app.state.hub.nudge()
    await note(request, user, "unit.answer", alert_id, given.answer.value)
    row = await _released(store, alert_id, user)
    return JSONResponse(_shown(row, user, request.app.state.cameras, language_of(request)))


async def _released(store: AlertStore, alert_id: str, user: Viewer) -> AlertRow:
    since_ns = telemetry.now_ns() - SHIFT_NS
    for row in await store.units.alerts(user, since_ns=since_ns):
        if row.alert.alert_id == alert_id:
            return row
    raise _no_alert()


async def _events(
    hub: Hub, store: AlertStore, cameras: Cameras, language: str, who: Callable[[], Awaitable[Viewer | None]]
) -> AsyncIterator[ServerSentEvent]:
    sent: list[Shown] | None = None
    while not hub.closed:
        moves, begun_s = hub.moves, time.monotonic()
        user = await who()
        if user is None:
            yield ServerSentEvent("", event="leave", sep="\n")
            return
        rows = await store.units.alerts(user, since_ns=telemetry.now_ns() - SHIFT_NS)
        shown: list[Any] = [_shown(row, user, cameras, language) for row in rows]
        if shown != sent:
            sent = shown
            data = msgspec.json.encode(shown).decode()
            yield ServerSentEvent(data, event="alerts", retry=RETRY_MS, sep="\n")
        await hub.wait_past(moves)
        spare_s = begun_s + GATHER_S - time.monotonic()
        if spare_s > 0 and not hub.closed:
            await hub.closing(spare_s)


def _shown(row: AlertRow, user: Viewer, cameras: Cameras, language: str) -> Shown:
    return unit_alert(row, user.name, cameras, language)


def _no_alert() -> HTTPException:
    return HTTPException(404, "there is no such alert")
