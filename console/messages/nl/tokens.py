"""The page of the API tokens, in Dutch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

TEXTS: Final[Mapping[str, str]] = {
    "tokens.title": "API-tokens",
    "tokens.lead": "Hiermee vraagt een ander programma gegevens op. Geen enkel token ziet een discrete "
    "melding. Wie wat met welk token deed, staat in het auditspoor.",
    "tokens.name": "Naam",
    "tokens.name_hint": "Kleine letters, cijfers en koppeltekens; één naam per programma.",
    "tokens.days": "Geldig gedurende",
    "tokens.scopes": "Wat het mag",
    "tokens.make": "Token maken",
    "tokens.made": "Dit is het token van {name}. Bewaar het nu: het wordt nooit meer getoond.",
    "tokens.there_are": "Tokens die er zijn",
    "tokens.made_by": "Gemaakt door",
    "tokens.until": "Geldig tot",
    "tokens.standing": "Toestand",
    "tokens.revoke": "Intrekken",
    "tokens.revoked": "Ingetrokken door {by}",
    "tokens.expired": "Verlopen",
    "tokens.none": "Er is nog geen token gemaakt.",
    "tokens.invalid": "Geef een naam, een termijn en minstens één recht.",
    "tokens.taken": "Deze naam is of was al die van een token: kies een andere.",
    "tokens.in_settings": "Ook in de instellingen (LIK_API_TOKENS): {names}.",
    "tokens.scope.alerts:read": "de nieuwste open meldingen lezen",
    "tokens.scope.figures:read": "cijfers per lijst en per camera lezen",
    "tokens.scope.hotlists:search": "vragen of een plaat op een open lijst staat",
    "tokens.scope.hotlists:load": "lijsten opladen en nakijken, één plaat meteen toevoegen of schrappen, "
    "uitvoeren",
    "tokens.scope.hotlists:publish": "publiceren, terugzetten, lijsten maken, beschrijven en archiveren",
    "tokens.scope.hotlists:write": "opladen en publiceren",
    "tokens.scope.hotlists:covert": "met de andere rechten ook aan discrete lijsten",
}
