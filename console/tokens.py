"""API tokens: named, with scopes, and known here by their SHA-256 alone.

| scope | allows |
| --- | --- |
| ``alerts:read`` | the newest alerts, open ones alone |
| ``figures:read`` | counts per list and per camera, of open alerts alone |
| ``hotlists:search`` | ask whether a plate is on an open list |
| ``hotlists:load`` | upload and preview; add or remove an entry at once; export |
| ``hotlists:publish`` | publish, roll back; make, describe and archive lists |
| ``hotlists:write`` | both of the last two |
| ``hotlists:covert`` | the others reach covert lists and entries too |
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Awaitable, Callable, Mapping
from typing import Final

from starlette.exceptions import HTTPException
from starlette.requests import Request

from hotlists.people import RIGHTS_OF_SCOPE
from pipeline.alerts.api_tokens import ApiTokens
from pipeline.alerts.store import Viewer
from pipeline.errors import ConfigurationError

SCOPES: Final = frozenset({"alerts:read", "figures:read"} | RIGHTS_OF_SCOPE.keys())


class Tokens:
    """The tokens that the settings name, and those that were made on the page (`console.pages.tokens`).

    Parameters
    ----------
    given
        `Settings.api_tokens`.
    stored
        Those of an open store.

    Raises
    ------
    ConfigurationError
        A token has no SHA-256, or a scope that does not exist.
    """

    def __init__(self, given: Mapping[str, Mapping[str, str]], stored: ApiTokens) -> None:
        self._stored = stored
        self._known: list[tuple[str, str, frozenset[str]]] = []
        for name, token in given.items():
            digest, scopes = token.get("sha256", "").lower(), frozenset(token.get("scopes", "").split())
            if len(digest) != 64 or not set(digest) <= set("0123456789abcdef"):
                raise ConfigurationError(
                    f"LIK_API_TOKENS: {name}: sha256 is 64 hex digits, as sha256sum gives them"
                )
            if not scopes or not scopes <= SCOPES:
                raise ConfigurationError(f"LIK_API_TOKENS: {name}: scopes are some of {', '.join(sorted(SCOPES))}")
            self._known.append((name, digest, scopes))

    async def find(self, token: str) -> tuple[str, frozenset[str]] | None:
        """Return the name and scopes of a token, or None where it is unknown, revoked or expired."""
        digest = hashlib.sha256(token.encode()).hexdigest()
        found = None
        for name, known, scopes in self._known:
            if hmac.compare_digest(digest, known):
                found = (name, scopes)
        if found is not None:
            return found
        stored = await self._stored.find(digest)
        return None if stored is None else (stored.name, stored.scopes)


def bearer(request: Request) -> str | None:
    """Return the bearer token of a request; None where it presents none."""
    scheme, _, given = request.headers.get("Authorization", "").partition(" ")
    return given.strip() if scheme.lower() == "bearer" else None


def scope(wanted: str) -> Callable[[Request], Awaitable[Viewer]]:
    """Make the dependency that lets a token with a scope in, and gives who it sees as.

    A token sees what an operator sees whom no list names: never a covert alert.

    Raises
    ------
    HTTPException
        401: no token, or an unknown one; 403: not that scope.
    """

    async def holder(request: Request) -> Viewer:
        token = bearer(request)
        tokens: Tokens = request.app.state.tokens
        found = None if token is None else await tokens.find(token)
        if found is None:
            raise HTTPException(401, "present an API token", {"WWW-Authenticate": "Bearer"})
        name, scopes = found
        if wanted not in scopes:
            raise HTTPException(403, f"this token lacks the scope {wanted}")
        return Viewer(f"api:{name}", frozenset({"operator"}))

    return holder
