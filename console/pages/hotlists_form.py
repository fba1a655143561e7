"""The form that describes a list: what it shows of one, and what is read from it, each wrong field by name."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import parse_qs

from pydantic import ValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request

from console.body import small_body
from console.times import for_input, from_input
from hotlists.entry import Handling, Weekday
from hotlists.shapes import Changes, ListShape, Metadata

MAX_BYTES: Final = 524_288
MAX_FIELDS: Final = 3_000
MAX_WINDOWS: Final = 50
UNITS_S: Final[Mapping[str, int]] = {"days": 86_400, "hours": 3600, "minutes": 60}
_TEXTS: Final = ("title", "owner", "legal_basis", "purpose")
_SHARES: Final = ("threshold", "removal_guard", "rejection_guard")
_CHOICES: Final = ("category", "priority", "handling")
_TICKS: Final = ("two_person", "notify_unconfirmed")
_NAME: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,63}")
_WINDOW: Final = re.compile(r"window\.(\d{1,2})\.(from|until|day|starts|ends)")

Fields = dict[str, list[str]]


@dataclass
class Filled:
    """The form as it is filled in."""

    values: dict[str, str] = field(default_factory=dict)
    zones: list[str] = field(default_factory=list)
    cameras: list[str] = field(default_factory=list)
    windows: list[dict[str, Any]] = field(default_factory=list)
    """Each with ``from``, ``until``, ``starts``, ``ends`` as texts and ``days`` as a list."""
    wrong: dict[str, str] = field(default_factory=dict)
    """Field to the key of the text that says what is wrong with it."""


async def fields_of(request: Request) -> Fields:
    """Read the form: every value of each field.

    Raises
    ------
    HTTPException
        400: it is not UTF-8, or has too many fields; 413: it is too large.
    """
    body = await small_body(request, MAX_BYTES)
    try:
        return parse_qs(body.decode(), keep_blank_values=True, errors="strict", max_num_fields=MAX_FIELDS)
    except ValueError as error:
        raise HTTPException(400, "the form is not UTF-8, or has too many fields") from error


def first(fields: Fields, name: str) -> str:
    """Return the first value of a field, without spaces around it."""
    return fields.get(name, [""])[0].strip()


def mark(shape: ListShape) -> str:
    """Return what is another text once somebody has changed the description meanwhile."""
    told = shape.model_dump_json(include=set(Changes.model_fields))
    return hashlib.blake2b(told.encode(), digest_size=12).hexdigest()


def of_shape(shape: ListShape) -> Filled:
    """Fill the form with what a list is."""
    values: dict[str, str] = {name: getattr(shape, name) for name in (*_TEXTS, "name")}
    values |= {name: getattr(shape, name).value for name in _CHOICES}
    values |= {name: _percent(getattr(shape, name)) for name in _SHARES}
    values |= {name: "on" for name in _TICKS if getattr(shape, name)}
    values["named_users"] = "\n".join(shape.named_users)
    values["max_age_unit"] = "hours"
    values["prior"] = "" if shape.prior is None else f"{shape.prior:.12g}"
    if shape.max_age_s is not None:
        unit, unit_s = next((each for each in UNITS_S.items() if not shape.max_age_s % each[1]), ("minutes", 60))
        values |= {"max_age": f"{shape.max_age_s / unit_s:g}", "max_age_unit": unit}
    windows = [
        {
            "from": for_input(each.from_ns),
            "until": for_input(each.until_ns),
            "days": [day.value for day in each.days],
            "starts": each.starts,
            "ends": each.ends,
        }
        for each in shape.applies_to.windows
    ]
    return Filled(values, list(shape.applies_to.zones), list(shape.applies_to.cameras), windows)


def empty() -> Filled:
    """Fill the form for a list that is to be made."""
    made = Metadata(name="x")
    values = {name: getattr(made, name).value for name in _CHOICES}
    values |= {name: _percent(getattr(made, name)) for name in _SHARES}
    return Filled({**values, "max_age_unit": "hours"})


def of_fields(fields: Fields) -> Filled:
    """Fill the form as it was sent."""
    found: dict[int, dict[str, Any]] = {}
    for name, values in fields.items():
        part = _WINDOW.fullmatch(name)
        if part is not None and int(part[1]) < MAX_WINDOWS:
            window = found.setdefault(
                int(part[1]), {"from": "", "until": "", "days": [], "starts": "", "ends": ""}
            )
            if part[2] == "day":
                window["days"] = values
            else:
                window[part[2]] = values[0].strip()
    plain = {name: values[0].strip() for name, values in fields.items() if not _WINDOW.fullmatch(name)}
    windows = [found[number] for number in sorted(found)]
    return Filled(plain, fields.get("zone", []), fields.get("camera", []), windows)


def change_windows(filled: Filled, do: str) -> bool:
    """Add a window, or leave one out, where the button that was pressed says so; tell whether it did."""
    if do == "add_window" and len(filled.windows) < MAX_WINDOWS:
        filled.windows.append({"from": "", "until": "", "days": [], "starts": "", "ends": ""})
        return True
    number = do.removeprefix("drop.")
    if do.startswith("drop.") and number.isdigit() and int(number) < len(filled.windows):
        del filled.windows[int(number)]
        return True
    return do == "add_window"


def read(filled: Filled) -> Metadata | None:
    """Read a list's metadata; None where a field is wrong: `Filled.wrong` then says which and how."""
    values, wrong = filled.values, filled.wrong
    wrong.clear()
    given: dict[str, Any] = {name: values.get(name, "") for name in (*_TEXTS, *_CHOICES)}
    given |= {name: values.get(name) == "on" for name in _TICKS}
    given["named_users"] = [
        each.strip() for each in re.split(r"[\n,;]", values.get("named_users", "")) if each.strip()
    ]
    for name in _SHARES:
        share = _decimal(values.get(name, ""))
        if share is None or not 0 <= share <= 100:
            wrong[name] = "hotlists.wrong.share"
        else:
            given[name] = round(share / 100, 9)
    given["prior"] = _prior(values.get("prior", ""), wrong)
    given["max_age_s"] = _max_age_s(values, wrong)
    given["applies_to"] = {
        "zones": filled.zones,
        "cameras": filled.cameras,
        "windows": [
            _window(each, f"window.{at}", wrong) for at, each in enumerate(filled.windows) if any(each.values())
        ],
    }
    try:
        made = Metadata(**given)
    except ValidationError as error:
        for each in error.errors():
            place = [str(part) for part in each["loc"]]
            wrong.setdefault(_field(place), "hotlists.wrong.field")
        return None
    return None if wrong else made


