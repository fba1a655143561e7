"""A desk on a real Redis, its trail in memory, and the people who come to it."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, field
from typing import Any, BinaryIO, cast

from hotlists.desk import Desk
from hotlists.entry import Handling, Hotlist
from hotlists.people import Actor, Deed, Right
from hotlists.shapes import EntryGiven, Kind, Preview, Published

OPERATOR = Actor.with_roles("otto", ["operator"], "10.0.0.1")
OPS = Actor.with_roles("an", ["ops"], "10.0.0.2")
CHIEF = Actor.with_roles("chef", ["chief"], "10.0.0.3")
AUDITOR = Actor.with_roles("aude", ["auditor"])
ENGINEER = Actor.with_roles("inge", ["engineer"])
DETECTIVE = Actor.with_roles("rik", ["chief", "covert"], "10.0.0.4")
NAMED = Actor.with_roles("nele", ["chief"])
ALL = Actor("api", frozenset(Right), covert=True)

SECRET = Hotlist(name="blauw", title="Operatie Nachtegaal", handling=Handling.COVERT, named_users=("nele",))


@dataclass
class Trail:
    """Keeps the lines; away when told so."""

    lines: list[Deed] = field(default_factory=list)
    away: bool = False

    async def record(self, deed: Deed) -> None:
        if self.away:
            raise ConnectionError("the database is away")
        self.lines.append(deed)

    @property
    def what(self) -> list[str]:
        return [each.what for each in self.lines]


def as_file(content: str | bytes) -> BinaryIO:
    """A file as an upload is kept: without a name."""
    file = tempfile.TemporaryFile()  # noqa: SIM115 - whoever asked for it closes it
    file.write(content.encode() if isinstance(content, str) else content)
    file.flush()
    return cast(BinaryIO, file)


async def make(desk: Desk, name: str = "gestolen", **fields: Any) -> None:
    await desk.register.create(DETECTIVE, Hotlist(name=name, **fields))


async def upload(
    desk: Desk, content: str | bytes, *, by: Actor = OPS, name: str = "gestolen", kind: Kind = "full"
) -> Preview:
    with as_file(content) as file:
        return await desk.staging.upload(by, name, file, kind=kind, why="lijst van de nacht")


async def publish(desk: Desk, preview: Preview, *, by: Actor = CHIEF, **more: Any) -> Published:
    return await desk.staging.publish(by, preview.name, preview.number, why="nagekeken", **more)


async def put_live(desk: Desk, content: str, *, name: str = "gestolen", by: Actor = DETECTIVE) -> int:
    """Upload and publish whatever it would remove; return the version's number."""
    preview = await upload(desk, content, by=by, name=name)
    return (await publish(desk, preview, by=by, confirm_removed=preview.removed)).number


async def listed(desk: Desk, name: str = "gestolen", by: Actor = DETECTIVE) -> list[str]:
    """The plates that are live on a list, as `by` exports them."""
    text = await exported(desk, name, by)
    return [line.split(",")[0] for line in text.splitlines()[1:]]


async def exported(desk: Desk, name: str = "gestolen", by: Actor = DETECTIVE, number: int | None = None) -> str:
    pieces = await desk.entries.export(by, name, number, why="controle")
    return b"".join([piece async for piece in pieces]).decode()


def entry(plate: str, **more: Any) -> EntryGiven:
    return EntryGiven(plate=plate, why="ontvoering", **more)
