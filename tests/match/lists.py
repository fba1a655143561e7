"""Three hotlists on a real Redis, a worker that follows them, and what is asked of both."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from prometheus_client import REGISTRY

from hotlists.columns import Columns, pack_entries
from hotlists.deskstore import DeskStore
from hotlists.entry import Hotlist, HotlistEntry
from hotlists.journal import SnapshotCopy
from hotlists.store import HotlistStore
from pipeline.match.loader import SnapshotLoader
from pipeline.settings import Settings
from plates import alphabet
from tests.conftest import until

LISTS = ("a", "b", "c")


@asynccontextmanager
async def worker(settings: Settings) -> AsyncIterator[SnapshotLoader]:
    async with SnapshotLoader(settings, "w") as loader:
        yield loader


def entries(*plates: str) -> Columns:
    return pack_entries(Hotlist(name="x"), [HotlistEntry(plate=plate) for plate in plates])


async def publish(store: HotlistStore, name: str, *plates: str) -> int:
    return await store.publish(name, entries(*plates), by="an", why="test")


async def edit(store: DeskStore, name: str, *added: str, removed: tuple[str, ...] = ()) -> int:
    _, version = await store.apply_delta(name, entries(*added), removed=entries(*removed), by="an", why="test")
    return version


def on(loader: SnapshotLoader, name: str) -> list[str]:
    """The plates of a list that are matched."""
    found = {hotlist.name: columns for hotlist, columns in loader.matcher.snapshot.lists()}
    return sorted(alphabet.decode(found[name].codes)) if name in found else []


async def held(loader: SnapshotLoader, name: str, *plates: str) -> None:
    await until(lambda: on(loader, name) == sorted(plates), f"{name} is {plates}")


async def never(*arguments: Any) -> Columns:
    raise AssertionError("a list is read whole")


def lists_in(state: str) -> float:
    return REGISTRY.get_sample_value("lik_lists", {"state": state}) or 0.0


async def is_live(store: HotlistStore, loader: SnapshotLoader) -> bool:
    return await store.live_version() == loader.matcher.snapshot.version


def copied_version(settings: Settings) -> int:
    try:
        snapshot, _, changes = SnapshotCopy(settings.state_dir).load()
    except FileNotFoundError:
        return 0
    return changes[-1].delta.version if changes else snapshot.version
