"""Making a list, and describing it: all that it is besides its entries."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from fastapi.responses import RedirectResponse, Response
from starlette.exceptions import HTTPException

from console.messages import text
from console.pages import hotlists_form as forms
from console.pages import hotlists_shown as shown
from console.pages.hotlists_desk import DeskRoute, at_desk, checked, sheet, wanting
from console.pages.hotlists_words import sentence
from console.preferences import language_of
from console.rooms import enter, note
from hotlists.admin import Name
from hotlists.entry import Handling, Weekday
from hotlists.people import Right
from hotlists.problems import ConflictError, DeskError
from hotlists.shapes import ListShape
from pipeline.alerts.store import Viewer

routes = APIRouter(include_in_schema=False, route_class=DeskRoute)
Visitor = Annotated[Viewer, Depends(enter("hotlists"))]


@routes.get("/hotlists/new")
async def new_page(request: Request, user: Visitor) -> Response:
    """Show the empty form."""
    _need_publish(request, user)
    await note(request, user, "page.view", "hotlists", "new")
    return _page(request, user, forms.empty())


@routes.post("/hotlists/new")
async def make(request: Request, user: Visitor) -> Response:
    """Make a list."""
    _need_publish(request, user)
    fields = await forms.fields_of(request)
    checked(request, {"csrf": forms.first(fields, "csrf")})
    filled = forms.of_fields(fields)
    if forms.change_windows(filled, forms.first(fields, "do")):
        return _page(request, user, filled)
    made, name = forms.read(filled), forms.name_for(filled)
    if not name:
        filled.wrong["name"] = "hotlists.wrong.name"
    if made is None or not name:
        return _page(request, user, filled, status=422)
    desk, actor = at_desk(request, user)
    try:
        await desk.register.create(actor, made.hotlist(name))
    except DeskError as error:
        if error.code == "exists":
            filled.wrong["name"] = "hotlists.code.exists"
        if error.code == "not_named":
            filled.wrong["named_users"] = "hotlists.code.not_named"
        return _page(request, user, filled, problem=sentence(error, language_of(request)), status=error.status)
    return RedirectResponse(f"/hotlists/{name}?done=made", 303)


@routes.get("/hotlists/{name}/edit")
async def edit_page(request: Request, name: Name, user: Visitor) -> Response:
    """Show the form with what a list is."""
    _need_publish(request, user)
    desk, actor = at_desk(request, user)
    shape = await desk.register.show(actor, name)
    return _page(request, user, forms.of_shape(shape), shape)


@routes.post("/hotlists/{name}/edit")
async def edit(request: Request, name: Name, user: Visitor) -> Response:
    """Change what of a list's description is other than it was."""
    _need_publish(request, user)
    fields = await forms.fields_of(request)
    why = checked(request, {each: forms.first(fields, each) for each in ("csrf", "why")})
    desk, actor = at_desk(request, user)
    shape = await desk.register.show(actor, name)
    filled, language = forms.of_fields(fields), language_of(request)
    filled.values["name"] = name
    if forms.change_windows(filled, forms.first(fields, "do")):
        return _page(request, user, filled, shape)
    if forms.first(fields, "seen") != forms.mark(shape):
        problem = text("hotlists.changed_meanwhile", language)
        return _page(request, user, forms.of_shape(shape), shape, problem=problem, status=409)
    made = forms.read(filled)
    if wanting(why, language):
        filled.wrong["why"] = "hotlists.why_needed"
    if made is None or filled.wrong:
        return _page(request, user, filled, shape, status=422)
    try:
        await desk.register.describe(
            actor, name, forms.changes(made, shape), why=why, open_covert="open_covert" in fields
        )
    except ConflictError as error:
        filled.wrong["open_covert"] = "hotlists.code.opens_covert"
        return _page(request, user, filled, shape, problem=sentence(error, language), status=error.status)
    except DeskError as error:
        return _page(request, user, filled, shape, problem=sentence(error, language), status=error.status)
    return RedirectResponse(f"/hotlists/{name}?done=saved", 303)


def _need_publish(request: Request, user: Viewer) -> None:
    """Refuse who may not describe lists before anything is read.

    Raises
    ------
    HTTPException
        403: they may not.
    """
    if Right.PUBLISH not in at_desk(request, user)[1].rights:
        raise HTTPException(403, "your role may not describe lists")


def _page(
    request: Request,
    user: Viewer,
    filled: forms.Filled,
    shape: ListShape | None = None,
    *,
    problem: str = "",
    status: int = 200,
) -> Response:
    cameras = request.app.state.cameras
    # A place that is no longer in the registry stays on the list until somebody takes it off.
    zones = sorted({each.area for each in cameras.values()} | set(filled.zones))
    places = [(each.id, each.name, each.area) for each in sorted(cameras.values(), key=lambda each: each.name)]
    places += [(each, each, "") for each in filled.cameras if each not in cameras]
    values: dict[str, Any] = {
        "list": shape,
        "filled": filled,
        "given": filled.values,
        "wrong": filled.wrong,
        "zones": zones,
        "cameras": places,
        "weekdays": [each.value for each in Weekday],
        "categories": shown.CATEGORIES,
        "priorities": shown.PRIORITIES,
        "handlings": list(Handling),
        "units": list(forms.UNITS_S),
        "seen": "" if shape is None else forms.mark(shape),
        "problem": problem,
    }
    return sheet(request, user, "hotlists_edit.html", status, **values)
