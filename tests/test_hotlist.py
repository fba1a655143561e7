"""``lik hotlist`` against a console that runs, on a real Redis: what it says, and the code that it ends with."""

from __future__ import annotations

import asyncio
import csv
import io
import json
import stat
from collections.abc import AsyncIterator, Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest
import redis.asyncio as aioredis
from typer.testing import CliRunner, Result

from console.app import run
from pipeline.embedded import free_port
from pipeline.hotlist import AWAY, CONFIRM, REFUSED, app
from pipeline.hotlist_words import WORDS
from pipeline.settings import Settings
from tests.conftest import MakeSettings, running

Lik = Callable[..., Coroutine[Any, Any, Result]]


@pytest.fixture
async def settings(make_settings: MakeSettings, redis_url: str) -> AsyncIterator[Settings]:
    """A console that runs."""
    made = make_settings(kafka_bootstrap="127.0.0.1:9", redis_url=redis_url, console_port=free_port())
    async with running(run, made):
        yield made


@pytest.fixture
def lik(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Lik:
    """Run ``lik hotlist`` with these arguments, with the admin token, in English."""
    monkeypatch.setenv("LIK_CONSOLE_URL", f"http://127.0.0.1:{settings.console_port}")
    monkeypatch.setenv("LIK_TOKEN", "admin-token")
    monkeypatch.setenv("LC_ALL", "C")

    async def call(*arguments: str, stdin: str = "") -> Result:
        return await asyncio.to_thread(CliRunner().invoke, app, list(arguments), input=stdin)

    return call


async def made(lik: Lik, *values: str) -> None:
    """Make a list."""
    options = [part for each in ("title=Gestolen", *values) for part in ("--set", each)]
    answer = await lik("create", "gestolen", *options)
    assert answer.exit_code == 0, answer.output


async def test_a_script_uploads_publishes_and_goes_back(lik: Lik, tmp_path: Path) -> None:
    await made(lik, "removal_guard=1.0")
    file = tmp_path / "lijst.csv"
    file.write_text("nummerplaat;land\n1-ABC-123;BE\n2DEF456;BE\n")
    told = await lik("upload", "gestolen", str(file), "--why", "nacht", "--publish")
    assert told.exit_code == 0, told.output
    assert "rows accepted                       2" in told.stdout
    assert "version 1 of gestolen is published" in told.stdout
    await lik("upload", "gestolen", "-", "--why", "x", "--publish", stdin="plate\n9ZZZ999\n")
    assert "live" in (await lik("list")).stdout
    assert (await lik("rollback", "gestolen", "1", "--why", "fout")).exit_code == 0
    states = json.loads((await lik("versions", "gestolen", "--json")).stdout)
    assert [(each["number"], each["state"]) for each in states] == [(2, "kept"), (1, "live")]
    assert "    1  live    full" in (await lik("versions", "gestolen")).stdout


async def test_a_guard_ends_with_a_code_of_its_own(lik: Lik) -> None:
    await made(lik)
    told = await lik("upload", "gestolen", "-", "--why", "x", "--publish", stdin="plate\n1ABC123\n---\n")
    assert told.exit_code == CONFIRM
    assert "3: plate: '---': no letter or digit in it" in told.stdout
    assert "MIND: many rows rejected: 1 of 2" in told.stdout
    assert "needs a second confirmation" in told.stderr
    assert (await lik("preview", "gestolen", "1")).stdout.splitlines()[:2] == told.stdout.splitlines()[:2]
    done = await lik("publish", "gestolen", "1", "--why", "nagekeken", "--confirm-removed", "0")
    assert done.exit_code == 0, done.output


async def test_an_urgent_entry_is_one_command(lik: Lik) -> None:
    await made(lik)
    told = await lik(
        "add", "gestolen", "9-zzz-999", "--country", "BE", "--why", "ontvoering", "--set", "priority=critical"
    )
    assert (told.exit_code, told.stdout) == (0, "gestolen: 9ZZZ999 is listed (until: -)\n"), told.output
    found = await lik("find", "-", "--why", "controle", stdin="9ZZZ999\n")
    assert "gestolen" in found.stdout
    assert "critical" in found.stdout
    gone = await lik("remove", "gestolen", "9ZZZ999", "--country", "BE", "--why", "gevonden")
    assert gone.stdout == "gestolen: 9ZZZ999 is off the list\n"
    assert (await lik("find", "9ZZZ999", "--why", "x")).stdout == "9ZZZ999: on no list\n"
    assert json.loads((await lik("find", "9ZZZ999", "--why", "x", "--json")).stdout)["found"] == []


async def test_a_list_that_is_damaged_is_told_apart_and_mended(lik: Lik, settings: Settings) -> None:
    await made(lik)
    await lik("upload", "gestolen", "-", "--why", "x", stdin="plate\n1ABC123\n")
    async with aioredis.from_url(settings.redis_url) as client:
        await client.lset("lik:hotlist:gestolen:v1", 0, b"PK")
    assert (await lik("publish", "gestolen", "1", "--why", "x")).exit_code == 0
    found = await lik("find", "1ABC123", "--why", "controle")
    assert (found.exit_code, "MIND: not looked for on gestolen: damaged" in found.stdout) == (0, True), (
        found.output
    )
    added = await lik("add", "gestolen", "9ZZZ999", "--why", "ontvoering")
    assert (added.exit_code, "MIND: gestolen is damaged" in added.stdout) == (0, True), added.output
    told = await lik("upload", "gestolen", "-", "--why", "x", "--publish", stdin="plate\n1ABC123\n9ZZZ999\n")
    assert (told.exit_code, "MIND: what is live is damaged" in told.stdout) == (CONFIRM, True), told.output
    done = await lik("publish", "gestolen", "3", "--why", "hersteld", "--confirm-removed", "0")
    assert done.exit_code == 0, done.output
    assert "MIND" not in (await lik("find", "9ZZZ999", "--why", "controle")).stdout


async def test_metadata_is_made_and_changed_by_field(lik: Lik, tmp_path: Path) -> None:
    fields = tmp_path / "lijst.json"
    fields.write_text('{"owner": "PZ Veldeke", "named_users": ["an"]}')
    assert (await lik("create", "blauw", "--file", str(fields), "--set", "handling=covert")).exit_code == 0
    refused = await lik("describe", "blauw", "--why", "x", "--set", "handling=open")
    assert (refused.exit_code, "opens a covert list" in refused.stderr) == (REFUSED, True)
    changed = await lik("describe", "blauw", "--why", "x", "--set", "handling=open", "--open-covert")
    assert changed.exit_code == 0
    shown = json.loads((await lik("show", "blauw")).stdout)
    assert (shown["handling"], shown["owner"], shown["named_users"]) == ("open", "PZ Veldeke", ["an"])
    assert (await lik("archive", "blauw", "--why", "weg")).exit_code == 0
    assert "archived" in (await lik("list")).stdout
    assert (await lik("restore", "blauw", "--why", "terug")).exit_code == 0
    assert json.loads((await lik("list", "--json")).stdout)[0]["archived"] is False


async def test_an_export_is_a_file_of_ones_own(lik: Lik, tmp_path: Path) -> None:
    await made(lik)
    out = tmp_path / "uit.csv"
    refused = await lik("export", "gestolen", str(out), "--why", "x")
    assert (refused.exit_code, out.exists()) == (REFUSED, False)
    await lik("add", "gestolen", "9ZZZ999", "--why", "x")
    assert (await lik("export", "gestolen", str(out), "--why", "x", "--number", "1")).exit_code == 0
    assert list(csv.reader(io.StringIO(out.read_text())))[1][0] == "9ZZZ999"
    assert stat.S_IMODE(out.stat().st_mode) == 0o600


async def test_what_is_staged_can_be_discarded(lik: Lik) -> None:
    await made(lik)
    await lik("upload", "gestolen", "-", "--why", "x", stdin="plate\n1ABC123\n")
    assert (await lik("discard", "gestolen", "1", "--why", "verkeerd")).exit_code == 0
    again = await lik("publish", "gestolen", "1", "--why", "x")
    assert (again.exit_code, "not found" in again.stderr) == (REFUSED, True)
    assert json.loads((await lik("health")).stdout)["redis"] is True


async def test_a_file_that_cannot_be_used_says_why_per_row(lik: Lik) -> None:
    await made(lik)
    told = await lik("upload", "gestolen", "-", "--why", "x", stdin="plate\n---\n")
    assert told.exit_code == REFUSED
    assert "no row could be used" in told.stderr
    assert "2: plate: '---'" in told.stderr


async def test_a_dutch_terminal_is_answered_in_dutch(lik: Lik, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LC_ALL", "nl_BE.UTF-8")
    await made(lik)
    assert (await lik("find", "9ZZZ999", "--why", "x")).stdout == "9ZZZ999: op geen enkele lijst\n"
    assert "niet gevonden" in (await lik("show", "geen")).stderr


async def test_a_wrong_token_and_a_console_that_is_away(lik: Lik, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LIK_TOKEN", "wrong")
    told = await lik("list")
    assert (told.exit_code, "set LIK_TOKEN" in told.stderr) == (REFUSED, True)
    away = await lik("--url", "http://127.0.0.1:9", "list")
    assert (away.exit_code, "does not answer" in away.stderr) == (AWAY, True)


@pytest.mark.parametrize("option", ["--set=title", "--file=/nowhere.json"])
async def test_an_option_that_cannot_be_read(lik: Lik, option: str) -> None:
    assert (await lik("create", "gestolen", option)).exit_code == 2


def test_every_text_is_there_in_both_languages() -> None:
    for key, texts in WORDS.items():
        assert all(texts), key
