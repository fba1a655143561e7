"""What the store says of lists, versions and workers. Plain records."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import msgspec

from hotlists.entry import Hotlist, HotlistEntry

Kind = Literal["full", "delta"]


@dataclass(frozen=True, slots=True)
class Staged:
    """An upload that is whole in Redis, and that nobody is matched against.

    The counts are against the version that was live when it was staged, `based_on`: what publishing would change
    if nothing else is published before. An entry is a plate in a country; rows that name it twice count once.
    """

    number: int
    kind: Kind
    rows: int
    """Rows of the upload: all of a full one, those to add of a delta."""
    sha256: str
    """Hex digest of the upload as it is stored."""
    based_on: int
    """Number of the version that was live; 0 when none was. Publish with it as `expected_live`."""
    added: int
    removed: int
    changed: int
    """Entries that are in both and differ in reason, priority, handling or validity."""
    live_rows: int
    """Rows of the version that was live."""


@dataclass(frozen=True, slots=True)
class VersionInfo:
    """One version of a list, as `HotlistStore.versions` shows it."""

    number: int
    kind: Kind
    state: Literal["staged", "kept", "live"]
    rows: int
    """Rows of a full version; of a delta those that it adds. -1: published by a release that did not say."""
    removed: int
    """Entries that a delta takes out, as it was asked."""
    by: str
    """Who uploaded it."""
    published_by: str
    """Who published it; empty while it is staged."""
    why: str
    when_ns: int
    """When it was first published, or staged while it is not; 0 where unknown."""
    based_on: int
    """The version that was live before it; 0 for none."""
    sha256: str


@dataclass(frozen=True, slots=True)
class Listing:
    """An entry that names a plate, as `HotlistStore.find` finds it."""

    hotlist: Hotlist
    entry: HotlistEntry
    version: int
    """The list's live version."""
    since: int
    """The first version, of those that can be told, that held the entry as it is now."""
    since_ns: int
    """When that version was first published; 0 where unknown."""


@dataclass(frozen=True, slots=True)
class ListState:
    """One list as Redis has it."""

    hotlist: Hotlist | None
    """None: the list was deleted."""
    number: int
    """The live version; 0 when nothing is live."""
    stamp: int
    """Snapshot version of its last change; 0 when it never had one, or an earlier release made it."""


@dataclass(frozen=True, slots=True)
class StoreState:
    """Everything that workers follow, at one moment."""

    version: int
    epoch: str
    """Identity of this Redis's data; another one after it lost everything. Empty: it holds nothing."""
    lists: Mapping[str, ListState] = field(default_factory=dict)
    """Each list that Redis knows of, also those that are no longer live."""


class WorkerReport(msgspec.Struct, frozen=True, kw_only=True):
    """What a match worker holds: its heartbeat."""

    version: int
    """Snapshot version."""
    entries: int = 0
    lost: tuple[str, ...] = ()
    """Lists that it goes on with although Redis no longer has them: publish or archive each again."""
    behind: tuple[str, ...] = ()
    """Lists of which the live version cannot be loaded, so that an earlier one is matched, or none."""
    checked_ms: int = 0
    """When it last agreed with Redis, milliseconds since the epoch."""
