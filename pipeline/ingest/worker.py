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
import msgspec
import numpy as np
from numpy.typing import NDArray

from pipeline import intake, telemetry, topics
from pipeline.batch import ReadBatch
from pipeline.cameras import Camera, load_cameras
from pipeline.checks import check_capture
from pipeline.errors import FrameError
from pipeline.ingest.images import decode_image
from pipeline.ingest.localise import Localiser, rectify
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
"""Below this, four texts in five are wrong: lettering, a grille, a plate too far away. (Of drawn plates, blurred,
dark or small, 10 of 53 below it were read right, and 14 of 29 just above it.)"""
KEPT_CHARACTERS: Final = 5
"""How many characters a slot keeps, the likeliest first: what is beyond them has no share that matters."""
LEAST_SHARE: Final = 0.001
PIXELS_AT_ONCE: Final = 34_000_000
"""Decoded frames that are held at once, about: sixteen of 1920x1080, a tenth of a gigabyte."""
PICTURE_WIDTH_PX: Final = 240
"""An operator sees the plate at most this wide: 3 to 5 kB."""
PICTURE_QUALITY: Final = 80
_PICTURE_MARGIN: Final = 0.15

_CHARACTERS: Final = ("", *alphabet.CHARACTERS)


@dataclass(frozen=True, slots=True)
class _Found:
    """A plate on a capture: its place, and its picture as a JPEG."""

    capture: Capture
    box: Box
    picture: bytes


class Recogniser:
    """Captures to reads, without Kafka."""

    def __init__(self) -> None:
        self._localiser = Localiser()
        self._reader = Reader()

    def recognise(self, captures: Sequence[Capture]) -> tuple[list[PlateRead], dict[int, FrameError]]:
        """Read every plate on the captures' images.

        Returns
        -------
        The reads, in the captures' order, and, by row, why a capture's image cannot be used.
        """
        refused: dict[int, FrameError] = {}
        found: list[_Found] = []
        patches: list[NDArray[np.uint8]] = []
        held: list[tuple[Capture, NDArray[np.uint8]]] = []
        for row, capture in enumerate(captures):
            try:
                held.append((capture, decode_image(capture.image)))
            except FrameError as error:
                refused[row] = error
            if sum(image.size for _, image in held) > 3 * PIXELS_AT_ONCE:
                self._localise(held, found, patches)
                held = []
        self._localise(held, found, patches)
        return self._read(found, patches), refused

    def _localise(
        self,
        held: Sequence[tuple[Capture, NDArray[np.uint8]]],
        found: list[_Found],
        patches: list[NDArray[np.uint8]],
    ) -> None:
        """Add the plates of some frames to `found`, and their patches to `patches`."""
        plates = self._localiser.find([image for _, image in held])
        for (capture, image), each in zip(held, plates, strict=True):
            for corners in each.corners:
                box = _box(corners, image)
                found.append(_Found(capture, box, _picture(image, box)))
            patches.append(rectify(image, each.corners))

    def _read(self, found: Sequence[_Found], patches: Sequence[NDArray[np.uint8]]) -> list[PlateRead]:
        if not found:
            return []
        captured_at_ns = np.array([each.capture.captured_at_ns for each in found], np.int64)
        batch = self._reader.read(np.concatenate(patches), captured_at_ns)
        is_plate = (alphabet.lengths(batch.codes) >= FEWEST_CHARACTERS) & (batch.confidence >= LEAST_CONFIDENCE)
        telemetry.MESSAGES.labels("ocr", "not_a_plate").inc(int(np.count_nonzero(~is_plate)))
        texts = alphabet.decode(batch.codes)
        return [_plate_read(found[row], batch, row, texts[row]) for row in np.flatnonzero(is_plate).tolist()]


