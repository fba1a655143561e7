"""How long what is kept, and what was removed."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response

from console.rooms import enter, note, page, store_of
from pipeline.alerts.retention import periods_days
from pipeline.alerts.store import Viewer

routes = APIRouter(include_in_schema=False)
Visitor = Annotated[Viewer, Depends(enter("retention"))]


@routes.get("/retention")
async def retention_page(request: Request, user: Visitor) -> Response:
    """Show what is kept of what `user` may see, for how long, and what was removed."""
    await note(request, user, "page.view", "retention")
    retention, settings = store_of(request).retention, request.app.state.settings
    return page(
        request,
        "retention",
        user,
        kinds=set(periods_days(settings)),
        kept=await retention.kept(user, settings),
        removals=await retention.removals(user),
        reason_after_days=settings.search_reason_after_days,
    )
