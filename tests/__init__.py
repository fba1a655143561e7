"""The tests, folder by folder as the packages."""

from __future__ import annotations

import os
import sys
from pathlib import Path

if _worker := os.environ.get("PYTEST_XDIST_WORKER"):
    # numba's cache on disk takes one writer at a time: two that compile a function for other types write to the
    # same file. Each process that tests has a cache of its own, set before the first import of numba looks for it.
    assert "numba" not in sys.modules, "numba has looked for its cache already"
    _cache = Path(__file__).resolve().parent.parent / ".pytest_cache" / "numba" / _worker
    os.environ["NUMBA_CACHE_DIR"] = str(_cache)
