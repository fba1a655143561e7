"""The match worker on a real broker and Redis: every good hit, every reject with its place, nothing lost."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest
import redis.asyncio as aioredis
from aiokafka import AIOKafkaConsumer
from aiokafka.errors import CommitFailedError

from hotlists.entry import Handling, Hotlist, HotlistEntry, Priority
from hotlists.store import HotlistStore
from pipeline import intake, topics
from pipeline.batch import HitBatch, ReadBatch
from pipeline.embedded import EmbeddedRedis, free_port
from pipeline.errors import UnavailableError
from pipeline.match import worker
from pipeline.match.matcher import Matcher
from pipeline.match.worker import run
from pipeline.model import Hit, Reject, RejectReason, decode, derive_id
from pipeline.settings import Settings
from pipeline.topics import Publisher
from plates import alphabet
from tests.conftest import BrokerUnderTest, MakeSettings, running, until
from tests.factories import make_read
from tests.wire import drained, receive, send

STOLEN = Hotlist(name="gestolen", title="Gestolen", owner="PZ Veldeke", legal_basis="WPA art. 44/2")
FUTURE_NS = time.time_ns() + 3600 * 10**9


async def publish(settings: Settings, entries: Sequence[HotlistEntry | str], hotlist: Hotlist = STOLEN) -> int:
    """Make these the list's entries; return the snapshot version."""
    listed = [HotlistEntry(plate=entry) if isinstance(entry, str) else entry for entry in entries]
    async with aioredis.from_url(settings.redis_url) as client:
        store = HotlistStore(client)
        await store.create(hotlist)
        return await store.publish(hotlist.name, listed, by="an", why="test")


async def hits_of(settings: Settings, count: int) -> list[Hit]:
    return [decode(message.value, Hit) for message in await receive(settings, topics.HITS, count)]


async def hits_until(settings: Settings, plate: str, count: int) -> list[Hit]:
    """Take hits until `count` of them are of `plate`, in whatever order the partitions give them."""
    found: list[Hit] = []
    async with topics.consumer(settings, topics.HITS, group_id=None) as consumer:
        while sum(hit.entry.plate == plate for hit in found) < count:
            found.append(decode((await asyncio.wait_for(consumer.getone(), 30)).value, Hit))
    return found


async def reads_hit(settings: Settings, count: int) -> set[str]:
    """Take hits until they are of `count` reads; return the ids of those. A hit may come more than once."""
    found: set[str] = set()
    async with topics.consumer(settings, topics.HITS, group_id=None) as consumer:
        while len(found) < count:
            found.add(decode((await asyncio.wait_for(consumer.getone(), 30)).value, Hit).read.read_id)
    return found


@pytest.fixture
def settings(make_settings: MakeSettings, broker: BrokerUnderTest, redis_url: str) -> Settings:
    """Settings on each kind of broker."""
    return make_settings(broker, redis_url=redis_url)


@pytest.fixture
def embedded(make_settings: MakeSettings, embedded_broker: BrokerUnderTest, redis_url: str) -> Settings:
    """Settings on an embedded broker, for tests in which the kind does not matter."""
    return make_settings(embedded_broker, redis_url=redis_url)


# --- what becomes of a message -------------------------------------------------------------------------------


def raw_read(**fields: Any) -> bytes:
    """A read of a listed plate as JSON, with fields as no type of ours would hold them."""
    sound = msgspec.to_builtins(make_read("1ABC123"))
    return json.dumps({**sound, **fields}).encode()


