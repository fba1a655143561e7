"""What the live page asks for: the stream, one alert, its pictures; and what operators do to it."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from typing import Annotated, Final, TypeVar

import msgspec
from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import JSONResponse, Response
from sse_starlette import EventSourceResponse
from starlette.exceptions import HTTPException

from console import auth
from console.body import small_body
from console.deliveries import delivery_line
from console.hub import as_json
from console.messages import text
from console.pictures import picture_answer
from console.preferences import language_of
from console.present import Shown, alert_details, alert_row, verdict_line
from console.reach import free_from_ns, why
from console.rooms import note, store_of
from console.stream import BEAT_S, AlertEvents, beat, newest
from hotlists.admin import problem
from pipeline.alerts.claims import ClaimedError, OutdatedError
from pipeline.alerts.pairs import TruePlateError, true_plate
from pipeline.alerts.rows import LookedAt, Remark
from pipeline.alerts.store import AlertRow, UnknownAlertError, User, Verdict, Viewer
from pipeline.model import LAST_NS

MAX_NOTE: Final = 2000
MAX_SEQ: Final = 2**62
MAX_OLDER: Final = 500
LAST_MS: Final = LAST_NS // 1_000_000

routes = APIRouter(include_in_schema=False)

AlertViewer = Annotated[Viewer, Depends(auth.alert_viewer)]
T = TypeVar("T", bound=msgspec.Struct)


class VerdictGiven(msgspec.Struct, forbid_unknown_fields=True):
    """Body of an acknowledgement."""

    verdict: Verdict
    note: str = ""
    true_plate: str = ""
    """What is on the plate, with the verdict ``misread`` alone; empty where that is not known."""
    seen: int | None = None
    """Number of the verdict that was looked at, 0 for none; without it, whatever there is, is overruled."""
    plate: str | None = None
    """The read that was looked at; without it, whatever was read is judged."""
    take_over: bool = False
    """Judge it although somebody else is handling it."""


class ClaimAsked(msgspec.Struct, forbid_unknown_fields=True):
    """Body of a claim."""

    take_over: bool = False


@routes.get("/alerts/stream")
async def alert_stream(request: Request, user: AlertViewer, since: str = "") -> Response:
    """Stream the alerts as server-sent events, after ``Last-Event-ID`` or ``since`` where given."""
    seq = _seq(request.headers.get("Last-Event-ID") or since)
    await note(request, user, "alerts.stream", "live", "" if seq is None else f"since {seq}")
    state = request.app.state

    async def who(people: Mapping[str, User] | None) -> Viewer | None:
        now: Viewer | None = await state.doorkeeper.session_user(request, people)
        return now if now is not None and now.roles & auth.MAY_VIEW else None

    events = AlertEvents(state.hub, state.store, state.cameras, language_of(request), who)
    return EventSourceResponse(
        events.after(seq), ping=BEAT_S, ping_message_factory=beat, send_timeout=30, sep="\n"
    )


@routes.get("/alerts/newest")
async def newest_alerts(request: Request, user: AlertViewer) -> Response:
    """Give what the page begins with, and the change number after which its stream goes on.

    The page asks for it before its scripts are there: the list is drawn as soon as they are.
    """
    store, state = store_of(request), request.app.state
    # The number first: what comes in between is then sent twice rather than never.
    seq = await store.last_seq(user)
    shown, _ = await asyncio.gather(
        newest(store, user, state.cameras, language_of(request)), note(request, user, "alerts.list", "live")
    )
    return Response(as_json({"seq": seq, "alerts": shown}), media_type="application/json")


@routes.get("/alerts")
async def older(
    request: Request,
    user: AlertViewer,
    before_ms: Annotated[int, Query(ge=0, le=LAST_MS)],
    limit: Annotated[int, Query(ge=1, le=MAX_OLDER)] = 100,
) -> Response:
    """Give the newest alerts that were made before a moment, as far back as needs no reason."""
    rows = await store_of(request).latest(limit, user, before_ns=before_ms * 1_000_000)
    await note(request, user, "alerts.list", "live", f"before {before_ms}")
    oldest_ns = free_from_ns(request)
    return JSONResponse([_row(request, row) for row in rows if row.alert.created_at_ns >= oldest_ns])


@routes.get("/alerts/{alert_id}")
async def show_alert(request: Request, alert_id: str, user: AlertViewer) -> Response:
    """Give one alert with all its details."""
    store, cameras, language = store_of(request), request.app.state.cameras, language_of(request)
    try:
        row = await store.get(alert_id, user)
        told = await store.deliveries.of_alert(alert_id, user)
        given = await store.claims.history(alert_id, user)
    except UnknownAlertError:
        raise _no_alert() from None
    await note(request, user, "alert.view", alert_id, why(request, user, row.alert))
    return JSONResponse(
        {
            **alert_details(row, cameras, language),
            "deliveries": [delivery_line(each, language) for each in told],
            "earlier": [verdict_line(row, each, language) for each in reversed(given[:-1])],
        }
    )


@routes.get("/alerts/{alert_id}/{kind}.jpg")
async def show_picture(request: Request, alert_id: str, kind: str, user: AlertViewer) -> Response:
    """Give the picture of the plate (``patch``) or of the vehicle (``picture``)."""
    store = store_of(request)
    asked = {"patch": store.patch, "picture": store.picture}.get(kind)
    if asked is None:
        raise _no_alert()
    try:
        reason = why(request, user, (await store.get(alert_id, user)).alert)
        picture = await asked(alert_id, user)
    except UnknownAlertError:
        raise _no_alert() from None
    if picture is None:
        raise HTTPException(404, f"this alert has no {kind}")
    await note(request, user, f"{kind}.view", alert_id, reason)
    return picture_answer(picture)


@routes.post("/alerts/{alert_id}/acknowledgement")
async def acknowledge(request: Request, alert_id: str, user: AlertViewer) -> Response:
    """Store a verdict on an alert: ``{"verdict": "misread", "note": "", "true_plate": "1-ABC-128"}``."""
    given = await _deed(request, user, VerdictGiven)
    if len(given.note) > MAX_NOTE or "\x00" in given.note + given.true_plate:
        raise HTTPException(400, f"note: at most {MAX_NOTE} characters, and no NUL")
    try:
        plate = true_plate(given.true_plate)
        row = await store_of(request).acknowledge(
            alert_id,
            given.verdict,
            by=user,
            remark=Remark(given.note, plate),
            looked_at=LookedAt(given.seen, given.plate),
            take_over=given.take_over,
        )
    except UnknownAlertError:
        raise _no_alert() from None
    except ClaimedError as error:
        return _claimed(error)
    except OutdatedError:
        return JSONResponse({"status": 409, "detail": "there has been another verdict or read since"}, 409)
    except TruePlateError as error:
        language = language_of(request)
        sentence = text(f"misread.wrong.{error.code}", language)
        return problem(422, text("error.422", language), sentence, code=error.code)
    # Not which: the trail is kept for years, the plate of who was only driving by goes with the alert.
    told = f"{given.verdict.value}, true plate given" if plate else given.verdict.value
    return await _done(request, user, row, "alert.acknowledge", told)


@routes.post("/alerts/{alert_id}/claim")
async def claim(request: Request, alert_id: str, user: AlertViewer) -> Response:
    """Take an alert in hand: ``{"take_over": false}``."""
    asked = await _deed(request, user, ClaimAsked)
    store = store_of(request)
    try:
        await store.claims.claim(alert_id, user, take_over=asked.take_over)
        row = await store.get(alert_id, user)
    except UnknownAlertError:
        raise _no_alert() from None
    except ClaimedError as error:
        return _claimed(error)
    return await _done(request, user, row, "alert.claim", "take over" if asked.take_over else "")


@routes.post("/alerts/{alert_id}/release")
async def release(request: Request, alert_id: str, user: AlertViewer) -> Response:
    """Give an alert out of hand."""
    await _deed(request, user, None)
    store = store_of(request)
    try:
        await store.claims.release(alert_id, user)
        row = await store.get(alert_id, user)
    except UnknownAlertError:
        raise _no_alert() from None
    return await _done(request, user, row, "alert.release", "")


async def _deed(request: Request, user: Viewer, kind: type[T] | None) -> T:
    """Let through who may act, and read what they ask for.

    Raises
    ------
    HTTPException
        400: not of that kind; 403: not their role, or no CSRF token.
    """
    auth.check_csrf(request, request.headers.get(auth.CSRF_HEADER))
    if not user.roles & auth.MAY_ACKNOWLEDGE:
        raise HTTPException(403, "your role may not acknowledge alerts")
    body = await small_body(request)
    try:
        return msgspec.json.decode(body, type=kind) if kind is not None else None  # type: ignore[return-value]
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise HTTPException(400, f"not what is asked for: {error}") from error


async def _done(request: Request, user: Viewer, row: AlertRow, what: str, why: str) -> Response:
    request.app.state.hub.nudge()
    await note(request, user, what, row.alert.alert_id, why)
    return JSONResponse(_row(request, row))


def _row(request: Request, row: AlertRow) -> Shown:
    return alert_row(row, request.app.state.cameras, language_of(request))


def _claimed(error: ClaimedError) -> Response:
    return JSONResponse({"status": 409, "detail": str(error), "claimed_by": error.claim.by}, 409)


def _no_alert() -> HTTPException:
    # The same for one that never was and one that this user may not know of.
    return HTTPException(404, "there is no such alert")


def _seq(given: str) -> int | None:
    """Read a change number; anything else means: begin anew."""
    if not re.fullmatch(r"[0-9]{1,19}", given):
        return None
    number = int(given)
    return number if number <= MAX_SEQ else None
