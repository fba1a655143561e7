"""The police zone of the recording: its cameras and hotlists. Places, lists, vehicles and cases are invented."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from hotlists.entry import Category, Handling, Hotlist, Priority
from pipeline.cameras import Camera

FRAME: Final = "frame"
"""How a camera delivers: whole frames, or reads in a feed's format."""

_CENTRE: Final = {"municipality": "Veldeke", "zone": "Veldeke centrum"}
_OUDENHOVE: Final = {"municipality": "Oudenhove", "zone": "Oudenhove"}
_RIVERSIDE: Final = {"municipality": "Sint-Amandus-aan-de-Leie", "zone": "Leiestreek"}


@dataclass(frozen=True, slots=True)
class Post:
    """A camera, how it delivers, and whether it takes its frames in an infra-red flash."""

    camera: Camera
    via: str
    infrared: bool = False


def _post(
    identity: str,
    name: str,
    place: tuple[float, float, float],
    area: dict[str, str],
    via: str,
    *,
    ir: bool = False,
) -> Post:
    latitude, longitude, heading = place
    camera = Camera(id=identity, name=name, latitude=latitude, longitude=longitude, heading=heading, **area)
    return Post(camera, via, ir)


POSTS: Final = {
    post.camera.id: post
    for post in (
        _post("cam-brugstraat", "Brugstraat, Leiebrug", (50.9874, 3.5231, 95.0), _CENTRE, FRAME),
        _post("cam-stationsplein", "Stationsplein", (50.9902, 3.5172, 210.0), _CENTRE, FRAME, ir=True),
        _post("cam-n43-oost", "N43 Gentsesteenweg, kmp 14", (51.0046, 3.5561, 62.0), _OUDENHOVE, FRAME),
        _post(
            "cam-molenstraat", "Molenstraat, schoolomgeving", (51.0079, 3.5478, 330.0), _OUDENHOVE, FRAME, ir=True
        ),
        _post("cam-leiekaai", "Leiekaai, oprit veerweg", (50.9718, 3.4926, 145.0), _RIVERSIDE, FRAME),
        _post(
            "cam-e17-afrit",
            "E17 afrit 8, richting Oudenhove",
            (51.0121, 3.5689, 18.0),
            _OUDENHOVE,
            "platerecognizer",
        ),
        _post("cam-stadion", "Stadion, inrit P2", (50.9839, 3.5304, 270.0), _CENTRE, "hikvision"),
        _post("cam-markt", "Grote Markt", (50.9885, 3.5209, 0.0), _CENTRE, "kruispunt"),
        _post("cam-veer", "Veer, oude camera", (50.9684, 3.4861, 310.0), _RIVERSIDE, "csv"),
        _post("7101", "Ring, kruispunt Oudenhove", (51.0012, 3.5402, 120.0), _OUDENHOVE, "rekor"),
        _post("7102", "Ring, kruispunt Sint-Amandus", (50.9757, 3.5018, 240.0), _RIVERSIDE, "rekor"),
    )
}
"""The cameras by their id. A Rekor agent numbers its cameras."""

_POLICE_ACT: Final = "Wet op het politieambt, art. 44/11/3decies"
_ZONE: Final = "PZ Veldeke"

HOTLISTS: Final = (
    Hotlist(
        name="gestolen",
        title="Gestolen voertuigen",
        owner=f"{_ZONE}, LIK",
        legal_basis=_POLICE_ACT,
        purpose="Terugvinden van gestolen en verduisterde voertuigen en nummerplaten",
        category=Category.STOLEN,
        priority=Priority.HIGH,
    ),
    Hotlist(
        name="onverzekerd",
        title="Niet-verzekerde voertuigen",
        owner=f"{_ZONE}, verkeer",
        legal_basis="Wet van 21 november 1989 (verplichte aansprakelijkheidsverzekering), art. 22",
        purpose="Opsporen van voertuigen zonder geldige verzekering",
        category=Category.UNINSURED,
        priority=Priority.NORMAL,
    ),
    Hotlist(
        name="geseind",
        title="Geseinde personen",
        owner=f"{_ZONE}, LIK",
        legal_basis="Wet op het politieambt, art. 44/2 (Algemene Nationale Gegevensbank)",
        purpose="Aantreffen van geseinde of vermiste personen via hun voertuig",
        category=Category.WANTED,
        priority=Priority.CRITICAL,
    ),
    Hotlist(
        name="bin-oudenhove",
        title="BIN Oudenhove, verdachte voertuigen",
        owner=f"{_ZONE}, wijk Oudenhove",
        legal_basis="Ministeriële omzendbrief van 30 januari 2019 (buurtinformatienetwerken)",
        purpose="Opvolgen van meldingen uit het buurtinformatienetwerk",
        category=Category.BIN,
        priority=Priority.LOW,
    ),
    Hotlist(
        name="voetbal-kvv-veldeke",
        title="Voetbal KVV Veldeke, stadionverbod",
        owner=f"{_ZONE}, evenementen",
        legal_basis="Wet van 21 december 1998 betreffende de veiligheid bij voetbalwedstrijden",
        purpose="Handhaven van stadionverboden rond de wedstrijd",
        category=Category.FOOTBALL,
        priority=Priority.NORMAL,
    ),
    Hotlist(
        name="recherche-wintereik",
        title="Onderzoek Wintereik",
        owner=f"{_ZONE}, recherche",
        legal_basis="Wet op het politieambt, art. 44/11/3decies, § 2; kantschrift onderzoeksrechter",
        purpose="Discreet volgen van verplaatsingen in een lopend gerechtelijk onderzoek",
        category=Category.RECHERCHE,
        priority=Priority.HIGH,
        handling=Handling.COVERT,
        named_users=("recherche",),
    ),
)


