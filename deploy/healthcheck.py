"""Ask the worker of this container whether it is well: exit 0 when it is, 1 with a reason when not.

Which worker that is, the command line of the container's first process says. Gateway and console have a
``/health`` of their own; the other workers are asked for their ``/metrics``. The standard library alone, so that
it starts quickly: it runs every few seconds, in every container.
"""

from __future__ import annotations

import os
import sys
from http.client import HTTPConnection, HTTPException
from itertools import pairwise
from pathlib import Path

TIMEOUT_S = 4.0
PROBES = {
    "gateway": ("LIK_GATEWAY_PORT", 8081, "/health"),
    "console": ("LIK_CONSOLE_PORT", 8080, "/health"),
    "ocr": ("LIK_METRICS_PORT", 9100, "/metrics"),
    "match": ("LIK_METRICS_PORT", 9100, "/metrics"),
    "alerts": ("LIK_METRICS_PORT", 9100, "/metrics"),
    "desk": ("LIK_METRICS_PORT", 9100, "/metrics"),
}
"""By worker: the variable with the port, the port without it (in the image), and what is asked for."""


def worker_of(command_line: bytes) -> str | None:
    """Find the worker's name in a command line as the kernel shows it: ``lik worker NAME``, NUL between words."""
    words = command_line.decode("utf-8", "replace").split("\0")
    for word, name in pairwise(words):
        if word == "worker" and name in PROBES:
            return name
    return None


def problem_of(worker: str) -> str | None:
    """Ask `worker`; return what is wrong, or None."""
    variable, default, path = PROBES[worker]
    port = int(os.environ.get(variable) or default)
    connection = HTTPConnection("127.0.0.1", port, timeout=TIMEOUT_S)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        body = answer.read(300)
    except (OSError, HTTPException) as error:
        return f"{worker}: no answer on port {port}{path}: {error}"
    finally:
        connection.close()
    if answer.status != 200:
        return f"{worker}: {answer.status} on port {port}{path}: {body.decode('utf-8', 'replace')}"
    return None


def main(first_process: Path = Path("/proc/1/cmdline")) -> int:
    """Check this container's worker; return the exit code."""
    worker = worker_of(first_process.read_bytes())
    problem = "this container runs no worker" if worker is None else problem_of(worker)
    if problem is not None:
        sys.stderr.write(problem + "\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
