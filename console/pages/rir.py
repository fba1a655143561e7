"""Information reports (RIR): the list, the text and its codes, sending."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any, Final

import msgspec
from fastapi import APIRouter, Depends, Request
from fastapi.responses import RedirectResponse, Response
from starlette.exceptions import HTTPException

from console import auth
from console.body import form
from console.messages import text
from console.pictures import picture_answer
from console.preferences import language_of
from console.rooms import ROOMS, enter, note, page, rooms_of, store_of
from console.web import TEMPLATES
from pipeline.alerts import pdf
from pipeline.alerts.reports import (
    Report,
    ReportChangedError,
    State,
    Text,
    UnknownReportError,
)
from pipeline.alerts.rir import HandlingCode, InformationEvaluation, SourceEvaluation
from pipeline.alerts.rows import UnknownAlertError
from pipeline.alerts.store import Viewer

MAX_REPORT_BYTES: Final = 262_144
CODES: Final = {
    "source_evaluation": [each.value for each in SourceEvaluation],
    "information_evaluation": [each.value for each in InformationEvaluation],
    "handling_code": [each.value for each in HandlingCode],
}

routes = APIRouter(include_in_schema=False)
Visitor = Annotated[Viewer, Depends(enter("rir"))]


@routes.get("/rir")
async def list_page(request: Request, user: Visitor, state: State | None = None) -> Response:
    """Show the newest reports."""
    await note(request, user, "page.view", "rir")
    store, cameras = store_of(request), request.app.state.cameras
    return page(
        request,
        "rir",
        user,
        reports=await store.reports.all(user, state=state),
        backlog=await store.outbox.backlog(user),
        states=list(State),
        chosen=state,
        cameras=cameras,
    )


@routes.post("/alerts/{alert_id}/rir")
async def make(request: Request, alert_id: str, user: Visitor) -> Response:
    """Draft the report of an alert, or go to the one that there is."""
    _may_write(user)
    auth.check_csrf(request, (await form(request)).get("csrf"))
    try:
        report = await store_of(request).reports.create(alert_id, user)
    except UnknownAlertError:
        raise HTTPException(404, "there is no such alert") from None
    await note(request, user, "rir.create", report.draft.rir_id)
    return RedirectResponse(f"/rir/{report.draft.rir_id}", 303)


@routes.get("/rir/{rir_id}")
async def report_page(request: Request, rir_id: str, user: Visitor, done: str = "") -> Response:
    """Show one report, to read or to edit."""
    report = await _report(request, rir_id, user)
    await note(request, user, "rir.view", rir_id)
    said = {"saved": "rir.saved", "sent": "rir.was_sent"}.get(done)
    return await _page(request, user, report, said=said)


@routes.post("/rir/{rir_id}")
async def save(request: Request, rir_id: str, user: Visitor) -> Response:
    """Store a new version of the text, and send it where that was the button."""
    _may_write(user)
    given = await form(request, MAX_REPORT_BYTES)
    auth.check_csrf(request, given.get("csrf"))
    report = await _report(request, rir_id, user)
    reports = store_of(request).reports
    try:
        written = msgspec.convert({name: given.get(name, "") for name in Text.__struct_fields__}, Text)
        version = int(given.get("version", ""))
        if written != _text_of(report) or version != report.version:
            report = await reports.edit(rir_id, written, by=user, version=version)
            await note(request, user, "rir.edit", rir_id, f"version {report.version}")
        if given.get("do") != "send":
            return RedirectResponse(f"/rir/{rir_id}?done=saved", 303)
        report = await reports.send(rir_id, by=user, version=report.version)
    except ReportChangedError:
        return await _page(request, user, await _report(request, rir_id, user), "rir.conflict", status=409)
    except (ValueError, msgspec.ValidationError):
        return await _page(request, user, report, "rir.invalid", status=422)
    await note(request, user, "rir.send", rir_id, f"version {report.version}")
    return RedirectResponse(f"/rir/{rir_id}?done=sent", 303)


@routes.get("/rir/{rir_id}/attachments/{name}")
async def attachment(request: Request, rir_id: str, name: str, user: Visitor) -> Response:
    """Give an attachment."""
    try:
        content = await store_of(request).reports.attachment(rir_id, name, user)
    except UnknownReportError:
        raise HTTPException(404, "there is no such report or attachment") from None
    await note(request, user, "rir.attachment", rir_id, name)
    return picture_answer(content)


@routes.get("/rir/{rir_id}/report.pdf")
async def as_pdf(request: Request, rir_id: str, user: Visitor) -> Response:
    """Give a report as a PDF, with its pictures."""
    report = await _report(request, rir_id, user)
    reports = store_of(request).reports
    names = [each.name for each in report.draft.attachments]
    pictures = {name: await reports.attachment(rir_id, name, user) for name in names}
    await note(request, user, "rir.pdf", rir_id)
    content = await asyncio.to_thread(pdf.render, report, pictures, reports.wording)
    disposition = f'inline; filename="rir-{rir_id[:8]}.pdf"'
    return Response(content, media_type="application/pdf", headers={"Content-Disposition": disposition})


async def _report(request: Request, rir_id: str, user: Viewer) -> Report:
    try:
        return await store_of(request).reports.get(rir_id, user)
    except UnknownReportError:
        raise HTTPException(404, "there is no such report") from None


async def _page(
    request: Request,
    user: Viewer,
    report: Report,
    problem: str = "",
    *,
    said: str | None = None,
    status: int = 200,
) -> Response:
    language = language_of(request)
    editable = bool(user.roles & auth.MAY_ACKNOWLEDGE) and report.state is not State.QUEUED
    values: dict[str, Any] = {
        "room": "rir",
        "user": user,
        "rooms": rooms_of(user),
        "csrf": auth.csrf_token(request),
        "report": report,
        "draft": report.draft,
        "versions": await store_of(request).reports.versions(report.draft.rir_id, user),
        "codes": CODES,
        "editable": editable,
        "camera": request.app.state.cameras.get(report.draft.camera),
        "problem": text(problem, language) if problem else "",
        "said": text(said, language) if said else "",
        "home": ROOMS["rir"][0],
    }
    return TEMPLATES.TemplateResponse(request, "report.html", values, status_code=status)


def _text_of(report: Report) -> Text:
    return msgspec.convert({name: getattr(report.draft, name) for name in Text.__struct_fields__}, Text)


def _may_write(user: Viewer) -> None:
    if not user.roles & auth.MAY_ACKNOWLEDGE:
        raise HTTPException(403, "your role may not write reports")
