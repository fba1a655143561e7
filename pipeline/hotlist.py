"""``lik hotlist``: the hotlist desk from a command line or a script, over the console's admin endpoint.

The one way in is the endpoint, with a token: so roles, guards and the audit trail hold here as they do everywhere.
Exit codes: 0 done, 1 refused, 2 not understood, 3 a second confirmation is needed, 4 the desk is away.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Final

import httpx
import typer

from pipeline.hotlist_words import refusal, word

DEFAULT_URL: Final = "http://127.0.0.1:8080"
REFUSED: Final = 1
CONFIRM: Final = 3
AWAY: Final = 4
_TIMEOUT: Final = httpx.Timeout(30.0, read=900.0, write=900.0)
_SHOWN: Final = 10

app = typer.Typer(help="Hotlists: load, check, publish, roll back, search.", no_args_is_help=True)


class Kind(StrEnum):
    """What a file is for."""

    FULL = "full"
    DELTA = "delta"


Name = Annotated[str, typer.Argument(help="The list.")]
Number = Annotated[int, typer.Argument(min=1, help="The version.")]
Why = Annotated[str, typer.Option(help="Why, for the audit trail.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print what the desk answers, as JSON.")]
Set = Annotated[
    list[str] | None,
    typer.Option("--set", help="FIELD=VALUE, repeated: title=Gestolen, handling=covert, max_age_s=86400."),
]
MetadataFile = Annotated[Path | None, typer.Option("--file", help="A JSON file with the fields.")]
Plate = Annotated[str, typer.Argument(help="As it is written; - reads it from stdin, where no history keeps it.")]
Country = Annotated[str, typer.Option(help="Two letters; empty: any.")]
Confirm = Annotated[int | None, typer.Option(help="Repeats how many entries go, where a guard asks for it.")]


@app.callback()
def _connect(
    context: typer.Context,
    url: Annotated[
        str, typer.Option(help=f"Address of the console; default: LIK_CONSOLE_URL, else {DEFAULT_URL}.")
    ] = "",
) -> None:
    """Load, check, publish, roll back and search hotlists; the API token is read from LIK_TOKEN."""
    token = os.environ.get("LIK_TOKEN", "")
    context.obj = httpx.Client(
        base_url=url or os.environ.get("LIK_CONSOLE_URL") or DEFAULT_URL,
        headers={"Authorization": f"Bearer {token}"} if token else {},
        timeout=_TIMEOUT,
        trust_env=False,
    )
    context.call_on_close(context.obj.close)


@app.command("list")
def show_lists(context: typer.Context, as_json: AsJson = False) -> None:
    """Show every list, and how it stands."""
    lists = _ask(context, "GET", "")
    if as_json:
        _json(lists)
        return
    for each in lists:
        _say(f"{each['name']:<24} {_standing(each)}  {each['title']}")


@app.command()
def show(context: typer.Context, name: Name) -> None:
    """Show one list, as JSON."""
    _json(_ask(context, "GET", f"/{name}"))


@app.command()
def create(context: typer.Context, name: Name, values: Set = None, file: MetadataFile = None) -> None:
    """Make a list; the same again changes nothing."""
    _json(_ask(context, "PUT", f"/{name}", json=_fields(values, file)))


@app.command()
def describe(
    context: typer.Context,
    name: Name,
    why: Why,
    values: Set = None,
    file: MetadataFile = None,
    open_covert: Annotated[bool, typer.Option(help="A covert list may become open by this.")] = False,
) -> None:
    """Change some of a list's metadata; what is not named stays."""
    query = {"why": why, "open_covert": open_covert}
    _json(_ask(context, "PATCH", f"/{name}", params=query, json=_fields(values, file)))


@app.command()
def archive(context: typer.Context, name: Name, why: Why) -> None:
    """Take a list out of use: nothing of it is matched from then on."""
    _ask(context, "POST", f"/{name}/archive", json={"why": why})
    _say(word("archived").format(name=name))


@app.command()
def restore(context: typer.Context, name: Name, why: Why) -> None:
    """Take an archived list back into use; nothing of it is live yet."""
    _ask(context, "POST", f"/{name}/restore", json={"why": why})
    _say(word("restored").format(name=name))


@app.command()
def upload(
    context: typer.Context,
    name: Name,
    file: Annotated[typer.FileBinaryRead, typer.Argument(help="CSV, NDJSON or XLSX, gzip or not; - is stdin.")],
    why: Why,
    kind: Annotated[Kind, typer.Option(help="full: all that is listed. delta: rows add and remove.")] = Kind.FULL,
    publish: Annotated[bool, typer.Option("--publish", help="Publish at once what no guard holds back.")] = False,
) -> None:
    """Upload a file and show what publishing it would do; with --publish, do it unless a guard holds it back."""
    query = {"why": why, "kind": kind.value}
    preview = _ask(context, "POST", f"/{name}/staged", params=query, content=_pieces(file))
    _show_preview(preview)
    if publish:
        _publish(context, preview, why, None)


