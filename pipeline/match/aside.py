"""Work beside matching: in a thread of low priority, so that reads come first."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable
from typing import Final, TypeVar

_NICENESS: Final = 10

Result = TypeVar("Result")


def aside(work: Callable[[], Result]) -> Result:
    """Do work in a thread of low priority, wait for it, and return or raise what it does.

    Nearly all of the work is done without the interpreter's lock, so that on a machine without a core to spare it
    is the operating system that must know what is urgent. Threads that the work starts have its priority.
    """
    done: list[Result] = []
    failed: list[BaseException] = []

    def run() -> None:
        try:
            if sys.platform == "linux":
                os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICENESS)
            done.append(work())
        except BaseException as error:
            failed.append(error)

    thread = threading.Thread(target=run, name="aside", daemon=True)
    thread.start()
    thread.join()
    if failed:
        raise failed[0]
    return done[0]
