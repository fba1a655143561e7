"""The OCR worker on a real broker: every good plate, every reject with its place, nothing lost."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import cv2
import msgspec
import numpy as np
import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition

from pipeline import telemetry, topics
from pipeline.errors import UnavailableError
from pipeline.ingest import decision, images, pictures, recognise, worker
from pipeline.ingest.worker import FrameReader, run
from pipeline.model import MAX_PICTURE_BYTES, Capture, PlateRead, Reject, RejectReason, decode, derive_id, encode
from pipeline.settings import Settings
from pipeline.telemetry import Stamp
from pipeline.topics import Publisher
from tests.conftest import BrokerUnderTest, MakeSettings, running, until
from tests.ingest.pictures import DAY, INFRARED, YELLOW, collage, cut_out, empty_road, jpeg_of, plate_of, truth
from tests.ingest.pictures import encode as picture
from tests.wire import drained, receive, send

HOUR_NS = 3600 * 10**9


LONG_AFTER_NS = 20 * 10**9
"""Between captures that no track spans."""


def capture_of(image: bytes, number: int = 0, **more: Any) -> Capture:
    """A capture at cam-1, long before or after each other's; how long it waits counts from when Kafka has it."""
    values: dict[str, Any] = {
        "capture_id": derive_id("capture", number),
        "camera": "cam-1",
        "captured_at_ns": time.time_ns() - HOUR_NS + number * LONG_AFTER_NS,
        "image": image,
        **more,
    }
    return Capture(**values)


async def reads_of(settings: Settings, count: int) -> list[PlateRead]:
    return [decode(message.value, PlateRead) for message in await receive(settings, topics.READS, count)]


async def rejects_of(settings: Settings, count: int) -> list[Reject]:
    return [decode(message.value, Reject) for message in await receive(settings, topics.REJECTS, count)]


async def count_of(settings: Settings, topic: str) -> int:
    """How many messages a topic holds."""
    async with AIOKafkaConsumer(bootstrap_servers=settings.kafka_bootstrap) as consumer:
        await consumer._client.add_topic(topic)
        partitions = [TopicPartition(topic, number) for number in consumer.partitions_for_topic(topic)]
        ends = await consumer.end_offsets(partitions)
        begins = await consumer.beginning_offsets(partitions)
    return sum(ends[each] - begins[each] for each in partitions)


def outcomes(outcome: str) -> float:
    return telemetry.MESSAGES.labels("ocr", outcome)._value.get()


@pytest.fixture
def settings(make_settings: MakeSettings, broker: BrokerUnderTest) -> Settings:
    """Settings on each kind of broker."""
    return make_settings(broker)


@pytest.fixture
def embedded(make_settings: MakeSettings, embedded_broker: BrokerUnderTest) -> Settings:
    """Settings on an embedded broker, for tests in which the kind does not matter."""
    return make_settings(embedded_broker)


# --- what becomes of a frame ---------------------------------------------------------------------------------


def png_of_size(width: int, height: int) -> bytes:
    return picture(np.zeros((height, width, 3), np.uint8), ".png")


BAD: list[tuple[Capture | bytes, RejectReason]] = [
    (b"", RejectReason.UNREADABLE),
    (b"{", RejectReason.UNREADABLE),
    (b"\xff\xd8\xff\xe0 a bare JPEG", RejectReason.UNREADABLE),
    (b'{"capture_id":"x","camera":"cam-1","captured_at_ns":1}', RejectReason.UNREADABLE),
    (b'{"capture_id":"x","camera":"cam-1","captured_at_ns":1,"image":"?"}', RejectReason.UNREADABLE),
    (b'{"capture_id":"x","camera":"cam-1","captured_at_ns":-1e99,"image":""}', RejectReason.UNREADABLE),
    (capture_of(b""), RejectReason.NOT_AN_IMAGE),
    (capture_of(b"no image"), RejectReason.NOT_AN_IMAGE),
    (capture_of(jpeg_of(DAY)[:400]), RejectReason.NOT_AN_IMAGE),
    (capture_of(png_of_size(1, 1)), RejectReason.IMAGE_SIZE),
    (capture_of(png_of_size(2000, 3)), RejectReason.IMAGE_SIZE),
    (capture_of(jpeg_of(DAY), camera="cam-unheard-of"), RejectReason.UNKNOWN_CAMERA),
    (capture_of(jpeg_of(DAY), captured_at_ns=time.time_ns() + HOUR_NS), RejectReason.FROM_THE_FUTURE),
]


