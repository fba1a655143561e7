"""A worker's snapshot on a real Redis that comes, goes, and loses what it held."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import redis.asyncio as aioredis

from hotlists import snapshot as snapshots
from hotlists.entry import Handling, Hotlist, HotlistEntry
from hotlists.journal import SnapshotCopy
from hotlists.store import HotlistStore
from pipeline import telemetry
from pipeline.embedded import EmbeddedRedis, free_port
from pipeline.match import loader as loading
from pipeline.match.loader import SnapshotLoader
from pipeline.settings import Settings
from plates import alphabet
from tests.conftest import MakeSettings, until

STOLEN = Hotlist(name="gestolen")


@pytest.fixture
def settings(make_settings: MakeSettings, redis_url: str) -> Settings:
    return make_settings(redis_url=redis_url)


@contextlib.asynccontextmanager
async def store_on(url: str) -> AsyncIterator[HotlistStore]:
    async with aioredis.from_url(url) as client:
        yield HotlistStore(client)


async def publish(url: str, *plates: str) -> int:
    """Make these plates all that is listed; return the snapshot version."""
    async with store_on(url) as store:
        await store.create(STOLEN)
        return await store.publish(
            "gestolen", [HotlistEntry(plate=plate) for plate in plates], by="an", why="test"
        )


def plates_of(loader: SnapshotLoader) -> list[str]:
    snapshot = loader.matcher.snapshot
    return [snapshot.plate(row) for row in range(len(snapshot.keys)) if row not in snapshot.removed]


def version_of(loader: SnapshotLoader) -> int:
    return loader.matcher.snapshot.version


def copy_of(settings: Settings) -> Path:
    return settings.state_dir / "snapshot.bin"


def copied_version(settings: Settings) -> int:
    """Version of the copy on disk with its journal; 0 where there is none, or a damaged one."""
    with contextlib.suppress(FileNotFoundError, snapshots.SnapshotFileError):
        snapshot, _, changes = SnapshotCopy(settings.state_dir).load()
        return changes[-1].delta.version if changes else snapshot.version
    return 0


# --- while Redis is there ----------------------------------------------------------------------------------


async def test_what_is_live_is_held_from_the_start(settings: Settings) -> None:
    version = await publish(settings.redis_url, "1ABC123")
    async with SnapshotLoader(settings, "w") as loader:
        assert (version_of(loader), plates_of(loader)) == (version, ["1ABC123"])


async def test_a_publication_is_soon_in_the_matcher(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    # Long past the test's end: it is the change stream alone that tells.
    monkeypatch.setattr(loading, "CHECK_S", 300.0)
    async with SnapshotLoader(settings, "w") as loader:
        assert (version_of(loader), plates_of(loader)) == (0, [])
        for number in range(5):
            version = await publish(settings.redis_url, f"1ABC{number:03}")
            await until(lambda wanted=version: version_of(loader) == wanted, "the publication is held")
            assert plates_of(loader) == [f"1ABC{number:03}"]


async def test_a_change_of_handling_is_soon_in_the_matcher(settings: Settings) -> None:
    await publish(settings.redis_url, "1ABC123")
    async with SnapshotLoader(settings, "w") as loader:
        assert loader.matcher.snapshot.handling_of(0) is Handling.OPEN
        async with store_on(settings.redis_url) as store:
            await store.create(Hotlist(name="gestolen", handling=Handling.COVERT))
        await until(lambda: loader.matcher.snapshot.handling_of(0) is Handling.COVERT, "the entry is covert")


async def test_a_change_that_no_listener_heard_is_healed(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def deaf(self: HotlistStore) -> AsyncIterator[None]:
        await asyncio.Event().wait()
        yield None

    monkeypatch.setattr(HotlistStore, "changes", deaf)
    monkeypatch.setattr(loading, "CHECK_S", 0.05)
    async with SnapshotLoader(settings, "w") as loader:
        version = await publish(settings.redis_url, "1ABC123")
        await until(lambda: version_of(loader) == version, "the versions were compared")


async def test_a_batch_keeps_the_matcher_that_it_took(settings: Settings) -> None:
    first = await publish(settings.redis_url, "1ABC123")
    async with SnapshotLoader(settings, "w") as loader:
        taken = loader.matcher
        second = await publish(settings.redis_url, "2DEF456")
        await until(lambda: version_of(loader) == second, "the publication is held")
        assert taken.snapshot.version == first
        assert taken.snapshot.plate(0) == "1ABC123"


async def test_workers_and_metrics_say_what_is_held(settings: Settings) -> None:
    async with store_on(settings.redis_url) as store, SnapshotLoader(settings, "host-1"):
        await until(lambda: _is(store, {"host-1": 0}), "a heartbeat without a snapshot")
        version = await publish(settings.redis_url, "1ABC123")
        await until(lambda: _is(store, {"host-1": version}), "a heartbeat with the version")
        assert telemetry.SNAPSHOT_VERSION._value.get() == version


async def _is(store: HotlistStore, expected: dict[str, int]) -> bool:
    return await store.workers() == expected


async def test_heartbeats_go_on_while_a_snapshot_loads(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    loads, go_on = asyncio.Event(), asyncio.Event()
    read = HotlistStore.read

    async def slow(self: HotlistStore, name: str, number: int) -> snapshots.Columns:
        loads.set()
        await go_on.wait()
        return await read(self, name, number)

    monkeypatch.setattr(HotlistStore, "read", slow)
    monkeypatch.setattr(loading, "CHECK_S", 0.05)
    async with store_on(settings.redis_url) as store, SnapshotLoader(settings, "host-1") as loader:
        version = await publish(settings.redis_url, "1ABC123")
        await loads.wait()
        async with aioredis.from_url(settings.redis_url) as client:
            await client.delete("lik:worker:host-1")
        await until(lambda: _is(store, {"host-1": 0}), "a heartbeat")
        go_on.set()
        await until(lambda: version_of(loader) == version, "the publication is held")


async def test_a_damaged_list_stops_nothing_and_its_repair_is_followed(
    settings: Settings, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loading, "CHECK_S", 0.05)
    await publish(settings.redis_url, "1ABC123")
    async with SnapshotLoader(settings, "w") as loader, aioredis.from_url(settings.redis_url) as client:
        read = HotlistStore.read

        async def damaged(self: HotlistStore, name: str, number: int) -> snapshots.Columns:
            await client.lset("lik:hotlist:gestolen:v2", 0, b"PK")
            return await read(self, name, number)

        with monkeypatch.context() as patch:
            patch.setattr(HotlistStore, "read", damaged)
            await publish(settings.redis_url, "2DEF456")
            await until(lambda: "version 2 of list 'gestolen' is damaged" in caplog.text, "the damage is said")
        assert plates_of(loader) == ["1ABC123"]
        await publish(settings.redis_url, "3GHI789")
        await until(lambda: plates_of(loader) == ["3GHI789"], "the repair is held")


async def test_leaving_ends_every_loop_whatever_it_is_at(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A cancellation may come at any await; one that is lost would keep the worker from ending."""
    monkeypatch.setattr(loading, "CHECK_S", 0.002)
    async with store_on(settings.redis_url) as store:
        await store.create(STOLEN)

        done = asyncio.Event()

        async def keep_publishing() -> None:
            while not done.is_set():
                await store.publish("gestolen", [HotlistEntry(plate="1ABC123")], by="an", why="test")

        publishing = asyncio.ensure_future(keep_publishing())
        for turns in range(30):
            async with asyncio.timeout(30):
                async with SnapshotLoader(settings, "w") as loader:
                    for _ in range(turns * 5):
                        await asyncio.sleep(0)
            assert all(task.done() for task in loader._tasks)
        done.set()
        await publishing


