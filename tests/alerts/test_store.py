"""The alert store on SQLite and on PostgreSQL: order, idempotence, and who may see what."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import msgspec
import pytest

from hotlists.entry import Handling
from pipeline.alerts.store import AlertStore, UnknownAlertError, Verdict, Viewer
from pipeline.embedded import free_port
from pipeline.model import Hit, Sighting
from tests.factories import JPEG, make_alert, make_hit, make_read

OPERATOR = Viewer("an", frozenset({"operator"}))
DETECTIVE = Viewer("bo", frozenset({"operator", "covert"}))
NAMED = Viewer("cas", frozenset({"operator"}))


def _postgres_bin() -> Path | None:
    for folder in sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True):
        if (folder / "initdb").exists():
            return folder
    found = shutil.which("initdb")
    return Path(found).parent if found else None


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """A PostgreSQL of the tests' own, with an empty database."""
    given = os.environ.get("LIK_TEST_POSTGRES")
    if given:
        yield given
        return
    binaries = _postgres_bin()
    if binaries is None:
        pytest.skip("no PostgreSQL: neither LIK_TEST_POSTGRES nor initdb (Debian: postgresql)")
    # PostgreSQL does not run as root.
    user = ["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups"] if os.geteuid() == 0 else []
    with tempfile.TemporaryDirectory(prefix="kruispunt-pg-") as name:
        if user:
            shutil.chown(name, "nobody", "nogroup")
        port = free_port()
        data = f"{name}/data"
        command = [*user, str(binaries / "initdb"), "-D", data, "-U", "lik", "-A", "trust", "-N"]
        subprocess.run(command, check=True, capture_output=True)
        options = f"-p {port} -h 127.0.0.1 -k {name} -F"
        control = [*user, str(binaries / "pg_ctl"), "-D", data, "-w"]
        subprocess.run(
            [*control, "-o", options, "-l", f"{name}/log", "start"], check=True, stdout=subprocess.DEVNULL
        )
        try:
            yield f"postgresql+asyncpg://lik@127.0.0.1:{port}/postgres"
        finally:
            subprocess.run([*control, "-m", "immediate", "stop"], check=True, stdout=subprocess.DEVNULL)


@pytest.fixture(params=["sqlite", "postgresql"])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[AlertStore]:
    """An open, empty store of each kind."""
    if request.param == "sqlite":
        url = f"sqlite+aiosqlite:///{tmp_path / 'alerts.db'}"
    else:
        url = request.getfixturevalue("postgres_url")
        await _drop_all(url)
    opened = AlertStore(url)
    await opened.open()
    yield opened
    await opened.close()


async def _drop_all(url: str) -> None:
    from pipeline.alerts.tables import METADATA

    opened = AlertStore(url)
    async with opened.database.engine.begin() as connection:
        await connection.run_sync(METADATA.drop_all)
    await opened.close()


async def test_an_alert_comes_back_without_its_patch_and_the_patch_alone(store: AlertStore) -> None:
    alert = make_alert(read=make_read(patch=JPEG))
    seq = await store.record(alert)
    row = await store.get(alert.alert_id, OPERATOR)
    assert row.seq == seq == 1
    assert row.alert.hit.read.patch is None
    assert row.alert.hit.entry == alert.hit.entry
    assert await store.patch(alert.alert_id, OPERATOR) == JPEG


async def test_the_same_alert_twice_is_one_change(store: AlertStore) -> None:
    alert = make_alert()
    assert await store.record(alert) == await store.record(alert)
    assert await store.count() == 1
    assert await store.last_seq() == 1


async def test_a_new_sighting_is_a_change_of_the_same_alert(store: AlertStore) -> None:
    alert = make_alert(read=make_read(patch=JPEG))
    await store.record(alert)
    second = Sighting(hit_id="h2", camera="cam-2", captured_at_ns=alert.created_at_ns + 5, plate="1ABC123")
    await store.record(msgspec.structs.replace(alert, sightings=[*alert.sightings, second]))
    (row,) = await store.changes_since(0, user=OPERATOR)
    assert row.seq == 2
    assert len(row.alert.sightings) == 2
    assert await store.patch(alert.alert_id, OPERATOR) == JPEG