BAD: list[tuple[bytes, RejectReason, str]] = [
    (b"", RejectReason.UNREADABLE, "truncated"),
    (b"\x00\xff\xfe", RejectReason.UNREADABLE, "malformed"),
    (b"{", RejectReason.UNREADABLE, "truncated"),
    (b"null", RejectReason.UNREADABLE, "Expected `object`"),
    (b"[" * 50_000, RejectReason.UNREADABLE, "Expected `object`"),
    (b'{"plate":"1ABC123"}', RejectReason.UNREADABLE, "read_id"),
    (b'{"x":' + b"[" * 50_000, RejectReason.UNREADABLE, "recursion"),
    (raw_read(camera=None), RejectReason.UNREADABLE, "$.camera"),
    (raw_read(captured_at_ns=2**63), RejectReason.UNREADABLE, "$.captured_at_ns"),
    (raw_read(captured_at_ns=10**30), RejectReason.UNREADABLE, "$.captured_at_ns"),
    (raw_read(captured_at_ns=-1), RejectReason.UNREADABLE, "$.captured_at_ns"),
    (raw_read(confidence=float("nan")), RejectReason.UNREADABLE, "malformed"),
    (raw_read(confidence=1).replace(b'"confidence": 1', b'"confidence": 1e999'), RejectReason.UNREADABLE, "range"),
    (raw_read(patch="no base64"), RejectReason.UNREADABLE, "$.patch"),
    (raw_read(plate="1ABC12\ud800"), RejectReason.UNREADABLE, "surrogate"),
    (raw_read(text="x" * 40_000), RejectReason.UNREADABLE, "larger than 32768 bytes"),
    (raw_read(source="x" * 100_000), RejectReason.UNREADABLE, "larger than 32768 bytes"),
    (raw_read(camera="x" * 100_000), RejectReason.UNREADABLE, "larger than 32768 bytes"),
    (
        raw_read(characters=[{f"x{number}": 0.1 for number in range(10_000)}]),
        RejectReason.UNREADABLE,
        "larger than 32768 bytes",
    ),
    (raw_read(camera="cam-9"), RejectReason.UNKNOWN_CAMERA, "'cam-9'"),
    (raw_read(camera=""), RejectReason.UNKNOWN_CAMERA, "LIK_CAMERAS"),
    (raw_read(captured_at_ns=FUTURE_NS), RejectReason.FROM_THE_FUTURE, "set the clock"),
    (raw_read(captured_at_ns=2**63 - 1), RejectReason.FROM_THE_FUTURE, "set the clock"),
    (raw_read(plate=""), RejectReason.NOT_A_PLATE, "0 characters"),
    (raw_read(plate="1"), RejectReason.NOT_A_PLATE, "1 characters"),
    (raw_read(plate="1abc123"), RejectReason.NOT_A_PLATE, "normalise"),
    (raw_read(plate="1ABC12?"), RejectReason.NOT_A_PLATE, "normalise"),
    (raw_read(plate="1ABC1234567"), RejectReason.NOT_A_PLATE, "11 characters"),
]
"""What must land in ``anpr.rejects``, with its reason and a part of its detail."""

ODD: list[dict[str, Any]] = [
    {"confidence": 5.0},
    {"confidence": -1e300},
    {"confidence": 1e308},
    {"confidence": None},
    {"country": "é"},
    {"country": "ß"},
    {"country": "BEL"},
    {"country": "12"},
    {"country": "x" * 5000},
    {"characters": []},
    {"characters": [{}]},
    {"characters": [{}] * 5000},
    {"characters": [{"1": 5.0, "": -3.0, "AB": 1e300, "é": 0.5}] * 7},
    {"characters": [{"X": 1.0}] * 7},
    {"characters": [{character: 0.9} for character in "1abc123"]},
    {"trail": {"read_sent": 10**400, "received": -(10**30), "x": 0}},
    {"frames": 10**30},
    {"box": {"x": -(10**30), "y": 0, "w": 0, "h": 0}},
    {"v": 99, "unknown": {"of": ["a later", "release"]}},
    {"read_id": "", "capture_id": "\u0000"},
]
"""Reads of a listed plate that say something beyond sense, and are hits all the same."""


