"""How a hotlist is written on a page: its age, where and when it applies, what publishing would change."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from console.messages import text
from console.times import BRUSSELS
from hotlists.entry import Category, Handling, Priority
from hotlists.shapes import AppliesToShape, ListShape, Preview, WindowShape
from hotlists.store import now_ms
from pipeline.cameras import Camera

_FEW: Final = 3
"""Places that a summary names; more are counted."""
_MINUTE_S: Final = 60
_HOUR_S: Final = 3600
_DAY_S: Final = 86_400


@dataclass(frozen=True, slots=True)
class Age:
    """How long ago the owner's list came last, against how long ago it may be."""

    text: str
    most: str
    """Empty: it never is too old."""
    share: float
    """Of the age that it may have, 0 to 1."""


def span(seconds: int, language: str) -> str:
    """Write a length of time with its two largest units."""
    if seconds < _HOUR_S:
        return text("hotlists.minutes", language).format(minutes=max(0, seconds) // _MINUTE_S)
    if seconds < 2 * _DAY_S:
        hours, rest = divmod(seconds, _HOUR_S)
        key = "hotlists.hours_minutes" if rest // _MINUTE_S else "hotlists.hours"
        return text(key, language).format(hours=hours, minutes=f"{rest // _MINUTE_S:02}")
    days, rest = divmod(seconds, _DAY_S)
    key = "hotlists.days_hours" if rest // _HOUR_S else "hotlists.days"
    return text(key, language).format(days=days, hours=rest // _HOUR_S)


def age(shape: ListShape, language: str) -> Age:
    """Say how old a list is, as `ListShape.stale` counts it: a single entry does not make it younger."""
    old_s = None if shape.fresh_ms is None else max(0, now_ms() - shape.fresh_ms) // 1000
    most_s = shape.max_age_s
    return Age(
        text("hotlists.never", language) if old_s is None else span(old_s, language),
        "" if most_s is None else span(most_s, language),
        1.0 if old_s is None else min(1.0, old_s / most_s) if most_s else 0.0,
    )


def where(applies: AppliesToShape, cameras: Mapping[str, Camera], language: str) -> str:
    """Say where a list applies."""
    named = [*applies.zones, *(cameras[each].name if each in cameras else each for each in applies.cameras)]
    return _few(named, language) if named else text("hotlists.everywhere", language)


def when(applies: AppliesToShape, language: str) -> str:
    """Say when a list applies."""
    windows = [_window(each, language) for each in applies.windows]
    return _few(windows, language, "; ") if windows else text("hotlists.always", language)


def _few(named: Sequence[str], language: str, between: str = ", ") -> str:
    more = len(named) - _FEW
    shown = between.join(named[:_FEW])
    return shown if more <= 0 else " ".join((shown, text("hotlists.and_more", language).format(count=more)))


def _window(window: WindowShape, language: str) -> str:
    parts = [" ".join(text(f"hotlists.day.{each.value}", language) for each in window.days)]
    if window.starts or window.ends:
        parts.append(f"{window.starts or '00:00'}–{window.ends or '24:00'}")
    from_, until = (_minute(each, language) for each in (window.from_ns, window.until_ns))
    if from_ and until:
        parts.append(f"{from_} – {until}")
    elif from_ or until:
        key = "hotlists.from_moment" if from_ else "hotlists.until_moment"
        parts.append(text(key, language).format(moment=from_ or until))
    return " ".join(filter(None, parts)) or text("hotlists.always", language)


def _minute(at_ns: int | None, language: str) -> str:
    """A moment without its seconds and its zone: as whoever made the list gave it."""
    if at_ns is None:
        return ""
    local = datetime.fromtimestamp(at_ns // 1_000_000_000, BRUSSELS)
    return local.strftime("%Y-%m-%d %H:%M" if language == "en" else "%d/%m/%Y %H:%M")


def row(shape: ListShape, cameras: Mapping[str, Camera], language: str) -> dict[str, Any]:
    """Give what the overview shows of a list beside its own fields."""
    return {
        "list": shape,
        "title": shape.title or shape.name,
        "covert": shape.handling is Handling.COVERT,
        "age": age(shape, language),
        "where": where(shape.applies_to, cameras, language),
        "when": when(shape.applies_to, language),
    }


def in_order(shapes: Sequence[ListShape]) -> list[ListShape]:
    """Put lists in the order in which somebody must look at them: stale ones, what waits, the urgent, by title."""
    return sorted(
        shapes, key=lambda each: (not each.stale, not each.staged, each.priority.rank, each.title or each.name)
    )


def bar(preview: Preview) -> list[tuple[str, int, int]]:
    """Give the parts of a preview's bar: what, from where, how wide, in thousandths of all entries concerned."""
    counts = [(name, getattr(preview, name)) for name in ("unchanged", "changed", "added", "removed")]
    total = sum(count for _, count in counts) or 1
    parts, at = [], 0
    for name, count in counts:
        # What is there is seen, however little it is.
        width = max(6, round(1000 * count / total)) if count else 0
        parts.append((name, at, width))
        at += width
    return [part for part in parts if part[2]]


CATEGORIES: Final = tuple(Category)
PRIORITIES: Final = tuple(Priority)
