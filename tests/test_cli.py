"""The command `lik`: what it says when something is wrong, and what it leaves behind when it is not."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from console.app import create_app
from pipeline.alerts.store import AlertStore
from pipeline.settings import Settings
from tests.console.conftest import browse


def lik(folder: Path, *arguments: str, words: str = "", **settings: str) -> subprocess.CompletedProcess[str]:
    """Run `lik` in `folder` with those settings and no others."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("LIK_")}
    return subprocess.run(
        [sys.executable, "-m", "pipeline.cli", *arguments],
        cwd=folder,
        env={**environment, **{f"LIK_{name}": value for name, value in settings.items()}},
        input=words,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_help_names_every_command(tmp_path: Path) -> None:
    done = lik(tmp_path, "--help")
    assert done.returncode == 0
    for command in ("up", "worker", "replay", "record", "user"):
        assert command in done.stdout


@pytest.mark.parametrize(
    ("arguments", "settings", "says"),
    [
        (("replay", "absent", "--speed", "0"), {}, "absent"),
        (("worker", "match"), {"CAMERAS": "absent.json", "KAFKA_CREATE_TOPICS": "false"}, "LIK_CAMERAS"),
        (("worker", "match"), {"KAFKA_BOOTSTRAP": "127.0.0.1:1"}, "LIK_KAFKA_BOOTSTRAP"),
        (("user", "add", "an", "--role", "king", "--password", "geheim"), {}, "unknown role: king"),
        (("up",), {"CONSOLE_PORT": "eighty"}, "LIK_CONSOLE_PORT"),
    ],
)
def test_what_is_wrong_is_one_plain_line(
    tmp_path: Path, arguments: tuple[str, ...], settings: dict[str, str], says: str
) -> None:
    done = lik(tmp_path, *arguments, **settings)
    assert done.returncode == 1
    said = (done.stderr + done.stdout).strip().splitlines()
    assert [line for line in said if says in line], said
    assert "Traceback" not in done.stderr


async def test_a_user_that_was_added_may_sign_in(tmp_path: Path) -> None:
    url = f"sqlite+aiosqlite:///{tmp_path / 'alerts.db'}"
    done = lik(tmp_path, "user", "add", "an", "--role", "operator", words="geheim\ngeheim\n", DATABASE_URL=url)
    assert done.returncode == 0, done.stderr
    assert "geheim" not in done.stdout
    store = AlertStore(url)
    await store.open()
    app = create_app(Settings(database_url=url), store=store)
    try:
        async with browse(app) as client:
            for password, status in (("ander", 401), ("geheim", 303)):
                answer = await client.post("/sign-in", data={"username": "an", "password": password})
                assert answer.status_code == status
        user = await store.get_user("an")
        assert user is not None
        assert user.roles == {"operator"}
    finally:
        await app.state.redis.aclose()
        await store.close()
