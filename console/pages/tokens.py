"""API tokens, for the chief: made here, shown once, and revoked."""

from __future__ import annotations

import hashlib
import re
import secrets
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Request
from fastapi.responses import RedirectResponse, Response
from starlette.exceptions import HTTPException

from console import auth
from console.body import form
from console.messages import text
from console.preferences import language_of
from console.rooms import enter, note, page, store_of
from console.tokens import SCOPES
from hotlists.people import COVERT_ROLE, COVERT_SCOPE
from pipeline import telemetry
from pipeline.alerts.api_tokens import TokenNameTakenError
from pipeline.alerts.store import Viewer

PERIODS_DAYS: Final = (7, 30, 90, 366)
"""How long a token may hold: none for ever."""
_DAY_NS: Final = 86_400_000_000_000
_NAME: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,31}")

routes = APIRouter(include_in_schema=False)
Visitor = Annotated[Viewer, Depends(enter("tokens"))]


@routes.get("/tokens")
async def tokens_page(request: Request, user: Visitor) -> Response:
    """Show the tokens that there are."""
    await note(request, user, "page.view", "tokens")
    return await _page(request, user)


@routes.post("/tokens")
async def make(request: Request, user: Visitor) -> Response:
    """Make a token, and show it: this once."""
    given = await form(request)
    auth.check_csrf(request, given.get("csrf"))
    name, days = given.get("name", ""), given.get("days", "")
    scopes = {scope for scope in _scopes(user) if scope in given}
    if not _NAME.fullmatch(name) or not scopes or days not in map(str, PERIODS_DAYS):
        return await _page(request, user, problem="tokens.invalid", status=422)
    if name in request.app.state.settings.api_tokens:
        return await _page(request, user, problem="tokens.taken", status=409)
    token = f"lik_{secrets.token_urlsafe(32)}"
    digest = hashlib.sha256(token.encode()).hexdigest()
    expires_at_ns = telemetry.now_ns() + int(days) * _DAY_NS
    tokens = store_of(request).api_tokens
    try:
        await tokens.add(name, digest, scopes, by=user.name, expires_at_ns=expires_at_ns)
    except TokenNameTakenError:
        return await _page(request, user, problem="tokens.taken", status=409)
    await note(request, user, "token.make", name, f"{' '.join(sorted(scopes))}, {days} d")
    return await _page(request, user, made=(name, token))


@routes.post("/tokens/{name}/revoke")
async def revoke(request: Request, name: str, user: Visitor) -> Response:
    """End a token for good."""
    auth.check_csrf(request, (await form(request)).get("csrf"))
    if not _NAME.fullmatch(name) or not await store_of(request).api_tokens.revoke(name, by=user.name):
        raise HTTPException(404, "there is no such token that still holds")
    await note(request, user, "token.revoke", name)
    return RedirectResponse("/tokens", 303)


def _scopes(user: Viewer) -> frozenset[str]:
    """Return what `user` may give a token: what is covert, only who knows of all that is."""
    return SCOPES if COVERT_ROLE in user.roles else SCOPES - {COVERT_SCOPE}


async def _page(
    request: Request, user: Viewer, *, made: tuple[str, str] | None = None, problem: str = "", status: int = 200
) -> Response:
    return page(
        request,
        "tokens",
        user,
        status,
        tokens=await store_of(request).api_tokens.all(),
        in_settings=sorted(request.app.state.settings.api_tokens),
        now_ns=telemetry.now_ns(),
        scopes=sorted(_scopes(user)),
        periods=PERIODS_DAYS,
        made=made,
        problem=text(problem, language_of(request)) if problem else "",
    )
