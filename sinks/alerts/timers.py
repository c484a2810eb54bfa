"""The rules that ask ClickHouse, each at its times."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable
from datetime import UTC, datetime

from sinks.alerts.alert import Finding
from sinks.alerts.judge import judge, question
from sinks.alerts.metrics import Metrics
from sinks.alerts.rules import TimerRule
from sinks.clickhouse import sql

log = logging.getLogger(__name__)

ASK_SECONDS = 30.0


class Timers:
    """Looks at what is due. ClickHouse away means no answer now, and the next look at its time."""

    def __init__(
        self,
        rules: Iterable[TimerRule],
        server: sql.Server,
        metrics: Metrics,
        clock: Callable[[], float],
    ) -> None:
        self._rules = list(rules)
        self._server = server
        self._metrics = metrics
        self._clock = clock
        self._next: dict[str, float] = {}
        self._client: sql.AsyncClient | None = None

    def are_due(self) -> bool:
        return any(self._clock() >= self._next.get(rule.name, 0.0) for rule in self._rules)

    async def look(self, now_ms: int) -> list[tuple[TimerRule, Finding]]:
        """What the rules that are due find."""
        found: list[tuple[TimerRule, Finding]] = []
        for rule in self._rules:
            if self._clock() < self._next.get(rule.name, 0.0):
                continue
            self._next[rule.name] = self._clock() + rule.every_minutes * 60
            for app in rule.apps:
                try:
                    async with asyncio.timeout(ASK_SECONDS):
                        found += [(rule, one) for one in await self._ask(rule, app, now_ms)]
                except (sql.Unreachable, sql.ClickHouseError, OSError, TimeoutError) as error:
                    log.warning("rule %s: no answer: %s", rule.name, type(error).__name__)
                    self._metrics.query_failures.labels(rule.name).inc()
                    await self.close()
        return found

    async def _ask(self, rule: TimerRule, app: str, now_ms: int) -> list[Finding]:
        if self._client is None:
            self._client = await sql.connect(self._server)
        today = datetime.fromtimestamp(now_ms / 1000, UTC).date()
        asked = question(rule, app, today)
        answer = await sql.run_query(self._client, asked.query, asked.params, today)
        return judge(rule, app, answer.as_objects(), now_ms)

    async def close(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            await client.close()
