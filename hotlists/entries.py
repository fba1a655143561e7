"""Single entries: add or remove one at once, ask where a plate is listed, export a list."""

from __future__ import annotations

import asyncio
import contextlib
import csv
import io
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

import msgspec
import numpy as np

from hotlists import damage
from hotlists.columns import Columns, pack_entries
from hotlists.entry import Handling, Hotlist, HotlistEntry
from hotlists.exports import spreadsheet_safe
from hotlists.fitting import fitting
from hotlists.ledger import Ledger, now_ns, redis_needed
from hotlists.notes import Count, Notes
from hotlists.parse import FileError, Use, parse_file
from hotlists.parsed import NO_COLUMNS, as_entries
from hotlists.people import Actor, Right
from hotlists.previews import entry_shape
from hotlists.problems import BadRequestError, ConflictError, ForbiddenError, NotFoundError
from hotlists.shapes import Changed, EntryGiven, Found, FoundAll, ListNamed
from hotlists.store import HotlistError, known
from hotlists.versions import Listing, ListState

ALONE_S: Final = 24 * 3600
"""On a list with the two-person rule, what one person adds by themselves is valid for at most this long."""
FEWEST_ASKED: Final = 4
"""Characters that a part of a plate states that is looked for: with fewer, a look-up would be a reading."""
MOST_FOUND: Final = 100
_AT_ONCE: Final = 10_000
_HEADER: Final = ("plate", "country", "reason", "priority", "handling", "valid_from", "valid_until")


@dataclass(frozen=True, slots=True)
class _Edit:
    """What becomes of the rows of one plate and country."""

    entry: HotlistEntry
    before: list[HotlistEntry] | None
    """None: what is live is damaged, and they cannot be known."""
    after: list[HotlistEntry]
    why: str

    @property
    def more(self) -> tuple[int, int] | None:
        """How many rows there are more than before, and how many covert ones; None where that is not known."""
        if self.before is None:
            return None
        coverts = [sum(map(_is_covert, rows)) for rows in (self.after, self.before)]
        return len(self.after) - len(self.before), coverts[0] - coverts[1]


