"""The page of the API, in Dutch.

What each operation and field means is in English: it is the description itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

TEXTS: Final[Mapping[str, str]] = {
    "api.lead": "Geef bij elke vraag een API-token mee, als {header}. "
    "De volledige beschrijving voor een programma staat in",
    "api.operations": "Verzoeken",
    "api.parameter": "Parameter",
    "api.where": "Plaats",
    "api.type": "Type",
    "api.meaning": "Betekenis",
    "api.body": "Inhoud",
    "api.answer": "Antwoord",
    "api.shapes": "Vormen",
    "api.field": "Veld",
}
