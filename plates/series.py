"""The series of number plates that drive past a Belgian camera, as data.

A template is written without separators: ``d`` is a digit, ``n`` a digit that is not 0, ``l`` a letter of the
country's own choice (`LETTERS`), ``x`` any letter, ``[...]`` one of the characters inside, and everything else
stands for itself. The number is the series' share of its country's plates on the road.

Sources: for Belgium the vehicle registration decrees (ministerial order of 23 July 2001 and its changes of 2010
and 2020) and FPS Mobility's overview of plate types; for the Netherlands RDW's list of sidecodes; for the rest
the articles "Vehicle registration plates of <country>" of the English and German Wikipedia, read for their
facts. Shares are estimates of the order of magnitude: they weigh explanations against each other and reject
nothing.
"""

from __future__ import annotations

from typing import Final

COUNTRY_SHARES: Final[dict[str, float]] = {
    "BE": 0.785, "NL": 0.06, "FR": 0.05, "DE": 0.035, "LU": 0.01, "PL": 0.01, "GB": 0.005, "RO": 0.005,
    "ES": 0.004, "IT": 0.004, "BG": 0.003, "LT": 0.003, "CZ": 0.002, "PT": 0.002, "HU": 0.0015, "SK": 0.001,
    "AT": 0.001, "CH": 0.001, "DK": 0.001, "SE": 0.001, "UA": 0.001, "IE": 0.0005, "SI": 0.0005, "HR": 0.0005,
    "RS": 0.0005, "LV": 0.0005, "EE": 0.0005, "FI": 0.0003, "NO": 0.0003, "GR": 0.0003, "TR": 0.0005, "MD": 0.0002,
}  # fmt: skip
"""Share of each country in the passages at a Belgian camera."""

LETTERS: Final[dict[str, str]] = {
    # I, O and Q are not given out: too like 1 and 0.
    "BE": "ABCDEFGHJKLMNPRSTUVWXYZ",
    # No vowels since 1978, no C, Q (too like 0), M and W only for motorcycles and trailers.
    "NL": "BDFGHJKLNPRSTVXZ",
    # SIV: no I, O, U.
    "FR": "ABCDEFGHJKLMNPQRSTVWXYZ",
    "DE": "ABCDEFGHIJKLMNOPQRSTUVWXYZ",
    # No I, O, Q.
    "LU": "ABCDEFGHJKLMNPRSTUVWXYZ",
    "GB": "ABCDEFGHJKLMNOPRSTUVWXYZ",
    "ES": "BCDFGHJKLMNPRSTVWXYZ",
    "IT": "ABCDEFGHJKLMNPRSTVWXYZ",
    # Only letters that Cyrillic and Greek share with Latin.
    "BG": "ABCEHKMOPTXY",
    "UA": "ABCEHIKMOPTX",
    "GR": "ABEZHIKMNOPTYX",
    "CZ": "ABCDEFHIJKLMNPRSTUVXYZ",
    "SE": "ABCDEFGHJKLMNOPRSTUWXYZ",
}

