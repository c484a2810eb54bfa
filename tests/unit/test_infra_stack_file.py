"""What a stack keeps: ports, users, passwords, key."""

from __future__ import annotations

import json
import socket
from pathlib import Path

import pytest
from msgspec import structs

from infra.local.ports import HOST
from infra.local.stack_file import StackFileError, Wanted, load, load_or_make, stack_path

ANY = Wanted(gateway=0, clickhouse=0, kafka=0, console=0)


def test_a_new_stack_has_the_default_ports(tmp_path: Path) -> None:
    stack = load_or_make(tmp_path, Wanted())

    assert (stack.gateway_port, stack.clickhouse_port, stack.kafka_port) == (8080, 8123, 9092)


def test_free_ports_differ_and_stay(tmp_path: Path) -> None:
    first = load_or_make(tmp_path, ANY)

    ports = {
        first.gateway_port,
        first.clickhouse_port,
        first.kafka_port,
        first.controller_port,
        first.sink_port,
        first.console_port,
    }
    assert len(ports) == 6
    assert load_or_make(tmp_path, ANY) == first
    assert load_or_make(tmp_path, Wanted()) == first
    assert load(tmp_path) == first


def test_a_port_that_is_asked_for_wins_and_nothing_else_changes(tmp_path: Path) -> None:
    first = load_or_make(tmp_path, ANY)

    second = load_or_make(tmp_path, Wanted(gateway=18_080))

    assert second.gateway_port == 18_080
    assert (second.writer, second.reader, second.write_key, second.kafka_port) == (
        first.writer,
        first.reader,
        first.write_key,
        first.kafka_port,
    )


def test_0_picks_another_port_where_the_kept_one_is_taken(tmp_path: Path) -> None:
    with socket.socket() as other_program:
        other_program.bind((HOST, 0))
        taken = int(other_program.getsockname()[1])
        kept = load_or_make(tmp_path, Wanted(gateway=taken, clickhouse=0, kafka=0))

        unasked = load_or_make(tmp_path, Wanted())
        picked = load_or_make(tmp_path, ANY)

    assert kept.gateway_port == unasked.gateway_port == taken
    assert picked.gateway_port != taken
    assert (picked.clickhouse_port, picked.kafka_port) == (kept.clickhouse_port, kept.kafka_port)
    assert load_or_make(tmp_path, ANY) == picked


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


@pytest.mark.parametrize(
    "content", ["", "{", "[]", '{"gateway_port": 8080}', '{"gateway_port": "x"}']
)
def test_a_damaged_file_is_told_and_left_as_it_is(tmp_path: Path, content: str) -> None:
    stack_path(tmp_path).write_text(content)

    with pytest.raises(StackFileError, match=f"{stack_path(tmp_path)} is damaged: "):
        load(tmp_path)
    with pytest.raises(StackFileError):
        load_or_make(tmp_path, ANY)
    assert stack_path(tmp_path).read_text() == content


class TestBrokers:
    def test_three_have_ports_of_their_own_and_keep_them(self, tmp_path: Path) -> None:
        three = structs.replace(ANY, brokers=3)
        first = load_or_make(tmp_path, three)

        ports = [port for one in first.brokers for port in (one.port, one.controller_port)]
        assert len(set(ports)) == 6
        assert first.bootstrap == ",".join(f"{HOST}:{port}" for port in ports[::2])
        assert load_or_make(tmp_path, three) == load_or_make(tmp_path, Wanted()) == first

    def test_a_stack_has_one_unless_more_are_asked_for(self, tmp_path: Path) -> None:
        stack = load_or_make(tmp_path, ANY)

        assert [one.port for one in stack.brokers] == [stack.kafka_port]
        assert stack.bootstrap == f"{HOST}:{stack.kafka_port}"

    def test_a_stack_of_before_has_one(self, tmp_path: Path) -> None:
        load_or_make(tmp_path, ANY)
        kept = json.loads(stack_path(tmp_path).read_text())
        del kept["more_brokers"]
        stack_path(tmp_path).write_text(json.dumps(kept))

        assert len(load_or_make(tmp_path, Wanted()).brokers) == 1

    @pytest.mark.parametrize(("first", "later"), [(1, 3), (3, 1), (None, 3)])
    def test_another_number_later_is_refused_by_the_option_s_name(
        self, tmp_path: Path, first: int | None, later: int
    ) -> None:
        made = load_or_make(tmp_path, structs.replace(ANY, brokers=first))

        with pytest.raises(StackFileError, match=f"--brokers is {later}.* made with {first or 1}"):
            load_or_make(tmp_path, structs.replace(ANY, brokers=later))
        assert load(tmp_path) == made

    def test_a_number_that_keeps_no_quorum_is_refused(self, tmp_path: Path) -> None:
        with pytest.raises(StackFileError, match="--brokers is 2; it may be 1 or 3"):
            load_or_make(tmp_path, structs.replace(ANY, brokers=2))

    def test_0_picks_another_port_for_the_one_broker_whose_port_is_taken(
        self, tmp_path: Path
    ) -> None:
        kept = load_or_make(tmp_path, structs.replace(ANY, brokers=3))
        with socket.socket() as other_program:
            other_program.bind((HOST, kept.brokers[1].port))
            picked = load_or_make(tmp_path, ANY)

        assert picked.brokers[1].port != kept.brokers[1].port
        assert (picked.brokers[0], picked.brokers[2]) == (kept.brokers[0], kept.brokers[2])
        assert picked.brokers[1].controller_port == kept.brokers[1].controller_port
