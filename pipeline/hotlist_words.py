"""What ``lik hotlist`` says, in Dutch where the terminal is Dutch, else in English."""

from __future__ import annotations

import os
from typing import Final

WORDS: Final[dict[str, tuple[str, str]]] = {
    "accepted": ("rijen aanvaard", "rows accepted"),
    "rejected": ("rijen geweigerd", "rows rejected"),
    "duplicates": ("dubbele rijen", "duplicate rows"),
    "implausible": ("onwaarschijnlijke platen", "implausible plates"),
    "added": ("toegevoegd", "added"),
    "removed": ("verwijderd", "removed"),
    "entry.added": (
        "{name}: {plate} staat op de lijst (tot: {until})",
        "{name}: {plate} is listed (until: {until})",
    ),
    "changed": ("gewijzigd", "changed"),
    "unchanged": ("ongewijzigd", "unchanged"),
    "entry.removed": ("{name}: {plate} is van de lijst", "{name}: {plate} is off the list"),
    "archived": (
        "{name} is gearchiveerd: er wordt niets meer van gezocht",
        "{name} is archived: nothing is matched",
    ),
    "restored": ("{name} is weer in gebruik; publiceer een versie", "{name} is in use again; publish a version"),
    "discarded": ("versie {number} van {name} is weggegooid", "version {number} of {name} is discarded"),
    "published": ("versie {number} van {name} is gepubliceerd", "version {number} of {name} is published"),
    "staged": ("versie {number} van {name} staat klaar", "version {number} of {name} is staged"),
    "until": ("tot", "until"),
    "nowhere": ("{plate}: op geen enkele lijst", "{plate}: on no list"),
    "few": ("minder dan 20", "fewer than 20"),
    "lookback": (
        "zou sinds {since} ongeveer {hits} van {reads} lezingen hebben geraakt",
        "would have hit about {hits} of {reads} reads since {since}",
    ),
    "guard": ("LET OP: {what}: {count} van {of}", "MIND: {what}: {count} of {of}"),
    "guard.removes": ("veel verdwijnt", "much is removed"),
    "guard.empty": ("de lijst wordt leeg", "the list becomes empty"),
    "guard.rejected": ("veel geweigerde rijen", "many rows rejected"),
    "guard.cut_off": ("het bestand is afgekapt", "the file is cut off"),
    "guard.unread": (
        "wat live is, is beschadigd; wat verdwijnt, is niet te tellen",
        "what is live is damaged; what goes cannot be counted",
    ),
    "unread": (
        "LET OP: niet gezocht op {lists}: beschadigd; ga terug naar een vorige versie, of laad ze volledig op",
        "MIND: not looked for on {lists}: damaged; roll back to an earlier version, or upload the list whole",
    ),
    "damaged": (
        "LET OP: {name} is beschadigd: alleen workers die de lijst hadden, hebben dit; zet een plaat ook elders",
        "MIND: {name} is damaged: only workers that held the list have this; put a plate on another list too",
    ),
    "state.archived": ("gearchiveerd", "archived"),
    "state.stale": ("verouderd", "stale"),
    "state.live": ("actief", "live"),
    "state.empty": ("leeg", "empty"),
    "away": (
        "de console antwoordt niet ({error}); kijk na: --url of LIK_CONSOLE_URL",
        "the console does not answer ({error}); check --url or LIK_CONSOLE_URL",
    ),
}
"""Key to Dutch and English."""
_REFUSALS: Final[dict[str, tuple[str, str]]] = {
    "needs_confirmation": ("bevestiging nodig", "needs a second confirmation"),
    "moved": ("intussen is een andere versie gepubliceerd", "another version was published meanwhile"),
    "two_person": ("vierogenprincipe", "two-person rule"),
    "opens_covert": ("dit maakt een afgeschermde lijst open", "this opens a covert list"),
    "exists": ("de naam is bezet", "the name is taken"),
    "redis_away": ("Redis antwoordt niet; er is niets gewijzigd", "Redis is away; nothing was changed"),
    "trail_away": (
        "het auditspoor antwoordt niet; er is niets gedaan",
        "the audit trail is away; nothing was done",
    ),
    "file": ("onleesbaar bestand", "unreadable file"),
    "no_row": ("geen enkele bruikbare rij", "no row could be used"),
}
_STATUSES: Final[dict[int, tuple[str, str]]] = {
    401: ("geen geldig token; zet LIK_TOKEN", "no valid token; set LIK_TOKEN"),
    403: ("niet toegestaan", "not allowed"),
    404: ("niet gevonden", "not found"),
    413: ("te groot", "too large"),
    422: ("ongeldig", "invalid"),
    503: ("tijdelijk niet beschikbaar", "away for now"),
}
_OTHER: Final = ("geweigerd", "refused")


def word(key: str) -> str:
    """Return the text of `key` in the terminal's language."""
    return WORDS[key][_language()]


def refusal(code: str, status: int) -> str:
    """Return what a refusal of the desk is called."""
    return _REFUSALS.get(code, _STATUSES.get(status, _OTHER))[_language()]


def _language() -> int:
    named = next((os.environ[each] for each in ("LC_ALL", "LC_MESSAGES", "LANG") if os.environ.get(each)), "")
    return 0 if named.lower().startswith("nl") else 1
