"""The real Python SDKs of Amplitude and Mixpanel against a gateway on a real port, without Kafka.

They are no dependency of ours: where they are not installed, these tests are skipped.
"""

from __future__ import annotations

import asyncio
import json
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest
import uvicorn

from gateway.app import create_app
from gateway.config import GatewayConfig
from gateway.edge.keys import KeyRing, KeyStore
from gateway.metrics import Metrics
from gateway.protocols import PROTOCOLS
from gateway.runtime import now_ms
from gateway.serve import _uvicorn_config
from tests.fakes import FakePublisher
from tests.gateway_app import KEY

pytestmark = pytest.mark.filterwarnings("default")  # theirs are not ours to mend
DEVICE = "install-1"
CAPTURES = Path(__file__).parent.parent / "contract" / "captures"


class LiveGateway:
    """The gateway's own server in a thread, over a publisher that keeps records in memory."""

    def __init__(self, folder: Path) -> None:
        store = KeyStore(folder)
        store.add("shop", KEY, "2026-11-24T00:00:00Z")
        store.add("node", "MPTOKEN", "2026-11-24T00:00:00Z")
        keys = KeyRing(store)
        keys.refresh()
        self.publisher = FakePublisher()
        self.metrics = Metrics()
        config = GatewayConfig()
        app = create_app(config, self.publisher, keys, self.metrics, PROTOCOLS, now_ms)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._server = uvicorn.Server(_uvicorn_config(app, config, self.metrics))
        self._thread = threading.Thread(target=self._run)
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def _run(self) -> None:
        asyncio.run(self._server.serve(sockets=[self._listener]))

    def stop(self) -> None:
        self._server.should_exit = True
        self._thread.join(30)

    def rows(self) -> list[dict[str, Any]]:
        return [json.loads(one.value) for one in self.publisher.of("app-events")]


@pytest.fixture
def live(tmp_path: Path) -> Iterator[LiveGateway]:
    gateway = LiveGateway(tmp_path)
    yield gateway
    gateway.stop()


class TestAmplitude:
    @pytest.mark.parametrize("path", ["/2/httpapi", "/batch", "/amplitude/2/httpapi"])
    def test_its_events_arrive_once(self, live: LiveGateway, path: str) -> None:
        amplitude = pytest.importorskip("amplitude")
        told: list[int] = []
        client = self.client(amplitude, live.url + path, told)
        for name in ("session_start", "[Amplitude] Application Opened", "Order Completed"):
            client.track(
                amplitude.BaseEvent(name, device_id=DEVICE, user_id="user-1", session_id=1795497500)
            )
        client.identify(
            amplitude.Identify().set("plan", "pro"), amplitude.EventOptions(device_id=DEVICE)
        )
        client.shutdown()

        assert told == [200] * 4
        found = [(one["event_type"], one.get("event_name")) for one in live.rows()]
        assert sorted(found, key=str) == [
            ("app_open", None),
            ("identify", None),
            ("session_start", None),
            ("track", "Order Completed"),
        ]
        assert {one["sdk_name"] for one in live.rows()} == {"amplitude-python"}

    def test_a_wrong_key_ends_there(self, live: LiveGateway) -> None:
        amplitude = pytest.importorskip("amplitude")
        told: list[int] = []
        client = self.client(amplitude, f"{live.url}/2/httpapi", told, key="wrong")
        client.track(amplitude.BaseEvent("Order", device_id=DEVICE))
        client.shutdown()

        assert live.rows() == []
        assert live.metrics.requests.counts["amplitude", "400"] == 1

    def client(self, amplitude: Any, url: str, told: list[int], key: str = KEY) -> Any:
        return amplitude.Amplitude(
            key,
            amplitude.Config(
                server_url=url,
                callback=lambda event, code, message: told.append(code),
                flush_interval_millis=10,
            ),
        )


def addresses(url: str) -> dict[str, str]:
    """All of them: of a host alone it makes HTTPS ones."""
    paths = {"events": "track", "people": "engage", "groups": "groups", "import": "import"}
    return {f"{name}_url": f"{url}/{path}" for name, path in paths.items()}


class TestMixpanel:
    def test_its_events_and_profiles_arrive(self, live: LiveGateway) -> None:
        mixpanel = pytest.importorskip("mixpanel")
        client = mixpanel.Mixpanel(KEY, mixpanel.Consumer(**addresses(live.url)))
        client.track("user-1", "Order Completed", {"price": 9.99, "$device_id": DEVICE})
        client.track("user-1", "$ae_session", {"$ae_session_length": 3.5, "$device_id": DEVICE})
        client.people_set("user-1", {"plan": "pro"})
        client.group_set("company", "acme", {"size": 9})
        client.import_data("key", "user-1", "Old", 1790000000, {}, api_secret="secret")

        assert [one["event_type"] for one in live.rows()] == [
            "track", "app_open", "app_close", "identify", "track",
        ]  # fmt: skip
        assert live.metrics.ignored.counts["mixpanel",] == 1

    def test_buffered_events_arrive_together(self, live: LiveGateway) -> None:
        mixpanel = pytest.importorskip("mixpanel")
        consumer = mixpanel.BufferedConsumer(**addresses(f"{live.url}/mixpanel"))
        client = mixpanel.Mixpanel(KEY, consumer)
        for number in range(5):
            client.track("user-1", f"Step {number}", {"$device_id": DEVICE})
        consumer.flush()

        assert [one["event_name"] for one in live.rows()] == [f"Step {n}" for n in range(5)]
        assert live.metrics.requests.counts["mixpanel", "200"] == 1


def test_mixpanel_for_node_sends_a_single_event_without_a_body(live: LiveGateway) -> None:
    captured = json.loads((CAPTURES / "mixpanel-node.json").read_text("utf-8"))["requests"][0]
    with urlopen(f"{live.url}{captured['path']}?{captured['query']}") as answer:
        assert json.loads(answer.read()) == {"error": None, "status": 1}
    (letter,) = live.publisher.of("app-events-dead")  # it has no time
    assert b"$ae_session" in letter.value
