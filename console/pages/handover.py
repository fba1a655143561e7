"""The hand-over of a shift: what there was, and what the next one takes over."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import Response

from console.preferences import language_of
from console.present import alert_row
from console.rooms import enter, note, page, store_of
from hotlists.entry import Priority
from pipeline import telemetry
from pipeline.alerts.store import Verdict, Viewer

_HOUR_NS = 3_600_000_000_000

routes = APIRouter(include_in_schema=False)
Visitor = Annotated[Viewer, Depends(enter("handover"))]


@routes.get("/handover")
async def handover_page(
    request: Request, user: Visitor, hours: Annotated[int, Query(ge=1, le=168)] = 12
) -> Response:
    """Sum up the last `hours`."""
    await note(request, user, "page.view", "handover", f"{hours} h")
    since_ns = telemetry.now_ns() - hours * _HOUR_NS
    summary = await store_of(request).figures.hand_over(user, since_ns=since_ns)
    cameras, language = request.app.state.cameras, language_of(request)
    return page(
        request,
        "handover",
        user,
        hours=hours,
        summary=summary,
        open_alerts=[alert_row(row, cameras, language) for row in summary.open],
        priorities=list(Priority),
        verdicts=list(Verdict),
    )
