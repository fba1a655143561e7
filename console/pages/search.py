"""Searching the alerts: by form, because a plate belongs in no address and no history."""

from __future__ import annotations

from typing import Annotated, Final

from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response
from starlette.exceptions import HTTPException

from console import auth
from console.body import form
from console.messages import text
from console.preferences import language_of
from console.present import alert_row
from console.reach import remember
from console.rooms import enter, note, page, store_of, where
from console.times import from_input, moment
from hotlists.entry import Category, Priority
from pipeline.alerts.search import Page, Pretext, Query, ReasonNeededError
from pipeline.alerts.store import Verdict, Viewer

MAX_FIELD: Final = 200
_PLAIN: Final = ("plate", "hotlist", "camera", "zone", "category", "priority", "verdict")

routes = APIRouter(include_in_schema=False)
Visitor = Annotated[Viewer, Depends(enter("search"))]


@routes.get("/search")
async def search_page(request: Request, user: Visitor) -> Response:
    """Show the empty form."""
    await note(request, user, "page.view", "search")
    return _page(request, user, {})


@routes.post("/search")
async def search(request: Request, user: Visitor) -> Response:
    """Search, and show the form with what was found, or with what must be said first."""
    given = await form(request)
    auth.check_csrf(request, given.get("csrf"))
    if any(len(value) > MAX_FIELD or "\x00" in value for value in given.values()):
        raise HTTPException(400, f"a field is at most {MAX_FIELD} characters, and holds no NUL")
    language = language_of(request)
    try:
        query = Query(
            **{name: given.get(name, "") for name in _PLAIN},
            from_ns=from_input(given.get("from", "")),
            until_ns=from_input(given.get("until", "")),
        )
    except (ValueError, OverflowError):
        return _page(request, user, given, text("search.wrong_time", language), 400)
    if query.verdict not in ("", "none", *(each.value for each in Verdict)):
        raise HTTPException(400, "there is no such verdict")
    pretext = Pretext(given.get("reason", ""), given.get("authorisation", ""), where(request))
    try:
        found = await store_of(request).search.find(query, user, pretext=pretext, after=given.get("after") or None)
    except ReasonNeededError as error:
        sentence = text(f"search.needs_{error.what}", language)
        return _page(request, user, given, sentence.format(moment=moment(error.older_than_ns, language)), 422)
    except ValueError:
        return _page(request, user, given, text("search.wrong_plate", language), 400)
    remember(request, pretext)
    return _page(request, user, given, found=found)


def _page(
    request: Request,
    user: Viewer,
    given: dict[str, str],
    problem: str = "",
    status: int = 200,
    *,
    found: Page | None = None,
) -> Response:
    cameras, language = request.app.state.cameras, language_of(request)
    return page(
        request,
        "search",
        user,
        status,
        given=given,
        problem=problem,
        found=None if found is None else [alert_row(row, cameras, language) for row in found.rows],
        next=None if found is None else found.next,
        cameras=sorted(cameras.values(), key=lambda each: each.name),
        zones=sorted({each.area for each in cameras.values()}),
        categories=list(Category),
        priorities=list(Priority),
        verdicts=list(Verdict),
    )
