"""Who acts on hotlists, what they may do, which lists they may know of, and the trail that they leave."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Protocol

from hotlists.entry import Handling, Hotlist


class Right(StrEnum):
    """What somebody may do with hotlists."""

    HEALTH = "health"
    """Learn which lists are stale, and how far the workers are."""
    SEARCH = "search"
    """Ask whether a plate is listed."""
    VIEW = "view"
    """See lists, their versions and what is staged, without entries."""
    LOAD = "load"
    """Upload, preview, export, and change a single entry when it is urgent."""
    PUBLISH = "publish"
    """Publish, roll back, make, describe and archive lists."""


RIGHTS_OF_ROLE: Final[dict[str, frozenset[Right]]] = {
    "operator": frozenset({Right.HEALTH, Right.SEARCH}),
    "ops": frozenset({Right.HEALTH, Right.SEARCH, Right.VIEW, Right.LOAD}),
    "chief": frozenset(Right),
    "auditor": frozenset({Right.HEALTH, Right.VIEW}),
    "engineer": frozenset({Right.HEALTH}),
    "covert": frozenset({Right.HEALTH, Right.SEARCH, Right.VIEW}),
}
"""What each role of the console may do; a role that is not here may do nothing with hotlists."""
RIGHTS_OF_SCOPE: Final[dict[str, frozenset[Right]]] = {
    "hotlists:search": frozenset({Right.HEALTH, Right.SEARCH}),
    "hotlists:load": frozenset({Right.HEALTH, Right.VIEW, Right.LOAD}),
    "hotlists:publish": frozenset({Right.HEALTH, Right.VIEW, Right.PUBLISH}),
    "hotlists:write": frozenset({Right.HEALTH, Right.VIEW, Right.LOAD, Right.PUBLISH}),
    "hotlists:covert": frozenset(),
}
"""What each scope of an API token may do; `COVERT_SCOPE` adds no right, it lets the others reach covert lists."""
COVERT_ROLE: Final = "covert"
COVERT_SCOPE: Final = "hotlists:covert"


@dataclass(frozen=True, slots=True)
class Actor:
    """Somebody, or a program, who asks something of the desk."""

    name: str
    rights: frozenset[Right]
    covert: bool = False
    """Knows of every covert list and entry, not only of those that name them."""
    where: str = ""
    """Address that the request comes from."""

    @classmethod
    def with_roles(cls, name: str, roles: Iterable[str], where: str = "") -> Actor:
        """Make the actor that somebody with these roles of the console is."""
        held = frozenset(roles)
        return cls(name, _joined(RIGHTS_OF_ROLE, held), COVERT_ROLE in held, where)

    @classmethod
    def with_scopes(cls, name: str, scopes: Iterable[str], where: str = "") -> Actor:
        """Make the actor that a token with these scopes is."""
        held = frozenset(scopes)
        return cls(name, _joined(RIGHTS_OF_SCOPE, held), COVERT_SCOPE in held, where)

    def knows_covert(self, hotlist: Hotlist) -> bool:
        """Tell whether they may know what is covert on a list."""
        return self.covert or self.name in hotlist.named_users

    def may_see(self, hotlist: Hotlist) -> bool:
        """Tell whether they may know that a list exists."""
        return hotlist.handling is not Handling.COVERT or self.knows_covert(hotlist)


def _joined(table: dict[str, frozenset[Right]], held: frozenset[str]) -> frozenset[Right]:
    return frozenset[Right]().union(*(table.get(each, frozenset()) for each in held))


@dataclass(frozen=True, slots=True)
class Deed:
    """A line for the audit trail: who did what to what, why and from where."""

    who: str
    what: str
    target: str
    why: str = ""
    where: str = ""
    covert: bool = False
    """The line itself tells of something covert."""


class Recorder(Protocol):
    """The audit trail, as the desk sees it."""

    async def record(self, deed: Deed) -> None:
        """Write a line, for good, before this returns; raise where that cannot be done."""
