"""A store of each kind for the tests of the desk: SQLite, and a PostgreSQL of the tests' own."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from sqlalchemy import text

from pipeline.alerts.store import AlertStore
from pipeline.alerts.tables import METADATA
from pipeline.embedded import free_port
from tests.conftest import turn_on


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
    on_sqlite = request.param == "sqlite"
    with turn_on(None if on_sqlite else os.environ.get("LIK_TEST_POSTGRES")):
        if on_sqlite:
            opened = AlertStore(f"sqlite+aiosqlite:///{tmp_path / 'alerts.db'}")
        else:
            opened = AlertStore(request.getfixturevalue("postgres_url"))
            await _empty(opened)
        await opened.open()
        yield opened
        await opened.close()


async def _empty(store: AlertStore) -> None:
    await store.open()
    names = ", ".join(f'"{name}"' for name in METADATA.tables if name != "schema_version")
    async with store.database.write() as connection:
        await connection.execute(text(f"TRUNCATE {names} RESTART IDENTITY CASCADE"))
        await connection.execute(text("INSERT INTO change_counter (id, seq, open_seq) VALUES (1, 0, 0)"))
