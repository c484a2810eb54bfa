"""The commands of the alerts, as people run them."""

from __future__ import annotations

import asyncio
import os
import sys
from base64 import b64encode
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.receivers import PASSWORD, USER, Authority, hook_server, mail_server

FILE = """
[channel.oncall]
type = "email"
to = ["oncall@example.com"]

[channel.chat]
type = "webhook"
url = "https://localhost:{port}/hook"
secret_file = "secret"

[rule.new-crash]
type = "new_crash_group"
channels = ["oncall", "chat"]
"""


async def run(environment: Mapping[str, str], *arguments: str) -> tuple[int, str, str]:
    """Exit code, output and errors of telemetry-sink."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "sinks", *arguments,
        env={**os.environ, **environment},
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    output, errors = await asyncio.wait_for(process.communicate(), 60)
    return process.returncode or 0, output.decode(), errors.decode()


def write(rules: Path, *, port: int, more: str = "") -> None:
    rules.write_text(FILE.format(port=port) + more)


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    (tmp_path / "secret").write_text("whsec_" + b64encode(bytes(32)).decode())
    return tmp_path / "alerts.toml"


async def test_a_sample_reaches_each_channel_and_a_failure_is_told(rules: Path) -> None:
    authority = Authority(rules.parent)
    async with mail_server(authority) as mail, hook_server(authority) as hook:
        write(rules, port=hook.port)
        environment = {
            "TELEMETRY_ALERTS_RULES": str(rules),
            "TELEMETRY_ALERTS_SMTP_PORT": str(mail.port),
            "TELEMETRY_ALERTS_SMTP_USER": USER,
            "TELEMETRY_ALERTS_SMTP_PASSWORD": PASSWORD,
            "TELEMETRY_ALERTS_CA_PATH": str(authority.path),
            "TELEMETRY_ALERTS_WEBHOOK_ALLOW_LOOPBACK": "true",
        }

        good = await run(environment, "alerts", "test", "new-crash")
        hook.status = 500
        bad = await run(environment, "alerts", "test", "new-crash")

    assert good[:2] == (0, "oncall: delivered\nchat: delivered\n")
    assert bad[:2] == (1, "oncall: delivered\nchat: webhook: answered 500\n")
    assert [str(one["Subject"]) for one in mail.mails] == [
        "[your-app 1.0.0] test of rule new-crash: nothing happened"
    ] * 2


@pytest.mark.parametrize("command", [("run", "alerts"), ("alerts", "rules")])
async def test_a_broken_rule_file_ends_it_with_the_rule_and_the_field(
    rules: Path, command: tuple[str, ...]
) -> None:
    write(rules, port=1, more="cooldown_minutes = 'long'\n")

    code, output, errors = await run({"TELEMETRY_ALERTS_RULES": str(rules)}, *command)

    assert (code, output) == (2, "")
    said = "telemetry-sink: rule new-crash: cooldown_minutes: Expected `float`, got `str`\n"
    assert errors == said
