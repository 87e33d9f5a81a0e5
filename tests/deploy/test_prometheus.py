"""Rules, dashboard and configuration for Prometheus, by its own tool, and against what the service exposes."""

import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from infrastructure.prometheus.metrics import PrometheusMetrics
from tests.deploy.programs import DEPLOY, program, run

FOLDER = DEPLOY / "prometheus"
RULES = yaml.safe_load((FOLDER / "nuovo.rules.yml").read_text(encoding="utf-8"))["groups"][0]["rules"]
DASHBOARD = json.loads((FOLDER / "grafana-nuovo.json").read_text(encoding="utf-8"))
RUNBOOK = (DEPLOY.parent / "docs/operations.md").read_text(encoding="utf-8")


def queries() -> Iterator[str]:
    """Yield every query of the rules and the dashboard."""
    for rule in RULES:
        yield rule["expr"]
    for panel in DASHBOARD["panels"]:
        for target in panel.get("targets", ()):
            yield target["expr"].replace("$__rate_interval", "5m").replace("$instance", ".*")


@pytest.fixture(scope="module")
def series() -> dict[str, set[str]]:
    """Return the labels of each series that the service exposes, as its own registry says them."""
    metrics = PrometheusMetrics(
        about={"nuovo_build_info": {"version": "1"}, "nuovo_settings_info": {}}, check_ready=lambda: None
    )
    metrics.observe_requests("/refresh_token", "POST", 200)(0.01)
    metrics.observe_statements("sessions")(0.01)
    metrics.count_errors("sessions")("conflict", "40001")
    found: dict[str, set[str]] = {}
    for line in metrics.exposition().decode().splitlines():
        if not line.startswith("#"):
            name, _, labels = line.partition(" ")[0].partition("{")
            found.setdefault(name, set()).update(re.findall(r"(\w+)=", labels))
    found["nuovo_sessions_started_total"] = {"actor"}  # of which none is there before somebody is started
    return found


def test_the_rules_do_what_their_tests_say() -> None:
    promtool = program("promtool")
    run(promtool, "check", "rules", str(FOLDER / "nuovo.rules.yml"))
    run(promtool, "test", "rules", str(FOLDER / "nuovo.rules.test.yml"))


def test_every_alert_has_a_test_in_which_it_fires() -> None:
    tests = yaml.safe_load((FOLDER / "nuovo.rules.test.yml").read_text(encoding="utf-8"))["tests"]
    fired = {case["alertname"] for test in tests for case in test["alert_rule_test"] if case.get("exp_alerts")}
    assert fired == {rule["alert"] for rule in RULES}


def test_every_alert_leads_to_a_chapter_of_the_runbook() -> None:
    chapters = {
        re.sub(r"[^\w -]", "", line.lstrip("# ").lower()).replace(" ", "-")
        for line in RUNBOOK.splitlines()
        if line.startswith("#")
    }
    for rule in RULES:
        page, _, chapter = rule["annotations"]["runbook"].partition("#")
        assert page == "docs/operations.md"
        assert chapter in chapters, rule["alert"]


def test_the_configuration_is_one(tmp_path: Path) -> None:
    for name in ("prometheus.yml", "nuovo.rules.yml"):
        shutil.copy(FOLDER / name, tmp_path)
    (tmp_path / "nuovo.credential").touch()
    run(program("promtool"), "check", "config", str(tmp_path / "prometheus.yml"))


def test_every_query_asks_for_what_there_is(series: dict[str, set[str]], tmp_path: Path) -> None:
    """Metrics that are exposed, and labels that they have."""
    known = {"instance", "job", "le"}
    for query in queries():
        names = set(re.findall(r"\bnuovo_\w+", query))
        assert names <= set(series), query
        labels = {label for name in names for label in series[name]} | known
        assert set(re.findall(r"(\w+)\s*=~?\s*\"", query)) <= labels, query
        for grouped in re.findall(r"\b(?:by|without) \(([^)]*)\)", query):
            assert set(re.findall(r"\w+", grouped)) <= labels, query


def test_every_query_of_the_dashboard_is_one(tmp_path: Path) -> None:
    rules: list[dict[str, Any]] = [
        {"record": f"query:{number}", "expr": query} for number, query in enumerate(queries())
    ]
    path = tmp_path / "queries.yml"
    path.write_text(yaml.safe_dump({"groups": [{"name": "queries", "rules": rules}]}), encoding="utf-8")
    run(program("promtool"), "check", "rules", str(path))


def test_panels_do_not_lie_on_each_other() -> None:
    taken = set[tuple[int, int]]()
    for panel in DASHBOARD["panels"]:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert place["x"] + place["w"] <= 24
        assert not taken & cells, panel["title"]
        taken |= cells
    assert len({panel["id"] for panel in DASHBOARD["panels"]}) == len(DASHBOARD["panels"])
