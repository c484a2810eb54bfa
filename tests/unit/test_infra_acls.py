"""ACLs as commands for Kafka's own tool, and the command line that shows them."""

from __future__ import annotations

import pytest
from typer.testing import CliRunner

from gateway.contract.topics import TOPICS
from infra.__main__ import app
from infra.acls import ACLS, Kind


def run(*arguments: str) -> tuple[int, list[str], str]:
    done = CliRunner().invoke(app, ["acls", *arguments])
    return done.exit_code, done.stdout.splitlines(), done.stderr


def test_the_gateway_writes_two_topics_and_reads_one() -> None:
    start = "kafka-acls.sh --bootstrap-server BROKER --add --allow-principal User:CN=gw"

    assert run("--process", "gateway", "--principal", "gateway=User:CN=gw") == (
        0,
        [
            f"{start} --operation Write --topic app-events --resource-pattern-type literal",
            f"{start} --operation Write --topic app-events-dead --resource-pattern-type literal",
            f"{start} --operation Read --topic app-forgotten --resource-pattern-type literal",
        ],
        "",
    )


def test_every_process_has_its_own_user_by_default() -> None:
    code, lines, _ = run()

    assert code == 0
    assert len(lines) == sum(len(acls) for acls in ACLS.values())
    assert {line.split()[5] for line in lines} == {f"User:telemetry-{one}" for one in ACLS}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--process", "nobody"], "--process: 'nobody' is no process; there are gateway,"),
        (["--principal", "nobody=User:x"], "--principal: 'nobody' is no process"),
        (["--principal", "sink=x"], "--principal: sink=x must be like sink=User:name"),
    ],
)
def test_what_is_no_process_or_principal_is_named(arguments: list[str], said: str) -> None:
    code, lines, error = run(*arguments)

    assert (code, lines) == (2, [])
    assert said in error


def test_topics_of_the_table_are_ours() -> None:
    ours = {one.name for one in TOPICS} | {"legacy."}

    for acls in ACLS.values():
        assert {one.name for one in acls if one.kind is Kind.TOPIC} <= ours
