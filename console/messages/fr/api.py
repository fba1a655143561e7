"""The page of the API, in French.

What each operation and field means is in English: it is the description itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

TEXTS: Final[Mapping[str, str]] = {
    "api.lead": "Joignez à chaque requête un jeton d’API, sous la forme {header}. "
    "La description complète, pour un programme, se trouve dans",
    "api.operations": "Requêtes",
    "api.parameter": "Paramètre",
    "api.where": "Emplacement",
    "api.type": "Type",
    "api.meaning": "Signification",
    "api.body": "Contenu",
    "api.answer": "Réponse",
    "api.shapes": "Formes",
    "api.field": "Champ",
}
