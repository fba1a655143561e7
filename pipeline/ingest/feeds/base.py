"""What a feed adapter is. An adapter is pure: bytes in, reads out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Final, NamedTuple, Protocol

import msgspec

from pipeline.errors import FeedError
from pipeline.ingest.feeds.form import FormPart
from pipeline.model import PlateRead

MAX_READS: Final = 1000
"""Most reads in one body: what is handed to Kafka and acknowledged within one request."""

_MAX_ENVELOPE_BYTES: Final = 4096


class Parse(Protocol):
    """Body to reads."""

    def __call__(self, payload: bytes, first: int = 0, /) -> list[PlateRead]:
        """Read a body, or a part of it from `Feed.split`.

        Parameters
        ----------
        first
            Number of the first read in the body as it came, for the error's path; see `Part`.

        Raises
        ------
        FeedError
            Names the field; its text never holds what was read of a plate.
        """
        ...


class Posted(NamedTuple):
    """What a vendor posts: the message, and the JPEGs of plate and vehicle that came beside it."""

    message: bytes
    patch: bytes | None = None
    picture: bytes | None = None


@dataclass(frozen=True, slots=True)
class Form:
    """Which parts of a ``multipart/form-data`` body are what; a pattern fits a part's name or its file name.

    Attributes
    ----------
    message
        The body that `Feed.parse` reads.
    patch
        The JPEG of the plate; empty where the vendor sends none.
    pictures
        The JPEG of the vehicle, or of the scene with it: the first of these that is there.
    """

    message: str = "json"
    patch: str = ""
    pictures: tuple[str, ...] = ()

    def split(self, parts: Sequence[FormPart]) -> Posted:
        """Return the message, and the pictures where there are any.

        Raises
        ------
        FeedError
            No part is the message, or it breaks off.
        """
        message = next((part for part in parts if _fits(part, self.message)), None)
        if message is None:
            raise FeedError(f"the form has no part {self.message}", field=self.message)
        if not message.complete:
            raise FeedError(f"the form breaks off in its part {self.message}", field=self.message)
        whole = [part for part in parts if part.complete]
        patch = next((part.data for part in whole if _fits(part, self.patch)), None)
        pictures = (part.data for pattern in self.pictures for part in whole if _fits(part, pattern))
        return Posted(message.data, patch, next(pictures, None))


@dataclass(frozen=True, slots=True)
class Part:
    """A body of one read.

    Attributes
    ----------
    payload
        What `Feed.parse` reads.
    first
        Where the read was in the body as it came: its index in the list, or its line.
    """

    payload: bytes
    first: int = 0


def _fits(part: FormPart, pattern: str) -> bool:
    return any(fnmatchcase(name.lower(), pattern) for name in (part.name, part.filename) if name)


@dataclass(frozen=True, slots=True)
class Feed:
    """One source format.

    Attributes
    ----------
    name
        As in ``POST /ingest/{name}``.
    parse
        Body to reads; raises FeedError naming the field.
    shift_time
        Body and nanoseconds to the same body with every capture time moved by that much (to the format's
        resolution), for replays.
    split
        Body to parts of one read each, so that a bad one does not cost the good ones; raises FeedError.
    form
        What is what when the vendor sends a form with pictures.
    """

    name: str
    parse: Parse
    shift_time: Callable[[bytes, int], bytes]
    split: Callable[[bytes], list[Part]]
    form: Form = Form()


@dataclass(frozen=True, slots=True)
class Taken:
    """What came of a body.

    Attributes
    ----------
    reads
        The good ones, in their order.
    refused
        What could not be read: why, and the bytes.
    """

    reads: list[PlateRead] = field(default_factory=list)
    refused: list[tuple[FeedError, bytes]] = field(default_factory=list)


def take(feed: Feed, payload: bytes) -> Taken:
    """Read all that can be read of a body; whatever the bytes are, nothing is raised."""
    taken = Taken()
    try:
        parts = feed.split(payload)
    except FeedError as error:
        taken.refused.append((error, payload))
        return taken
    for part in parts:
        try:
            taken.reads.extend(feed.parse(part.payload, part.first))
        except FeedError as error:
            taken.refused.append((error, part.payload))
    return taken


def whole(payload: bytes) -> list[Part]:
    """`Feed.split` of a format whose body is one read."""
    return [Part(payload)]


def checked_count(count: int, what: str, field: str) -> None:
    """Refuse a body of more than `MAX_READS` reads."""
    if count > MAX_READS:
        raise FeedError(f"{count} {what}; at most {MAX_READS} in one body: send it in pieces", field=field)


def spread(
    payload: bytes, name: str, items: Sequence[msgspec.Raw], envelope: Mapping[str, msgspec.Raw], where: str = ""
) -> list[Part]:
    """Give each item of a JSON body a body of its own, byte for byte as it came.

    Parameters
    ----------
    payload
        The body; it stays whole when there is nothing to spread, and when copies of the envelope could fill the
        memory (no good one is so large).
    name
        Of the list that the items are in.
    envelope
        What is repeated beside it.
    where
        The object that both are in; empty for the top level.
    """
    if len(items) < 2 or sum(len(bytes(raw)) for raw in envelope.values()) > _MAX_ENVELOPE_BYTES:
        return [Part(payload)]
    bodies = ({**envelope, name: [item]} for item in items)
    return [
        Part(msgspec.json.encode({where: body} if where else body), number) for number, body in enumerate(bodies)
    ]
