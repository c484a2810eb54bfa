"""The chart against Kubernetes' own schemas, against our own options, and against itself."""

from __future__ import annotations

import shutil
import tomllib
from pathlib import Path
from typing import Any

import kubernetes_validate
import msgspec
import pytest
import yaml
from kubernetes_validate import ValidationError

from gateway.config import PREFIXES as GATEWAY_PREFIXES
from gateway.config import GatewayConfig
from gateway.contract.topics import ALERTS_GROUP, APP_EVENTS, CLICKHOUSE_SINK_GROUP, TOPICS
from gateway.runtime import ConfigError, load_config
from infra.__main__ import PREFIXES as INFRA_PREFIXES
from infra.__main__ import KafkaEnv
from infra.provision import settings_of
from infra.registry import PREFIXES as REGISTRY_PREFIXES
from infra.registry import RegistryAccess
from sinks.alerts.config import PREFIXES as ALERTS_PREFIXES
from sinks.alerts.config import AlertsConfig
from sinks.config import PREFIXES as SINK_PREFIXES
from sinks.config import SinkConfig
from sinks.console.config import PREFIXES as CONSOLE_PREFIXES
from sinks.console.config import ConsoleConfig
from tests.deploy import chart, compose
from tests.deploy.chart import CASES, CHART, EVERYTHING, EXAMPLES, REQUIRED, SPOOL, Manifest

# Kinds of operators: their schemas come with the operators.
FOREIGN = {"ScaledObject", "ServiceMonitor", "PrometheusRule"}
ALERT_RULES = compose.ROOT / "infra" / "prometheus" / "alerts.yaml"
CONFIGS: dict[str, list[tuple[type[msgspec.Struct], dict[str, str]]]] = {
    "gateway": [(GatewayConfig, GATEWAY_PREFIXES)],
    "sink": [(SinkConfig, SINK_PREFIXES)],
    "console": [(ConsoleConfig, CONSOLE_PREFIXES)],
    "alerts": [(AlertsConfig, ALERTS_PREFIXES)],
    "topics": [(KafkaEnv, INFRA_PREFIXES), (RegistryAccess, REGISTRY_PREFIXES)],
    "tables": [(SinkConfig, SINK_PREFIXES)],
}


@pytest.fixture(params=CASES)
def manifests(request: pytest.FixtureRequest, tmp_path: Path) -> list[Manifest]:
    return chart.render(CASES[request.param], tmp_path)


@pytest.mark.parametrize("kubernetes", chart.KUBERNETES)
def test_kubernetes_takes_every_manifest(manifests: list[Manifest], kubernetes: str) -> None:
    ours = [one for one in manifests if one["kind"] not in FOREIGN]

    assert len(ours) >= 10
    for one in ours:
        kubernetes_validate.validate(one, kubernetes, strict=True)


def test_what_kubernetes_would_refuse_is_refused_here(tmp_path: Path) -> None:
    (deployment, *_) = chart.of_kind(chart.render([REQUIRED], tmp_path), "Deployment")
    deployment["spec"]["template"]["spec"]["containers"][0]["comand"] = ["sh"]

    with pytest.raises(ValidationError, match="comand"):
        kubernetes_validate.validate(deployment, chart.KUBERNETES[-1], strict=True)


