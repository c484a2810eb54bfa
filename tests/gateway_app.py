"""A gateway over a fake publisher, with one key, answering in this process."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from starlette.testclient import TestClient

from gateway.app import create_app
from gateway.config import GatewayConfig
from gateway.contract.forgotten import Wishes
from gateway.edge.keys import KeyRing, KeyStore
from gateway.ingest.tracing import Traces
from gateway.metrics import Metrics
from gateway.protocols import PROTOCOLS
from tests.builders import RECEIVED_MS
from tests.fakes import FakePublisher

KEY = "test-write-key"
APP = "demo"


class GatewayUnderTest:
    """The whole application but its server and its Kafka."""

    def __init__(
        self,
        folder: Path,
        peer: str = "127.0.0.1",
        traces: Traces | None = None,
        **options: Any,
    ) -> None:
        self.clock_ms = RECEIVED_MS
        self.publisher = FakePublisher()
        self.metrics = Metrics()
        self.wishes = Wishes()
        self._store = KeyStore(folder)
        self.keys_path = self._store.path
        self.keys = KeyRing(self._store)
        self.add_key(APP, KEY)
        self.app = create_app(
            GatewayConfig(**options),
            self.publisher,
            self.keys,
            self.metrics,
            PROTOCOLS,
            lambda: self.clock_ms,
            wishes=self.wishes,
            traces=traces,
        )
        self.http = TestClient(self.app, client=(peer, 50_000))

    def add_key(self, app: str, key: str) -> None:
        self._store.add(app, key, "2026-11-24T00:00:00Z")
        self.keys.refresh()

    def post(self, body: Any, path: str = "/v1/events", **headers: str) -> Any:
        """POST as our own SDK would; `headers` with underscores add to or replace its own."""
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        base = {"authorization": f"Bearer {KEY}", "content-type": "application/json"}
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.http.post(path, content=content, headers={**base, **given})

    def rows(self) -> list[dict[str, Any]]:
        """The accepted events' records, decoded."""
        return [json.loads(one.value) for one in self.publisher.of("app-events")]

    def count(self, outcome: str) -> int:
        """The events counted with this outcome."""
        return self.metrics.events.counts[outcome,]
