"""What every sink program tells of itself, whatever it does."""

from __future__ import annotations

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Gauge, ProcessCollector

from gateway.contract.readiness import Lacks
from gateway.runtime import version


class ProcessMetrics:
    """Version, readiness, memory and CPU, as metrics whose names begin with `prefix`."""

    def __init__(self, prefix: str, registry: CollectorRegistry) -> None:
        self._ready = Gauge(
            prefix + "ready", "1 when it does its work, as `/readyz` says.", registry=registry
        )
        build = Gauge(prefix + "build_info", "1, by version.", ["version"], registry=registry)
        build.labels(version()).set(1)
        ProcessCollector(registry=registry)

    def watch(self, lacks: Callable[[], Lacks]) -> None:
        """Ask what is lacking whenever somebody wants to know."""
        self._ready.set_function(lambda: 0 if lacks() else 1)
