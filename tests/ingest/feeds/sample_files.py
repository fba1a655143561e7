"""The sample files, and small changes to them. All plates, ids and addresses in them are invented."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pipeline.ingest.feeds import FEEDS
from pipeline.ingest.feeds.base import Feed

_FOLDER = Path(__file__).parent / "samples"

NAMES = sorted(path.name for path in _FOLDER.iterdir())
"""Every sample; its feed is the name up to the first ``-`` or ``.``."""


def sample(name: str) -> bytes:
    """Bytes of a sample."""
    return (_FOLDER / name).read_bytes()


def feed_of(name: str) -> Feed:
    """The adapter that a sample is for."""
    return FEEDS[name.split(".")[0].split("-")[0]]


Path_ = tuple[str | int, ...]
"""Keys and indices that lead to a value in JSON."""


def changed(payload: bytes, path: Path_, value: Any) -> bytes:
    """A JSON body with the value at `path` replaced."""
    body, parent = _parent(payload, path)
    if not path:
        return json.dumps(value).encode()
    parent[path[-1]] = value
    return json.dumps(body).encode()


def without(payload: bytes, path: Path_) -> bytes:
    """A JSON body without the field at `path`."""
    body, parent = _parent(payload, path)
    del parent[path[-1]]
    return json.dumps(body).encode()


def _parent(payload: bytes, path: Path_) -> tuple[Any, Any]:
    body = json.loads(payload)
    parent = body
    for key in path[:-1]:
        parent = parent[key]
    return body, parent


def paths(value: Any, here: Path_ = ()) -> Iterator[Path_]:
    """The path of every value inside a JSON value."""
    yield here
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from paths(inner, (*here, key))
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            yield from paths(inner, (*here, number))