@app.command()
def preview(context: typer.Context, name: Name, number: Number, as_json: AsJson = False) -> None:
    """Show what publishing a staged version would do."""
    found = _ask(context, "GET", f"/{name}/staged/{number}")
    _json(found) if as_json else _show_preview(found)


@app.command()
def discard(context: typer.Context, name: Name, number: Number, why: Why) -> None:
    """Remove a staged version that is not to be published."""
    _ask(context, "DELETE", f"/{name}/staged/{number}", params={"why": why})
    _say(word("discarded").format(name=name, number=number))


@app.command("publish")
def publish_staged(
    context: typer.Context, name: Name, number: Number, why: Why, confirm_removed: Confirm = None
) -> None:
    """Make a staged version the one that is matched."""
    _publish(context, _ask(context, "GET", f"/{name}/staged/{number}"), why, confirm_removed)


@app.command()
def rollback(context: typer.Context, name: Name, number: Number, why: Why) -> None:
    """Make a kept version live again."""
    _ask(context, "POST", f"/{name}/rollback", json={"number": number, "why": why})
    _say(word("published").format(name=name, number=number))


@app.command()
def versions(context: typer.Context, name: Name, as_json: AsJson = False) -> None:
    """Show the versions that are kept or staged, the latest first."""
    found = _ask(context, "GET", f"/{name}/versions")
    if as_json:
        _json(found)
        return
    for each in found:
        who = each["published_by"] or each["by"]
        _say(
            f"{each['number']:>5}  {each['state']:<7} {each['kind']:<6} {_count(each['rows'])}  "
            f"{_moment(each['when_ms'])}  {who}  {each['why']}"
        )


@app.command()
def add(
    context: typer.Context,
    name: Name,
    plate: Plate,
    why: Why,
    country: Country = "",
    values: Annotated[
        list[str] | None,
        typer.Option("--set", help="FIELD=VALUE: reason, priority, handling, valid_from, valid_until."),
    ] = None,
) -> None:
    """Add an entry to what is live, at once."""
    body = {"plate": _plate(plate), "country": country, "why": why, **_fields(values, None)}
    changed = _ask(context, "POST", f"/{name}/entries", json=body)
    _say(word("entry.added").format(name=name, plate=changed["plate"], until=_moment(changed["valid_until_ms"])))
    _say_damaged(name, changed)


@app.command()
def remove(context: typer.Context, name: Name, plate: Plate, why: Why, country: Country = "") -> None:
    """Remove an entry from what is live, at once."""
    body = {"plate": _plate(plate), "country": country, "why": why}
    changed = _ask(context, "POST", f"/{name}/entries/remove", json=body)
    _say(word("entry.removed").format(name=name, plate=changed["plate"]))
    _say_damaged(name, changed)


@app.command()
def find(context: typer.Context, plate: Plate, why: Why, as_json: AsJson = False) -> None:
    """Say on which lists a plate is, by whom, why and until when."""
    found = _ask(context, "POST", "/find", json={"plate": _plate(plate), "why": why})
    if as_json:
        _json(found)
        return
    for each in found["found"]:
        entry = each["entry"]
        _say(
            f"{each['list']:<24} {each['priority']:<9} {each['owner']}  {entry['country']:<2} {entry['reason']}  "
            f"{word('until')} {_moment(entry['valid_until_ms'])}"
        )
    if found["unread"]:
        _say(word("unread").format(lists=", ".join(each["name"] for each in found["unread"])))
    elif not found["found"]:
        _say(word("nowhere").format(plate=found["plate"]))


