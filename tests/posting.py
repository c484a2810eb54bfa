"""Phones as threads: each posts its events in order, every POST over a connection of its own."""

from __future__ import annotations

import asyncio
import json
import threading
from collections import Counter, defaultdict
from collections.abc import Container, Iterable, Iterator
from contextlib import contextmanager
from uuid import uuid4

from gateway.contract.topics import APP_EVENTS
from tests.builders import make_batch, make_event
from tests.kafka import read_topic, wait_until
from tests.processes import GatewayProcess

PHONES = 16
EVENTS_PER_POST = 3
AGAIN_SECONDS = 0.1


class Posting:
    """What a crowd of phones posted, and what it was told."""

    def __init__(self, gateway: GatewayProcess) -> None:
        self._gateway = gateway
        self.told: Counter[str] = Counter()  # "kafka", "spool", or the status of a refusal
        self.acknowledged: dict[str, list[str]] = defaultdict(list)  # event ids by device
        self._stop = threading.Event()
        self._lock = threading.Lock()

    @contextmanager
    def running(self) -> Iterator[None]:
        phones = [threading.Thread(target=self._post, args=(str(uuid4()),)) for _ in range(PHONES)]
        for phone in phones:
            phone.start()
        try:
            yield
        finally:
            self._stop.set()
            for phone in phones:
                phone.join()

    def wait_told(self, what: str, more: int) -> None:
        """Wait for so many further answers of a kind."""
        wanted = self.told[what] + more
        wait_until(lambda: self.told[what] >= wanted, 60, f"{more} answers of {what}")

    def _post(self, device: str) -> None:
        sequence = 0
        while not self._stop.is_set():
            ids = [str(uuid4()) for _ in range(EVENTS_PER_POST)]
            events = [
                make_event(event_id=one, sequence=sequence + number)
                for number, one in enumerate(ids, 1)
            ]
            body = make_batch(*events, context={"device": {"id": device}})
            sequence += EVENTS_PER_POST
            if self._is_kept(body):
                self.acknowledged[device] += ids

    def _is_kept(self, body: object) -> bool:
        """Send until the answer is 200; False when it is time to stop before."""
        while not self._stop.is_set():
            status, text = self._gateway.post(body)
            with self._lock:
                self.told[json.loads(text)["stored"] if status == 200 else str(status)] += 1
            if status == 200:
                return True
            self._stop.wait(AGAIN_SECONDS)
        return False

    def assert_kept_in_order(self, bootstrap: str) -> None:
        """Every acknowledged event is in Kafka, first copies in the order of their answers."""
        assert self.acknowledged
        assert self.compared(bootstrap) == ([], [])

    def compared(self, bootstrap: str) -> tuple[list[str], list[str]]:
        """Acknowledged events that are not in Kafka, and devices whose events lie elsewhere than
        in their order."""
        first: dict[str, dict[str, None]] = defaultdict(dict)
        for one in asyncio.run(read_topic(bootstrap, APP_EVENTS.name)):
            first[(one.key or b"").decode()][json.loads(one.value or b"")["event_id"]] = None
        lost = [
            event_id
            for device, ids in self.acknowledged.items()
            for event_id in ids
            if event_id not in first[device]
        ]
        moved = [
            device
            for device, ids in self.acknowledged.items()
            if _common(first[device], ids) != _common(ids, first[device])
        ]
        return lost, moved


def _common(ids: Iterable[str], others: Container[str]) -> list[str]:
    return [one for one in ids if one in others]
