"""The wire types: round trips, old and new messages, and errors that name the place but never the plate."""

from __future__ import annotations

import json
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import inspect

from pipeline.model import (
    LAST_NS,
    Alert,
    Capture,
    EntryRef,
    Hit,
    Message,
    MessageError,
    PlateRead,
    Reject,
    RejectReason,
    RirDraft,
    decode,
    derive_id,
    encode,
)
from tests.factories import make_alert, make_hit, make_read

KINDS: list[type[Message]] = Message.__subclasses__()
GOLDEN = Path(__file__).parent / "golden" / "v1"
PLATE = "1ABC123"

every_kind = pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)


def values(kind: inspect.Type) -> st.SearchStrategy[Any]:
    """Everything that a field of this type may hold."""
    match kind:
        case inspect.IntType():
            low = -(2**63) if kind.ge is None else kind.ge
            return st.integers(low, LAST_NS if kind.le is None else kind.le)
        case inspect.FloatType():
            return st.floats(allow_nan=False, allow_infinity=False)
        case inspect.StrType():
            return st.text(max_size=20)
        case inspect.BytesType():
            return st.binary(max_size=40)
        case inspect.BoolType():
            return st.booleans()
        case inspect.NoneType():
            return st.none()
        case inspect.EnumType():
            return st.sampled_from(kind.cls)
        case inspect.ListType():
            return st.lists(values(kind.item_type), max_size=3)
        case inspect.VarTupleType():
            return st.lists(values(kind.item_type), max_size=3).map(tuple)
        case inspect.DictType():
            return st.dictionaries(values(kind.key_type), values(kind.value_type), max_size=3)
        case inspect.UnionType():
            return st.one_of(*map(values, kind.types))
        case inspect.StructType():
            return st.builds(kind.cls, **{field.name: values(field.type) for field in kind.fields})
    raise NotImplementedError(f"no values for {kind}")


def messages(kind: type[Message]) -> st.SearchStrategy[Message]:
    """Every message of a type."""
    return values(inspect.type_info(kind))


any_message = st.sampled_from(KINDS).flatmap(messages)


def test_the_types_of_all_six_topics_are_covered() -> None:
    assert set(KINDS) == {Capture, PlateRead, Reject, Hit, Alert, RirDraft}


@given(any_message)
def test_what_is_encoded_decodes_to_the_same(message: Message) -> None:
    assert decode(encode(message), type(message)) == message


@given(any_message, st.dictionaries(st.text(min_size=1).map(lambda name: "x_" + name), st.text(), min_size=1))
def test_fields_that_a_reader_does_not_know_are_ignored(message: Message, unknown: dict[str, str]) -> None:
    longer = json.dumps(json.loads(encode(message)) | unknown).encode()
    assert decode(longer, type(message)) == message


@given(any_message)
def test_fields_that_are_missing_take_their_defaults(message: Message) -> None:
    kind = type(message)
    fields = inspect.type_info(kind).fields  # type: ignore[attr-defined]
    whole = json.loads(encode(message))
    least = {field.name: whole[field.name] for field in fields if field.required}
    filled = decode(json.dumps(least).encode(), kind)
    given_ = {field.name: getattr(message, field.name) for field in fields if field.required}
    assert filled == kind(**given_)


@every_kind
def test_a_required_field_that_is_missing_is_named(kind: type[Message]) -> None:
    for name in required(kind):
        whole = sample(kind)
        del whole[name]
        with pytest.raises(MessageError, match=f"not a {kind.__name__}: .*missing required field `{name}`"):
            decode(json.dumps(whole).encode(), kind)


@every_kind
def test_a_field_of_the_wrong_type_is_named(kind: type[Message]) -> None:
    for name in sample(kind):
        wrong = sample(kind) | {name: True if name != "late" else "yes"}
        with pytest.raises(MessageError, match=rf"not a {kind.__name__}: .* at `\$\.{name}`"):
            decode(json.dumps(wrong).encode(), kind)


def test_a_wrong_field_deep_inside_is_named_by_its_path() -> None:
    whole = sample(Alert)
    whole["sightings"][0]["captured_at_ns"] = "yesterday"
    with pytest.raises(MessageError, match=r"at `\$\.sightings\[0\]\.captured_at_ns`"):
        decode(json.dumps(whole).encode(), Alert)


@pytest.mark.parametrize("moment", [-1, LAST_NS + 1])
def test_a_moment_that_no_column_can_hold_is_refused(moment: int) -> None:
    with pytest.raises(MessageError, match="captured_at_ns"):
        decode(json.dumps(sample(PlateRead) | {"captured_at_ns": moment}).encode(), PlateRead)


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"{",
        b"null",
        b"[]",
        b'"1ABC123"',
        b"1ABC123",
        b'{"text": "1ABC123\xff"}',
        b"[" * 100_000,
        b'{"trail":' * 100_000,
        b"\xff\xd8\xff\xe0 JFIF",
    ],
    ids=lambda payload: repr(payload[:16]),
)
@every_kind
def test_what_is_no_message_is_a_message_error(kind: type[Message], payload: bytes) -> None:
    with pytest.raises(MessageError, match=f"^not a {kind.__name__}: ") as caught:
        decode(payload, kind)
    assert PLATE not in shown(caught.value)


