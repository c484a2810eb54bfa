"""What has a name is documented by it: options, metrics, codes, topics, queries, commands."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any, get_args

import msgspec
import pytest
import typer
from msgspec import Struct

from gateway.__main__ import app as gateway_app
from gateway.config import PREFIXES as GATEWAY_PREFIXES
from gateway.config import GatewayConfig
from gateway.contract.readiness import Lack
from gateway.contract.refusal import RefusalCode
from gateway.contract.topics import TOPICS
from gateway.contract.verdict import Code
from gateway.edge.cuts import CutCode
from gateway.runtime import options_of
from gateway.workers.scrape import UP, UP_MEANING
from infra.__main__ import PREFIXES as INFRA_PREFIXES
from infra.__main__ import KafkaEnv
from infra.__main__ import app as infra_app
from infra.registry import PREFIXES as REGISTRY_PREFIXES
from infra.registry import RegistryAccess
from loadtest.__main__ import app as loadtest_app
from loadtest.capacity.inputs import described
from loadtest.config import PREFIXES as LOADTEST_PREFIXES
from loadtest.config import LoadtestConfig
from sinks.__main__ import app as sink_app
from sinks.alerts import rules as alert_rules
from sinks.alerts.config import PREFIXES as ALERTS_PREFIXES
from sinks.alerts.config import AlertsConfig
from sinks.clickhouse import sql
from sinks.config import PREFIXES as SINK_PREFIXES
from sinks.config import SinkConfig
from sinks.console.config import PREFIXES as CONSOLE_PREFIXES
from sinks.console.config import ConsoleConfig
from sinks.legacy.config import PREFIXES as LEGACY_PREFIXES
from sinks.legacy.config import LegacyConfig
from sinks.sink import BadCode
from tests.prometheus.exposed import registries
from tests.scale_page import PAGE, filled, simulated

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
REFERENCE = (ROOT / "docs" / "reference.md").read_text(encoding="utf-8")
ARCHITECTURE = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
SECURITY = (ROOT / "docs" / "SECURITY-SETUP.md").read_text(encoding="utf-8")
CONSUMERS = (ROOT / "docs" / "CONSUMERS.md").read_text(encoding="utf-8")
RUNBOOKS = (ROOT / "docs" / "RUNBOOKS.md").read_text(encoding="utf-8")
SCALE = PAGE.read_text(encoding="utf-8")
GUIDES = (
    "SECURITY.md",
    "CONTRIBUTING.md",
    "docs/PRODUCTION.md",
    "docs/UPGRADE.md",
    "docs/MANAGED.md",
    "docs/RETENTION.md",
    "docs/RELEASE.md",
)
DEPLOY = (ROOT / "docs" / "DEPLOY.md").read_text(encoding="utf-8")
PAGES = {
    "README.md": README,
    "docs/reference.md": REFERENCE,
    "docs/CONSUMERS.md": CONSUMERS,
    "docs/RUNBOOKS.md": RUNBOOKS,
    "docs/SCALE.md": SCALE,
    "docs/SECURITY-SETUP.md": SECURITY,
    "ARCHITECTURE.md": ARCHITECTURE,
    "docs/DEPLOY.md": DEPLOY,
    **{page: (ROOT / page).read_text(encoding="utf-8") for page in GUIDES},
}

CONFIGS: list[tuple[type[Struct], dict[str, str]]] = [
    (GatewayConfig, GATEWAY_PREFIXES),
    (SinkConfig, SINK_PREFIXES),
    (AlertsConfig, ALERTS_PREFIXES),
    (ConsoleConfig, CONSOLE_PREFIXES),
    (KafkaEnv, INFRA_PREFIXES),
    (RegistryAccess, REGISTRY_PREFIXES),
    (LegacyConfig, LEGACY_PREFIXES),
    (LoadtestConfig, LOADTEST_PREFIXES),
]


def option_rows() -> Iterator[str]:
    """A row of the configuration table for each option."""
    for config, prefixes in CONFIGS:
        for option in options_of(config, prefixes):
            yield f"| `{option.variable}` | `{option.default}` | {option.meaning} |".replace(
                "``", "(empty)"
            )


def metric_rows() -> Iterator[str]:
    """A row for each metric: name as scraped, labels, meaning."""
    for registry in registries():
        for metric in registry.collect():
            collector = registry._names_to_collectors.get(metric.name)
            labels = ", ".join(getattr(collector, "_labelnames", ()))
            name = metric.name + ("_total" if metric.type == "counter" else "")
            yield f"| `{name}` | {labels} | {metric.documentation} |"
    yield f"| `{UP}` | worker | {UP_MEANING} |"


def topic_rows() -> Iterator[str]:
    for one in TOPICS:
        days = f"{one.retention_ms // (24 * 3600 * 1000)} days"
        kept = "newest of each key" if one.cleanup_policy == "compact" else days
        yield f"| `{one.name}` | {one.partitions} | {kept} | {one.meaning} |"


def rule_rows() -> Iterator[str]:
    """A row for each field of a rule or channel of the alerts' rule file."""
    for kind in (*get_args(alert_rules.Rule), *get_args(alert_rules.Channel)):
        described = msgspec.json.schema(kind)["$defs"][kind.__name__]["properties"]
        for field in msgspec.structs.fields(kind):
            if field.name in ("name", "secret"):  # of the program, not of the file
                continue
            default = "required" if field.required else f"`{_toml(field)}`"
            meaning = described[field.name]["description"]
            yield f"| `{kind.__struct_config__.tag}` | `{field.name}` | {default} | {meaning} |"


