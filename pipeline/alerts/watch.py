"""Which cameras went quiet, and whose clock is off: judged every half minute from the census.

**Quiet** is judged against a camera's own past: how many reads it had in the same hours of the last two weeks, of
which a low quarter is taken (a Sunday counts as well as a Monday). Only where at least `EXPECTED` reads should
have come since the last one is it quiet: on a lane in the night that may never be, and on a motorway it is soon.
No such number is known of a new camera: `UNKNOWN_TIMES` the setting is waited for. One that never spoke raises
nothing; the page lists it. Where most are quiet at once, one notice says so, and not one per camera.

**The clock** is judged as NTP's clock filter does it: of the delays between capture and arrival in a minute, the
least has the least of the network in it; the median of those of the last half hour is taken. No delivery is ahead
of its time, so a negative one is a clock that runs ahead, for certain. A positive one is a clock that runs behind
or a delivery that always takes that long; it is held against the other cameras', and must be there for most of
half an hour, so that a batch that is delivered after an outage is not taken for it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from statistics import median
from typing import Final
from zoneinfo import ZoneInfo

from pipeline import telemetry
from pipeline.alerts.camera_book import NS, CameraBook, Count, NoticeKind
from pipeline.alerts.camera_tables import HOUR_S
from pipeline.settings import Settings

EXPECTED: Final = 10.0
"""By chance alone, nothing comes where ten are expected once in 22,000 times."""
PAST_DAYS: Final = 14
LEAST_DAYS: Final = 3
"""On how many days a camera must have been heard before its past says anything."""
LOW_QUARTER: Final = 0.25
UNKNOWN_TIMES: Final = 8
LONGEST_S: Final = 86_400
"""After a day without one read, a camera is quiet whatever its past says."""
MOST: Final = 0.5
LEAST_CAMERAS: Final = 3
CLOCK_WINDOW_S: Final = 1800
LEAST_MINUTES: Final = 5
LEAST_FUTURE: Final = 5
PAST_AGE_S: Final = 600.0

LOCAL: Final = ZoneInfo("Europe/Brussels")
Wrong = dict[tuple[str, str], tuple[int, int]]
"""Camera and kind to since when (ns) and how much (ms)."""


@dataclass(frozen=True, slots=True)
class Clock:
    """What is known of a camera's clock."""

    off_ms: int | None
    """The median of each minute's least delay: how much later than it was captured a read arrives at best."""
    future: int
    """Rejected as from the future in the window."""
    rejected: int
    minutes: int


