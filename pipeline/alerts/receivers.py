"""Who is told of an alert that was released to the units: the registry of receivers, a JSON file.

    [{"name": "Patrouille noord", "url": "ntfys://ntfy.zone.example/noord", "sectors": ["noord"]},
     {"name": "Dispatching", "url": "webhook+https://dispatch.zone.example/hook", "secret": "...", "full": true},
     {"name": "Officier", "url": "mailtos://...", "level": 1}]

``webhook+https://`` (or ``webhook+http://``) is our own signed webhook; anything else is an address of Apprise.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import msgspec

from hotlists.entry import Handling, Priority
from pipeline.errors import ConfigurationError
from pipeline.model import Alert

WEBHOOK: Final = ("webhook+https://", "webhook+http://")
SHORTEST_SECRET: Final = 16


class Receiver(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A device, a group or a system that can be told."""

    name: str
    """Shown to operators; unique."""
    url: str
    secret: str = ""
    """Under which webhooks are signed."""
    sectors: tuple[str, ...] = ()
    """Zones of cameras; none means all."""
    priorities: tuple[Priority, ...] = ()
    """None means all."""
    level: int = 0
    """0 is told at once; each higher level when nobody below has answered in time."""
    full: bool = False
    """Tell the plate and the reason; False: only that there is something, and where to look. For channels that
    leave the zone's own network."""

    def wants(self, alert: Alert) -> bool:
        """Tell whether an alert is for this receiver; a covert one never is."""
        entry = alert.hit.entry
        return (
            entry.handling is Handling.OPEN
            and (not self.sectors or alert.zone in self.sectors)
            and (not self.priorities or entry.priority in self.priorities)
        )

    @property
    def webhook(self) -> str | None:
        """Address of our own webhook, or None where it is one of Apprise."""
        return self.url.removeprefix("webhook+") if self.url.startswith(WEBHOOK) else None


def load_receivers(path: Path) -> dict[str, Receiver]:
    """Read the registry, by name; none where there is no such file.

    Raises
    ------
    ConfigurationError
        The file cannot be read, or what is in it; names the place, and no address: that may hold a password.
    """
    if not path.exists():
        return {}
    try:
        receivers = msgspec.json.decode(path.read_bytes(), type=list[Receiver])
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"receivers {path}: {error}; see docs/notifications.md") from error
    found: dict[str, Receiver] = {}
    for number, receiver in enumerate(receivers, 1):
        problem = _problem(receiver, found)
        if problem:
            raise ConfigurationError(f"receivers {path}: number {number} ({receiver.name!r}): {problem}")
        found[receiver.name] = receiver
    return found


def _problem(receiver: Receiver, known: dict[str, Receiver]) -> str:
    if not 0 < len(receiver.name) <= 128:
        return "a name has 1 to 128 characters"
    if receiver.name in known:
        return "there is another one of that name"
    if receiver.level < 0:
        return "a level is 0 or more"
    if receiver.webhook is not None:
        if len(receiver.secret) < SHORTEST_SECRET:
            return f"a webhook needs a secret of {SHORTEST_SECRET} characters or more"
        return ""
    # Loaded only where it is used: it brings more than a hundred services along.
    import apprise

    if apprise.Apprise.instantiate(receiver.url, suppress_exceptions=True) is None:
        return "url is no address that Apprise knows"
    return ""
