"""The two figures of ``docs/matching.md``, as SVG, from what `bench.match_recall` measured."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

_WIDTH_PX: Final = 640
_HEIGHT_PX: Final = 420
_LEFT_PX: Final = 64
_RIGHT_PX: Final = 24
_TOP_PX: Final = 40
_BOTTOM_PX: Final = 56
_COLOURS: Final = ("#0b5fa5", "#c2410c", "#166534", "#6b21a8", "#444444")


@dataclass(frozen=True, slots=True)
class Line:
    """A named curve, or a single point."""

    name: str
    points: Sequence[tuple[float, float]]


def recall_figure(recall: dict[str, Any]) -> str:
    """Recall of misread listed vehicles over false near-hits per 10,000 reads, and the rules as points."""
    lines = [
        Line(label, [(each["false_per_10000"], each["recall"]) for each in recall[name]["curve"]])
        for name, label in (("text", "posterior, text alone"), ("probabilities", "posterior, reader's own"))
    ]
    lines += [Line(name, [(each["false_per_10000"], each["recall"])]) for name, each in recall["rules"].items()]
    title = f"One character misread, {recall['entries']:,} entries"
    return _draw(title, ("false near-hits per 10,000 reads", "listed vehicles found"), lines, logarithmic=True)


def reliability_figure(bins: dict[str, list[dict[str, float]]]) -> str:
    """Share of hits that are right over their posterior."""
    lines = [Line(name, [(each["posterior"], each["right"]) for each in points]) for name, points in bins.items()]
    lines.append(Line("as it should be", [(0.0, 0.0), (1.0, 1.0)]))
    return _draw("Is a posterior right as often as it says?", ("posterior", "share that is right"), lines)


def write(folder: Path, recall: dict[str, Any], bins: dict[str, list[dict[str, float]]]) -> None:
    """Write both figures into `folder`."""
    (folder / "matching-recall.svg").write_text(recall_figure(recall), encoding="utf-8")
    (folder / "matching-reliability.svg").write_text(reliability_figure(bins), encoding="utf-8")


def _draw(title: str, axes: tuple[str, str], lines: Sequence[Line], *, logarithmic: bool = False) -> str:
    decades = (-2, 4)
    plot_width, plot_height = _WIDTH_PX - _LEFT_PX - _RIGHT_PX, _HEIGHT_PX - _TOP_PX - _BOTTOM_PX

    def across(value: float) -> float:
        share = value
        if logarithmic:
            share = (math.log10(max(value, 10.0 ** decades[0])) - decades[0]) / (decades[1] - decades[0])
        return _LEFT_PX + plot_width * min(1.0, share)

    def up(value: float) -> float:
        return _TOP_PX + plot_height * (1.0 - value)

    ticks = [(10.0**power, f"{10.0**power:g}") for power in range(decades[0], decades[1] + 1)]
    if not logarithmic:
        ticks = [(step / 5, f"{step / 5:g}") for step in range(6)]
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH_PX} {_HEIGHT_PX}" '
        'font-family="sans-serif" font-size="13">',
        f'<rect width="{_WIDTH_PX}" height="{_HEIGHT_PX}" fill="#ffffff"/>',
        f'<text x="{_LEFT_PX}" y="22" font-size="15" font-weight="bold">{title}</text>',
    ]
    for value, label in ticks:
        x = across(value)
        parts.append(f'<path d="M{x:.1f} {_TOP_PX}V{_TOP_PX + plot_height}" stroke="#dddddd"/>')
        parts.append(f'<text x="{x:.1f}" y="{_TOP_PX + plot_height + 18}" text-anchor="middle">{label}</text>')
    for step in range(6):
        y = up(step / 5)
        parts.append(f'<path d="M{_LEFT_PX} {y:.1f}H{_LEFT_PX + plot_width}" stroke="#dddddd"/>')
        parts.append(f'<text x="{_LEFT_PX - 8}" y="{y + 4:.1f}" text-anchor="end">{step * 20}%</text>')
    middle = _LEFT_PX + plot_width / 2
    parts.append(f'<text x="{middle}" y="{_HEIGHT_PX - 14}" text-anchor="middle">{axes[0]}</text>')
    parts.append(f'<text x="{_LEFT_PX}" y="{_TOP_PX - 6}" fill="#555555">{axes[1]}</text>')
    parts += [each for number, line in enumerate(lines) for each in _line(number, line, across, up)]
    return "\n".join([*parts, "</svg>", ""])


def _line(number: int, line: Line, across: Callable[[float], float], up: Callable[[float], float]) -> list[str]:
    colour = _COLOURS[number % len(_COLOURS)]
    places = [(across(x), up(y)) for x, y in sorted(line.points)]
    legend_y = _HEIGHT_PX - _BOTTOM_PX - 16 - 20 * number
    legend_x = _WIDTH_PX - _RIGHT_PX - 250
    parts = []
    if len(places) == 1:
        x, y = places[0]
        mark = '<circle cx="{:.1f}" cy="{:.1f}" r="5" fill="{}"/>'
        parts += [mark.format(x, y, colour), mark.format(legend_x + 12, legend_y - 4, colour)]
    else:
        path = "L".join(f"{x:.1f} {y:.1f}" for x, y in places)
        parts.append(f'<path d="M{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
        parts.append(f'<path d="M{legend_x} {legend_y - 4}h24" stroke="{colour}" stroke-width="2"/>')
    parts.append(f'<text x="{legend_x + 32}" y="{legend_y}">{line.name}</text>')
    return parts
