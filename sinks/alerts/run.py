"""The alerts as a process: everything composed once, run until stopped, drained."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable

from aiokafka.errors import KafkaError

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
from sinks.health import health_server
from sinks.kafka_clients import reach
from sinks.retry import chances

log = logging.getLogger(__name__)

RETRY_SECONDS = 1.0


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
    metrics = Metrics()
    clients = await _clients(config, instance, stop)
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
    health = health_server(
        config.metrics_host,
        config.metrics_port,
        metrics,
        lambda: watch.last_tick,
        lambda: watch.is_ready,
    )
    serving = asyncio.create_task(health.serve()) if config.metrics_port else None
    clients.consumer.subscribe([APP_EVENTS.name], listener=watch)
    try:
        await watch.run(stop)
        log.info("drained")
    finally:
        await timers.close()
        await state_log.close()
        await clients.close()
        if serving is not None:
            health.should_exit = True
            await serving


async def _clients(
    config: AlertsConfig, instance: str | None, stop: asyncio.Event
) -> AlertClients | None:
    """Tried until they have started; None when told to stop meanwhile."""
    while not stop.is_set():
        clients = AlertClients(config, instance)
        try:
            await clients.start()
            return clients
        except (KafkaError, OSError, TimeoutError) as error:
            log.warning("Kafka is not there yet: %s", str(error) or type(error).__name__)
        try:
            async with asyncio.timeout(RETRY_SECONDS):
                await stop.wait()
        except TimeoutError:
            continue
    return None


def _server(config: AlertsConfig) -> sql.Server:
    return sql.Server(
        url=config.clickhouse_url,
        user=config.clickhouse_user,
        password=config.clickhouse_password,
    )
