"""The settings: where each value comes from, and plain errors that name the setting and never its value."""

from __future__ import annotations

import os
import subprocess
import sys
import traceback
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.errors import ConfigurationError
from pipeline.settings import Settings, load_settings

SECRETS = ("console_secret", "admin_token", "gateway_token")


@pytest.fixture(autouse=True)
def _bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No LIK_ variable, and an empty working folder."""
    for name in [name for name in os.environ if name.startswith("LIK_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


def test_without_anything_set_the_defaults_hold() -> None:
    found = load_settings()
    assert {name: getattr(found, name) for name in Settings.model_fields} == {
        name: field.default for name, field in Settings.model_fields.items()
    }


def test_the_environment_stands_above_the_file_and_the_file_above_the_defaults(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    Path(".env").write_text("LIK_CONSOLE_PORT=9000\nLIK_GATEWAY_PORT=9001\nELSE=1\n")
    monkeypatch.setenv("LIK_CONSOLE_PORT", "9002")
    found = load_settings()
    assert (found.console_port, found.gateway_port, found.metrics_port) == (9002, 9001, 0)


def test_an_empty_variable_is_one_that_is_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    Path(".env").write_text("LIK_CONSOLE_PORT=\nLIK_ADMIN_TOKEN=\n")
    monkeypatch.setenv("LIK_KAFKA_PARTITIONS", "")
    assert load_settings() == Settings.model_construct()


def test_settings_cannot_be_changed() -> None:
    with pytest.raises(ValueError, match="frozen"):
        load_settings().console_port = 1


@pytest.mark.parametrize(
    ("name", "value", "problem"),
    [
        ("LIK_KAFKA_PARTITIONS", "four", "valid integer"),
        ("LIK_KAFKA_PARTITIONS", "0", "greater than or equal to 1"),
        ("LIK_CONSOLE_PORT", "65536", "less than or equal to 65535"),
        ("LIK_CONSOLE_SECURE_COOKIES", "perhaps", "valid boolean"),
        ("LIK_FRAME_MAX_AGE_S", "0", "greater than 0"),
        ("LIK_SUPPRESSION_WINDOW_S", "inf", "finite number"),
        ("LIK_BUDGET_READ_TO_HIT_MS", "nan", "finite number"),
        ("LIK_LOG_LEVEL", "loud", "'DEBUG', 'INFO', 'WARNING' or 'ERROR'"),
        ("LIK_REDIS_URL", "localhost:6379", "must begin with redis:// or rediss:// or unix://"),
        ("LIK_DATABASE_URL", "postgresql://db", "must begin with sqlite+aiosqlite:// or postgresql+asyncpg://"),
    ],
)
def test_a_bad_value_is_named_with_what_the_setting_takes(
    name: str, value: str, problem: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(ConfigurationError) as caught:
        load_settings()
    assert str(caught.value).startswith(f"{name}: ")
    assert problem in str(caught.value)
    assert "docs/settings.md" in str(caught.value)


def test_every_bad_value_is_named_at_once() -> None:
    Path(".env").write_text("LIK_CONSOLE_PORT=a\nLIK_GATEWAY_PORT=b\n")
    with pytest.raises(ConfigurationError, match=r"LIK_CONSOLE_PORT: .*; LIK_GATEWAY_PORT: "):
        load_settings()


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from(sorted(Settings.model_fields)), st.text("xyz:/@", min_size=1, max_size=12))
def test_no_error_shows_a_value(name: str, end: str) -> None:
    value = "Qq7Zk" + end
    variable = f"LIK_{name.upper()}"
    refused: ConfigurationError | None = None
    os.environ[variable] = value
    try:
        load_settings()
    except ConfigurationError as error:
        refused = error
    finally:
        del os.environ[variable]
    if refused is not None:
        assert variable in str(refused)
        whole = traceback.TracebackException.from_exception(refused, limit=0)
        assert "Qq7Zk" not in "".join(whole.format())


@pytest.mark.parametrize("name", SECRETS)
def test_a_secret_does_not_show_when_settings_are_printed(name: str) -> None:
    given_ = Settings(**{name: "Qq7Zk"})
    assert "Qq7Zk" not in f"{given_} {given_!r} {given_.model_dump()} {given_.model_dump_json()}"
    assert getattr(given_, name).get_secret_value() == "Qq7Zk"


def test_a_file_that_is_no_text_is_named() -> None:
    Path(".env").write_bytes(b"LIK_ADMIN_TOKEN=\xff\xfe\n")
    with pytest.raises(ConfigurationError, match=r"^\.env: cannot be read"):
        load_settings()


def test_the_command_says_it_in_one_line_and_without_a_traceback() -> None:
    environment = {**os.environ, "LIK_CONSOLE_PORT": "Qq7Zk"}
    command = [sys.executable, "-m", "pipeline.cli", "worker", "match"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith("lik: LIK_CONSOLE_PORT: ")
    assert done.stderr.count("\n") == 1
    assert "Qq7Zk" not in done.stdout + done.stderr


def test_every_setting_says_what_it_means() -> None:
    silent = [name for name, field in Settings.model_fields.items() if not field.description]
    assert not silent