class Entries:
    """What is done to, or asked about, entries one by one."""

    def __init__(self, ledger: Ledger, notes: Notes) -> None:
        self._ledger, self._notes = ledger, notes
        self._store = ledger.store

    @staticmethod
    def warm() -> None:
        """Load the tables by which an entry is checked; otherwise the first entry does."""
        _entry(EntryGiven(plate="1ABC123", country="BE", why="warm"), "warm")

    async def add(self, actor: Actor, name: str, given: EntryGiven) -> Changed:
        """Add an entry to what is live, or replace the one of the same plate and country, in one step.

        Raises
        ------
        BadRequestError
            The entry cannot be; says which column and why.
        ForbiddenError
            It is covert, on an open list of whose covert entries the actor does not know.
        ConflictError
            The list has the two-person rule, and the entry would be valid for longer than one person may decide.
            Or what is live cannot be read, and it might replace one that the actor may not know of.
        """
        self._ledger.need(actor, Right.LOAD)
        hotlist = await self._ledger.used(actor, name)
        entry = _entry(given, name)
        if _is_covert(entry) and not actor.knows_covert(hotlist):
            raise ForbiddenError(
                "covert_rows", "on an open list only who is named on it, or holds the covert role, adds this"
            )
        if hotlist.two_person:
            entry = _bounded(entry)
        detail = f"{entry.plate} {entry.country}".strip()
        covert = _is_covert(entry)
        async with self._ledger.noted(actor, "hotlist.entry.add", hotlist, given.why, detail, covert=covert):
            there = await self._rows(hotlist, entry.plate, entry.country)
            if there is None and not actor.knows_covert(hotlist):
                raise damage.no_entry(name, await self._other(actor, hotlist, entry.plate))
            # What the actor may not know of stays, whatever is added beside it.
            hidden = [] if actor.knows_covert(hotlist) else [each for each in there or () if _is_covert(each)]
            edit = _Edit(entry, there, [entry, *hidden], given.why)
            return await self._apply(actor, hotlist, edit)

    async def remove(self, actor: Actor, name: str, plate: str, country: str, *, why: str) -> Changed:
        """Remove the entry of a plate and country from what is live, in one step.

        Raises
        ------
        NotFoundError
            There is none, or none that the actor may know of.
        ConflictError
            What is live cannot be read, and the actor may not know all of it.
        """
        self._ledger.need(actor, Right.LOAD, Right.PUBLISH)
        hotlist = await self._ledger.used(actor, name)
        if hotlist.two_person:
            # To take a vehicle off such a list is what the rule is there for.
            self._ledger.need(actor, Right.PUBLISH)
        entry = _entry(EntryGiven(plate=plate, country=country, why=why), name)
        detail = f"{entry.plate} {entry.country}".strip()
        async with self._ledger.noted(actor, "hotlist.entry.remove", hotlist, why, detail):
            there = await self._rows(hotlist, entry.plate, entry.country)
            if there is None and not actor.knows_covert(hotlist):
                raise damage.unreadable(name)
            hidden = [] if actor.knows_covert(hotlist) else [each for each in there or () if _is_covert(each)]
            if there is not None and len(hidden) == len(there):
                raise NotFoundError("no_entry", f"the plate is not on list {name!r} with that country")
            return await self._apply(actor, hotlist, _Edit(entry, there, hidden, why))

    async def _apply(self, actor: Actor, hotlist: Hotlist, edit: _Edit) -> Changed:
        name, entry = hotlist.name, edit.entry
        before = await self._ledger.live(name)
        count = Count(0, 0) if before is None else (await self._notes.counts(name)).get(before)
        gone = NO_COLUMNS if entry in edit.after else pack_entries(hotlist, [entry])
        try:
            number, version = await self._store.apply_delta(
                name, pack_entries(hotlist, edit.after), removed=gone, by=actor.name, why=edit.why
            )
        except HotlistError as error:
            raise ConflictError("not_changed", str(error)) from error
        if count is not None and edit.more is not None:
            rows, covert = edit.more
            await self._notes.count(name, number, Count(count.rows + rows, count.covert + covert))
        until_ns = entry.valid_until_ns
        return Changed(
            number=number,
            version=version,
            plate=entry.plate,
            country=entry.country,
            valid_until_ms=None if until_ns is None else until_ns // 1_000_000,
            unread=edit.before is None,
        )

    async def _rows(self, hotlist: Hotlist, plate: str, country: str) -> list[HotlistEntry] | None:
        """The live rows of a list for exactly this plate or pattern and country; None where it cannot be read."""
        try:
            found = await self._store.find(plate, hotlist.name)
        except HotlistError:
            return None
        return [each.entry for each in found if (each.entry.plate, each.entry.country) == (plate, country)]

    async def _other(self, actor: Actor, damaged: Hotlist, plate: str) -> str:
        """Name the most urgent open list that takes an entry in place of a damaged one; empty: there is none."""
        there = [each for each, _ in await self._ledger.lists(actor)]
        for each in sorted(there, key=lambda each: (each.priority.rank, each.name)):
            if each.name == damaged.name or each.archived or each.handling is Handling.COVERT:
                continue
            with contextlib.suppress(HotlistError):
                await self._store.find(plate, each.name)
                return each.name
        return ""

    async def find(self, actor: Actor, plate: str, *, why: str) -> FoundAll:
        """Say on which lists a plate is, by whom, why and until when, as far as the actor may know.

        Of a plate of which only a part was seen, written with ``?`` and ``*``, the first `MOST_FOUND` entries
        that fit are given.

        Raises
        ------
        BadRequestError
            It is no plate, or states less than `FEWEST_ASKED` characters: that asks for what is on the lists.
        """
        self._ledger.need(actor, Right.SEARCH)
        wanted = _entry(EntryGiven(plate=plate, why=why), "").plate
        whole = "?" not in wanted and "*" not in wanted
        if not whole and len(wanted) - wanted.count("?") - wanted.count("*") < FEWEST_ASKED:
            raise BadRequestError(
                "plate", f"a part of a plate to look for has {FEWEST_ASKED} letters and digits at least"
            )
        async with redis_needed():
            found, unread = await (self._store.find_readable(wanted) if whole else self._find_part(wanted))
        listings = [each for each in found if _may_know(actor, each)]
        covert = any(_is_covert(each.entry, each.hotlist) for each in listings)
        await self._ledger.record(actor, "hotlist.find", wanted, why, covert=covert)
        shown = listings if whole else listings[:MOST_FOUND]
        return FoundAll(
            plate=wanted,
            found=[_found(each) for each in shown],
            more=len(listings) > len(shown),
            unread=[ListNamed(name=each.name, title=each.title) for each in unread if actor.may_see(each)],
        )

    async def _find_part(self, pattern: str) -> tuple[list[Listing], list[Hotlist]]:
        """Return the live entries that fit a part of a plate, and the lists that are damaged."""

        async def look(name: str, state: ListState) -> list[Listing]:
            hotlist, number = known(name, state.hotlist), state.mark.number
            columns = await self._store.read(name, number)
            rows = await asyncio.to_thread(fitting, columns.keys, pattern)
            return [Listing(hotlist, entry, number, number, 0) for entry in as_entries(columns.chosen(rows))]

        return await self._store.each_readable(look)

    async def export(self, actor: Actor, name: str, number: int | None, *, why: str) -> AsyncIterator[bytes]:
        """Give a version's entries as CSV, the live one by default, in pieces.

        Raises
        ------
        NotFoundError
            Nothing is live, or there is no such version.
        ConflictError
            It is damaged.
        """
        self._ledger.need(actor, Right.LOAD)
        hotlist = await self._ledger.seen(actor, name)
        async with redis_needed():
            chosen = await self._ledger.live(name) if number is None else number
            kept = {each.number for each in await self._store.history(name)}
        if chosen is None or chosen not in kept:
            raise NotFoundError("no_version", f"list {name!r} has no such version, or nothing is live")
        async with self._ledger.noted(actor, "hotlist.export", hotlist, why, f"v{chosen}"):
            try:
                columns = await self._store.read(name, chosen)
            except HotlistError as error:
                raise damage.unreadable(name) from error
        if not actor.knows_covert(hotlist):
            columns = await asyncio.to_thread(columns.chosen, ~columns.covert)
        return _pieces(columns)


