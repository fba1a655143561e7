"""What is wrong with a row or a file of a hotlist, in French."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

TEXTS: Final[Mapping[str, str]] = {
    "hotlists.row.implausible": "ne correspond à aucune série de {country} : mal écrite, ou d’un autre pays ?",
    "hotlists.row.few": "seulement {count} lettres et chiffres ; il en faut au moins {least}",
    "hotlists.row.none": "ni lettre ni chiffre",
    "hotlists.row.long": "plus de {most} caractères",
    "hotlists.row.nul": "un caractère étranger à tout texte (NUL) : le fichier est abîmé à cet endroit",
    "hotlists.row.several": "plus d’une cellule ou plaque ; le séparateur est-il celui de la première ligne ?",
    "hotlists.row.unreadable": "caractères illisibles ; enregistrez le fichier en UTF-8",
    "hotlists.row.letters": "d’autres lettres que A à Z ; écrivez la plaque telle qu’elle y est inscrite",
    "hotlists.row.order": "pas après « valable dès » : la mention ne vaudrait jamais",
    "hotlists.row.country": "pas un code de pays à deux lettres (BE, NL, FR, …)",
    "hotlists.row.list": "cette ligne est d’une autre liste ; chargez-la sur celle-là",
    "hotlists.row.removes": "une liste complète retire ce qu’elle omet ; chargez le fichier comme modifications",
    "hotlists.row.options": "pas l’un de {options}",
    "hotlists.row.year": "une année à deux chiffres ; écrivez les quatre, comme 14/03/2026",
    "hotlists.row.date": "ni date ni heure comme 14/03/2026, 2026-03-14 ou 2026-03-14T21:00",
    "hotlists.row.years": "hors des années 1678 à 2262",
    "hotlists.row.month": "il n’y a pas de mois {month} ; le jour précède le mois, comme 14/03/2026",
    "hotlists.row.day": "pas une date : il n’y a pas de jour {day} au mois {month} de {year}",
    "hotlists.row.time": "cette heure ou ce fuseau n’existe pas",
    "hotlists.row.quote": "un guillemet n’est pas fermé ou pas doublé",
    "hotlists.row.behind": "suit le guillemet de la ligne {row}, qui n’est pas fermé",
    "hotlists.row.cells": "{cells} cellules pour {columns} colonnes",
    "hotlists.row.line": "plus long que {most} caractères",
    "hotlists.row.json": "pas du JSON valable",
    "hotlists.row.object": "pas un objet JSON",
    "hotlists.row.twice": "deux champs ont le même sens ({column}) ; gardez-en un",
    "hotlists.row.kind": "ni texte ni nombre entier",
    "hotlists.row.number": "ni nombre ni date, bien que la feuille le dise",
    "hotlists.row.missing": "renvoie à un texte que le fichier n’a pas",
    "hotlists.row.error": "la cellule contient une erreur du tableur",
    "hotlists.row.tightened": "la ligne {row} donne la même plaque comme discrète ; celle-ci l’est donc aussi",
    "hotlists.row.overruled": "la ligne {row} retire la même plaque ; elle vient après et l’emporte",
    "hotlists.row.duplicate": "mêmes plaque, pays et validité que la ligne {row}, qui vient après et l’emporte",
    "hotlists.file.empty": "Le fichier est vide. Vérifiez que c’est le bon.",
    "hotlists.file.large": "Décompressé, le fichier est trop grand. Répartissez-le sur plusieurs listes.",
    "hotlists.file.bomb": "Décompressé, le fichier est plus de {ratio} fois plus grand : aucune liste n’est "
    "ainsi. Rien n’en a été lu ; envoyez-le sans compression si c’est bien une liste.",
    "hotlists.file.half": "Le fichier gzip s’arrête à mi-chemin. Rien n’est conservé ; récupérez-le à nouveau.",
    "hotlists.file.gzip": "Le fichier gzip est abîmé. Rien n’est conservé ; récupérez-le à nouveau.",
    "hotlists.file.twice": "Le fichier est compressé deux fois. Décompressez-le une fois et envoyez cela.",
    "hotlists.file.xls": "C’est un ancien fichier Excel (.xls) ou protégé par un mot de passe. Enregistrez-le "
    "en XLSX ou CSV.",
    "hotlists.file.binary": "Ce n’est pas du texte. Enregistrez la liste en CSV (UTF-8), NDJSON ou XLSX.",
    "hotlists.file.csv": "La ligne {line} n’est pas du CSV : un guillemet n’est pas fermé, ou une cellule est "
    "très longue.",
    "hotlists.file.plates": "Pas de colonne de plaques : on y lit {holds}. La première ligne nomme les colonnes "
    "; appelez-en une plaque, nummerplaat, plate ou kenteken.",
    "hotlists.file.same": "Plus d’une colonne signifie {column}. Gardez-en une.",
    "hotlists.file.array": "Le fichier est un seul tableau JSON. Écrivez un objet par ligne (NDJSON), sans "
    "crochets.",
    "hotlists.file.blanks": "Le fichier commence par de très nombreuses lignes vides. Est-ce le bon ?",
    "hotlists.file.rows": "Plus de {rows} lignes. Répartissez-les sur plusieurs listes.",
    "hotlists.file.zip": "C’est un fichier ZIP, pas un XLSX. Décompressez-le et envoyez la liste qu’il contient.",
    "hotlists.file.xlsx": "Le fichier XLSX ne peut être lu : abîmé, tronqué, trop grand ou avec mot de passe. "
    "Enregistrez la feuille en CSV.",
    "hotlists.file.slow": "La lecture a duré trop longtemps. Divisez le fichier.",
    "hotlists.file.memory": "Il n’y a pas assez de mémoire pour lire le fichier. Divisez-le.",
}