async def test_good_frames_amid_every_kind_of_bad_one(settings: Settings) -> None:
    good = [capture_of(jpeg_of(name), number) for number, name in enumerate([DAY, INFRARED, YELLOW] * 5)]
    messages: list[Capture | bytes] = []
    for number, frame in enumerate(good):
        messages.append(frame)
        messages += [BAD[number % len(BAD)][0]]
    wanted = Counter(BAD[number % len(BAD)][1] for number in range(len(good)))
    async with running(run, settings):
        places = await send(settings, topics.FRAMES, messages)
        reads = await reads_of(settings, len(good))
        rejects = await rejects_of(settings, len(good))
        await drained(settings, topics.FRAMES)
    assert Counter((read.capture_id, read.plate) for read in reads) == Counter(
        (frame.capture_id, plate_of(name)) for frame, name in zip(good, [DAY, INFRARED, YELLOW] * 5, strict=True)
    )
    assert Counter(reject.reason for reject in rejects) == wanted
    assert {(reject.topic, reject.partition, reject.offset) for reject in rejects} == set(places[1::2])
    assert await count_of(settings, topics.READS) == len(good)
    assert await count_of(settings, topics.REJECTS) == len(good)


async def test_a_reject_says_what_to_do_and_keeps_the_beginning(embedded: Settings) -> None:
    before = telemetry.REJECTS.labels("ocr", "unknown_camera")._value.get()
    frame = capture_of(jpeg_of(DAY), camera="cam-unheard-of", source="gateway")
    await send(embedded, topics.FRAMES, [frame])
    async with running(run, embedded):
        (reject,) = await rejects_of(embedded, 1)
    assert reject.detail == "camera 'cam-unheard-of' is not registered; add it to LIK_CAMERAS"
    assert (reject.camera, reject.source) == ("cam-unheard-of", "gateway")
    assert reject.payload == encode(frame)[: embedded.reject_payload_bytes]
    assert telemetry.REJECTS.labels("ocr", "unknown_camera")._value.get() == before + 1


async def test_a_read_carries_what_it_rests_on(embedded: Settings) -> None:
    frame = capture_of(jpeg_of(YELLOW), camera="cam-3", trail={Stamp.FRAME_SENT.value: time.time_ns()})
    await send(embedded, topics.FRAMES, [frame])
    async with running(run, embedded):
        (read,) = await reads_of(embedded, 1)
    assert (read.capture_id, read.camera, read.captured_at_ns) == (
        frame.capture_id,
        frame.camera,
        frame.captured_at_ns,
    )
    assert read.source == "ocr"
    assert read.text == read.plate == plate_of(YELLOW)
    assert read.characters is not None
    assert "".join(max(slot, key=slot.__getitem__) for slot in read.characters) == read.plate
    assert all(0.9 < sum(slot.values()) <= 1.001 for slot in read.characters)
    assert all(len(slot) <= recognise.KEPT_CHARACTERS for slot in read.characters)
    # Of the whole text: that there is no further character is a little less than sure.
    assert read.confidence == pytest.approx(np.prod([max(slot.values()) for slot in read.characters]), rel=5e-2)
    assert read.patch is not None
    assert read.box is not None
    shown = cv2.imdecode(np.frombuffer(read.patch, np.uint8), cv2.IMREAD_COLOR)
    assert len(read.patch) < 8_192
    assert read.box.w <= shown.shape[1] <= pictures.PATCH_WIDTH_PX
    assert abs(shown.shape[1] / shown.shape[0] - read.box.w / read.box.h) < 0.3
    assert read.frames == 1
    assert read.picture is not None
    width, height = images.image_size(read.picture) or (0, 0)
    assert pictures.PICTURE_WIDTH_PX >= width > shown.shape[1]
    assert height > 2 * shown.shape[0]
    assert len(read.picture) <= MAX_PICTURE_BYTES
    assert read.trail[Stamp.FRAME_SENT.value] == frame.trail[Stamp.FRAME_SENT.value]
    assert (
        read.trail[Stamp.FRAME_SENT.value]
        <= read.trail[Stamp.FRAME_TAKEN.value]
        <= read.trail[Stamp.READ_SENT.value]
    )


async def test_every_plate_of_a_frame_becomes_a_read(embedded: Settings) -> None:
    await send(embedded, topics.FRAMES, [capture_of(picture(collage([DAY, INFRARED, YELLOW])))])
    async with running(run, embedded):
        reads = await reads_of(embedded, 3)
        await drained(embedded, topics.FRAMES)
    assert {read.plate for read in reads} == {plate_of(name) for name in (DAY, INFRARED, YELLOW)}
    assert len({read.read_id for read in reads}) == 3
    assert len({read.capture_id for read in reads}) == 1