def _toml(field: msgspec.structs.FieldInfo) -> str:
    """A default as the file would say it."""
    default = [] if field.default is msgspec.NODEFAULT else field.default
    return msgspec.json.encode(default).decode()


def capacity_rows() -> Iterator[str]:
    """A row for each input of a capacity plan."""
    for one in described():
        yield f"| `{one.option}` | {one.default:,} | {one.bounds} | {one.meaning} |"


def query_rows() -> Iterator[str]:
    for name in sql.names():
        query = sql.load(name)
        params = ", ".join(f"`{one.name}`" for one in query.params)
        columns = ", ".join(f"`{one}`" for one in query.columns)
        yield f"| `{name}` | {params} | {columns} | {query.meaning} |"


@pytest.mark.parametrize(
    "row",
    [*option_rows(), *metric_rows(), *topic_rows(), *query_rows(), *rule_rows(), *capacity_rows()],
    ids=lambda row: row[:60],
)
def test_the_reference_has_the_row(row: str) -> None:
    assert row in REFERENCE.splitlines()


@pytest.mark.parametrize("code", [*RefusalCode, *CutCode, *Code, *BadCode, *Lack])
def test_every_code_is_explained(code: str) -> None:
    assert re.search(rf"^\| `{code}` \|.*\w.*\|$", REFERENCE, re.MULTILINE)


@pytest.mark.parametrize("page", PAGES)
def test_no_page_names_what_is_not_there(page: str) -> None:
    known = {row.split("`")[1] for row in (*option_rows(), *metric_rows())}
    said = set(
        re.findall(
            r"\b(?:TELEMETRY|telemetry_(?:gateway|sink|alerts|legacy))_\w*[A-Za-z]\b", PAGES[page]
        )
    )

    assert {one.removesuffix("_FILE") for one in said} <= known | {"telemetry_gateway"}


@pytest.mark.parametrize("page", PAGES)
def test_links_and_files_lead_somewhere(page: str) -> None:
    folder = (ROOT / page).parent
    links = re.findall(r"\]\((?!https?:|#)([^)#]+)", PAGES[page])
    tests = re.findall(r"`(tests/[\w/]+\.py)", PAGES[page])

    assert [one for one in links if not (folder / one).exists()] == []
    assert [one for one in tests if not (ROOT / one).exists()] == []


@pytest.mark.parametrize("page", PAGES)
def test_every_command_is_one(page: str) -> None:
    """Each `telemetry-… command` of a page answers --help."""
    said = set(re.findall(r"\btelemetry-(gateway|sink|infra|loadtest) ([a-z-]+)\b", PAGES[page]))
    assert [one for one in sorted(said) if not answers_help(*one)] == []


