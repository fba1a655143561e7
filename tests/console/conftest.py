"""The console's application on a real store, without a broker: what it shows must not need one."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import httpx
import pytest
from argon2 import PasswordHasher
from fastapi import FastAPI

from console.app import create_app
from pipeline.alerts.store import AlertStore
from pipeline.settings import Settings
from tests.conftest import MakeSettings

PASSWORD = "een lang wachtwoord"
USERS = {
    "operator": {"operator"},
    "named": {"operator"},
    "recherche": {"operator", "covert"},
    "chief": {"chief"},
    "auditor": {"auditor"},
    "engineer": {"engineer"},
}

SignIn = Callable[[str], AbstractAsyncContextManager[httpx.AsyncClient]]


@pytest.fixture
def console_settings(make_settings: MakeSettings, redis_url: str) -> Settings:
    """Settings with a real Redis, and a broker that is away."""
    return make_settings(kafka_bootstrap="127.0.0.1:9", redis_url=redis_url)


@pytest.fixture(scope="session")
def password_hash() -> str:
    """A hash of `PASSWORD` that costs little to make and to check: those of real people are slow on purpose."""
    return PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash(PASSWORD)


@pytest.fixture
async def store(console_settings: Settings, password_hash: str) -> AsyncIterator[AlertStore]:
    """An open store with one user per role."""
    opened = AlertStore(console_settings.database_url)
    await opened.open()
    for name, roles in USERS.items():
        await opened.put_user(name, password_hash, roles)
    yield opened
    await opened.close()


@asynccontextmanager
async def application(settings: Settings, store: AlertStore) -> AsyncIterator[FastAPI]:
    """The application; its lifespan is not run, so nothing goes on behind a test's back."""
    made = create_app(settings, store=store)
    try:
        yield made
    finally:
        await made.state.redis.aclose()


@pytest.fixture
async def app(console_settings: Settings, store: AlertStore) -> AsyncIterator[FastAPI]:
    async with application(console_settings, store) as made:
        yield made


@asynccontextmanager
async def browse(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    """A browser that nobody has signed in with yet."""
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://console.test") as client:
        yield client


@pytest.fixture
def signed_in(app: FastAPI) -> SignIn:
    """Sign a user in, in a browser of their own."""

    @asynccontextmanager
    async def enter(name: str) -> AsyncIterator[httpx.AsyncClient]:
        async with browse(app) as client:
            answer = await client.post("/sign-in", data={"username": name, "password": PASSWORD})
            assert answer.status_code == 303, answer.text
            yield client

    return enter


async def csrf_of(client: httpx.AsyncClient) -> str:
    """Read the CSRF token from the live page, as its script does."""
    page = await client.get("/")
    return page.text.split('name="csrf" content="')[1].split('"')[0]