def _plate_read(found: _Found, batch: ReadBatch, row: int, text: str) -> PlateRead:
    capture, box = found.capture, found.box
    return PlateRead(
        read_id=derive_id("read", capture.capture_id, box.x, box.y, box.w, box.h),
        capture_id=capture.capture_id,
        camera=capture.camera,
        captured_at_ns=capture.captured_at_ns,
        text=text,
        plate=text,
        confidence=float(batch.confidence[row]),
        characters=_characters(batch, row, len(text)),
        source="ocr",
        box=box,
        patch=found.picture,
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


def _box(corners: NDArray[np.float32], image: NDArray[np.uint8]) -> Box:
    """The upright box around a plate's corners, cut to the frame; at least one pixel."""
    height, width = image.shape[:2]
    x, y = np.clip(np.floor(corners.min(axis=0)), 0, (width - 1, height - 1)).astype(int).tolist()
    right, bottom = np.clip(np.ceil(corners.max(axis=0)), (x + 1, y + 1), (width, height)).astype(int).tolist()
    return Box(x=x, y=y, w=right - x, h=bottom - y)


def _picture(image: NDArray[np.uint8], box: Box) -> bytes:
    """Cut the plate with a margin out of the frame, as it is on it: somebody judges the read by it. A JPEG."""
    margin_x, margin_y = int(box.w * _PICTURE_MARGIN), int(box.h * _PICTURE_MARGIN)
    rows = slice(max(0, box.y - margin_y), box.y + box.h + margin_y)
    columns = slice(max(0, box.x - margin_x), box.x + box.w + margin_x)
    cut = cv2.cvtColor(image[rows, columns], cv2.COLOR_RGB2BGR)
    scale = PICTURE_WIDTH_PX / cut.shape[1]
    if scale < 1:
        size = (PICTURE_WIDTH_PX, max(1, round(cut.shape[0] * scale)))
        cut = cv2.resize(cut, size, interpolation=cv2.INTER_AREA)
    _, data = cv2.imencode(".jpg", cut, [cv2.IMWRITE_JPEG_QUALITY, PICTURE_QUALITY])
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
        blank = np.full((2 * PATCH_HEIGHT_PX, 2 * PATCH_WIDTH_PX, 3), 255, np.uint8)
        _, data = cv2.imencode(".png", blank)
        self._recogniser.recognise([Capture(capture_id="", camera="", captured_at_ns=0, image=data.tobytes())])

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
        stamped = [_stamped(capture, taken_ns) for _, capture in captures]
        reads, refused = await asyncio.to_thread(self._recogniser.recognise, stamped)
        for row, error in refused.items():
            record, capture = captures[row]
            await self._reject(record, RejectReason(error.reason), str(error), capture)
        for read in reads:
            await self._publisher.send(topics.READS, read, key=read.camera)
            telemetry.observe(read.trail, ("ocr", "frame_to_read"), {})
        telemetry.BATCH.labels("ocr").observe(len(records))
        frames = len(captures) - len(refused)
        telemetry.MESSAGES.labels("ocr", "frame").inc(frames)
        telemetry.MESSAGES.labels("ocr", "read").inc(len(reads))
        empty = frames - len({read.capture_id for read in reads})
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
            ) or self._shed(record, capture, now_ns)
            if refused is None:
                found.append((record, capture))
            else:
                await self._reject(record, *refused, capture)
        return found

    def _shed(self, record: Record, capture: Capture, now_ns: int) -> tuple[RejectReason, str] | None:
        """Tell whether a frame waited too long in Kafka. They come oldest first, so the oldest go first."""
        # Of one whose sender says nothing of when: since Kafka has it, in ms.
        sent_ns = capture.trail.get(Stamp.FRAME_SENT.value, record.timestamp * 1_000_000)
        waited_s = (now_ns - sent_ns) / 1e9
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
            # A frame that was shed is no evidence of anything: nothing of its picture is kept.
            payload=b"" if reason is RejectReason.SHED else record.value or b"",
            camera=capture.camera[:80] if capture else "",
            source=capture.source[:80] if capture else "",
            record=record,
        )


def _stamped(capture: Capture, taken_ns: int) -> Capture:
    """Put the moment on the trail at which we took the frame."""
    trail = telemetry.stamped(telemetry.plausible(capture.trail), Stamp.FRAME_TAKEN, taken_ns)
    return msgspec.structs.replace(capture, trail=trail)


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
