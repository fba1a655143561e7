"""What the store says of lists, versions and workers. Plain records."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

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
