"""The match worker: ``anpr.reads`` to ``lik.hits``, a batch at a time.

The order, for each batch, is what makes it at-least-once:

1. take a batch, decode it once, and reject what is no read;
2. match it against one snapshot;
3. send the hits, and wait until Kafka has acknowledged each;
4. commit the batch's offsets.

A fall before 4 means that the batch is matched again; hit ids are derived from read and entry, so the same
hits come out. A failing 3 seeks back and tries again.
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import numpy as np
from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from numpy.typing import NDArray

from hotlists.snapshot import Snapshot
from pipeline import telemetry, topics
from pipeline.batch import KINDS, HitBatch, ReadBatch, pack_country
from pipeline.cameras import Camera, load_cameras
from pipeline.checks import check_read
from pipeline.errors import UnavailableError
from pipeline.match.loader import SnapshotLoader
from pipeline.match.matcher import Matcher
from pipeline.model import EntryRef, Hit, MessageError, PlateRead, ReadKind, RejectReason, decode, derive_id
from pipeline.settings import Settings
from pipeline.telemetry import Stamp
from pipeline.topics import Publisher
from plates import alphabet

log = logging.getLogger(__name__)

RETRY_S: Final = 0.5
_KINDS: Final = [ReadKind(kind) for kind in KINDS]
_CODE_OF: Final = {character: code for code, character in enumerate(alphabet.CHARACTERS, 1)}

Records = Mapping[TopicPartition, Sequence[ConsumerRecord[Any, Any]]]


async def run(settings: Settings, *, stop: asyncio.Event, ready: Callable[[], None] = lambda: None) -> None:
    """Match reads until `stop`; `ready` is called once partitions are assigned and a snapshot is loaded."""
    cameras = load_cameras(settings.cameras)
    worker_id = f"{socket.gethostname()}-{os.getpid()}"
    consumer = topics.consumer(settings, topics.READS)
    async with SnapshotLoader(settings, worker_id) as loader, Publisher(settings) as publisher, consumer:
        while not consumer.assignment():
            await asyncio.sleep(0.01)
        ready()
        stopped = asyncio.ensure_future(stop.wait())
        while not stop.is_set():
            taking = asyncio.ensure_future(
                consumer.getmany(timeout_ms=200, max_records=settings.match_batch_reads)
            )
            await asyncio.wait({taking, stopped}, return_when=asyncio.FIRST_COMPLETED)
            records: Records = await taking
            if records:
                await _handle(records, consumer, publisher, loader.matcher, cameras, settings)


async def _handle(
    records: Records,
    consumer: AIOKafkaConsumer,
    publisher: Publisher,
    matcher: Matcher,
    cameras: Mapping[str, Camera],
    settings: Settings,
) -> None:
    try:
        reads = await _decode(records, publisher, cameras, settings)
        taken_ns = telemetry.now_ns()
        telemetry.BATCH.labels("match").observe(len(reads))
        batch = to_batch(reads)
        hits = matcher.match(batch)
        trails = await _send(reads, hits, matcher.snapshot, publisher, cameras, taken_ns)
        await publisher.flush()
    except UnavailableError as error:
        log.warning("hits are not taken (%s); the batch is matched again", error)
        for partition, taken in records.items():
            consumer.seek(partition, taken[0].offset)
        await asyncio.sleep(RETRY_S)
        return
    budgets = telemetry.budgets_ms(settings)
    for trail in trails:
        telemetry.observe(trail, ("match", "read_to_hit"), budgets)
    telemetry.MESSAGES.labels("match", "read").inc(len(reads))
    telemetry.MESSAGES.labels("match", "hit").inc(len(hits))
    await consumer.commit()


async def _decode(
    records: Records, publisher: Publisher, cameras: Mapping[str, Camera], settings: Settings
) -> list[PlateRead]:
    """Decode a batch; what is no read, or may not be matched, is rejected with its offset."""
    reads: list[PlateRead] = []
    now_ns = telemetry.now_ns()
    for taken in records.values():
        for record in taken:
            try:
                read = decode(record.value or b"", PlateRead)
            except MessageError as error:
                await publisher.reject(
                    RejectReason.UNREADABLE, str(error), stage="match", payload=record.value or b"", record=record
                )
                continue
            refused = check_read(read, cameras, now_ns=now_ns, tolerance_s=settings.future_tolerance_s)
            if refused is None:
                reads.append(read)
            else:
                reason, detail = refused
                await publisher.reject(
                    reason,
                    detail,
                    stage="match",
                    payload=record.value or b"",
                    camera=read.camera[:80],
                    source=read.source,
                    record=record,
                )
    return reads


def to_batch(reads: Sequence[PlateRead]) -> ReadBatch:
    """Turn reads into columns, once."""
    confidence = [np.nan if read.confidence is None else read.confidence for read in reads]
    return ReadBatch.of(
        alphabet.encode([read.plate for read in reads]),
        np.array([read.captured_at_ns for read in reads], np.int64),
        country=np.array([pack_country(read.country.upper()) for read in reads], np.uint16),
        confidence=np.array(confidence, np.float32),
        probabilities=_probabilities(reads),
    )


def _probabilities(reads: Sequence[PlateRead]) -> NDArray[np.float32] | None:
    """Lay the reads' own character probabilities out per slot; None when no read has them."""
    triples = [
        (row, slot, _CODE_OF.get(character, alphabet.PAD), probability)
        for row, read in enumerate(reads)
        if read.characters
        for slot, choices in enumerate(read.characters[: alphabet.SLOTS])
        for character, probability in choices.items()
    ]
    if not triples:
        return None
    rows, slots, codes, values = zip(*triples, strict=True)
    found = np.zeros((len(reads), alphabet.SLOTS, len(alphabet.CHARACTERS) + 1), np.float32)
    np.maximum.at(found, (np.array(rows), np.array(slots), np.array(codes)), np.array(values, np.float32))
    # Slots beyond those given hold no character, surely.
    given = np.array([len(read.characters or ()) for read in reads])
    beyond = (np.arange(alphabet.SLOTS) >= given[:, None]) & (given > 0)[:, None]
    found[..., alphabet.PAD][beyond] = 1.0
    return found


