"""What a worker builds beside, and how its lists stand: one build at a time, and none that costs what was held."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import threading
import time
from typing import Any

import pytest
from prometheus_client import REGISTRY, generate_latest

from hotlists.deskstore import DeskStore
from hotlists.entry import Handling, Hotlist
from hotlists.store import HotlistStore
from pipeline.match import following, standing
from pipeline.settings import Settings
from tests.conftest import MakeSettings, until
from tests.match.lists import LISTS, copied_version, edit, held, is_live, lists_in, never, on, publish, worker

pytestmark = pytest.mark.usefixtures("often")


LARGE = [f"7XXX{number:03}" for number in range(20)]


class Gate:
    """Holds what is made beside up until it is opened; counts it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
        self.began, self.opened = threading.Event(), threading.Event()
        self.now = self.most = self.times = 0
        make = getattr(following, name)

        def slow(*arguments: Any) -> Any:
            self.now += 1
            self.times += 1
            self.most = max(self.most, self.now)
            self.began.set()
            assert self.opened.wait(30)
            self.now -= 1
            return make(*arguments)

        monkeypatch.setattr(following, name, slow)
        monkeypatch.setattr(following, "SIDE_ROWS", 5)


async def test_a_large_list_is_made_beside_while_changes_of_others_are_matched(
    settings: Settings, store: DeskStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    tables, merges = Gate(monkeypatch, "_prepared"), Gate(monkeypatch, "_merged")
    async with worker(settings) as loader:
        before = loader.matcher.snapshot.version
        await publish(store, "b", *LARGE)
        await until(tables.began.is_set, "its table is begun")
        await edit(store, "a", "9ZZZ999")
        await held(loader, "a", "1AAA00A", "9ZZZ999")
        await edit(store, "a", removed=("1AAA00A",))
        await edit(store, "b", "8YYY888")
        await publish(store, "c", "6WWW666")
        await held(loader, "a", "9ZZZ999")
        await held(loader, "c", "6WWW666")
        assert on(loader, "b") == ["1AAA00B"]
        assert before <= loader.matcher.snapshot.version < await store.live_version()
        tables.opened.set()
        # All of it is matched before the merge that comes of it is done, and what comes meanwhile too.
        await held(loader, "b", *LARGE, "8YYY888")
        await until(lambda: is_live(store, loader), "all of it is held")
        await until(merges.began.is_set, "the merge began")
        assert loader.matcher.index.ranges > 1
        await edit(store, "b", "5VVV555", removed=("8YYY888", LARGE[0]))
        await held(loader, "b", *LARGE[1:], "5VVV555")
        merges.opened.set()
        await until(lambda: loader.matcher.index.ranges == 1, "it is merged")
        assert [on(loader, name) for name in LISTS] == [["9ZZZ999"], ["5VVV555", *LARGE[1:]], ["6WWW666"]]
        await until(lambda: is_live(store, loader), "all of it is held")
    assert (tables.most, merges.most) == (1, 1)


async def test_a_large_change_of_a_list_is_made_beside_and_takes_out_what_it_names(
    settings: Settings, store: DeskStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(following, "SIDE_ROWS", 30)
    async with worker(settings) as loader:
        await publish(store, "b", *LARGE)
        await held(loader, "b", *LARGE)
        tables = Gate(monkeypatch, "_prepared")
        monkeypatch.setattr(HotlistStore, "read", never)
        await edit(store, "b", "9ZZZ991", "9ZZZ992", removed=(*LARGE[:4],))
        await until(tables.began.is_set, "its table is begun")
        await edit(store, "a", "9ZZZ999")
        await held(loader, "a", "1AAA00A", "9ZZZ999")
        assert on(loader, "b") == LARGE
        tables.opened.set()
        await held(loader, "b", *LARGE[4:], "9ZZZ991", "9ZZZ992")


async def test_large_lists_wait_for_a_merge_when_there_are_many(
    settings: Settings, store: DeskStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(following, "MOST_RANGES", 2)
    merges = Gate(monkeypatch, "_merged")
    async with worker(settings) as loader:
        await publish(store, "b", *LARGE)
        await held(loader, "b", *LARGE)
        await until(merges.began.is_set, "the merge began")
        await publish(store, "c", *LARGE)
        await edit(store, "a", "9ZZZ999")
        await held(loader, "a", "1AAA00A", "9ZZZ999")
        assert on(loader, "c") == ["1AAA00C"]
        merges.opened.set()
        await held(loader, "c", *LARGE)
        await until(lambda: loader.matcher.index.ranges == 1, "all of it is merged")
        assert on(loader, "a") == ["1AAA00A", "9ZZZ999"]
    assert merges.most == 1


async def test_a_large_list_is_on_disk_before_it_is_merged(
    settings: Settings, store: DeskStore, make_settings: MakeSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    merges = Gate(monkeypatch, "_merged")
    async with worker(settings) as loader:
        await publish(store, "b", *LARGE)
        await edit(store, "b", "8YYY888")
        await held(loader, "b", *LARGE, "8YYY888")
        await until(merges.began.is_set, "the merge began")
        version = await store.live_version()
        await until(lambda: copied_version(settings) == version, "it is on disk")
        monkeypatch.undo()
        merges.opened.set()
    away = make_settings(redis_url="redis://127.0.0.1:1/0")
    async with worker(away) as loader:
        assert on(loader, "b") == [*LARGE, "8YYY888"]


async def test_what_edits_have_brought_is_merged(
    settings: Settings, store: DeskStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    merges = Gate(monkeypatch, "_merged")
    merges.opened.set()
    async with worker(settings) as loader:
        for number in range(20):
            await edit(store, "a", f"9ZZZ{number:03}", removed=(f"9ZZZ{number - 1:03}",))
            await held(loader, "a", "1AAA00A", f"9ZZZ{number:03}")
        await until(lambda: merges.times > 0 and loader.matcher.side_rows <= 5, "the base is built anew")
        assert len(loader.matcher.snapshot.removed) <= 5
        assert on(loader, "a") == ["1AAA00A", "9ZZZ019"]
    assert merges.most == 1


@pytest.mark.parametrize(
    ("name", "said"), [("_prepared", "list 'b' cannot be followed"), ("_merged", "cannot be merged")]
)
async def test_what_fails_beside_costs_nothing_and_is_tried_again(
    settings: Settings,
    store: DeskStore,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    name: str,
    said: str,
) -> None:
    monkeypatch.setattr(following, "SIDE_ROWS", 5)
    monkeypatch.setattr(following, "RETRY_S", 0.1)
    make, failures = getattr(following, name), iter([MemoryError("no room")])

    def failing(*arguments: Any) -> Any:
        for failure in failures:
            raise failure
        return make(*arguments)

    monkeypatch.setattr(following, name, failing)
    async with worker(settings) as loader:
        await publish(store, "b", *LARGE)
        await until(lambda: said in caplog.text, "the failure is said")
        await held(loader, "b", *LARGE)
        await until(lambda: loader.matcher.index.ranges == 1, "it is merged")
        assert (on(loader, "a"), lists_in("behind")) == (["1AAA00A"], 0.0)


KILLED = """
import asyncio, sys, time
from pathlib import Path
from pipeline.match import following, loader
from pipeline.settings import Settings

def stuck(*arguments):
    print("downloaded", flush=True)
    time.sleep(600)

following.SIDE_ROWS, following._prepared = 5, stuck

async def main():
    async with loader.SnapshotLoader(Settings(redis_url=sys.argv[1], state_dir=Path(sys.argv[2])), "killed"):
        await asyncio.Event().wait()

asyncio.run(main())
"""


async def test_a_worker_that_is_killed_between_download_and_swap_leaves_what_it_held(
    settings: Settings, store: DeskStore, make_settings: MakeSettings
) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", KILLED, settings.redis_url, str(settings.state_dir), stdout=asyncio.subprocess.PIPE
    )
    try:
        version = await store.live_version()
        await until(lambda: copied_version(settings) == version, "the copy is written", 60.0)
        await publish(store, "b", *LARGE)
        assert process.stdout is not None
        assert await asyncio.wait_for(process.stdout.readline(), 60) == b"downloaded\n"
    finally:
        os.kill(process.pid, signal.SIGKILL)
        await process.wait()
    away = make_settings(redis_url="redis://127.0.0.1:1/0")
    async with worker(away) as loader:
        assert [on(loader, name) for name in LISTS] == [["1AAA00A"], ["1AAA00B"], ["1AAA00C"]]
        assert REGISTRY.get_sample_value("lik_redis_answers") == 0.0
    async with worker(settings) as loader:
        await held(loader, "b", *LARGE)
        assert REGISTRY.get_sample_value("lik_redis_answers") == 1.0


# --- how lists stand -------------------------------------------------------------------------------------------


async def test_a_list_that_is_past_its_age_is_in_the_metrics_without_its_name(
    settings: Settings, store: DeskStore
) -> None:
    await store.create(Hotlist(name="nachtegaal", handling=Handling.COVERT, max_age_s=60))
    await publish(store, "nachtegaal", "9ZZZ999")
    await store._redis.hset("lik:hotlist:nachtegaal:i1", "when_ns", time.time_ns() - 90 * 10**9)
    async with worker(settings) as loader:
        mark = loader._follower.marks["nachtegaal"]
        code = standing.code_of("nachtegaal", mark)
        await until(lambda: _overdue(code) > 0, "it is overdue")
        assert 30.0 <= _overdue(code) < 60.0
        assert lists_in("stale") == 1.0
        assert b"nachtegaal" not in generate_latest(REGISTRY)
        await store.archive("nachtegaal", by="an", why="test")
        await until(lambda: _overdue(code) < 0, "it is gone")
        assert lists_in("stale") == 0.0


def _overdue(code: str) -> float:
    value = REGISTRY.get_sample_value("lik_list_overdue_seconds", {"list": code})
    return -1.0 if value is None else value


async def test_what_is_on_disk_is_read_whoever_wrote_it(settings: Settings, store: DeskStore) -> None:
    """Without its journal, a copy serves, and each list is compared anew."""
    async with worker(settings):
        version = await store.live_version()
        await until(lambda: copied_version(settings) == version, "the copy is written")
    (settings.state_dir / "snapshot.journal").unlink()
    await edit(store, "a", "9ZZZ999")
    async with worker(settings) as loader:
        assert [on(loader, name) for name in LISTS] == [["1AAA00A", "9ZZZ999"], ["1AAA00B"], ["1AAA00C"]]
