"""Frame sources, a folder, a video file or an RTSP address, and their replay to ``anpr.frames``.

A source is an iterable of `Frame`: an encoded image, its camera, and when it was captured, in seconds since the
source began. It may block; `replay` takes from it in a thread.
"""

from __future__ import annotations

import asyncio
import logging
import re
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import cv2

from pipeline import telemetry, topics
from pipeline.errors import ConfigurationError
from pipeline.model import Capture, RejectReason, derive_id
from pipeline.telemetry import Stamp
from pipeline.topics import Publisher

log = logging.getLogger(__name__)

SUFFIXES: Final = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp"})
INTERVAL_S: Final = 0.5
"""Between the frames of a folder whose names say no time, and of a video that says no rate."""
REOPEN_S: Final = (1.0, 2.0, 5.0, 10.0)
"""How long to wait before a stream that broke off is opened again."""
JPEG_QUALITY: Final = 90

_NAME: Final = re.compile(r"(?P<ms>\d{6,})_(?P<camera>.+)")


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
    """Open a folder of images, a video file or an RTSP address.

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
        return stream(source, camera=camera)
    path = Path(source)
    if path.is_dir():
        return folder(path, camera=camera)
    if not path.exists():
        raise ConfigurationError(
            f"{source}: no such folder or file; give a folder of images, a video, or rtsp://..."
        )
    return video(path, camera=camera)


def folder(path: Path, *, camera: str = "replay") -> Iterator[Frame]:
    """Read a folder's images, ordered by time.

    A name such as ``003500_cam-brug.jpg`` says when, in ms since the recording began (six digits or more), and at
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
    """Read a video file, each frame as a JPEG.

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
    rate = capture.get(cv2.CAP_PROP_FPS)
    interval_s = 1 / rate if rate > 0 else INTERVAL_S
    return _frames_of(capture, interval_s, camera)


def _frames_of(capture: cv2.VideoCapture, interval_s: float, camera: str) -> Iterator[Frame]:
    try:
        number = 0
        while True:
            found, image = capture.read()
            if not found:
                return
            yield Frame(number * interval_s, camera, _jpeg(image))
            number += 1
    finally:
        capture.release()


def stream(address: str, *, camera: str) -> Iterator[Frame]:
    """Read a live stream for ever, each frame as a JPEG of the time when it came; one that breaks off is reopened.

    Raises
    ------
    ConfigurationError
        It cannot be opened the first time.
    """
    capture = cv2.VideoCapture(address)
    if not capture.isOpened():
        # An address may hold a password.
        raise ConfigurationError(f"the stream of camera {camera!r} cannot be opened; is its address right?")
    return _live(address, capture, camera)


def _live(address: str, capture: cv2.VideoCapture, camera: str) -> Iterator[Frame]:
    began_s = time.monotonic()
    tries = 0
    try:
        while True:
            found, image = capture.read()
            if found:
                tries = 0
                yield Frame(time.monotonic() - began_s, camera, _jpeg(image))
                continue
            wait_s = REOPEN_S[min(tries, len(REOPEN_S) - 1)]
            log.warning("the stream of camera %r broke off; opening it again in %g s", camera, wait_s)
            time.sleep(wait_s)
            tries += 1
            capture.open(address)
    finally:
        capture.release()


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
        1.0 is as recorded; None is as fast as Kafka takes them.
    start_ns
        What the source's beginning becomes, ns since the epoch.

    Raises
    ------
    UnavailableError
        Kafka does not take a frame.
    """
    began_s = time.monotonic()
    frames = iter(source)
    count = 0
    while (frame := await asyncio.to_thread(next, frames, None)) is not None:
        if speed is not None:
            await asyncio.sleep(max(0.0, began_s + frame.at_s / speed - time.monotonic()))
        await _publish(publisher, frame, start_ns + round(frame.at_s * 1e9))
        count += 1
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
