"""The words of what leaves the desk, reports and notifications: in the zone's language, with its cameras' names.

A report belongs to the zone, not to whoever looks at it: its language is a setting, and the one in which it was
drafted stays. A receiver of notifications is a phone or a dispatching, which has chosen none.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from pipeline.cameras import Camera, load_cameras
from pipeline.settings import Settings


@dataclass(frozen=True, slots=True)
class Wording:
    """How a zone words its reports."""

    language: str = "nl"
    cameras: Mapping[str, Camera] = field(default_factory=dict)

    @classmethod
    def of(cls, settings: Settings) -> Wording:
        """Word reports as the settings say, with the registry of cameras where there is one."""
        cameras = load_cameras(settings.cameras) if settings.cameras.exists() else {}
        return cls(settings.zone_language, cameras)

    def text(self, key: str) -> str:
        """Return the text of `key`, which every language has."""
        return TEXTS[self.language][key]

    def camera(self, camera_id: str) -> str:
        """Return what a camera is called; its id where it is not registered."""
        known = self.cameras.get(camera_id)
        return camera_id if known is None else known.name

    def place(self, camera_id: str) -> str:
        """Name a place: the camera, its municipality, and where it stands (WGS 84, degrees north and east)."""
        known = self.cameras.get(camera_id)
        if known is None:
            return f"{self.text('camera')} {camera_id}"
        name = ", ".join(part for part in (known.name, known.municipality) if part)
        return f"{name} ({known.latitude:.5f}, {known.longitude:.5f}; {self.text('camera').lower()} {camera_id})"

    def percent(self, share: float) -> str:
        """Write a share of 1 with one decimal."""
        return f"{share:.1%}" if self.language == "en" else f"{share:.1%}".replace(".", ",")


TEXTS: Final[Mapping[str, Mapping[str, str]]] = {
    "nl": {
        "tag": "nl-BE",
        "who": "Voertuig met nummerplaat {plate}",
        "what": "Passage vastgesteld door een ANPR-camera; gesignaleerd op lijst {hotlist}.",
        "source": "ANPR-camera {camera}",
        "title": "Informatierapport {id}",
        "covert": "DISCREET: niet voor interventie",
        "content": "Inhoud",
        "attachments": "Bijlagen",
        "state": "Toestand",
        "state.draft": "Ontwerp",
        "state.queued": "Wordt verzonden",
        "state.sent": "Verzonden",
        "state.acknowledged": "Ontvangen door de intake",
        "state.refused": "Geweigerd door de intake",
        "version": "versie {number}",
        "author": "Opsteller",
        "author.none": "automatisch ontwerp",
        "listed": "Gesignaleerde nummerplaat",
        "read": "Gelezen nummerplaat",
        "differs": "Verschil (gelezen boven gesignaleerd)",
        "posterior": "Zekerheid van de lezing",
        "moment": "Tijdstip",
        "camera": "Camera",
        "zone": "zone {zone}",
        "hotlist": "Lijst",
        "reason": "Reden van signalering",
        "legal": "Wettelijke basis",
        "evaluation": "Evaluatie bron / informatie",
        "handling": "Verwerkingscode",
        "field.who": "Wie",
        "field.what": "Wat",
        "field.place": "Waar",
        "field.purpose": "Doel",
        "field.source": "Bron",
        "picture.gone": "Deze bijlage wordt niet meer bewaard.",
        "picture.other": "Deze bijlage is niet het beeld dat werd toegevoegd.",
        "picture.none": "Deze bijlage is geen leesbaar beeld.",
        "told.title": "{priority}: ANPR-alarm",
        "told.title.withdrawn": "INGETROKKEN: ANPR-alarm",
        "told.alert": "Nieuw alarm voor uw sector.",
        "told.escalation": "Nog geen enkele ploeg heeft geantwoord.",
        "told.withdrawn": "Het alarm is ingetrokken: niet ingrijpen.",
        "told.priority.critical": "KRITIEK",
        "told.priority.high": "DRINGEND",
        "told.priority.normal": "Normaal",
        "told.priority.low": "Laag",
    },
    "fr": {
        "tag": "fr-BE",
        "who": "Véhicule portant la plaque {plate}",
        "what": "Passage constaté par une caméra ANPR ; signalé sur la liste {hotlist}.",
        "source": "Caméra ANPR {camera}",
        "title": "Rapport d’information {id}",
        "covert": "DISCRET : pas pour l’intervention",
        "content": "Contenu",
        "attachments": "Annexes",
        "state": "État",
        "state.draft": "Projet",
        "state.queued": "En cours d’envoi",
        "state.sent": "Envoyé",
        "state.acknowledged": "Reçu par le destinataire",
        "state.refused": "Refusé par le destinataire",
        "version": "version {number}",
        "author": "Rédacteur",
        "author.none": "projet automatique",
        "listed": "Plaque signalée",
        "read": "Plaque lue",
        "differs": "Différence (lue au-dessus de signalée)",
        "posterior": "Certitude de la lecture",
        "moment": "Moment",
        "camera": "Caméra",
        "zone": "zone {zone}",
        "hotlist": "Liste",
        "reason": "Motif du signalement",
        "legal": "Base légale",
        "evaluation": "Évaluation source / information",
        "handling": "Code de traitement",
        "field.who": "Qui",
        "field.what": "Quoi",
        "field.place": "Où",
        "field.purpose": "Finalité",
        "field.source": "Source",
        "picture.gone": "Cette annexe n’est plus conservée.",
        "picture.other": "Cette annexe n’est pas l’image qui a été jointe.",
        "picture.none": "Cette annexe n’est pas une image lisible.",
        "told.title": "{priority} : alerte ANPR",
        "told.title.withdrawn": "RETIRÉE : alerte ANPR",
        "told.alert": "Nouvelle alerte pour votre secteur.",
        "told.escalation": "Aucune équipe n’a encore répondu.",
        "told.withdrawn": "L’alerte est retirée : ne pas intervenir.",
        "told.priority.critical": "CRITIQUE",
        "told.priority.high": "URGENT",
        "told.priority.normal": "Normale",
        "told.priority.low": "Faible",
    },
    "en": {
        "tag": "en",
        "who": "Vehicle with number plate {plate}",
        "what": "Passage recorded by an ANPR camera; listed on {hotlist}.",
        "source": "ANPR camera {camera}",
        "title": "Information report {id}",
        "covert": "COVERT: not for units",
        "content": "Content",
        "attachments": "Attachments",
        "state": "State",
        "state.draft": "Draft",
        "state.queued": "Being sent",
        "state.sent": "Sent",
        "state.acknowledged": "Received by the intake",
        "state.refused": "Refused by the intake",
        "version": "version {number}",
        "author": "Author",
        "author.none": "drafted automatically",
        "listed": "Listed number plate",
        "read": "Number plate as read",
        "differs": "Difference (read above listed)",
        "posterior": "Certainty of the reading",
        "moment": "Moment",
        "camera": "Camera",
        "zone": "zone {zone}",
        "hotlist": "List",
        "reason": "Reason of the listing",
        "legal": "Legal basis",
        "evaluation": "Evaluation of source / information",
        "handling": "Handling code",
        "field.who": "Who",
        "field.what": "What",
        "field.place": "Where",
        "field.purpose": "Purpose",
        "field.source": "Source",
        "picture.gone": "This attachment is no longer kept.",
        "picture.other": "This attachment is not the picture that was attached.",
        "picture.none": "This attachment is no picture that can be read.",
        "told.title": "{priority}: ANPR alert",
        "told.title.withdrawn": "WITHDRAWN: ANPR alert",
        "told.alert": "New alert for your sector.",
        "told.escalation": "No unit has answered yet.",
        "told.withdrawn": "The alert is withdrawn: do not act on it.",
        "told.priority.critical": "CRITICAL",
        "told.priority.high": "URGENT",
        "told.priority.normal": "Normal",
        "told.priority.low": "Low",
    },
}
