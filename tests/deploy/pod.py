"""python -m tests.deploy.pod FOLDER: compose's services, started as compose would, on a network
that leads nowhere. What happened goes to FOLDER/report.json; tests.deploy.test_processes reads it.

It runs in a network and mount namespace of its own, so that hosts and ports are the file's: every
name of a service is this machine, and 0.0.0.0 is loopback alone.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from uuid import uuid4

import yaml

from tests.deploy import compose
from tests.deploy.container import Container, Containers
from tests.deploy.engines import ComposeClickHouse, ComposeKafka
from tests.kafka import wait_until
from tests.registry import RegistryUnderTest

# The local engine answers to names of this machine only.
ADDRESSES = {"http://clickhouse:8123": "http://127.0.0.1:8123"}
START_SECONDS = 150.0
HEALTH_SECONDS = 0.5
ROW_SECONDS = ANSWER_SECONDS = 30.0
DEVICE = "pixel-of-the-pod"

Report = dict[str, Any]


def _prepare_network(folder: Path, ours: Iterable[str], theirs: Iterable[str]) -> None:
    """Loopback, on which every service has its name. Ours have addresses of their own, so that one
    that listens to its own host alone is not found."""
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    addresses = dict.fromkeys(("localhost", *theirs), "127.0.0.1")
    addresses |= {name: f"127.0.1.{number}" for number, name in enumerate(ours, start=1)}
    hosts = folder / "hosts"
    hosts.write_text("".join(f"{address} {name}\n" for name, address in addresses.items()))
    subprocess.run(["mount", "--bind", hosts, "/etc/hosts"], check=True)


def _ask(
    url: str, headers: dict[str, str] | None = None, body: bytes | None = None
) -> tuple[int, str]:
    """Status and text of an answer; asked again, as a phone would, when the connection breaks."""
    request = urllib.request.Request(url, data=body, headers=headers or {})
    deadline = time.monotonic() + ANSWER_SECONDS
    while True:
        try:
            with urllib.request.urlopen(request, timeout=ANSWER_SECONDS) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)


class Pod:
    """Everything that compose.yaml says of our image, run once."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._all = compose.services()
        self._ours = compose.ours()
        self._containers = Containers(folder, ADDRESSES)
        self._running: dict[str, Container] = {}
        self.report: Report = {"once": {}, "healthy": [], "ended": {}, "rss": {}, "uids": {}}

    def secret(self, volume: str, name: str) -> str:
        return (self._containers.volume(volume) / name).read_text().strip()

    def run(self) -> None:
        _prepare_network(self._folder, self._ours, set(self._all) - set(self._ours))
        self._start(["secrets"])  # with ClickHouse's accounts
        engines = self._start_engines()
        others = {name: one for name, one in self._ours.items() if name != "secrets"}
        try:
            for names in compose.start_order(others):
                self._start(names)
            self._use()
            self._again()
            self._end()
        finally:
            for engine in engines:
                engine.stop()

    def _start_engines(self) -> list[ComposeKafka | ComposeClickHouse | RegistryUnderTest]:
        registry = RegistryUnderTest(self._folder, port=8081)
        with ThreadPoolExecutor() as pool:
            waiting = pool.submit(registry.start)
            kafka = ComposeKafka(self._folder, self._all["kafka"]["environment"])
            passwords = [
                self.secret(f"secrets-{one}", "clickhouse-password") for one in ("writer", "reader")
            ]
            clickhouse = ComposeClickHouse(self._folder, *passwords)
            kafka.wait()
            clickhouse.wait()
            waiting.result()
        return [registry, clickhouse, kafka]

    def _start(self, names: list[str]) -> None:
        """Services that wait for nothing but what was started before, all at once."""
        for name in names:  # in this thread: containers end with the one that started them
            if not compose.is_once(self._ours[name]):
                self._running[name] = self._containers.start(name, self._ours[name])
        with ThreadPoolExecutor() as pool:
            for one in [pool.submit(self._wait, name) for name in names]:
                one.result()

    def _wait(self, name: str) -> None:
        service = self._ours[name]
        if compose.is_once(service):
            self.report["once"][name] = self._containers.run(name, service)
            return
        container = self._running[name]
        deadline = time.monotonic() + START_SECONDS
        while not self._containers.healthy(name, service):
            assert container.exit_code() is None, f"{name} ended"
            assert time.monotonic() < deadline, f"{name} was not healthy in {START_SECONDS:g} s"
            time.sleep(HEALTH_SECONDS)  # each look is a process of its own
        self.report["healthy"].append(name)
        program = container.program()
        self.report["rss"][name] = program.memory_info().rss
        self.report["uids"][name] = program.uids().real

    def _use(self) -> None:
        """One event in, one row out; and who else is asked."""
        event_id, now = str(uuid4()), time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        key = self.secret("secrets-people", "write-key")
        headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
        event = {"event_id": event_id, "type": "app_open", "timestamp": now, "sequence": 1}
        context = {"device": {"id": DEVICE}, "app": {"version": "1.0.0"}}
        body = {"sent_at": now, "context": context, "events": [event]}
        self.report["event_id"] = event_id
        self.report["posted"] = _ask(
            "http://gateway:8080/v1/events", headers, json.dumps(body).encode()
        )
        reader = {
            "X-ClickHouse-User": "reader",
            "X-ClickHouse-Key": self.secret("secrets-reader", "clickhouse-password"),
        }
        sql = "SELECT event_id FROM telemetry.events FINAL FORMAT TSV"

        def rows() -> list[str]:
            return _ask("http://127.0.0.1:8123/", reader, sql.encode())[1].split()

        wait_until(lambda: rows() != [], ROW_SECONDS, "the event's row")
        self.report["rows"] = rows()
        self.report["reader_drops"] = _ask(
            "http://127.0.0.1:8123/", reader, b"DROP DATABASE telemetry"
        )[0]
        token = self.secret("secrets-people", "console-token")
        page = "http://console:8090/csv/tail?app=demo"
        self.report["console_without_token"] = _ask(page)[0]
        self.report["console"] = _ask(page, {"Authorization": f"Bearer {token}"})
        subject = "http://registry:8081/apis/ccompat/v7/subjects/app-events-value/versions"
        self.report["schema_versions"] = _ask(subject)
        self.report["scraped"] = {
            job: [_ask(f"http://{target}/metrics")[1].count("\n") for target in targets]
            for job, targets in _scrape_targets().items()
        }

    def _again(self) -> None:
        """What a second `up` does, beside a gateway that keeps its files open."""
        key = self.secret("secrets-people", "write-key")
        once = {name: one for name, one in self._ours.items() if compose.is_once(one)}
        with ThreadPoolExecutor() as pool:
            codes = pool.map(self._containers.run, once, once.values())
            self.report["again"] = dict(zip(once, codes, strict=True))
        self.report["key_is_the_same"] = key == self.secret("secrets-people", "write-key")
        writes = ["python", "-c", "open('/written', 'w')"]
        gateway = self._ours["gateway"]
        self.report["root_was_written"] = self._containers.run("write", gateway, writes) == 0
        writes = ["python", "-c", "open('/var/lib/telemetry/written', 'w')"]
        self.report["volume_was_written"] = self._containers.run("write", gateway, writes) == 0

    def _end(self) -> None:
        for name, container in self._running.items():
            grace = compose.seconds(self._ours[name]["stop_grace_period"])
            self.report["ended"][name] = container.stop(grace)
        self.report["healthy_after_the_end"] = [
            name for name in self._running if self._containers.healthy(name, self._ours[name])
        ]


def _scrape_targets() -> dict[str, list[str]]:
    """Of our own processes."""
    file = compose.ROOT / "infra" / "prometheus" / "prometheus.yml"
    jobs = yaml.safe_load(file.read_text(encoding="utf-8"))["scrape_configs"]
    return {
        job["job_name"]: [one for group in job["static_configs"] for one in group["targets"]]
        for job in jobs
        if job["job_name"].startswith("telemetry-")
    }


if __name__ == "__main__":
    here = Path(sys.argv[1])
    pod = Pod(here)
    try:
        pod.run()
    finally:
        (here / "report.json").write_text(json.dumps(pod.report))
