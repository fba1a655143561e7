"""Better reads of one vehicle: in place before a verdict, beside it after, and never a second alert."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from hotlists.entry import Handling, Priority
from pipeline.alerts import rir
from pipeline.alerts.claims import OutdatedError
from pipeline.alerts.rows import AlertRow, LookedAt, Verdict
from pipeline.alerts.search import Query
from pipeline.alerts.store import AlertStore
from pipeline.model import Alert, Hit, ReadKind
from pipeline.telemetry import now_ns
from tests.alerts.viewers import DETECTIVE, NAMED, OPERATOR
from tests.factories import JPEG, make_alert

OTHER_JPEG = JPEG[:-2] + b"\x00\xff\xd9"
LISTED = "1ABC123"


def blurred(**entry: Any) -> Alert:
    """An alert of a first look that was not a good one."""
    alert = make_alert(LISTED, **entry)
    read = msgspec.structs.replace(alert.hit.read, text="1A8C123", plate="1A8C123", patch=JPEG, picture=JPEG)
    sightings = [msgspec.structs.replace(alert.sightings[0], plate="1A8C123")]
    hit = msgspec.structs.replace(alert.hit, read=read, kind=ReadKind.NEAR, edits=1, posterior=0.74)
    return msgspec.structs.replace(alert, hit=hit, sightings=sightings)


def better(alert: Alert, frames: int = 2, plate: str = LISTED, **more: Any) -> Hit:
    """The same hit, from more frames."""
    read = msgspec.structs.replace(
        alert.hit.read, text=plate, plate=plate, frames=frames, patch=OTHER_JPEG, picture=None,
        captured_at_ns=alert.hit.read.captured_at_ns + 80_000_000,
    )  # fmt: skip
    kind = ReadKind.EXACT if plate == LISTED else ReadKind.NEAR
    hit = msgspec.structs.replace(alert.hit, read=read, kind=kind, edits=0, posterior=0.99, **more)
    return msgspec.structs.replace(hit, snapshot_version=alert.hit.snapshot_version + 1)


async def trail_of(store: AlertStore, alert: Alert) -> list[tuple[str, str, str]]:
    """What the trail says of an alert, oldest first."""
    lines = reversed(await store.audit_lines())
    return [(line.who, line.what, line.why) for line in lines if line.target == alert.alert_id]


async def test_a_better_read_takes_the_place_of_the_one_before(store: AlertStore) -> None:
    alert = blurred()
    seq = await store.record(alert)
    claim = await store.claims.claim(alert.alert_id, OPERATOR)
    taken = await store.better_reads.take(alert.alert_id, better(alert))
    assert taken is not None
    assert not taken.decided
    row = await store.get(alert.alert_id, OPERATOR)
    shown = row.alert
    assert shown == taken.alert
    assert (shown.hit.read.plate, shown.hit.read.frames, shown.hit.kind, shown.hit.posterior) == (
        LISTED, 2, ReadKind.EXACT, 0.99,
    )  # fmt: skip
    assert (shown.sighting_count, [each.plate for each in shown.sightings]) == (1, [LISTED])
    assert shown.sightings[0].captured_at_ns == shown.hit.read.captured_at_ns
    # One change, and nothing of what people did is undone.
    assert (row.seq, row.claim) == (seq + 2, claim)
    # The better look's plate; of the vehicle it had none, so that the one before stays.
    assert await store.patch(alert.alert_id, OPERATOR) == OTHER_JPEG
    assert await store.picture(alert.alert_id, OPERATOR) == JPEG
    assert await trail_of(store, alert) == [("meldingen", "alert.better_read", "frames 1 -> 2")]
    assert await store.count() == 1


async def test_it_is_found_by_what_it_was_read_as_last(store: AlertStore) -> None:
    alert = blurred()
    await store.record(alert)
    await store.better_reads.take(alert.alert_id, better(alert, plate="1ABC128"))
    assert await store.search.count(Query(plate="1ABC128"), OPERATOR) == 1
    assert await store.search.count(Query(plate="1A8C123"), OPERATOR) == 0


@pytest.mark.parametrize("frames", [1, 2])
async def test_as_many_frames_or_fewer_are_a_replay(store: AlertStore, frames: int) -> None:
    alert = blurred()
    await store.record(alert)
    assert await store.better_reads.take(alert.alert_id, better(alert)) is not None
    before = await store.get(alert.alert_id, OPERATOR)
    assert await store.better_reads.take(alert.alert_id, better(alert, frames, plate="9XXX999")) is None
    assert await store.get(alert.alert_id, OPERATOR) == before
    assert len(await trail_of(store, alert)) == 1


async def test_what_was_judged_stays_as_it_was_judged(store: AlertStore) -> None:
    alert = blurred()
    await store.record(alert)
    judged = await store.acknowledge(alert.alert_id, Verdict.MISREAD, by=OPERATOR)
    for frames in (2, 4, 4, 2):
        await store.better_reads.take(alert.alert_id, better(alert, frames))
    row = await store.get(alert.alert_id, OPERATOR)
    assert (row.alert, row.acknowledgement) == (judged.alert, judged.acknowledgement)
    assert await store.patch(alert.alert_id, OPERATOR) == JPEG
    later = row.later_read
    assert later is not None
    assert (later.plate, later.frames, later.posterior) == (LISTED, 4, 0.99)
    assert row.seq == judged.seq + 2
    assert await trail_of(store, alert) == [
        ("meldingen", "alert.better_read_after", "frames 1 -> 2"),
        ("meldingen", "alert.better_read_after", "frames 2 -> 4"),
    ]


async def test_whoever_judges_what_is_no_longer_there_is_told(store: AlertStore) -> None:
    alert = blurred()
    await store.record(alert)
    looked_at = LookedAt(0, alert.hit.read.plate)
    await store.better_reads.take(alert.alert_id, better(alert))
    with pytest.raises(OutdatedError):
        await store.acknowledge(alert.alert_id, Verdict.MISREAD, by=OPERATOR, looked_at=looked_at)
    # What says the same from more frames is what was looked at.
    await store.better_reads.take(alert.alert_id, better(alert, 4))
    row = await store.acknowledge(alert.alert_id, Verdict.CONFIRMED, by=OPERATOR, looked_at=LookedAt(0, LISTED))
    assert row.acknowledgement is not None


async def test_a_later_sighting_gets_better_too_and_the_first_stays(store: AlertStore) -> None:
    alert = blurred()
    again = blurred(read=msgspec.structs.replace(alert.hit.read, camera="cam-2", read_id="again"))
    both = msgspec.structs.replace(alert, sightings=[*alert.sightings, *again.sightings], sighting_count=2)
    await store.record(both)
    assert await store.better_reads.take(alert.alert_id, better(again)) is not None
    assert await store.better_reads.take(alert.alert_id, better(again)) is None
    row = await store.get(alert.alert_id, OPERATOR)
    assert row.alert.hit == msgspec.structs.replace(
        alert.hit, read=msgspec.structs.replace(alert.hit.read, patch=None, picture=None)
    )
    assert {each.camera: (each.plate, each.frames) for each in row.alert.sightings} == {
        "cam-1": ("1A8C123", 1),
        "cam-2": (LISTED, 2),
    }
    assert await store.patch(alert.alert_id, OPERATOR) == JPEG


async def test_a_sighting_that_the_message_left_out_is_no_longer_bettered(store: AlertStore) -> None:
    alert = blurred()
    left_out = blurred(read=msgspec.structs.replace(alert.hit.read, read_id="left out"))
    await store.record(alert)
    assert await store.better_reads.take(alert.alert_id, better(left_out)) is None
    assert await store.better_reads.take("no alert", better(alert)) is None


async def test_an_entry_that_changed_meanwhile_changes_no_alert(store: AlertStore) -> None:
    alert = blurred()
    await store.record(alert)
    entry = msgspec.structs.replace(alert.hit.entry, priority=Priority.CRITICAL, reason="nieuw")
    taken = await store.better_reads.take(alert.alert_id, better(alert, entry=entry))
    assert taken is not None
    assert taken.alert.hit.entry == alert.hit.entry


async def test_a_list_that_turned_covert_adds_nothing_to_what_units_have_seen(store: AlertStore) -> None:
    alert = blurred()
    await store.record(alert)
    covert = msgspec.structs.replace(alert.hit.entry, handling=Handling.COVERT, reason="geheim")
    assert await store.better_reads.take(alert.alert_id, better(alert, entry=covert)) is None
    assert (await store.get(alert.alert_id, OPERATOR)).alert.hit.read.frames == 1


async def test_a_covert_alert_gets_better_for_those_alone_who_may_know_of_it(store: AlertStore) -> None:
    alert = blurred(handling=Handling.COVERT, named_users=(NAMED.name,))
    await store.record(alert)
    unseen = (await store.last_seq(OPERATOR), await store.trail.lines(OPERATOR))
    assert await store.better_reads.take(alert.alert_id, better(alert)) is not None
    for viewer in (DETECTIVE, NAMED):
        row: AlertRow = await store.get(alert.alert_id, viewer)
        assert row.alert.hit.read.plate == LISTED
    assert (await store.last_seq(OPERATOR), await store.trail.lines(OPERATOR)) == unseen
    assert len(await trail_of(store, alert)) == 1


async def test_a_draft_that_nobody_touched_says_what_was_read_last(store: AlertStore) -> None:
    alert = blurred()
    await store.record(alert, rir.draft(msgspec.structs.replace(alert, recipients=["rir"])))
    await store.better_reads.take(alert.alert_id, better(alert))
    report = await store.reports.of_alert(alert.alert_id, OPERATOR)
    assert report is not None
    draft = report.draft
    assert (report.version, draft.plate_read, draft.posterior, draft.final) == (2, LISTED, 0.99, False)
    assert [each.name for each in draft.attachments] == ["plaat-2.jpg", "voertuig.jpg"]
    contents = [await store.reports.attachment(draft.rir_id, each.name, OPERATOR) for each in draft.attachments]
    assert contents == [OTHER_JPEG, JPEG]
    # What the first version says it was attached to is still that.
    assert await store.reports.attachment(draft.rir_id, rir.PATCH, OPERATOR) == JPEG
    leaving = [each.draft for _ in range(2) for each in await _leave(store)]
    assert [(each.version, each.attachments[0].content) for each in leaving] == [(1, JPEG), (2, OTHER_JPEG)]
    assert leaving[1].patch_sha256 == leaving[1].attachments[0].sha256


async def _leave(store: AlertStore) -> Any:
    due = await store.outbox.take_due(now_ns())
    for each in due:
        await store.outbox.sent(each)
        await store.outbox.done(each)
    return due


async def test_a_report_that_somebody_made_is_theirs(store: AlertStore) -> None:
    alert = blurred()
    await store.record(alert)
    made = await store.reports.create(alert.alert_id, OPERATOR)
    await store.better_reads.take(alert.alert_id, better(alert))
    assert await store.reports.of_alert(alert.alert_id, OPERATOR) == made
