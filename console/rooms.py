"""The pages by role: which there are, who may open them, and what every one of them is given."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Final

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from console import auth
from console.web import TEMPLATES
from pipeline.alerts.store import AlertStore, Viewer
from pipeline.alerts.trail import Deed

ROOMS: Final[dict[str, tuple[str, frozenset[str]]]] = {
    "live": ("/", auth.MAY_VIEW),
    "map": ("/map", auth.MAY_VIEW),
    "search": ("/search", auth.MAY_VIEW),
    "handover": ("/handover", auth.MAY_VIEW),
    "rir": ("/rir", auth.MAY_VIEW),
    "unit": ("/unit", frozenset({"unit"})),
    "statistics": ("/statistics", frozenset({"ops", "chief", "engineer"})),
    "retention": ("/retention", frozenset({"ops", "chief", "auditor"})),
    "tokens": ("/tokens", frozenset({"chief"})),
    "audit": ("/audit", frozenset({"auditor"})),
}
"""Each page's path, and the roles that may open it; what they see there is the store's to say."""


def rooms_of(user: Viewer) -> list[tuple[str, str]]:
    """Return name and path of the pages that `user` may open."""
    return [(name, path) for name, (path, roles) in ROOMS.items() if user.roles & roles]


def enter(room: str) -> Callable[[Request], Awaitable[Viewer]]:
    """Make the dependency that lets into `room` whoever may, and gives who it is.

    Raises
    ------
    HTTPException
        401: nobody is signed in; 403: not their role.
    """
    roles = ROOMS[room][1]

    async def visitor(request: Request) -> Viewer:
        user = await auth.current_user(request)
        if not user.roles & roles:
            raise HTTPException(403, "your role has no access to this")
        return user

    return visitor


def page(request: Request, room: str, user: Viewer, status: int = 200, **values: Any) -> Response:
    """Render the page of `room` for `user`."""
    shared = {"room": room, "user": user, "rooms": rooms_of(user), "csrf": auth.csrf_token(request)}
    return TEMPLATES.TemplateResponse(request, f"{room}.html", {**shared, **values}, status_code=status)


async def note(
    request: Request, user: Viewer, what: str, target: str, why: str = "", *, covert: bool = False
) -> None:
    """Leave a line in the audit trail."""
    await store_of(request).trail.add(Deed(user.name, what, target, why, where(request), covert))


def store_of(request: Request) -> AlertStore:
    """Return the application's store."""
    store: AlertStore = request.app.state.store
    return store


def where(request: Request) -> str:
    """Return the address that a request comes from."""
    return request.client.host if request.client is not None else ""
