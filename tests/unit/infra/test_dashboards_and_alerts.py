"""Check dashboards and alerts: each query is valid PromQL over existing metrics and labels."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import promql_parser
import pytest
import yaml

from handlers.http.request_metrics import LABELS
from handlers.system.metrics import GAUGES
from workqueue.telemetry import metrics

FOLDER = Path(__file__).parents[3] / "infra" / "observability"
DASHBOARD = json.loads((FOLDER / "dashboard.json").read_text())
RULES = yaml.safe_load((FOLDER / "alerts.yaml").read_text())["groups"][0]["rules"]
QUERIES = [
    *((panel["title"], target["expr"]) for panel in DASHBOARD["panels"] for target in panel["targets"]),
    *((rule["alert"], rule["expr"]) for rule in RULES),
]
# `up` is Prometheus' own.
BESIDE = {
    "up": {"job", "instance"},
    "localfn_database_up": set(),
    "localfn_redis_up": set(),
    "localfn_sandboxes": {"state"},
}
SUFFIXES = ("_bucket", "_sum", "_count")


def exported_series() -> dict[str, set[str]]:
    """Return each series of /metrics with its labels."""
    found = {name: set(labels) for name, labels in BESIDE.items()}
    for metric in metrics.ALL:
        labels = set(metric.labels)
        for suffix in SUFFIXES if metric.is_histogram else ("_total",):
            found[metric.name + suffix] = labels | ({"le"} if suffix == "_bucket" else set())
    for suffix in SUFFIXES:
        found[f"localfn_http_request_seconds{suffix}"] = {*LABELS, "le"}
    return found | {name: set(labels) for name, (_, labels) in GAUGES.items()}


def selectors(node: Any) -> Iterator[promql_parser.VectorSelector]:
    if isinstance(node, promql_parser.VectorSelector):
        yield node
    for name in ("expr", "lhs", "rhs", "vector_selector", "vs"):
        if (child := getattr(node, name, None)) is not None:
            yield from selectors(child)
    for child in getattr(node, "args", None) or ():
        yield from selectors(child)


@pytest.mark.parametrize(("title", "query"), QUERIES)
def test_each_query_is_valid_promql_over_existing_metrics(title: str, query: str) -> None:
    known = exported_series()
    asked = list(selectors(promql_parser.parse(query)))
    assert len(asked) == len(re.findall(r"\b(?:localfn_\w+|up\b)", query)), "a metric was not checked"
    for selector in asked:
        assert selector.name in known, (title, selector.name)
        for matcher in selector.matchers.matchers:
            assert matcher.name in known[selector.name], (title, matcher.name)


def test_every_metric_is_used_by_a_dashboard_or_an_alert() -> None:
    asked = {selector.name for _, query in QUERIES for selector in selectors(promql_parser.parse(query))}
    for metric in metrics.ALL:
        assert {name for name in asked if name and name.startswith(metric.name)}, metric.name


def test_every_alert_fires_when_it_should_and_not_before() -> None:
    """Evaluate the rules over the series of alerts_test.yaml with Prometheus' own tool."""
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("promtool was not found: apt-get install prometheus (Debian), or put Prometheus' own on PATH")
    done = subprocess.run(
        [promtool, "test", "rules", str(FOLDER / "alerts_test.yaml")], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_alert_is_tested() -> None:
    tests = yaml.safe_load((FOLDER / "alerts_test.yaml").read_text())["tests"]
    fired = {case["alertname"] for each in tests for case in each["alert_rule_test"] if case.get("exp_alerts")}
    assert fired == {rule["alert"] for rule in RULES}


def test_every_alert_has_a_summary_and_an_action() -> None:
    assert len({rule["alert"] for rule in RULES}) == len(RULES)
    for rule in RULES:
        assert rule["labels"]["severity"] in ("page", "warn")
        assert {"summary", "todo"} <= rule["annotations"].keys()
