"""Who is there: passwords, the session cookie, the CSRF token, throttled sign-in, the admin endpoint's actor."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import secrets
import time
from collections import defaultdict, deque
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlsplit

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from starlette.exceptions import HTTPException
from starlette.requests import HTTPConnection, Request

from console.tokens import Tokens, bearer
from hotlists.people import Actor, Right
from pipeline.alerts.store import AlertStore, User, Viewer
from pipeline.errors import ConfigurationError
from pipeline.settings import Settings

ROLES: Final = frozenset({"operator", "ops", "chief", "unit", "auditor", "engineer", "covert"})
MAY_VIEW: Final = frozenset({"operator", "ops", "chief", "auditor", "covert"})
"""Roles that may open the live page; what they see there is the store's to say."""
MAY_ACKNOWLEDGE: Final = frozenset({"operator", "ops", "chief", "covert"})

SESSION_S: Final = 12 * 3600
"""A session ends with the shift, however busy it was."""
MAX_PASSWORD: Final = 1024
CSRF_HEADER: Final = "X-CSRF-Token"

_HASHER: Final = PasswordHasher()
# Somebody unknown is given the same work as somebody known, so that time tells nothing.
_NOBODY: Final = _HASHER.hash(secrets.token_hex(16))
# A hash takes 64 MiB: a flood of sign-ins must not take the memory.
_HASHING: Final = 2


def hash_password(password: str) -> str:
    """Hash a password with argon2id."""
    return _HASHER.hash(password)


async def ensure_user(store: AlertStore, name: str, password: str, roles: Iterable[str]) -> None:
    """Add a user who may sign in, or replace their password and roles.

    Raises
    ------
    ConfigurationError
        The name is empty or longer than 128 characters, the password is empty or too long, a role is unknown.
    """
    chosen = set(roles)
    if not name.strip() or len(name) > 128:
        raise ConfigurationError("a user's name has 1 to 128 characters")
    if not password or len(password) > MAX_PASSWORD:
        raise ConfigurationError(f"a password has 1 to {MAX_PASSWORD} characters")
    if not chosen <= ROLES:
        unknown = ", ".join(sorted(chosen - ROLES))
        raise ConfigurationError(f"unknown role: {unknown}; there are {', '.join(sorted(ROLES))}")
    hashed = await asyncio.to_thread(hash_password, password)
    await store.put_user(name, hashed, chosen)


@dataclass
class Throttle:
    """Counts failed sign-ins in memory, and says who has to wait.

    Three counts: of a name from an address (guessing), of a name from anywhere (guessing from many places), and
    of an address (trying many names). All of them forget after `window_s`.
    """

    window_s: float = 300.0
    per_pair: int = 5
    per_name: int = 50
    per_address: int = 100
    clock: Callable[[], float] = time.monotonic
    _failures: defaultdict[tuple[str, str], deque[float]] = field(default_factory=lambda: defaultdict(deque))

    def wait_s(self, name: str, address: str) -> float:
        """Return how long `name` from `address` has to wait, in seconds; 0 when it may try."""
        now = self.clock()
        longest = 0.0
        for key, most in self._keys(name, address):
            times = self._failures.get(key)
            while times and times[0] <= now - self.window_s:
                times.popleft()
            if times is not None and not times:
                del self._failures[key]
            elif times and len(times) >= most:
                longest = max(longest, times[-most] + self.window_s - now)
        return longest

    def failed(self, name: str, address: str) -> None:
        """Count a failure."""
        now = self.clock()
        if len(self._failures) > 10_000:
            self._forget(now)
        for key, most in self._keys(name, address):
            times = self._failures[key]
            times.append(now)
            if len(times) > most:
                times.popleft()

    def succeeded(self, name: str, address: str) -> None:
        """Forget the failures of a name from an address."""
        self._failures.pop((name, address), None)

    def _keys(self, name: str, address: str) -> tuple[tuple[tuple[str, str], int], ...]:
        return (
            ((name, address), self.per_pair),
            ((name, ""), self.per_name),
            (("", address), self.per_address),
        )

    def _forget(self, now: float) -> None:
        old = [key for key, times in self._failures.items() if not times or times[-1] <= now - self.window_s]
        for key in old:
            del self._failures[key]


