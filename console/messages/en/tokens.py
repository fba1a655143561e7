"""The page of the API tokens, in English."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

TEXTS: Final[Mapping[str, str]] = {
    "tokens.title": "API tokens",
    "tokens.lead": "Another program asks for data with one of these. No token sees a covert alert. Who "
    "did what with which token is on the audit trail.",
    "tokens.name": "Name",
    "tokens.name_hint": "Small letters, digits and hyphens; one name for each program.",
    "tokens.days": "Holds for",
    "tokens.scopes": "What it allows",
    "tokens.make": "Make a token",
    "tokens.made": "This is the token of {name}. Keep it now: it is never shown again.",
    "tokens.there_are": "The tokens there are",
    "tokens.made_by": "Made by",
    "tokens.until": "Holds until",
    "tokens.standing": "Standing",
    "tokens.revoke": "Revoke",
    "tokens.revoked": "Revoked by {by}",
    "tokens.expired": "Expired",
    "tokens.none": "No token has been made yet.",
    "tokens.invalid": "Give a name, a time and at least one right.",
    "tokens.taken": "A token has, or had, this name: choose another one.",
    "tokens.in_settings": "In the settings as well (LIK_API_TOKENS): {names}.",
    "tokens.scope.alerts:read": "read the newest open alerts",
    "tokens.scope.figures:read": "read counts per list and per camera",
    "tokens.scope.hotlists:search": "ask whether a plate is on an open list",
    "tokens.scope.hotlists:load": "upload and check lists, add or remove one plate at once, export",
    "tokens.scope.hotlists:publish": "publish, roll back, make, describe and archive lists",
    "tokens.scope.hotlists:write": "load and publish",
    "tokens.scope.hotlists:covert": "reach covert lists too with the other rights",
}
