"""Looking a plate up, the urgent entry and the banners, in French."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

TEXTS: Final[Mapping[str, str]] = {
    "urgent.open": "Urgent",
    "urgent.title": "Mention urgente",
    "urgent.deed": "Ce qui doit se faire",
    "urgent.add": "Ajouter",
    "urgent.remove": "Retirer",
    "urgent.switches": "passe de l’ajout au retrait",
    "urgent.list": "Liste",
    "urgent.why": "Motif",
    "urgent.until": "Valable jusqu’à",
    "urgent.to": "jusqu’au",
    "urgent.priority": "Priorité",
    "urgent.country": "Pays",
    "urgent.country_hint": "Vide : chaque pays",
    "urgent.next": "Continuer",
    "urgent.back": "Retour",
    "urgent.again": "Encore une plaque",
    "urgent.which": "D’où la plaque est retirée",
    "urgent.covert": "discret",
    "urgent.who": "Qui le voit",
    "urgent.is_open": "Tout le monde au desk ; des équipes peuvent être averties",
    "urgent.is_covert": "Seul qui peut connaître cette liste ; jamais les équipes",
    "urgent.no_end": "sans date de fin",
    "urgent.add_go": "Oui, mettre en service",
    "urgent.remove_go": "Oui, retirer maintenant",
    "urgent.added": "En service sur {list}, {until}.",
    "urgent.removed": "Retirée de {list}.",
    "urgent.asking": "On demande aux workers s’ils l’ont…",
    "urgent.all_have": "Les {workers} workers la recherchent, après {s} s.",
    "urgent.all_forgot": "Les {workers} workers ont cessé, après {s} s.",
    "urgent.some_have": "{have} workers sur {workers} l’ont.",
    "urgent.no_workers": "Aucun worker ne se signale : avertissez le technicien, il n’y a peut-être pas de "
    "comparaison.",
    "urgent.nowhere": "Cette plaque n’est sur aucune liste où vous pouvez retirer.",
    "urgent.unread": "Pas cherché",
    "urgent.nowhere_read": "Trouvée nulle part, mais pas cherchée sur {lists} : endommagé. Qui peut rétablir la "
    "liste revient à une version antérieure.",
    "urgent.added_damaged": "Cette liste est endommagée : seuls les workers qui l’avaient déjà la recherchent. "
    "Mettez aussi la plaque sur une autre liste.",
    "urgent.removed_damaged": "Cette liste est endommagée : seuls les workers qui l’avaient déjà ont cessé de "
    "la rechercher.",
    "urgent.away": "La console ne répond pas. Rien n’a changé ; réessayez, ou utilisez lik hotlist.",
    "urgent.wanting_plate": "Donnez la plaque : lettres et chiffres, ou un motif avec ? et *.",
    "urgent.wanting_why": "Donnez le motif : il figure à chaque alerte et dans la piste d’audit.",
    "urgent.wanting_list": "Choisissez une liste. S’il n’y en a pas, un chef de service en crée une.",
    "urgent.unfit": "Un champ est trop long ou a une valeur impossible.",
    "urgent.two_person": "Cette liste demande deux personnes : seul, vous mettez une plaque en service 24 "
    "heures au plus. Choisissez une fin plus proche.",
    "urgent.remove_two_person": "De cette liste, à deux personnes, seul un chef de service retire. "
    "Demandez-le-lui.",
    "technical.stale": "liste(s) périmée(s), leur contenu n’est peut-être plus exact :",
    "technical.desk_away": "Redis ne répond pas : les listes ne peuvent être modifiées, la comparaison continue.",
    "hotlists.find_lead": "Une plaque est-elle sur une liste, de qui, pourquoi et jusqu’à quand ? Chaque "
    "recherche est inscrite avec son motif dans la piste d’audit.",
    "hotlists.find_hint": "Vu en partie ? ? est un caractère, * n’importe quoi ; donnez-en au moins quatre.",
    "hotlists.find_why": "Motif de la recherche (obligatoire)",
    "hotlists.find_plate": "Donnez la plaque que vous cherchez.",
    "hotlists.found_one": "est mentionnée une fois",
    "hotlists.found_more": "est mentionnée {count} fois",
    "hotlists.found_nowhere": "ne figure sur aucune liste que vous puissiez connaître.",
    "hotlists.found_unread": "Pas cherché sur {lists} : endommagé. La plaque peut aussi y figurer.",
    "hotlists.found_nowhere_read": "ne figure sur aucune liste qui ait pu être lue.",
    "hotlists.found_cut": "Les {count} premières : d’autres conviennent. Donnez-en plus de la plaque.",
    "hotlists.found_part": "correspond à {count} mention(s)",
    "hotlists.no_reason": "Pas de motif donné",
    "hotlists.listed_as": "Mentionnée comme",
    "hotlists.listed_since": "Depuis la version",
    "hotlists.no_end": "sans date de fin",
    "hotlists.find_remove": "Retirer de cette liste",
    "hotlists.find_remove_go": "Retirer maintenant",
    "hotlists.find_removed": "Retirée : elle n’est plus recherchée.",
}
