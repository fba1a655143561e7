"""Looking for alerts: filters, pages, the reason that looking far back needs, and the line each search leaves."""

from __future__ import annotations

import msgspec
import pytest
from sqlalchemy import event

from hotlists.entry import Category, Handling, Priority
from pipeline.alerts.rows import Remark, UnknownAlertError, Verdict
from pipeline.alerts.search import DAY_NS, Limits, Pretext, Query, ReasonNeededError
from pipeline.alerts.store import AlertStore
from pipeline.model import Alert, Sighting
from pipeline.telemetry import now_ns
from tests.alerts.viewers import CHIEF, DETECTIVE, ENGINEER, NAMED, OPERATOR
from tests.factories import make_alert, make_read

NOTHING = Pretext()


def _old(alert: Alert, days: float) -> Alert:
    return msgspec.structs.replace(alert, created_at_ns=now_ns() - int(days * DAY_NS))


async def _plates(store: AlertStore, query: Query, user=OPERATOR, pretext: Pretext = NOTHING) -> set[str]:
    page = await store.search.find(query, user, pretext=pretext)
    return {row.alert.hit.entry.plate for row in page.rows}


@pytest.fixture
async def desk(store: AlertStore) -> AlertStore:
    """A store with an alert of each sort."""
    first = make_alert("1ABC123", read=make_read("1A8C123", camera="cam-3"))
    second = make_alert("2XYZ789", hotlist="verkeer", category=Category.TRAFFIC, priority=Priority.LOW)
    third = make_alert("1ABD123", read=make_read("1ABD123", camera="cam-2"))
    later = Sighting(hit_id="h", camera="cam-9", captured_at_ns=third.created_at_ns + 1, plate="7QQQ777")
    for alert in (first, second, third):
        await store.record(alert)
    await store.record(msgspec.structs.replace(third, sightings=[*third.sightings, later]))
    await store.record(msgspec.structs.replace(make_alert("9ZZZ999"), zone="zuid"))
    true = Remark(true_plate="2XVZ789")
    await store.acknowledge(second.alert_id, Verdict.MISREAD, by=OPERATOR, remark=true)
    await store.claims.claim(first.alert_id, OPERATOR)
    return store


@pytest.mark.parametrize(
    ("query", "plates"),
    [
        (Query(), {"1ABC123", "2XYZ789", "1ABD123", "9ZZZ999"}),
        (Query(plate="1-abc-123"), {"1ABC123"}),
        (Query(plate="1A8C123"), {"1ABC123"}),
        (Query(plate="1AB?123"), {"1ABC123", "1ABD123"}),
        (Query(plate="*789"), {"2XYZ789"}),
        (Query(plate="7QQQ777"), {"1ABD123"}),
        # Of whom an operator said that it was another plate, it is found by that one too.
        (Query(plate="2-XVZ-789"), {"2XYZ789"}),
        (Query(plate="2XV*"), {"2XYZ789"}),
        (Query(plate="1A_C123"), set()),
        (Query(plate="5%5"), set()),
        (Query(hotlist="verkeer"), {"2XYZ789"}),
        (Query(camera="cam-9"), {"1ABD123"}),
        (Query(camera="cam-3"), {"1ABC123"}),
        (Query(zone="zuid"), {"9ZZZ999"}),
        (Query(category="traffic"), {"2XYZ789"}),
        (Query(priority="low"), {"2XYZ789"}),
        (Query(verdict="misread"), {"2XYZ789"}),
        (Query(verdict="none"), {"1ABC123", "1ABD123", "9ZZZ999"}),
        (Query(claimed_by="an"), {"1ABC123"}),
        (Query(plate="1AB*", camera="cam-2"), {"1ABD123"}),
        (Query(until_ns=1), set()),
    ],
)
async def test_every_condition_must_hold(desk: AlertStore, query: Query, plates: set[str]) -> None:
    assert await _plates(desk, query) == plates
    assert await desk.search.count(query, OPERATOR) == len(plates)


@pytest.mark.parametrize("query", [Query(plate="*"), Query(plate="--"), Query(verdict="maybe")])
async def test_what_says_nothing_is_refused(store: AlertStore, query: Query) -> None:
    with pytest.raises(ValueError, match=r"plate|Verdict"):
        await store.search.find(query, OPERATOR, pretext=NOTHING)