async def _send(
    reads: Sequence[PlateRead],
    hits: HitBatch,
    snapshot: Snapshot,
    publisher: Publisher,
    cameras: Mapping[str, Camera],
    taken_ns: int,
) -> list[dict[str, int]]:
    """Send each hit; return their trails."""
    trails = []
    for number in range(len(hits)):
        read, row = reads[int(hits.read_row[number])], int(hits.entry_row[number])
        entry = _entry_ref(snapshot, row)
        trail = telemetry.stamped(telemetry.stamped(read.trail, Stamp.READ_TAKEN, taken_ns), Stamp.HIT_SENT)
        hit = Hit(
            hit_id=derive_id("hit", read.read_id, entry.entry_id),
            read=read,
            entry=entry,
            kind=_KINDS[int(hits.kind[number])],
            edits=int(hits.edits[number]),
            posterior=float(hits.posterior[number]),
            snapshot_version=hits.snapshot_version,
            zone=cameras[read.camera].area,
            trail=trail,
        )
        await publisher.send(topics.HITS, hit, key=entry.entry_id)
        trails.append(trail)
    return trails


def _entry_ref(snapshot: Snapshot, row: int) -> EntryRef:
    hotlist = snapshot.hotlist(row)
    return EntryRef(
        entry_id=snapshot.entry_id(row),
        plate=snapshot.plate(row),
        hotlist=hotlist.name,
        country=snapshot.country_code(row),
        reason=snapshot.reasons[row],
        title=hotlist.title,
        owner=hotlist.owner,
        legal_basis=hotlist.legal_basis,
        category=hotlist.category,
        priority=snapshot.priority_of(row),
        handling=snapshot.handling_of(row),
        named_users=hotlist.named_users,
        notify_unconfirmed=hotlist.notify_unconfirmed,
    )