class Past:
    """How many reads each camera usually has in an hour of the day."""

    def __init__(self, hours: Sequence[tuple[str, int, int]]) -> None:
        local = {start_s: datetime.fromtimestamp(start_s, LOCAL) for start_s in {each[1] for each in hours}}
        days: dict[str, dict[object, dict[int, int]]] = defaultdict(lambda: defaultdict(dict))
        for camera, start_s, reads in hours:
            at = local[start_s]
            days[camera][at.date()][at.hour] = reads
        self._usual = {camera: _usual(list(each.values())) for camera, each in days.items()}

    def knows(self, camera: str) -> bool:
        """Return whether the camera was heard on enough days."""
        return self._usual.get(camera) is not None

    def expected(self, camera: str, since_s: float, until_s: float) -> float:
        """Return how many reads should have come between two moments; 0 of a camera that is not known."""
        usual = self._usual.get(camera)
        if usual is None:
            return 0.0
        total, at_s = 0.0, since_s
        while at_s < until_s:
            end_s = min(until_s, (at_s // HOUR_S + 1) * HOUR_S)
            total += usual[datetime.fromtimestamp(at_s, LOCAL).hour] * (end_s - at_s) / HOUR_S
            at_s = end_s
        return total


def _usual(days: list[dict[int, int]]) -> list[float] | None:
    if len(days) < LEAST_DAYS:
        return None
    rank = int(LOW_QUARTER * (len(days) - 1))
    return [float(sorted(day.get(hour, 0) for day in days)[rank]) for hour in range(24)]


def clocks(minutes: Mapping[str, Sequence[Count]]) -> dict[str, Clock]:
    """Estimate each camera's clock from its minutes."""
    found = {}
    for camera, counts in minutes.items():
        least = [each.least_lag_ms for each in counts if each.least_lag_ms is not None]
        off_ms = round(median(least)) if len(least) >= LEAST_MINUTES else None
        future, rejected = sum(each.future for each in counts), sum(each.rejects for each in counts)
        found[camera] = Clock(off_ms, future, rejected, len(least))
    return found


def usual_delay_ms(found: Mapping[str, Clock]) -> float:
    """Return the median of the cameras' delays, never below 0; 0 where too few are known to say."""
    known = [each.off_ms for each in found.values() if each.off_ms is not None]
    return max(0.0, median(known)) if len(known) >= LEAST_CAMERAS else 0.0


def wrong_clocks(found: Mapping[str, Clock], drift_s: float, now_ns: int) -> Wrong:
    """Return the cameras whose clock is off by more than `drift_s`."""
    wrong: Wrong = {}
    usual_ms, since_ns = usual_delay_ms(found), now_ns - CLOCK_WINDOW_S * NS
    for camera, clock in found.items():
        if clock.off_ms is not None and clock.off_ms < -1000 * drift_s:
            wrong[camera, NoticeKind.AHEAD] = (since_ns, clock.off_ms)
        elif clock.off_ms is None and clock.future >= LEAST_FUTURE:
            # Frames are rejected before they are read, so that no delay is known: only that there was one.
            wrong[camera, NoticeKind.AHEAD] = (since_ns, 0)
        elif clock.off_ms is not None and clock.off_ms - usual_ms > 1000 * drift_s:
            wrong[camera, NoticeKind.BEHIND] = (since_ns, clock.off_ms)
    return wrong


def quiet_cameras(
    cameras: Collection[str], seen: Mapping[str, int], past: Past, quiet_after_s: float, now_ns: int
) -> Wrong:
    """Return the cameras from which reads should have come and did not; one for all where most are so."""
    wrong: Wrong = {}
    heard = [camera for camera in cameras if camera in seen]
    for camera in heard:
        silent_s = (now_ns - seen[camera]) / NS
        if silent_s < quiet_after_s:
            continue
        if past.knows(camera):
            expected = past.expected(camera, max(seen[camera] / NS, now_ns / NS - LONGEST_S), now_ns / NS)
            quiet = expected >= EXPECTED or silent_s >= LONGEST_S
        else:
            quiet = silent_s >= UNKNOWN_TIMES * quiet_after_s
        if quiet:
            wrong[camera, NoticeKind.QUIET] = (seen[camera], round(silent_s * 1000))
    if len(wrong) >= LEAST_CAMERAS and len(wrong) > MOST * len(heard):
        since_ns = max(since_ns for since_ns, _ in wrong.values())
        return {("", NoticeKind.ALL_QUIET): (since_ns, (now_ns - since_ns) // 1_000_000)}
    return wrong


class Watch:
    """Judges, and makes the notices in the book and the metrics say what it found."""

    def __init__(self, settings: Settings, book: CameraBook, cameras: Collection[str]) -> None:
        self._quiet_after_s = settings.camera_quiet_after_s
        self._drift_s = settings.camera_clock_drift_s
        self._book = book
        self._cameras = sorted(cameras)
        self._past = Past([])
        self._past_until_ns = 0
        self._shown: set[tuple[str, str]] = set()

    async def step(self, now_ns: int | None = None) -> int:
        """Look once; return how many things are wrong."""
        now_ns = telemetry.now_ns() if now_ns is None else now_ns
        if now_ns - self._past_until_ns > PAST_AGE_S * NS:
            # Whole days alone: the hours of today that are still to come would count as hours without a read.
            today = datetime.fromtimestamp(now_ns // NS, LOCAL).replace(hour=0, minute=0, second=0, microsecond=0)
            today_s = int(today.timestamp())
            self._past = Past(await self._book.hours(today_s - PAST_DAYS * 24 * HOUR_S, today_s))
            self._past_until_ns = now_ns
        seen = await self._book.seen()
        wrong = quiet_cameras(self._cameras, seen, self._past, self._quiet_after_s, now_ns)
        found = clocks(await self._book.minutes(now_ns // NS - CLOCK_WINDOW_S))
        found.pop("", None)
        wrong |= wrong_clocks(found, self._drift_s, now_ns)
        await self._book.tell(wrong)
        self._show(set(wrong))
        return len(wrong)

    def _show(self, wrong: set[tuple[str, str]]) -> None:
        for camera, kind in self._shown - wrong:
            telemetry.CAMERA_NOTICES.remove(camera, kind)
        for camera, kind in wrong:
            telemetry.CAMERA_NOTICES.labels(camera, kind).set(1)
        self._shown = wrong
