"""Looking a plate up, the urgent entry and the banners, in Dutch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

TEXTS: Final[Mapping[str, str]] = {
    "urgent.open": "Dringend",
    "urgent.title": "Dringende vermelding",
    "urgent.deed": "Wat er moet gebeuren",
    "urgent.add": "Toevoegen",
    "urgent.remove": "Schrappen",
    "urgent.switches": "wisselt tussen toevoegen en schrappen",
    "urgent.list": "Lijst",
    "urgent.why": "Reden",
    "urgent.until": "Geldig tot",
    "urgent.to": "tot",
    "urgent.priority": "Prioriteit",
    "urgent.country": "Land",
    "urgent.country_hint": "Leeg: elk land",
    "urgent.next": "Verder",
    "urgent.back": "Terug",
    "urgent.again": "Nog een plaat",
    "urgent.which": "Waar de plaat geschrapt wordt",
    "urgent.covert": "discreet",
    "urgent.who": "Wie het ziet",
    "urgent.is_open": "Iedereen aan de desk; ploegen kunnen verwittigd worden",
    "urgent.is_covert": "Alleen wie van deze lijst mag weten; ploegen nooit",
    "urgent.no_end": "zonder einddatum",
    "urgent.add_go": "Ja, nu live zetten",
    "urgent.remove_go": "Ja, nu schrappen",
    "urgent.added": "Live op {list}, {until}.",
    "urgent.removed": "Geschrapt van {list}.",
    "urgent.asking": "De workers worden gevraagd of ze het hebben…",
    "urgent.all_have": "Alle {workers} workers zoeken ernaar, na {s} s.",
    "urgent.all_forgot": "Alle {workers} workers zijn ermee opgehouden, na {s} s.",
    "urgent.some_have": "{have} van {workers} workers hebben het.",
    "urgent.no_workers": "Geen enkele worker meldt zich: verwittig de technieker, er wordt misschien niet "
    "vergeleken.",
    "urgent.nowhere": "Deze plaat staat op geen enkele lijst waar u iets mag schrappen.",
    "urgent.unread": "Niet gezocht",
    "urgent.nowhere_read": "Nergens gevonden, maar niet gezocht op {lists}: beschadigd. Wie de lijst mag "
    "herstellen, gaat terug naar een vorige versie.",
    "urgent.added_damaged": "Deze lijst is beschadigd: alleen workers die ze al hadden, zoeken ernaar. Zet de "
    "plaat ook op een andere lijst.",
    "urgent.removed_damaged": "Deze lijst is beschadigd: alleen workers die ze al hadden, zijn ermee opgehouden.",
    "urgent.away": "De console antwoordt niet. Er is niets gewijzigd; probeer opnieuw, of gebruik lik hotlist.",
    "urgent.wanting_plate": "Geef de plaat: letters en cijfers, of een patroon met ? en *.",
    "urgent.wanting_why": "Geef de reden: ze staat bij elke melding en in het auditspoor.",
    "urgent.wanting_list": "Kies een lijst. Staat er geen, dan maakt een diensthoofd er een.",
    "urgent.unfit": "Een veld is te lang of heeft een waarde die niet kan.",
    "urgent.two_person": "Deze lijst vraagt twee personen: alleen zet u een plaat hoogstens 24 uur live. Kies "
    "een vroeger einde.",
    "urgent.remove_two_person": "Van deze lijst, met twee personen, schrapt alleen een diensthoofd. Vraag het "
    "daar.",
    "technical.stale": "verouderde lijst(en), wat erop staat klopt misschien niet meer:",
    "technical.desk_away": "Redis antwoordt niet: lijsten kunnen niet gewijzigd worden, het vergelijken gaat "
    "door.",
    "hotlists.find_lead": "Staat een plaat op een lijst, van wie, waarom en tot wanneer? Elke opzoeking komt "
    "met haar reden in het auditspoor.",
    "hotlists.find_hint": "Een deel gezien? ? is één teken, * is om het even wat; geef er minstens vier.",
    "hotlists.find_why": "Reden van de opzoeking (verplicht)",
    "hotlists.find_plate": "Geef de plaat die u zoekt.",
    "hotlists.found_one": "staat één keer vermeld",
    "hotlists.found_more": "staat {count} keer vermeld",
    "hotlists.found_nowhere": "staat op geen enkele lijst die u mag kennen.",
    "hotlists.found_unread": "Niet gezocht op {lists}: beschadigd. De plaat kan daar ook op staan.",
    "hotlists.found_nowhere_read": "staat op geen lijst die gelezen kon worden.",
    "hotlists.found_cut": "De eerste {count}: er passen er meer. Geef meer van de plaat.",
    "hotlists.found_part": "past op {count} vermelding(en)",
    "hotlists.no_reason": "Geen reden opgegeven",
    "hotlists.listed_as": "Vermeld als",
    "hotlists.listed_since": "Sinds versie",
    "hotlists.no_end": "zonder einddatum",
    "hotlists.find_remove": "Van deze lijst schrappen",
    "hotlists.find_remove_go": "Nu schrappen",
    "hotlists.find_removed": "Geschrapt: er wordt niet meer naar gezocht.",
}
