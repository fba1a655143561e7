"""What the desk refuses, and why: each has a code that a program or a page can go by, and says what to do.

DeskError                   refused; nothing has changed
├── NotFoundError       404   there is no such list, version or entry, or none that the asker may know of
├── ForbiddenError      403   their rights do not go that far
├── ConflictError       409   not as things are now: another came first, or a second confirmation is needed
├── BadRequestError     400   what was given cannot be used
├── TooLargeError       413   it is more than is taken
└── AwayError           503   Redis or the audit trail is away; a retry can help
"""

from __future__ import annotations

from typing import Any, ClassVar


class DeskError(Exception):
    """Root of what the desk refuses.

    Parameters
    ----------
    code
        Machine-readable, stable.
    detail
        What is wrong and what to do, in plain words. Never tells of a covert list to who may not know of it.
    more
        Members of the problem document beside these.
    """

    status: ClassVar[int] = 400
    title: ClassVar[str] = "Ongeldige aanvraag"

    def __init__(self, code: str, detail: str, **more: Any) -> None:
        super().__init__(detail)
        self.code, self.detail, self.more = code, detail, more


class BadRequestError(DeskError):
    """What was given cannot be used."""


class ForbiddenError(DeskError):
    """Their rights do not go that far."""

    status = 403
    title = "Niet toegestaan"


class NotFoundError(DeskError):
    """There is no such thing, or none that the asker may know of: which of the two is not said."""

    status = 404
    title = "Niet gevonden"


class ConflictError(DeskError):
    """Not as things are now."""

    status = 409
    title = "Niet uitgevoerd"


class TooLargeError(DeskError):
    """More than is taken."""

    status = 413
    title = "Te groot"


class AwayError(DeskError):
    """A store that is needed does not answer."""

    status = 503
    title = "Tijdelijk niet beschikbaar"
