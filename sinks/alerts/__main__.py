"""telemetry-sink run alerts, and alerts: rules, test."""

from __future__ import annotations

import asyncio
import os
import signal
from importlib.util import find_spec
from typing import Annotated
from uuid import uuid4

import typer
from rich.console import Console
from rich.table import Column, Table

from gateway.runtime import (
    BAD_USAGE,
    FOUND_WRONG,
    ConfigError,
    load_config,
    now_ms,
    options_of,
    setup_logging,
    shown,
)
from sinks.alerts.alert import Alert
from sinks.alerts.config import PREFIXES, AlertsConfig
from sinks.alerts.decide import kind_of
from sinks.alerts.delivery import Delivery, Failed, Refused
from sinks.alerts.rule_file import RuleError, read_rules
from sinks.alerts.rules import RuleBook
from sinks.alerts.sample import sample
from sinks.command import fail
from sinks.consumer import Stopped

app = typer.Typer(
    name="alerts",
    help="Who is told of crashes and silence: the rule file, and whether it works.",
    no_args_is_help=True,
)


def run(instance: str | None) -> None:
    """Watch until SIGTERM or Ctrl-C, then drain."""
    config, book = _load()
    _check_extra()
    from sinks.alerts.run import run_alerts  # needs the extra

    setup_logging(config.log_level, config.log_format)

    async def main() -> None:
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop.set)
        await run_alerts(config, book, instance, stop, lambda: typer.echo("alerts ready"))

    try:
        asyncio.run(main())
    except ConfigError as error:
        raise fail(str(error), BAD_USAGE) from None
    except Stopped as reason:
        raise fail(str(reason), FOUND_WRONG) from None


@app.command("rules")
def rules_command() -> None:
    """Read the rule file and show its rules; exit code 2 when it is wrong.

    Example: TELEMETRY_ALERTS_RULES=alerts.toml telemetry-sink alerts rules
    """
    _, book = _load()
    table = Table(Column("rule", no_wrap=True), "type", "channels", "grouped by", "cooldown")
    for name, rule in book.rules.items():
        table.add_row(
            name,
            kind_of(rule),
            ", ".join(rule.channels),
            rule.group_by,
            f"{rule.cooldown_minutes:g} min",
        )
    Console().print(table)


@app.command("test")
def test_command(
    rule: Annotated[str, typer.Argument(help="a rule of the rule file")],
) -> None:
    """Send a sample of a rule's alert to each of its channels; exit code 1 when one fails.

    Example: telemetry-sink alerts test new-crash
    """
    config, book = _load()
    if rule not in book.rules:
        raise fail(f"there is no rule {rule}; there are {', '.join(book.rules)}", BAD_USAGE)
    _check_extra()
    from sinks.alerts.channels import deliveries  # needs the extra

    try:
        channels = deliveries(config, book)
    except ConfigError as error:
        raise fail(str(error), BAD_USAGE) from None
    alert = sample(book.rules[rule], str(uuid4()), now_ms())
    failed = False
    for name in book.rules[rule].channels:
        outcome = asyncio.run(_try(channels[name], alert))
        typer.echo(f"{name}: {outcome or 'delivered'}")
        failed = failed or outcome is not None
    if failed:
        raise typer.Exit(FOUND_WRONG)


async def _try(channel: Delivery, alert: Alert) -> str | None:
    """What went wrong."""
    try:
        await channel.deliver(alert)
    except (Failed, Refused) as error:
        return str(error)
    return None


@app.command("config")
def config_command() -> None:
    """Show every option with its value, as this environment sets it."""
    config = _config()
    table = Table(Column("variable", no_wrap=True), "value", "meaning")
    for option in options_of(AlertsConfig, PREFIXES):
        table.add_row(option.variable, shown(config, option), option.meaning)
    Console().print(table)


def _check_extra() -> None:
    for name in ("aiosmtplib", "jinja2"):
        if find_spec(name) is None:
            raise fail(f"the package {name} is missing; install the extra: alerts", BAD_USAGE)


def _load() -> tuple[AlertsConfig, RuleBook]:
    config = _config()
    try:
        return config, read_rules(config.rules)
    except RuleError as error:
        raise fail(str(error), BAD_USAGE) from None


def _config() -> AlertsConfig:
    try:
        config = load_config(AlertsConfig, PREFIXES, os.environ)
        config.client_security()
    except ConfigError as error:
        raise fail(str(error), BAD_USAGE) from None
    return config
