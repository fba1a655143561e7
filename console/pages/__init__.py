"""The pages beside the live one: a module for each."""

from __future__ import annotations

from fastapi import APIRouter

from console.pages import (
    audit,
    handover,
    hotlists,
    hotlists_edit,
    hotlists_find,
    hotlists_upload,
    hotlists_urgent,
    map,
    retention,
    rir,
    search,
    statistics,
    tokens,
    unit,
)

PAGES: tuple[APIRouter, ...] = (
    *(each.routes for each in (map, search, handover, rir, unit, statistics, retention, tokens, audit)),
    # Before the page of one list: "new" and "find" are none.
    hotlists_edit.routes,
    hotlists_find.routes,
    hotlists_urgent.routes,
    hotlists_upload.routes,
    hotlists_upload.pages,
    hotlists.routes,
)
