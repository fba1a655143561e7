"""Frame sources, a folder, a video file or a live stream, and their replay to ``anpr.frames``.

A source is an iterable of `Frame`: an encoded image, its camera, and when it was captured, in seconds since the
source began. It may block; `replay` takes from it in a thread.
"""

from __future__ import annotations

import asyncio
import logging
import re
import threading
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

import cv2

from pipeline import telemetry, topics
from pipeline.errors import ConfigurationError
from pipeline.model import Capture, RejectReason, derive_id
from pipeline.telemetry import Stamp
from pipeline.topics import Publisher

log = logging.getLogger(__name__)

SUFFIXES: Final = frozenset({".jpg", ".jpeg", ".png"})
INTERVAL_S: Final = 0.5
"""Between the frames of a folder whose names say no time."""
SAMPLE_S: Final = 0.2
"""Of a video or a stream, a frame is taken this often: a car at 90 km/h is seen every 5 m."""
REOPEN_S: Final = (1.0, 2.0, 5.0, 10.0)
"""How long to wait before a stream that broke off is opened again."""
STREAM_TIMEOUT_MS: Final = 5_000
"""How long a stream may say nothing before it counts as broken off."""
JPEG_QUALITY: Final = 90

# Nine digits are eleven days; more are a date, which says nothing of when the recording began.
_NAME: Final = re.compile(r"(?P<ms>\d{6,9})_(?P<camera>.+)")


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame of a source.

    Attributes
    ----------
    at_s
        When it was captured, seconds since the source began.
    camera
        The camera's id.
    image
        The encoded image, as the source has it; it may be broken: the OCR worker says so.
    """

    at_s: float
    camera: str
    image: bytes


def open_source(source: str, *, camera: str = "replay") -> Iterable[Frame]:
    """Open a folder of images, a video file, or the address of a stream (``rtsp://``, or MJPEG over ``http://``).

    Of a recording, its folder ``frames``.

    Parameters
    ----------
    camera
        Camera id of frames that name none.

    Raises
    ------
    ConfigurationError
        There is no such thing, or it holds no frames.
    """
    if "://" in source:
        return Stream(source, camera=camera)
    path = Path(source)
    if path.is_dir():
        own = path / "frames"
        return folder(own if own.is_dir() else path, camera=camera)
    if not path.exists():
        raise ConfigurationError(
            f"{source}: no such folder or file; give a folder of images, a video, or rtsp://..."
        )
    return video(path, camera=camera)


def folder(path: Path, *, camera: str = "replay") -> Iterator[Frame]:
    """Read a folder's images, ordered by time.

    A name such as ``003500_cam-brug.jpg`` says when, in ms since the recording began (six to nine digits), and at
    which camera. Files of other names are of `camera`, one each `INTERVAL_S`, in order of their names. A file that
    cannot be read is a frame without bytes, so that it is accounted for.

    Raises
    ------
    ConfigurationError
        There is no such folder, or no image in it.
    """
    try:
        files = sorted(each for each in path.iterdir() if each.suffix.lower() in SUFFIXES)
    except OSError as error:
        raise ConfigurationError(f"{path}: cannot be read ({error.strerror}); give a folder of images") from error
    if not files:
        raise ConfigurationError(f"{path}: no image in it ({', '.join(sorted(SUFFIXES))})")
    found: list[tuple[float, str, Path]] = []
    unnamed = 0
    for file in files:
        named = _NAME.fullmatch(file.stem)
        if named:
            found.append((int(named["ms"]) / 1000, named["camera"], file))
        else:
            found.append((unnamed * INTERVAL_S, camera, file))
            unnamed += 1
    return (Frame(at_s, whose, _bytes_of(file)) for at_s, whose, file in sorted(found))


def _bytes_of(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        log.warning("%s cannot be read (%s)", file, error.strerror)
        return b""


def video(path: Path, *, camera: str = "replay") -> Iterator[Frame]:
    """Read a video file, a frame every `SAMPLE_S` as a JPEG.

    Raises
    ------
    ConfigurationError
        It is no video that OpenCV can read.
    """
    capture = cv2.VideoCapture(str(path))
    if not capture.isOpened():
        raise ConfigurationError(
            f"{path}: not a video that can be read; give MP4, MKV or AVI, or a folder of images"
        )
    return _samples(capture, camera)


def _samples(capture: cv2.VideoCapture, camera: str) -> Iterator[Frame]:
    rate = capture.get(cv2.CAP_PROP_FPS) or 1 / SAMPLE_S
    every = max(1, round(rate * SAMPLE_S))
    try:
        number = 0
        while capture.grab():
            if number % every == 0:
                found, image = capture.retrieve()
                if found:
                    yield Frame(number / rate, camera, _jpeg(image))
            number += 1
    finally:
        capture.release()


class Stream:
    """A live stream, read for ever: each frame as a JPEG, of the time when it came.

    A thread of its own grabs whatever comes, so that nothing grows old in a buffer, and keeps a frame every
    `SAMPLE_S`. Who takes too slowly gets the newest; those between are shed and counted. A stream that breaks off
    is opened again.

    Raises
    ------
    ConfigurationError
        It cannot be opened the first time.
    """

    def __init__(self, address: str, *, camera: str = "replay") -> None:
        self._address, self._camera = address, camera
        self._changed = threading.Condition()
        self._newest: Frame | None = None
        self._closed = threading.Event()
        self._capture = cv2.VideoCapture()
        if not self._open():
            # Not the address itself: it may hold a password.
            raise ConfigurationError(f"the stream of camera {camera!r} cannot be opened; is its address right?")
        self._began_s = time.monotonic()
        threading.Thread(target=self._grab, name=f"stream of {camera}", daemon=True).start()

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Frame:
        with self._changed:
            self._changed.wait_for(lambda: self._newest is not None or self._closed.is_set())
            frame, self._newest = self._newest, None
        if frame is None:
            raise StopIteration
        return frame

    def close(self) -> None:
        """End the stream; whoever waits for a frame gets none. May be called from any thread, and twice."""
        self._closed.set()
        with self._changed:
            self._changed.notify_all()

    def _open(self) -> bool:
        timeouts = [cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, STREAM_TIMEOUT_MS]
        timeouts += [cv2.CAP_PROP_READ_TIMEOUT_MSEC, STREAM_TIMEOUT_MS]
        return bool(self._capture.open(self._address, cv2.CAP_FFMPEG, timeouts))

    def _grab(self) -> None:
        tries, next_s = 0, 0.0
        while not self._closed.is_set():
            if not self._capture.grab():
                wait_s = REOPEN_S[min(tries, len(REOPEN_S) - 1)]
                log.warning("the stream of camera %r broke off; opening it again in %g s", self._camera, wait_s)
                tries += 1
                if not self._closed.wait(wait_s):
                    self._open()
                continue
            tries, now_s = 0, time.monotonic() - self._began_s
            if now_s >= next_s:
                next_s = now_s + SAMPLE_S
                self._keep(now_s)
        self._capture.release()

    def _keep(self, at_s: float) -> None:
        found, image = self._capture.retrieve()
        if not found:
            return
        frame = Frame(at_s, self._camera, _jpeg(image))
        with self._changed:
            if self._newest is not None:
                telemetry.MESSAGES.labels("replay", "shed").inc()
            self._newest = frame
            self._changed.notify_all()


def _jpeg(image: cv2.typing.MatLike) -> bytes:
    """Encode a BGR image."""
    _, data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    return data.tobytes()


async def replay(publisher: Publisher, source: Iterable[Frame], *, speed: float | None, start_ns: int) -> int:
    """Publish a source's frames; return how many there were.

    Parameters
    ----------
    source
        From `open_source`.
    speed
        1.0 is as recorded; None is as fast as Kafka takes them. A stream has its own.
    start_ns
        What the source's beginning becomes, ns since the epoch.

    Raises
    ------
    UnavailableError
        Kafka does not take a frame.
    """
    began_s = time.monotonic()
    frames = iter(source)
    live = isinstance(source, Stream)
    count = 0
    try:
        while (frame := await asyncio.to_thread(next, frames, None)) is not None:
            if speed is not None and not live:
                await asyncio.sleep(max(0.0, began_s + frame.at_s / speed - time.monotonic()))
            await _publish(publisher, frame, start_ns + round(frame.at_s * 1e9))
            count += 1
    finally:
        if isinstance(source, Stream):
            # Or the thread that waits for its next frame would outlive us.
            source.close()
    return count


async def _publish(publisher: Publisher, frame: Frame, captured_at_ns: int) -> None:
    if len(frame.image) > publisher.max_payload_bytes:
        await publisher.reject(
            RejectReason.IMAGE_SIZE,
            f"the frame has {len(frame.image)} bytes; at most {publisher.max_payload_bytes} "
            "(LIK_KAFKA_MAX_MESSAGE_BYTES); send it as a JPEG",
            stage="replay",
            payload=frame.image,
            camera=frame.camera,
        )
        return
    now_ns = telemetry.now_ns()
    capture = Capture(
        capture_id=derive_id("capture", "frame", frame.camera, captured_at_ns),
        camera=frame.camera,
        captured_at_ns=captured_at_ns,
        image=frame.image,
        source="replay",
        trail={Stamp.RECEIVED.value: now_ns, Stamp.FRAME_SENT.value: now_ns},
    )
    await publisher.send(topics.FRAMES, capture, key=frame.camera)
    telemetry.MESSAGES.labels("replay", "frame").inc()
