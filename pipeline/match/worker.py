"""The match worker: ``anpr.reads`` to ``lik.hits``, a batch at a time.

The order, for each batch, is what makes it at-least-once:

1. take a batch, decode it once, and reject what is no read;
2. match it against one snapshot;
3. send the hits, and wait until Kafka has acknowledged each;
4. commit the batch's offsets.

A fall before 4 means that the batch is matched again; hit ids are derived from read and entry, so the same
hits come out. `pipeline.intake` says what happens when Kafka does not acknowledge.
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Callable, Mapping, Sequence
from itertools import chain
from typing import Final, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from hotlists.columns import pack_country
from hotlists.entry import COUNTRIES, Handling
from hotlists.snapshot import Snapshot
from pipeline import intake, telemetry, topics
from pipeline.batch import KINDS, HitBatch, ReadBatch
from pipeline.cameras import Camera, load_cameras
from pipeline.checks import check_read
from pipeline.intake import Record
from pipeline.match.loader import SnapshotLoader
from pipeline.match.lookback import Counter, Lookback
from pipeline.match.matcher import Matcher
from pipeline.model import (
    EntryRef,
    Hit,
    MessageError,
    PlateRead,
    ReadKind,
    RejectReason,
    decode,
    derive_id,
    encode,
)
from pipeline.settings import Settings
from pipeline.telemetry import Stamp
from pipeline.topics import Publisher
from plates import alphabet

MAX_READ_BYTES: Final = 32_768
"""Largest read, its pictures aside. One with all 36 characters for each slot has some 12 kB."""
_ENVELOPE_BYTES: Final = 1024
"""What Kafka adds to a message: key, header, batch."""
_KINDS: Final = [ReadKind(kind) for kind in KINDS]
_NO_CHARACTER: Final = -1
_CODE_OF: Final = {
    "": alphabet.PAD,
    **{character.lower(): code for code, character in enumerate(alphabet.CHARACTERS, 1)},
    **{character: code for code, character in enumerate(alphabet.CHARACTERS, 1)},
}
_COUNTRY_OF: Final = {code: pack_country(code) for code in COUNTRIES} | {
    code.lower(): pack_country(code) for code in COUNTRIES
}


class Refused(NamedTuple):
    """A message that is not matched."""

    record: Record
    reason: RejectReason
    detail: str
    read: PlateRead | None = None
    """What it was, where that could be read."""


async def run(settings: Settings, *, stop: asyncio.Event, ready: Callable[[], None] = lambda: None) -> None:
    """Match reads until `stop`; `ready` is called once it is known what is listed, and partitions are assigned."""
    cameras = load_cameras(settings.cameras)
    worker_id = f"{socket.gethostname()}-{os.getpid()}"
    consumer = topics.consumer(settings, topics.READS)
    lookback = Lookback(settings, worker_id)
    async with SnapshotLoader(settings, worker_id) as loader, Publisher(settings) as publisher, lookback, consumer:
        stage = MatchStage(settings, cameras, publisher, lookback.counter)
        # Before it is known what is listed, reads wait in Kafka: matched against nothing, they would be lost.
        await loader.known(stop)
        await intake.assigned(consumer, stop)
        ready()

        async def take(records: Sequence[Record]) -> None:
            await stage.take(records, loader.matcher)

        await intake.take_batches(consumer, take, stop=stop, max_records=settings.match_batch_reads)


class MatchStage:
    """What happens to a batch of reads; `run` feeds it and commits."""

    def __init__(
        self, settings: Settings, cameras: Mapping[str, Camera], publisher: Publisher, counter: Counter
    ) -> None:
        self._settings = settings
        self._counter = counter
        self._cameras = cameras
        self._publisher = publisher
        self._budgets = telemetry.budgets_ms(settings)

    async def take(self, records: Sequence[Record], matcher: Matcher) -> None:
        """Match a batch; returns when Kafka has acknowledged every hit and every reject of it.

        A message that cannot be handled goes to ``anpr.rejects``, so that it keeps nothing back.

        Raises
        ------
        UnavailableError
            Kafka did not acknowledge all. Take the batch again: ids are stable.
        """

        async def match(some: Sequence[Record]) -> None:
            await self._match(some, matcher)

        async def refuse(record: Record, error: str) -> None:
            await self._reject(Refused(record, RejectReason.FAILED, f"{error} in the match stage"))
            await self._publisher.flush()

        await intake.handle_or_refuse(records, match, refuse)

    async def _match(self, records: Sequence[Record], matcher: Matcher) -> None:
        taken_ns = telemetry.now_ns()
        reads, refused = self.decode(records, taken_ns)
        batch = to_batch(reads)
        hits = self._hits(reads, matcher.match(batch), matcher.snapshot, taken_ns)
        # All of them before the first is sent: what falls over here is then not sent twice.
        messages = [self._fitting(hit) for hit in hits]
        for each in refused:
            await self._reject(each)
        for hit, message in zip(hits, messages, strict=True):
            await self._publisher.send_bytes(topics.HITS, message, key=hit.entry.entry_id)
        await self._publisher.flush()
        for hit in hits:
            telemetry.observe(hit.trail, ("match", "read_to_hit"), self._budgets)
        self._counter.count(batch.keys)
        telemetry.BATCH.labels("match").observe(len(reads))
        telemetry.MESSAGES.labels("match", "read").inc(len(reads))
        telemetry.MESSAGES.labels("match", "hit").inc(len(hits))

    def decode(self, records: Sequence[Record], now_ns: int) -> tuple[list[PlateRead], list[Refused]]:
        """Decode a batch: the reads that may be matched, and what is no read, or may not be, with the reason."""
        reads: list[PlateRead] = []
        refused: list[Refused] = []
        tolerance_s = self._settings.future_tolerance_s
        for record in records:
            value = record.value or b""
            try:
                read = decode(value, PlateRead)
            except MessageError as error:
                refused.append(Refused(record, RejectReason.UNREADABLE, str(error)))
                continue
            if len(value) > MAX_READ_BYTES and len(value) - _pictures_bytes(read) > MAX_READ_BYTES:
                detail = f"larger than {MAX_READ_BYTES} bytes, its pictures aside"
                refused.append(Refused(record, RejectReason.UNREADABLE, detail, read))
                continue
            why = check_read(read, self._cameras, now_ns=now_ns, tolerance_s=tolerance_s)
            if why is None:
                reads.append(read)
            else:
                refused.append(Refused(record, *why, read))
        return reads, refused

    async def _reject(self, refused: Refused) -> None:
        read = refused.read
        await self._publisher.reject(
            refused.reason,
            refused.detail[:500],
            stage="match",
            payload=refused.record.value or b"",
            camera=read.camera[:80] if read else "",
            source=read.source[:80] if read else "",
            record=refused.record,
        )

    def _hits(self, reads: Sequence[PlateRead], found: HitBatch, snapshot: Snapshot, taken_ns: int) -> list[Hit]:
        """Make the hits of a batch: one for each read and entry, though a list may name a plate twice."""
        hits: dict[str, Hit] = {}
        for number in range(len(found)):
            read, row = reads[int(found.read_row[number])], int(found.entry_row[number])
            area = self._cameras[read.camera].area
            if not snapshot.hotlist(row).applies_to.holds(read.camera, area, read.captured_at_ns):
                continue
            entry = _entry_ref(snapshot, row)
            hit_id = derive_id("hit", read.read_id, entry.entry_id)
            if hit_id in hits and _severity(hits[hit_id].entry) >= _severity(entry):
                continue
            trail = telemetry.stamped(telemetry.plausible(read.trail), Stamp.READ_TAKEN, taken_ns)
            hits[hit_id] = Hit(
                hit_id=hit_id,
                read=read,
                entry=entry,
                kind=_KINDS[int(found.kind[number])],
                edits=int(found.edits[number]),
                posterior=float(found.posterior[number]),
                snapshot_version=found.snapshot_version,
                zone=area,
                trail=telemetry.stamped(trail, Stamp.HIT_SENT),
            )
        return list(hits.values())

    def _fitting(self, hit: Hit) -> bytes:
        """Encode a hit; where it would be larger than Kafka takes, without pictures: the hit is what counts.

        Raises
        ------
        ValueError
            It is too large even so.
        """
        limit_bytes = self._settings.kafka_max_message_bytes - _ENVELOPE_BYTES
        raw = encode(hit)
        # The plate goes last: somebody judges the hit by it.
        for dropped in ({"picture": None}, {"picture": None, "patch": None}):
            if len(raw) <= limit_bytes:
                break
            raw = encode(msgspec.structs.replace(hit, read=msgspec.structs.replace(hit.read, **dropped)))
        if len(raw) > limit_bytes:
            raise ValueError(f"a hit of {len(raw)} bytes; see LIK_KAFKA_MAX_MESSAGE_BYTES")
        return raw


def to_batch(reads: Sequence[PlateRead]) -> ReadBatch:
    """Turn reads into columns, once.

    What a source says beyond sense is taken as not said: a country that is none, a confidence outside 0 to 1.
    """
    codes = alphabet.encode([read.plate for read in reads])
    confidence = np.array([np.nan if read.confidence is None else read.confidence for read in reads], np.float64)
    confidence[~((confidence >= 0.0) & (confidence <= 1.0))] = np.nan
    return ReadBatch.of(
        codes,
        np.array([read.captured_at_ns for read in reads], np.int64),
        country=np.array([_COUNTRY_OF.get(read.country, 0) for read in reads], np.uint16),
        confidence=confidence.astype(np.float32),
        probabilities=_probabilities(reads, codes),
    )


def _probabilities(reads: Sequence[PlateRead], codes: NDArray[np.uint8]) -> NDArray[np.float32] | None:
    """Lay the reads' own character probabilities out per slot; None when no read has them.

    Small letters are capitals, and the empty text is "no character"; what is neither, and slots beyond
    `alphabet.SLOTS`, are left out. A read to whose own text they give no chance at all counts as one without.
    """
    slots = [(read.characters or [])[: alphabet.SLOTS] for read in reads]
    choices = list(chain.from_iterable(slots))
    if not choices:
        return None
    given = np.array([len(each) for each in slots], np.intp)
    first = np.arange(len(reads)) * alphabet.SLOTS - (np.cumsum(given) - given)
    place = np.arange(len(choices)) + np.repeat(first, given)
    width = len(alphabet.CHARACTERS) + 1
    code = np.array([_CODE_OF.get(character, _NO_CHARACTER) for each in choices for character in each], np.intp)
    cell = np.repeat(place, [len(each) for each in choices]) * width + code
    share = np.array(list(chain.from_iterable(map(dict.values, choices))), np.float64)
    known = (code != _NO_CHARACTER) & (share > 0.0)
    found = np.zeros((len(reads), alphabet.SLOTS, width), np.float32)
    np.maximum.at(found.reshape(-1), cell[known], np.minimum(share[known], 1.0).astype(np.float32))
    # Slots beyond those given hold no character, surely.
    beyond = (np.arange(alphabet.SLOTS) >= given[:, None]) & (given > 0)[:, None]
    found[..., alphabet.PAD][beyond] = 1.0
    own = np.take_along_axis(found, codes[:, :, None].astype(np.intp), axis=2)[:, :, 0]
    found[~own.all(axis=1)] = 0.0
    return found


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


def _severity(entry: EntryRef) -> tuple[bool, int]:
    """Which of a list's lines of one plate counts: a covert one, so that nothing leaks; then the most urgent."""
    return entry.handling is Handling.COVERT, -entry.priority.rank


def _pictures_bytes(read: PlateRead) -> int:
    """What a read's pictures take of its message, as base64."""
    return sum((len(raw) + 2) // 3 * 4 for raw in (read.patch, read.picture) if raw)
