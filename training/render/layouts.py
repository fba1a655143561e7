"""How the plates of Europe are written, coloured and banded, as data.

A template is what `plates.series` has, with what stands between the characters: ``-`` a dash, ``.`` a dot, a blank
for room, ``:`` a dash under a small seal (Belgium), ``*`` two seals above each other (Germany, Czechia,
Slovakia), ``^`` a coat of arms, ``/`` the next line. `plates.series` names the sources.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

Colour = tuple[int, int, int]

WHITE: Final = (238, 238, 234)
YELLOW: Final = (243, 190, 36)
BLACK: Final = (18, 18, 20)
RED: Final = (160, 22, 36)
BLUE: Final = (22, 58, 150)
GREEN: Final = (20, 110, 60)


@dataclass(frozen=True, slots=True)
class Look:
    """How plates of a kind look; colours are RGB."""

    manner: str
    mark: str
    """On the euro band; empty: no band."""
    fields: tuple[tuple[Colour, Colour, float], ...]
    """Field, ink, and how often of 1."""
    border: float = 0.7
    """How often a line runs around."""
    right_band: float = 0.0
    """How often a second band is on the right."""
    band: float = 0.9
    """How often the left band is there (older plates have none)."""


_DARK: Final = ((WHITE, BLACK, 1.0),)
LOOKS: Final[dict[str, Look]] = {
    "BE": Look(
        "BE", "B", ((WHITE, RED, 0.94), (WHITE, GREEN, 0.03), (WHITE, BLACK, 0.02), (RED, WHITE, 0.01)), 0.95
    ),
    "BE-old": Look("BE-old", "B", ((WHITE, RED, 0.96), (WHITE, GREEN, 0.02), (RED, WHITE, 0.02)), 0.85, band=0.45),
    "NL": Look(
        "NL", "NL", ((YELLOW, BLACK, 0.93), (BLUE, WHITE, 0.03), (WHITE, BLACK, 0.03), (GREEN, BLACK, 0.01)), 0.85
    ),
    "FR": Look(
        "FR", "F", ((WHITE, BLACK, 0.93), (YELLOW, BLACK, 0.05), (BLACK, WHITE, 0.02)), 0.2, right_band=0.9
    ),
    "DE": Look("FE", "D", ((WHITE, BLACK, 0.96), (WHITE, RED, 0.02), (WHITE, GREEN, 0.02)), 0.9),
    "LU": Look("NL", "L", ((YELLOW, BLACK, 1.0),), 0.5),
    "GB": Look("GB", "GB", ((WHITE, BLACK, 0.5), (YELLOW, BLACK, 0.5)), 0.3, band=0.35),
    "CZ": Look("CZ", "CZ", _DARK, 0.85, band=0.7),
    "SK": Look("CZ", "SK", _DARK, 0.85, band=0.93),
    "PL": Look("PL", "PL", _DARK, 0.85, band=0.95),
    "AT": Look("DIN", "A", _DARK, 0.3),
    "CH": Look("DIN", "", _DARK, 0.7),
    "IT": Look("FR", "I", _DARK, 0.5, right_band=0.85),
    "ES": Look("FR", "E", ((WHITE, BLACK, 0.95), (BLUE, WHITE, 0.05)), 0.7),
    "PT": Look("DIN", "P", _DARK, 0.7, right_band=0.5),
    "RO": Look("FR", "RO", _DARK, 0.8),
    "BG": Look("DIN", "BG", _DARK, 0.8),
    "HU": Look("CZ", "H", _DARK, 0.8),
    "SI": Look("DIN", "SLO", _DARK, 0.8),
    "HR": Look("DIN", "HR", _DARK, 0.8, band=0.6),
    "LT": Look("DIN", "LT", _DARK, 0.7),
    "LV": Look("DIN", "LV", _DARK, 0.7),
    "EE": Look("DIN", "EST", _DARK, 0.7),
    "SE": Look("DIN", "S", _DARK, 0.7),
    "DK": Look("FR", "DK", ((WHITE, BLACK, 0.9), (YELLOW, BLACK, 0.1)), 0.8, band=0.6),
    "FI": Look("DIN", "FIN", _DARK, 0.8),
    "NO": Look("DIN", "N", _DARK, 0.6, band=0.6),
    "IE": Look("GB", "IRL", _DARK, 0.5),
    "GR": Look("DIN", "GR", _DARK, 0.6),
    "UA": Look("DIN", "UA", _DARK, 0.8),
    "RS": Look("DIN", "SRB", _DARK, 0.7),
    "TR": Look("DIN", "TR", _DARK, 0.8),
    "MD": Look("DIN", "MD", _DARK, 0.7),
}

TEMPLATES: Final[tuple[tuple[str, float, str], ...]] = (
    ("BE", 26.0, "[12]:lll-ddd"),
    ("BE", 5.0, "[12]:lll/ddd"),
    ("BE", 4.0, "[1-9]:xxx-ddd"),
    ("BE", 1.0, "[1-9]:xxx/ddd"),
    ("BE", 1.6, "8:AAl-ddd"),
    ("BE", 0.6, "8:Alx/ddd"),
    ("BE", 1.6, "9:ddd-lll"),
    ("BE", 1.0, "9-ddd-xxx"),
    ("BE", 1.6, "1:Oxx-ddd"),
    ("BE", 1.0, "1:Qxx-ddd"),
    ("BE", 1.0, "Q:xxx-ddd"),
    ("BE", 0.6, "O:xxx-ddd"),
    ("BE", 0.6, "[TGSVYZ]:xxx-ddd"),
    ("BE", 0.5, "[TGSVYZ]:xxx/ddd"),
    ("BE", 0.6, "1:Mll/ddd"),
    ("BE", 0.7, "T:Xll-ddd"),
    ("BE", 2.2, "CD:llddd"),
    ("BE", 1.0, "CD:ldd/dd"),
    ("BE", 0.4, "CD-ddd"),
    ("BE-old", 5.0, "xxx-ddd"),
    ("BE-old", 3.0, "xxx:ddd"),
    ("BE-old", 3.5, "ddd-xxx"),
    ("BE-old", 2.0, "lll/ddd"),
    ("BE-old", 1.5, "O[A-Z]l:ddd"),
    ("BE-old", 1.2, "d.l.ddd"),
    ("BE-old", 1.2, "ddd.l.d"),
    ("BE-old", 0.8, "l.dddd"),
    ("BE-old", 0.6, "ll.ddd"),
    ("BE-old", 0.4, "l-n"),
    ("BE-old", 0.3, "E-dd"),
    ("NL", 2.0, "dd-ll-ll"),
    ("NL", 2.0, "dd-lll-d"),
    ("NL", 2.0, "d-lll-dd"),
    ("NL", 2.0, "ll-ddd-l"),
    ("NL", 2.4, "l-ddd-ll"),
    ("NL", 1.0, "lll-dd-l"),
    ("NL", 0.6, "ll-ll-dd"),
    ("NL", 0.4, "ll-dd-ll"),
    ("NL", 0.5, "[OW]l-ll-dd"),
    ("NL", 0.5, "ll-d/dd-l"),
    ("NL", 0.4, "dd-ll/ll"),
    ("NL", 0.4, "l-dd-lll"),
    ("FR", 7.0, "ll-ddd-ll"),
    ("FR", 0.8, "ll-ddd/ll"),
    ("FR", 0.6, "dddd ll nd"),
    ("FR", 0.6, "ddd lll nd"),
    ("FR", 0.3, "ddd ll/nd"),
    ("DE", 1.0, "x*x nddd"),
    ("DE", 1.6, "x*xx nddd"),
    ("DE", 1.0, "x*xx nd"),
    ("DE", 2.0, "xx*xx nddd"),
    ("DE", 1.2, "xx*xx ndd"),
    ("DE", 1.0, "xx*x ndd"),
    ("DE", 1.0, "xxx*xx ndd"),
    ("DE", 1.0, "xxx*x nddd"),
    ("DE", 0.5, "xx*xx ndE"),
    ("DE", 0.6, "xx*/xx nddd"),
    ("DE", 0.4, "xxx*/x ndd"),
    ("DE", 0.6, "x-xxx"),
    ("DE", 0.4, "x*xxxxxx"),
    ("DE", 0.3, "xx-xx nddH"),
    ("LU", 1.6, "ll dddd"),
    ("LU", 0.3, "nddd"),
    ("LU", 0.4, "ndddd"),
    ("LU", 0.2, "ll/dddd"),
    ("GB", 2.4, "lldd lll"),
    ("GB", 0.6, "lldd/lll"),
    ("GB", 0.4, "lddd lll"),
    ("GB", 0.3, "lll dddl"),
    ("GB", 0.3, "lll dddd"),
    ("CZ", 3.0, "dld*dddd"),
    ("CZ", 1.0, "dld dddd"),
    ("CZ", 1.6, "dll*dddd"),
    ("CZ", 1.4, "xxx*dd-dd"),
    ("CZ", 0.5, "xx*dd-dd"),
    ("CZ", 0.5, "dld/dddd"),
    ("CZ", 0.6, "ddx*dddd"),
    ("CZ", 0.5, "xxx dd-dd"),
    ("CZ", 0.5, "dx*xxxxx"),
    ("SK", 3.0, "xx^dddxx"),
    ("SK", 3.0, "xx-dddxx"),
    ("SK", 3.0, "xx;dddxx"),
    ("SK", 0.6, "xx^xxxxx"),
    ("SK", 0.6, "xx^/dddxx"),
    ("SK", 0.4, "xx^xxxdd"),
    ("SK", 0.8, "xx*dddxx"),
    ("SK", 0.4, "xx-xxxxd"),
    ("PL", 0.7, "xx ddddd"),
    ("PL", 0.6, "xx*ddddd"),
    ("PL", 0.4, "xx*ddddx"),
    ("PL", 0.5, "xxx*xxdd"),
    ("PL", 0.4, "xxx ddddd"),
    ("PL", 0.3, "xx*dddxx"),
    ("PL", 0.3, "xxx*dxdd"),
    ("PL", 0.4, "xx*/ddddd"),
    ("PL", 0.4, "xxx*ddxx"),
    ("AT", 0.7, "x^ddddx"),
    ("AT", 0.6, "xx^dddxx"),
    ("AT", 0.4, "xx^nddxx"),
    ("AT", 0.3, "x-dddddx"),
    ("AT", 0.3, "xx^ndxxx"),
    ("CH", 0.6, "[ABFGLNSTVZ][A-Z].ddddd"),
    ("CH", 0.6, "xx^dddddd"),
    ("CH", 0.3, "xx/dddddd"),
    ("CH", 0.3, "xx-dddd"),
    ("IT", 1.6, "llddd ll"),
    ("IT", 0.8, "ll*dddll"),
    ("IT", 0.3, "ll/dddll"),
    ("IT", 0.4, "ll ddd ll"),
    ("ES", 1.8, "dddd lll"),
    ("ES", 0.4, "x dddd xx"),
    ("ES", 0.4, "dddd/lll"),
    ("PT", 0.6, "dd-dd-xx"),
    ("PT", 0.8, "dd-xx-dd"),
    ("PT", 0.6, "xx-dd-xx"),
    ("RO", 1.4, "xx dd xxx"),
    ("RO", 0.7, "B ddd xxx"),
    ("RO", 0.4, "B dd xxx"),
    ("RO", 0.3, "xx dd/xxx"),
    ("RO", 0.3, "xx dddddd"),
    ("BG", 0.8, "ll dddd ll"),
    ("BG", 0.4, "l dddd ll"),
    ("HU", 0.8, "xxx-ddd"),
    ("HU", 0.5, "xx xx-ddd"),
    ("HU", 0.3, "xxx^ddd"),
    ("SI", 0.7, "xx^xx-ddd"),
    ("SI", 0.4, "xx^dd-xxx"),
    ("HR", 0.8, "xx^dddd-xx"),
    ("HR", 0.4, "xx^ddd-x"),
    ("LT", 0.7, "xxx*ddd"),
    ("LV", 0.5, "xx-dddd"),
    ("EE", 0.5, "ddd xxx"),
    ("SE", 0.5, "lll ddd"),
    ("SE", 0.3, "lll ddl"),
    ("DK", 0.6, "xx dd ddd"),
    ("FI", 0.5, "xxx-ddd"),
    ("NO", 0.5, "xx ddddd"),
    ("IE", 0.5, "dd[12]-x-ddddd"),
    ("IE", 0.3, "dd-xx-dddd"),
    ("GR", 0.6, "lll-dddd"),
    ("UA", 0.6, "ll dddd ll"),
    ("RS", 0.6, "xx^ddd-xx"),
    ("RS", 0.3, "xx^dddd-xx"),
    ("TR", 0.5, "dd xx dddd"),
    ("TR", 0.3, "dd xxx ddd"),
    ("MD", 0.4, "xxx ddd"),
)
"""Kind of plate, how often in training, how it is written. ``;`` is a dash between two small seals (Slovakia)."""
