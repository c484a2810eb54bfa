"""The distribution's own Prometheus, over what a test tells it to scrape; nothing is downloaded."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.parse import quote
from urllib.request import urlopen

import pytest

from infra.local.ports import HOST, free_ports
from tests.kafka import wait_until

HOW = "Prometheus is needed: apt-get install prometheus, or brew install prometheus"


def program(name: str) -> str:
    """Its path; where it is not installed a failure in CI, and a skip on a laptop."""
    path = shutil.which(name)
    if path is None:
        if os.environ.get("CI"):
            pytest.fail(HOW)
        pytest.skip(HOW)
    return path


def promtool(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [program("promtool"), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


class PrometheusUnderTest:
    def __init__(self, url: str) -> None:
        self._url = url

    def is_ready(self) -> bool:
        try:
            with urlopen(f"{self._url}/-/ready", timeout=5) as answer:
                return bool(answer.status == 200)
        except (URLError, OSError):
            return False

    def query(self, expression: str) -> list[dict[str, Any]]:
        return list(self._get(f"query?query={quote(expression)}")["result"])

    def firing(self) -> set[str]:
        """The names of the alerts that fire."""
        alerts = self._get("alerts")["alerts"]
        return {one["labels"]["alertname"] for one in alerts if one["state"] == "firing"}

    def _get(self, path: str) -> dict[str, Any]:
        with urlopen(f"{self._url}/api/v1/{path}", timeout=10) as answer:
            return dict(json.load(answer)["data"])


@contextmanager
def prometheus(
    folder: Path, targets: Mapping[str, str], rules: Path
) -> Iterator[PrometheusUnderTest]:
    """Scrapes each target (host:port by job) once a second, and looks at the rules as often."""
    (port,) = free_ports(1)
    jobs = [
        {"job_name": job, "static_configs": [{"targets": [target]}]}
        for job, target in targets.items()
    ]
    config = {
        "global": {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"},
        "rule_files": [str(rules)],
        "scrape_configs": jobs,
    }
    file = folder / "prometheus.yml"
    file.write_text(json.dumps(config))  # which is YAML
    command = [
        program("prometheus"),
        f"--config.file={file}",
        f"--storage.tsdb.path={folder / 'series'}",
        f"--web.listen-address={HOST}:{port}",
    ]
    with (folder / "prometheus.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        under_test = PrometheusUnderTest(f"http://{HOST}:{port}")
        wait_until(under_test.is_ready, 30, "Prometheus")
        yield under_test
    finally:
        process.terminate()
        process.wait(30)