@given(
    kind=st.sampled_from(KINDS),
    spot=st.integers(0, 200),
    wrong=st.sampled_from(
        [
            PLATE,
            f"{PLATE}' - at `$.{PLATE}`",
            f"a\n{PLATE}",
            {PLATE: PLATE},
            {PLATE: {PLATE: PLATE}},
            [PLATE],
            [{PLATE: PLATE}],
        ]
    ),
)
def test_no_error_shows_a_plate_wherever_it_stands(kind: type[Message], spot: int, wrong: Any) -> None:
    whole = sample(kind)
    places = list(leaves(whole))
    parent, key = places[spot % len(places)]
    parent[key] = wrong
    refused: MessageError | None = None
    try:
        decode(json.dumps(whole).encode(), kind)
    except MessageError as error:
        refused = error
    assert refused is None or PLATE not in shown(refused)


def test_a_wrong_reason_is_named_by_its_place_alone() -> None:
    whole = sample(Reject) | {"reason": PLATE}
    with pytest.raises(MessageError) as caught:
        decode(json.dumps(whole).encode(), Reject)
    assert str(caught.value) == "not a Reject: Invalid enum value - at `$.reason`"


@every_kind
def test_messages_of_version_1_still_decode(kind: type[Message]) -> None:
    """The files are what version 1 put on the topics: they may be added to, never changed."""
    full, least = (GOLDEN / f"{kind.__name__}.ndjson").read_bytes().splitlines()
    for payload in (full, least):
        again = json.loads(encode(decode(payload, kind)))
        assert kept(json.loads(payload), again)
    # The first line holds every field that there was, none of them at its default.
    assert set(json.loads(least)) <= set(json.loads(full))
    assert required(kind) <= set(json.loads(full))
    defaults = json.loads(encode(decode(least, kind)))
    told = {name for name, value in json.loads(full).items() if name != "v" and value == defaults.get(name)}
    assert told <= required(kind), "at its default in the golden message"


def test_version_1_is_written_as_it_was() -> None:
    """Bytes travel as base64, moments as integers, enumerations as their values, a missing value as null."""
    read = make_read(read_id="r", capture_id="c", captured_at_ns=1, confidence=None, patch=b"\xff\xd8")
    assert encode(read) == (
        b'{"v":1,"read_id":"r","capture_id":"c","camera":"cam-1","captured_at_ns":1,"text":"1ABC123",'
        b'"plate":"1ABC123","country":"","confidence":null,"characters":null,"source":"test","frames":1,'
        b'"box":null,"patch":"/9g=","picture":null,"trail":{}}'
    )
    reject = Reject(reject_id="r", reason=RejectReason.SHED, detail="d", rejected_at_ns=1)
    assert b'"reason":"shed"' in encode(reject)


@given(st.lists(st.one_of(st.integers(), st.text()), min_size=1, max_size=4))
def test_the_same_parts_give_the_same_id(parts: list[str | int]) -> None:
    identity = derive_id(*parts)
    assert identity == derive_id(*parts)
    assert len(identity) == 32
    assert set(identity) <= set("0123456789abcdef")


def test_ids_depend_on_every_part_and_its_place() -> None:
    assert (
        len({derive_id("a", "b"), derive_id("b", "a"), derive_id("ab"), derive_id("ab", ""), derive_id("a")}) == 5
    )
    # Stored alerts carry ids of earlier releases: another derivation would double every one of them.
    assert derive_id("hit", "r", "e") == "0ed3a32877c0e0f1c0b68c4833e08c5b"


def sample(kind: type[Message]) -> dict[str, Any]:
    """A message of that type as JSON, with every part filled."""
    found: dict[str, Any] = json.loads((GOLDEN / f"{kind.__name__}.ndjson").read_bytes().splitlines()[0])
    return found


def required(kind: type[Message]) -> set[str]:
    return {field.name for field in msgspec.structs.fields(kind) if field.required}


def leaves(node: Any) -> Iterator[tuple[Any, Any]]:
    """Every place in a JSON value, as (parent, key)."""
    for key, value in list(node.items() if isinstance(node, dict) else enumerate(node)):
        yield node, key
        if isinstance(value, dict | list):
            yield from leaves(value)


def kept(old: Any, new: Any) -> bool:
    """Tell whether all that `old` says is in `new` too."""
    if isinstance(old, dict):
        return isinstance(new, dict) and all(name in new and kept(old[name], new[name]) for name in old)
    if isinstance(old, list):
        return isinstance(new, list) and len(old) == len(new) and all(map(kept, old, new))
    return bool(old == new)


def shown(error: BaseException) -> str:
    """All that a log would show of an error and its causes, less the lines of source on the way."""
    whole = traceback.TracebackException.from_exception(error, limit=0)
    return "".join(whole.format())


def test_the_factories_make_messages_that_travel() -> None:
    for message in (make_read(), make_hit(), make_alert()):
        assert decode(encode(message), type(message)) == message
    assert isinstance(make_hit().entry, EntryRef)