async def _pieces(columns: Columns) -> AsyncIterator[bytes]:
    yield (",".join(_HEADER) + "\r\n").encode()
    for start in range(0, len(columns), _AT_ONCE):
        rows = np.arange(start, min(start + _AT_ONCE, len(columns)))
        yield await asyncio.to_thread(_csv, columns.chosen(rows))


def _csv(columns: Columns) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text)
    for each in as_entries(columns):
        cells = (
            each.plate,
            each.country,
            each.reason,
            each.priority or "",
            each.handling or "",
            _moment(each.valid_from_ns),
            _moment(each.valid_until_ns),
        )
        writer.writerow([spreadsheet_safe(cell) for cell in cells])
    return text.getvalue().encode("utf-8", "replace")


def _moment(at_ns: int | None) -> str:
    """A moment to the second, which is as exact as a file gives one."""
    return "" if at_ns is None else datetime.fromtimestamp(at_ns // 1_000_000_000, UTC).isoformat()


def _entry(given: EntryGiven, name: str) -> HotlistEntry:
    """Read an entry as a row of a file is read: by the same rules.

    Raises
    ------
    BadRequestError
        It cannot be one.
    """
    row = {key: value for key, value in given.model_dump(mode="json", exclude={"why"}).items() if value}
    try:
        parsed = parse_file(io.BytesIO(msgspec.json.encode(row)), name, use=Use.DELTA)
    except FileError as error:
        raise BadRequestError("entry", str(error)) from error
    if parsed.errors:
        wrong = parsed.errors[0]
        raise BadRequestError("entry", f"{wrong.column or 'entry'}: {wrong.reason}", column=wrong.column)
    return parsed.entries[0]


def _bounded(entry: HotlistEntry) -> HotlistEntry:
    """Bound how long an entry is valid that one person adds where two are needed.

    Raises
    ------
    ConflictError
        It is asked to be valid for longer.
    """
    latest_ns = now_ns() + ALONE_S * 1_000_000_000
    if entry.valid_until_ns is None:
        return msgspec.structs.replace(entry, valid_until_ns=latest_ns)
    if entry.valid_until_ns > latest_ns:
        raise ConflictError(
            "two_person",
            "two-person rule: alone you add an entry for 24 hours at most; upload it to have it longer",
        )
    return entry


def _is_covert(entry: HotlistEntry, hotlist: Hotlist | None = None) -> bool:
    return Handling.COVERT in (entry.handling, None if hotlist is None else hotlist.handling)


def _may_know(actor: Actor, listing: Listing) -> bool:
    return not _is_covert(listing.entry, listing.hotlist) or actor.knows_covert(listing.hotlist)


def _found(listing: Listing) -> Found:
    hotlist, entry = listing.hotlist, listing.entry
    return Found(
        list=hotlist.name,
        title=hotlist.title,
        owner=hotlist.owner,
        legal_basis=hotlist.legal_basis,
        category=hotlist.category,
        handling=Handling.COVERT if _is_covert(entry, hotlist) else Handling.OPEN,
        priority=entry.priority or hotlist.priority,
        entry=entry_shape(entry),
        version=listing.version,
        since_ms=listing.since_ns // 1_000_000 or None,
    )
