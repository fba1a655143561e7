"""The map of the cameras, and what was seen at each."""

from __future__ import annotations

from typing import Annotated, Final

import msgspec
from fastapi import APIRouter, Depends, Request
from fastapi.responses import JSONResponse, Response
from starlette.exceptions import HTTPException

from console.preferences import language_of
from console.present import alert_row
from console.rooms import enter, note, page, store_of, where
from pipeline.alerts.search import Pretext, Query
from pipeline.alerts.store import Viewer

SHOWN: Final = 20

routes = APIRouter(include_in_schema=False)
Visitor = Annotated[Viewer, Depends(enter("map"))]


@routes.get("/map")
async def map_page(request: Request, user: Visitor) -> Response:
    """Show the map; the script draws it."""
    await note(request, user, "page.view", "map")
    cameras = sorted(request.app.state.cameras.values(), key=lambda each: (each.area, each.name))
    return page(request, "map", user, cameras=cameras, tiles=request.app.state.settings.console_tiles)


@routes.get("/map/cameras.json")
async def cameras(request: Request, user: Visitor) -> Response:
    """Give the registry of cameras."""
    return JSONResponse([msgspec.to_builtins(each) for each in request.app.state.cameras.values()])


@routes.get("/map/cameras/{camera_id}/alerts")
async def alerts_at(request: Request, camera_id: str, user: Visitor) -> Response:
    """Give the latest alerts with a sighting at a camera."""
    if camera_id not in request.app.state.cameras:
        raise HTTPException(404, "there is no such camera")
    found = await store_of(request).search.find(
        Query(camera=camera_id), user, pretext=Pretext(where=where(request)), limit=SHOWN
    )
    language = language_of(request)
    return JSONResponse([alert_row(row, request.app.state.cameras, language) for row in found.rows])
