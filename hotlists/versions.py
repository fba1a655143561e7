"""What the store says of lists, versions and workers. Plain records."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import msgspec

from hotlists.entry import Hotlist, HotlistEntry

Kind = Literal["full", "delta"]


@dataclass(frozen=True, slots=True)
class Staged:
    """An upload that is whole in Redis, and that nobody is matched against."""

    number: int
    kind: Kind
    rows: int
    """Rows of the upload: all of a full one, those to add of a delta."""
    sha256: str
    """Hex digest of the upload as it is stored."""
    based_on: int
    """Number of the version that was live; 0 when none was. Publish with it as `expected_live`."""


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
    fresh_ns: int
    """When the owner's list came last: of a single entry's version, that of the one before."""
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


class Mark(msgspec.Struct, frozen=True):
    """Which version of a list somebody holds."""

    number: int = 0
    id: str = ""
    """Identity of the version: its number means nothing on a Redis that began anew."""
    stamp: int = 0
    """Snapshot version of the list's last change that is followed."""
    epoch: str = ""
    """Identity of the Redis's data that it came from."""
    fresh_ns: int = 0
    """When the owner's list came last, as in `VersionInfo`; 0 where unknown."""


@dataclass(frozen=True, slots=True)
class ListState:
    """One list as Redis has it."""

    hotlist: Hotlist | None
    """None: its metadata is missing, or cannot be read."""
    mark: Mark
    """The live version; its number is 0 when nothing is live."""
    when_ns: int = 0
    """When that was first published; 0 where unknown."""


@dataclass(frozen=True, slots=True)
class StoreState:
    """Everything that workers follow, at one moment."""

    version: int
    epoch: str
    """Identity of this Redis's data; another one after it lost everything. Empty: it holds nothing."""
    lists: Mapping[str, ListState]
    """Each list that is live, or was."""


class WorkerReport(msgspec.Struct, frozen=True):
    """What a match worker holds: its heartbeat."""

    version: int
    """Snapshot version: everything that was published up to it is matched."""
    behind: tuple[str, ...] = ()
    """Lists of which the live version cannot be loaded: an earlier one is matched, or none."""
    lost: tuple[str, ...] = ()
    """Lists that it goes on with although Redis no longer has them."""
