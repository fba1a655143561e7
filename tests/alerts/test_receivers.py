"""The registry of receivers: who is told of what, and what is wrong with a file."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest

from hotlists.entry import Handling, Priority
from pipeline.alerts.receivers import Receiver, load_receivers
from pipeline.errors import ConfigurationError
from tests.factories import make_alert

HOOK = {"name": "Dispatching", "url": "webhook+https://dispatch.example/hook", "secret": "s" * 16}


def _written(path: Path, *receivers: object) -> Path:
    file = path / "receivers.json"
    file.write_text(json.dumps(list(receivers)))
    return file


def test_receivers_are_read_by_name(tmp_path: Path) -> None:
    found = load_receivers(
        _written(tmp_path, HOOK, {"name": "Ploeg", "url": "json://127.0.0.1/x", "sectors": ["noord"], "level": 1})
    )
    assert list(found) == ["Dispatching", "Ploeg"]
    assert found["Dispatching"].webhook == "https://dispatch.example/hook"
    assert found["Ploeg"].webhook is None


def test_no_file_is_nobody(tmp_path: Path) -> None:
    assert load_receivers(tmp_path / "none.json") == {}


@pytest.mark.parametrize(
    ("receivers", "says"),
    [
        ([HOOK, HOOK], "number 2 .*another one of that name"),
        ([{**HOOK, "secret": "short"}], "secret of 16"),
        ([{**HOOK, "name": ""}], "1 to 128"),
        ([{**HOOK, "level": -1}], "level"),
        ([{"name": "x", "url": "nonsense://geheim"}], "no address that Apprise knows"),
        ([{"name": "x", "url": "no address, geheim"}], "no address that Apprise knows"),
        ([{"name": "x"}], "missing required field `url`"),
        ([{**HOOK, "sector": "noord"}], "unknown field `sector`"),
        ([{**HOOK, "url": 5}], r"\$\[0\].url"),
    ],
)
def test_a_wrong_file_says_where_and_shows_no_address(tmp_path: Path, receivers: list, says: str) -> None:
    with pytest.raises(ConfigurationError, match=says) as refused:
        load_receivers(_written(tmp_path, *receivers))
    assert "geheim" not in str(refused.value)


def test_what_is_no_json_is_refused(tmp_path: Path) -> None:
    (tmp_path / "receivers.json").write_bytes(b"\xff[")
    with pytest.raises(ConfigurationError, match=r"receivers\.json"):
        load_receivers(tmp_path / "receivers.json")


def test_a_receiver_wants_its_sectors_and_priorities() -> None:
    alert = make_alert(priority=Priority.HIGH)
    everything = Receiver(name="x", url="json://x")
    assert everything.wants(alert)
    assert not everything.wants(make_alert(handling=Handling.COVERT))
    for more, wants in (
        ({"sectors": ("noord",)}, True),
        ({"sectors": ("zuid",)}, False),
        ({"priorities": (Priority.HIGH,)}, True),
        ({"priorities": (Priority.CRITICAL,)}, False),
    ):
        assert msgspec.structs.replace(everything, **more).wants(alert) is wants
