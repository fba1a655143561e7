"""What a feed adapter is, and what adapters share. An adapter is pure: bytes in, reads out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

import msgspec

from pipeline.errors import FeedError
from pipeline.model import Box, PlateRead, derive_id
from plates.normalise import normalise

_MAX_TEXT: Final = 64
_MAX_CAMERA: Final = 128
# A candidate list is a tail cut short; what it leaves out is worth about one unlisted candidate.
_LEFT_OUT: Final = 0.05
EPOCH_LIMIT_NS: Final = 2**62


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
        Body to bodies of one read each, so that a bad one does not cost the good ones.
    """

    name: str
    parse: Callable[[bytes], list[PlateRead]]
    shift_time: Callable[[bytes, int], bytes]
    split: Callable[[bytes], list[bytes]]


def whole(payload: bytes) -> list[bytes]:
    """`Feed.split` of a format whose body is one read."""
    return [payload]


def decode_json(payload: bytes) -> Any:
    """Decode JSON.

    Raises
    ------
    FeedError
        It is none.
    """
    try:
        return msgspec.json.decode(payload)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise FeedError(f"the body is not JSON: {error}", field="") from error


def get(parent: Any, key: str | int, where: str = "", kind: type | tuple[type, ...] = object) -> Any:
    """Take a required field of `parent` (found at path `where`), of one of the types `kind`."""
    path = f"{where}[{key}]" if isinstance(key, int) else f"{where}.{key}".lstrip(".")
    try:
        value = parent[key]
    except (KeyError, IndexError, TypeError):
        raise FeedError(f"{path} is missing", field=path) from None
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool and kind is not object):
        raise FeedError(f"{path} is a {type(value).__name__}, not what this field holds", field=path)
    return value


def text_of(value: Any, field: str, limit: int = _MAX_TEXT) -> str:
    """Check a text's type and length; surrounding blanks go."""
    if not isinstance(value, str) or not value.strip():
        raise FeedError(f"{field} is empty or not text", field=field)
    if len(value) > limit:
        raise FeedError(f"{field} is {len(value)} characters long; at most {limit}", field=field)
    return value.strip()


def camera_of(value: Any, field: str) -> str:
    """A camera's id: text, or a whole number as its digits."""
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return text_of(value, field, _MAX_CAMERA)


def share(value: Any, field: str, full: float = 1.0) -> float:
    """A number from 0 to `full` as a share of it, 0 to 1."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise FeedError(f"{field} is not a number", field=field)
    if not 0.0 <= value <= full:
        raise FeedError(f"{field} is {value}, outside 0 to {full:g}", field=field)
    return float(value) / full


def moment_ns(value: Any, field: str) -> int:
    """An ISO 8601 time with an offset, as ns since the epoch; a time without offset is refused, not guessed."""
    try:
        moment = datetime.fromisoformat(value)
    except (ValueError, TypeError):
        raise FeedError(f"{field} is not an ISO 8601 time", field=field) from None
    if moment.tzinfo is None:
        raise FeedError(f"{field} has no offset from UTC; have the source write one (Z or +01:00)", field=field)
    try:
        seconds = int(moment.replace(microsecond=0).timestamp())
    except (OverflowError, ValueError):
        raise FeedError(f"{field} is out of range", field=field) from None
    return checked_ns(seconds * 1_000_000_000 + moment.microsecond * 1000, field)


def epoch_ms_ns(value: Any, field: str) -> int:
    """Milliseconds since the epoch, as ns."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise FeedError(f"{field} is not a whole number of milliseconds", field=field)
    return checked_ns(value * 1_000_000, field)


def checked_ns(value: int, field: str) -> int:
    """Refuse a time that no camera can mean."""
    if not 0 <= value < EPOCH_LIMIT_NS:
        raise FeedError(f"{field} is out of range", field=field)
    return value


def shift_iso(value: Any, delta_ns: int) -> Any:
    """Move an ISO 8601 text by `delta_ns`, to the microsecond, offset kept; anything else is left alone."""
    try:
        moved = datetime.fromisoformat(value) + timedelta(microseconds=delta_ns // 1000)
    except (ValueError, TypeError, OverflowError):
        return value
    return moved.isoformat()


def country_of(value: Any) -> str:
    """Country of a vendor's region code (``be``, ``be-vlg``), or the empty string where it is none."""
    code = str(value or "").split("-")[0].strip().upper()
    return code if len(code) == 2 and code.isascii() and code.isalpha() else ""


def box_of(left: Any, top: Any, right: Any, bottom: Any) -> Box | None:
    """A box from its corners; None unless all four are whole numbers in order."""
    corners = (left, top, right, bottom)
    if not all(isinstance(each, int) and not isinstance(each, bool) for each in corners):
        return None
    if right <= left or bottom <= top:
        return None
    return Box(x=left, y=top, w=right - left, h=bottom - top)


def characters_of(candidates: Sequence[tuple[str, float]]) -> list[dict[str, float]] | None:
    """Per-slot character probabilities from a vendor's candidate texts and their scores (0 to 1).

    The texts as long as the best one vote in each slot with their score; a share `_LEFT_OUT` is kept for
    what the list leaves out, so that no character is certain because the list was short. None when there is
    one candidate only, which says nothing of where it is unsure.
    """
    texts = [(normalise([text])[0], score) for text, score in candidates]
    if len(texts) < 2 or not texts[0][0]:
        return None
    same = [(text, score) for text, score in texts if len(text) == len(texts[0][0]) and score > 0]
    total = sum(score for _, score in same)
    if total <= 0:
        return None
    slots: list[dict[str, float]] = [{} for _ in texts[0][0]]
    for text, score in same:
        for slot, character in zip(slots, text, strict=True):
            slot[character] = slot.get(character, 0.0) + score / total * (1 - _LEFT_OUT)
    return slots


def make_read(
    source: str, camera: str, captured_at_ns: int, text: str, *, number: int = 0, **more: Any
) -> PlateRead:
    """Make a read whose id is its content: the same delivery twice is the same read."""
    plate = normalise([text])[0]
    capture_id = derive_id("capture", source, camera, captured_at_ns)
    return PlateRead(
        read_id=derive_id("read", source, camera, captured_at_ns, plate, number),
        capture_id=capture_id,
        camera=camera,
        captured_at_ns=captured_at_ns,
        text=text,
        plate=plate,
        source=source,
        **more,
    )


def mapping(value: Any, field: str) -> Mapping[str, Any]:
    """Check that a value is a JSON object."""
    if not isinstance(value, dict):
        raise FeedError(f"{field or 'the body'} is not an object", field=field)
    return value
