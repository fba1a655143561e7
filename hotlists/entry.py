"""Hotlist and HotlistEntry: what is looked for, by whom, why, and what may be done with a hit."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from enum import StrEnum
from typing import Annotated, Final
from zoneinfo import ZoneInfo

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


class Weekday(StrEnum):
    """The days of a week, in order."""

    MONDAY = "mon"
    TUESDAY = "tue"
    WEDNESDAY = "wed"
    THURSDAY = "thu"
    FRIDAY = "fri"
    SATURDAY = "sat"
    SUNDAY = "sun"


BRUSSELS: Final = ZoneInfo("Europe/Brussels")
"""Hours of a window, and dates without a time, are those of this clock."""
_WEEK: Final = tuple(Weekday)

# These travel on every hit of the list.
_Line = Annotated[str, msgspec.Meta(max_length=200)]
_Share = Annotated[float, msgspec.Meta(ge=0.0, le=1.0)]
_Hour = Annotated[str, msgspec.Meta(pattern=r"^(([01][0-9]|2[0-3]):[0-5][0-9])?\Z")]
_Places = Annotated[tuple[_Line, ...], msgspec.Meta(max_length=1000)]


class Window(msgspec.Struct, frozen=True, kw_only=True):
    """A time in which a list applies: between two moments, on some days of the week, between two hours.

    What is left out does not limit. Days and hours are those of Brussels; in the autumn's repeated hour both
    passes are in the window, and in the spring the hour that is not there is in none.
    """

    from_ns: int | None = None
    """Nanoseconds since the epoch, UTC, inclusive."""
    until_ns: int | None = None
    """Nanoseconds since the epoch, UTC, exclusive."""
    days: Annotated[tuple[Weekday, ...], msgspec.Meta(max_length=7)] = ()
    """Days on which the window begins; none given is every day."""
    starts: _Hour = ""
    """``HH:MM``, inclusive; empty is midnight."""
    ends: _Hour = ""
    """``HH:MM``, exclusive; empty is midnight. Not after `starts`: on the next day."""

    def holds_at(self, at_ns: int) -> bool:
        """Tell whether a moment (ns since the epoch) is in the window."""
        if self.from_ns is not None and at_ns < self.from_ns:
            return False
        if self.until_ns is not None and at_ns >= self.until_ns:
            return False
        there = datetime.fromtimestamp(at_ns // 1_000_000_000, UTC).astimezone(BRUSSELS)
        hour, starts, ends = there.time(), _time(self.starts), _time(self.ends)
        days = self.days or _WEEK
        today, yesterday = _WEEK[there.weekday()], _WEEK[(there - timedelta(days=1)).weekday()]
        if ends > starts:
            return today in days and starts <= hour < ends
        return (today in days and hour >= starts) or (yesterday in days and hour < ends)


def _time(hour: str) -> time:
    return time.fromisoformat(hour) if hour else time()


class AppliesTo(msgspec.Struct, frozen=True, kw_only=True):
    """Where and when a list applies. Nothing given: everywhere and always."""

    zones: _Places = ()
    cameras: _Places = ()
    """Ids. A capture is in place when its zone or its camera is named, or when neither zones nor cameras are."""
    windows: Annotated[tuple[Window, ...], msgspec.Meta(max_length=50)] = ()
    """A capture is in time when one of these holds, or there are none."""

    def holds(self, camera: str, zone: str, at_ns: int) -> bool:
        """Tell whether the list applies to a capture by `camera`, which stands in `zone`, at `at_ns`."""
        anywhere = not self.zones and not self.cameras
        if not (anywhere or zone in self.zones or camera in self.cameras):
            return False
        return not self.windows or any(window.holds_at(at_ns) for window in self.windows)


EVERYWHERE: Final = AppliesTo()
"""Everywhere and always."""


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
    prior: Annotated[float, msgspec.Meta(gt=0.0, lt=1.0)] | None = None
    """Chance that a passing vehicle is on the list; None: derived from how many entries there are."""
    notify_unconfirmed: bool = False
    """Tell units at once, before an operator has looked; False: only what was confirmed by eye."""
    applies_to: AppliesTo = EVERYWHERE
    """Where and when a read can be a hit on this list."""
    max_age_s: Annotated[int, msgspec.Meta(ge=60, le=315_360_000)] | None = None
    """Seconds after its last publication at which the list is stale, and an alarm says so; None: never."""
    two_person: bool = False
    """Who uploaded a version may not be the one who publishes it."""
    removal_guard: _Share = 0.2
    """Share of the live entries that a full replacement may remove without a second confirmation."""
    rejection_guard: _Share = 0.05
    """Share of a file's rows that may be rejected without a second confirmation."""
    archived: bool = False
    """No longer in use: nothing is live, and nothing can be published until it is taken back."""


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