async def test_a_frame_without_a_plate_is_counted_and_makes_no_read(embedded: Settings) -> None:
    frames, empty = outcomes("frame"), outcomes("no_plate")
    await send(embedded, topics.FRAMES, [capture_of(jpeg_of(empty_road())), capture_of(jpeg_of(DAY), 1)])
    async with running(run, embedded):
        await drained(embedded, topics.FRAMES)
    assert [read.plate for read in await reads_of(embedded, 1)] == [plate_of(DAY)]
    assert await count_of(embedded, topics.READS) == 1
    assert (outcomes("frame") - frames, outcomes("no_plate") - empty) == (2, 1)


@pytest.mark.parametrize(("name", "limit"), [("FEWEST_CHARACTERS", 8), ("LEAST_CHANCE", 0.9999)])
def test_a_text_too_short_or_too_unsure_is_no_read(
    name: str, limit: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert len(plate_of(DAY)) == 7
    frame = capture_of(jpeg_of(DAY))
    assert len(FrameReader().read([frame])[0]) == 1
    before = outcomes("not_a_plate")
    monkeypatch.setattr(decision, name, limit)
    assert FrameReader().read([frame]) == ([], {})
    assert outcomes("not_a_plate") == before + 1


def test_a_plate_at_the_edge_has_its_box_on_the_frame() -> None:
    cut = cut_out(DAY, margin_px=0)
    reads, _ = FrameReader().read([capture_of(picture(cut, ".png"))])
    assert [read.plate for read in reads] == [plate_of(DAY)]
    box = reads[0].box
    assert box is not None
    assert box.x >= 0
    assert box.y >= 0
    assert box.x + box.w <= cut.shape[1]
    assert box.y + box.h <= cut.shape[0]


def test_frames_that_are_too_many_to_hold_are_read_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    names = list(truth())[:6]
    frames = [
        capture_of(jpeg_of(name), number, captured_at_ns=number * HOUR_NS) for number, name in enumerate(names)
    ]
    frames.insert(3, capture_of(b"no image", 99))
    reads, refused = FrameReader().read(frames)
    assert [read.plate for read in reads] == [plate for name in names for plate in truth()[name]]
    held: list[int] = []
    original = recognise.Localiser.find

    def find(localiser: recognise.Localiser, images: Sequence[Any], min_score: float) -> Any:
        held.append(len(images))
        return original(localiser, images, min_score)

    monkeypatch.setattr(recognise.Localiser, "find", find)
    monkeypatch.setattr(recognise, "PIXELS_AT_ONCE", 2 * 1280 * 720)
    again, refused_again = FrameReader().read(frames)
    assert held == [2, 2, 2]
    assert refused.keys() == refused_again.keys() == {3}
    # They differ in the moment of sending alone.
    assert [msgspec.structs.replace(read, trail={}) for read in again] == [
        msgspec.structs.replace(read, trail={}) for read in reads
    ]


async def test_a_jpeg_that_breaks_off_gives_its_plates_or_is_rejected(embedded: Settings) -> None:
    jpeg = picture(collage([DAY, INFRARED, YELLOW]))
    frames = [capture_of(jpeg[: len(jpeg) // 2]), capture_of(jpeg[: len(jpeg) // 10], 1)]
    empty = outcomes("no_plate")
    async with running(run, embedded):
        places = await send(embedded, topics.FRAMES, frames)
        await drained(embedded, topics.FRAMES)
    assert plate_of(DAY) in {read.plate for read in await reads_of(embedded, 1)}
    (reject,) = await rejects_of(embedded, 1)
    # It must not pass for an empty road: the plate may have been on what did not come.
    assert (reject.reason, reject.offset) == (RejectReason.NOT_AN_IMAGE, places[1][2])
    assert "breaks off" in reject.detail
    assert outcomes("no_plate") == empty


# --- several frames of one vehicle ---------------------------------------------------------------------------


def passing(names: Sequence[str], *, camera: str = "cam-1", apart_ms: int = 200) -> list[Capture]:
    """Captures of one camera, one after the other."""
    begin_ns = time.time_ns() - HOUR_NS
    return [
        capture_of(
            jpeg_of(name),
            camera=camera,
            captured_at_ns=begin_ns + number * apart_ms * 10**6,
            capture_id=derive_id("capture", camera, number),
        )
        for number, name in enumerate(names)
    ]


async def test_the_frames_of_a_vehicle_are_one_read(settings: Settings) -> None:
    frames = [*passing([DAY] * 4), *passing([YELLOW] * 3, camera="cam-3")]
    before = outcomes("same_vehicle")
    async with running(run, settings):
        await send(settings, topics.FRAMES, frames)
        await drained(settings, topics.FRAMES)
    count = await count_of(settings, topics.READS)
    reads = await reads_of(settings, count)
    assert {(read.camera, read.plate) for read in reads} == {("cam-1", plate_of(DAY)), ("cam-3", plate_of(YELLOW))}
    assert len({read.read_id for read in reads}) == 2
    # Every plate that was seen is a read, or known to be one.
    assert outcomes("same_vehicle") - before == len(frames) - count


async def test_vehicles_that_follow_each_other_are_a_read_each(settings: Settings) -> None:
    frames = passing([DAY, DAY, YELLOW, YELLOW, INFRARED])
    async with running(run, settings):
        await send(settings, topics.FRAMES, frames)
        await drained(settings, topics.FRAMES)
    reads = await reads_of(settings, await count_of(settings, topics.READS))
    names = (DAY, YELLOW, INFRARED)
    assert {read.plate for read in reads} == {plate_of(name) for name in names}
    assert len({read.read_id for read in reads}) == 3


def doubting(found: recognise.Recognised, doubt: float) -> recognise.Recognised:
    """The same plates, read less surely."""
    reads = found.reads
    assert reads.probabilities is not None
    shares = ((1 - doubt) * reads.probabilities + doubt / 37).astype(np.float32)
    confidence = shares.max(axis=2).prod(axis=1)
    return replace(found, reads=replace(reads, probabilities=shares, confidence=confidence))


def test_a_vehicle_is_told_at_once_and_under_the_same_id_when_it_is_read_more_surely(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    original = recognise.Recogniser.recognise
    doubts = iter([0.05, 0.0])
    monkeypatch.setattr(recognise.Recogniser, "recognise", lambda *given: doubting(original(*given), next(doubts)))
    reader = FrameReader()
    frames = passing([DAY] * 2)
    ((first,), _), ((second,), _) = (reader.read([frame]) for frame in frames)
    assert first.plate == second.plate == plate_of(DAY)
    assert first.read_id == second.read_id
    assert (first.frames, second.frames) == (1, 2)
    assert (second.confidence or 0) > (first.confidence or 0) > 0
    # What is shown is the better look.
    assert (first.capture_id, second.capture_id) == (frames[0].capture_id, frames[1].capture_id)
    assert first.captured_at_ns < second.captured_at_ns == frames[1].captured_at_ns


def test_what_was_not_acknowledged_leaves_no_trace() -> None:
    reader = FrameReader()
    frames = passing([DAY] * 2)
    with contextlib.suppress(UnavailableError), reader.undone_on_error():
        lost, _ = reader.read(frames)
        raise UnavailableError("not acknowledged, says the test")
    again, _ = reader.read(frames)
    assert [(read.read_id, read.frames) for read in again] == [(read.read_id, read.frames) for read in lost]


# --- overload, replay, falls ---------------------------------------------------------------------------------


async def test_frames_that_waited_too_long_are_shed(settings: Settings) -> None:
    old_ns = time.time_ns() - 60 * 10**9
    old = [
        capture_of(picture(cut_out(DAY)), number, trail={Stamp.FRAME_SENT.value: old_ns + number})
        for number in range(20)
    ]
    places = await send(settings, topics.FRAMES, [*old, capture_of(jpeg_of(YELLOW), 20)])
    async with running(run, settings):
        rejects = await rejects_of(settings, 20)
        await drained(settings, topics.FRAMES)
    assert {reject.reason for reject in rejects} == {RejectReason.SHED}
    assert [(each.topic, each.partition, each.offset) for each in rejects] == places[:20]
    # Of whoever happened to pass, nothing is kept.
    assert {reject.payload for reject in rejects} == {b""}
    assert "LIK_FRAME_MAX_AGE_S" in rejects[0].detail
    assert [read.plate for read in await reads_of(settings, 1)] == [plate_of(YELLOW)]
    assert await count_of(settings, topics.READS) == 1


async def test_a_frame_whose_sender_says_no_time_waited_since_kafka_has_it(
    make_settings: MakeSettings, embedded_broker: BrokerUnderTest
) -> None:
    settings = make_settings(embedded_broker, frame_max_age_s=0.001)
    await send(settings, topics.FRAMES, [capture_of(jpeg_of(DAY))])
    async with running(run, settings):
        (reject,) = await rejects_of(settings, 1)
    assert reject.reason is RejectReason.SHED


async def test_the_same_frame_again_gives_the_same_reads(settings: Settings) -> None:
    frames = [capture_of(picture(collage([DAY, YELLOW]))), capture_of(jpeg_of(INFRARED), 1)]
    async with running(run, settings):
        await send(settings, topics.FRAMES, frames)
        first = await reads_of(settings, 3)
        await send(settings, topics.FRAMES, frames)
        both = await reads_of(settings, 6)
    assert len({read.read_id for read in first}) == 3
    assert Counter(read.read_id for read in both) == Counter({read.read_id: 2 for read in first})


async def test_offsets_are_committed_only_once_the_reads_are_acknowledged(
    make_settings: MakeSettings, broker: BrokerUnderTest
) -> None:
    # The publisher's own gate holds back a frame's second read until somebody has taken its first.
    settings = make_settings(broker)
    await send(settings, topics.FRAMES, [capture_of(picture(collage([DAY, YELLOW])))])
    narrow = settings.model_copy(update={"kafka_in_flight_bytes": 100})
    async with running(run, narrow), topics.consumer(settings, topics.READS) as consumer:
        first = decode((await asyncio.wait_for(consumer.getone(), 30)).value, PlateRead)
        # One read is out and acknowledged, the other is not: nothing may be committed.
        assert await topics.group_lag(settings, topics.FRAMES) == 1
        await consumer.commit()
        second = decode((await asyncio.wait_for(consumer.getone(), 30)).value, PlateRead)
        assert {first.plate, second.plate} == {plate_of(DAY), plate_of(YELLOW)}
        await drained(settings, topics.FRAMES)


@pytest.mark.parametrize(
    ("image", "topic", "identity_of"),
    [
        (capture_of(jpeg_of(DAY)), topics.READS, lambda raw: decode(raw, PlateRead).read_id),
        (capture_of(b"no image"), topics.REJECTS, lambda raw: decode(raw, Reject).reject_id),
    ],
    ids=["read", "reject"],
)
async def test_a_batch_that_kafka_does_not_acknowledge_is_taken_again(
    embedded: Settings,
    monkeypatch: pytest.MonkeyPatch,
    image: Capture,
    topic: str,
    identity_of: Callable[[bytes], str],
) -> None:
    failures = 0

    class Unlucky(Publisher):
        async def flush(self) -> None:
            nonlocal failures
            await super().flush()
            if failures < 2:
                failures += 1
                raise UnavailableError("not acknowledged, says the test")

    monkeypatch.setattr(worker, "Publisher", Unlucky)
    await send(embedded, topics.FRAMES, [image])
    async with running(run, embedded):
        messages = await receive(embedded, topic, 3)
        await drained(embedded, topics.FRAMES)
    assert failures == 2
    # Delivered three times, and recognisably one.
    assert len({identity_of(message.value) for message in messages}) == 1


async def test_a_frame_that_breaks_the_recogniser_costs_no_other(
    embedded: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    poison = jpeg_of(INFRARED)

    def decode_or_break(data: bytes) -> Any:
        if data == poison:
            raise RuntimeError("1ABC123 is in here")
        return images.decode(data)

    monkeypatch.setattr(recognise, "decode", decode_or_break)
    encoded = [jpeg_of(DAY), poison, jpeg_of(YELLOW), jpeg_of(DAY)]
    places = await send(
        embedded, topics.FRAMES, [capture_of(image, number) for number, image in enumerate(encoded)]
    )
    async with running(run, embedded):
        await drained(embedded, topics.FRAMES)
    (reject,) = await rejects_of(embedded, 1)
    assert (reject.reason, reject.detail) == (RejectReason.FAILED, "RuntimeError in the OCR stage")
    assert (reject.topic, reject.partition, reject.offset) == places[1]
    found = {read.capture_id: read.plate for read in await reads_of(embedded, 3)}
    assert Counter(found.values()) == Counter([plate_of(DAY), plate_of(DAY), plate_of(YELLOW)])


async def test_the_loop_goes_on_while_frames_are_read(embedded: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    begun, may_end = threading.Event(), threading.Event()
    original = FrameReader.read

    def slow(reader: FrameReader, captures: Sequence[Capture]) -> Any:
        if captures[0].capture_id:
            begun.set()
            # Were this the loop's own thread, nobody could say that it may end.
            assert may_end.wait(30)
        return original(reader, captures)

    monkeypatch.setattr(FrameReader, "read", slow)
    await send(embedded, topics.FRAMES, [capture_of(jpeg_of(DAY))])
    async with running(run, embedded):
        await until(begun.is_set, "a frame is being read")
        may_end.set()
        assert len(await reads_of(embedded, 1)) == 1
