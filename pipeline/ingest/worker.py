"""The OCR worker: ``anpr.frames`` to ``anpr.reads``, a batch at a time.

For each batch, in this order:

1. decode the captures; reject what is none, and what may not be read;
2. shed what waited too long: frames may be dropped under overload, reads never;
3. find the plates of all frames and read them together, and follow each vehicle over its frames (`tracks`), in a
   thread, so that the group hears our heartbeats;
4. send the reads and the rejects, and wait until Kafka has acknowledged each;
5. commit the batch's offsets.

A fall before 5 means that the batch is read again. Read ids are derived from the capture on which a vehicle was
seen first, and the plate's place on it. A batch that Kafka did not acknowledge leaves no trace in the tracks, so
that the same reads come out of it again. Tracks are not kept: of a vehicle that is in view while a worker ends,
the next worker makes a read of its own.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

import msgspec
import numpy as np

from pipeline import intake, telemetry, topics
from pipeline.cameras import Camera, load_cameras
from pipeline.checks import check_capture
from pipeline.errors import FrameError
from pipeline.ingest.images import BROKEN_OFF
from pipeline.ingest.pictures import patch_jpeg, vehicle_jpeg
from pipeline.ingest.recognise import Part, Recogniser, characters_of
from pipeline.ingest.tracks import Frame, Track, Tracker
from pipeline.intake import Record
from pipeline.model import Box, Capture, MessageError, PlateRead, RejectReason, decode
from pipeline.settings import Settings
from pipeline.telemetry import Stamp
from pipeline.topics import Publisher


class FrameReader:
    """Captures to reads, without Kafka: what is on each, and which of it is one vehicle."""

    def __init__(self, settings: Settings | None = None) -> None:
        chosen = settings or Settings()
        self._recogniser = Recogniser(chosen.ocr_model, chosen.ocr_threads)
        self._tracker = Tracker()

    def warm_up(self) -> None:
        """Read an empty frame: the first one of a camera must not wait for a library to be loaded."""
        self._recogniser.recognise([np.full((720, 1280, 3), 255, np.uint8)])

    @contextmanager
    def undone_on_error(self) -> Iterator[None]:
        """Forget, on an error within the block, what the frames of the block said of any vehicle."""
        mark = self._tracker.mark()
        try:
            yield
        except BaseException:
            self._tracker.restore(mark)
            raise

    def read(self, captures: Sequence[Capture]) -> tuple[list[PlateRead], dict[int, FrameError]]:
        """Read every plate on the captures' images.

        Returns
        -------
        The reads that are to be sent, one a vehicle, and, by row, why a capture's image cannot be used.
        """
        refused: dict[int, FrameError] = {}
        reads: dict[str, PlateRead] = {}
        for part in self._recogniser.decode([capture.image for capture in captures]):
            refused |= part.refused
            for read in self._read(captures, part, refused):
                reads[read.read_id] = read
        return list(reads.values()), refused

    def _read(
        self, captures: Sequence[Capture], part: Part, refused: dict[int, FrameError]
    ) -> Iterator[PlateRead]:
        found = self._recogniser.recognise([image.pixels for image in part.images])
        bare = set(range(len(part.images))) - set(found.image.tolist())
        broken = {part.rows[number] for number in bare if not part.images[number].whole}
        refused |= {row: FrameError(BROKEN_OFF, reason="not_an_image") for row in broken}

        def shoot(plate: int) -> tuple[bytes, bytes]:
            pixels = part.images[int(found.image[plate])].pixels
            box = _box(found.boxes[plate].tolist())
            return patch_jpeg(pixels, box), vehicle_jpeg(pixels, box)

        frames = [
            Frame(capture.capture_id, capture.camera, capture.captured_at_ns)
            for capture in (captures[row] for row in part.rows)
        ]
        told = self._tracker.follow(frames, found, shoot)
        for outcome, count in (
            ("not_a_plate", found.passed_over),
            ("same_vehicle", len(found) - len(told)),
            ("no_plate", len(bare) - len(broken)),
        ):
            telemetry.MESSAGES.labels("ocr", outcome).inc(count)
        for track, plate in told:
            yield _plate_read(track, captures[part.rows[int(found.image[plate])]])


def _plate_read(track: Track, capture: Capture) -> PlateRead:
    """Make the read of a track; `capture` is the one that calls for it, whose latency is measured."""
    evidence, best = track.leading, track.best_frame
    text, confidence = track.text
    return PlateRead(
        read_id=track.read_id,
        capture_id=best.capture_id,
        camera=best.camera,
        captured_at_ns=best.captured_at_ns,
        text=text,
        plate=text,
        country=track.country,
        confidence=confidence,
        characters=characters_of(evidence.shares, len(text)),
        source="ocr",
        frames=evidence.frames,
        box=_box(track.best.box),
        patch=track.patch,
        picture=track.picture,
        trail=telemetry.stamped(capture.trail, Stamp.READ_SENT),
    )


def _box(sides: Sequence[int]) -> Box:
    x, y, w, h = sides
    return Box(x=x, y=y, w=w, h=h)


class OcrStage:
    """What happens to a batch of frames; `run` feeds it and commits."""

    def __init__(self, settings: Settings, cameras: Mapping[str, Camera], publisher: Publisher) -> None:
        self._settings = settings
        self._cameras = cameras
        self._publisher = publisher
        self._reader = FrameReader(settings)

    def warm_up(self) -> None:
        """Load what the first frame would wait for."""
        self._reader.warm_up()

    async def take(self, records: Sequence[Record]) -> None:
        """Read a batch; returns when Kafka has acknowledged every read and every reject of it.

        Raises
        ------
        UnavailableError
            Kafka did not acknowledge all. Take the batch again: ids are stable.
        """

        async def refuse(record: Record, error: str) -> None:
            await self._reject(record, RejectReason.FAILED, f"{error} in the OCR stage")

        with self._reader.undone_on_error():
            await intake.handle_or_refuse(records, self._read, refuse)
            await self._publisher.flush()

    async def _read(self, records: Sequence[Record]) -> None:
        taken_ns = telemetry.now_ns()
        captures = await self._decode(records, taken_ns)
        stamped = [_stamped(capture, taken_ns) for _, capture in captures]
        with self._reader.undone_on_error():
            reads, refused = await asyncio.to_thread(self._reader.read, stamped)
            for row, error in refused.items():
                record, capture = captures[row]
                await self._reject(record, RejectReason(error.reason), str(error), capture)
            for read in reads:
                await self._publisher.send(topics.READS, read, key=read.camera)
        for read in reads:
            telemetry.observe(read.trail, ("ocr", "frame_to_read"), {})
        telemetry.BATCH.labels("ocr").observe(len(records))
        telemetry.MESSAGES.labels("ocr", "frame").inc(len(captures) - len(refused))
        telemetry.MESSAGES.labels("ocr", "read").inc(len(reads))

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
