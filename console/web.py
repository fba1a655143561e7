"""What every answer of the console has in common: safe headers, small bodies, errors that say what to do."""

from __future__ import annotations

import logging
import traceback
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from fastapi.templating import Jinja2Templates
from redis.exceptions import RedisError
from sqlalchemy.exc import SQLAlchemyError
from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from console import times
from console.assets import ASSETS
from console.messages import text
from console.preferences import context, language_of
from console.present import plate_pieces
from hotlists.admin import problem
from pipeline.errors import UnavailableError

log = logging.getLogger(__name__)

HERE: Final = Path(__file__).parent
TEMPLATES: Final = Jinja2Templates(HERE / "templates", context_processors=[context])
TEMPLATES.env.filters.update(moment=times.moment, iso=times.iso, field=times.for_input)
TEMPLATES.env.globals.update(pieces=plate_pieces, asset=ASSETS.address)

_HEADERS: Final = {
    "Content-Security-Policy": "default-src 'self'; base-uri 'none'; object-src 'none'; form-action 'self'; "
    "frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    # Not no-referrer: browsers would then send "Origin: null" with our own forms.
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
}
_AWAY: Final = (UnavailableError, SQLAlchemyError, RedisError, ConnectionError, TimeoutError)


def compile_templates() -> None:
    """Compile every template now: the first visitor of the night would wait for it."""
    for name in TEMPLATES.env.list_templates():
        TEMPLATES.env.get_template(name)


class SafeAnswers:
    """ASGI middleware: the security headers on every answer, and a plain answer to what went wrong.

    Parameters
    ----------
    app
        The application inside.
    https_only
        Tell browsers to come back over HTTPS alone.
    tiles
        Address of map tiles; pictures may come from its host as well.
    """

    def __init__(self, app: ASGIApp, *, https_only: bool = False, tiles: str = "") -> None:
        self._app = app
        self._headers = dict(_HEADERS)
        if tiles:
            host = urlsplit(tiles)
            self._headers["Content-Security-Policy"] += f"; img-src 'self' {host.scheme}://{host.netloc}"
        if https_only:
            self._headers["Strict-Transport-Security"] = "max-age=31536000"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = False

        async def send_safely(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                headers = MutableHeaders(scope=message)
                for name, value in self._headers.items():
                    headers[name] = value
                headers.setdefault("Cache-Control", "no-store")
            await send(message)

        try:
            await self._app(scope, receive, send_safely)
        except Exception as error:
            if started:
                raise
            # The message of a database error may hold a plate: its type and its place must do.
            where = "".join(traceback.format_tb(error.__traceback__)[-3:])
            log.error("%s %s: %s\n%s", scope["method"], scope["path"], type(error).__name__, where)
            status = 503 if isinstance(error, _AWAY) else 500
            await _answer(Request(scope), status, "")(scope, receive, send_safely)


def handle_errors(app: FastAPI) -> None:
    """Make errors plain: a page in their language for a person, problem+json (RFC 9457) for a program."""

    @app.exception_handler(HTTPException)
    async def on_http(request: Request, error: HTTPException) -> Response:
        if error.status_code == 401 and _is_page(request):
            return RedirectResponse("/sign-in", 303)
        answer = _answer(request, error.status_code, str(error.detail))
        for name, value in (error.headers or {}).items():
            answer.headers[name] = value
        return answer

    @app.exception_handler(RequestValidationError)
    async def on_invalid(request: Request, error: RequestValidationError) -> Response:
        found = [f"{'.'.join(str(part) for part in each['loc'])}: {each['msg']}" for each in error.errors()]
        return _answer(request, 422, "; ".join(found))


def _is_page(request: Request) -> bool:
    path = request.url.path
    if path.endswith((".json", ".jpg", ".pdf", "/stream")):
        return False
    return not path.startswith(("/api/", "/alerts", "/unit/", "/map/", "/health", "/metrics", "/static/"))


def _answer(request: Request, status: int, detail: str) -> Response:
    key = f"error.{status}" if f"error.{status}" in _KNOWN else "error.500"
    sentence = text(key, language_of(request))
    if _is_page(request):
        return TEMPLATES.TemplateResponse(
            request, "error.html", {"status": status, "sentence": sentence}, status_code=status
        )
    answer: JSONResponse = problem(status, sentence, detail or sentence)
    return answer


_KNOWN: Final = {f"error.{status}" for status in (400, 401, 403, 404, 405, 409, 413, 422, 429, 500, 503)}
