"""The lists themselves: which there are and how they stand, making, describing and archiving them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from hotlists.deskstore import unknown
from hotlists.entry import Handling, Hotlist
from hotlists.ledger import Ledger, now_ns, redis_needed
from hotlists.notes import Notes
from hotlists.people import Actor, Right
from hotlists.problems import BadRequestError, ConflictError, ForbiddenError
from hotlists.shapes import AppliesToShape, Health, ListShape, StaleShape, VersionShape
from hotlists.store import HotlistError
from hotlists.versions import VersionInfo

RESERVED: Final = frozenset({"find", "health", "new", "workers"})
"""Names that are something else in an address."""
_BEHIND_MS: Final = 5000
"""A worker that does not hold what is live this long after it went live is behind."""


class Register:
    """Which lists there are."""

    def __init__(self, ledger: Ledger, notes: Notes) -> None:
        self._ledger, self._notes = ledger, notes
        self._store = ledger.store

    async def lists(self, actor: Actor) -> list[ListShape]:
        """Give every list that `actor` may know of, by name."""
        self._ledger.need(actor, Right.VIEW)
        await self._ledger.record(actor, "hotlist.view", "hotlists", "", covert=False)
        return [await self._shape(actor, hotlist, live) for hotlist, live in await self._ledger.lists(actor)]

    async def show(self, actor: Actor, name: str) -> ListShape:
        """Give one list."""
        self._ledger.need(actor, Right.VIEW)
        hotlist = await self._ledger.seen(actor, name)
        await self._ledger.looked(actor, "hotlist.view", hotlist)
        return await self._now(actor, name)

    async def _now(self, actor: Actor, name: str) -> ListShape:
        hotlist = await self._ledger.seen(actor, name)
        return await self._shape(actor, hotlist, await self._ledger.live(name))

    async def versions(self, actor: Actor, name: str) -> list[VersionShape]:
        """Give the versions of a list that are kept or staged, the latest first."""
        self._ledger.need(actor, Right.VIEW)
        hotlist = await self._ledger.seen(actor, name)
        async with redis_needed():
            found = await self._store.history(name)
            counts = await self._notes.counts(name)
            staged = await self._staged(actor, hotlist, found)
        shown = [each for each in found if each.state != "staged" or each.number in staged]
        return [
            version_shape(each, self._notes.visible(counts.get(each.number), actor.knows_covert(hotlist)))
            for each in sorted(shown, key=lambda each: -each.number)
        ]

    async def _staged(self, actor: Actor, hotlist: Hotlist, versions: list[VersionInfo]) -> set[int]:
        """Numbers of the staged versions that `actor` may know of."""
        numbers = [each.number for each in versions if each.state == "staged"]
        kept = await self._notes.previews(hotlist.name, numbers, actor.knows_covert(hotlist))
        return {each.number for each in kept}

    async def create(self, actor: Actor, hotlist: Hotlist) -> tuple[ListShape, bool]:
        """Make a list; return it, and whether it is new: the same again changes nothing.

        Raises
        ------
        ConflictError
            There is another list of that name. Whether the actor may know of that one is not said.
        BadRequestError
            The name or the metadata cannot be.
        """
        self._ledger.need(actor, Right.PUBLISH)
        _check(hotlist)
        self._check_knows(actor, hotlist)
        async with redis_needed():
            there = {each.name: each for each, _ in await self._store.lists()}.get(hotlist.name)
            if there is None and not actor.covert and await self._store.exists(hotlist.name):
                # Its metadata cannot be read. It may be covert: made anew as an open one, all would know of it.
                there = unknown(hotlist.name)
        if there is not None:
            if there == hotlist and actor.may_see(there):
                return await self._now(actor, hotlist.name), False
            # The attempt is covert where what it met is: the line tells of it.
            covert = Handling.COVERT in (there.handling, hotlist.handling)
            await self._ledger.record(actor, "hotlist.create.refused", hotlist.name, "name taken", covert=covert)
            raise ConflictError(
                "exists", f"the name {hotlist.name!r} is taken; to change a list, send what changes"
            )
        async with self._ledger.noted(actor, "hotlist.create", hotlist, _told(hotlist)):
            await self._save(actor, hotlist, "made")
        return await self._shape(actor, hotlist, None), True

    async def describe(
        self, actor: Actor, name: str, changes: Mapping[str, Any], *, why: str, open_covert: bool = False
    ) -> ListShape:
        """Change some of a list's metadata; what `changes` does not name stays.

        Parameters
        ----------
        open_covert
            A covert list may become open by this: everybody at the desk then learns of it, and units may be told.

        Raises
        ------
        ConflictError
            It would open a covert list, and that was not confirmed.
        BadRequestError
            A value cannot be.
        """
        self._ledger.need(actor, Right.PUBLISH)
        hotlist = await self._ledger.seen(actor, name)
        fields = {**msgspec.to_builtins(hotlist), **changes, "name": name}
        changed = _converted(fields)
        _check(changed)
        self._check_knows(actor, changed)
        opens = hotlist.handling is Handling.COVERT and changed.handling is not Handling.COVERT
        if opens and not open_covert:
            raise ConflictError(
                "opens_covert",
                f"this would open the covert list {name!r} to everybody at the desk; "
                "confirm it with open_covert=true",
            )
        if changed != hotlist:
            what = "hotlist.open" if opens else "hotlist.describe"
            # Of a list that becomes covert by it, too: the line tells what it is about to be.
            covert = hotlist if hotlist.handling is Handling.COVERT else changed
            async with self._ledger.noted(actor, what, covert, f"{why}: {_told(changed, hotlist)}"[:2000]):
                await self._save(actor, changed, why)
        return await self._shape(actor, changed, await self._ledger.live(name))

    async def archive(self, actor: Actor, name: str, *, why: str) -> ListShape:
        """Take a list out of use: nothing of it is matched from then on. Its versions are kept."""
        self._ledger.need(actor, Right.PUBLISH)
        hotlist = await self._ledger.seen(actor, name)
        if not hotlist.archived:
            async with self._ledger.noted(actor, "hotlist.archive", hotlist, why):
                await self._store.archive(name, by=actor.name, why=why)
        return await self._now(actor, name)

    async def restore(self, actor: Actor, name: str, *, why: str) -> ListShape:
        """Take an archived list back into use; nothing is live until something is published, or rolled back to."""
        self._ledger.need(actor, Right.PUBLISH)
        hotlist = await self._ledger.seen(actor, name)
        if hotlist.archived:
            async with self._ledger.noted(actor, "hotlist.restore", hotlist, why):
                await self._save(actor, msgspec.structs.replace(hotlist, archived=False), why)
        return await self._now(actor, name)

    async def health(self, actor: Actor) -> Health:
        """Say how the lists that `actor` may know of stand, and how far the workers are, also without Redis."""
        self._ledger.need(actor, Right.HEALTH)
        try:
            async with redis_needed():
                return await self._health(actor)
        except Exception:
            return Health(state="alarm", redis=False, stale=[], workers=0, behind=0, version=0)

    async def _health(self, actor: Actor) -> Health:
        visible = await self._ledger.lists(actor)
        stale = []
        for hotlist, live in visible:
            versions = [] if live is None else await self._store.history(hotlist.name)
            fresh_ms = _fresh_ms(_info(versions, live))
            if hotlist.max_age_s is not None and _is_stale(hotlist, fresh_ms):
                stale.append(
                    StaleShape(
                        name=hotlist.name,
                        title=hotlist.title,
                        fresh_ms=fresh_ms,
                        max_age_s=hotlist.max_age_s,
                    )
                )
        version, workers = await self._store.live_version(), await self._store.reports()
        old = version + _BEHIND_MS < now_ns() // 1_000_000
        behind = sum(bool(each.behind) or (each.version < version and old) for each in workers.values())
        lost = any(each.lost for each in workers.values())
        alarm = behind > 0 or lost or not workers
        return Health(
            state="alarm" if alarm else "warning" if stale else "ok",
            redis=True,
            stale=stale,
            workers=len(workers),
            behind=behind,
            lost=lost,
            version=version,
        )

    async def workers(self, actor: Actor) -> dict[str, int]:
        """Give the snapshot version that each living match worker holds."""
        self._ledger.need(actor, Right.HEALTH)
        async with redis_needed():
            return await self._store.workers()

    def _check_knows(self, actor: Actor, hotlist: Hotlist) -> None:
        """Refuse to make a covert list of which its own maker may not know.

        Raises
        ------
        ForbiddenError
            It would be one.
        """
        if not actor.may_see(hotlist):
            raise ForbiddenError(
                "not_named", "a covert list is made by who may know of it: name yourself, or hold the covert role"
            )

    async def _save(self, actor: Actor, hotlist: Hotlist, why: str) -> None:
        try:
            await self._store.create(hotlist, by=actor.name, why=why)
        except HotlistError as error:
            raise BadRequestError("metadata", str(error)) from error

    async def _shape(self, actor: Actor, hotlist: Hotlist, live: int | None) -> ListShape:
        async with redis_needed():
            versions = await self._store.history(hotlist.name)
            counts = await self._notes.counts(hotlist.name)
            staged = await self._staged(actor, hotlist, versions)
        info = _info(versions, live)
        published_ms = None if info is None or not info.when_ns else info.when_ns // 1_000_000
        fresh_ms = _fresh_ms(info)
        own = msgspec.to_builtins(hotlist)
        own["applies_to"] = AppliesToShape.model_validate(own["applies_to"])
        return ListShape(
            **own,
            live=live,
            rows=None if live is None else self._notes.visible(counts.get(live), actor.knows_covert(hotlist)),
            published_ms=published_ms,
            published_by="" if info is None else info.published_by,
            fresh_ms=fresh_ms,
            stale=_is_stale(hotlist, fresh_ms),
            staged=len(staged),
        )


def version_shape(info: VersionInfo, rows: int | None) -> VersionShape:
    """Show a version of which `rows` entries may be known."""
    return VersionShape(
        number=info.number,
        kind=info.kind,
        state=info.state,
        rows=rows,
        removed=info.removed,
        by=info.by,
        published_by=info.published_by,
        why=info.why,
        when_ms=info.when_ns // 1_000_000 or None,
        based_on=info.based_on,
    )


def _info(versions: list[VersionInfo], number: int | None) -> VersionInfo | None:
    return next((each for each in versions if each.number == number), None)


def _fresh_ms(info: VersionInfo | None) -> int | None:
    """Say when the owner's list came last; None where it never did, or nothing is live."""
    return None if info is None else info.fresh_ns // 1_000_000 or None