@dataclass(frozen=True, slots=True)
class Wanted:
    """An entry whose vehicle passes; its plate is made up with the recording. Columns as in ``hotlist.csv``."""

    key: str
    hotlist: str
    country: str
    reason: str
    priority: str = ""
    valid_until: str = ""


WANTED: Final = (
    Wanted(
        "golf", "gestolen", "BE", "Gestolen te Veldeke, Stationsplein; grijze Volkswagen Golf. Sporen vrijwaren."
    ),
    Wanted("kuga", "gestolen", "NL", "Gestolen te Sluis (NL); witte Ford Kuga, valse sleutel. Melden aan LIK."),
    Wanted(
        "doorreis", "gestolen", "BE", "Homejacking Oudenhove; zwarte BMW X3. Niet alleen benaderen.", "critical"
    ),
    Wanted("ring", "gestolen", "BE", "Verduisterd bij verhuurfirma; blauwe Peugeot 308."),
    Wanted(
        "berline", "gestolen", "FR", "Gestolen te Halewijn, gesignaleerd via Frankrijk; grijze Renault Mégane."
    ),
    Wanted("luxemburg", "gestolen", "LU", "Gestolen nummerplaat, vermoedelijk op een bestelwagen."),
    Wanted("dubbel", "gestolen", "BE", "Gestolen te Sint-Amandus-aan-de-Leie; donkergroene Audi A4."),
    Wanted("polo", "onverzekerd", "BE", "Verzekering geschorst; rode Volkswagen Polo."),
    Wanted("corsa", "onverzekerd", "BE", "Geen verzekering gekend sinds drie maanden; witte Opel Corsa."),
    Wanted("vito", "onverzekerd", "BE", "Verzekering opgezegd wegens wanbetaling; witte Mercedes Vito."),
    Wanted("veer", "onverzekerd", "BE", "Geen verzekering gekend; oude Citroën Berlingo."),
    Wanted(
        "gevaar", "geseind", "BE", "Te vatten; mogelijk gewapend. Niet alleen benaderen, dispatching verwittigen."
    ),
    Wanted("grens", "geseind", "DE", "Europees aanhoudingsbevel; bestuurder kan een valse identiteit opgeven."),
    Wanted(
        "vermist",
        "geseind",
        "BE",
        "Onrustwekkende verdwijning; bestuurder opvangen en familie verwittigen.",
        "high",
    ),
    Wanted("ladder", "bin-oudenhove", "BE", "Rijdt traag rond in de Molenstraat; twee inzittenden met ladder."),
    Wanted("nacht", "bin-oudenhove", "BE", "Herhaaldelijk 's nachts aan de bedrijvenzone gezien."),
    Wanted("spionkop", "voetbal-kvv-veldeke", "BE", "Stadionverbod, perimeter 5 km.", valid_until="2031-06-30"),
    Wanted(
        "uitvak", "voetbal-kvv-veldeke", "BE", "Stadionverbod; organiseert busvervoer.", valid_until="2030-12-31"
    ),
    Wanted(
        "eik",
        "recherche-wintereik",
        "BE",
        "Hoofdvoertuig; tijdstip, plaats en richting noteren. Niet onderscheppen.",
    ),
    Wanted(
        "dubbel", "recherche-wintereik", "BE", "Gebruikt als volgwagen. Niet onderscheppen, enkel rapporteren."
    ),
)
"""Who passes. A key that comes twice is one vehicle on two lists, an open one and a covert one."""

PATTERN_REASON: Final = "Vluchtmisdrijf Molenstraat; getuige zag een deel van de plaat."

FILLERS: Final = {
    "gestolen": (
        40,
        (
            "Gestolen te {town}; {colour} {car}.",
            "Inbraak met diefstal van sleutels te {town}; {colour} {car}.",
            "Gestolen nummerplaat, afkomstig van een {colour} {car}.",
        ),
    ),
    "onverzekerd": (30, ("Geen verzekering gekend; {colour} {car}.", "Verzekering geschorst; {colour} {car}.")),
    "geseind": (8, ("Te vatten, gekend te {town}.", "Vermiste persoon; {colour} {car}.")),
    "bin-oudenhove": (4, ("Verdacht gedrag gemeld te {town}; {colour} {car}.",)),
    "voetbal-kvv-veldeke": (12, ("Stadionverbod.", "Stadionverbod, perimeter 5 km.")),
    "recherche-wintereik": (4, ("Contact van hoofdvoertuig. Enkel rapporteren.",)),
}
"""How many more entries each list has, none of which passes, and what their reasons say."""

TOWNS: Final = ("Veldeke", "Oudenhove", "Sint-Amandus-aan-de-Leie", "Kluizegem", "Gent", "Kortrijk", "Deinze")
COLOURS: Final = ("witte", "zwarte", "grijze", "blauwe", "rode", "groene")
CARS: Final = (
    "Volkswagen Golf",
    "Audi A3",
    "Ford Transit",
    "Renault Clio",
    "Peugeot 208",
    "Toyota Yaris",
    "BMW 320",
)
