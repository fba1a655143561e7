"""Hotlist and HotlistEntry: what is looked for, by whom, why, and what may be done with a hit."""

from __future__ import annotations

from enum import StrEnum

import msgspec


class Handling(StrEnum):
    """What may be done with a hit."""

    OPEN = "open"
    COVERT = "covert"


class Priority(StrEnum):
    """How fast somebody must look. Declared from most to least urgent."""

    CRITICAL = "critical"
    HIGH = "high"
    NORMAL = "normal"
    LOW = "low"

    @property
    def rank(self) -> int:
        """0 is the most urgent."""
        return list(Priority).index(self)


class Category(StrEnum):
    """What kind of list this is; decides colour and sound on the console."""

    STOLEN = "stolen"
    UNINSURED = "uninsured"
    NO_INSPECTION = "no_inspection"
    WANTED = "wanted"
    SIS = "sis"
    BIN = "bin"
    EVENT = "event"
    FOOTBALL = "football"
    TRAFFIC = "traffic"
    RECHERCHE = "recherche"
    OTHER = "other"


class Hotlist(msgspec.Struct, frozen=True, kw_only=True):
    """A named list of vehicles of interest."""

    name: str
    """Identifier: lower-case letters, digits and dashes, 1 to 64."""
    title: str = ""
    owner: str = ""
    legal_basis: str = ""
    purpose: str = ""
    category: Category = Category.OTHER
    priority: Priority = Priority.NORMAL
    """Priority of entries that state none."""
    handling: Handling = Handling.OPEN
    """Handling of entries that state none. An entry may only tighten it: open list, covert entry."""
    named_users: tuple[str, ...] = ()
    """Who may see this list's alerts when they are covert, beside the holders of the covert role."""
    threshold: float = 0.5
    """Posterior from which a candidate is a hit."""
    notify_unconfirmed: bool = False
    """Tell units at once, before an operator has looked; False: only what was confirmed by eye."""


class HotlistEntry(msgspec.Struct, frozen=True, kw_only=True):
    """One line of a hotlist."""

    plate: str
    """Normalised plate, or a pattern with ``?`` (one character) and ``*`` (any run)."""
    country: str = ""
    """ISO 3166 alpha-2, or empty for any."""
    reason: str = ""
    priority: Priority | None = None
    handling: Handling | None = None
    valid_from_ns: int | None = None
    """Nanoseconds since the epoch, UTC, inclusive; None is since always."""
    valid_until_ns: int | None = None
    """Nanoseconds since the epoch, UTC, exclusive; None is for ever."""
