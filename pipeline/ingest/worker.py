"""The OCR worker: ``anpr.frames`` to ``anpr.reads``, a batch at a time.

For each batch, in this order:

1. decode the captures; reject what is none, and what may not be read;
2. shed what waited too long: frames may be dropped under overload, reads never;
3. find the plates of all frames and read them together, in a thread, so that the group hears our heartbeats;
4. send the reads and the rejects, and wait until Kafka has acknowledged each;
5. commit the batch's offsets.

A fall before 5 means that the batch is read again; read ids are derived from the capture and the plate's place on
it, so the same reads come out.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline import intake, telemetry, topics
from pipeline.batch import ReadBatch
from pipeline.cameras import Camera, load_cameras
from pipeline.checks import check_capture
from pipeline.errors import FrameError
from pipeline.ingest.localise import Localiser, decode_image, rectify
from pipeline.ingest.ocr import PATCH_HEIGHT_PX, PATCH_WIDTH_PX, Reader
from pipeline.intake import Record
from pipeline.model import Box, Capture, MessageError, PlateRead, RejectReason, decode, derive_id
from pipeline.settings import Settings
from pipeline.telemetry import Stamp
from pipeline.topics import Publisher
from plates import alphabet

log = logging.getLogger(__name__)

FEWEST_CHARACTERS: Final = 4
"""Fewer on a picture are a house number, a brand or a scratch far more often than a plate."""
LEAST_CONFIDENCE: Final = 0.05
"""Below this, less than one such text in twenty is right as a whole: lettering, a grille, a plate too far away."""
KEPT_CHARACTERS: Final = 5
"""How many characters a slot keeps, the likeliest first: what is beyond them has no share that matters."""
LEAST_SHARE: Final = 0.001
PATCH_QUALITY: Final = 85

_CHARACTERS: Final = ("", *alphabet.CHARACTERS)


@dataclass(frozen=True, slots=True)
class _Found:
    """A plate on a capture: its place, its picture, and its row in the batch of reads."""

    capture: Capture
    corners: NDArray[np.float32]
    patch: NDArray[np.uint8]


class Recogniser:
    """Captures to reads, without Kafka."""

    def __init__(self) -> None:
        self._localiser = Localiser()
        self._reader = Reader()

    def images(self, captures: Sequence[Capture]) -> list[NDArray[np.uint8] | FrameError]:
        """Decode each capture's image, or say why it is none."""
        found: list[NDArray[np.uint8] | FrameError] = []
        for capture in captures:
            try:
                found.append(decode_image(capture.image))
            except FrameError as error:
                found.append(error)
        return found

    def read(self, captures: Sequence[Capture], images: Sequence[NDArray[np.uint8]]) -> list[PlateRead]:
        """Find and read every plate on `images`, RGB uint8 ``(H, W, 3)`` of any size, one per capture."""
        found: list[_Found] = []
        for capture, image, plates in zip(captures, images, self._localiser.find(images), strict=True):
            patches = rectify(image, plates.corners)
            found += [_Found(capture, *each) for each in zip(plates.corners, patches, strict=True)]
        if not found:
            return []
        patches = np.stack([each.patch for each in found])
        captured_at_ns = np.array([each.capture.captured_at_ns for each in found], np.int64)
        batch = self._reader.read(patches, captured_at_ns)
        is_plate = (alphabet.lengths(batch.codes) >= FEWEST_CHARACTERS) & (batch.confidence >= LEAST_CONFIDENCE)
        texts = alphabet.decode(batch.codes)
        return [_plate_read(found[row], batch, int(row), texts[row]) for row in np.flatnonzero(is_plate)]


def _plate_read(found: _Found, batch: ReadBatch, row: int, text: str) -> PlateRead:
    capture = found.capture
    box = _box(found.corners)
    return PlateRead(
        read_id=derive_id("read", capture.capture_id, box.x, box.y),
        capture_id=capture.capture_id,
        camera=capture.camera,
        captured_at_ns=capture.captured_at_ns,
        text=text,
        plate=text,
        confidence=float(batch.confidence[row]),
        characters=_characters(batch, row, len(text)),
        source="ocr",
        box=box,
        patch=_jpeg(found.patch),
        trail=telemetry.stamped(capture.trail, Stamp.READ_SENT),
    )


def _characters(batch: ReadBatch, row: int, length: int) -> list[dict[str, float]] | None:
    """Per slot in use the likeliest characters and their probability; the empty text is no character."""
    if batch.probabilities is None:
        return None
    shares = batch.probabilities[row, :length]
    order = np.argsort(-shares, axis=1)[:, :KEPT_CHARACTERS]
    return [
        {_CHARACTERS[code]: round(float(slot[code]), 4) for code in codes if slot[code] >= LEAST_SHARE}
        for slot, codes in zip(shares, order, strict=True)
    ]


def _box(corners: NDArray[np.float32]) -> Box:
    low = np.floor(corners.min(axis=0)).astype(int)
    high = np.ceil(corners.max(axis=0)).astype(int)
    return Box(x=int(low[0]), y=int(low[1]), w=int(high[0] - low[0]), h=int(high[1] - low[1]))


def _jpeg(patch: NDArray[np.uint8]) -> bytes:
    """Encode an RGB patch: `PATCH_WIDTH_PX` by `PATCH_HEIGHT_PX` pixels are some 6 kB."""
    bgr = cv2.cvtColor(patch, cv2.COLOR_RGB2BGR)
    _, data = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, PATCH_QUALITY])
    return data.tobytes()


