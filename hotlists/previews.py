"""What publishing a staged version would do, and what stands in the way of it."""

from __future__ import annotations

from dataclasses import asdict
from typing import Final, Protocol

import numpy as np

from hotlists.columns import Columns
from hotlists.compare import compare, joined, only
from hotlists.entry import Handling, Hotlist, HotlistEntry
from hotlists.ledger import now_ns
from hotlists.notes import Kept
from hotlists.parsed import Detected, ParsedFile, RowNote, as_entries
from hotlists.people import Actor
from hotlists.problems import ConflictError
from hotlists.shapes import DetectedShape, EntryShape, GuardShape, LookbackShape, NoteShape, Preview
from hotlists.store import STAGED_EXPIRY_S
from hotlists.versions import Staged

EXAMPLES: Final = 50
"""Entries of each kind that a preview shows."""


_SAID: Final = {
    "unread": "what is live is damaged: nothing could be compared with it, and how many entries go is not known"
}
"""What a guard says that counts nothing."""


class Lookback(Protocol):
    """What the match workers say of the reads of the last hour, as the desk sees it."""

    async def ask(self, name: str, number: int) -> None:
        """Ask every worker how many of them a staged version would have hit."""

    async def answers(self, name: str, number: int) -> LookbackShape:
        """Give what has been answered so far."""


def make(name: str, staged: Staged, parsed: ParsedFile, live: Columns, *, by: str, why: str) -> Kept:
    """Compare a staged version with what is live, as far as its uploader may know of that. Takes seconds.

    Parameters
    ----------
    parsed
        What was uploaded.
    live
        The entries of the live version.
    """
    delta = staged.kind == "delta"
    named = only(live, joined(parsed.columns, parsed.removals)) if delta else live
    found = compare(named, parsed.columns)
    gone = named.chosen(found.removed)
    untouched = len(live) - len(named)
    at_ms = now_ns() // 1_000_000
    return Kept(
        number=staged.number,
        name=name,
        kind=staged.kind,
        by=by,
        why=why,
        staged_ms=at_ms,
        expires_ms=at_ms + STAGED_EXPIRY_S * 1000,
        accepted=parsed.accepted,
        rejected=parsed.rejected,
        duplicates=parsed.duplicates,
        implausible=parsed.implausible,
        rows=len(parsed.columns),
        removals=len(parsed.removals),
        based_on=staged.based_on,
        live_rows=len(live),
        added=len(found.added),
        changed=len(found.changed),
        removed=len(gone),
        unchanged=found.unchanged + untouched,
        examples_added=_examples(parsed.columns.chosen(found.added[:EXAMPLES])),
        examples_changed=_examples(parsed.columns.chosen(found.changed[:EXAMPLES])),
        examples_removed=_examples(gone.chosen(np.arange(min(EXAMPLES, len(gone))))),
        errors=[NoteShape(**note(each)) for each in parsed.errors],
        warnings=[NoteShape(**note(each)) for each in parsed.warnings],
        ignored_columns=parsed.ignored_columns,
        detected=DetectedShape(**asdict(parsed.detected)),
        cut_off=parsed.cut_off,
        guards=[],
        needs_other=False,
        lookback=LookbackShape(asked=0, answered=0, reads=0, since_ms=None, would_hit=None),
    )


def parsed_again(kept: Preview, added: Columns, removals: Columns, *, whole: bool) -> ParsedFile:
    """Give what was uploaded once more.

    Parameters
    ----------
    added, removals
        What the store has of it; entries may be among them that were hidden from the uploader and carried over.
    whole
        With these; else without.
    """
    return ParsedFile(
        columns=added if whole else added.chosen(~added.covert),
        removals=removals,
        accepted=kept.accepted,
        rejected=kept.rejected,
        duplicates=kept.duplicates,
        implausible=kept.implausible,
        errors=[RowNote(**each.model_dump()) for each in kept.errors],
        warnings=[RowNote(**each.model_dump()) for each in kept.warnings],
        ignored_columns=kept.ignored_columns,
        detected=Detected(**kept.detected.model_dump()),
        cut_off=kept.cut_off,
    )


def guards(hotlist: Hotlist, preview: Preview) -> list[GuardShape]:
    """Say what asks for a second confirmation, by what the list's guards are now."""
    found = []
    entries = preview.changed + preview.removed + preview.unchanged
    if preview.unread:
        found.append(GuardShape(code="unread", count=1, of=1, limit=0.0))
    if preview.kind == "full" and not preview.rows:
        found.append(GuardShape(code="empty", count=0, of=preview.live_rows, limit=0.0))
    if preview.removed > hotlist.removal_guard * entries:
        limit = hotlist.removal_guard
        found.append(GuardShape(code="removes", count=preview.removed, of=entries, limit=limit))
    rows = preview.accepted + preview.rejected
    if preview.rejected > hotlist.rejection_guard * rows:
        limit = hotlist.rejection_guard
        found.append(GuardShape(code="rejected", count=preview.rejected, of=rows, limit=limit))
    if preview.cut_off:
        found.append(GuardShape(code="cut_off", count=1, of=1, limit=0.0))
    return found


def check_publishable(hotlist: Hotlist, preview: Preview, actor: Actor, confirm_removed: int | None) -> None:
    """Refuse what may not be published by this person, or not without a second confirmation.

    Raises
    ------
    ConflictError
        It may not.
    """
    if hotlist.two_person and preview.by == actor.name:
        raise ConflictError(
            "two_person", f"list {hotlist.name!r} has the two-person rule: somebody else must publish your upload"
        )
    found = guards(hotlist, preview)
    if found and confirm_removed != preview.removed:
        why = ", ".join(_SAID.get(each.code) or f"{each.code} ({each.count} of {each.of})" for each in found)
        raise ConflictError(
            "needs_confirmation",
            f"{why}: look at the preview again; to publish it all the same, repeat how many entries go: "
            f"confirm_removed={preview.removed}",
            guards=[each.model_dump() for each in found],
            removed=preview.removed,
        )


def note(found: RowNote) -> dict[str, object]:
    """Show a note about a row."""
    return {"row": found.row, "column": found.column, "value": _whole(found.value), "reason": _whole(found.reason)}


def entry_shape(entry: HotlistEntry) -> EntryShape:
    """Show an entry."""
    return EntryShape(
        plate=entry.plate,
        country=entry.country,
        reason=_whole(entry.reason),
        priority=entry.priority,
        handling=Handling.COVERT if entry.handling is Handling.COVERT else None,
        valid_from_ms=None if entry.valid_from_ns is None else entry.valid_from_ns // 1_000_000,
        valid_until_ms=None if entry.valid_until_ns is None else entry.valid_until_ns // 1_000_000,
    )


def _examples(columns: Columns) -> list[EntryShape]:
    return [entry_shape(each) for each in as_entries(columns)]


def _whole(text: str) -> str:
    """A text without halves of characters, which JSON cannot carry."""
    return text.encode("utf-8", "replace").decode()
