"""Whether a plate is listed, by whom, why and until when: by form, because a plate belongs in no address."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response

from console.body import form
from console.messages import text
from console.pages.hotlists_desk import MAX_WHY, actor_of, at_desk, checked, wanting
from console.pages.hotlists_words import sentence
from console.preferences import language_of
from console.rooms import enter, note, page
from hotlists.people import Right
from hotlists.problems import DeskError
from hotlists.shapes import Found, FoundAll
from pipeline.alerts.store import Viewer

MAX_PLATE = 80

routes = APIRouter(include_in_schema=False)
Visitor = Annotated[Viewer, Depends(enter("listed"))]


@routes.get("/hotlists/find")
async def find_page(request: Request, user: Visitor) -> Response:
    """Show the empty form."""
    await note(request, user, "page.view", "listed")
    return _page(request, user, {})


@routes.post("/hotlists/find")
async def find(request: Request, user: Visitor) -> Response:
    """Look a plate up, and show the form with what was found."""
    given = await form(request)
    why = checked(request, given)
    desk, actor = at_desk(request, user)
    plate, language = given.get("plate", ""), language_of(request)
    if not plate or len(plate) > MAX_PLATE or "\0" in plate:
        return _page(request, user, given, text("hotlists.find_plate", language), 422)
    if said := wanting(why, language):
        return _page(request, user, given, said, 422)
    try:
        found = await desk.entries.find(actor, plate, why=why)
    except DeskError as error:
        return _page(request, user, given, sentence(error, language), error.status)
    return _page(request, user, given, found=found)


@routes.post("/hotlists/find/remove")
async def remove(request: Request, user: Visitor) -> Response:
    """Take an entry that was found off its list, at once."""
    given = await form(request)
    why = checked(request, given)
    desk, actor = at_desk(request, user)
    plate, country = given.get("plate", "")[:MAX_PLATE], given.get("country", "")[:2]
    language = language_of(request)
    if said := wanting(why, language):
        return _page(request, user, {"plate": plate}, said, 422)
    try:
        await desk.entries.remove(actor, given.get("list", ""), plate, country, why=why)
    except DeskError as error:
        return _page(request, user, {"plate": plate}, sentence(error, language), error.status)
    return _page(request, user, {"plate": plate}, said=text("hotlists.find_removed", language))


def _page(
    request: Request,
    user: Viewer,
    given: dict[str, str],
    problem: str = "",
    status: int = 200,
    *,
    found: FoundAll | None = None,
    said: str = "",
) -> Response:
    rights = actor_of(request, user).rights
    rows: list[Found] = [] if found is None else sorted(found.found, key=lambda each: each.priority.rank)
    return page(
        request,
        "listed",
        user,
        status,
        template="hotlists_find.html",
        given=given,
        problem=problem,
        said=said,
        found=found,
        rows=rows,
        may={each.value: each in rights for each in Right},
        max_why=MAX_WHY,
    )
