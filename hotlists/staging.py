"""From a file to a live version: upload, preview, publish, roll back. Nothing is matched before it is published.

An upload replaces what its uploader may know of. Covert entries on an open list are hidden from most; so whoever
does not know of them can neither load covert rows, nor see those that are live counted, nor remove them: a
replacement by them carries these over.
"""

from __future__ import annotations

import asyncio
from typing import BinaryIO, Final

from hotlists import damage, previews
from hotlists.columns import Columns
from hotlists.compare import joined, only, without
from hotlists.entry import Handling, Hotlist
from hotlists.ledger import Ledger, redis_needed
from hotlists.notes import Count, Kept, Notes
from hotlists.parse import FileError, ParsedFile, Use
from hotlists.parsed import NO_COLUMNS
from hotlists.people import Actor, Right
from hotlists.previews import Lookback
from hotlists.problems import BadRequestError, ConflictError, ForbiddenError, NotFoundError
from hotlists.reading import Reader
from hotlists.shapes import Kind, NoteShape, Preview, Published
from hotlists.store import STAGED_EXPIRY_S, ConflictingError, HotlistError
from hotlists.versions import Staged

_USE: Final[dict[Kind, Use]] = {"full": Use.REPLACEMENT, "delta": Use.DELTA}


class Staging:
    """What is uploaded, and how it goes live."""

    def __init__(self, ledger: Ledger, notes: Notes, lookback: Lookback) -> None:
        self._ledger, self._notes, self._lookback = ledger, notes, lookback
        self._store = ledger.store
        self._reader = Reader()

    async def upload(self, actor: Actor, name: str, file: BinaryIO, *, kind: Kind, why: str) -> Preview:
        """Read a file, stage what it holds, and say what publishing that would do.

        Parameters
        ----------
        file
            On disk, open for reading.
        kind
            ``full``: the file is all that is listed from then on. ``delta``: its rows add and remove.

        Raises
        ------
        BadRequestError
            The file cannot be read, or no row of it can be used.
        ForbiddenError
            It has covert rows for an open list, and the actor does not know of that list's covert entries.
        ConflictError
            What is live is damaged: only a full upload by who knows of covert entries mends that.
        """
        self._ledger.need(actor, Right.LOAD)
        hotlist = await self._ledger.used(actor, name)
        async with self._ledger.noted(actor, "hotlist.upload", hotlist, why, kind):
            try:
                parsed = await self._reader.read(file, name, _USE[kind])
            except FileError as error:
                raise BadRequestError("file", str(error)) from error
            _check_rows(actor, hotlist, parsed)
            return await self._stage(actor, hotlist, parsed, kind, by=actor.name, why=why)

    async def check_upload(self, actor: Actor, name: str) -> None:
        """Refuse an upload before its body is read.

        Raises
        ------
        ForbiddenError, NotFoundError, ConflictError
            As `upload`.
        """
        self._ledger.need(actor, Right.LOAD)
        await self._ledger.used(actor, name)

    async def refresh(self, actor: Actor, name: str, number: int, *, why: str) -> Preview:
        """Stage a staged version anew, under a new number, against what is live now.

        Raises
        ------
        NotFoundError
            It is not staged, or no longer.
        ConflictError
            What was uploaded is no longer whole; or as `upload`.
        """
        self._ledger.need(actor, Right.LOAD, Right.PUBLISH)
        hotlist = await self._ledger.used(actor, name)
        kept = await self._preview(actor, hotlist, number)
        async with self._ledger.noted(actor, "hotlist.refresh", hotlist, why, f"v{number}"):
            added, removals = await self._upload_of(kept)
            parsed = previews.parsed_again(kept, added, removals, whole=actor.knows_covert(hotlist))
            again = await self._stage(actor, hotlist, parsed, kept.kind, by=kept.by, why=kept.why)
            await self._store.discard(name, number)
            await self._notes.forget(name, number)
        return again

    async def _stage(
        self, actor: Actor, hotlist: Hotlist, parsed: ParsedFile, kind: Kind, *, by: str, why: str
    ) -> Preview:
        name, knows = hotlist.name, actor.knows_covert(hotlist)
        while True:
            live = await self._ledger.live(name) or 0
            found = await self._read(name, live)
            if found is None:
                _check_mends(name, knows, kind)
            columns = NO_COLUMNS if found is None else found
            hidden = NO_COLUMNS if knows else await asyncio.to_thread(_covert, columns)
            added, removals = await asyncio.to_thread(_carry_over, parsed, hidden, kind)
            staged = await self._save(name, added, removals, kind=kind, by=by, why=why)
            if staged.based_on == live:
                break
            await self._store.discard(name, staged.number)
        seen = columns if knows else await asyncio.to_thread(without, columns, hidden)
        preview = await asyncio.to_thread(previews.make, hotlist.name, staged, parsed, seen, by=by, why=why)
        preview.unread = found is None
        # On an open list; on a covert one whoever sees it may know all of it.
        preview.covert = knows and hotlist.handling is not Handling.COVERT and _has_covert(columns, parsed)
        covert = await asyncio.to_thread(_count_covert, columns, parsed, kind, hidden)
        rows = preview.rows if kind == "full" else preview.live_rows + preview.added - preview.removed
        await self._notes.count(name, staged.number, Count(rows + len(hidden), covert))
        await self._notes.keep(preview, STAGED_EXPIRY_S)
        await self._lookback.ask(name, staged.number)
        return await self._shown(hotlist, preview)

    async def _read(self, name: str, live: int) -> Columns | None:
        """Return what is live; None where it is damaged."""
        while live:
            try:
                return await self._store.read(name, live)
            except HotlistError:
                before, live = live, await self._ledger.live(name) or 0
                # Another version is live: the one that was may have been removed meanwhile.
                if live == before:
                    return None
        return NO_COLUMNS

    async def _upload_of(self, kept: Kept) -> tuple[Columns, Columns]:
        try:
            return await self._store.upload_of(kept.name, kept.number)
        except HotlistError as error:
            if kept.kind == "delta":
                raise damage.no_delta(kept.name) from error
            raise ConflictError("not_published", str(error)) from error

    async def _save(
        self, name: str, added: Columns, removals: Columns, *, kind: Kind, by: str, why: str
    ) -> Staged:
        try:
            return await self._store.stage(name, added, removed=removals, kind=kind, by=by, why=why)
        except HotlistError as error:
            raise ConflictError("not_staged", str(error)) from error

    async def previews(self, actor: Actor, name: str) -> list[Preview]:
        """Give the previews of what waits to be published, the latest first."""
        self._ledger.need(actor, Right.VIEW)
        hotlist = await self._ledger.seen(actor, name)
        async with redis_needed():
            numbers = [each.number for each in await self._store.history(name) if each.state == "staged"]
            kept = await self._notes.previews(name, sorted(numbers, reverse=True), actor.knows_covert(hotlist))
            await self._ledger.looked(actor, "hotlist.preview", hotlist, covert=any(each.covert for each in kept))
            return [await self._shown(hotlist, each) for each in kept]

    async def preview(self, actor: Actor, name: str, number: int) -> Preview:
        """Give the preview of a staged version.

        Raises
        ------
        NotFoundError
            It is not staged, or no longer.
        """
        self._ledger.need(actor, Right.VIEW)
        hotlist = await self._ledger.seen(actor, name)
        kept = await self._preview(actor, hotlist, number)
        await self._ledger.looked(actor, "hotlist.preview", hotlist, f"v{number}", covert=kept.covert)
        async with redis_needed():
            return await self._shown(hotlist, kept)

    async def _preview(self, actor: Actor, hotlist: Hotlist, number: int) -> Kept:
        async with redis_needed():
            states = {each.number: each.state for each in await self._store.history(hotlist.name)}
            kept = await self._notes.preview(hotlist.name, number) if states.get(number) == "staged" else None
            if kept is None or (kept.covert and not actor.knows_covert(hotlist)):
                raise NotFoundError(
                    "not_staged", f"version {number} of list {hotlist.name!r} is not staged; upload it again"
                )
            return kept

    async def _shown(self, hotlist: Hotlist, kept: Kept) -> Preview:
        """Fill in what may have become otherwise since: the list's guards, the workers' answers."""
        changes = {
            "guards": previews.guards(hotlist, kept),
            "needs_other": hotlist.two_person,
            "lookback": await self._lookback.answers(hotlist.name, kept.number),
        }
        return kept.model_copy(update=changes)

    async def errors(self, actor: Actor, name: str, number: int) -> list[NoteShape]:
        """Give the rejected rows of a staged version that are told apart."""
        self._ledger.need(actor, Right.LOAD)
        return (await self.preview(actor, name, number)).errors

    async def discard(self, actor: Actor, name: str, number: int, *, why: str) -> None:
        """Remove a staged version that is not to be published.

        Raises
        ------
        NotFoundError
            It is not staged, or no longer.
        """
        self._ledger.need(actor, Right.LOAD, Right.PUBLISH)
        hotlist = await self._ledger.seen(actor, name)
        await self._preview(actor, hotlist, number)
        async with self._ledger.noted(actor, "hotlist.discard", hotlist, why, f"v{number}"):
            await self._store.discard(name, number)
            await self._notes.forget(name, number)

    async def publish(
        self,
        actor: Actor,
        name: str,
        number: int,
        *,
        why: str,
        expected_live: int | None = None,
        confirm_removed: int | None = None,
    ) -> Published:
        """Make a staged version the one that is matched, in one step.

        Parameters
        ----------
        expected_live
            The version that the preview was compared with; None: the one that it was when it was uploaded.
        confirm_removed
            Repeats how many entries go, where a guard asks for a second confirmation.

        Raises
        ------
        ConflictError
            Another version went live meanwhile, a second confirmation is needed, or somebody else must publish it.
        """
        self._ledger.need(actor, Right.PUBLISH)
        hotlist = await self._ledger.used(actor, name)
        preview = await self._preview(actor, hotlist, number)
        previews.check_publishable(hotlist, preview, actor, confirm_removed)
        expected = preview.based_on if expected_live is None else expected_live
        if expected != preview.based_on:
            raise ConflictError("moved", _moved(name, preview.based_on), live=preview.based_on)
        async with self._ledger.noted(actor, "hotlist.publish", hotlist, why, f"v{number}"):
            try:
                version = await self._store.publish_staged(
                    name, number, expected_live=expected, by=actor.name, why=why
                )
            except ConflictingError as error:
                raise ConflictError("moved", _moved(name, error.live), live=error.live) from error
            except HotlistError as error:
                raise ConflictError("not_published", str(error)) from error
            await self._notes.forget(name, number)
            await self._notes.prune(name, [each.number for each in await self._store.history(name)])
        return Published(number=number, version=version)

    async def roll_back(
        self, actor: Actor, name: str, number: int, *, why: str, expected_live: int | None = None
    ) -> Published:
        """Make a kept version live again, in one step.

        Raises
        ------
        ConflictError
            It is not kept or damaged, or another version went live meanwhile.
        """
        self._ledger.need(actor, Right.PUBLISH)
        hotlist = await self._ledger.used(actor, name)
        async with self._ledger.noted(actor, "hotlist.rollback", hotlist, why, f"v{number}"):
            try:
                # Workers would go on with what they hold, and whoever rolled back would not know.
                await self._store.read(name, number)
                version = await self._store.roll_back(
                    name, number, expected_live=expected_live, by=actor.name, why=why
                )
            except ConflictingError as error:
                raise ConflictError("moved", _moved(name, error.live), live=error.live) from error
            except HotlistError as error:
                raise ConflictError("not_kept", str(error)) from error
        return Published(number=number, version=version)


