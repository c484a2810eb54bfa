"""The alerts as a process: everything composed once, run until stopped, drained."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Coroutine
from typing import Any

from gateway.contract.readiness import Lack
from gateway.contract.topics import APP_EVENTS
from gateway.runtime import now_ms
from sinks.alerts.channels import deliveries
from sinks.alerts.config import AlertsConfig
from sinks.alerts.kafka import AlertClients
from sinks.alerts.metrics import Metrics
from sinks.alerts.outbox import Outbox, Persistence
from sinks.alerts.rules import RuleBook
from sinks.alerts.state import State
from sinks.alerts.state_log import StateLog
from sinks.alerts.succession import Succession
from sinks.alerts.timers import Timers
from sinks.alerts.watch import Watch
from sinks.clickhouse import sql
from sinks.consumer import Stopped
from sinks.health import Condition, told
from sinks.kafka_clients import reach
from sinks.retry import chances
from sinks.sink import Misconfigured
from sinks.startup import until_there

log = logging.getLogger(__name__)


async def run_alerts(
    config: AlertsConfig,
    book: RuleBook,
    instance: str | None,
    stop: asyncio.Event,
    on_ready: Callable[[], None],
    log_type: type[StateLog] = StateLog,
) -> None:
    """Watch until `stop` is set. Waits for Kafka to be there. Raises ConfigError, Stopped."""
    channels = deliveries(config, book)
    metrics, condition = Metrics(), Condition()
    metrics.process.watch(condition.lacks)
    async with told(config.metrics_host, config.metrics_port, metrics, condition, stop):
        clients = await until_there(
            stop, condition, lambda: _clients(config, instance), Lack.KAFKA, "Kafka"
        )
        if clients is None:
            return
        state_log = log_type(reach(config), metrics)
        timers = Timers(book.timers, _server(config), metrics, time.monotonic)
        persistence = Persistence(config.give_up_minutes * 60, config.retry_most_seconds, chances)

        def outbox(state: State) -> Outbox:
            return Outbox(channels, state, state_log.bury, persistence, metrics, now_ms)

        succession = Succession(book.rules, clients.consumer, clients.offsets, state_log, outbox)
        watch = Watch(
            book.rules,
            clients.consumer,
            clients.offsets,
            state_log,
            timers,
            succession,
            metrics,
            on_ready,
        )
        condition.follow(watch)
        clients.consumer.subscribe([APP_EVENTS.name], listener=watch)
        try:
            await _while_allowed(clients, watch.run(stop))
            log.info("drained")
        finally:
            await timers.close()
            await state_log.close()
            await clients.close()


async def _while_allowed(clients: AlertClients, work: Coroutine[Any, Any, None]) -> None:
    """Do the work as long as Kafka lets us in. Raises Stopped."""
    working = asyncio.create_task(work)
    allowed = asyncio.create_task(clients.watch())
    try:
        await asyncio.wait({working, allowed}, return_when=asyncio.FIRST_COMPLETED)
        if working.done():
            working.result()
        else:
            allowed.result()
    except Misconfigured as error:
        raise Stopped(str(error)) from None
    finally:
        for task in (working, allowed):
            task.cancel()
        await asyncio.gather(working, allowed, return_exceptions=True)


async def _clients(config: AlertsConfig, instance: str | None) -> AlertClients:
    clients = AlertClients(config, instance)
    await clients.start()
    return clients


def _server(config: AlertsConfig) -> sql.Server:
    return sql.Server(
        url=config.clickhouse_url,
        user=config.clickhouse_user,
        password=config.clickhouse_password,
        ca_path=config.clickhouse_ca_path,
    )