def test_helm_finds_nothing_wrong(tmp_path: Path) -> None:
    values = tmp_path / "values.yaml"
    values.write_text(yaml.safe_dump(REQUIRED))

    done = chart.run(["lint", "--strict", str(CHART), "--values", str(values)])

    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ([], "'/kafka/bootstrap'"),
        ([REQUIRED, {"gateway": {"replica": 3}}], "'replica' not allowed"),
        ([REQUIRED, {"image": {"tag": "latest"}}], "'/image/tag'"),
        ([REQUIRED, {"gateway": {"ingress": {"enabled": True}}}], "'/gateway/ingress/hosts'"),
        ([REQUIRED, SPOOL, {"gateway": {"autoscaling": {"enabled": True}}}], "not with gateway.sp"),
        ([REQUIRED, {"gateway": {"drainSeconds": 60}}], "preStopSleepSeconds + drainSeconds"),
        ([REQUIRED, {"sink": {"drainSeconds": 60}}], "at least drainSeconds"),
        ([REQUIRED, {"sink": {"replicas": 13}}], "more than the 12 partitions"),
        ([REQUIRED, {"alerts": {"enabled": True}}], "alerts.rules"),
        ([REQUIRED, {"console": {"tokens": {"existingSecret": ""}}}], "'/console/tokens"),
    ],
)
def test_wrong_values_are_refused(values: list[Any], reason: str, tmp_path: Path) -> None:
    with pytest.raises(chart.Refused, match=reason.replace("+", r"\+")):
        chart.render(values, tmp_path)


