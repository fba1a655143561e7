"""Signing in and out, by name and password."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Request
from fastapi.responses import RedirectResponse, Response

from console import auth
from console.body import form
from console.messages import text
from console.preferences import language_of
from console.rooms import note, store_of, where
from console.web import TEMPLATES
from pipeline.alerts.store import Viewer

routes = APIRouter(include_in_schema=False)

SignedIn = Annotated[Viewer, Depends(auth.current_user)]


@routes.get("/sign-in")
async def sign_in_page(request: Request) -> Response:
    """Show the form; who is signed in already goes on to the live page."""
    if await auth.doorkeeper(request).session_user(request) is not None:
        return RedirectResponse("/", 303)
    return sign_in_form(request, None)


@routes.post("/sign-in")
async def sign_in(request: Request) -> Response:
    """Check a name and a password, and begin a session."""
    if not auth.same_origin(request):
        return sign_in_form(request, "sign_in.foreign", 403)
    given = await form(request, strip=False)
    name, password = given.get("username", "").strip(), given.get("password", "")
    keeper, store, address = auth.doorkeeper(request), store_of(request), where(request)
    wait_s = keeper.throttle.wait_s(name, address)
    if wait_s > 0:
        answer = sign_in_form(request, "sign_in.throttled", 429)
        answer.headers["Retry-After"] = str(int(wait_s) + 1)
        return answer
    # Counted before the work, so that many at once are not all let through.
    keeper.throttle.failed(name, address)
    user = await keeper.check(name, password)
    if user is None:
        # What was typed as a name may be a password: only names that exist are written down.
        known = len(name) <= 128 and "\x00" not in name and await store.get_user(name) is not None
        await store.audit("", "sign_in.refused", name if known else "", where=address)
        return sign_in_form(request, "sign_in.wrong", 401)
    keeper.throttle.succeeded(name, address)
    auth.begin_session(request, user)
    await store.audit(user.name, "sign_in", user.name, where=address)
    return RedirectResponse("/", 303)


@routes.post("/sign-out")
async def sign_out(request: Request, user: SignedIn) -> Response:
    """End the session."""
    auth.check_csrf(request, (await form(request)).get("csrf"))
    request.session.clear()
    await note(request, user, "sign_out", user.name)
    return RedirectResponse("/sign-in", 303)


def sign_in_form(request: Request, problem: str | None, status: int = 200) -> Response:
    """Render the form, with the text of key `problem` above it."""
    sentence = None if problem is None else text(problem, language_of(request))
    return TEMPLATES.TemplateResponse(
        request,
        "sign_in.html",
        {"problem": sentence, "oidc": request.app.state.oidc is not None},
        status_code=status,
    )