def name_for(filled: Filled) -> str:
    """Return the name that a list is to have: the given one, or one made of its title; empty: neither is one."""
    given, title = filled.values.get("name", ""), filled.values.get("title", "")
    if not given and filled.values.get("handling") != Handling.COVERT.value:
        plain = unicodedata.normalize("NFKD", title).encode("ascii", "ignore").decode().lower()
        given = re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:64].strip("-")
    return given if _NAME.fullmatch(given) else ""


def changes(made: Metadata, shape: ListShape) -> dict[str, Any]:
    """Return what of a list's metadata is other than it was."""
    now, was = (each.model_dump(mode="json", include=set(Changes.model_fields)) for each in (made, shape))
    return {name: value for name, value in now.items() if value != was[name]}


def _field(place: list[str]) -> str:
    """The field of the form that a place in the metadata comes from."""
    if place[0] != "applies_to":
        return place[0]
    return f"window.{place[2]}" if len(place) > 2 and place[1] == "windows" else "places"


def _percent(share: float) -> str:
    return f"{100 * share:.6g}"


def _decimal(given: str) -> float | None:
    try:
        return float(given.replace(",", ".").removesuffix("%"))
    except ValueError:
        return None


def _prior(given: str, wrong: dict[str, str]) -> float | None:
    if not given:
        return None
    prior = _decimal(given)
    if prior is None or not 0 < prior < 1:
        wrong["prior"] = "hotlists.wrong.prior"
        return None
    return prior


def _max_age_s(values: Mapping[str, str], wrong: dict[str, str]) -> int | None:
    given = values.get("max_age", "")
    if not given:
        return None
    count, unit_s = _decimal(given), UNITS_S.get(values.get("max_age_unit", ""), 0)
    seconds = 0 if count is None or not 0 < count < 1e7 else round(count * unit_s)
    if not 60 <= seconds <= 315_360_000:
        wrong["max_age"] = "hotlists.wrong.max_age"
        return None
    return seconds


def _window(given: Mapping[str, Any], place: str, wrong: dict[str, str]) -> dict[str, Any]:
    moments: dict[str, int | None] = {}
    for name in ("from", "until"):
        try:
            moments[name] = from_input(given[name])
        except (ValueError, OverflowError):
            wrong[place] = "hotlists.wrong.moment"
            moments[name] = None
    from_ns, until_ns = moments["from"], moments["until"]
    if from_ns is not None and until_ns is not None and until_ns <= from_ns:
        wrong[place] = "hotlists.wrong.window"
    days = [each.value for each in Weekday if each.value in given["days"]]
    # Browsers give an hour with seconds where it has some.
    hours = {name: given[name][:5] for name in ("starts", "ends")}
    return {"from_ns": from_ns, "until_ns": until_ns, "days": days, **hours}