def _is_stale(hotlist: Hotlist, fresh_ms: int | None) -> bool:
    if hotlist.max_age_s is None or hotlist.archived:
        return False
    return fresh_ms is None or fresh_ms < now_ns() // 1_000_000 - hotlist.max_age_s * 1000


def _converted(fields: dict[str, Any]) -> Hotlist:
    try:
        return msgspec.convert(fields, Hotlist)
    except msgspec.ValidationError as error:
        raise BadRequestError("metadata", str(error)) from error


def _check(hotlist: Hotlist) -> None:
    """Refuse metadata that can never be right.

    Raises
    ------
    BadRequestError
        A reserved name, or a window in which nothing falls.
    """
    if hotlist.name in RESERVED:
        raise BadRequestError("metadata", f"{hotlist.name!r} is no name for a list: it is a page of its own")
    for window in hotlist.applies_to.windows:
        if window.from_ns is not None and window.until_ns is not None and window.until_ns <= window.from_ns:
            raise BadRequestError("metadata", "a window ends before it begins: the list would never apply")


def _told(hotlist: Hotlist, before: Hotlist | None = None) -> str:
    """Say what metadata is, or what of it is new, for the trail."""
    now = msgspec.to_builtins(hotlist)
    was = {} if before is None else msgspec.to_builtins(before)
    return msgspec.json.encode({key: value for key, value in now.items() if was.get(key, ...) != value}).decode()
