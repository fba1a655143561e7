"""Looking far back: an alert older than `Settings.search_reason_after_days` is opened only after a search that
said why. What was said then holds for `HOLDS_S`, and goes on the trail with every look."""

from __future__ import annotations

import time
from typing import Final

from starlette.exceptions import HTTPException
from starlette.requests import Request

from console.rooms import store_of
from pipeline.alerts.search import Pretext, ReasonNeededError
from pipeline.alerts.viewer import Viewer
from pipeline.model import Alert

HOLDS_S: Final = 1800
_KEY: Final = "pretext"


def remember(request: Request, pretext: Pretext) -> None:
    """Keep what a search was allowed for, in the session."""
    if pretext.reason.strip():
        request.session[_KEY] = [pretext.reason.strip(), pretext.authorisation.strip(), int(time.time())]


def free_from_ns(request: Request) -> int:
    """Return from which moment on alerts are looked at without a reason."""
    return store_of(request).search.free_from_ns()


def why(request: Request, user: Viewer, alert: Alert) -> str:
    """Return why `user` may look at `alert`, for the trail; empty for one that needs no reason.

    Raises
    ------
    HTTPException
        403: it is old, and no search has said why.
    """
    if alert.created_at_ns >= free_from_ns(request):
        return ""
    said = _said(request)
    try:
        store_of(request).search.admit(alert.created_at_ns, user, said)
    except ReasonNeededError:
        raise HTTPException(403, "an alert this old is looked at with a reason; search for it first") from None
    return f"{said.reason} [{said.authorisation}]" if said.authorisation else said.reason


def _said(request: Request) -> Pretext:
    kept = request.session.get(_KEY)
    if not (isinstance(kept, list) and len(kept) == 3 and 0 <= time.time() - kept[2] < HOLDS_S):
        return Pretext()
    return Pretext(str(kept[0]), str(kept[1]))
