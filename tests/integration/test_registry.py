"""Provisioning and a real schema registry: what it knows afterwards, and what it then refuses."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Iterator

import pytest

from infra.registry import SUBJECT, Registered, RegistryAccess, RegistryError, register
from infra.registry import registry_schema as schema
from tests.kafka import KafkaUnderTest
from tests.registry import RegistryUnderTest


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RegistryUnderTest]:
    under_test = RegistryUnderTest(tmp_path_factory.mktemp("registry"))
    under_test.start()
    yield under_test
    under_test.stop()


@pytest.fixture
def registry(running: RegistryUnderTest) -> RegistryUnderTest:
    """It knows nothing."""
    if SUBJECT in running.ask("GET", "/subjects")[1]:
        running.ask("DELETE", f"/subjects/{SUBJECT}")
        running.ask("DELETE", f"/subjects/{SUBJECT}?permanent=true")
    assert running.ask("GET", "/subjects") == (200, [])
    return running


def put(registry: RegistryUnderTest, text: str) -> Registered:
    access = RegistryAccess(url=registry.url + "/")
    return asyncio.run(register(access, text))


def changed(**keys: dict[str, object] | None) -> str:
    """The schema with other keys; None: without."""
    document = json.loads(schema())
    document["properties"] |= keys
    document["properties"] = {name: one for name, one in document["properties"].items() if one}
    return json.dumps(document)


def level(registry: RegistryUnderTest) -> str:
    return str(registry.ask("GET", f"/config/{SUBJECT}")[1]["compatibilityLevel"])


def test_the_registry_has_the_schema_and_the_rule(registry: RegistryUnderTest) -> None:
    made = put(registry, schema())

    status, latest = registry.ask("GET", f"/subjects/{SUBJECT}/versions/latest")
    assert made.is_new
    assert status == 200
    assert (latest["version"], latest["id"], latest["schemaType"]) == (1, made.id, "JSON")
    assert json.loads(latest["schema"]) == json.loads(schema())
    assert level(registry) == "BACKWARD"


def test_a_second_time_nothing_changes(registry: RegistryUnderTest) -> None:
    made = put(registry, schema())

    assert put(registry, schema()) == Registered(made.id, is_new=False)
    assert registry.ask("GET", f"/subjects/{SUBJECT}/versions") == (200, [1])


def test_a_key_more_is_a_version_more(registry: RegistryUnderTest) -> None:
    put(registry, schema())

    assert put(registry, changed(battery_percent={"type": "integer", "default": 0})).is_new
    assert registry.ask("GET", f"/subjects/{SUBJECT}/versions") == (200, [1, 2])


@pytest.mark.parametrize("country", [{"type": "integer", "default": 0}, None])
def test_a_breaking_schema_is_refused(
    registry: RegistryUnderTest, country: dict[str, object] | None
) -> None:
    put(registry, schema())

    with pytest.raises(RegistryError, match="409; the schema breaks readers"):
        put(registry, changed(country=country))
    assert registry.ask("GET", f"/subjects/{SUBJECT}/versions") == (200, [1])


@pytest.mark.parametrize(("before", "after"), [("NONE", "BACKWARD"), ("FULL", "FULL")])
def test_a_weaker_rule_is_raised_and_a_stricter_one_stays(
    registry: RegistryUnderTest, before: str, after: str
) -> None:
    put(registry, schema())
    registry.ask("PUT", f"/config/{SUBJECT}", {"compatibility": before})

    put(registry, schema())

    assert level(registry) == after


def test_another_address_of_the_server_is_told(registry: RegistryUnderTest) -> None:
    access = RegistryAccess(url=registry.url.replace("ccompat", "nothing"))

    with pytest.raises(RegistryError, match=r"404; is TELEMETRY_SCHEMA_REGISTRY_URL the root"):
        asyncio.run(register(access, schema()))


def test_the_command_registers_once(registry: RegistryUnderTest, kafka: KafkaUnderTest) -> None:
    environment = {
        "TELEMETRY_KAFKA_BOOTSTRAP": kafka.bootstrap,
        "TELEMETRY_KAFKA_REPLICATION_FACTOR": "1",
        "TELEMETRY_SCHEMA_REGISTRY_URL": registry.url,
    }
    said = []
    for _ in range(2):
        done = subprocess.run(
            [sys.executable, "-m", "infra", "provision"],
            env={**os.environ, **environment},
            capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        said.append(done.stdout.splitlines()[-1])

    number = registry.ask("GET", f"/subjects/{SUBJECT}/versions/1")[1]["id"]
    assert said == [
        f"registered {SUBJECT} as schema {number}",
        f"the registry has {SUBJECT} as schema {number}",
    ]
