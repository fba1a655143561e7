"""The page of the API tokens, in French."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

TEXTS: Final[Mapping[str, str]] = {
    "tokens.title": "Jetons d’API",
    "tokens.lead": "Un autre programme demande ainsi des données. Aucun jeton ne voit une alerte "
    "discrète. Qui a fait quoi avec quel jeton figure dans la piste d’audit.",
    "tokens.name": "Nom",
    "tokens.name_hint": "Minuscules, chiffres et traits d’union ; un nom par programme.",
    "tokens.days": "Valable pendant",
    "tokens.scopes": "Ce qu’il permet",
    "tokens.make": "Créer un jeton",
    "tokens.made": "Voici le jeton de {name}. Gardez-le maintenant : il ne sera plus jamais montré.",
    "tokens.there_are": "Jetons existants",
    "tokens.made_by": "Créé par",
    "tokens.until": "Valable jusqu’au",
    "tokens.standing": "Statut",
    "tokens.revoke": "Révoquer",
    "tokens.revoked": "Révoqué par {by}",
    "tokens.expired": "Expiré",
    "tokens.none": "Aucun jeton n’a encore été créé.",
    "tokens.invalid": "Donnez un nom, une durée et au moins un droit.",
    "tokens.taken": "Ce nom est ou était celui d’un jeton : choisissez-en un autre.",
    "tokens.in_settings": "Également dans les paramètres (LIK_API_TOKENS) : {names}.",
    "tokens.scope.alerts:read": "lire les alertes ouvertes les plus récentes",
    "tokens.scope.figures:read": "lire les chiffres par liste et par caméra",
    "tokens.scope.hotlists:search": "demander si une plaque figure sur une liste ouverte",
    "tokens.scope.hotlists:load": "charger et vérifier des listes, ajouter ou retirer aussitôt une plaque, "
    "exporter",
    "tokens.scope.hotlists:publish": "publier, rétablir, créer, décrire et archiver des listes",
    "tokens.scope.hotlists:write": "charger et publier",
    "tokens.scope.hotlists:covert": "étendre les autres droits aux listes discrètes",
}