SERIES: Final[tuple[tuple[str, str, str, float], ...]] = (
    # Belgium. The index digit 1 since 2010, 2 since 2020.
    ("BE", "standard", "[12]lllddd", 0.83),
    ("BE", "standard, any letter", "[1-7]xxxddd", 0.004),
    ("BE", "letters first, 1973-2008", "lllddd", 0.04),
    ("BE", "digits first, 2008-2010", "dddlll", 0.03),
    ("BE", "two letters, 1962-1973", "llddd", 0.0003),
    ("BE", "one letter, 1953-1962", "ldddd", 0.0002),
    ("BE", "taxi", "TXlddd", 0.004),
    ("BE", "hired with driver", "TLlddd", 0.002),
    ("BE", "other transport for hire", "Tllddd", 0.001),
    ("BE", "motorcycle", "Mllddd", 0.012),
    ("BE", "motorcycle, extension", "1Mllddd", 0.0005),
    ("BE", "motorcycle, European size", "[1-9]M[A-Z]lddd", 0.0005),
    ("BE", "motorcycle, until 2010", "Wllddd", 0.0005),
    ("BE", "trailer", "Qllddd", 0.012),
    ("BE", "trailer, European size", "Qlllddd", 0.003),
    ("BE", "trailer, older", "Ullddd", 0.002),
    ("BE", "trailer with index", "1Qllddd", 0.002),
    ("BE", "dealer", "Zllddd", 0.004),
    ("BE", "dealer with index", "Zlllddd", 0.002),
    ("BE", "test drive", "ZZlddd", 0.001),
    ("BE", "test", "[VY]llddd", 0.001),
    ("BE", "test with index", "[VY]lllddd", 0.001),
    ("BE", "old-timer", "Ollddd", 0.004),
    ("BE", "old-timer with index", "Olllddd", 0.004),
    ("BE", "agricultural", "Gllddd", 0.002),
    ("BE", "agricultural with index", "Glllddd", 0.002),
    ("BE", "moped", "Sllddd", 0.004),
    ("BE", "moped with index", "Slllddd", 0.006),
    ("BE", "diplomatic", "CDlddd", 0.0008),
    ("BE", "diplomatic, digits", "CDdddd", 0.0004),
    ("BE", "international", "8lllddd", 0.001),
    ("BE", "personalised with index", "9lllddd", 0.006),
    ("BE", "transit", "dddldd", 0.0003),
    ("BE", "official", "[AEP]nd", 0.0001),
    ("BE", "official, three digits", "[AEP]ndd", 0.0001),
    ("BE", "military", "ddddd", 0.0003),
    # The Netherlands: sidecodes 1 to 14.
    ("NL", "sidecode 1", "lldddd", 0.003),
    ("NL", "sidecode 2", "ddddll", 0.002),
    ("NL", "sidecode 3", "ddlldd", 0.002),
    ("NL", "sidecode 4", "llddll", 0.01),
    ("NL", "sidecode 5", "lllldd", 0.03),
    ("NL", "sidecode 6", "ddllll", 0.17),
    ("NL", "sidecode 7", "ddllld", 0.18),
    ("NL", "sidecode 8", "dllldd", 0.17),
    ("NL", "sidecode 9", "lldddl", 0.17),
    ("NL", "sidecode 10", "ldddll", 0.14),
    ("NL", "sidecode 11", "lllddl", 0.05),
    ("NL", "sidecode 12", "lddlll", 0.001),
    ("NL", "sidecode 13", "dllddd", 0.01),
    ("NL", "sidecode 14", "dddlld", 0.001),
    ("NL", "motorcycle", "M[B-DF-HJ-NP-TV-Z]lldd", 0.01),
    ("NL", "trailer", "[OW][B-DF-HJ-NP-TV-Z]lldd", 0.03),
    ("NL", "trailer, sidecode 7 and later", "[OW][B-DF-HJ-NP-TV-Z]ddld", 0.02),
    # France: SIV since 2009, FNI before.
    ("FR", "SIV", "lldddll", 0.96),
    ("FR", "FNI, three letters", "dddlllnd", 0.01),
    ("FR", "FNI, two letters", "ddddllnd", 0.02),
    ("FR", "FNI, short", "dddllnd", 0.01),
    # Germany: district of one to three letters, one or two letters, up to four digits; E for electric.
    ("DE", "1-1-3", "xxndd", 0.02),
    ("DE", "1-1-4", "xxnddd", 0.06),
    ("DE", "1-2-2, 2-1-2", "xxxnd", 0.03),
    ("DE", "1-2-3, 2-1-3", "xxxndd", 0.12),
    ("DE", "1-2-4, 2-1-4", "xxxnddd", 0.25),
    ("DE", "2-2-2, 3-1-2", "xxxxnd", 0.04),
    ("DE", "2-2-3, 3-1-3", "xxxxndd", 0.16),
    ("DE", "2-2-4, 3-1-4", "xxxxnddd", 0.14),
    ("DE", "3-2-2", "xxxxxnd", 0.03),
    ("DE", "3-2-3", "xxxxxndd", 0.06),
    ("DE", "electric, short", "xxxndE", 0.01),
    ("DE", "electric", "xxxnddE", 0.03),
    ("DE", "electric, longer", "xxxxnddE", 0.04),
    ("LU", "two letters", "lldddd", 0.93),
    ("LU", "digits, five", "ndddd", 0.04),
    ("LU", "digits, four", "nddd", 0.03),
    ("GB", "since 2001", "llddlll", 0.88),
    ("GB", "prefix", "ldddlll", 0.04),
    ("GB", "prefix, two digits", "lddlll", 0.02),
    ("GB", "suffix", "lllnddl", 0.01),
    ("GB", "Northern Ireland", "lllnddd", 0.03),
    # Best effort: the present standard series of the rest of Europe.
    ("PL", "two and five", "xxddddd", 0.45),
    ("PL", "two, four and one", "xxddddx", 0.15),
    ("PL", "three and four, mixed", "xxxdxdd", 0.05),
    ("PL", "three, two and two", "xxxxxdd", 0.1),
    ("PL", "three and five", "xxxddddd", 0.15),
    ("PL", "three, one and two", "xxxxddd", 0.05),
    ("RO", "county", "xxddxxx", 0.75),
    ("RO", "Bucharest", "Bdddxxx", 0.12),
    ("RO", "Bucharest, two digits", "Bddxxx", 0.12),
    ("ES", "since 2000", "ddddlll", 0.98),
    ("IT", "since 1994", "lldddll", 0.97),
    ("BG", "two letters", "llddddll", 0.75),
    ("BG", "one letter", "lddddll", 0.24),
    ("LT", "standard", "xxxddd", 0.99),
    ("CZ", "region", "dldddddd", 0.01),
    ("CZ", "region, letter", "dlddddd", 0.6),
    ("CZ", "region, two letters", "dlldddd", 0.38),
    ("PT", "1992-2005", "ddddxx", 0.2),
    ("PT", "2005-2020", "ddxxdd", 0.5),
    ("PT", "since 2020", "xxddxx", 0.3),
    ("HU", "until 2022", "xxxddd", 0.8),
    ("HU", "since 2022", "AAxxddd", 0.2),
    ("SK", "district", "xxdddxx", 0.79),
    # Of the owner's choice behind the district: letters, and at most two digits at the end.
    ("SK", "personalised", "xxxxxxx", 0.006),
    ("SK", "personalised, one digit", "xxxxxxd", 0.002),
    ("SK", "personalised, two digits", "xxxxxdd", 0.002),
    ("SK", "since 2023", "AAdddxx", 0.2),
    ("AT", "one-letter district", "xddddxx", 0.2),
    ("AT", "two-letter district", "xxdddxx", 0.6),
    ("AT", "one-letter district, five digits", "xdddddx", 0.15),
    ("CH", "canton, six digits", "xxdddddd", 0.7),
    ("CH", "canton, five digits", "xxddddd", 0.29),
    ("DK", "standard", "xxddddd", 0.99),
    ("SE", "standard", "lllddd", 0.7),
    ("SE", "since 2019", "lllddl", 0.29),
    ("UA", "standard", "llddddll", 0.99),
    ("IE", "year, county, number", "dddxddddd", 0.3),
    ("IE", "year, county, number of four", "dddxdddd", 0.3),
    ("IE", "two-letter county", "dddxxdddd", 0.2),
    ("SI", "standard", "xxxxddd", 0.5),
    ("SI", "mixed", "xxxdddd", 0.2),
    ("HR", "three digits", "xxdddxx", 0.5),
    ("HR", "four digits", "xxddddxx", 0.4),
    ("RS", "three digits", "xxdddxx", 0.7),
    ("RS", "four digits", "xxddddxx", 0.2),
    ("LV", "standard", "xxdddd", 0.95),
    ("EE", "standard", "dddxxx", 0.97),
    ("FI", "standard", "xxxddd", 0.95),
    ("NO", "standard", "xxddddd", 0.98),
    ("GR", "standard", "llldddd", 0.95),
    ("TR", "three letters", "ddxxxddd", 0.5),
    ("TR", "two letters", "ddxxddd", 0.4),
    ("MD", "standard", "xxxddd", 0.95),
)  # fmt: skip
"""Country, name, template, share of the country's plates."""
