"""telemetry-sink legacy: rows of other systems into events."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path
from typing import Annotated

import typer
from aiokafka.errors import KafkaError

from gateway.runtime import BAD_USAGE, FOUND_WRONG, ConfigError, load_config, setup_logging
from sinks.command import fail
from sinks.legacy.config import PREFIXES, LegacyConfig
from sinks.legacy.mapping import load_mappings
from sinks.legacy.run import run_legacy
from sinks.sink import Misconfigured


def legacy_command(
    mapping: Annotated[Path, typer.Option("--mapping", help="TOML: what rows of legacy.… mean")],
) -> None:
    """Post the rows of `legacy.…` topics to the gateway as events, until SIGTERM or Ctrl-C.

    Example: telemetry-sink legacy --mapping legacy.toml
    """
    try:
        config = load_config(LegacyConfig, PREFIXES, os.environ)
        config.client_security()
        mappings = load_mappings(mapping)
    except ConfigError as error:
        raise fail(str(error), BAD_USAGE) from None
    setup_logging(config.log_level, config.log_format)

    async def main() -> None:
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop.set)
        await run_legacy(config, mappings, stop, lambda: typer.echo("legacy ready"))

    try:
        asyncio.run(main())
    except Misconfigured as error:
        raise fail(str(error), FOUND_WRONG) from None
    except (KafkaError, TimeoutError) as error:
        text = f"Kafka at {config.kafka_bootstrap}: {str(error) or 'no answer'}"
        raise fail(text, FOUND_WRONG) from None