async def test_every_good_hit_is_found_amid_everything_bad(settings: Settings) -> None:
    version = await publish(settings, ["1ABC123", "2DEF456"])
    good = [make_read("2DEF456", captured_at_ns=number) for number in range(len(BAD))]
    odd = [raw_read(**{"read_id": f"odd-{number}", **fields}) for number, fields in enumerate(ODD)]
    unlisted = [make_read("9ZZZ999", camera="cam-2") for _ in range(5)]
    # A bad one before each good one, all with the same key: none of them blocks the partition.
    mixed = [message for pair in zip((raw for raw, *_ in BAD), good, strict=True) for message in pair]
    places = await send(settings, topics.READS, [*mixed, *odd, *unlisted])
    async with running(run, settings):
        await drained(settings, topics.READS)
        messages = await receive(settings, topics.HITS, len(good) + len(ODD))
        rejects = [decode(each.value, Reject) for each in await receive(settings, topics.REJECTS, len(BAD))]
    hits = [decode(message.value, Hit) for message in messages]

    expected = {read.read_id for read in good} | {
        fields.get("read_id", f"odd-{n}") for n, fields in enumerate(ODD)
    }
    assert {hit.read.read_id for hit in hits} == expected
    for message, hit in zip(messages, hits, strict=True):
        assert message.key.decode() == hit.entry.entry_id
        assert hit.hit_id == derive_id("hit", hit.read.read_id, hit.entry.entry_id)
        assert hit.snapshot_version == version
        assert hit.entry.plate == hit.read.plate
        assert (hit.entry.hotlist, hit.entry.title, hit.zone) == ("gestolen", "Gestolen", "noord")
        assert 0.0 < hit.posterior <= 1.0
        assert hit.trail["read_taken"] <= hit.trail["hit_sent"]
        assert all(0 <= at_ns < 2**63 for at_ns in hit.trail.values())

    told = {(reject.topic, reject.partition, reject.offset): reject for reject in rejects}
    assert len(told) == len(BAD)
    for place, (raw, reason, detail) in zip(places[0 : 2 * len(BAD) : 2], BAD, strict=True):
        reject = told[place]
        assert reject.reason is reason, (reject, raw[:100])
        assert detail in reject.detail
        assert len(reject.detail) <= 500
        assert "1ABC123" not in reject.detail
        assert reject.payload == raw[: settings.reject_payload_bytes]


async def test_a_hit_says_what_the_list_says(settings: Settings) -> None:
    entry = HotlistEntry(plate="1AB?123", country="BE", reason="Reden é", priority=Priority.CRITICAL)
    covert = Hotlist(name="recherche", handling=Handling.COVERT, named_users=("an", "jan"))
    await publish(settings, [entry])
    await publish(settings, [entry], covert)
    await send(
        settings,
        topics.READS,
        [make_read("1ABC123", country="BE", camera="cam-3"), make_read("1ABC123", country="NL")],
    )
    async with running(run, settings):
        hits = {hit.entry.hotlist: hit for hit in await hits_of(settings, 2)}
        await drained(settings, topics.READS)
    opened = hits["gestolen"]
    assert (opened.kind, opened.edits, opened.zone) == ("pattern", 0, "zuid")
    assert (opened.entry.plate, opened.entry.country, opened.entry.reason) == ("1AB?123", "BE", "Reden é")
    assert (opened.entry.priority, opened.entry.handling) == (Priority.CRITICAL, Handling.OPEN)
    assert (opened.entry.owner, opened.entry.legal_basis) == ("PZ Veldeke", "WPA art. 44/2")
    hidden = hits["recherche"].entry
    assert (hidden.handling, hidden.named_users) == (Handling.COVERT, ("an", "jan"))
    assert opened.entry.entry_id != hidden.entry_id


async def test_a_plate_twice_on_a_list_is_one_hit_and_covert_if_one_line_is(embedded: Settings) -> None:
    lines = [
        HotlistEntry(plate="1ABC123", reason="open"),
        HotlistEntry(plate="1ABC123", reason="covert", handling=Handling.COVERT),
        HotlistEntry(plate="1ABC123", reason="urgent", priority=Priority.CRITICAL),
    ]
    await publish(embedded, lines)
    await send(embedded, topics.READS, [make_read("1ABC123"), make_read("1ABC123")])
    async with running(run, embedded):
        await drained(embedded, topics.READS)
        hits = await hits_of(embedded, 2)
    assert [hit.entry.reason for hit in hits] == ["covert", "covert"]
    assert len({hit.hit_id for hit in hits}) == 2


