"""Plots that the server draws: SVG paths in a page, without a script and without a style of their own."""

from __future__ import annotations

from collections.abc import Sequence


def bars(values: Sequence[int], top: int, height: float = 20.0) -> str:
    """Return the path of bars, a unit wide each, from the left; `top` is as high as `height`.

    What is more than nothing is at least half a unit high: one read must not look as none.
    """
    scale = height / max(1, top)
    parts = []
    for number, value in enumerate(values):
        if value:
            high = max(0.5, value * scale)
            parts.append(f"M{number + 0.1:g} {height:g}v{-high:.2f}h.8v{high:.2f}z")
    return "".join(parts)


def line(values: Sequence[float | None], top: float, height: float = 20.0) -> str:
    """Return the path of a line through the middle of each unit; it breaks where there is no value."""
    parts, drawn = [], False
    for number, value in enumerate(values):
        if value is None:
            drawn = False
            continue
        at = f"{number + 0.5:g} {height - height * min(value, top) / top:.2f}"
        # A point that stands alone is drawn as a short dash: a line needs two ends to be seen.
        alone = not drawn and (number + 1 == len(values) or values[number + 1] is None)
        parts.append(f"M{at}m-.4 0h.8" if alone else f"{'L' if drawn else 'M'}{at}")
        drawn = True
    return "".join(parts)
