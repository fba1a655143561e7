"""Prometheus: every worker is asked, and every rule is about metrics and labels that there are."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import promql_parser as promql
import pytest
import yaml
from prometheus_client.metrics import MetricWrapperBase

from console import stream
from pipeline import telemetry
from pipeline.alerts.camera_book import NoticeKind
from pipeline.model import RejectReason
from pipeline.supervisor import WORKERS
from pipeline.telemetry import SPANS
from tests.deploy.stack import DEPLOY, SERVICES, image_environment

CONFIG: dict[str, Any] = yaml.safe_load((DEPLOY / "prometheus" / "prometheus.yaml").read_text("utf-8"))
RULES: list[dict[str, Any]] = [
    rule
    for group in yaml.safe_load((DEPLOY / "prometheus" / "rules.yaml").read_text("utf-8"))["groups"]
    for rule in group["rules"]
]

every_rule = pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])


def metrics() -> dict[str, set[str]]:
    """The label names of every series that the workers show, by the series' name."""
    found: dict[str, set[str]] = {"up": set()}
    for module in (telemetry, stream):
        for metric in vars(module).values():
            if isinstance(metric, MetricWrapperBase):
                labels = set(metric._labelnames)
                suffixes = {"counter": ["_total"], "histogram": ["_bucket", "_count", "_sum"]}.get(
                    metric._type, [""]
                )
                found |= {metric._name + suffix: labels for suffix in suffixes}
    return found


def selectors(node: Any) -> Iterator[promql.VectorSelector]:
    """Every selector of a parsed expression."""
    match node:
        case promql.VectorSelector():
            yield node
        case promql.MatrixSelector():
            yield from selectors(node.vector_selector)
        case promql.BinaryExpr():
            yield from selectors(node.lhs)
            yield from selectors(node.rhs)
        case promql.Call():
            for argument in node.args:
                yield from selectors(argument)
        case promql.AggregateExpr() | promql.ParenExpr() | promql.UnaryExpr() | promql.SubqueryExpr():
            yield from selectors(node.expr)
        case promql.NumberLiteral() | promql.StringLiteral():
            pass
        case _:
            raise NotImplementedError(type(node))


def matchers(rule: dict[str, Any]) -> Iterator[tuple[str, str, list[str]]]:
    """Metric, label and the values asked for, of every matcher of a rule."""
    for selector in selectors(promql.parse(rule["expr"])):
        for matcher in selector.matchers.matchers:
            yield selector.name, matcher.name, matcher.value.split("|")


@every_rule
def test_a_rule_is_about_metrics_that_exist(rule: dict[str, Any]) -> None:
    found = list(selectors(promql.parse(rule["expr"])))
    assert found
    assert {selector.name for selector in found} <= set(metrics())


@every_rule
def test_a_rule_asks_for_labels_and_values_that_exist(rule: dict[str, Any]) -> None:
    known = {
        "job": set(WORKERS),
        "reason": {reason.value for reason in RejectReason},
        "span": set(SPANS),
        "stage": stages(),
        "kind": {kind.value for kind in NoticeKind},
        "outcome": outcomes(),
    }
    for metric, label, values in matchers(rule):
        assert label == "job" or label in metrics()[metric]
        assert set(values) <= known[label], f"{metric}: no {label} is {set(values) - known[label]}"


def outcomes() -> set[str]:
    """The outcomes that the stages count, and the answers of the gateway that count as one."""
    found = {"401", "429", "503"}
    for folder in ("ingest", "match", "alerts"):
        for path in (DEPLOY.parent / "pipeline" / folder).glob("*.py"):
            text = path.read_text("utf-8")
            for call in re.findall(r"MESSAGES\.labels\(([^)]*)\)", text):
                found |= set(re.findall(r'"(\w+)"', call))
    return found


def stages() -> set[str]:
    """The stages under which the workers count, the desk's loops included."""
    found: set[str] = set()
    for folder in ("ingest", "match", "alerts"):
        for path in (DEPLOY.parent / "pipeline" / folder).glob("*.py"):
            found |= set(re.findall(r'(?:MESSAGES\.labels|_repeat)\("(\w+)"', path.read_text("utf-8")))
    return found


@every_rule
def test_what_every_process_shows_is_asked_of_the_match_worker_alone(rule: dict[str, Any]) -> None:
    """Every process that imports the metrics shows the snapshot's at 0, and would seem to hold none."""
    for selector in selectors(promql.parse(rule["expr"])):
        if selector.name.startswith("lik_snapshot"):
            given = {matcher.name: matcher.value for matcher in selector.matchers.matchers}
            assert given["job"] == "match"


@every_rule
def test_a_rule_says_what_to_do(rule: dict[str, Any]) -> None:
    assert set(rule["annotations"]) == {"summary", "remedy"}
    assert rule["labels"]["severity"] in {"page", "ticket"}


def test_there_is_a_rule_for_each_worker_that_may_be_down() -> None:
    down = next(rule for rule in RULES if rule["alert"] == "WorkerDown")
    assert {value for _, label, values in matchers(down) if label == "job" for value in values} == set(WORKERS)


@pytest.mark.parametrize(
    "metric",
    ["lik_late_total", "lik_rejects_total", "lik_snapshot_checked_seconds", "lik_snapshot_version", "up"],
)
def test_what_must_not_go_unseen_has_a_rule(metric: str) -> None:
    assert any(metric in rule["expr"] for rule in RULES)


@pytest.mark.parametrize("name", WORKERS)
def test_every_worker_is_asked_by_name_on_the_port_of_its_metrics(name: str) -> None:
    jobs = {job["job_name"]: job["dns_sd_configs"] for job in CONFIG["scrape_configs"]}
    assert set(jobs) == set(WORKERS)
    (asked,) = jobs[name]
    assert asked["names"] == [name]
    assert asked["port"] == int(image_environment()["LIK_METRICS_PORT"])


def test_compose_mounts_what_it_starts_with() -> None:
    service = SERVICES["prometheus"]
    assert "./prometheus:/etc/prometheus:ro" in service["volumes"]
    config = next(word for word in service["command"] if word.startswith("--config.file="))
    assert (DEPLOY / "prometheus" / config.rpartition("/")[2]).exists()
    assert all((DEPLOY / "prometheus" / name).exists() for name in CONFIG["rule_files"])


def test_the_rules_fire_when_they_must_and_only_then() -> None:
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("no promtool, which runs the rules (Debian: prometheus)")
    command = [promtool, "test", "rules", Path(__file__).parent / "rules.yaml"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_counter_of_a_restarted_worker_is_seen_from_its_first_count() -> None:
    """increase() and rate() do not see it: a rule that takes their silence for trouble must look for it too."""
    excuses = [excuse for rule in RULES if (excuse := rule["expr"].partition("unless (")[2])]
    assert len(excuses) == 2
    for excuse in excuses:
        (counter,) = re.findall(r"(?:rate|increase)\((\w+\{[^}]*\})", excuse)
        assert f"unless {counter} offset" in excuse