async def test_a_hit_that_is_larger_than_kafka_takes_goes_without_its_pictures(
    make_settings: MakeSettings, embedded_broker: BrokerUnderTest, redis_url: str
) -> None:
    settings = make_settings(embedded_broker, redis_url=redis_url, kafka_max_message_bytes=65_536)
    await publish(settings, [HotlistEntry(plate="1ABC123", reason="x" * 500)])
    large = make_read("1ABC123", patch=b"x" * 48_500)
    wide = make_read("1ABC123", patch=b"x" * 3_000, picture=b"y" * 45_500)
    small = make_read("1ABC123", patch=b"x" * 3_000, picture=b"y" * 24_576)
    await send(settings, topics.READS, [large, wide, small])
    async with running(run, settings):
        hits = {hit.read.read_id: hit for hit in await hits_of(settings, 3)}
        await drained(settings, topics.READS)
    assert hits[large.read_id].read.patch is None
    # Of both pictures, the plate's stays: somebody judges the hit by it.
    assert (hits[wide.read_id].read.patch, hits[wide.read_id].read.picture) == (wide.patch, None)
    assert (hits[small.read_id].read.patch, hits[small.read_id].read.picture) == (small.patch, small.picture)


async def test_what_even_so_is_too_large_is_rejected_and_blocks_nothing(
    make_settings: MakeSettings, embedded_broker: BrokerUnderTest, redis_url: str
) -> None:
    settings = make_settings(embedded_broker, redis_url=redis_url, kafka_max_message_bytes=65_536)
    crowded = Hotlist(name="druk", named_users=tuple("é" * 200 for _ in range(50)))
    await publish(settings, [HotlistEntry(plate="1ABC123", reason="é" * 30_000)], crowded)
    await publish(settings, ["2DEF456"])
    good = [make_read("2DEF456") for _ in range(3)]
    places = await send(settings, topics.READS, [good[0], make_read("1ABC123"), *good[1:]])
    async with running(run, settings):
        hits = await hits_of(settings, 3)
        await drained(settings, topics.READS)
        (message,) = await receive(settings, topics.REJECTS, 1)
    assert {hit.read.read_id for hit in hits} == {read.read_id for read in good}
    reject = decode(message.value, Reject)
    assert (reject.reason, reject.detail) == (RejectReason.FAILED, "ValueError in the match stage")
    assert (reject.topic, reject.partition, reject.offset) == places[1]


