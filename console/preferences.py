"""Language and appearance: chosen by a button on every page, remembered in a cookie, no setting of the account.

A desk's screen is shared by a shift; the cookie belongs to the browser, and is there before anybody signs in.
"""

from __future__ import annotations

from functools import partial
from typing import Any, Final

from fastapi import APIRouter
from fastapi.responses import RedirectResponse, Response
from starlette.exceptions import HTTPException
from starlette.requests import HTTPConnection, Request

from console import auth
from console.body import form
from console.messages import LANGUAGES, MESSAGES, preferred, text, texts

THEMES: Final = ("dark", "light")
"""The first is the default: the desk is manned at night."""
YEAR_S: Final = 365 * 24 * 3600
_CHOICES: Final = {"language": LANGUAGES, "theme": THEMES}

routes = APIRouter(include_in_schema=False)


def language_of(connection: HTTPConnection) -> str:
    """Return the language of a request: the chosen one, else what the browser prefers."""
    chosen = connection.cookies.get("language", "")
    return chosen if chosen in MESSAGES else preferred(connection.headers.get("Accept-Language", ""))


def theme_of(connection: HTTPConnection) -> str:
    """Return the appearance of a request."""
    chosen = connection.cookies.get("theme", "")
    return chosen if chosen in THEMES else THEMES[0]


def context(request: Request) -> dict[str, Any]:
    """Give every template its language: ``t(key)`` is a text, ``words(prefix, ...)`` those for the script."""
    language = language_of(request)
    return {
        "t": partial(text, language=language),
        "words": lambda *prefixes: texts(prefixes, language),
        "language": language,
        "languages": LANGUAGES,
        "theme": theme_of(request),
        "themes": THEMES,
        "here": request.url.path,
    }


@routes.post("/preferences")
async def choose(request: Request) -> Response:
    """Remember a language or an appearance, and go back to where the button was."""
    if not auth.same_origin(request):
        raise HTTPException(403, "this form was not sent from a page of ours")
    given = await form(request)
    answer = RedirectResponse(_own_path(given.get("back", "/")), 303)
    for name, choices in _CHOICES.items():
        chosen = given.get(name)
        if chosen in choices:
            secure = request.app.state.settings.console_secure_cookies
            answer.set_cookie(name, chosen, YEAR_S, httponly=True, samesite="lax", secure=secure)
    return answer


def _own_path(given: str) -> str:
    """Return a path of this site, whatever was given: browsers read ``//host`` and ``/\\host`` as another one."""
    plain = given.isascii() and given.isprintable() and "\\" not in given
    return given if plain and given.startswith("/") and not given.startswith("//") else "/"
