"""Hotlist and HotlistEntry: what is looked for, by whom, why, and what may be done with a hit."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Final

import msgspec

SHORTEST_PLATE: Final = 2
"""Fewest characters of a plate: with one, a scratch that was read as a character would be a vehicle."""
_ISO_3166: Final = {  # by first letter
    "A": "DEFGILMOQRSTUWXZ",
    "B": "ABDEFGHIJLMNOQRSTVWYZ",
    "C": "ACDFGHIKLMNORUVWXYZ",
    "D": "EJKMOZ",
    "E": "CEGHRST",
    "F": "IJKMOR",
    "G": "ABDEFGHILMNPQRSTUWY",
    "H": "KMNRTU",
    "I": "DELMNOQRST",
    "J": "EMOP",
    "K": "EGHIMNPRWYZ",
    "L": "ABCIKRSTUVY",
    "M": "ACDEFGHKLMNOPQRSTUVWXYZ",
    "N": "ACEFGILOPRUZ",
    "O": "M",
    "P": "AEFGHKLMNRSTWY",
    "Q": "A",
    "R": "EOSUW",
    "S": "ABCDEGHIJKLMNORSTVXYZ",
    "T": "CDFGHJKLMNORTVWZ",
    "U": "AGMSYZ",
    "V": "ACEGINU",
    "W": "FS",
    "X": "K",
    "Y": "ET",
    "Z": "AMW",
}
COUNTRIES: Final = frozenset(first + second for first, seconds in _ISO_3166.items() for second in seconds)
"""ISO 3166 alpha-2, and XK for Kosovo: an entry of a country that is none would never agree with a read's."""


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


# These travel on every hit of the list.
_Line = Annotated[str, msgspec.Meta(max_length=200)]


class Hotlist(msgspec.Struct, frozen=True, kw_only=True):
    """A named list of vehicles of interest."""

    name: str
    """Identifier: lower-case letters, digits and dashes, 1 to 64."""
    title: _Line = ""
    owner: _Line = ""
    legal_basis: _Line = ""
    purpose: str = ""
    category: Category = Category.OTHER
    priority: Priority = Priority.NORMAL
    """Priority of entries that state none."""
    handling: Handling = Handling.OPEN
    """Handling of entries that state none. An entry may only tighten it: open list, covert entry."""
    named_users: Annotated[tuple[_Line, ...], msgspec.Meta(max_length=50)] = ()
    """Who may see this list's alerts when they are covert, beside the holders of the covert role."""
    threshold: Annotated[float, msgspec.Meta(ge=0.0, le=1.0)] = 0.6
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
