"""The hotlist desk behind a console, for the tests that look at its pages."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

import pytest_asyncio
import redis.asyncio as aioredis

from console.desk import TrailRecorder
from hotlists.desk import Desk as HotlistDesk
from hotlists.entry import Category, Hotlist
from hotlists.people import Actor
from tests.hotlists.desk import publish, upload

if TYPE_CHECKING:
    from tests.browser.conftest import Desk

OPS = Actor.with_roles("ops", ["ops"])
CHIEF = Actor.with_roles("chief", ["chief"])
KEEPER = Actor.with_roles("recherche", ["chief", "covert"])
ROWS = "nummerplaat;land;reden\n"
FIRST = ROWS + "".join(f"1ABC{number:03};BE;Gestolen te Veldeke\n" for number in range(100, 120))


@pytest_asyncio.fixture(loop_scope="session")
async def client(redis_url: str) -> AsyncIterator[aioredis.Redis]:
    """A client of the desk's Redis."""
    async with aioredis.from_url(redis_url) as opened:
        yield opened


@pytest_asyncio.fixture(loop_scope="session")
async def lists(desk: Desk, client: aioredis.Redis) -> HotlistDesk:
    """The hotlist desk behind the console, with a list that has a version live."""
    made = HotlistDesk(client, TrailRecorder(desk.store))
    await put(made, "gestolen", title="Gestolen voertuigen", category=Category.STOLEN, owner="ANG")
    preview = await upload(made, FIRST, by=OPS)
    await publish(made, preview, by=CHIEF)
    return made


async def put(lists: HotlistDesk, name: str, **fields: Any) -> None:
    await lists.register.create(KEEPER, Hotlist(name=name, **fields))


async def live(lists: HotlistDesk, name: str = "gestolen") -> set[str]:
    """The plates that are live on a list."""
    pieces = await lists.entries.export(KEEPER, name, None, why="test")
    text = b"".join([piece async for piece in pieces]).decode()
    return {line.split(",")[0] for line in text.splitlines()[1:]}
