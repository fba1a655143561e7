"""What is shown of an alert, to whom, and what a verdict leaves behind."""

from __future__ import annotations

import json

import httpx
import pytest
from fastapi import FastAPI

from console.messages import LANGUAGES, text
from console.present import Pieces, plate_pieces
from hotlists.entry import Category, Handling, Priority
from pipeline.alerts.routing import Recipient
from pipeline.alerts.store import AlertStore, Verdict, Viewer
from pipeline.model import ReadKind
from tests.console.conftest import SignIn, browse, csrf_of
from tests.console.samples import make_alert, picture

SEES_ALL = Viewer("test", frozenset({"covert"}))


async def _judge(client: httpx.AsyncClient, alert_id: str, body: str, csrf: str | None) -> httpx.Response:
    headers = {} if csrf is None else {"X-CSRF-Token": csrf}
    return await client.post(f"/alerts/{alert_id}/acknowledgement", content=body, headers=headers)


async def test_a_verdict_is_stored_with_who_and_why(signed_in: SignIn, store: AlertStore) -> None:
    alert = make_alert(1)
    await store.record(alert)
    async with signed_in("operator") as client:
        csrf = await csrf_of(client)
        answer = await _judge(client, alert.alert_id, '{"verdict": "misread", "note": "een 8"}', csrf)
        assert answer.status_code == 200
        assert answer.json()["acknowledgement"]["word"] == "Misgelezen"
    row = await store.get(alert.alert_id, SEES_ALL)
    assert row.acknowledgement is not None
    given = (row.acknowledgement.verdict, row.acknowledgement.by, row.acknowledgement.note)
    assert given == (Verdict.MISREAD, "operator", "een 8")
    line = (await store.audit_lines())[0]
    assert (line.who, line.what, line.target, line.why) == (
        "operator",
        "alert.acknowledge",
        alert.alert_id,
        "misread",
    )


async def test_what_is_on_a_misread_plate_is_kept_and_shown(signed_in: SignIn, store: AlertStore) -> None:
    alert = make_alert(1, read="1ABC128", listed="1ABC123")
    await store.record(alert)
    async with signed_in("operator") as client:
        csrf = await csrf_of(client)
        first = await _judge(client, alert.alert_id, '{"verdict": "misread", "true_plate": "1 abc 129"}', csrf)
        assert first.json()["acknowledgement"]["true_plate"] == "1-ABC-129"
        # What is on it stays unknown: that is no less a verdict.
        second = await _judge(client, alert.alert_id, '{"verdict": "misread", "true_plate": " "}', csrf)
        assert (second.status_code, second.json()["acknowledgement"]["true_plate"]) == (200, "")
        shown = (await client.get(f"/alerts/{alert.alert_id}")).json()
    assert [(each["number"], each["word"], each["true_plate"]) for each in shown["earlier"]] == [
        (1, "Misgelezen", "1-ABC-129")
    ]
    trail = await store.audit_lines()
    lines = [each.why for each in trail if each.what == "alert.acknowledge"]
    assert lines == ["misread", "misread, true plate given"]
    # Which goes with the alert; the trail is kept for ten times as long.
    assert not [each for each in trail if "129" in f"{each.target} {each.why}" and each.target != alert.alert_id]


@pytest.mark.parametrize(
    ("verdict", "given", "code"),
    [
        ("misread", "1AB?128", "wild"),
        ("misread", "1ABC128, 1ABC129", "several"),
        ("misread", "1ЖБЦ128", "letters"),
        ("misread", "7", "few"),
        ("misread", "1ABC1234567", "long"),
        ("misread", "1-ABC-123", "listed"),
        ("confirmed", "1ABC129", "verdict"),
    ],
)
@pytest.mark.parametrize("language", LANGUAGES)
async def test_a_true_plate_that_cannot_be_is_refused_in_plain_words(
    signed_in: SignIn, store: AlertStore, verdict: str, given: str, code: str, language: str
) -> None:
    alert = make_alert(1, read="1ABC128", listed="1ABC123")
    await store.record(alert)
    async with signed_in("operator") as client:
        client.cookies.set("language", language)
        body = json.dumps({"verdict": verdict, "true_plate": given})
        answer = await _judge(client, alert.alert_id, body, await csrf_of(client))
    assert (answer.status_code, answer.headers["content-type"]) == (422, "application/problem+json")
    assert (answer.json()["code"], answer.json()["detail"]) == (code, text(f"misread.wrong.{code}", language))
    assert (await store.get(alert.alert_id, SEES_ALL)).acknowledgement is None
    assert [each.what for each in await store.audit_lines() if each.what == "alert.acknowledge"] == []


