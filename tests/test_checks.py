"""What may be matched, and what is said of the rest."""

from __future__ import annotations

from typing import Any

import pytest

from pipeline.checks import check_capture, check_read
from pipeline.model import LAST_NS, RejectReason
from tests.conftest import CAMERAS
from tests.factories import make_read

REGISTRY = {camera.id: camera for camera in CAMERAS}
NOW_NS = 1_773_500_000_000_000_000
S = 1_000_000_000


def check(**given: Any) -> tuple[RejectReason, str] | None:
    read = make_read(**{"captured_at_ns": NOW_NS, **given})
    return check_read(read, REGISTRY, now_ns=NOW_NS, tolerance_s=120.0)


@pytest.mark.parametrize("plate", ["1ABC123", "AB", "ABCDEFGHIJ", "0000000000"])
def test_a_plate_of_two_to_ten_characters_may_be_matched(plate: str) -> None:
    assert check(plate=plate) is None


@pytest.mark.parametrize(
    ("plate", "says"),
    [
        ("", "0 characters"),
        ("Q", "1 characters"),
        ("ABCDEFGHIJK", "11 characters"),
        ("Q" * 5000, "5000 characters"),
        ("1abc123", "normalise it first"),
        ("1-ABC-123", "normalise it first"),
        ("1ABC12?", "normalise it first"),
        ("1ABC123\n", "normalise it first"),
        ("1ÁBC123", "normalise it first"),
        ("\u0661ABC123", "normalise it first"),
    ],
)
def test_what_is_no_plate_is_said_without_the_plate(plate: str, says: str) -> None:
    found = check(plate=plate)
    assert found is not None
    reason, detail = found
    assert reason is RejectReason.NOT_A_PLATE
    assert says in detail
    assert not plate or plate not in detail


@pytest.mark.parametrize("camera", ["", "cam-9", "CAM-1", "x" * 5000])
def test_a_camera_that_nobody_registered_is_named_and_the_remedy(camera: str) -> None:
    found = check(camera=camera)
    assert found is not None
    reason, detail = found
    assert reason is RejectReason.UNKNOWN_CAMERA
    assert camera[:80] in detail
    assert "LIK_CAMERAS" in detail
    assert len(detail) < 200


@pytest.mark.parametrize("captured_at_ns", [0, NOW_NS, NOW_NS + 120 * S])
def test_a_clock_may_run_ahead_by_the_tolerance(captured_at_ns: int) -> None:
    assert check_capture("cam-1", captured_at_ns, REGISTRY, now_ns=NOW_NS, tolerance_s=120.0) is None


@pytest.mark.parametrize(("captured_at_ns", "ahead"), [(NOW_NS + 121 * S, "121 s"), (LAST_NS, "7449872037 s")])
def test_a_clock_that_runs_further_ahead_is_named(captured_at_ns: int, ahead: str) -> None:
    found = check_capture("cam-1", captured_at_ns, REGISTRY, now_ns=NOW_NS, tolerance_s=120.0)
    assert found == (
        RejectReason.FROM_THE_FUTURE,
        f"captured {ahead} ahead of our clock; set the clock of camera 'cam-1'",
    )


def test_where_it_was_captured_is_looked_at_first() -> None:
    found = check(camera="cam-9", captured_at_ns=LAST_NS, plate="")
    assert found is not None
    assert found[0] is RejectReason.UNKNOWN_CAMERA