async def test_pages_follow_one_another_without_gap_or_double(store: AlertStore) -> None:
    at_ns = now_ns()
    alerts = [
        # Many made at the same moment: the page's edge falls among them.
        msgspec.structs.replace(make_alert(f"1ABC{number:03d}"), created_at_ns=at_ns - number // 10)
        for number in range(45)
    ]
    for alert in alerts:
        await store.record(alert)
    found, after, pages = [], None, 0
    while True:
        page = await store.search.find(Query(), OPERATOR, pretext=NOTHING, after=after, limit=7)
        found += [row.alert.alert_id for row in page.rows]
        pages += 1
        if page.next is None:
            break
        after = page.next
    assert len(found) == len(set(found)) == 45
    assert pages == 7
    for wrong in ("", "x", "1-2", "9" * 30 + "-" + "0" * 32):
        with pytest.raises(ValueError, match="after"):
            await store.search.find(Query(), OPERATOR, pretext=NOTHING, after=wrong)


async def test_looking_far_back_asks_why_and_by_role_under_which_authorisation(store: AlertStore) -> None:
    await store.record(make_alert("1ABC123"))
    await store.record(_old(make_alert("2XYZ789"), 40))
    why, authorised = Pretext("onderzoek 12"), Pretext("onderzoek 12", "PK-2024-7")
    far = Query(from_ns=now_ns() - 60 * DAY_NS)
    assert await _plates(store, Query(), OPERATOR, authorised) == {"1ABC123"}
    assert len(await store.latest(10, OPERATOR)) == 1
    for query, user, pretext, needs in (
        (far, OPERATOR, NOTHING, "reason"),
        (far, OPERATOR, why, "authorisation"),
        (Query(from_ns=0), OPERATOR, why, "authorisation"),
        (far, CHIEF, NOTHING, "reason"),
        (far, OPERATOR, Pretext(" ", "PK-2024-7"), "reason"),
    ):
        with pytest.raises(ReasonNeededError) as refused:
            await store.search.find(query, user, pretext=pretext)
        assert refused.value.what == needs
    for query, user, pretext in (
        (far, CHIEF, why),
        (far, OPERATOR, authorised),
        (Query(from_ns=0), OPERATOR, authorised),
    ):
        assert await _plates(store, query, user, pretext) == {"1ABC123", "2XYZ789"}
    store.search.limits = Limits(reason_after_days=90)
    assert await _plates(store, far) == {"1ABC123", "2XYZ789"}


async def test_every_search_leaves_a_line(store: AlertStore) -> None:
    await store.record(make_alert("2XYZ789", handling=Handling.COVERT))
    await _plates(store, Query(plate="1abc*", camera="cam-1"), OPERATOR, Pretext("controle", where="10.0.0.7"))
    await _plates(store, Query(plate="2XYZ789"), DETECTIVE)
    covert, own = await store.audit_lines()
    assert (own.who, own.what, own.why, own.where) == ("an", "alerts.search", "controle", "10.0.0.7")
    assert msgspec.json.decode(own.target) == {"plate": "1abc*", "camera": "cam-1"}
    # That a covert alert was found is in the trail of those alone who may know.
    assert covert.who == "bo"
    assert [line.who for line in await store.trail.lines(OPERATOR)] == ["an"]


async def test_a_covert_alert_is_found_by_those_who_may_see_it(store: AlertStore) -> None:
    await store.record(make_alert("2XYZ789", handling=Handling.COVERT, named_users=("cas",)))
    for user, found in ((OPERATOR, 0), (ENGINEER, 0), (CHIEF, 0), (NAMED, 1), (DETECTIVE, 1)):
        page = await store.search.find(Query(plate="2XYZ789"), user, pretext=NOTHING)
        assert len(page.rows) == await store.search.count(Query(), user) == found
    with pytest.raises(UnknownAlertError):
        await store.get("0" * 32, DETECTIVE)


@pytest.mark.parametrize("plate", ["1ABC123", "1AB*", "1AB?12?"])
async def test_a_plate_is_looked_up_in_the_indexes_of_either_database(desk: AlertStore, plate: str) -> None:
    asked: list[tuple[str, object]] = []

    def remember(_connection: object, _cursor: object, statement: str, parameters: object, *_: object) -> None:
        if "alerts.payload" in statement:
            asked.append((statement, parameters))

    engine = desk.database.engine.sync_engine
    event.listen(engine, "before_cursor_execute", remember)
    await desk.search.find(Query(plate=plate), OPERATOR, pretext=NOTHING)
    event.remove(engine, "before_cursor_execute", remember)
    ((statement, parameters),) = asked
    async with desk.database.read() as connection:
        if not desk.database.sqlite:
            # A table of five rows is read whole; and a plan must not depend on which plate is asked for.
            await connection.exec_driver_sql("SET LOCAL enable_seqscan = off")
            await connection.exec_driver_sql("SET LOCAL plan_cache_mode = force_generic_plan")
        explain = "EXPLAIN QUERY PLAN " if desk.database.sqlite else "EXPLAIN "
        lines = (await connection.exec_driver_sql(explain + statement, parameters)).all()
    plan = "\n".join(" ".join(str(each) for each in line) for line in lines)
    for index, column in (
        ("alerts_plate_text", "plate_listed"),
        ("sightings_plate_text", "plate"),
        ("true_plates_text", "plate"),
    ):
        at = plan.index(index)
        # Looked up in it, not read from end to end.
        assert column in plan[at : at + 200], plan
        assert not desk.database.sqlite or f"{index} ({column}" in plan, plan