@pytest.mark.parametrize("csrf", [None, "", "wrong", "é"])
async def test_without_the_token_there_is_no_verdict(
    signed_in: SignIn, store: AlertStore, csrf: str | None
) -> None:
    alert = make_alert(1)
    await store.record(alert)
    async with signed_in("operator") as client:
        headers = {} if csrf is None else {"X-CSRF-Token": csrf.encode()}
        answer = await client.post(
            f"/alerts/{alert.alert_id}/acknowledgement", content='{"verdict": "confirmed"}', headers=headers
        )
        assert answer.status_code == 403
        assert answer.headers["content-type"] == "application/problem+json"
    assert (await store.get(alert.alert_id, SEES_ALL)).acknowledgement is None


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ("", 400),
        ("[]", 400),
        ('{"verdict": "maybe"}', 400),
        ('{"verdict": "confirmed", "by": "chief"}', 400),
        ('{"verdict": "confirmed", "note": "' + "x" * 2001 + '"}', 400),
        ('{"verdict": "confirmed", "note": "\\u0000"}', 400),
        ('{"verdict": "misread", "true_plate": "1ABC\\u0000128"}', 400),
        ('{"verdict": "misread", "true_plate": 7}', 400),
        ('{"verdict": "confirmed", "note": "' + "x" * 20000 + '"}', 413),
    ],
)
async def test_what_is_no_verdict_is_refused(signed_in: SignIn, store: AlertStore, body: str, status: int) -> None:
    alert = make_alert(1)
    await store.record(alert)
    async with signed_in("operator") as client:
        answer = await _judge(client, alert.alert_id, body, await csrf_of(client))
        assert answer.status_code == status
    assert (await store.get(alert.alert_id, SEES_ALL)).acknowledgement is None


async def test_an_auditor_looks_but_does_not_judge(signed_in: SignIn, store: AlertStore) -> None:
    alert = make_alert(1)
    await store.record(alert)
    async with signed_in("auditor") as client:
        page = await client.get("/")
        assert "data-verdict" not in page.text
        assert (await client.get(f"/alerts/{alert.alert_id}")).status_code == 200
        answer = await _judge(client, alert.alert_id, '{"verdict": "confirmed"}', await csrf_of(client))
        assert answer.status_code == 403


@pytest.mark.parametrize(("name", "sees"), [("operator", False), ("named", True), ("recherche", True)])
async def test_a_covert_alert_is_not_there_for_others(
    signed_in: SignIn, store: AlertStore, name: str, sees: bool
) -> None:
    alert = make_alert(1, handling=Handling.COVERT, named_users=("named",), patch=picture("1ABC123"))
    await store.record(alert)
    async with signed_in(name) as client:
        csrf = await csrf_of(client)
        for covert, absent in [("", ""), ("/patch.jpg", "/patch.jpg")]:
            answer = await client.get(f"/alerts/{alert.alert_id}{covert}")
            unknown = await client.get(f"/alerts/{'0' * 32}{absent}")
            assert unknown.status_code == 404
            if sees:
                assert answer.status_code == 200
            else:
                assert (answer.status_code, answer.content) == (404, unknown.content)
        verdict = await _judge(client, alert.alert_id, '{"verdict": "confirmed"}', csrf)
        assert verdict.status_code == (200 if sees else 404)
    lines = [line for line in await store.audit_lines() if line.target == alert.alert_id]
    assert len(lines) == (3 if sees else 0)


async def test_the_patch_comes_as_it_was_stored(signed_in: SignIn, store: AlertStore) -> None:
    with_patch, without = make_alert(1, patch=picture("1ABC123")), make_alert(2)
    await store.record(with_patch)
    await store.record(without)
    async with signed_in("operator") as client:
        answer = await client.get(f"/alerts/{with_patch.alert_id}/patch.jpg")
        assert answer.headers["content-type"] == "image/jpeg"
        assert answer.headers["cache-control"] == "no-store"
        assert answer.content == picture("1ABC123")
        assert (await client.get(f"/alerts/{without.alert_id}/patch.jpg")).status_code == 404
    views = [line.target for line in await store.audit_lines() if line.what == "patch.view"]
    assert views == [with_patch.alert_id]


