"""Work beside matching."""

from __future__ import annotations

import os
import sys
import threading

import pytest

from pipeline.match.aside import aside


@pytest.mark.skipif(sys.platform != "linux", reason="priorities of threads are Linux's")
def test_work_is_done_at_low_priority_in_a_thread_of_its_own() -> None:
    def priority() -> int:
        return os.getpriority(os.PRIO_PROCESS, threading.get_native_id())

    before = priority()
    assert aside(priority) == max(before, 10)
    assert priority() == before


def test_what_fails_aside_fails_here() -> None:
    def fail() -> None:
        raise MemoryError("no room")

    with pytest.raises(MemoryError, match="no room"):
        aside(fail)
