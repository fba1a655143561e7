"""Frame sources, and their replay to a real broker."""

from __future__ import annotations

import asyncio
import itertools
import threading
import time
from collections.abc import Iterable
from pathlib import Path

import cv2
import numpy as np
import pytest

from pipeline import topics
from pipeline.errors import ConfigurationError
from pipeline.ingest import frames
from pipeline.ingest.frames import Frame, Stream, open_source, replay
from pipeline.ingest.images import decode_image
from pipeline.model import Capture, Reject, RejectReason, decode
from pipeline.settings import Settings
from pipeline.telemetry import Stamp
from pipeline.topics import Publisher
from recordings import CROSSROADS
from tests.conftest import BrokerUnderTest, MakeSettings, until
from tests.ingest.mjpeg import stream_of
from tests.ingest.pictures import encode

SMALL = encode(np.full((64, 96, 3), 140, np.uint8))
START_NS = 1_800_000_000_000_000_000


# --- folders -------------------------------------------------------------------------------------------------


def fill(folder: Path, *names: str) -> Path:
    """Make a folder of files that hold their own names."""
    folder.mkdir(exist_ok=True)
    for name in names:
        (folder / name).write_bytes(name.encode())
    return folder


def test_names_say_when_and_where(tmp_path: Path) -> None:
    folder = fill(tmp_path / "f", "003500_cam-brug.jpg", "000250_cam-2.PNG", "1000000_cam_met_streep.jpeg")
    assert list(open_source(str(folder))) == [
        Frame(0.25, "cam-2", b"000250_cam-2.PNG"),
        Frame(3.5, "cam-brug", b"003500_cam-brug.jpg"),
        Frame(1000.0, "cam_met_streep", b"1000000_cam_met_streep.jpeg"),
    ]


def test_other_names_are_of_the_camera_that_is_given(tmp_path: Path) -> None:
    # A date is no time since the beginning, and five digits are a number.
    names = ["20260314210003_cam-1.jpg", "00350_cam-1.jpg", "IMG_1.jpg"]
    folder = fill(tmp_path / "f", *names)
    found = list(open_source(str(folder), camera="cam-9"))
    assert [frame.camera for frame in found] == ["cam-9"] * 3
    assert [frame.at_s for frame in found] == [0.0, frames.INTERVAL_S, 2 * frames.INTERVAL_S]
    assert [frame.image.decode() for frame in found] == sorted(names)


def test_what_is_no_image_by_its_name_is_left_alone(tmp_path: Path) -> None:
    folder = fill(tmp_path / "f", "000000_cam-1.jpg", "Thumbs.db", ".DS_Store", "000001_cam-1.txt")
    assert [frame.image for frame in open_source(str(folder))] == [b"000000_cam-1.jpg"]


def test_a_file_that_cannot_be_read_is_a_frame_without_bytes(tmp_path: Path) -> None:
    folder = fill(tmp_path / "f", "000000_cam-1.jpg", "000002_cam-1.jpg")
    (folder / "000001_cam-1.jpg").symlink_to("gone.jpg")
    assert [frame.image for frame in open_source(str(folder))] == [b"000000_cam-1.jpg", b"", b"000002_cam-1.jpg"]


def test_of_a_recording_its_frames_are_taken() -> None:
    found = list(open_source(str(CROSSROADS)))
    assert len(found) == len(list((CROSSROADS / "frames").iterdir()))
    assert [frame.at_s for frame in found] == sorted(frame.at_s for frame in found)


def test_what_is_not_there_is_said_with_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"no-such: no such folder or file; give a folder of images"):
        open_source(str(tmp_path / "no-such"))
    with pytest.raises(ConfigurationError, match=r"no image in it \(\.jpeg, \.jpg, \.png\)"):
        open_source(str(fill(tmp_path / "f", "note.txt")))
    with pytest.raises(ConfigurationError, match="cannot be read"):
        frames.folder(tmp_path / "no-such")
    with pytest.raises(ConfigurationError, match="not a video that can be read; give MP4"):
        open_source(str(fill(tmp_path / "v", "a.avi") / "a.avi"))


# --- videos and streams --------------------------------------------------------------------------------------


def test_a_video_is_sampled(tmp_path: Path) -> None:
    path = tmp_path / "v.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 25.0, (96, 64))
    for number in range(25):
        writer.write(np.full((64, 96, 3), 10 * number, np.uint8))
    writer.release()
    found = list(open_source(str(path), camera="cam-7"))
    assert [frame.at_s for frame in found] == pytest.approx([0.0, 0.2, 0.4, 0.6, 0.8])
    assert {frame.camera for frame in found} == {"cam-7"}
    shades = [decode_image(frame.image).mean() for frame in found]
    assert shades == pytest.approx([0, 50, 100, 150, 200], abs=4)


def test_a_stream_gives_frames_as_they_come() -> None:
    with stream_of(SMALL) as camera:
        stream = open_source(camera.address, camera="cam-5")
        assert isinstance(stream, Stream)
        found = list(itertools.islice(stream, 3))
        stream.close()
    assert [frame.camera for frame in found] == ["cam-5"] * 3
    assert [decode_image(frame.image).shape for frame in found] == [(64, 96, 3)] * 3
    times = [frame.at_s for frame in found]
    assert all(later - earlier >= frames.SAMPLE_S for earlier, later in itertools.pairwise(times))


def test_a_stream_that_breaks_off_is_opened_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(frames, "REOPEN_S", (0.01,))
    monkeypatch.setattr(frames, "SAMPLE_S", 0.0)
    with stream_of(SMALL) as camera:
        camera.frames_a_visit = 40
        stream = Stream(camera.address)
        for frame in stream:
            assert frame.image
            if camera.visits >= 3:
                break
        stream.close()
    assert camera.visits >= 3


