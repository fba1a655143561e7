"""The demo: publish the recording's hotlists through the admin endpoint, replay it, and check what came of it."""

from __future__ import annotations

import asyncio
import csv
import io
import time
from collections.abc import Callable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

import httpx
import msgspec

from hotlists.entry import Hotlist
from pipeline import topics
from pipeline.alerts.store import AlertStore, Viewer
from pipeline.cameras import load_cameras
from pipeline.errors import ConfigurationError, UnavailableError
from pipeline.ingest import frames
from pipeline.replay import load_feed, replay_feed
from pipeline.settings import Settings
from pipeline.topics import Publisher
from plates.normalise import normalise, normalise_pattern

SEES_ALL = Viewer(name="demo", roles=frozenset({"operator", "covert"}))


class TruthLine(msgspec.Struct, frozen=True):
    """One line of ``truth.ndjson``: a vehicle that really passed."""

    at_s: float
    camera: str
    plate: str
    country: str = ""
    via: str = ""


@dataclass(frozen=True)
class Expected:
    """An alert that must come of the recording."""

    hotlist: str
    plate: str
    zone: str


@dataclass(frozen=True)
class Recording:
    """A recording folder; see `recordings/README.md` for its files."""

    folder: Path

    @property
    def cameras(self) -> Path:
        """Path of the camera registry."""
        return self.folder / "cameras.json"

    def hotlists(self) -> list[tuple[Hotlist, bytes, int]]:
        """Return each list's metadata, its rows as CSV, and how many rows those are."""
        lists = msgspec.json.decode((self.folder / "hotlists.json").read_bytes(), type=list[Hotlist])
        with (self.folder / "hotlist.csv").open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        found = []
        for hotlist in lists:
            own = [row for row in rows if row["list"] == hotlist.name]
            if not own:
                raise ConfigurationError(f"{self.folder / 'hotlist.csv'}: no rows of list {hotlist.name!r}")
            text = io.StringIO()
            writer = csv.DictWriter(text, fieldnames=list(own[0]))
            writer.writeheader()
            writer.writerows(own)
            found.append((hotlist, text.getvalue().encode(), len(own)))
        return found

    def truth(self) -> list[TruthLine]:
        """Read what really passed."""
        raw = (self.folder / "truth.ndjson").read_bytes().splitlines()
        return [msgspec.json.decode(line, type=TruthLine) for line in raw if line.strip()]

    def expected(self) -> set[Expected]:
        """Derive the alerts that must come: one per entry that a vehicle which passed fits, and per zone."""
        cameras = load_cameras(self.cameras)
        with (self.folder / "hotlist.csv").open(newline="", encoding="utf-8") as file:
            listed = [(row["list"], row["plate"]) for row in csv.DictReader(file)]
        plates = normalise_pattern([plate for _, plate in listed])
        passed = self.truth()
        seen = list(zip(passed, normalise([line.plate for line in passed]), strict=True))
        return {
            Expected(name, plate, cameras[line.camera].area)
            for (name, _), plate in zip(listed, plates, strict=True)
            for line, text in seen
            # A plate holds no character that means something to fnmatch but ? and *, and these mean the same.
            if fnmatchcase(text, plate)
        }

    def duration_s(self) -> float:
        """Time of the last thing that passes."""
        return max(line.at_s for line in self.truth())


async def publish_hotlists(recording: Recording, settings: Settings, url: str) -> int:
    """Create and publish the recording's lists through the admin endpoint; return the snapshot version.

    Raises
    ------
    UnavailableError
        The endpoint refuses, or does not take every row.
    """
    token = settings.admin_token.get_secret_value()
    version = 0
    async with httpx.AsyncClient(
        base_url=url, headers={"Authorization": f"Bearer {token}"}, timeout=30.0, trust_env=False
    ) as client:
        for hotlist, rows, count in recording.hotlists():
            path = f"/api/hotlists/{hotlist.name}"
            made = await client.put(
                path, content=msgspec.json.encode(hotlist), headers={"Content-Type": "application/json"}
            )
            _expect(made, "create a hotlist")
            answer = await client.post(
                f"{path}/staged",
                params={"why": "demo"},
                content=rows,
                headers={"Content-Type": "text/csv; charset=utf-8"},
            )
            _expect(answer, "upload a hotlist")
            preview = answer.json()
            if preview["accepted"] != count:
                raise UnavailableError(f"{path}: {preview['accepted']} of {count} rows taken: {preview['errors']}")
            answer = await client.post(f"{path}/staged/{preview['number']}/publish", json={"why": "demo"})
            _expect(answer, "publish a hotlist")
            version = answer.json()["version"]
    return version


