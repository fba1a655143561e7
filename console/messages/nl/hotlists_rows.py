"""What is wrong with a row or a file of a hotlist, in Dutch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

TEXTS: Final[Mapping[str, str]] = {
    "hotlists.row.implausible": "past in geen enkele reeks van {country}: verkeerd geschreven, of van een ander "
    "land?",
    "hotlists.row.few": "maar {count} letters en cijfers; er zijn er minstens {least} nodig",
    "hotlists.row.none": "geen enkele letter of cijfer",
    "hotlists.row.long": "meer dan {most} tekens",
    "hotlists.row.nul": "een teken dat in geen tekst hoort (NUL): het bestand is hier beschadigd",
    "hotlists.row.several": "meer dan één cel of plaat; is het scheidingsteken dat van de eerste rij?",
    "hotlists.row.unreadable": "onleesbare tekens; bewaar het bestand als UTF-8",
    "hotlists.row.letters": "andere letters dan A tot Z; schrijf de plaat zoals ze daarin ingeschreven is",
    "hotlists.row.order": "niet na “geldig vanaf”: de vermelding zou nooit gelden",
    "hotlists.row.country": "geen landcode van twee letters (BE, NL, FR, …)",
    "hotlists.row.list": "deze rij is van een andere lijst; laad ze op die lijst op",
    "hotlists.row.removes": "een volledige lijst verwijdert wat ze niet noemt; laad het bestand op als "
    "wijzigingen",
    "hotlists.row.options": "niet een van {options}",
    "hotlists.row.year": "een jaartal van twee cijfers; schrijf ze alle vier, zoals in 14/03/2026",
    "hotlists.row.date": "geen datum of tijdstip zoals 14/03/2026, 2026-03-14 of 2026-03-14T21:00",
    "hotlists.row.years": "buiten de jaren 1678 tot 2262",
    "hotlists.row.month": "er is geen maand {month}; de dag komt voor de maand, zoals in 14/03/2026",
    "hotlists.row.day": "geen datum: er is geen dag {day} in maand {month} van {year}",
    "hotlists.row.time": "zo’n uur of tijdzone bestaat niet",
    "hotlists.row.quote": "een aanhalingsteken is niet gesloten of niet verdubbeld",
    "hotlists.row.behind": "staat achter het aanhalingsteken van rij {row}, dat niet gesloten is",
    "hotlists.row.cells": "{cells} cellen voor {columns} kolommen",
    "hotlists.row.line": "langer dan {most} tekens",
    "hotlists.row.json": "geen geldige JSON",
    "hotlists.row.object": "geen JSON-object",
    "hotlists.row.twice": "twee velden betekenen hetzelfde ({column}); houd er één",
    "hotlists.row.kind": "geen tekst en geen heel getal",
    "hotlists.row.number": "geen getal of datum, hoewel het blad dat zegt",
    "hotlists.row.missing": "verwijst naar een tekst die niet in het bestand zit",
    "hotlists.row.error": "de cel bevat een fout van het rekenblad",
    "hotlists.row.tightened": "rij {row} noemt dezelfde plaat discreet; deze dus ook",
    "hotlists.row.overruled": "rij {row} schrapt dezelfde plaat; ze komt later en geldt",
    "hotlists.row.duplicate": "zelfde plaat, land en geldigheid als rij {row}, die later komt en geldt",
    "hotlists.file.empty": "Het bestand is leeg. Kijk na of u het juiste koos.",
    "hotlists.file.large": "Uitgepakt is het bestand te groot. Verdeel het over meer lijsten.",
    "hotlists.file.bomb": "Uitgepakt is het bestand meer dan {ratio} keer zo groot: zo is geen enkele lijst. Er "
    "is niets van gelezen; stuur het zonder compressie als het toch een lijst is.",
    "hotlists.file.half": "Het gzip-bestand eindigt halverwege. Er is niets bewaard; haal het opnieuw op.",
    "hotlists.file.gzip": "Het gzip-bestand is beschadigd. Er is niets bewaard; haal het opnieuw op.",
    "hotlists.file.twice": "Het bestand is tweemaal gecomprimeerd. Pak het één keer uit en stuur dat.",
    "hotlists.file.xls": "Dit is een oud Excel-bestand (.xls) of een met een wachtwoord. Bewaar het als XLSX of "
    "CSV.",
    "hotlists.file.binary": "Dit is geen tekst. Bewaar de lijst als CSV (UTF-8), NDJSON of XLSX.",
    "hotlists.file.csv": "Rij {line} is geen CSV: een aanhalingsteken is niet gesloten, of een cel is erg lang.",
    "hotlists.file.plates": "Geen kolom met platen: daar staat {holds}. De eerste rij noemt de kolommen; geef "
    "er één de naam nummerplaat, plaque, plate of kenteken.",
    "hotlists.file.same": "Meer dan één kolom betekent {column}. Houd er één.",
    "hotlists.file.array": "Het bestand is één JSON-reeks. Schrijf één object per regel (NDJSON), zonder haakjes.",
    "hotlists.file.blanks": "Het bestand begint met zeer veel lege regels. Is het het juiste?",
    "hotlists.file.rows": "Meer dan {rows} rijen. Verdeel ze over meer lijsten.",
    "hotlists.file.zip": "Dit is een ZIP-bestand, geen XLSX. Pak het uit en stuur de lijst die erin zit.",
    "hotlists.file.xlsx": "Het XLSX-bestand kan niet gelezen worden: beschadigd, afgekapt, te groot of met een "
    "wachtwoord. Bewaar het blad als CSV.",
    "hotlists.file.slow": "Het lezen duurde te lang. Splits het bestand.",
    "hotlists.file.memory": "Er is te weinig geheugen om het bestand te lezen. Splits het.",
}