def test_who_takes_slowly_gets_the_newest_frame(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(frames, "SAMPLE_S", 0.0)
    kept: list[float] = []
    enough = threading.Event()
    original = Stream._keep

    def keep(stream: Stream, at_s: float) -> None:
        original(stream, at_s)
        kept.append(at_s)
        if len(kept) >= 5:
            stream.close()
            enough.set()

    monkeypatch.setattr(Stream, "_keep", keep)
    with stream_of(SMALL) as camera:
        stream = Stream(camera.address)
        assert enough.wait(20)
        assert [frame.at_s for frame in stream] == [kept[4]]


def test_closing_a_stream_frees_who_waits_for_it() -> None:
    with stream_of(SMALL) as camera:
        stream = Stream(camera.address)
        next(stream)
        camera.ended.set()
        waiting = threading.Thread(target=lambda: list(stream))
        waiting.start()
        stream.close()
        waiting.join(20)
        assert not waiting.is_alive()


def test_a_stream_that_cannot_be_opened_is_said_without_its_password() -> None:
    with pytest.raises(ConfigurationError, match=r"stream of camera 'cam-1' cannot be opened") as caught:
        open_source("rtsp://admin:geheim@127.0.0.1:9/live", camera="cam-1")
    assert "geheim" not in str(caught.value)


# --- replay --------------------------------------------------------------------------------------------------


async def send(settings: Settings, source: Iterable[Frame], speed: float | None = None) -> int:
    async with Publisher(settings) as publisher:
        count = await replay(publisher, source, speed=speed, start_ns=START_NS)
        await publisher.flush()
    return count


async def captures(settings: Settings, count: int) -> list[Capture]:
    """Take `count` captures, and see that each is keyed by its camera."""
    found = []
    async with topics.consumer(settings, topics.FRAMES, group_id=None) as consumer:
        while len(found) < count:
            message = await asyncio.wait_for(consumer.getone(), 30)
            found.append(decode(message.value, Capture))
            assert message.key.decode() == found[-1].camera
    return sorted(found, key=lambda capture: capture.captured_at_ns)


async def test_frames_are_published_with_their_times_moved(
    broker: BrokerUnderTest, make_settings: MakeSettings, tmp_path: Path
) -> None:
    settings = make_settings(broker)
    folder = fill(tmp_path / "f", "000250_cam-2.jpg", "003500_cam-1.jpg", "003500_cam-2.jpg")
    (folder / "004000_cam-1.jpg").symlink_to("gone.jpg")
    before_ns = time.time_ns()
    assert await send(settings, frames.folder(folder)) == 4
    found = await captures(settings, 4)
    assert [(capture.captured_at_ns - START_NS) // 1_000_000 for capture in found] == [250, 3500, 3500, 4000]
    assert {capture.image for capture in found} == {
        b"",
        b"000250_cam-2.jpg",
        b"003500_cam-1.jpg",
        b"003500_cam-2.jpg",
    }
    assert len({capture.capture_id for capture in found}) == 4
    for capture in found:
        assert before_ns <= capture.trail[Stamp.FRAME_SENT.value] <= time.time_ns()
    # The same replay gives the same captures.
    await send(settings, frames.folder(folder))
    again = await captures(settings, 8)
    assert len({capture.capture_id for capture in again}) == 4


async def test_frames_come_no_sooner_than_recorded(
    embedded_broker: BrokerUnderTest, make_settings: MakeSettings
) -> None:
    settings = make_settings(embedded_broker)
    source = [Frame(0.0, "cam-1", SMALL), Frame(2.0, "cam-1", SMALL), Frame(4.0, "cam-1", SMALL)]
    before_ns = time.time_ns()
    assert await send(settings, source, speed=10.0) == 3
    sent_ns = [capture.trail[Stamp.FRAME_SENT.value] - before_ns for capture in await captures(settings, 3)]
    assert sent_ns[1] >= 200_000_000
    assert sent_ns[2] >= 400_000_000


async def test_a_frame_that_no_message_holds_is_rejected_and_the_others_go(
    embedded_broker: BrokerUnderTest, make_settings: MakeSettings
) -> None:
    settings = make_settings(embedded_broker, kafka_max_message_bytes=65_536)
    source = [Frame(number / 10, "cam-1", image) for number, image in enumerate([SMALL, bytes(70_000), SMALL])]
    assert await send(settings, source) == 3
    assert len(await captures(settings, 2)) == 2
    async with topics.consumer(settings, topics.REJECTS, group="test") as consumer:
        reject = decode((await asyncio.wait_for(consumer.getone(), 30)).value, Reject)
    assert reject.reason is RejectReason.IMAGE_SIZE
    assert "LIK_KAFKA_MAX_MESSAGE_BYTES" in reject.detail
    assert reject.camera == "cam-1"


async def test_a_replay_of_a_stream_ends_when_it_is_cancelled(
    embedded_broker: BrokerUnderTest, make_settings: MakeSettings
) -> None:
    settings = make_settings(embedded_broker)
    with stream_of(SMALL) as camera:
        stream = Stream(camera.address, camera="cam-1")
        sending = asyncio.create_task(send(settings, stream, speed=1.0))
        assert (await captures(settings, 1))[0].captured_at_ns >= START_NS
        sending.cancel()
        with pytest.raises(asyncio.CancelledError):
            await sending

        def grabber_gone() -> bool:
            return not any(thread.name == "stream of cam-1" for thread in threading.enumerate())

        await until(grabber_gone, "the stream's thread has ended")
