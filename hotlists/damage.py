"""What the desk answers where what is live of a list cannot be read from Redis, and how it is mended from there.

Workers go on with the last version that they could read. Two things mend a list: an earlier version that is whole,
or the whole list once more. What was hidden from whoever uploads it could not be carried over: so that takes
somebody who may know all of it, and is the same whether anything was hidden or not.
"""

from __future__ import annotations

from typing import Final

from hotlists.problems import ConflictError

_MEND: Final = "roll back to an earlier version, or upload the list whole"


def no_replacement(name: str) -> ConflictError:
    """Say that somebody who does not know of covert entries cannot replace a damaged version."""
    return ConflictError(
        "damaged_hidden",
        f"what is live of list {name!r} is damaged in Redis: what you may not know of could not be carried over. "
        "Roll back to an earlier version, or have who is named on the list, or holds the covert role, upload it",
    )


def no_delta(name: str) -> ConflictError:
    """Say that a damaged version cannot be compared with what adds to it and removes from it."""
    return ConflictError(
        "damaged_delta",
        f"what is live of list {name!r} is damaged in Redis: changes cannot be laid over it; {_MEND}",
    )


def no_entry(name: str, other: str) -> ConflictError:
    """Say that it cannot be seen what a single entry would replace, and which list takes it; empty: none does."""
    if not other:
        return unreadable(name)
    return ConflictError(
        "damaged_entry",
        f"what is live of list {name!r} is damaged in Redis: put the entry on list {other!r} instead. "
        f"To mend this one, {_MEND}",
        other=other,
    )


def unreadable(name: str) -> ConflictError:
    """Say that a version is damaged."""
    return ConflictError("damaged", f"this version of list {name!r} is damaged in Redis: {_MEND}")
