"""The compose files: what Compose's own loader makes of them, and what they promise."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from sinks.alerts.rule_file import read_rules
from tests.deploy import compose, needs

ONE, THREE = ["compose.yaml"], ["compose.yaml", "compose.three-brokers.yaml"]
GRAFANA = compose.ROOT / "infra" / "grafana"


class Refused(Exception):
    """Compose does not take the files. The text says why."""


def load(files: Sequence[str], folder: Path = compose.FOLDER) -> dict[str, Any]:
    """The project as Compose understands it: merged, extended, checked against its schema."""
    done = subprocess.run(
        [needs.tool("compose-config"), *files],
        cwd=folder, env={"PATH": os.environ["PATH"]},
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    if done.returncode != 0:
        raise Refused(done.stdout + done.stderr)
    return dict(yaml.safe_load(done.stdout))


def environment(service: dict[str, Any]) -> dict[str, str]:
    """Of an extended service Compose shows a list."""
    said = service.get("environment", {})
    return said if isinstance(said, dict) else dict(one.split("=", 1) for one in said)


@pytest.mark.parametrize("files", [ONE, THREE], ids=["one broker", "three brokers"])
def test_compose_takes_the_files(files: list[str]) -> None:
    project = load(files)

    assert len(project["services"]) >= len(compose.services())


def test_compose_refuses_a_mistyped_key(tmp_path: Path) -> None:
    text = (compose.FOLDER / "compose.yaml").read_text()
    (tmp_path / "compose.yaml").write_text(text.replace("mem_limit: 1g", "memory_limit: 1g"))

    with pytest.raises(Refused, match="memory_limit"):
        load(ONE, tmp_path)


def test_the_tests_read_what_compose_reads() -> None:
    """They run services by their own reading of the file."""
    theirs = load(ONE)["services"]

    assert set(theirs) == set(compose.services())
    for name, ours in compose.services().items():
        assert environment(theirs[name]) == ours.get("environment", {}), name
        assert theirs[name].get("command") == ours.get("command"), name


def test_three_brokers_keep_every_record_twice_before_it_is_acknowledged() -> None:
    services = load(THREE)["services"]
    brokers = {name: one for name, one in services.items() if one["image"].startswith("apache/")}
    said = {name: environment(one) for name, one in brokers.items()}

    assert sorted(one["KAFKA_NODE_ID"] for one in said.values()) == ["1", "2", "3"]
    for name, one in said.items():
        assert one["KAFKA_ADVERTISED_LISTENERS"] == f"PLAINTEXT://{name}:9092"
        assert one["KAFKA_MIN_INSYNC_REPLICAS"] == "2"
        assert one["KAFKA_OFFSETS_TOPIC_REPLICATION_FACTOR"] == "3"
    assert len({one["CLUSTER_ID"] for one in said.values()}) == 1
    (voters,) = {one["KAFKA_CONTROLLER_QUORUM_VOTERS"] for one in said.values()}
    assert voters.split(",") == [f"{said[name]['KAFKA_NODE_ID']}@{name}:9093" for name in said]
    volumes = [one["volumes"][0]["source"] for one in brokers.values()]
    assert len(set(volumes)) == 3
    for name in ("topics", "gateway", "sink", "alerts"):
        bootstrap = environment(services[name])["TELEMETRY_KAFKA_BOOTSTRAP"]
        assert bootstrap.split(",") == [f"{one}:9092" for one in brokers]
    assert environment(services["topics"])["TELEMETRY_KAFKA_REPLICATION_FACTOR"] == "3"


def test_every_image_is_pinned() -> None:
    for name, one in compose.services().items():
        _, _, tag = one["image"].partition(":")
        assert tag, name
        assert tag != "latest", name


def test_every_service_is_bounded() -> None:
    for name, one in compose.services().items():
        assert compose.memory(one["mem_limit"]) <= 4 * 1024**3, name
        assert one["security_opt"] == ["no-new-privileges:true"], name
        assert one["logging"]["options"]["max-size"] == "10m", name


def test_only_this_machine_reaches_the_ports() -> None:
    for name, one in compose.services().items():
        for port in one.get("ports", []):
            assert port.startswith("127.0.0.1:"), name


def test_no_password_is_in_an_environment() -> None:
    for name, one in compose.services().items():
        for variable in one.get("environment", {}):
            is_secret = "PASSWORD" in variable or "TOKEN" in variable
            assert not is_secret or variable.endswith("_FILE"), (name, variable)


def test_who_waits_for_whom_can_come_true() -> None:
    services = compose.services()
    for name, one in services.items():
        for other, wanted in one.get("depends_on", {}).items():
            if wanted["condition"] == "service_completed_successfully":
                assert compose.is_once(services[other]), (name, other)
            else:
                assert wanted["condition"] == "service_healthy", (name, other)
                assert "test" in services[other]["healthcheck"], (name, other)


def test_a_volume_of_secrets_is_written_by_its_maker_alone() -> None:
    for name, one in compose.services().items():
        for source, _, is_read_only in compose.mounts(one):
            if source.startswith("secrets-"):
                assert is_read_only == (name != "secrets"), (name, source)


def test_the_files_that_are_mounted_are_there() -> None:
    for name, one in compose.services().items():
        for source, _, is_read_only in compose.mounts(one):
            if source.startswith("."):
                assert (compose.FOLDER / source).exists(), (name, source)
                assert is_read_only, (name, source)


def test_the_alert_rules_are_right() -> None:
    assert read_rules(str(compose.FOLDER / "alerts.toml")).rules


def test_grafana_s_sources_are_those_of_its_dashboards() -> None:
    own = yaml.safe_load((compose.FOLDER / "grafana" / "datasources.yaml").read_text())
    plain = yaml.safe_load(
        (GRAFANA / "provisioning" / "datasources" / "telemetry.yaml").read_text()
    )

    def kinds(file: dict[str, Any]) -> list[tuple[str, str, str]]:
        return [(one["name"], one["uid"], one["type"]) for one in file["datasources"]]

    assert kinds(own) == kinds(plain)
    (mounted,) = [
        target
        for source, target, _ in compose.mounts(compose.services()["grafana"])
        if source == "secrets-reader"
    ]
    password = own["datasources"][0]["secureJsonData"]["password"]
    assert password == f"$__file{{{mounted}/clickhouse-password}}"
