"""The stage clock, the latency budgets, and what a worker's /metrics shows."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import REGISTRY

from pipeline import telemetry
from pipeline.embedded import free_port
from pipeline.errors import ConfigurationError
from pipeline.settings import Settings
from pipeline.telemetry import SPANS, Stamp, budgets_ms, observe, span_ms, stamped

BUDGETS = {"read_to_hit": 25.0}

trails = st.dictionaries(st.sampled_from([each.value for each in Stamp]), st.integers(0, 2**62))
Counted = Callable[[str], float]


@pytest.fixture
def late() -> Counted:
    """How much later than now the late counter of a span stands."""
    return _since("lik_late_total")


@pytest.fixture
def observed() -> Counted:
    """How many latencies of a span were observed since now."""
    return _since("lik_latency_ms_count")


def _since(metric: str) -> Counted:
    before = {span: _value(metric, span) for span in SPANS}
    return lambda span: _value(metric, span) - before[span]


def _value(metric: str, span: str) -> float:
    return REGISTRY.get_sample_value(metric, {"span": span}) or 0.0


def trail_of(span: str, length_ns: int) -> dict[str, int]:
    begin, end = SPANS[span]
    return {begin.value: 10**18, end.value: 10**18 + length_ns}


def test_each_setting_is_the_budget_of_its_span() -> None:
    settings = Settings(budget_read_to_hit_ms=1, budget_read_to_alert_ms=2, budget_frame_to_alert_ms=3)
    assert budgets_ms(settings) == {"read_to_hit": 1, "read_to_alert": 2, "frame_to_alert": 3}


def test_every_budget_is_of_a_span_that_is_measured() -> None:
    assert set(budgets_ms(Settings())) <= set(SPANS)


def test_a_stamp_is_added_to_a_copy() -> None:
    before = {Stamp.RECEIVED.value: 1}
    after = stamped(before, Stamp.READ_SENT, 2)
    assert before == {"received": 1}
    assert after == {"received": 1, "read_sent": 2}


def test_a_stamp_is_of_now_where_no_moment_is_given() -> None:
    low = telemetry.now_ns()
    moment = stamped({}, Stamp.READ_TAKEN)["read_taken"]
    assert low <= moment <= telemetry.now_ns()


@given(trails, st.sampled_from(sorted(SPANS)))
def test_a_span_is_the_time_between_its_stamps_or_nothing(trail: dict[str, int], span: str) -> None:
    begin, end = SPANS[span]
    length_ms = span_ms(trail, span)
    if begin.value in trail and end.value in trail:
        assert length_ms == (trail[end.value] - trail[begin.value]) / 1e6
    else:
        assert length_ms is None


@pytest.mark.parametrize(("length_ns", "is_late"), [(24_999_999, False), (25_000_000, False), (25_000_001, True)])
def test_what_is_over_its_budget_is_counted_once_and_said(
    length_ns: int, is_late: bool, late: Counted, observed: Counted
) -> None:
    assert observe(trail_of("read_to_hit", length_ns), ("read_to_hit",), BUDGETS) is is_late
    assert late("read_to_hit") == is_late
    assert observed("read_to_hit") == 1


def test_a_span_without_a_budget_is_never_late(late: Counted, observed: Counted) -> None:
    assert not observe(trail_of("match", 10**12), ("match",), BUDGETS)
    assert late("match") == 0
    assert observed("match") == 1


def test_a_trail_that_lacks_a_stamp_counts_for_nothing(late: Counted, observed: Counted) -> None:
    trail = trail_of("read_to_hit", 10**12)
    del trail[Stamp.READ_SENT.value]
    assert not observe(trail, ("read_to_hit", "read_to_alert"), BUDGETS)
    assert late("read_to_hit") == observed("read_to_hit") == observed("read_to_alert") == 0


def test_one_late_span_among_others_is_counted_as_that_one(late: Counted, observed: Counted) -> None:
    trail = trail_of("read_to_alert", 60_000_000) | {Stamp.HIT_SENT.value: 10**18 + 50_000_000}
    budgets = {"read_to_hit": 25.0, "read_to_alert": 250.0}
    assert observe(trail, ("read_to_hit", "read_to_alert"), budgets)
    assert (late("read_to_hit"), late("read_to_alert")) == (1, 0)
    assert (observed("read_to_hit"), observed("read_to_alert")) == (1, 1)


def test_only_the_spans_that_were_asked_for_are_observed(observed: Counted) -> None:
    observe(trail_of("match", 1), ("alert",), BUDGETS)
    assert observed("match") == 0


_SERVE = """
import sys, urllib.request
from pipeline import telemetry
from pipeline.settings import Settings
telemetry.start(Settings(metrics_port=int(sys.argv[1]), log_level="warning"))
telemetry.LATE.labels("read_to_hit").inc()
print(urllib.request.urlopen(f"http://127.0.0.1:{sys.argv[1]}/metrics", timeout=10).read().decode())
"""


def test_a_worker_serves_its_metrics_where_its_settings_say() -> None:
    # In a process of its own: the server and the logging that `start` sets up cannot be taken down again.
    command = [sys.executable, "-c", _SERVE, str(free_port())]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    assert 'lik_late_total{span="read_to_hit"} 1.0' in done.stdout
    assert "lik_snapshot_version 0.0" in done.stdout


def test_an_address_that_is_taken_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(ConfigurationError, match=rf"127\.0\.0\.1:{port} .*LIK_METRICS_PORT"):
            telemetry.start(Settings(metrics_port=port))
