"""Wire types on the topics: Capture, PlateRead, Reject, Hit, Alert, RirDraft.

JSON through msgspec, one object per message. ``v`` is the version of the type; a reader ignores fields that
it does not know and fills those it misses with their defaults, so fields may be added without a new version.
Bytes travel as base64, times as integer nanoseconds since the epoch (UTC), ``*_ns``.
"""

from __future__ import annotations

import hashlib
import re
from enum import StrEnum
from typing import Annotated, Final, TypeVar

import msgspec

from hotlists.entry import Category, Handling, Priority

M = TypeVar("M", bound="Message")

LAST_NS: Final = 2**63 - 1
Nanoseconds = Annotated[int, msgspec.Meta(ge=0, le=LAST_NS)]
"""A moment: nanoseconds since the epoch, UTC, as columns and stores can hold it."""

MAX_PATCH_BYTES: Final = 16_384
"""Largest picture of a plate that travels with its read; most have 1 to 5 kB."""
MAX_PICTURE_BYTES: Final = 24_576
"""Largest picture of a vehicle that travels with its read. With the largest patch and all else that a read has, it
fits into the smallest `Settings.kafka_max_message_bytes`."""


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """What every message carries."""

    v: int = 1


class RejectReason(StrEnum):
    """Why an input was not used."""

    UNREADABLE = "unreadable"
    """Not JSON, not of the type, or not of the vendor's format."""
    NOT_AN_IMAGE = "not_an_image"
    IMAGE_SIZE = "image_size"
    """Too small for a plate, or larger than the limit."""
    UNKNOWN_CAMERA = "unknown_camera"
    FROM_THE_FUTURE = "from_the_future"
    NOT_A_PLATE = "not_a_plate"
    """Nothing of a plate is left of the text after normalisation, or more than ten characters."""
    SHED = "shed"
    """A frame dropped under overload."""
    FAILED = "failed"
    """A defect of ours: logged as an error, and kept so that it can be sent again once that is mended."""


class ReadKind(StrEnum):
    """How a hit's read fits its entry."""

    EXACT = "exact"
    PATTERN = "pattern"
    NEAR = "near"


class Box(msgspec.Struct, frozen=True, kw_only=True):
    """Upright rectangle in pixels of the frame; x, y is the top left corner."""

    x: int
    y: int
    w: int
    h: int


class Capture(Message, frozen=True, kw_only=True):
    """A frame on ``anpr.frames``, keyed by camera."""

    capture_id: str
    camera: str
    captured_at_ns: Nanoseconds
    image: bytes
    """Encoded image (JPEG or PNG)."""
    source: str = "camera"
    trail: dict[str, int] = {}


class PlateRead(Message, frozen=True, kw_only=True):
    """A read on ``anpr.reads``, keyed by camera.

    A later message of the same id replaces it: the same vehicle, read from more frames.
    """

    read_id: str
    capture_id: str
    camera: str
    captured_at_ns: Nanoseconds
    text: str
    """The text as the source gave it."""
    plate: str
    """The normalised text: `plates.normalise`."""
    country: str = ""
    confidence: float | None = None
    """0 to 1; None where the source gives none."""
    characters: list[dict[str, float]] | None = None
    """Per slot, the likeliest characters and their probability (0 to 1); None where the source gives none."""
    source: str = ""
    """Feed format or ``ocr``."""
    frames: int = 1
    """How many frames the read rests on."""
    box: Box | None = None
    patch: bytes | None = None
    """JPEG of the plate, at most 16 KiB."""
    picture: bytes | None = None
    """JPEG of the vehicle, at most 24 KiB; None where the source gives none."""
    trail: dict[str, int] = {}


class Reject(Message, frozen=True, kw_only=True):
    """An input that was not used, on ``anpr.rejects``, keyed by origin."""

    reject_id: str
    reason: RejectReason
    detail: str
    """What was wrong and where, in plain words; never the plate text."""
    rejected_at_ns: Nanoseconds
    field: str | None = None
    camera: str = ""
    source: str = ""
    topic: str | None = None
    partition: int | None = None
    offset: int | None = None
    payload: bytes = b""
    """The input's first bytes (`Settings.reject_payload_bytes`)."""


