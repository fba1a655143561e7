"""The pages beside the live one: a module for each."""

from __future__ import annotations

from fastapi import APIRouter

from console.pages import audit, handover, map, retention, rir, search, statistics, tokens, unit

PAGES: tuple[APIRouter, ...] = tuple(
    each.routes for each in (map, search, handover, rir, unit, statistics, retention, tokens, audit)
)
