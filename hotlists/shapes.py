"""What goes over the wire at the admin endpoint: every request and every answer, as its description shows them."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

import msgspec
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from hotlists.entry import Category, Handling, Hotlist, Priority, Weekday

Kind = Literal["full", "delta"]
MAX_NS: Final = 2**63 - 1024
"""The last moment, in nanoseconds, that is a whole number to those who read numbers as floats too."""
MAX_NUMBER: Final = 2**53 - 1

REASON: Final = r"^[^\x00]*[0-9A-Za-z\u00c0-\u024f][^\x00]*$"
"""A reason has a letter or a digit somewhere: blanks, of whatever kind, are none."""

Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,63}$")]
Why = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=500, pattern=REASON),
    Field(description="For the audit trail: why this is done."),
]
_Line = Annotated[str, StringConstraints(max_length=200, pattern=r"^[^\x00]*$")]
_Hour = Annotated[str, StringConstraints(pattern=r"^(([01][0-9]|2[0-3]):[0-5][0-9])?$")]
_Share = Annotated[float, Field(ge=0.0, le=1.0)]
_Moment = Annotated[int, Field(ge=-MAX_NS, le=MAX_NS)]


class Given(BaseModel):
    """What is asked: a field that is not known is refused, since it may be one that is misspelt."""

    model_config = ConfigDict(extra="forbid")


class WindowShape(Given):
    """A time in which a list applies; days and hours on the Brussels clock."""

    from_ns: _Moment | None = Field(None, description="Nanoseconds since the epoch, inclusive.")
    until_ns: _Moment | None = Field(None, description="Nanoseconds since the epoch, exclusive.")
    days: list[Weekday] = Field([], max_length=7, description="Days on which it begins; none is every day.")
    starts: _Hour = Field("", description="HH:MM, inclusive; empty is midnight.")
    ends: _Hour = Field("", description="HH:MM, exclusive; not after `starts` is on the next day.")


class AppliesToShape(Given):
    """Where and when a list applies; nothing given is everywhere and always."""

    zones: list[_Line] = Field([], max_length=1000)
    cameras: list[_Line] = Field([], max_length=1000)
    windows: list[WindowShape] = Field([], max_length=50)


class Changes(Given):
    """Metadata of a list to change: what is left out stays as it is."""

    title: _Line = ""
    owner: _Line = ""
    legal_basis: _Line = ""
    purpose: Annotated[str, StringConstraints(max_length=10_000, pattern=r"^[^\x00]*$")] = ""
    category: Category = Category.OTHER
    priority: Priority = Priority.NORMAL
    handling: Handling = Handling.OPEN
    named_users: list[_Line] = Field([], max_length=50, description="Who may know of it when it is covert.")
    threshold: _Share = 0.6
    prior: Annotated[float, Field(gt=0.0, lt=1.0)] | None = None
    notify_unconfirmed: bool = False
    applies_to: AppliesToShape = AppliesToShape()
    max_age_s: Annotated[int, Field(ge=60, le=315_360_000)] | None = None
    two_person: bool = False
    removal_guard: _Share = 0.2
    rejection_guard: _Share = 0.05

    def given(self) -> dict[str, Any]:
        """Return the fields that were given, as plain values."""
        return self.model_dump(mode="json", exclude_unset=True)


class Metadata(Changes):
    """Metadata of a list to make; what is left out has its default."""

    name: Name | None = Field(None, description="Where given, the name in the address.")
    archived: Literal[False] = False

    def hotlist(self, name: str) -> Hotlist:
        """Make the list."""
        return msgspec.convert({**self.model_dump(mode="json"), "name": name}, Hotlist)


class Reason(Given):
    """Why."""

    why: Why


class Publishing(Given):
    """Which staged version goes live, against what, and why."""

    why: Why
    expected_live: int | None = Field(
        None, ge=0, le=MAX_NUMBER, description="The version that the preview was compared with: `based_on`."
    )
    confirm_removed: int | None = Field(
        None, ge=0, le=MAX_NUMBER, description="Repeats `removed` of the preview, where it has guards."
    )


class RollingBack(Given):
    """Which kept version goes live again, and why."""

    number: int = Field(ge=1, le=MAX_NUMBER)
    why: Why
    expected_live: int | None = Field(None, ge=0, le=MAX_NUMBER)


Plate = Annotated[str, StringConstraints(min_length=1, max_length=80, pattern=r"^[^\x00]+$")]


class EntryGiven(Given):
    """A single entry to add at once."""

    plate: Plate = Field(description="As it is written, or a pattern with ? and *.")
    country: Annotated[str, StringConstraints(max_length=2)] = Field(
        "", description="ISO 3166 alpha-2; empty: any."
    )
    reason: Annotated[str, StringConstraints(max_length=500, pattern=r"^[^\x00]*$")] = ""
    priority: Priority | None = None
    handling: Handling | None = None
    valid_from: Annotated[str, StringConstraints(max_length=40)] = Field(
        "", description="Date or time; empty: now."
    )
    valid_until: Annotated[str, StringConstraints(max_length=40)] = Field(
        "", description="Date or time, or empty."
    )
    why: Why


class EntryRemoved(Given):
    """A single entry to remove at once."""

    plate: Plate
    country: Annotated[str, StringConstraints(max_length=2)] = ""
    why: Why


class PlateAsked(Given):
    """A plate to look for on every list."""

    plate: Plate
    why: Why


# --- answers -----------------------------------------------------------------------------------------------------


class Problem(BaseModel):
    """A problem document (RFC 9457)."""

    model_config = ConfigDict(extra="allow")
    type: str = "about:blank"
    title: str
    status: int
    detail: str
    code: str | None = Field(None, description="What a program can go by.")


class ListShape(BaseModel):
    """A list: its metadata, and how it stands."""

    name: str
    title: str
    owner: str
    legal_basis: str
    purpose: str
    category: Category
    priority: Priority
    handling: Handling
    named_users: list[str]
    threshold: float
    prior: float | None
    notify_unconfirmed: bool
    applies_to: AppliesToShape
    max_age_s: int | None
    two_person: bool
    removal_guard: float
    rejection_guard: float
    archived: bool
    live: int | None = Field(description="Number of the live version; null: nothing is live.")
    rows: int | None = Field(description="Entries that are live; null where it is not known.")
    published_ms: int | None = Field(description="When the live version was published.")
    published_by: str
    fresh_ms: int | None = Field(
        description="When the owner's list came last, which a single entry does not change; null: never."
    )
    stale: bool = Field(description="`fresh_ms` is longer ago than `max_age_s`, or never was.")
    staged: int = Field(description="Versions that wait to be published.")


class VersionShape(BaseModel):
    """A version of a list."""

    number: int
    kind: Kind
    state: Literal["staged", "kept", "live"]
    rows: int | None = Field(description="Entries; of a delta those that it adds. Null where it is not known.")
    removed: int = Field(description="Entries that a delta removes.")
    by: str = Field(description="Who uploaded it.")
    published_by: str
    why: str
    when_ms: int | None
    based_on: int


class NoteShape(BaseModel):
    """Something about one row of an upload."""

    row: int
    column: str
    value: str
    reason: str


class DetectedShape(BaseModel):
    """How an upload was read."""

    format: str
    compression: str
    encoding: str
    delimiter: str
    sheet: str
    headers: dict[str, str]


class EntryShape(BaseModel):
    """An entry."""

    plate: str
    country: str
    reason: str
    priority: Priority | None
    handling: Handling | None
    valid_from_ms: int | None
    valid_until_ms: int | None


class GuardShape(BaseModel):
    """Why a version needs a second confirmation."""

    code: Literal["empty", "removes", "rejected", "cut_off", "unread"]
    count: int
    of: int
    limit: float


class LookbackShape(BaseModel):
    """What the match workers say of the reads of the last hour."""

    asked: int = Field(description="Workers that were asked.")
    answered: int = Field(description="Workers whose answer is in it.")
    reads: int = Field(description="Reads that they have seen since `since_ms`.")
    since_ms: int | None = Field(description="From when on their count goes; null where none answered.")
    would_hit: int | None = Field(description="About how many would have been exact hits; null: fewer than 20.")


class Preview(BaseModel):
    """A version that is staged, and what publishing it would do."""

    number: int
    name: str
    kind: Kind
    by: str
    why: str
    staged_ms: int
    expires_ms: int
    accepted: int = Field(description="Rows that were taken.")
    rejected: int
    duplicates: int
    implausible: int = Field(description="Plates that fit no series of the country that their row states.")
    rows: int = Field(description="Entries of the version; of a delta those that it adds.")
    removals: int = Field(description="Entries that a delta names to be removed.")
    based_on: int = Field(description="The live version that it was compared with; 0: none.")
    unread: bool = Field(
        False, description="The live version is damaged: it was compared with nothing, and what goes is not known."
    )
    live_rows: int
    added: int
    changed: int
    removed: int
    unchanged: int
    examples_added: list[EntryShape]
    examples_changed: list[EntryShape]
    examples_removed: list[EntryShape]
    errors: list[NoteShape] = Field(description="The first of the rejected rows.")
    warnings: list[NoteShape]
    ignored_columns: list[str]
    detected: DetectedShape
    cut_off: bool
    guards: list[GuardShape] = Field(description="Not empty: publishing needs `confirm_removed`.")
    needs_other: bool = Field(description="Two-person rule: somebody else than `by` must publish it.")
    lookback: LookbackShape


class Published(BaseModel):
    """What went live."""

    number: int = Field(description="Number of the version.")
    version: int = Field(description="Snapshot version, which the workers report once they hold it.")


class Changed(BaseModel):
    """A single entry that was changed."""

    number: int
    version: int
    plate: str = Field(description="As it is matched.")
    country: str
    valid_until_ms: int | None
    unread: bool = Field(
        False,
        description="What is live of the list is damaged: only workers that held it have the change. What was "
        "added belongs on another list too.",
    )


class Found(BaseModel):
    """An entry that names the plate that was asked for."""

    list: str
    title: str
    owner: str
    legal_basis: str
    category: Category
    handling: Handling
    priority: Priority
    entry: EntryShape
    version: int
    since_ms: int | None


class ListNamed(BaseModel):
    """Which list is meant."""

    name: str
    title: str

    @property
    def shown(self) -> str:
        """What people call it."""
        return self.title or self.name


class FoundAll(BaseModel):
    """Where a plate is listed, as far as the asker may know."""

    plate: str
    found: list[Found]
    more: bool = Field(False, description="Of a part of a plate: more entries fit than are given.")
    unread: list[ListNamed] = Field(
        [], description="Lists that are damaged: whether the plate is on them is not known."
    )


class StaleShape(BaseModel):
    """A list of which the owner's list has not come for longer than it may be."""

    name: str
    title: str
    fresh_ms: int | None = Field(description="When the owner's list came last; null: never.")
    max_age_s: int


class Health(BaseModel):
    """How the hotlists stand; what the banner of the console shows."""

    state: Literal["ok", "warning", "alarm"]
    redis: bool = Field(description="False: Redis does not answer, and nothing can be changed.")
    stale: list[StaleShape]
    workers: int = Field(description="Match workers that report.")
    behind: int = Field(description="Of these, how many do not hold what is live.")
    lost: bool = Field(
        False,
        description="Workers go on with hotlists that Redis has lost: publish or archive each of them again.",
    )
    version: int = Field(description="Snapshot version that is live.")