def _moved(name: str, live: int) -> str:
    return f"version {live} of list {name!r} is live now: nothing was published; look at the preview again"


def _check_rows(actor: Actor, hotlist: Hotlist, parsed: ParsedFile) -> None:
    """Refuse a file of which nothing may be, or can be, used."""
    if not len(parsed.columns) and not len(parsed.removals) and parsed.rejected:
        told = {"rejected": parsed.rejected, "errors": [previews.note(each) for each in parsed.errors]}
        raise BadRequestError("no_row", "no row could be used; the live version stays", **told)
    covert = int(parsed.columns.covert.sum())
    if covert and hotlist.handling is not Handling.COVERT and not actor.knows_covert(hotlist):
        raise ForbiddenError(
            "covert_rows",
            f"{covert} rows are covert: on an open list only who is named on it, or holds the covert role, "
            "loads those",
        )


def _check_mends(name: str, knows: bool, kind: Kind) -> None:
    """Refuse an upload to a list of which what is live is damaged, unless it replaces all of it knowingly."""
    if kind == "delta":
        raise damage.no_delta(name)
    if not knows:
        raise damage.no_replacement(name)


def _covert(columns: Columns) -> Columns:
    """The entries that are covert by themselves."""
    return columns.chosen(columns.covert)


def _carry_over(parsed: ParsedFile, hidden: Columns, kind: Kind) -> tuple[Columns, Columns]:
    """Give what to add and to remove so that entries that are hidden from the uploader stay."""
    if not len(hidden):
        return parsed.columns, parsed.removals
    stays = hidden if kind == "full" else only(hidden, parsed.columns)
    return joined(parsed.columns, stays), without(parsed.removals, hidden)


def _has_covert(live: Columns, parsed: ParsedFile) -> bool:
    return bool(live.covert.any() or parsed.columns.covert.any())


def _count_covert(live: Columns, parsed: ParsedFile, kind: Kind, hidden: Columns) -> int:
    """How many entries of the version to come are covert by themselves."""
    mine = int(parsed.columns.covert.sum())
    if len(hidden) or kind == "full":
        return mine + len(hidden)
    stays = without(_covert(live), joined(parsed.columns, parsed.removals))
    return mine + len(stays)
