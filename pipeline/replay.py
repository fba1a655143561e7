"""Replay a recording's vendor feed through the ingest gateway, as recorded or at full speed.

Frames are replayed by `pipeline.ingest.frames.replay`; this is the other half: each line of ``feed.ndjson`` is
posted as its vendor would post it, with its times moved to now.
"""

from __future__ import annotations

import asyncio
import time
from datetime import datetime
from pathlib import Path

import httpx
import msgspec

from pipeline.errors import ConfigurationError, UnavailableError
from pipeline.ingest.feeds import FEEDS

RECORDING_START_NS = int(datetime.fromisoformat("2026-03-14T21:00:00+00:00").timestamp()) * 1_000_000_000
"""What ``at_s`` = 0 is in the payloads of a recording."""

GIVE_UP_AFTER_S = 60.0


class FeedLine(msgspec.Struct, frozen=True):
    """One line of ``feed.ndjson``: a vendor's body, and when it came, in seconds since the recording began."""

    at_s: float
    format: str
    payload: str


def load_feed(path: Path) -> list[FeedLine]:
    """Read a ``feed.ndjson``, ordered by time; an absent file is an empty feed.

    Raises
    ------
    ConfigurationError
        A line is not as it should be, or names a format that there is no adapter for; names the line.
    """
    if not path.exists():
        return []
    lines: list[FeedLine] = []
    for number, raw in enumerate(path.read_bytes().splitlines(), 1):
        if not raw.strip():
            continue
        try:
            line = msgspec.json.decode(raw, type=FeedLine)
        except msgspec.MsgspecError as error:
            raise ConfigurationError(f"{path}: line {number}: {error}") from error
        if line.format not in FEEDS:
            raise ConfigurationError(f"{path}: line {number}: no adapter for format {line.format!r}")
        lines.append(line)
    return sorted(lines, key=lambda line: line.at_s)


async def replay_feed(lines: list[FeedLine], url: str, token: str, *, start_ns: int, speed: float | None) -> int:
    """Post every line to the gateway at `url`; return how many it took.

    Parameters
    ----------
    lines
        From `load_feed`.
    start_ns
        What the recording's beginning becomes, ns since the epoch; the payloads' times move along.
    speed
        1.0 is as recorded; None is as fast as the gateway takes them.

    Raises
    ------
    UnavailableError
        The gateway does not take a line for `GIVE_UP_AFTER_S`, or refuses one.
    """
    began_s = time.monotonic()
    async with httpx.AsyncClient(
        base_url=url, headers={"Authorization": f"Bearer {token}"}, timeout=10.0, trust_env=False
    ) as client:
        for number, line in enumerate(lines, 1):
            if speed is not None:
                await asyncio.sleep(max(0.0, began_s + line.at_s / speed - time.monotonic()))
            body = FEEDS[line.format].shift_time(line.payload.encode(), start_ns - RECORDING_START_NS)
            await _post(client, line.format, body, number)
    return len(lines)


async def _post(client: httpx.AsyncClient, feed: str, body: bytes, number: int) -> None:
    deadline_s = time.monotonic() + GIVE_UP_AFTER_S
    while True:
        try:
            answer = await client.post(f"/ingest/{feed}", content=body)
        except httpx.TransportError as error:
            failure = f"{type(error).__name__}: {error}"
        else:
            if answer.status_code == 202:
                return
            failure = f"{answer.status_code} {answer.text[:300]}"
            if answer.status_code not in (429, 503):
                raise UnavailableError(f"feed line {number}: the gateway refuses it: {failure}")
        if time.monotonic() > deadline_s:
            raise UnavailableError(f"feed line {number}: the gateway does not take it: {failure}")
        await asyncio.sleep(0.2)
