"""Every service of compose.yaml that runs our image, run as the file says.

Its command, environment, volumes and health check, a root that cannot be written to, the image's
user. The engines are the embedded ones, Kafka with the file's configuration: see tests.deploy.pod.
"""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

from infra.local.kafka import classpath
from tests import registry
from tests.deploy import compose, needs
from tests.deploy.container import UID

POD_SECONDS = 500

pytestmark = pytest.mark.timeout(POD_SECONDS + 200)

Report = dict[str, Any]


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Report:
    needs.namespaces()
    classpath()  # both may have to be downloaded, which the pod's network cannot
    registry.archive()
    folder = tmp_path_factory.mktemp("pod")
    alone = ["unshare", "--net", "--mount", "--propagation", "private"]
    done = subprocess.run(
        [*alone, sys.executable, "-m", "tests.deploy.pod", str(folder)],
        cwd=compose.ROOT, capture_output=True, text=True, timeout=POD_SECONDS, check=False,
    )  # fmt: skip
    logs = "".join(
        f"\n{one.name}:\n{one.read_text()[-1500:]}" for one in sorted(folder.glob("logs/*.log"))
    )
    assert done.returncode == 0, f"{done.stderr[-3000:]}{logs}"
    return dict(json.loads((folder / "report.json").read_text()))


def _names(*, once: bool) -> set[str]:
    return {name for name, one in compose.ours().items() if compose.is_once(one) == once}


def test_what_is_made_once_is_made(report: Report) -> None:
    assert report["once"] == dict.fromkeys(_names(once=True), 0)


def test_every_service_gets_healthy_by_its_own_check(report: Report) -> None:
    assert set(report["healthy"]) == _names(once=False)


def test_no_ended_service_is_healthy(report: Report) -> None:
    assert report["healthy_after_the_end"] == []


def test_every_service_runs_as_the_image_s_user(report: Report) -> None:
    assert report["uids"] == dict.fromkeys(_names(once=False), UID)


def test_an_event_that_was_posted_is_a_row(report: Report) -> None:
    status, answer = report["posted"]

    assert (status, json.loads(answer)["accepted"]) == (200, 1)
    assert json.loads(answer)["stored"] == "kafka"
    assert report["rows"] == [report["event_id"]]


def test_the_console_shows_it_to_who_has_the_token(report: Report) -> None:
    status, csv = report["console"]

    assert report["console_without_token"] == 401
    assert status == 200
    assert report["event_id"] in csv


def test_the_reader_may_only_read(report: Report) -> None:
    assert report["reader_drops"] == 403


def test_the_registry_knows_the_record(report: Report) -> None:
    assert report["schema_versions"] == [200, "[1]"]


def test_prometheus_finds_metrics_at_every_target(report: Report) -> None:
    lines = report["scraped"]

    assert set(lines) == {"telemetry-gateway", "telemetry-sink", "telemetry-alerts"}
    assert all(count > 10 for counts in lines.values() for count in counts)


def test_a_second_up_changes_nothing(report: Report) -> None:
    assert report["again"] == dict.fromkeys(_names(once=True), 0)
    assert report["key_is_the_same"]


def test_only_volumes_can_be_written_to(report: Report) -> None:
    assert report["volume_was_written"]
    assert not report["root_was_written"]


def test_every_service_drains_within_its_grace(report: Report) -> None:
    assert report["ended"] == dict.fromkeys(_names(once=False), 0)


def test_memory_at_rest_is_far_below_the_limits(report: Report) -> None:
    limits = {name: compose.memory(one["mem_limit"]) for name, one in compose.ours().items()}

    assert all(rss < limits[name] / 2 for name, rss in report["rss"].items())
