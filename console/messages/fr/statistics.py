"""The statistics, in French."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

TEXTS: Final[Mapping[str, str]] = {
    # Statistics
    "statistics.title": "Statistiques",
    "statistics.days": "jours",
    "statistics.show": "Afficher",
    "statistics.lists": "Listes",
    "statistics.cameras": "Caméras",
    "statistics.stages": "Temps de traitement face au budget",
    "statistics.list": "Liste",
    "statistics.alerts": "Alertes",
    "statistics.verdicts": "Évaluations",
    "statistics.precision": "Exactes",
    "statistics.camera": "Caméra",
    "statistics.hits": "Résultats",
    "statistics.last_hit": "Dernier résultat",
    "statistics.stage": "Étape",
    "statistics.p50": "médiane",
    "statistics.p99": "p99",
    "statistics.max": "maximum",
    "statistics.budget": "budget",
    "statistics.late": "en retard",
    "statistics.nothing": "Pas encore de chiffres dans cette période.",
    "statistics.silent": "pas encore de résultat",
    "statistics.span.frame_to_read": "de l’image à la lecture",
    "statistics.span.read_to_hit": "de la lecture au résultat",
    "statistics.span.ocr": "lecture de l’image",
    "statistics.span.match": "comparaison aux listes",
    "statistics.span.alert": "création de l’alerte",
    "statistics.span.read_to_alert": "de la lecture à l’alerte",
    "statistics.span.frame_to_alert": "de l’image à l’alerte",
}
