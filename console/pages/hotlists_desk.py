"""What the pages of the hotlists have in common: who acts, their frame, what the desk refuses in plain words."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping
from typing import Any, Final

from fastapi.routing import APIRoute
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from console import auth
from console.desk import desk_of
from console.messages import text
from console.pages.hotlists_words import sentence
from console.preferences import language_of
from console.rooms import page, where
from console.web import TEMPLATES
from hotlists.admin import problem
from hotlists.desk import Desk
from hotlists.people import Actor, Right
from hotlists.problems import DeskError
from pipeline.alerts.store import Viewer

MAX_WHY: Final = 500


def actor_of(request: Request, user: Viewer) -> Actor:
    """Return who acts at the desk."""
    return Actor.with_roles(user.name, user.roles, where(request))


def at_desk(request: Request, user: Viewer) -> tuple[Desk, Actor]:
    """Return the desk, and who acts there."""
    return desk_of(request), actor_of(request, user)


def sheet(request: Request, user: Viewer, template: str, status: int = 200, **values: Any) -> Response:
    """Render a page of the hotlists: `may` says what `user` may do there."""
    rights = actor_of(request, user).rights
    may = {each.value: each in rights for each in Right}
    return page(request, "hotlists", user, status, template=template, may=may, max_why=MAX_WHY, **values)


def checked(request: Request, given: Mapping[str, str]) -> str:
    """Check that a form is ours, and return the reason that it gives.

    Raises
    ------
    HTTPException
        403: it is not.
    """
    auth.check_csrf(request, given.get("csrf"))
    return given.get("why", "")[:MAX_WHY]


def wanting(why: str, language: str) -> str:
    """Say that a reason is wanting; empty where `why` is one: it has a letter or a digit."""
    return "" if any(each.isalnum() for each in why) and "\0" not in why else text("hotlists.why_needed", language)


def whole(given: str) -> int | None:
    """Read a whole number as somebody types one, in groups of three or not; None for what is none."""
    plain = given.replace(" ", "").replace("\u202f", "").replace("\xa0", "").replace(".", "")
    return int(plain) if plain.isascii() and plain.isdigit() and len(plain) < 16 else None


def refused(request: Request, error: DeskError) -> JSONResponse:
    """Answer a script with what the desk refuses."""
    said = sentence(error, language_of(request))
    return problem(error.status, error.title, said, code=error.code, **error.more)


class DeskRoute(APIRoute):
    """A page that says what the desk refuses, where the route itself has no better place for it."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Wrap the handler."""
        inner = super().get_route_handler()

        async def handle(request: Request) -> Response:
            try:
                return await inner(request)
            except DeskError as error:
                said = sentence(error, language_of(request))
                values = {"status": error.status, "sentence": said}
                return TEMPLATES.TemplateResponse(request, "error.html", values, status_code=error.status)

        return handle