async def test_a_defect_of_ours_costs_one_read_and_no_more(
    embedded: Settings, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    poison = alphabet.pack(alphabet.encode(["6PXS666"]))[0]
    match = Matcher.match

    def falls_over(self: Matcher, batch: ReadBatch) -> HitBatch:
        if poison in batch.keys:
            raise RuntimeError("6PXS666")
        return match(self, batch)

    monkeypatch.setattr(Matcher, "match", falls_over)
    await publish(embedded, ["1ABC123", "6PXS666"])
    good = [make_read("1ABC123", captured_at_ns=number) for number in range(100)]
    places = await send(embedded, topics.READS, [*good[:37], make_read("6PXS666"), *good[37:]])
    async with running(run, embedded):
        await drained(embedded, topics.READS)
        found = {hit.read.read_id for hit in await hits_of(embedded, 100)}
        (message,) = await receive(embedded, topics.REJECTS, 1)
    assert found == {read.read_id for read in good}
    reject = decode(message.value, Reject)
    assert (reject.reason, reject.detail) == (RejectReason.FAILED, "RuntimeError in the match stage")
    assert (reject.topic, reject.partition, reject.offset) == places[37]
    assert "6PXS666" not in caplog.text


# --- at least once -------------------------------------------------------------------------------------------


async def rewind(settings: Settings) -> None:
    """Have the match group begin anew, as an operator would to replay a day."""
    async with topics.consumer(settings, topics.READS) as consumer:
        await until(consumer.assignment, "the group is joined")
        await consumer.commit(dict.fromkeys(consumer.assignment(), 0))


@pytest.mark.slow
async def test_a_replay_gives_the_same_hits(settings: Settings) -> None:
    await publish(settings, ["1ABC123", "2DE?456"])
    plates = ["1ABC123", "2DEF456", "9ZZZ999"]
    await send(
        settings, topics.READS, [make_read(plates[number % 3], captured_at_ns=number) for number in range(60)]
    )
    async with running(run, settings):
        await drained(settings, topics.READS)
    await rewind(settings)
    assert await topics.group_lag(settings, topics.READS) == 60
    async with running(run, settings):
        await drained(settings, topics.READS)
    hits = await hits_of(settings, 80)
    assert set(Counter(hit.hit_id for hit in hits).values()) == {2}


class Gate:
    """What a publisher's flush waits for."""

    def __init__(self) -> None:
        self.reached, self.open = asyncio.Event(), asyncio.Event()


@pytest.mark.slow
async def test_offsets_are_committed_only_after_hits_are_acknowledged(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker that dies between hits and commit has committed nothing; the next one finds every hit again."""
    gate = Gate()

    class Held(Publisher):
        async def flush(self) -> None:
            gate.reached.set()
            await gate.open.wait()
            await super().flush()

    await publish(settings, ["1ABC123"])
    reads = [make_read("1ABC123", captured_at_ns=number) for number in range(20)]
    await send(settings, topics.READS, reads)
    with monkeypatch.context() as patch:
        patch.setattr(worker, "Publisher", Held)
        dying = asyncio.ensure_future(run(settings, stop=asyncio.Event()))
        await asyncio.wait_for(gate.reached.wait(), 30)
        assert await topics.group_lag(settings, topics.READS) == 20
        dying.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await dying
    assert await topics.group_lag(settings, topics.READS) == 20
    async with running(run, settings):
        await drained(settings, topics.READS)
    assert await reads_hit(settings, 20) == {read.read_id for read in reads}


@pytest.mark.parametrize("where", ["flush", "send_bytes"])
async def test_a_batch_whose_hits_are_not_taken_is_matched_again(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, where: str
) -> None:
    failures = 0

    class FailsOnce(Publisher):
        def _fail(self, name: str) -> None:
            nonlocal failures
            if name == where and not failures:
                failures += 1
                raise UnavailableError("a broker fell over")

        async def flush(self) -> None:
            await super().flush()
            self._fail("flush")

        async def send_bytes(self, topic: str, value: bytes, *, key: str) -> Any:
            self._fail("send_bytes")
            return await super().send_bytes(topic, value, key=key)

    monkeypatch.setattr(intake, "RETRY_S", 0.0)
    await publish(settings, ["1ABC123"])
    reads = [make_read("1ABC123", camera=f"cam-{1 + number % 3}", captured_at_ns=number) for number in range(30)]
    await send(settings, topics.READS, reads)
    with monkeypatch.context() as patch:
        patch.setattr(worker, "Publisher", FailsOnce)
        async with running(run, settings):
            await drained(settings, topics.READS)
    assert failures == 1
    assert "it is taken again" in caplog.text
    assert await reads_hit(settings, 30) == {read.read_id for read in reads}


async def test_before_it_is_known_what_is_listed_reads_wait(
    make_settings: MakeSettings, embedded_broker: BrokerUnderTest, tmp_path: Path
) -> None:
    """A first start while Redis is away: matched against nothing, and committed, these reads would be lost."""
    port = free_port()
    settings = make_settings(embedded_broker, redis_url=f"redis://127.0.0.1:{port}/0")
    with EmbeddedRedis(tmp_path / "redis", port=port):
        await publish(settings, ["1ABC123"])
    read = make_read("1ABC123")
    await send(settings, topics.READS, [read])
    stop, ready = asyncio.Event(), asyncio.Event()
    working = asyncio.create_task(run(settings, stop=stop, ready=ready.set))
    done, _ = await asyncio.wait({working}, timeout=3)
    assert not done
    assert not ready.is_set()
    assert await topics.group_lag(settings, topics.READS) == 1
    with EmbeddedRedis(tmp_path / "redis", port=port):
        await asyncio.wait_for(ready.wait(), 30)
        assert await reads_hit(settings, 1) == {read.read_id}
        stop.set()
        await asyncio.wait_for(working, 20)


async def test_a_worker_without_redis_ends_when_it_is_told(
    make_settings: MakeSettings, embedded_broker: BrokerUnderTest
) -> None:
    settings = make_settings(embedded_broker, redis_url=f"redis://127.0.0.1:{free_port()}/0")
    stop = asyncio.Event()
    working = asyncio.create_task(run(settings, stop=stop))
    stop.set()
    await asyncio.wait_for(working, 20)


async def test_a_commit_that_fails_costs_nothing(
    embedded: Settings, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    commit, failures = AIOKafkaConsumer.commit, 0

    async def fails_once(self: AIOKafkaConsumer, *arguments: Any) -> None:
        nonlocal failures
        failures += 1
        if failures == 1:
            raise CommitFailedError("the group has rebalanced")
        await commit(self, *arguments)

    monkeypatch.setattr(AIOKafkaConsumer, "commit", fails_once)
    await publish(embedded, ["1ABC123"])
    async with running(run, embedded):
        await send(embedded, topics.READS, [make_read("1ABC123")])
        await until(lambda: "offsets are not committed (CommitFailedError)" in caplog.text, "the failure is said")
        await send(embedded, topics.READS, [make_read("1ABC123")])
        await drained(embedded, topics.READS)
    assert len({hit.hit_id for hit in await hits_of(embedded, 2)}) == 2


async def test_the_metrics_count_reads_hits_and_rejects(embedded: Settings) -> None:
    from pipeline import telemetry

    def counts() -> tuple[float, ...]:
        counters = (
            telemetry.MESSAGES.labels("match", "read"),
            telemetry.MESSAGES.labels("match", "hit"),
            telemetry.REJECTS.labels("match", "unreadable"),
        )
        return tuple(counter._value.get() for counter in counters)

    before = counts()
    await publish(embedded, ["1ABC123"])
    await send(embedded, topics.READS, [make_read("1ABC123"), make_read("2DEF456"), b"{"])
    async with running(run, embedded):
        await drained(embedded, topics.READS)
    assert [after - first for first, after in zip(before, counts(), strict=True)] == [2, 1, 1]


# --- one snapshot per batch ------------------------------------------------------------------------------------


async def test_every_hit_names_a_version_that_held_its_entry(settings: Settings) -> None:
    """Publications go on while reads do; each version says in its entries' reason which one it is."""
    generations = {await publish(settings, [HotlistEntry(plate="1ABC123", reason="0")]): "0"}
    done = asyncio.Event()

    async def keep_publishing() -> None:
        generation = 0
        while not done.is_set():
            generation += 1
            # Odd generations list another plate beside; it may be a hit of those alone.
            plates = ["1ABC123", "2DEF456"] if generation % 2 else ["1ABC123"]
            entries = [HotlistEntry(plate=plate, reason=str(generation)) for plate in plates]
            generations[await publish(settings, entries)] = str(generation)

    async with running(run, settings):
        publishing = asyncio.ensure_future(keep_publishing())
        async with Publisher(settings) as publisher:
            for number in range(200):
                for plate in ("1ABC123", "2DEF456"):
                    read = make_read(plate, captured_at_ns=number)
                    await publisher.send(topics.READS, read, key=read.camera)
                await publisher.flush()
        await drained(settings, topics.READS)
        done.set()
        await publishing
        hits = await hits_until(settings, "1ABC123", 200)
    for hit in hits:
        # Metadata is written before each version, under a snapshot version of its own: the entries are the last's.
        at = max(version for version in generations if version <= hit.snapshot_version)
        assert hit.entry.reason == generations[at]
        assert hit.entry.plate == "1ABC123" or int(hit.entry.reason) % 2
    assert len({hit.snapshot_version for hit in hits}) > 3