def _expect(answer: httpx.Response, what: str) -> None:
    if answer.is_error:
        raise UnavailableError(f"cannot {what}: {answer.status_code} {answer.text[:300]}")


async def await_snapshot(settings: Settings, url: str, version: int, timeout_s: float = 20.0) -> None:
    """Wait until a match worker says that it holds snapshot `version` or a later one."""
    token = settings.admin_token.get_secret_value()
    deadline_s = time.monotonic() + timeout_s
    async with httpx.AsyncClient(
        base_url=url, headers={"Authorization": f"Bearer {token}"}, timeout=10.0, trust_env=False
    ) as client:
        while time.monotonic() < deadline_s:
            answer = await client.get("/api/hotlists/workers")
            _expect(answer, "ask which snapshot the workers hold")
            held = answer.json()
            if held and all(int(number) >= version for number in held.values()):
                return
            await asyncio.sleep(0.1)
    raise UnavailableError(f"no match worker holds snapshot {version} after {timeout_s:.0f} s")


async def replay(
    recording: Recording, settings: Settings, gateway_url: str, *, speed: float | None
) -> tuple[int, int]:
    """Replay frames and feed together; return how many frames and how many feed messages were sent.

    At recorded speed the recording begins now. Faster than that (None: at full speed) it ends now, so that no
    capture is in the future.
    """
    ahead = 1.0 if speed is None else max(0.0, 1 - 1 / speed)
    start_ns = time.time_ns() - int(ahead * (recording.duration_s() + 1) * 1e9)
    lines = load_feed(recording.folder / "feed.ndjson")
    async with Publisher(settings) as publisher:
        source = frames.folder(recording.folder / "frames")
        sent = await asyncio.gather(
            frames.replay(publisher, source, speed=speed, start_ns=start_ns),
            replay_feed(
                lines, gateway_url, settings.gateway_token.get_secret_value(), start_ns=start_ns, speed=speed
            ),
        )
        await publisher.flush()
    return sent


async def drained(settings: Settings, timeout_s: float) -> bool:
    """Wait until each stage has committed all that its topic holds, in order; False when not in time."""
    deadline_s = time.monotonic() + timeout_s
    for topic in (topics.FRAMES, topics.READS, topics.HITS):
        while await topics.group_lag(settings, topic) > 0:
            if time.monotonic() > deadline_s:
                return False
            await asyncio.sleep(0.2)
    return True


async def missing_alerts(recording: Recording, store: AlertStore) -> list[str]:
    """Name the expected alerts that the store lacks, as ``list in zone`` (no plates: this may be printed)."""
    rows = await store.latest(1000, SEES_ALL)
    stored = {Expected(row.alert.hit.entry.hotlist, row.alert.hit.entry.plate, row.alert.zone) for row in rows}
    return sorted(f"{each.hotlist} in {each.zone}" for each in recording.expected() - stored)


async def await_alerts(recording: Recording, store: AlertStore, timeout_s: float) -> list[str]:
    """Wait until every expected alert is stored; return those still missing at the end."""
    deadline_s = time.monotonic() + timeout_s
    while (missing := await missing_alerts(recording, store)) and time.monotonic() < deadline_s:
        await asyncio.sleep(0.2)
    return missing


async def narrate(counts: Callable[[], dict[str, int]], say: Callable[[str], None], every_s: float = 5.0) -> None:
    """Say what is happening, whenever the counts have changed; runs until it is cancelled."""
    last: dict[str, int] = {}
    while True:
        now = counts()
        if now != last:
            say("  " + "   ".join(f"{name} {number}" for name, number in now.items()))
            last = now
        await asyncio.sleep(every_s)
