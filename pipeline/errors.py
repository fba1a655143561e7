"""The tree of errors. Each class says whether trying again can help.

KruispuntError
├── InputError            the input is wrong; a retry gives the same answer
│   ├── FeedError           a vendor message that cannot be read (names the field)
│   └── FrameError          an image that cannot be decoded or is unusable
├── ConfigurationError    a setting or file is wrong; an operator must mend it
└── UnavailableError      a broker, store or peer is away; a retry can help
"""

from __future__ import annotations

from typing import ClassVar


class KruispuntError(Exception):
    """Root of every error this project raises on purpose."""

    retryable: ClassVar[bool] = False


class InputError(KruispuntError):
    """Input that cannot be used.

    Parameters
    ----------
    message
        What was wrong and what to do, in plain words.
    reason
        Machine-readable reason, one of `pipeline.model.RejectReason`'s values.
    field
        Path of the offending field in the input (``results[0].plate``), if there is one.
    """

    def __init__(self, message: str, *, reason: str = "unreadable", field: str | None = None) -> None:
        super().__init__(message)
        self.reason = reason
        self.field = field


class FeedError(InputError):
    """A vendor message that its adapter cannot turn into reads."""


class FrameError(InputError):
    """An image that is no image, or that no plate can be on."""


class ConfigurationError(KruispuntError):
    """A setting or a file of the installation is wrong."""


class UnavailableError(KruispuntError):
    """A service that this one needs does not answer."""

    retryable: ClassVar[bool] = True
