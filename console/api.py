"""What a program may ask, with an API token: alerts and figures; see `console.tokens` for the scopes."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request

from console.present import alert_row
from console.reach import free_from_ns
from console.rooms import note, store_of
from console.tokens import scope
from pipeline import telemetry
from pipeline.alerts.store import Viewer
from pipeline.model import LAST_NS

_DAY_NS = 86_400_000_000_000

routes = APIRouter(prefix="/api", tags=["desk"])

MayReadAlerts = Annotated[Viewer, Depends(scope("alerts:read"))]
MayReadFigures = Annotated[Viewer, Depends(scope("figures:read"))]
_ANSWERS: dict[int | str, dict[str, Any]] = {
    401: {"description": "No token, or an unknown one", "content": {"application/problem+json": {}}},
    403: {"description": "The token lacks the scope", "content": {"application/problem+json": {}}},
    422: {"description": "A parameter is not what it must be", "content": {"application/problem+json": {}}},
}


@routes.get("/alerts", responses=_ANSWERS)
async def alerts(
    request: Request,
    holder: MayReadAlerts,
    before_ms: Annotated[
        int | None, Query(ge=0, le=LAST_NS // 1_000_000, description="Made before this moment, ms")
    ] = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
) -> list[dict[str, Any]]:
    """Give the newest open alerts, newest first, as far back as needs no reason."""
    before_ns = None if before_ms is None else before_ms * 1_000_000
    rows = await store_of(request).latest(limit, holder, before_ns=before_ns)
    await note(request, holder, "api.alerts", "alerts", f"limit {limit}")
    oldest_ns = free_from_ns(request)
    shown = [row for row in rows if row.alert.created_at_ns >= oldest_ns]
    return [alert_row(row, request.app.state.cameras, "en") for row in shown]


@routes.get("/figures", responses=_ANSWERS)
async def figures(
    request: Request, holder: MayReadFigures, days: Annotated[int, Query(ge=1, le=366)] = 7
) -> dict[str, Any]:
    """Give counts per list and per camera of the last days, over open alerts."""
    since_ns = telemetry.now_ns() - days * _DAY_NS
    counted = store_of(request).figures
    await note(request, holder, "api.figures", "figures", f"{days} d")
    return {
        "lists": [
            {"list": each.hotlist, "alerts": each.alerts, "verdicts": each.by_verdict, "precision": each.precision}
            for each in await counted.per_list(holder, since_ns=since_ns)
        ],
        "cameras": [
            {"camera": each.camera, "hits": each.hits, "last_hit_ms": each.last_hit_ns // 1_000_000}
            for each in await counted.per_camera(holder, since_ns=since_ns)
        ],
    }