def test_every_pod_is_confined(manifests: list[Manifest]) -> None:
    for name, pod in chart.pods(manifests):
        spec = pod["spec"]
        assert spec["automountServiceAccountToken"] is False, name
        assert spec["securityContext"]["runAsNonRoot"] is True, name
        assert spec["securityContext"]["runAsUser"] == 10001, name
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}, name
        for one in chart.containers(pod):
            assert one["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }, name
            assert "memory" in one["resources"]["limits"], name


def test_every_option_is_one_of_the_program(manifests: list[Manifest], tmp_path: Path) -> None:
    for _, pod in chart.pods(manifests):
        for container in chart.containers(pod):
            environment = _environment(container, pod, tmp_path)
            for config, prefixes in CONFIGS[container["name"]]:
                load_config(config, prefixes, environment)


def _environment(container: Manifest, pod: Manifest, folder: Path) -> dict[str, str]:
    """What the container sees, over what the image sets; Secrets stand for themselves."""
    said = dict(compose.image_environment())
    for one in container["env"]:
        said[one["name"]] = one.get("value", "from a Secret")
        if one["name"].endswith("_FILE"):
            assert _secret_file(one["value"], container, pod)
            said[one["name"]] = str(folder / "secret")
    (folder / "secret").write_text("of the Secret")
    return said


def _secret_file(path: str, container: Manifest, pod: Manifest) -> bool:
    """Whether a Secret is mounted so that the path is a file of it."""
    mounts = {one["mountPath"]: one["name"] for one in container["volumeMounts"]}
    volumes = {one["name"]: one for one in pod["spec"]["volumes"]}
    items = volumes[mounts[str(Path(path).parent)]]["secret"]["items"]
    return [one["path"] for one in items] == [Path(path).name]


def test_a_service_of_kubernetes_would_be_taken_for_an_option(manifests: list[Manifest]) -> None:
    """Why no pod is told of Services: one called telemetry-gateway is this variable."""
    told = {"TELEMETRY_GATEWAY_PORT": "tcp://10.0.0.1:80"}
    with pytest.raises(ConfigError, match="TELEMETRY_GATEWAY_PORT"):
        load_config(GatewayConfig, GATEWAY_PREFIXES, told)

    for name, pod in chart.pods(manifests):
        assert pod["spec"]["enableServiceLinks"] is False, name


def test_pods_have_time_to_drain(manifests: list[Manifest]) -> None:
    for name, pod in chart.pods(manifests):
        (container, *_) = pod["spec"]["containers"]
        said = {one["name"]: one.get("value") for one in container["env"]}
        drains = [float(value) for key, value in said.items() if key.endswith("_DRAIN_SECONDS")]
        pause = container.get("lifecycle", {}).get("preStop", {}).get("sleep", {}).get("seconds", 0)
        if drains:
            assert pod["spec"]["terminationGracePeriodSeconds"] >= drains[0] + pause + 10, name


def test_what_is_named_is_there(manifests: list[Manifest]) -> None:
    """Selectors, ports, volumes and targets lead somewhere."""
    labels = [pod["metadata"]["labels"] for _, pod in chart.pods(manifests)]
    ports = {
        port["name"]
        for _, pod in chart.pods(manifests)
        for one in chart.containers(pod)
        for port in one.get("ports", [])
    }

    def selects(wanted: dict[str, str]) -> bool:
        return any(wanted.items() <= one.items() for one in labels)

    for one in chart.of_kind(manifests, "Service"):
        assert selects(one["spec"]["selector"]), one
        assert {port["targetPort"] for port in one["spec"]["ports"]} <= ports
    for one in chart.of_kind(manifests, "PodDisruptionBudget", "Deployment", "StatefulSet"):
        assert selects(one["spec"]["selector"]["matchLabels"]), one
    for one in chart.of_kind(manifests, "NetworkPolicy"):
        assert selects(one["spec"]["podSelector"]["matchLabels"]), one
    for _, pod in chart.pods(manifests):
        volumes = {one["name"] for one in pod["spec"]["volumes"]}
        owner = pod["metadata"]["labels"]["app.kubernetes.io/component"]
        claims = {"data"} if owner == "gateway" else set()
        for container in chart.containers(pod):
            assert {one["name"] for one in container["volumeMounts"]} <= volumes | claims
            for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
                if probe in container:
                    assert container[probe]["httpGet"]["port"] in ports
                    assert container[probe]["httpGet"]["path"] in ("/livez", "/readyz")
    names = {(one["kind"], one["metadata"]["name"]) for one in manifests}
    for one in chart.of_kind(manifests, "HorizontalPodAutoscaler", "ScaledObject"):
        target = one["spec"]["scaleTargetRef"]
        assert (target["kind"], target["name"]) in names
    services = chart.of_kind(manifests, "Service")
    for one in chart.of_kind(manifests, "ServiceMonitor"):
        wanted = one["spec"]["selector"]["matchLabels"].items()
        (found,) = [it for it in services if wanted <= it["metadata"]["labels"].items()]
        assert "telemetry" in found["metadata"]["name"]  # by which alert rules know our jobs
        assert "jobLabel" not in one["spec"]
        (endpoint,) = one["spec"]["endpoints"]
        assert endpoint["port"] in {port["name"] for port in found["spec"]["ports"]}


def test_a_sink_is_the_member_of_its_pod_s_name(tmp_path: Path) -> None:
    (sink,) = [
        one
        for one in chart.of_kind(chart.render([REQUIRED], tmp_path), "StatefulSet")
        if one["metadata"]["name"] == "telemetry-sink"
    ]
    (container,) = sink["spec"]["template"]["spec"]["containers"]

    assert container["command"] == ["telemetry-sink", "run", "--instance", "$(POD_NAME)"]
    assert {
        "name": "POD_NAME",
        "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}},
    } in container["env"]


def test_with_a_spool_gateways_keep_their_volumes(tmp_path: Path) -> None:
    (gateway,) = [
        one
        for one in chart.of_kind(chart.render([REQUIRED, SPOOL], tmp_path), "StatefulSet")
        if one["metadata"]["name"] == "telemetry-gateway"
    ]

    retention = gateway["spec"]["persistentVolumeClaimRetentionPolicy"]
    assert retention == {"whenDeleted": "Retain", "whenScaled": "Retain"}
    (container,) = gateway["spec"]["template"]["spec"]["containers"]
    (folder,) = [one["mountPath"] for one in container["volumeMounts"] if one["name"] == "data"]
    assert folder == compose.image_environment()["TELEMETRY_GATEWAY_DATA"]
    assert {"name": "TELEMETRY_GATEWAY_SPOOL_BYTES", "value": "8589934592"} in container["env"]


def test_without_a_spool_none_is_used(tmp_path: Path) -> None:
    for name, pod in chart.pods(chart.render([REQUIRED], tmp_path)):
        if name == "telemetry-gateway":
            said = pod["spec"]["containers"][0]["env"]
            assert {"name": "TELEMETRY_GATEWAY_SPOOL_BYTES", "value": "0"} in said
            return
    pytest.fail("there is no gateway")


def test_topics_and_tables_come_first(tmp_path: Path) -> None:
    (job,) = chart.of_kind(chart.render([REQUIRED], tmp_path), "Job")

    assert job["metadata"]["annotations"]["helm.sh/hook"] == "pre-install,pre-upgrade"
    assert [one["command"] for one in chart.containers(job["spec"]["template"])] == [
        ["telemetry-infra", "provision"],
        ["telemetry-sink", "migrate"],
    ]
    assert "serviceAccountName" not in job["spec"]["template"]["spec"]


def test_lag_is_that_of_our_group(tmp_path: Path) -> None:
    (scaled,) = chart.of_kind(chart.render([REQUIRED, EVERYTHING], tmp_path), "ScaledObject")

    (trigger,) = scaled["spec"]["triggers"]
    assert trigger["metadata"]["consumerGroup"] == CLICKHOUSE_SINK_GROUP
    assert trigger["metadata"]["topic"] == APP_EVENTS.name
    assert scaled["spec"]["maxReplicaCount"] <= APP_EVENTS.partitions


def test_who_scales_decides_the_number(tmp_path: Path) -> None:
    for one in chart.of_kind(
        chart.render([REQUIRED, EVERYTHING], tmp_path), "Deployment", "StatefulSet"
    ):
        is_scaled = one["metadata"]["name"] in ("telemetry-gateway", "telemetry-sink")
        assert ("replicas" in one["spec"]) != is_scaled


def test_alert_rules_are_those_of_the_file(tmp_path: Path) -> None:
    copy = tmp_path / "chart"
    shutil.copytree(CHART, copy)
    groups = [
        {
            "name": "telemetry",
            "rules": [
                {"alert": "Down", "expr": "up == 0", "annotations": {"a": "{{ $labels.x }}"}}
            ],
        }
    ]
    (copy / "files").mkdir(exist_ok=True)
    (copy / "files" / "alerts.yaml").write_text(yaml.safe_dump({"groups": groups}))

    (rule,) = chart.of_kind(chart.render([REQUIRED, EVERYTHING], tmp_path, copy), "PrometheusRule")

    assert rule["spec"]["groups"] == groups


def test_the_chart_s_alert_rules_are_prometheus_own() -> None:
    both = [ALERT_RULES, CHART / "files" / "alerts.yaml"]
    texts = [one.read_text(encoding="utf-8") if one.exists() else None for one in both]

    assert texts[0] == texts[1], f"copy {both[0]} to {both[1]}"


def test_the_chart_is_of_this_version() -> None:
    project = tomllib.loads((compose.ROOT / "pyproject.toml").read_text())["project"]
    described = yaml.safe_load((CHART / "Chart.yaml").read_text())

    assert described["appVersion"] == project["version"]


def test_the_example_s_topics_are_the_contract_s() -> None:
    made = list(yaml.safe_load_all((EXAMPLES / "topics.yaml").read_text()))
    found = {
        one["metadata"]["name"]: (
            one["spec"]["partitions"],
            one["spec"]["replicas"],
            {name: str(value).lower() for name, value in one["spec"]["config"].items()},
        )
        for one in made
        if one
    }

    assert found == {one.name: (one.partitions, 3, settings_of(one, 3)) for one in TOPICS}


def test_the_example_s_accounts_may_what_the_contract_names() -> None:
    topics = {one.name for one in TOPICS}
    groups = {CLICKHOUSE_SINK_GROUP, ALERTS_GROUP}
    for user in yaml.safe_load_all((EXAMPLES / "users.yaml").read_text()):
        for acl in user["spec"]["authorization"]["acls"]:
            known = topics if acl["resource"]["type"] == "topic" else groups
            name = acl["resource"]["name"]
            is_prefix = acl["resource"]["patternType"] == "prefix"
            assert any(one.startswith(name) if is_prefix else one == name for one in known)
