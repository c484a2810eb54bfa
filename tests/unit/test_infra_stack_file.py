"""What a stack keeps: ports, users, passwords, key."""

from __future__ import annotations

from pathlib import Path

from infra.local.stack_file import WantedPorts, load, load_or_make, stack_path

ANY = WantedPorts(gateway=0, clickhouse=0, kafka=0)


def test_a_new_stack_has_the_default_ports(tmp_path: Path) -> None:
    stack = load_or_make(tmp_path, WantedPorts())

    assert (stack.gateway_port, stack.clickhouse_port, stack.kafka_port) == (8080, 8123, 9092)


def test_free_ports_differ_and_stay(tmp_path: Path) -> None:
    first = load_or_make(tmp_path, ANY)

    ports = {
        first.gateway_port,
        first.clickhouse_port,
        first.kafka_port,
        first.controller_port,
        first.sink_port,
    }
    assert len(ports) == 5
    assert load_or_make(tmp_path, ANY) == first
    assert load_or_make(tmp_path, WantedPorts()) == first
    assert load(tmp_path) == first


def test_a_port_that_is_asked_for_wins_and_nothing_else_changes(tmp_path: Path) -> None:
    first = load_or_make(tmp_path, ANY)

    second = load_or_make(tmp_path, WantedPorts(gateway=18_080))

    assert second.gateway_port == 18_080
    assert (second.writer, second.reader, second.write_key, second.kafka_port) == (
        first.writer,
        first.reader,
        first.write_key,
        first.kafka_port,
    )


def test_two_stacks_share_no_secret(tmp_path: Path) -> None:
    one, other = load_or_make(tmp_path / "a", ANY), load_or_make(tmp_path / "b", ANY)

    secrets = [
        stack_secret
        for stack in (one, other)
        for stack_secret in (stack.writer.password, stack.reader.password, stack.write_key)
    ]
    assert len(set(secrets)) == 6


def test_only_its_owner_may_read_the_file(tmp_path: Path) -> None:
    load_or_make(tmp_path, ANY)

    assert stack_path(tmp_path).stat().st_mode & 0o777 == 0o600


def test_where_no_stack_was_there_is_none(tmp_path: Path) -> None:
    assert load(tmp_path) is None
