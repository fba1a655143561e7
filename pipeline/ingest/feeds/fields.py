"""Fields of a vendor's message, checked: each function returns a good value, or raises a FeedError with its path.

No error's text holds a value out of the message: a plate may stand where it does not belong, and errors are
logged and sent back.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import msgspec

from pipeline.errors import FeedError
from pipeline.model import RejectReason

MAX_TEXT: Final = 64
MAX_CAMERA: Final = 128
# A camera whose clock has lost its battery starts at its maker's epoch (1970, 2000, 2010, 2015).
EARLIEST_NS: Final = 1_577_836_800_000_000_000
"""2020-01-01, UTC: a capture from before it has a clock that was never set."""
LATEST_NS: Final = 2**62
"""In the year 2116; up to `Settings.future_tolerance_s` ahead is the match stage's to judge."""

PLACEHOLDERS: Final = frozenset("?*\ufffd")
"""What systems write for a character that they could not read."""
BOM: Final = b"\xef\xbb\xbf"
"""Of UTF-8; some senders write one before their JSON."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_KINDS: Final[Mapping[type, str]] = {
    dict: "an object",
    list: "a list",
    str: "text",
    int: "a number",
    float: "a number",
    bool: "true or false",
    type(None): "null",
}


def decode_json(payload: bytes | msgspec.Raw, field: str = "", kind: Any = Any) -> Any:
    """Decode JSON (a byte order mark before it is passed over), as the msgspec type `kind`.

    Of a key that is there twice the last one counts.

    Raises
    ------
    FeedError
        It is no JSON, nests too deeply, or is not of that type.
    """
    raw = payload.removeprefix(BOM) if isinstance(payload, bytes) else payload
    try:
        return msgspec.json.decode(raw, type=kind)
    except msgspec.ValidationError as error:
        raise FeedError(f"{field or 'the body'}: {error}", field=field) from None
    except msgspec.DecodeError as error:
        raise FeedError(f"{field or 'the body'} is not JSON: {error}", field=field) from None
    except UnicodeDecodeError as error:
        raise FeedError(f"{field or 'the body'} is not UTF-8 (byte {error.start})", field=field) from None
    except RecursionError:
        raise FeedError(f"{field or 'the body'} nests too deeply", field=field) from None


def raw_object(payload: bytes | msgspec.Raw, field: str = "") -> dict[str, msgspec.Raw]:
    """Decode a JSON object, its values left as their bytes."""
    found: dict[str, msgspec.Raw] = decode_json(payload, field, dict[str, msgspec.Raw])
    return found


def raw_list(payload: bytes | msgspec.Raw, field: str = "") -> list[msgspec.Raw]:
    """Decode a JSON list, its items left as their bytes."""
    found: list[msgspec.Raw] = decode_json(payload, field, list[msgspec.Raw])
    return found


def path_of(where: str, key: str) -> str:
    """Path of the field `key` of what is at path `where`."""
    return f"{where}.{key}" if where else key


def mapping(value: Any, field: str) -> Mapping[str, Any]:
    """Check that a value is a JSON object."""
    if not isinstance(value, dict):
        raise FeedError(f"{field or 'the body'} is {_kind(value)}, not an object", field=field)
    return value


def listed(value: Any, field: str) -> list[Any]:
    """Check that a value is a JSON list."""
    if not isinstance(value, list):
        raise FeedError(f"{field or 'the body'} is {_kind(value)}, not a list", field=field)
    return value


def get(parent: Mapping[str, Any], key: str, where: str = "") -> Any:
    """Take a required field of `parent`, which was found at path `where`."""
    if key not in parent:
        path = path_of(where, key)
        raise FeedError(f"{path} is missing", field=path)
    return parent[key]


def plate_of(value: Any, field: str) -> str:
    """Check a plate's text: 1 to `MAX_TEXT` characters, each of which can be shown; blanks become one space.

    A text with a placeholder for a character that was not read is refused: without it, what is left is the plate
    of somebody else.
    """
    text = _shown(" ".join(_text(value, field, MAX_TEXT).split()), field)
    if not PLACEHOLDERS.isdisjoint(text):
        reason = RejectReason.NOT_A_PLATE.value
        raise FeedError(f"{field} has a placeholder for a character that was not read", reason=reason, field=field)
    return text


def camera_of(value: Any, field: str) -> str:
    """Check a camera's id: text (as it is, but for blanks around it), or a whole number as its digits."""
    if isinstance(value, int) and not isinstance(value, bool):
        if not 0 <= value < 2**64:
            raise FeedError(f"{field} is out of range", field=field)
        return str(value)
    return _shown(_text(value, field, MAX_CAMERA).strip(), field)


