"""From a file to a live version: upload, preview, publish, discard, compare anew."""

from __future__ import annotations

import csv
import io
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import JSONResponse, RedirectResponse, Response

from console import auth
from console.body import form
from console.messages import text
from console.pages import hotlists_shown as shown
from console.pages.hotlists_desk import MAX_WHY, DeskRoute, at_desk, checked, refused, sheet, wanting, whole
from console.pages.hotlists_words import COLUMNS, notes, sentence
from console.preferences import language_of
from console.rooms import enter
from hotlists.admin import Name, Number, problem
from hotlists.exports import spreadsheet_safe
from hotlists.problems import BadRequestError, DeskError
from hotlists.shapes import Kind, NoteShape
from hotlists.uploads import received
from pipeline.alerts.store import Viewer

SHOWN: Final = 100
"""Rejected rows and warnings that the page shows; the file has all that are told apart."""
_CSV: Final = "text/csv; charset=utf-8"

routes = APIRouter(include_in_schema=False)
pages = APIRouter(include_in_schema=False, route_class=DeskRoute)
Visitor = Annotated[Viewer, Depends(enter("hotlists"))]


@routes.post("/hotlists/{name}/staged")
async def upload(
    request: Request,
    name: Name,
    user: Visitor,
    why: Annotated[str, Query(max_length=MAX_WHY)] = "",
    kind: Kind = "full",
) -> Response:
    """Take a file as the page's script sends it, and say where its preview is."""
    auth.check_csrf(request, request.headers.get(auth.CSRF_HEADER))
    desk, actor = at_desk(request, user)
    missing = wanting(why, language_of(request))
    if missing:
        return problem(422, text("error.422", language_of(request)), missing, code="why")
    try:
        # Before the body: an upload that will be refused is not read.
        await desk.staging.check_upload(actor, name)
        async with received(request, request.app.state.settings.upload_max_bytes) as file:
            preview = await desk.staging.upload(actor, name, file, kind=kind, why=why.strip())
    except BadRequestError as error:
        found = [NoteShape(**each) for each in error.more.pop("errors", ())]
        error.more["rows"] = [_row(each, language_of(request)) for each in found[:SHOWN]]
        return refused(request, error)
    except DeskError as error:
        return refused(request, error)
    return JSONResponse({"preview": f"/hotlists/{name}/staged/{preview.number}"}, 201)


def _row(found: NoteShape, language: str) -> str:
    """Write a rejected row in one line."""
    said = notes([found], language)[0]
    place = text("hotlists.row_number", language).format(row=said.row)
    column = f", {_column(said.column, language)}" if said.column else ""
    return f"{place}{column}: {said.reason}" + (f" ({said.value})" if said.value else "")


def _column(name: str, language: str) -> str:
    return text(f"hotlists.column.{name}", language) if name in COLUMNS else name


@pages.get("/hotlists/{name}/staged/{number}")
async def preview_page(request: Request, name: Name, number: Number, user: Visitor) -> Response:
    """Show what publishing a staged version would do, and what stands in the way."""
    return await _page(request, user, name, number)


@pages.get("/hotlists/{name}/staged/{number}/errors.csv")
async def errors(request: Request, name: Name, number: Number, user: Visitor) -> Response:
    """Give the rejected rows as CSV that a spreadsheet opens safely, in the language of the page."""
    desk, actor = at_desk(request, user)
    language = language_of(request)
    found = notes(await desk.staging.errors(actor, name, number), language)
    table = io.StringIO()
    # What the spreadsheets of this country take for a CSV file: a mark that it is UTF-8, and semicolons.
    table.write("\ufeff")
    writer = csv.writer(table, delimiter=";")
    writer.writerow([text(f"hotlists.errors.{each}", language) for each in ("row", "column", "value", "reason")])
    for each in found:
        cells = (_column(each.column, language), each.value, each.reason)
        writer.writerow([str(each.row), *map(spreadsheet_safe, cells)])
    filename = f"{name}-v{number}-" + text("hotlists.errors_file", language) + ".csv"
    headers = {"Content-Disposition": f'attachment; filename="{filename}"'}
    return Response(table.getvalue().encode("utf-8", "replace"), media_type=_CSV, headers=headers)


@pages.post("/hotlists/{name}/staged/{number}/publish")
async def publish(request: Request, name: Name, number: Number, user: Visitor) -> Response:
    """Make a staged version the one that is matched."""
    given = await form(request)
    why = checked(request, given)
    desk, actor = at_desk(request, user)
    language = language_of(request)
    if said := wanting(why, language):
        return await _page(request, user, name, number, said, 422, given=given)
    try:
        await desk.staging.publish(
            actor,
            name,
            number,
            why=why,
            expected_live=whole(given.get("based_on", "")),
            confirm_removed=whole(given.get("confirm_removed", "")),
        )
    except DeskError as error:
        if error.status == 404:
            raise
        return await _page(request, user, name, number, sentence(error, language), error.status, given=given)
    return RedirectResponse(f"/hotlists/{name}?done=published", 303)


@pages.post("/hotlists/{name}/staged/{number}/discard")
async def discard(request: Request, name: Name, number: Number, user: Visitor) -> Response:
    """Remove a staged version that is not to be published."""
    why = checked(request, await form(request))
    if said := wanting(why, language_of(request)):
        return await _page(request, user, name, number, said, 422)
    desk, actor = at_desk(request, user)
    await desk.staging.discard(actor, name, number, why=why)
    return RedirectResponse(f"/hotlists/{name}?done=discarded", 303)


@pages.post("/hotlists/{name}/staged/{number}/refresh")
async def refresh(request: Request, name: Name, number: Number, user: Visitor) -> Response:
    """Compare a staged version anew, with what is live now: under a new number."""
    checked(request, await form(request))
    desk, actor = at_desk(request, user)
    why = text("hotlists.refresh_why", language_of(request))
    again = await desk.staging.refresh(actor, name, number, why=why)
    return RedirectResponse(f"/hotlists/{name}/staged/{again.number}", 303)


async def _page(
    request: Request,
    user: Viewer,
    name: str,
    number: int,
    said: str = "",
    status: int = 200,
    *,
    given: dict[str, str] | None = None,
) -> Response:
    desk, actor = at_desk(request, user)
    language = language_of(request)
    preview = await desk.staging.preview(actor, name, number)
    found = await desk.register.show(actor, name)
    return sheet(
        request,
        user,
        "hotlists_preview.html",
        status,
        **shown.row(found, request.app.state.cameras, language),
        preview=preview,
        errors=notes(preview.errors[:SHOWN], language),
        warnings=notes(preview.warnings[:SHOWN], language),
        columns=COLUMNS,
        bar=shown.bar(preview),
        moved=preview.based_on != (found.live or 0),
        own=preview.by == actor.name,
        given=given or {},
        problem=said,
    )
