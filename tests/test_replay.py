"""Replaying a vendor feed: what the gateway refuses for now is sent again, what it refuses for good is said."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from pipeline import replay
from pipeline.embedded import free_port
from pipeline.errors import ConfigurationError, UnavailableError
from pipeline.ingest.feeds import FEEDS
from pipeline.replay import RECORDING_START_NS, FeedLine, load_feed, replay_feed
from pipeline.serve import serve

BODY = '{"camera": "cam-1", "captured_at": "2026-03-14T21:00:03.250000+00:00", "plate": "1ABC123"}'


def _write(path: Path, *lines: str) -> Path:
    path.write_text("\n".join(lines))
    return path


def _line(at_s: float, feed: str = "kruispunt") -> str:
    return msgspec.json.encode(FeedLine(at_s, feed, BODY)).decode()


def test_a_feed_is_read_in_order_of_time(tmp_path: Path) -> None:
    lines = load_feed(_write(tmp_path / "feed.ndjson", _line(7.5), "", _line(3.25)))
    assert [line.at_s for line in lines] == [3.25, 7.5]
    assert load_feed(tmp_path / "absent.ndjson") == []


@pytest.mark.parametrize(
    ("bad", "said"),
    [("{", "line 2"), ('{"at_s": "x"}', "line 2"), (_line(1, "morse"), "line 2: no adapter for format 'morse'")],
)
def test_a_line_that_is_wrong_is_named(tmp_path: Path, bad: str, said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        load_feed(_write(tmp_path / "feed.ndjson", _line(1), bad))


@dataclass
class Peer:
    """A gateway that answers as told, then 202, and keeps what it was sent."""

    url: str
    answers: list[int] = field(default_factory=list)
    taken: list[tuple[str, str, bytes]] = field(default_factory=list)

    async def ingest(self, request: Request) -> Response:
        status = self.answers.pop(0) if self.answers else 202
        if status == 202:
            token = request.headers["authorization"]
            self.taken.append((request.path_params["name"], token, await request.body()))
        return PlainTextResponse("said so", status)


@pytest.fixture
async def peer() -> AsyncIterator[Peer]:
    port = free_port()
    found = Peer(f"http://127.0.0.1:{port}")
    app = Starlette(routes=[Route("/ingest/{name}", found.ingest, methods=["POST"])])
    stop, ready = asyncio.Event(), asyncio.Event()
    serving = asyncio.create_task(serve(app, "127.0.0.1", port, stop=stop, ready=ready.set))
    await asyncio.wait_for(ready.wait(), 20)
    yield found
    stop.set()
    await serving


async def test_times_move_to_the_start_that_is_given(peer: Peer) -> None:
    start_ns = RECORDING_START_NS + 86_400 * 1_000_000_000
    lines = [FeedLine(3.25, "kruispunt", BODY)]
    assert await replay_feed(lines, peer.url, "token", start_ns=start_ns, speed=None) == 1
    ((feed, token, body),) = peer.taken
    assert (feed, token) == ("kruispunt", "Bearer token")
    (read,) = FEEDS["kruispunt"].parse(body)
    assert read.captured_at_ns == start_ns + 3_250_000_000


async def test_what_is_refused_for_now_is_sent_again(peer: Peer) -> None:
    peer.answers = [503, 429]
    lines = [FeedLine(0, "kruispunt", BODY)] * 2
    assert await replay_feed(lines, peer.url, "t", start_ns=0, speed=None) == 2
    assert len(peer.taken) == 2


async def test_what_is_refused_for_good_is_said_with_its_line(peer: Peer) -> None:
    peer.answers = [202, 401]
    lines = [FeedLine(0, "kruispunt", BODY)] * 2
    with pytest.raises(UnavailableError, match="feed line 2: the gateway refuses it: 401 said so"):
        await replay_feed(lines, peer.url, "t", start_ns=0, speed=None)


async def test_a_gateway_that_is_away_is_given_up_in_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replay, "GIVE_UP_AFTER_S", 0.3)
    with pytest.raises(UnavailableError, match="does not take it: ConnectError"):
        await replay_feed(
            [FeedLine(0, "kruispunt", BODY)], f"http://127.0.0.1:{free_port()}", "t", start_ns=0, speed=None
        )


async def test_at_recorded_speed_a_line_waits_for_its_time(peer: Peer) -> None:
    lines = [FeedLine(0, "kruispunt", BODY), FeedLine(3600, "kruispunt", BODY)]
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(2):
            await replay_feed(lines, peer.url, "t", start_ns=0, speed=1.0)
    assert len(peer.taken) == 1