@app.command()
def export(
    context: typer.Context,
    name: Name,
    out: Annotated[Path, typer.Argument(help="Where the CSV is written.")],
    why: Why,
    number: Annotated[int | None, typer.Option(min=1, help="Another version than the live one.")] = None,
) -> None:
    """Write a version's entries to a CSV file that nobody else may read."""
    query = {"why": why} | ({} if number is None else {"version": str(number)})
    client: httpx.Client = context.obj
    with _answers(), client.stream("GET", f"/api/hotlists/{name}/export", params=query) as answer:
        if answer.is_error:
            answer.read()
            _refuse(answer)
        descriptor = os.open(out, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            for piece in answer.iter_bytes():
                file.write(piece)
    _say(str(out))


@app.command()
def health(context: typer.Context) -> None:
    """Say how the lists and the workers stand; exit code 1 for anything but ok."""
    found = _ask(context, "GET", "/health")
    _json(found)
    raise typer.Exit(0 if found["state"] == "ok" else REFUSED)


def _publish(context: typer.Context, preview: dict[str, Any], why: str, confirm_removed: int | None) -> None:
    body = {"why": why, "expected_live": preview["based_on"], "confirm_removed": confirm_removed}
    name, number = preview["name"], preview["number"]
    _ask(context, "POST", f"/{name}/staged/{number}/publish", json=body)
    _say(word("published").format(name=name, number=number))


def _ask(context: typer.Context, method: str, path: str, **given: Any) -> Any:
    client: httpx.Client = context.obj
    with _answers():
        answer = client.request(method, f"/api/hotlists{path}", **given)
    if answer.is_error:
        _refuse(answer)
    return answer.json() if answer.content else None


@contextmanager
def _answers() -> Iterator[None]:
    """End plainly where the console does not answer."""
    try:
        yield
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        _warn(word("away").format(error=type(error).__name__))
        raise typer.Exit(AWAY) from error


def _refuse(answer: httpx.Response) -> None:
    """Say what the desk refuses, and end."""
    try:
        problem = answer.json()
    except ValueError:
        problem = {}
    code = problem.get("code") or ""
    _warn(f"{refusal(code, answer.status_code)}: {problem.get('detail', answer.reason_phrase)}")
    for each in problem.get("errors", [])[:_SHOWN]:
        _warn(f"  {each['row']}: {each['column']}: {each['value']!r}: {each['reason']}")
    raise typer.Exit(
        {409: CONFIRM if code == "needs_confirmation" else REFUSED, 503: AWAY}.get(answer.status_code, REFUSED)
    )


def _show_preview(found: dict[str, Any]) -> None:
    for key in ("accepted", "rejected", "duplicates", "implausible", "added", "changed", "unchanged", "removed"):
        _say(f"{word(key):<24} {found[key]:>12}")
    for each in found["errors"][:_SHOWN]:
        _say(f"  {each['row']}: {each['column']}: {each['value']!r}: {each['reason']}")
    looked = found["lookback"]
    if looked["answered"]:
        hits = word("few") if looked["would_hit"] is None else looked["would_hit"]
        _say(word("lookback").format(hits=hits, reads=looked["reads"], since=_moment(looked["since_ms"])))
    for each in found["guards"]:
        _say(word("guard").format(what=word(f"guard.{each['code']}"), count=each["count"], of=each["of"]))
    _say(word("staged").format(name=found["name"], number=found["number"]))


def _say_damaged(name: str, changed: dict[str, Any]) -> None:
    """Say of a single entry that its list is damaged, where it is."""
    if changed["unread"]:
        _say(word("damaged").format(name=name))


def _fields(values: list[str] | None, file: Path | None) -> dict[str, Any]:
    """Read fields: of a JSON file, and of FIELD=VALUE, where VALUE is JSON if it can be, else a text."""
    fields: dict[str, Any] = {}
    if file is not None:
        try:
            fields = json.loads(file.read_text("utf-8"))
        except (OSError, ValueError) as error:
            raise typer.BadParameter(f"{file}: {error}") from error
        if not isinstance(fields, dict):
            raise typer.BadParameter(f"{file}: not a JSON object")
    for each in values or []:
        field, separator, value = each.partition("=")
        if not separator:
            raise typer.BadParameter(f"{each!r}: write FIELD=VALUE")
        fields[field] = _value(value)
    return fields


def _plate(given: str) -> str:
    return sys.stdin.readline().strip() if given == "-" else given


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def _pieces(file: typer.FileBinaryRead) -> Iterator[bytes]:
    yield from iter(lambda: file.read(1_048_576), b"")


def _standing(each: dict[str, Any]) -> str:
    state = "archived" if each["archived"] else "stale" if each["stale"] else "live" if each["live"] else "empty"
    return f"{word(f'state.{state}'):<12} {_count(each['rows'])}  {_moment(each['published_ms'])}"


def _count(rows: int | None) -> str:
    return f"{'?' if rows is None else rows:>10}"


def _moment(at_ms: int | None) -> str:
    return "-" if at_ms is None else datetime.fromtimestamp(at_ms / 1000).astimezone().strftime("%Y-%m-%d %H:%M")


def _json(value: Any) -> None:
    _say(json.dumps(value, ensure_ascii=False, indent=1))


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")


def _warn(text: str) -> None:
    sys.stderr.write(f"lik: {text}\n")