async def test_the_details_say_where_when_and_how_fast(signed_in: SignIn, store: AlertStore) -> None:
    await store.record(make_alert(1, read="1ABC128", listed="1ABC123", sightings=2, late=True))
    await store.record(make_alert(2, camera="never registered"))
    async with signed_in("operator") as client:
        shown = (await client.get(f"/alerts/{make_alert(1).alert_id}")).json()
        other = (await client.get(f"/alerts/{make_alert(2).alert_id}")).json()
    assert (shown["camera"], shown["municipality"]) == ("N9 Stadhuis", "Veldeke")
    assert shown["read"] == [["1-ABC-12", False], ["8", True]]
    assert shown["listed"] == [["1-ABC-12", False], ["3", True]]
    assert (shown["latency_ms"], shown["late"], shown["sightings"]) == (84, True, 2)
    assert {"word": "van lezing tot melding", "ms": 84.0} in shown["trail"]
    assert shown["recipients"] == ["LIK", "Interventie", "RIR"]
    assert other["camera"] == "never registered"


@pytest.mark.parametrize(
    ("read", "listed", "country", "expected"),
    [
        ("1ABC123", None, "BE", ([["1-ABC-123", False]], [["1-ABC-123", False]])),
        ("1ABC123", "1ABC123", "NL", ([["1ABC123", False]], [["1ABC123", False]])),
        ("ABC", "ABCD", "", ([["ABC", False], ["", True]], [["ABC", False], ["D", True]])),
        ("ABC123", "1ABC123", "BE", ([["", True], ["-ABC-123", False]], [["1", True], ["-ABC-123", False]])),
        ("1ABC12", "1ABC123", "", ([["1-ABC-12", False], ["", True]], [["1-ABC-12", False], ["3", True]])),
        (
            "12ABC123",
            "1ABC123",
            "BE",
            ([["1", False], ["2", True], ["-ABC-123", False]], [["1", False], ["", True], ["-ABC-123", False]]),
        ),
        ("", "AB", "", ([["", True], ["", True]], [["AB", True]])),
        ("XYZ", "ABC", "", ([["XYZ", True]], [["ABC", True]])),
    ],
)
def test_differences_are_marked_and_stand_under_one_another(
    read: str, listed: str | None, country: str, expected: tuple[Pieces, Pieces]
) -> None:
    assert plate_pieces(read, listed, country) == expected


def test_every_value_has_a_word() -> None:
    for prefix, values in {
        "priority": Priority,
        "category": Category,
        "verdict": Verdict,
        "kind": ReadKind,
        "recipient": Recipient,
    }.items():
        for value in values:
            assert text(f"{prefix}.{value.value}")


async def test_every_answer_carries_the_safe_headers(app: FastAPI, signed_in: SignIn) -> None:
    async with browse(app) as client:
        paths = ["/sign-in", "/", "/nope", "/alerts/x", "/static/live.js", "/static/nope", "/metrics"]
        answers = [await client.get(path) for path in paths]
    async with signed_in("operator") as client:
        answers.append(await client.get("/"))
    for answer in answers:
        assert answer.headers["content-security-policy"].startswith("default-src 'self';")
        assert "unsafe" not in answer.headers["content-security-policy"]
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["x-frame-options"] == "DENY"
        for inline in ("style=", "onclick", "<style", "<script>", "http://", "https://"):
            if "text/html" in answer.headers.get("content-type", ""):
                assert inline not in answer.text


async def test_a_page_that_is_not_there_says_so_in_dutch(app: FastAPI) -> None:
    async with browse(app) as client:
        page = await client.get("/nergens")
        assert page.status_code == 404
        assert "bestaat niet" in page.text


async def test_health_says_what_is_reached(app: FastAPI, store: AlertStore) -> None:
    async with browse(app) as client:
        answer = await client.get("/health")
        assert (answer.status_code, answer.json()) == (200, {"store": True, "kafka": False, "redis": True})


async def test_metrics_hold_no_plate(app: FastAPI, signed_in: SignIn, store: AlertStore) -> None:
    await store.record(make_alert(1))
    async with signed_in("operator") as client:
        await client.get(f"/alerts/{make_alert(1).alert_id}")
        metrics = (await client.get("/metrics")).text
    assert "lik_console_streams" in metrics
    assert "1ABC123" not in metrics


async def test_a_store_that_is_away_is_a_plain_answer(app: FastAPI, signed_in: SignIn, store: AlertStore) -> None:
    async with signed_in("operator") as client:
        engine = store.database.engine
        async with engine.begin() as connection:
            await connection.exec_driver_sql("DROP TABLE users")
        answer = await client.get("/alerts/x")
        assert answer.status_code == 503
        assert answer.headers["content-type"] == "application/problem+json"
        page = await client.get("/")
        assert page.status_code == 503
        assert "niet bereikbaar" in page.text
        assert page.headers["x-frame-options"] == "DENY"
