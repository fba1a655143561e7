"""The audit trail, for the auditor: its lines, and the check of its chain."""

from __future__ import annotations

from typing import Annotated, Final

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import Response

from console import auth
from console.body import form
from console.rooms import enter, note, page, store_of
from pipeline.alerts.store import Viewer
from pipeline.alerts.trail import Verification

LINES: Final = 200

routes = APIRouter(include_in_schema=False)
Visitor = Annotated[Viewer, Depends(enter("audit"))]


@routes.get("/audit")
async def audit_page(
    request: Request, user: Visitor, before: Annotated[int | None, Query(ge=0, lt=2**63)] = None
) -> Response:
    """Show the latest lines, or those before a moment (ns)."""
    await note(request, user, "page.view", "audit")
    return await _page(request, user, before, None)


@routes.post("/audit")
async def verify(request: Request, user: Visitor) -> Response:
    """Check the chain from its beginning to its head."""
    auth.check_csrf(request, (await form(request)).get("csrf"))
    await note(request, user, "audit.verify", "audit")
    return await _page(request, user, None, await store_of(request).trail.verify())


async def _page(request: Request, user: Viewer, before_ns: int | None, checked: Verification | None) -> Response:
    lines = await store_of(request).trail.lines(user, limit=LINES, before_ns=before_ns)
    older = lines[-1].at_ns if len(lines) == LINES else None
    return page(request, "audit", user, lines=lines, older=older, before=before_ns, checked=checked)