class EntryRef(msgspec.Struct, frozen=True, kw_only=True):
    """The entry that a hit is on, as it was in the snapshot that was matched."""

    entry_id: str
    plate: str
    hotlist: str
    country: str = ""
    reason: str = ""
    title: str = ""
    owner: str = ""
    legal_basis: str = ""
    category: Category = Category.OTHER
    priority: Priority = Priority.NORMAL
    handling: Handling = Handling.OPEN
    named_users: tuple[str, ...] = ()
    notify_unconfirmed: bool = False
    """True where units are told before an operator has confirmed; never of a covert alert."""


class Hit(Message, frozen=True, kw_only=True):
    """A read that matched an entry, on ``lik.hits``, keyed by entry."""

    hit_id: str
    read: PlateRead
    entry: EntryRef
    kind: ReadKind
    edits: int
    posterior: float
    snapshot_version: int
    zone: str = ""
    trail: dict[str, int] = {}


class Sighting(msgspec.Struct, frozen=True, kw_only=True):
    """One hit of an alert, in short."""

    hit_id: str
    camera: str
    captured_at_ns: Nanoseconds
    plate: str
    frames: int = 1
    """How many frames its read rests on; see `PlateRead.frames`."""


class Alert(Message, frozen=True, kw_only=True):
    """What an operator sees, on ``lik.alerts``, keyed by alert. A later message of the same id replaces it."""

    alert_id: str
    hit: Hit
    """The first hit; as its best read has it, as long as nobody had judged the alert when that came."""
    sightings: list[Sighting]
    """The hits so far, oldest first; never empty. Of very many, the first and the latest."""
    sighting_count: int = 1
    """How many hits there were, those that `sightings` leaves out too."""
    zone: str
    recipients: list[str]
    """`pipeline.alerts.routing.Recipient` values."""
    created_at_ns: Nanoseconds
    late: bool = False
    """True when a stage was over its latency budget."""
    trail: dict[str, int] = {}


class Attachment(msgspec.Struct, frozen=True, kw_only=True):
    """A picture that belongs to an information report."""

    name: str
    media_type: str
    sha256: str
    size_bytes: int
    content: bytes | None = None
    """None where the message would be too large with it; the console gives it, by report and name."""


class RirDraft(Message, frozen=True, kw_only=True):
    """Information report, a draft or final, on ``rir.intake``, keyed by alert.

    A later message of the same report with a higher version replaces it.
    """

    rir_id: str
    alert_id: str
    created_at_ns: Nanoseconds
    handling: Handling
    hotlist: str
    reason: str
    plate_listed: str
    plate_read: str
    camera: str
    captured_at_ns: Nanoseconds
    zone: str = ""
    legal_basis: str = ""
    posterior: float = 1.0
    patch_sha256: str = ""
    version: int = 1
    final: bool = False
    """False for what was drafted by itself; True once somebody has read, evaluated and sent it."""
    author: str = ""
    """Who sent it; empty for a draft that nobody has touched."""
    who: str = ""
    what: str = ""
    place: str = ""
    purpose: str = ""
    source: str = ""
    source_evaluation: str = ""
    """`pipeline.alerts.rir.SourceEvaluation`."""
    information_evaluation: str = ""
    """`pipeline.alerts.rir.InformationEvaluation`."""
    handling_code: str = ""
    """`pipeline.alerts.rir.HandlingCode`."""
    attachments: list[Attachment] = []


class MessageError(ValueError):
    """A message that is not of its type; the text says which field."""


def encode(message: Message) -> bytes:
    """Encode a message as UTF-8 JSON."""
    return msgspec.json.encode(message)


_ENUM_VALUE: Final = re.compile(r"Invalid enum value .*(?= - at `\$)", re.DOTALL)
_decoders: dict[type[Message], msgspec.json.Decoder[Message]] = {}


def decode(payload: bytes, kind: type[M]) -> M:
    """Decode UTF-8 JSON into a message of type `kind`.

    Raises
    ------
    MessageError
        The payload is not JSON, or not of the type; names the field, never what it held: that may be a plate.
    """
    decoder = _decoders.get(kind)
    if decoder is None:
        decoder = _decoders[kind] = msgspec.json.Decoder(kind)
    try:
        return decoder.decode(payload)  # type: ignore[return-value]
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        # Of all that the codec says, this alone quotes the value.
        what = _ENUM_VALUE.sub("Invalid enum value", str(error))
        # The cause is left out: a traceback would quote it.
        raise MessageError(f"not a {kind.__name__}: {what}") from None


def derive_id(*parts: str | int) -> str:
    """Derive a stable id (32 hex digits) from what makes a thing itself: the same parts give the same id."""
    text = "\x1f".join(str(part) for part in parts)
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()
