"""Statistics: per camera, per list and per stage, drawn as plots; and what is wrong with the cameras."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import JSONResponse, RedirectResponse, Response
from starlette.exceptions import HTTPException

from console import auth
from console.body import form
from console.pages.plots import bars, line
from console.rooms import enter, note, page, store_of, where
from pipeline import telemetry
from pipeline.alerts.camera_book import NS, CameraTotal, UnknownNoticeError
from pipeline.alerts.figures import CameraFigures, StageFigures
from pipeline.alerts.store import Verdict, Viewer
from pipeline.alerts.watch import CLOCK_WINDOW_S, Clock, clocks, usual_delay_ms
from pipeline.cameras import Camera

routes = APIRouter(include_in_schema=False)
Visitor = Annotated[Viewer, Depends(enter("statistics"))]
_NOBODY: Final = Clock(None, 0, 0, 0)


class Period(StrEnum):
    """How far back the figures go."""

    HOUR = "1h"
    DAY = "24h"
    WEEK = "7d"
    MONTH = "30d"


_PARTS: Final[Mapping[Period, tuple[int, int]]] = {
    Period.HOUR: (30, 120),
    Period.DAY: (24, 3600),
    Period.WEEK: (28, 6 * 3600),
    Period.MONTH: (30, 24 * 3600),
}
"""In how many parts a period is drawn, and how many seconds each has."""


@dataclass(frozen=True, slots=True)
class CameraRow:
    """A line of the table of cameras."""

    name: str
    total: CameraTotal | None
    hits: CameraFigures | None
    last_ns: int | None
    clock: Clock
    wrong: list[str]
    """Kinds of the notices that are open."""
    bars: str
    alone_ms: int | None
    """How far its clock is off, the delay that all cameras have aside."""

    @property
    def state(self) -> str:
        """``quiet``, ``ahead`` or ``behind``; ``never`` for one that never spoke, else ``well``."""
        return self.wrong[0] if self.wrong else "never" if self.last_ns is None else "well"


@routes.get("/statistics")
async def statistics_page(
    request: Request, user: Visitor, period: Annotated[Period, Query()] = Period.DAY
) -> Response:
    """Show the figures of the last `period`; those of lists, hits and stages over what `user` may see."""
    await note(request, user, "page.view", "statistics", period.value)
    store, state = store_of(request), request.app.state
    parts, part_s = _PARTS[period]
    now_s = telemetry.now_ns() // NS
    until_s = (now_s // part_s + 1) * part_s if part_s <= 3600 else (now_s // 3600 + 1) * 3600
    since_s = until_s - parts * part_s
    totals = await store.cameras.totals(since_s, until_s, parts)
    rows = await _rows(request, user, totals, since_s)
    whole = [sum(each.bars[number] for each in totals.values()) for number in range(parts)]
    refused = sum(each.rejects for each in totals.values())
    stages = await store.figures.per_stage(
        user, telemetry.budgets_ms(state.settings), since_ns=since_s * NS, parts=parts
    )
    return page(
        request,
        "statistics",
        user,
        period=period,
        periods=list(Period),
        slots=parts,
        whole=whole,
        whole_path=bars(whole, max(whole), 60.0),
        reads=sum(whole),
        refused=refused,
        since_ns=since_s * NS,
        until_ns=min(until_s, now_s) * NS,
        cameras=rows,
        unknown=totals.get(""),
        notices=[(each, _name(state.cameras, each.camera)) for each in await store.cameras.notices()],
        lists=await store.figures.per_list(user, since_ns=since_s * NS),
        stages=[(each, *_stage_plot(each)) for each in stages],
        verdicts=[each.value for each in Verdict] + ["none"],
    )


@routes.get("/statistics/notices")
async def notices(request: Request, user: Visitor) -> Response:
    """Count what is wrong with cameras and nobody has acknowledged: for the bar of every page."""
    return JSONResponse({"waiting": await store_of(request).cameras.waiting()})


@routes.post("/statistics/notices/{notice_id}")
async def acknowledge(request: Request, user: Visitor, notice_id: str) -> Response:
    """Note that `user` has seen what is wrong with a camera."""
    given = await form(request)
    auth.check_csrf(request, given.get("csrf"))
    try:
        await store_of(request).cameras.acknowledge(notice_id, by=user.name, where=where(request))
    except UnknownNoticeError as error:
        raise HTTPException(404, "there is no such notice") from error
    return RedirectResponse("/statistics#notices", 303)


async def _rows(
    request: Request, user: Viewer, totals: Mapping[str, CameraTotal], since_s: int
) -> list[CameraRow]:
    """Make a row of each camera, those with something wrong first, then those with most reads."""
    store, registry = store_of(request), request.app.state.cameras
    hits = {each.camera: each for each in await store.figures.per_camera(user, since_ns=since_s * NS)}
    seen = await store.cameras.seen()
    found = clocks(await store.cameras.minutes(telemetry.now_ns() // NS - CLOCK_WINDOW_S))
    found.pop("", None)
    usual_ms = usual_delay_ms(found)
    wrong: dict[str, list[str]] = {}
    for notice in await store.cameras.notices():
        if notice.cleared_at_ns is None:
            wrong.setdefault(notice.camera, []).append(notice.kind)
    top = max((max(each.bars) for camera, each in totals.items() if camera), default=0)
    rows = []
    for camera in (set(registry) | set(totals) | set(hits) | set(seen)) - {""}:
        clock, total = found.get(camera, _NOBODY), totals.get(camera)
        rows.append(
            CameraRow(
                name=_name(registry, camera),
                total=total,
                hits=hits.get(camera),
                last_ns=seen.get(camera),
                clock=clock,
                wrong=wrong.get(camera, []),
                bars=bars(total.bars, top) if total else "",
                alone_ms=_alone_ms(clock, usual_ms),
            )
        )
    return sorted(rows, key=lambda row: (not row.wrong, -(row.total.reads if row.total else 0), row.name))


def _alone_ms(clock: Clock, usual_ms: float) -> int | None:
    """Return how far a clock is behind (above 0) or ahead; a delay below the usual one is no clock's fault."""
    if clock.off_ms is None:
        return None
    return clock.off_ms if clock.off_ms < 0 else max(0, round(clock.off_ms - usual_ms))


def _name(registry: Mapping[str, Camera], camera: str) -> str:
    return registry[camera].name if camera in registry else camera


def _stage_plot(stage: StageFigures) -> tuple[str, float]:
    """Return the path of a stage's line, and how high its budget stands (of 20; 0 where it has none)."""
    top = 1.15 * max(stage.budget_ms or 0.0, *(each or 0.0 for each in stage.line), 0.001)
    budget = 20.0 - 20.0 * stage.budget_ms / top if stage.budget_ms is not None else 0.0
    return line(stage.line, top), round(budget, 2)