# --- the copy on disk --------------------------------------------------------------------------------------


async def test_what_is_held_is_on_disk_as_a_copy_and_what_changed_since(settings: Settings) -> None:
    async with SnapshotLoader(settings, "w"):
        version = await publish(settings.redis_url, "1ABC123")
        await until(lambda: copied_version(settings) == version, "the copy is written")
        copied = copy_of(settings).stat()
        version = await publish(settings.redis_url, "2DEF456")
        await until(lambda: copied_version(settings) == version, "the change is written")
    _, _, changes = SnapshotCopy(settings.state_dir).load()
    assert alphabet.decode(changes[-1].delta.added[0][1].codes) == ["2DEF456"]
    assert copy_of(settings).stat().st_mtime_ns == copied.st_mtime_ns


@pytest.fixture
def away(settings: Settings) -> Settings:
    """The same settings, with a Redis that is away."""
    return settings.model_copy(update={"redis_url": f"redis://127.0.0.1:{free_port()}/0"})


async def test_a_restart_without_redis_is_served_by_the_copy(
    settings: Settings, away: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    version = await publish(settings.redis_url, "1ABC123")
    async with SnapshotLoader(settings, "w"):
        await until(lambda: copied_version(settings) == version, "the copy is written")
    async with SnapshotLoader(away, "w") as loader:
        assert (version_of(loader), plates_of(loader)) == (version, ["1ABC123"])
        assert telemetry.SNAPSHOT_VERSION._value.get() == version
    assert f"Redis is away (ConnectionError); matching goes on with snapshot {version}" in caplog.text


@pytest.mark.parametrize("damage", ["cut", "flipped", "empty", "foreign"])
async def test_a_damaged_copy_is_refused_and_said(
    settings: Settings, away: Settings, caplog: pytest.LogCaptureFixture, damage: str
) -> None:
    version = await publish(settings.redis_url, "1ABC123")
    async with SnapshotLoader(settings, "w"):
        await until(lambda: copied_version(settings) == version, "the copy is written")
    whole = copy_of(settings).read_bytes()
    flipped = bytearray(whole)
    flipped[len(whole) // 2] ^= 1
    bad = {"cut": whole[:-1], "flipped": bytes(flipped), "empty": b"", "foreign": b"PK\3\4" * 100}
    copy_of(settings).write_bytes(bad[damage])
    async with SnapshotLoader(away, "w") as loader:
        assert (version_of(loader), plates_of(loader)) == (0, [])
    assert "the copy of the snapshot on disk is refused" in caplog.text
    assert "reads wait in Kafka" in caplog.text
    # With Redis there, it costs nothing, and is replaced.
    async with SnapshotLoader(settings, "w") as loader:
        assert (version_of(loader), plates_of(loader)) == (version, ["1ABC123"])
        await until(lambda: copied_version(settings) == version, "the copy is whole again")


async def test_a_copy_of_another_release_is_refused(
    settings: Settings, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    version = await publish(settings.redis_url, "1ABC123")

    def load(self: SnapshotCopy) -> snapshots.Snapshot:
        raise KeyError("a column that this release has and that one had not")

    monkeypatch.setattr(SnapshotCopy, "load", load)
    async with SnapshotLoader(settings, "w") as loader:
        assert version_of(loader) == version
    assert "the copy of the snapshot on disk is refused" in caplog.text


async def test_a_copy_that_cannot_be_written_is_said_and_tried_again(
    settings: Settings, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loading, "COPY_RETRY_S", 0.05)
    settings.state_dir.write_text("a file where the folder should be")
    version = await publish(settings.redis_url, "1ABC123")
    async with SnapshotLoader(settings, "w") as loader:
        # Matching does not wait for the copy.
        assert version_of(loader) == version
        await until(lambda: "snapshot.bin cannot be written" in caplog.text, "the failure is said")
        settings.state_dir.unlink()
        await until(lambda: copied_version(settings) == version, "the copy is written")


async def test_neither_redis_nor_a_copy_is_said_loudly(away: Settings, caplog: pytest.LogCaptureFixture) -> None:
    async with SnapshotLoader(away, "w") as loader:
        assert plates_of(loader) == []
    assert "reads wait in Kafka" in caplog.text


# --- Redis goes and comes back -------------------------------------------------------------------------------


class Mortal:
    """A Redis on a fixed port that can be stopped, started again, and robbed of its data."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._port = folder, free_port()
        self.url = f"redis://127.0.0.1:{self._port}/0"
        self._lives = 0
        self._server: EmbeddedRedis | None = None
        self.start()

    def start(self, *, empty: bool = False) -> None:
        self._lives += empty
        self._server = EmbeddedRedis(self._folder / str(self._lives), port=self._port)

    def stop(self) -> None:
        if self._server is not None:
            self._server.stop()
            self._server = None


@pytest.fixture
def mortal(tmp_path: Path) -> Iterator[Mortal]:
    server = Mortal(tmp_path / "redis")
    yield server
    server.stop()


async def test_redis_dies_and_returns(
    make_settings: MakeSettings, mortal: Mortal, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loading, "CHECK_S", 0.05)
    caplog.set_level(logging.INFO)
    version = await publish(mortal.url, "1ABC123")
    async with SnapshotLoader(make_settings(redis_url=mortal.url), "w") as loader:
        mortal.stop()
        await until(lambda: "Redis is away" in caplog.text, "the loss is said")
        assert (version_of(loader), plates_of(loader)) == (version, ["1ABC123"])
        mortal.start()
        await until(lambda: "agrees with Redis again" in caplog.text, "the return is said")
        later = await publish(mortal.url, "2DEF456")
        await until(lambda: version_of(loader) == later, "changes are followed again")
        assert plates_of(loader) == ["2DEF456"]
        async with store_on(mortal.url) as store:
            await until(lambda: _is(store, {"w": later}), "heartbeats are given again")
    # Once for each time that it begins, not once a second.
    assert sum("Redis is away" in record.message for record in caplog.records) == 1


async def test_what_redis_has_lost_is_not_lost_here(
    make_settings: MakeSettings, mortal: Mortal, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loading, "CHECK_S", 0.05)
    settings = make_settings(redis_url=mortal.url)
    version = await publish(mortal.url, "1ABC123")
    async with SnapshotLoader(settings, "w") as loader:
        await until(lambda: copied_version(settings) == version, "the copy is written")
        mortal.stop()
        mortal.start(empty=True)
        await until(lambda: loading.LOST in caplog.text, "the loss is said")
        assert plates_of(loader) == ["1ABC123"]
    # Nor on a restart, and the copy stays what it was.
    async with SnapshotLoader(settings, "w") as loader:
        assert (version_of(loader), plates_of(loader)) == (version, ["1ABC123"])
        assert copied_version(settings) == version
        later = await publish(mortal.url, "2DEF456")
        await until(lambda: version_of(loader) == later, "what is published anew is followed")
        assert plates_of(loader) == ["2DEF456"]
        await until(lambda: copied_version(settings) == later, "the copy is written")


async def test_a_worker_that_starts_before_redis_follows_it_once_it_is_there(
    make_settings: MakeSettings, mortal: Mortal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loading, "CHECK_S", 0.05)
    mortal.stop()
    async with SnapshotLoader(make_settings(redis_url=mortal.url), "w") as loader:
        assert plates_of(loader) == []
        mortal.start()
        version = await publish(mortal.url, "1ABC123")
        await until(lambda: version_of(loader) == version, "the publication is held")
