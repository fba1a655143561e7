"""The urgent single entry, from any page: add a plate, or take one off, live at once.

The dialog's script asks these; a plate is in no address.
"""

from __future__ import annotations

import json
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel, ConfigDict, ValidationError
from starlette.exceptions import HTTPException

from console import auth
from console.body import small_body
from console.messages import text
from console.pages.hotlists_desk import at_desk, refused
from console.preferences import language_of
from console.present import plate_pieces
from console.rooms import enter
from hotlists.admin import problem
from hotlists.entry import Handling
from hotlists.people import Right
from hotlists.problems import DeskError
from hotlists.shapes import MAX_NUMBER, EntryGiven, EntryRemoved, PlateAsked
from pipeline.alerts.store import Viewer

_INSTEAD: Final = {
    ("add", "two_person"): "urgent.two_person",
    ("remove", "no_right"): "urgent.remove_two_person",
}
"""What is said in place of what the desk says elsewhere with the same code."""

routes = APIRouter(include_in_schema=False)
Visitor = Annotated[Viewer, Depends(enter("hotlists"))]


class Asked(BaseModel):
    """What the dialog sends: a list, and what is asked of it."""

    model_config = ConfigDict(extra="forbid")
    list: str
    entry: dict[str, Any]


@routes.get("/urgent/lists")
async def lists(request: Request, user: Visitor) -> Response:
    """Give the lists in use that `user` may know of, the most urgent first."""
    desk, actor = at_desk(request, user)
    if Right.LOAD not in actor.rights:
        raise HTTPException(403, "your role changes no entries")
    try:
        found = await desk.register.lists(actor)
    except DeskError as error:
        return refused(request, error)
    return JSONResponse(
        [
            {
                "name": each.name,
                "title": each.title or each.name,
                "covert": each.handling is Handling.COVERT,
                "two_person": each.two_person,
            }
            for each in sorted(found, key=lambda each: (each.priority.rank, each.title or each.name))
            if not each.archived
        ]
    )


@routes.post("/urgent/add")
async def add(request: Request, user: Visitor) -> Response:
    """Add an entry to what is live."""
    asked = await _asked(request)
    desk, actor = at_desk(request, user)
    try:
        given = EntryGiven(**asked.entry)
        changed = await desk.entries.add(actor, asked.list, given)
    except ValidationError as error:
        return _unfit(request, error)
    except DeskError as error:
        return _refused(request, error, "add")
    return JSONResponse({**changed.model_dump(), **_plate(changed.plate, changed.country)}, 201)


@routes.post("/urgent/find")
async def find(request: Request, user: Visitor) -> Response:
    """Say on which lists a plate is, so that the one to remove can be chosen."""
    asked = await _asked(request)
    desk, actor = at_desk(request, user)
    if Right.LOAD not in actor.rights:
        raise HTTPException(403, "your role changes no entries")
    try:
        wanted = PlateAsked(**asked.entry)
        found = await desk.entries.find(actor, wanted.plate, why=wanted.why)
    except ValidationError as error:
        return _unfit(request, error)
    except DeskError as error:
        return _refused(request, error, "find")
    rows = [
        {
            "list": each.list,
            "title": each.title or each.list,
            "reason": each.entry.reason,
            "until_ms": each.entry.valid_until_ms,
            "given": each.entry.plate,
            **_plate(each.entry.plate, each.entry.country),
        }
        for each in found.found
    ]
    return JSONResponse({"rows": rows, "unread": [each.shown for each in found.unread]})


@routes.post("/urgent/remove")
async def remove(request: Request, user: Visitor) -> Response:
    """Remove an entry from what is live."""
    asked = await _asked(request)
    desk, actor = at_desk(request, user)
    try:
        given = EntryRemoved(**asked.entry)
        changed = await desk.entries.remove(actor, asked.list, given.plate, given.country, why=given.why)
    except ValidationError as error:
        return _unfit(request, error)
    except DeskError as error:
        return _refused(request, error, "remove")
    return JSONResponse({**changed.model_dump(), **_plate(changed.plate, changed.country)})


@routes.get("/urgent/workers")
async def workers(
    request: Request, user: Visitor, version: Annotated[int, Query(ge=0, le=MAX_NUMBER)]
) -> Response:
    """Say how many workers there are, and how many of them hold what was changed."""
    desk, actor = at_desk(request, user)
    try:
        held = await desk.register.workers(actor)
    except DeskError as error:
        return refused(request, error)
    have = sum(each >= version for each in held.values())
    return JSONResponse({"workers": len(held), "have": have})


async def _asked(request: Request) -> Asked:
    """Read what the dialog sends.

    Raises
    ------
    HTTPException
        400: it is no such thing; 403: it is not from a page of ours; 413: it is too large.
    """
    auth.check_csrf(request, request.headers.get(auth.CSRF_HEADER))
    try:
        return Asked(**json.loads(await small_body(request)))
    except (ValueError, TypeError) as error:
        raise HTTPException(400, "the body is not what the dialog sends") from error


def _unfit(request: Request, error: ValidationError) -> JSONResponse:
    """Say which field is wanting."""
    field = str(error.errors()[0]["loc"][0])
    key = (
        "urgent.wanting_plate" if field == "plate" else "urgent.wanting_why" if field == "why" else "urgent.unfit"
    )
    language = language_of(request)
    return problem(422, text("error.422", language), text(key, language), code=field)


def _refused(request: Request, error: DeskError, doing: str) -> JSONResponse:
    key = _INSTEAD.get((doing, error.code))
    if key is None:
        return refused(request, error)
    return problem(error.status, error.title, text(key, language_of(request)), code=error.code)


def _plate(plate: str, country: str) -> dict[str, Any]:
    """A plate as it is on the vehicle, and its country."""
    return {"pieces": plate_pieces(plate, None, country)[1], "country": country}
