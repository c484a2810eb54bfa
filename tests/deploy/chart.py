"""The Helm chart, rendered by helm itself, as data."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from tests.deploy import needs
from tests.deploy.compose import ROOT

CHART = ROOT / "infra" / "helm" / "telemetry-gateway"
EXAMPLES = ROOT / "infra" / "helm" / "examples"
KUBERNETES = ("1.30", "1.37")  # the oldest that the chart takes, and the newest that we have
POD_KINDS = ("Deployment", "StatefulSet", "Job")

Manifest = dict[str, Any]

REQUIRED: dict[str, Any] = {
    "kafka": {"bootstrap": "kafka-1:9092,kafka-2:9092"},
    "clickhouse": {
        "url": "http://clickhouse:8123",
        "writer": {"existingSecret": "writer"},
        "reader": {"existingSecret": "reader"},
    },
    "gateway": {"keys": {"existingSecret": "keys"}},
    "console": {"tokens": {"existingSecret": "tokens"}},
}
_PEER = [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "there"}}}]
_INGRESS = {
    "enabled": True,
    "className": "nginx",
    "hosts": [{"host": "telemetry.example.com", "paths": ["/"]}],
    "tls": [{"secretName": "tls", "hosts": ["telemetry.example.com"]}],
}
EVERYTHING: dict[str, Any] = {
    "image": {"digest": "sha256:" + "0" * 64},
    "imagePullSecrets": [{"name": "registry"}],
    "serviceAccount": {"annotations": {"example.com/role": "telemetry"}},
    "podLabels": {"team": "mobile"},
    "podAnnotations": {"example.com/a": "b"},
    "extraEnv": [{"name": "TELEMETRY_KAFKA_SASL_USERNAME", "value": "telemetry"}],
    "extraEnvFrom": [{"secretRef": {"name": "more"}}],
    "extraVolumes": [{"name": "ca", "configMap": {"name": "ca"}}],
    "extraVolumeMounts": [{"name": "ca", "mountPath": "/etc/telemetry/ca", "readOnly": True}],
    "schemaRegistry": {"url": "http://registry:8081/apis/ccompat/v7"},
    "gateway": {
        "autoscaling": {"enabled": True},
        "ingress": _INGRESS,
        "extraEnv": [{"name": "TELEMETRY_GATEWAY_LOG_LEVEL", "value": "debug"}],
        "priorityClassName": "high",
        "nodeSelector": {"pool": "edge"},
        "tolerations": [{"key": "edge", "operator": "Exists"}],
    },
    "sink": {"keda": {"enabled": True, "authenticationRef": "kafka"}},
    "console": {"ingress": _INGRESS},
    "alerts": {"enabled": True, "rules": "[channel.oncall]\n"},
    "networkPolicy": {
        "enabled": True,
        "gatewayFrom": _PEER,
        "consoleFrom": _PEER,
        "metricsFrom": _PEER,
        "kafkaTo": _PEER,
        "clickhouseTo": _PEER,
        "extraEgress": [{"ports": [{"port": 443}]}],
    },
    "monitoring": {"serviceMonitor": {"enabled": True}, "prometheusRule": {"enabled": True}},
}
SPOOL: dict[str, Any] = {"gateway": {"spool": {"enabled": True, "storageClass": "fast"}}}
CASES: dict[str, Sequence[Mapping[str, Any] | Path]] = {
    "only what is required": [REQUIRED],
    "with a spool": [REQUIRED, SPOOL],
    "with everything": [REQUIRED, EVERYTHING],
    "the example of the operators": [EXAMPLES / "values.yaml"],
}


class Refused(Exception):
    """Helm does not render these values. The text says why."""


def render(
    values: Sequence[Mapping[str, Any] | Path], folder: Path, chart: Path = CHART
) -> list[Manifest]:
    """What `helm install` would send. Raises Refused."""
    files: list[str] = []
    for number, one in enumerate(values):
        path = one if isinstance(one, Path) else folder / f"values-{number}.yaml"
        if not isinstance(one, Path):
            path.write_text(yaml.safe_dump(dict(one)), encoding="utf-8")
        files += ["--values", str(path)]
    done = run(["template", "telemetry", str(chart), "--kube-version", KUBERNETES[0], *files])
    if done.returncode != 0:
        raise Refused(done.stderr)
    return [one for one in yaml.safe_load_all(done.stdout) if one]


def run(arguments: Sequence[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [needs.tool("helm"), *arguments], capture_output=True, text=True, timeout=60, check=False
    )


def of_kind(manifests: Sequence[Manifest], *kinds: str) -> list[Manifest]:
    return [one for one in manifests if one["kind"] in kinds]


def pods(manifests: Sequence[Manifest]) -> Iterator[tuple[str, Manifest]]:
    """Name of the owner and pod template."""
    for one in of_kind(manifests, *POD_KINDS):
        yield one["metadata"]["name"], one["spec"]["template"]


def containers(pod: Manifest) -> list[Manifest]:
    return [*pod["spec"].get("initContainers", []), *pod["spec"]["containers"]]