def _text(value: Any, field: str, limit: int) -> str:
    if not isinstance(value, str):
        raise FeedError(f"{field} is {_kind(value)}, not text", field=field)
    if len(value) > limit:
        raise FeedError(f"{field} is {len(value)} characters long; at most {limit}", field=field)
    return value


def _shown(text: str, field: str) -> str:
    if not text:
        raise FeedError(f"{field} is empty", field=field)
    # Control characters and lone surrogates: neither a database nor a screen can be trusted with them.
    if not text.isprintable():
        raise FeedError(f"{field} holds a character that cannot be shown", field=field)
    return text


def share(value: Any, field: str, full: float = 1.0) -> float:
    """Check a number from 0 to `full`, and make it a share of that, 0 to 1."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise FeedError(f"{field} is {_kind(value)}, not a number", field=field)
    # Written so that NaN, which is neither, is refused.
    if not 0.0 <= value <= full:
        raise FeedError(f"{field} is outside 0 to {full:g}", field=field)
    return float(value) / full


def optional_share(parent: Mapping[str, Any], key: str, where: str = "", full: float = 1.0) -> float | None:
    """Check a number as `share` does; None where it is missing or null."""
    value = parent.get(key)
    return None if value is None else share(value, path_of(where, key), full)


def number_of(text: str, field: str) -> float:
    """Make a number of its text."""
    try:
        # Python would take 0_9 for 9.
        return float(text.replace("_", "x"))
    except ValueError:
        raise FeedError(f"{field} is not a number", field=field) from None


def moment_ns(value: Any, field: str) -> int:
    """Make an ISO 8601 time with an offset ns since the epoch; one without is refused, not guessed."""
    moment = iso_moment(value)
    if moment is None:
        raise FeedError(f"{field} is not an ISO 8601 time (2026-03-14T21:00:00+01:00)", field=field)
    if moment.tzinfo is None:
        raise FeedError(f"{field} has no offset from UTC; have the source write one (Z or +01:00)", field=field)
    return checked_ns((moment - _EPOCH) // _MICROSECOND * 1000, field)


def iso_moment(value: Any) -> datetime | None:
    """Read an ISO 8601 text; None where it is none."""
    try:
        return datetime.fromisoformat(value)
    except (ValueError, TypeError):
        return None


def epoch_ms_ns(value: Any, field: str) -> int:
    """Make milliseconds since the epoch nanoseconds."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        raise FeedError(f"{field} is not a whole number of milliseconds", field=field)
    return checked_ns(value * 1_000_000, field)


def checked_ns(value: int, field: str) -> int:
    """Refuse a time that no capture of ours can have."""
    if value < EARLIEST_NS:
        raise FeedError(f"{field} lies before 2020: set the camera's clock", field=field)
    if value >= LATEST_NS:
        raise FeedError(f"{field} is out of range", field=field)
    return value


def shift_iso(value: Any, delta_ns: int) -> Any:
    """Move an ISO 8601 text by `delta_ns`, to the microsecond, offset kept; anything else is left alone."""
    moment = iso_moment(value)
    if moment is None:
        return value
    try:
        return (moment + timedelta(microseconds=delta_ns // 1000)).isoformat()
    except OverflowError:
        return value


def shift_raw_iso(parent: dict[str, msgspec.Raw], key: str, delta_ns: int) -> None:
    """Move the ISO 8601 text `key` of a raw object, where it is there."""
    if key in parent:
        moved = shift_iso(decode_json(parent[key], key), delta_ns)
        parent[key] = msgspec.Raw(msgspec.json.encode(moved))


def _kind(value: Any) -> str:
    return _KINDS.get(type(value), "something else")
