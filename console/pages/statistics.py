"""Statistics: per list, per camera and per stage, drawn as plots."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import Response

from console.rooms import enter, note, page, store_of
from pipeline import telemetry
from pipeline.alerts.store import Verdict, Viewer

_DAY_NS = 86_400_000_000_000

routes = APIRouter(include_in_schema=False)
Visitor = Annotated[Viewer, Depends(enter("statistics"))]


@routes.get("/statistics")
async def statistics_page(
    request: Request, user: Visitor, days: Annotated[int, Query(ge=1, le=366)] = 7
) -> Response:
    """Show the figures of the last `days`, counted over what `user` may see."""
    await note(request, user, "page.view", "statistics", f"{days} d")
    figures, state = store_of(request).figures, request.app.state
    since_ns = telemetry.now_ns() - days * _DAY_NS
    hits = {each.camera: each for each in await figures.per_camera(user, since_ns=since_ns)}
    cameras = [
        (camera.name, hits.get(camera.id)) for camera in sorted(state.cameras.values(), key=lambda each: each.name)
    ]
    cameras += [(name, each) for name, each in hits.items() if name not in state.cameras]
    return page(
        request,
        "statistics",
        user,
        days=days,
        lists=await figures.per_list(user, since_ns=since_ns),
        cameras=sorted(cameras, key=lambda each: (-(each[1].hits if each[1] else 0), each[0])),
        stages=await figures.per_stage(user, telemetry.budgets_ms(state.settings)),
        verdicts=[each.value for each in Verdict] + ["none"],
    )