@cache
def answers_help(script: str, command: str) -> bool:
    modules = {"gateway": "gateway", "sink": "sinks", "infra": "infra", "loadtest": "loadtest"}
    asked = [sys.executable, "-m", modules[script], command, "--help"]
    return subprocess.run(asked, capture_output=True, timeout=60, check=False).returncode == 0


def test_every_option_of_a_runbooks_command_is_one() -> None:
    """And so is each named query that it asks."""
    apps = {"gateway": gateway_app, "sink": sink_app, "infra": infra_app, "loadtest": loadtest_app}
    lines = re.findall(
        r"telemetry-(\w+)((?: [a-z][\w-]*)+)((?:\s+--?[\w-]+(?:[ =][\w./=-]+)?)*)", RUNBOOKS
    )
    asked = {
        (script, tuple(words.split()), option)
        for script, words, options in lines
        for option in re.findall(r"--[\w-]+", options)
    }
    queries = re.findall(r"telemetry-sink query (\w+)", RUNBOOKS)

    assert {option for _, _, option in asked} >= {"--app", "--param", "--instance", "--workers"}
    for script, words, option in asked:
        assert option in _options(typer.main.get_command(apps[script]), words), words
    assert queries
    assert set(queries) <= set(sql.names())


def _options(command: Any, words: Sequence[str]) -> set[str]:
    """Of the command that these words lead to; those left over are its arguments."""
    for word in words:
        command = getattr(command, "commands", {}).get(word, command)
    return {name for param in command.params for name in param.opts}


def test_links_within_the_runbooks_lead_to_a_heading() -> None:
    headings = {
        re.sub(r"[^a-z0-9 -]", "", one.lower()).replace(" ", "-")
        for one in re.findall(r"^##+ (.+)$", RUNBOOKS, re.MULTILINE)
    }

    assert set(re.findall(r"\]\(#([\w-]+)\)", RUNBOOKS)) <= headings


def test_the_plans_on_scale_are_what_the_command_prints() -> None:
    assert SCALE.count("$ telemetry-loadtest plan ") == 4
    assert filled(SCALE) == SCALE


def test_the_outages_on_scale_are_what_is_simulated() -> None:
    tables = simulated()

    assert len(tables) == 2
    assert [one for one in tables if f"```\n{one}\n```" not in SCALE] == []


@pytest.mark.parametrize("page", PAGES)
def test_every_make_target_exists(page: str) -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    said = set(re.findall(r"(?:^|`)make ([a-z-]+)", PAGES[page], re.MULTILINE))

    assert {"demo", "up", "test"} <= said or page != "README.md"
    assert [one for one in said if f"\n{one}:" not in makefile] == []


def test_every_threat_has_its_proof() -> None:
    """Each row of the table names what stops it, and tests that are there."""
    table = PAGES["SECURITY.md"].partition("## Who attacks")[2].partition("\n## ")[0]
    rows = [line.strip("| ").split(" | ") for line in table.splitlines() if line.startswith("| ")]

    assert len(rows) > 20
    for *said, proof in rows[2:]:
        assert len(said) == 3
        assert all(said)
        tests = re.findall(r"`(tests/[\w/]+\.py)`", proof)
        assert tests, said
        assert [one for one in tests if not (ROOT / one).exists()] == []


def test_every_dependency_has_its_reason() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    groups = [
        project["build-system"]["requires"],
        project["project"]["dependencies"],
        *project["project"]["optional-dependencies"].values(),
        *project["dependency-groups"].values(),
    ]
    wanted = {
        re.split(r"[^a-z0-9-]", one)[0] for group in groups for one in group if isinstance(one, str)
    }
    explained = ARCHITECTURE.partition("## Dependencies")[2].partition("\n## ")[0]

    assert len(wanted) > 20
    assert {one for one in wanted if f"`{one}`" not in explained} == set()


def test_the_readme_shows_options_as_they_are() -> None:
    shown = {line for line in README.splitlines() if line.startswith("| `TELEMETRY_")}

    assert shown
    assert shown <= set(option_rows())
