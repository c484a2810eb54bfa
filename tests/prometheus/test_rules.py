"""The alert rules: what they ask for is told, and they fire when they should and only then."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import msgspec
import pytest

from gateway.contract.refusal import RefusalCode
from tests.prometheus.exposed import exposed, grouped, selectors
from tests.prometheus.server import promtool

ROOT = Path(__file__).parents[2]
RULES_FILE = ROOT / "infra" / "prometheus" / "alerts.yaml"
CASES_FILE = Path(__file__).with_name("alerts_test.yaml")
RUNBOOKS = "docs/RUNBOOKS.md"


def _rules() -> list[dict[str, Any]]:
    groups = msgspec.yaml.decode(RULES_FILE.read_bytes())["groups"]
    return [rule for group in groups for rule in group["rules"]]


def _cases() -> list[dict[str, Any]]:
    return [
        alert
        for test in msgspec.yaml.decode(CASES_FILE.read_bytes())["tests"]
        for alert in test["alert_rule_test"]
    ]


RULES = _rules()
of_each_rule = pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])


def test_prometheus_takes_the_rules() -> None:
    done = promtool("check", "rules", str(RULES_FILE))

    assert (done.returncode, done.stderr) == (0, "")
    assert f"{len(RULES)} rules found" in done.stdout


def test_each_fires_on_its_trouble_and_not_without_it() -> None:
    done = promtool("test", "rules", str(CASES_FILE))

    assert done.returncode == 0, done.stdout + done.stderr


def test_each_has_a_case_in_which_it_fires_and_one_in_which_it_does_not() -> None:
    names = {rule["alert"] for rule in RULES}

    assert {one["alertname"] for one in _cases() if one.get("exp_alerts")} == names
    assert {one["alertname"] for one in _cases() if not one.get("exp_alerts")} == names


@of_each_rule
def test_it_asks_for_series_and_labels_that_are_told(rule: dict[str, Any]) -> None:
    known = exposed()
    asked = list(selectors(rule["expr"]))

    assert asked
    for name, labels in asked:
        assert name in known
        assert labels <= known[name], name
    assert grouped(rule["expr"]) <= set().union(*(known[name] for name, _ in asked))


def test_codes_that_are_asked_for_are_codes() -> None:
    said = {
        code
        for rule in RULES
        for listed in re.findall(r'code=~"([^"]*)"', rule["expr"])
        for code in listed.split("|")
    }

    assert said
    assert said <= set(RefusalCode)


@of_each_rule
def test_it_says_how_bad_it_is_and_where_to_read_on(rule: dict[str, Any]) -> None:
    page, _, anchor = rule["annotations"]["runbook_url"].partition("#")
    headings = re.findall(r"^## (\w+)$", (ROOT / RUNBOOKS).read_text(encoding="utf-8"), re.M)

    assert rule["labels"]["severity"] in ("critical", "warning")
    assert rule["annotations"]["summary"]
    assert page == RUNBOOKS
    assert anchor == rule["alert"].lower()
    assert rule["alert"] in headings
