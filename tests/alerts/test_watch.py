"""Which cameras are quiet and whose clock is off; and that the wrong ones are left in peace."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from pipeline.alerts.camera_book import NS, Advance, Count, NoticeKind, Slot, UnknownNoticeError
from pipeline.alerts.camera_tables import HOUR_S
from pipeline.alerts.store import AlertStore
from pipeline.alerts.watch import LOCAL, Clock, Past, Watch, clocks, quiet_cameras, usual_delay_ms, wrong_clocks
from tests.conftest import MakeSettings

NOON = datetime(2026, 11, 25, 12, tzinfo=LOCAL)
NIGHT = datetime(2026, 11, 25, 3, tzinfo=LOCAL)


def ns(at: datetime) -> int:
    return int(at.timestamp()) * NS


def past(camera: str = "weg", *, day: int, night: int, days: int = 14) -> Past:
    """A camera with so many reads an hour, by day and between midnight and six."""
    midnight = NOON.replace(hour=0)
    return Past(
        [
            (
                camera,
                int((midnight - timedelta(days=back)).timestamp()) + hour * HOUR_S,
                night if hour < 6 else day,
            )
            for back in range(1, days + 1)
            for hour in range(24)
        ]
    )


def quiet(known: Past, silent_s: float, now: datetime) -> bool:
    wrong = quiet_cameras(["weg"], {"weg": ns(now) - int(silent_s * NS)}, known, 1800.0, ns(now))
    return ("weg", NoticeKind.QUIET) in wrong


@pytest.mark.parametrize(
    ("silent_s", "now", "expected"),
    [
        (1700, NOON, False),
        (1900, NOON, True),
        # One read an hour at night: five hours without one are five reads, and no reason to wake somebody.
        (3 * 3600, NIGHT, False),
        (3 * 3600, NOON, True),
        (25 * 3600, NIGHT, True),
    ],
)
def test_quiet_is_what_its_own_past_does_not_explain(silent_s: int, now: datetime, expected: bool) -> None:
    assert quiet(past(day=100, night=1), silent_s, now) is expected


def test_of_a_camera_without_a_past_more_silence_is_borne() -> None:
    for known in (Past([]), past(day=1000, night=1000, days=2)):
        assert not quiet(known, 3 * 3600, NOON)
        assert quiet(known, 4 * 3600 + 1, NOON)


def test_a_weekend_is_part_of_the_past() -> None:
    hours = [
        ("weg", int((NOON - timedelta(days=back)).timestamp()), 2 if back % 7 < 2 else 400)
        for back in range(1, 15)
    ]
    assert Past(hours).expected("weg", NOON.timestamp(), NOON.timestamp() + 1800) == 1.0


def test_one_that_never_spoke_raises_nothing() -> None:
    assert quiet_cameras(["weg", "nieuw"], {}, past(day=100, night=1), 1800.0, ns(NOON)) == {}


def test_where_most_are_quiet_one_notice_says_so() -> None:
    names = ["a", "b", "c", "d"]
    seen = {name: ns(NOON) - (5 * 3600 + number) * NS for number, name in enumerate(names)}
    assert list(quiet_cameras(names, seen, Past([]), 1800.0, ns(NOON))) == [("", NoticeKind.ALL_QUIET)]
    two = {**seen, "a": ns(NOON), "b": ns(NOON)}
    assert set(quiet_cameras(names, two, Past([]), 1800.0, ns(NOON))) == {
        ("c", NoticeKind.QUIET),
        ("d", NoticeKind.QUIET),
    }


def minutes(*least_ms: int | None, future: int = 0) -> list[Count]:
    return [Count(reads=1, rejects=future, future=future, least_lag_ms=each) for each in least_ms]


def test_the_clock_is_the_median_of_each_minutes_least_delay() -> None:
    found = clocks({"a": minutes(-20_000, -21_000, -19_000, 400, -20_500), "b": minutes(1, 2, 3, 4)})
    assert found["a"] == Clock(-20_000, 0, 0, 5)
    assert found["b"].off_ms is None
    assert wrong_clocks(found, 10.0, ns(NOON)) == {("a", NoticeKind.AHEAD): (ns(NOON) - 1800 * NS, -20_000)}


def test_a_batch_that_was_delivered_late_is_no_clock_that_runs_behind() -> None:
    found = clocks({"a": minutes(*[900_000] * 4, *[300] * 20)})
    assert wrong_clocks(found, 10.0, ns(NOON)) == {}


def test_a_delay_that_all_have_is_nobodys_clock() -> None:
    all_slow = {name: minutes(*[60_000] * 9) for name in "abcd"} | {"e": minutes(*[95_000] * 9)}
    found = clocks(all_slow)
    assert usual_delay_ms(found) == 60_000
    assert list(wrong_clocks(found, 10.0, ns(NOON))) == [("e", NoticeKind.BEHIND)]


def test_frames_refused_as_from_the_future_are_a_clock_that_runs_ahead() -> None:
    refused = clocks({"a": minutes(None, None, future=3), "b": minutes(None, future=2)})
    assert list(wrong_clocks(refused, 10.0, ns(NOON))) == [("a", NoticeKind.AHEAD)]


async def test_a_notice_is_raised_acknowledged_cleared_and_raised_again(
    store: AlertStore, make_settings: MakeSettings
) -> None:
    book, now_ns = store.cameras, ns(NOON)
    slot_s = now_ns // NS // 60 * 60
    await book.add({Slot("cam-1", slot_s): Count(reads=3, last_ns=now_ns)}, [Advance("anpr.reads", 0, None, 3)])
    watch = Watch(make_settings(camera_quiet_after_s=60.0), book, ["cam-1", "cam-2"])
    assert await watch.step(now_ns + 60 * NS) == 0
    assert await watch.step(now_ns + 600 * NS) == 1
    assert await watch.step(now_ns + 660 * NS) == 1
    (notice,) = await book.notices()
    assert (notice.camera, notice.kind, notice.since_ns) == ("cam-1", "quiet", now_ns)
    assert await book.waiting() == 1
    for name in ("chef", "tweede"):
        await book.acknowledge(notice.notice_id, by=name)
    (notice,) = await book.notices()
    assert notice.acknowledged_by == "chef"
    assert await book.waiting() == 0
    lines = [(line.who, line.what, line.target, line.why) for line in await store.audit_lines()]
    assert lines == [("chef", "camera.acknowledge", "cam-1", "quiet")]
    await book.add(
        {Slot("cam-1", slot_s + 660): Count(reads=1, last_ns=now_ns + 661 * NS)}, [Advance("anpr.reads", 0, 3, 4)]
    )
    assert await watch.step(now_ns + 662 * NS) == 0
    assert (await book.notices())[0].cleared_at_ns is not None
    assert await watch.step(now_ns + 2000 * NS) == 1
    again, before = await book.notices()
    assert (again.acknowledged_by, before.acknowledged_by) == (None, "chef")
    assert await book.waiting() == 1
    with pytest.raises(UnknownNoticeError):
        await book.acknowledge("0" * 32, by="chef")