class Doorkeeper:
    """Checks passwords and sessions against the store. One per application.

    Parameters
    ----------
    store
        Where the users are.
    settings
        For the admin token.
    tokens
        The API tokens.
    """

    def __init__(self, store: AlertStore, settings: Settings, tokens: Tokens) -> None:
        self._store = store
        self._token = settings.admin_token.get_secret_value()
        self._tokens = tokens
        self._hashing = asyncio.Semaphore(_HASHING)
        self.throttle = Throttle()

    async def check(self, name: str, password: str) -> User | None:
        """Return the user whose password it is, or None."""
        user = await self._store.get_user(name) if 0 < len(name) <= 128 and "\x00" not in name else None
        expected = user.password_hash if user is not None else _NOBODY
        async with self._hashing:
            right = await asyncio.to_thread(_verify, expected, password)
        return user if right else None

    async def session_user(
        self, connection: HTTPConnection, people: Mapping[str, User] | None = None
    ) -> Viewer | None:
        """Return who is signed in by the session cookie, with the roles that they have now; or None.

        A session ends when it is `SESSION_S` old, when the user is gone, or when their password has changed.
        The user is looked for among `people`, or in the store where these are not given.
        """
        session = connection.session
        name, mark, at_s = session.get("user"), session.get("mark"), session.get("at")
        if not (isinstance(name, str) and isinstance(mark, str) and isinstance(at_s, int | float)):
            return None
        if not 0 <= time.time() - at_s < SESSION_S:
            return None
        user = await self._store.get_user(name) if people is None else people.get(name)
        if user is None or not hmac.compare_digest(mark, _mark(user)):
            return None
        return Viewer(user.name, user.roles)

    async def actor(self, request: Request) -> Actor:
        """Return who acts at the admin endpoint: ``api`` or ``api:NAME`` by token, else a signed-in user by name.

        Raises
        ------
        HTTPException
            401: nobody, or the wrong token; 403: not their role, or no CSRF token.
        """
        given = bearer(request)
        where = request.client.host if request.client is not None else ""
        if given is not None:
            if self._token and hmac.compare_digest(given.encode(), self._token.encode()):
                return Actor("api", frozenset(Right), covert=True, where=where)
            found = await self._tokens.find(given)
            if found is not None:
                acting = Actor.with_scopes(f"api:{found[0]}", found[1], where)
                if not acting.rights:
                    raise HTTPException(403, "this token has no scope of hotlists")
                return acting
            raise HTTPException(401, "the API token is not right", {"WWW-Authenticate": "Bearer"})
        user = await self.session_user(request)
        if user is None:
            raise HTTPException(401, "sign in, or present an API token", {"WWW-Authenticate": "Bearer"})
        acting = Actor.with_roles(user.name, user.roles, where)
        if not acting.rights:
            raise HTTPException(403, "your role has no access to hotlists")
        if request.method not in {"GET", "HEAD"}:
            check_csrf(request, request.headers.get(CSRF_HEADER))
        return acting


def doorkeeper(request: HTTPConnection) -> Doorkeeper:
    """Return the application's doorkeeper."""
    keeper: Doorkeeper = request.app.state.doorkeeper
    return keeper


async def current_user(request: Request) -> Viewer:
    """Return who is signed in.

    Raises
    ------
    HTTPException
        401: nobody is.
    """
    user = await doorkeeper(request).session_user(request)
    if user is None:
        raise HTTPException(401, "not signed in")
    return user


async def alert_viewer(request: Request) -> Viewer:
    """Return who is signed in, if their role may see alerts at all.

    Raises
    ------
    HTTPException
        401: nobody is; 403: not their role.
    """
    user = await current_user(request)
    if not user.roles & MAY_VIEW:
        raise HTTPException(403, "your role has no access to alerts")
    return user


def authorise() -> Callable[[Request], Awaitable[Actor]]:
    """Make the admin endpoint's dependency: who acts; see `Doorkeeper.actor`."""

    async def actor(request: Request) -> Actor:
        return await doorkeeper(request).actor(request)

    return actor


def begin_session(request: Request, user: User) -> None:
    """Sign `user` in on this browser, in a session of its own with a fresh CSRF token."""
    request.session.clear()
    request.session.update(user=user.name, mark=_mark(user), at=int(time.time()), csrf=secrets.token_urlsafe(24))


def csrf_token(request: Request) -> str:
    """Return the session's CSRF token."""
    token: str = request.session.get("csrf", "")
    return token


def check_csrf(request: Request, given: str | None) -> None:
    """Refuse a request that does not carry the session's CSRF token.

    Raises
    ------
    HTTPException
        403: it is missing or wrong.
    """
    expected = csrf_token(request)
    if not expected or not given or not hmac.compare_digest(given.encode(), expected.encode()):
        raise HTTPException(403, f"the CSRF token is missing or wrong; send {CSRF_HEADER}, or reload the page")


def same_origin(request: Request) -> bool:
    """Tell whether a form was sent from a page of ours; what says nothing (no browser) counts as ours."""
    if request.headers.get("Sec-Fetch-Site", "same-origin") not in {"same-origin", "none"}:
        return False
    origin = request.headers.get("Origin")
    return origin is None or urlsplit(origin).netloc == request.headers.get("Host", "")


def _verify(hashed: str, password: str) -> bool:
    if not 0 < len(password) <= MAX_PASSWORD:
        return False
    try:
        return _HASHER.verify(hashed, password)
    except (VerificationError, InvalidHashError):
        return False


def _mark(user: User) -> str:
    """Tie a session to the password it was opened with, without putting the hash in the cookie."""
    return hashlib.blake2b(user.password_hash.encode(), digest_size=12).hexdigest()