async def test_concurrent_changes_get_numbers_without_gaps(store: AlertStore) -> None:
    alerts = [make_alert(f"1ABC{number:03d}") for number in range(40)]
    numbers = await asyncio.gather(*(store.record(alert) for alert in alerts))
    assert sorted(numbers) == list(range(1, 41))
    rows = await store.changes_since(0, user=OPERATOR)
    assert [row.seq for row in rows] == list(range(1, 41))
    assert {row.alert.alert_id for row in await store.changes_since(30, user=OPERATOR)} == {
        row.alert.alert_id for row in rows[30:]
    }


async def test_a_covert_alert_is_absent_for_all_but_those_it_names(store: AlertStore) -> None:
    covert = make_alert("2XYZ789", handling=Handling.COVERT, named_users=("cas",), read=make_read(patch=JPEG))
    await store.record(covert)
    await store.record(make_alert())
    for viewer, sees in ((OPERATOR, 1), (DETECTIVE, 2), (NAMED, 2)):
        assert len(await store.latest(10, viewer)) == sees
        assert len(await store.changes_since(0, user=viewer)) == sees
    for attempt in (
        store.get(covert.alert_id, OPERATOR),
        store.patch(covert.alert_id, OPERATOR),
        store.acknowledge(covert.alert_id, Verdict.CONFIRMED, by=OPERATOR),
    ):
        with pytest.raises(UnknownAlertError):
            await attempt
    assert (await store.get(covert.alert_id, NAMED)).alert.alert_id == covert.alert_id


async def test_a_verdict_is_a_change_and_the_latest_counts(store: AlertStore) -> None:
    alert = make_alert()
    seq = await store.record(alert)
    await store.acknowledge(alert.alert_id, Verdict.CONFIRMED, by=OPERATOR)
    row = await store.acknowledge(alert.alert_id, Verdict.MISREAD, by=NAMED, note="8 is B")
    assert row.seq == seq + 2
    assert row.acknowledgement is not None
    assert (row.acknowledgement.verdict, row.acknowledgement.by) == (Verdict.MISREAD, "cas")
    assert row.acknowledgement.note == "8 is B"
    (listed,) = await store.changes_since(seq, user=OPERATOR)
    assert listed.acknowledgement == row.acknowledgement


async def test_the_open_alert_is_the_one_within_the_window(store: AlertStore) -> None:
    alert = make_alert()
    await store.record(alert)
    at_ns = alert.hit.read.captured_at_ns

    def hit(moved_ns: int, zone: str = "noord", handling: Handling = Handling.OPEN) -> Hit:
        found = make_hit(read=make_read(captured_at_ns=at_ns + moved_ns), handling=handling)
        return msgspec.structs.replace(found, zone=zone)

    for found, window_ns in ((hit(10), 10), (hit(-10), 10)):
        open_alert = await store.open_alert(found, window_ns)
        assert open_alert is not None
        assert open_alert.alert_id == alert.alert_id
    for other in (hit(11), hit(-11), hit(0, zone="zuid"), hit(0, handling=Handling.COVERT)):
        assert await store.open_alert(other, 10) is None


async def test_users_and_the_audit_trail(store: AlertStore) -> None:
    assert await store.get_user("an") is None
    await store.put_user("an", "hash-1", {"operator"})
    await store.put_user("an", "hash-2", {"operator", "chief"})
    user = await store.get_user("an")
    assert user is not None
    assert (user.password_hash, user.roles) == ("hash-2", {"operator", "chief"})
    await store.audit("an", "viewed", "alert-1", why="shift", where="127.0.0.1")
    (line,) = await store.audit_lines()
    assert (line.who, line.what, line.target, line.why, line.where) == (
        "an",
        "viewed",
        "alert-1",
        "shift",
        "127.0.0.1",
    )


async def test_two_processes_write_to_one_sqlite(tmp_path: Path) -> None:
    url = f"sqlite+aiosqlite:///{tmp_path / 'shared.db'}"
    script = (
        "import asyncio\n"
        "from pipeline.alerts.store import AlertStore\n"
        "from tests.factories import make_alert\n"
        "async def main():\n"
        f"    store = AlertStore({url!r})\n"
        "    await store.open()\n"
        "    for n in range(25): await store.record(make_alert(f'1ABC{n:03d}'))\n"
        "    await store.close()\n"
        "asyncio.run(main())\n"
    )
    processes = [await asyncio.create_subprocess_exec(sys.executable, "-c", script) for _ in range(2)]
    with contextlib.suppress(asyncio.CancelledError):
        assert [await process.wait() for process in processes] == [0, 0]
    store = AlertStore(url)
    await store.open()
    assert await store.last_seq() == 50
    await store.close()
