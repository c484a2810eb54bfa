"""What the programs tell Prometheus: the name of every series, and its labels."""

from __future__ import annotations

import re
from collections.abc import Iterator

from prometheus_client import CollectorRegistry

from gateway.metrics import Metrics as GatewayMetrics
from gateway.workers.scrape import UP
from sinks.alerts.metrics import Metrics as AlertsMetrics
from sinks.legacy.metrics import Metrics as LegacyMetrics
from sinks.metrics import Metrics as SinkMetrics

_ENDS = {"counter": ("_total",), "histogram": ("_bucket", "_sum", "_count")}
_EVERYWHERE = {"job", "instance", "worker"}  # Prometheus' own, and that of several workers


def registries() -> list[CollectorRegistry]:
    """Of each program."""
    programs = (GatewayMetrics(), SinkMetrics(), AlertsMetrics(), LegacyMetrics())
    return [one.registry for one in programs]


def exposed() -> dict[str, set[str]]:
    """Labels by the name of a series."""
    found = {"up": _EVERYWHERE, UP: _EVERYWHERE}
    for registry in registries():
        for metric in registry.collect():
            collector = registry._names_to_collectors.get(metric.name)
            labels = {*getattr(collector, "_labelnames", ()), *_EVERYWHERE}
            for end in _ENDS.get(metric.type, ("",)):
                found[metric.name + end] = labels | ({"le"} if end == "_bucket" else set())
    return found


def selectors(expression: str) -> Iterator[tuple[str, set[str]]]:
    """Each series that an expression of ours asks for, with the labels it is chosen by."""
    for name, chosen in re.findall(
        r"\b(telemetry_\w+|process_\w+|up)\b(?:\{([^}]*)\})?", expression
    ):
        yield name, set(re.findall(r"(\w+)\s*(?:=~|!~|!=|=)", chosen))


def grouped(expression: str) -> set[str]:
    """The labels that it groups by."""
    lists = re.findall(r"\bby\s*\(([^)]*)\)", expression)
    return {one.strip() for listed in lists for one in listed.split(",")}
