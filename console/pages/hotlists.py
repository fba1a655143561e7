"""The hotlists: which there are and how they stand, one of them with its versions, rolling back, archiving."""

from __future__ import annotations

from typing import Annotated, Final

from fastapi import APIRouter, Depends, Request
from fastapi.responses import RedirectResponse, Response

from console.body import form
from console.messages import text
from console.pages import hotlists_shown as shown
from console.pages.hotlists_desk import DeskRoute, at_desk, checked, sheet, wanting, whole
from console.pages.hotlists_words import sentence
from console.preferences import language_of
from console.rooms import enter, note
from hotlists.admin import Name
from hotlists.people import Right
from hotlists.problems import AwayError, DeskError
from hotlists.shapes import ListShape
from pipeline.alerts.store import Viewer

routes = APIRouter(include_in_schema=False, route_class=DeskRoute)
Visitor = Annotated[Viewer, Depends(enter("hotlists"))]

_SAID: Final = frozenset(("made", "saved", "published", "rolled_back", "archived", "restored", "discarded"))


@routes.get("/hotlists")
async def overview(request: Request, user: Visitor) -> Response:
    """Show the lists that `user` may know of, what needs looking at first; to an engineer, how they stand."""
    desk, actor = at_desk(request, user)
    language, cameras = language_of(request), request.app.state.cameras
    found: list[ListShape] = []
    problem = ""
    if Right.VIEW in actor.rights:
        try:
            found = await desk.register.lists(actor)
        except AwayError as error:
            problem = sentence(error, language)
    else:
        await note(request, user, "page.view", "hotlists")
    rows = [shown.row(each, cameras, language) for each in shown.in_order(found)]
    return sheet(
        request,
        user,
        "hotlists.html",
        503 if problem else 200,
        problem=problem,
        rows=[each for each in rows if not each["list"].archived],
        archived=[each for each in rows if each["list"].archived],
        health=await desk.register.health(actor),
    )


@routes.get("/hotlists/{name}")
async def one(request: Request, name: Name, user: Visitor, done: str = "") -> Response:
    """Show one list: how it stands, what waits to be published, its versions."""
    return await _one(request, user, name, said=f"hotlists.done.{done}" if done in _SAID else "")


@routes.post("/hotlists/{name}/archive")
async def archive(request: Request, name: Name, user: Visitor) -> Response:
    """Take a list out of use."""
    return await _change(request, user, name, "archived")


@routes.post("/hotlists/{name}/restore")
async def restore(request: Request, name: Name, user: Visitor) -> Response:
    """Take an archived list back into use."""
    return await _change(request, user, name, "restored")


@routes.post("/hotlists/{name}/rollback")
async def roll_back(request: Request, name: Name, user: Visitor) -> Response:
    """Make a kept version live again, in one step."""
    return await _change(request, user, name, "rolled_back")


async def _change(request: Request, user: Viewer, name: str, what: str) -> Response:
    """Do what a form of the list's page asks; where that cannot be, say so on that page."""
    given = await form(request)
    why = checked(request, given)
    desk, actor = at_desk(request, user)
    language = language_of(request)
    problem = wanting(why, language)
    if problem:
        return await _one(request, user, name, problem=problem, status=422)
    try:
        if what == "archived":
            await desk.register.archive(actor, name, why=why)
        elif what == "restored":
            await desk.register.restore(actor, name, why=why)
        else:
            # There is no version 0: what is no number is answered as one that is not kept.
            number = whole(given.get("number", "")) or 0
            await desk.staging.roll_back(actor, name, number, why=why, expected_live=whole(given.get("live", "")))
    except DeskError as error:
        if error.status == 404:
            raise
        return await _one(request, user, name, problem=sentence(error, language), status=error.status)
    return RedirectResponse(f"/hotlists/{name}?done={what}", 303)


async def _one(
    request: Request, user: Viewer, name: str, *, problem: str = "", said: str = "", status: int = 200
) -> Response:
    desk, actor = at_desk(request, user)
    language, cameras = language_of(request), request.app.state.cameras
    found = await desk.register.show(actor, name)
    return sheet(
        request,
        user,
        "hotlists_one.html",
        status,
        **shown.row(found, cameras, language),
        versions=[each for each in await desk.register.versions(actor, name) if each.state != "staged"],
        staged=await desk.staging.previews(actor, name),
        upload_bytes=request.app.state.settings.upload_max_bytes,
        problem=problem,
        said=text(said, language) if said else "",
    )
