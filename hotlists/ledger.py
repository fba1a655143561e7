"""What everything that the desk does has in common: rights, which lists somebody may know of, and the trail.

A change and its line in the trail are in two stores, so neither can wait for the other. The line that a change is
about to be made comes first: without it nothing is done. Where the change then fails, a second line says so.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from redis.exceptions import RedisError

from hotlists.deskstore import DeskStore
from hotlists.entry import Handling, Hotlist
from hotlists.people import Actor, Deed, Recorder, Right
from hotlists.problems import AwayError, ConflictError, DeskError, ForbiddenError, NotFoundError
from hotlists.store import HotlistError

REDIS_AWAY: Final = "Redis does not answer: nothing was changed; matching goes on with what the workers hold"
TRAIL_AWAY: Final = "the audit trail does not answer: nothing was done, since it could not be accounted for"


@asynccontextmanager
async def redis_needed() -> AsyncIterator[None]:
    """Turn an outage of Redis into an answer.

    Raises
    ------
    AwayError
        Redis did not answer, or refused to write.
    """
    try:
        yield
    except (RedisError, OSError) as error:
        raise AwayError("redis_away", REDIS_AWAY) from error


class Ledger:
    """The store and the trail, for who may.

    Parameters
    ----------
    store
        The lists.
    recorder
        The audit trail.
    """

    def __init__(self, store: DeskStore, recorder: Recorder) -> None:
        self.store = store
        self._recorder = recorder

    def need(self, actor: Actor, *rights: Right) -> None:
        """Refuse who has none of `rights`.

        Raises
        ------
        ForbiddenError
            They have not.
        """
        if not actor.rights & set(rights):
            needed = " or ".join(each.value for each in rights)
            raise ForbiddenError("no_right", f"this needs the right to {needed}, which you do not have")

    async def lists(self, actor: Actor) -> list[tuple[Hotlist, int | None]]:
        """Return the lists that `actor` may know of, with the live version of each."""
        async with redis_needed():
            found = await self.store.lists()
        return [(hotlist, number) for hotlist, number in found if actor.may_see(hotlist)]

    async def seen(self, actor: Actor, name: str) -> Hotlist:
        """Return a list's metadata.

        Raises
        ------
        NotFoundError
            There is no such list, or none that `actor` may know of.
        """
        async with redis_needed():
            try:
                hotlist = await self.store.get(name)
            except HotlistError:
                hotlist = None
        if hotlist is None or not actor.may_see(hotlist):
            raise NotFoundError("no_list", f"there is no list {name!r}; make it first")
        return hotlist

    async def live(self, name: str) -> int | None:
        """Return the number of a list's live version; None where nothing is live."""
        async with redis_needed():
            return {each.name: number for each, number in await self.store.lists()}.get(name)

    async def used(self, actor: Actor, name: str) -> Hotlist:
        """Return the metadata of a list that is in use.

        Raises
        ------
        ConflictError
            It is archived.
        """
        hotlist = await self.seen(actor, name)
        if hotlist.archived:
            raise ConflictError("archived", f"list {name!r} is archived; take it back into use first")
        return hotlist

    async def record(self, actor: Actor, what: str, target: str, why: str, *, covert: bool) -> None:
        """Write a line.

        Raises
        ------
        AwayError
            It cannot be written.
        """
        try:
            await self._recorder.record(Deed(actor.name, what, target, why, actor.where, covert))
        except Exception as error:  # Whatever the trail's own store raises: it is not this package's to know.
            raise AwayError("trail_away", TRAIL_AWAY) from error

    async def looked(
        self, actor: Actor, what: str, hotlist: Hotlist, detail: str = "", *, covert: bool = False
    ) -> None:
        """Write that somebody looked at a list, or at what is staged of it."""
        covert = covert or hotlist.handling is Handling.COVERT
        await self.record(actor, what, f"{hotlist.name} {detail}".strip(), "", covert=covert)

    @asynccontextmanager
    async def noted(
        self, actor: Actor, what: str, hotlist: Hotlist, why: str, detail: str = "", *, covert: bool = False
    ) -> AsyncIterator[None]:
        """Write that something is about to be done to a list; and that it failed, where it does.

        Parameters
        ----------
        covert
            What is done is covert, whatever the list is.

        Raises
        ------
        AwayError
            The line cannot be written, and nothing is done; or Redis does not answer.
        """
        covert = covert or hotlist.handling is Handling.COVERT
        target = f"{hotlist.name} {detail}".strip()
        await self.record(actor, what, target, why, covert=covert)
        try:
            async with redis_needed():
                yield
        except BaseException as error:
            reason = error.code if isinstance(error, DeskError) else type(error).__name__
            await self.record(actor, f"{what}.failed", target, reason, covert=covert)
            raise


def now_ns() -> int:
    """Nanoseconds since the epoch."""
    return time.time_ns()
