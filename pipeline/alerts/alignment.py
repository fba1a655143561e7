"""Two plates under one another: what stands where, and what one has that the other lacks."""

from __future__ import annotations

from typing import Final

GAP: Final = ""
"""Stands where the other plate has a character and this one has none."""

Column = tuple[str, str]


def align(read: str, listed: str) -> list[Column]:
    """Align two texts with the fewest edits (Wagner and Fischer, 1974).

    Returns
    -------
    list[Column]
        What stands in each column in either of them; at most one of the two is `GAP`. Among alignments with as few
        edits, one that puts differing characters under one another comes before one with gaps, and a gap stands
        as far to the right as it can.
    """
    rows, columns = len(read) + 1, len(listed) + 1
    cost = [[max(i, j) if 0 in (i, j) else 0 for j in range(columns)] for i in range(rows)]
    for i in range(1, rows):
        for j in range(1, columns):
            same = cost[i - 1][j - 1] + (read[i - 1] != listed[j - 1])
            cost[i][j] = min(same, cost[i - 1][j] + 1, cost[i][j - 1] + 1)
    found: list[Column] = []
    i, j = rows - 1, columns - 1
    while i or j:
        if j and cost[i][j] == cost[i][j - 1] + 1 and not _substituted(cost, read, listed, i, j):
            j -= 1
            found.append((GAP, listed[j]))
        elif i and cost[i][j] == cost[i - 1][j] + 1 and not _substituted(cost, read, listed, i, j):
            i -= 1
            found.append((read[i], GAP))
        else:
            i, j = i - 1, j - 1
            found.append((read[i], listed[j]))
    return found[::-1]


def misread_pairs(read: str, listed: str) -> list[Column]:
    """Return the columns in which the two differ."""
    return [(seen, true) for seen, true in align(read, listed) if seen != true]


def _substituted(cost: list[list[int]], read: str, listed: str, i: int, j: int) -> bool:
    """Tell whether the last characters of two beginnings may stand under one another."""
    if not (i and j):
        return False
    return cost[i][j] == cost[i - 1][j - 1] + (read[i - 1] != listed[j - 1])