class OcrStage:
    """What happens to a batch of frames; `run` feeds it and commits."""

    def __init__(self, settings: Settings, cameras: Mapping[str, Camera], publisher: Publisher) -> None:
        self._settings = settings
        self._cameras = cameras
        self._publisher = publisher
        self._recogniser = Recogniser()

    def warm_up(self) -> None:
        """Read an empty frame: the first one of a camera must not wait for a library to be loaded."""
        blank = np.zeros((2 * PATCH_HEIGHT_PX, 2 * PATCH_WIDTH_PX, 3), np.uint8)
        capture = Capture(capture_id="", camera="", captured_at_ns=0, image=b"")
        self._recogniser.read([capture], [blank])

    async def take(self, records: Sequence[Record]) -> None:
        """Read a batch; returns when Kafka has acknowledged every read and every reject of it.

        Raises
        ------
        UnavailableError
            Kafka did not acknowledge all. Take the batch again: ids are stable.
        """

        async def refuse(record: Record, error: str) -> None:
            await self._reject(record, RejectReason.FAILED, f"{error} in the OCR stage")

        await intake.handle_or_refuse(records, self._read, refuse)
        await self._publisher.flush()

    async def _read(self, records: Sequence[Record]) -> None:
        taken_ns = telemetry.now_ns()
        captures = await self._decode(records, taken_ns)
        images = await asyncio.to_thread(self._recogniser.images, [capture for _, capture in captures])
        usable: list[tuple[Capture, NDArray[np.uint8]]] = []
        for (record, capture), image in zip(captures, images, strict=True):
            if isinstance(image, FrameError):
                await self._reject(record, RejectReason(image.reason), str(image), capture)
            else:
                usable.append((_stamped(capture, taken_ns), image))
        reads = await asyncio.to_thread(
            self._recogniser.read, [capture for capture, _ in usable], [image for _, image in usable]
        )
        for read in reads:
            await self._publisher.send(topics.READS, read, key=read.camera)
            telemetry.observe(read.trail, ("ocr", "frame_to_read"), {})
        telemetry.BATCH.labels("ocr").observe(len(records))
        telemetry.MESSAGES.labels("ocr", "frame").inc(len(usable))
        telemetry.MESSAGES.labels("ocr", "read").inc(len(reads))
        empty = len(usable) - len({read.capture_id for read in reads})
        telemetry.MESSAGES.labels("ocr", "no_plate").inc(empty)

    async def _decode(self, records: Sequence[Record], now_ns: int) -> list[tuple[Record, Capture]]:
        """Decode a batch; what is no capture, may not be read, or waited too long is rejected with its offset."""
        found: list[tuple[Record, Capture]] = []
        for record in records:
            try:
                capture = decode(record.value or b"", Capture)
            except MessageError as error:
                await self._reject(record, RejectReason.UNREADABLE, str(error))
                continue
            refused = check_capture(
                capture.camera,
                capture.captured_at_ns,
                self._cameras,
                now_ns=now_ns,
                tolerance_s=self._settings.future_tolerance_s,
            ) or self._shed(capture, now_ns)
            if refused is None:
                found.append((record, capture))
            else:
                await self._reject(record, *refused, capture)
        return found

    def _shed(self, capture: Capture, now_ns: int) -> tuple[RejectReason, str] | None:
        """Tell whether a frame waited too long in Kafka. They come oldest first, so the oldest go first."""
        waited_s = (now_ns - capture.trail.get(Stamp.FRAME_SENT.value, now_ns)) / 1e9
        if waited_s <= self._settings.frame_max_age_s:
            return None
        return RejectReason.SHED, f"waited {waited_s:.0f} s for the OCR worker (LIK_FRAME_MAX_AGE_S)"

    async def _reject(
        self, record: Record, reason: RejectReason, detail: str, capture: Capture | None = None
    ) -> None:
        await self._publisher.reject(
            reason,
            detail[:500],
            stage="ocr",
            payload=record.value or b"",
            camera=capture.camera[:80] if capture else "",
            source=capture.source[:80] if capture else "",
            record=record,
        )


def _stamped(capture: Capture, taken_ns: int) -> Capture:
    """Put the moment on the trail at which we took the frame; the image is not needed any more."""
    return Capture(
        capture_id=capture.capture_id,
        camera=capture.camera,
        captured_at_ns=capture.captured_at_ns,
        image=b"",
        source=capture.source,
        trail=telemetry.stamped(telemetry.plausible(capture.trail), Stamp.FRAME_TAKEN, taken_ns),
    )


async def run(settings: Settings, *, stop: asyncio.Event, ready: Callable[[], None] = lambda: None) -> None:
    """Read frames until `stop`; `ready` is called once partitions are assigned and the models are loaded."""
    cameras = load_cameras(settings.cameras)
    consumer = topics.consumer(settings, topics.FRAMES)
    async with Publisher(settings) as publisher, consumer:
        stage = OcrStage(settings, cameras, publisher)
        await asyncio.to_thread(stage.warm_up)
        await intake.assigned(consumer, stop)
        ready()
        await intake.take_batches(consumer, stage.take, stop=stop, max_records=settings.ocr_batch_frames)
