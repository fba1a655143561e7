"""Signing in with the zone's own account: OpenID Connect, code flow with PKCE, roles by group.

Somebody who comes in this way is a user of the store whose "password hash" names issuer and subject: no password
fits it, and somebody else of the same name is never taken for them. Their roles are those of their groups at the
latest sign-in; a session lasts no longer than a shift, and notices sooner when the user is changed here.
"""

from __future__ import annotations

import logging
from typing import Any, Final

from authlib.integrations.base_client import OAuthError
from authlib.integrations.starlette_client import OAuth
from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response
from httpx import HTTPError
from joserfc.errors import JoseError
from starlette.exceptions import HTTPException

from console import auth
from console.rooms import store_of, where
from console.sign_in import sign_in_form
from pipeline.alerts.store import User
from pipeline.errors import ConfigurationError
from pipeline.settings import Settings

log = logging.getLogger(__name__)

CALLBACK: Final = "/sign-in/oidc/callback"
_PREFIX: Final = "oidc:"

routes = APIRouter(include_in_schema=False)


def make_client(settings: Settings) -> Any:
    """Make the client of the issuer that the settings name; None where they name none.

    Raises
    ------
    ConfigurationError
        The client id is missing, or a group gives a role that does not exist.
    """
    if not settings.oidc_issuer:
        return None
    if not settings.oidc_client_id:
        raise ConfigurationError("LIK_OIDC_CLIENT_ID is needed beside LIK_OIDC_ISSUER")
    unknown = set(settings.oidc_roles.values()) - auth.ROLES
    if unknown:
        raise ConfigurationError(f"LIK_OIDC_ROLES: no such role: {', '.join(sorted(unknown))}")
    return OAuth().register(
        name="zone",
        server_metadata_url=settings.oidc_issuer.rstrip("/") + "/.well-known/openid-configuration",
        client_id=settings.oidc_client_id,
        client_secret=settings.oidc_client_secret.get_secret_value() or None,
        client_kwargs={"scope": "openid profile", "code_challenge_method": "S256", "timeout": 10},
    )


@routes.get("/sign-in/oidc")
async def begin(request: Request) -> Response:
    """Send the browser to the issuer."""
    client = _client(request)
    base = request.app.state.settings.public_url.rstrip("/") or str(request.base_url).rstrip("/")
    try:
        answer: Response = await client.authorize_redirect(request, base + CALLBACK)
    except (HTTPError, OAuthError, ValueError) as error:
        log.warning("the OIDC issuer does not answer (%s); see LIK_OIDC_ISSUER", type(error).__name__)
        return sign_in_form(request, "sign_in.oidc_failed", 503)
    return answer


@routes.get(CALLBACK)
async def come_back(request: Request) -> Response:
    """Take the issuer's answer, and begin a session for whom it names."""
    client, store, address = _client(request), store_of(request), where(request)
    try:
        claims = dict((await client.authorize_access_token(request))["userinfo"])
    except (HTTPError, OAuthError, JoseError, ValueError, KeyError) as error:
        log.warning("an OIDC sign-in failed (%s)", type(error).__name__)
        await store.audit("", "sign_in.refused", "", why="oidc", where=address)
        return sign_in_form(request, "sign_in.oidc_failed", 401)
    settings = request.app.state.settings
    name, roles = _who(claims, settings)
    mark = f"{_PREFIX}{settings.oidc_issuer} {claims.get('sub', '')}"
    known = await store.get_user(name) if name else None
    if not name or not roles or (known is not None and known.password_hash != mark):
        await store.audit("", "sign_in.refused", name, why="oidc", where=address)
        return sign_in_form(request, "sign_in.oidc_unknown", 403)
    await store.put_user(name, mark, roles)
    auth.begin_session(request, User(name, mark, roles))
    await store.audit(name, "sign_in", name, why="oidc", where=address)
    return RedirectResponse("/", 303)


def _who(claims: dict[str, Any], settings: Settings) -> tuple[str, frozenset[str]]:
    """Return somebody's name here, empty where the claims give none, and their roles."""
    name = claims.get("preferred_username") or claims.get("sub")
    groups = claims.get(settings.oidc_role_claim, [])
    if not isinstance(name, str) or not 0 < len(name) <= 128 or not name.isprintable():
        return "", frozenset()
    listed = groups if isinstance(groups, list) else [groups]
    return name, frozenset(settings.oidc_roles[each] for each in map(str, listed) if each in settings.oidc_roles)


def _client(request: Request) -> Any:
    client = request.app.state.oidc
    if client is None:
        raise HTTPException(404, "no OIDC issuer is set")
    return client
