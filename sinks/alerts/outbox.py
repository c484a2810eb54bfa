"""Alerts on their way: each channel sends what is pending for it until it is taken.

What is pending lies in Kafka before it is sent, so a channel that is down delays its own alerts
and nothing else; what it did not take in time is dead-lettered. Each alert has waits of its own:
one that a receiver cannot stand does not hold up the next.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterator, Mapping

import msgspec
from aiokafka.errors import KafkaError
from msgspec import Struct

from sinks.alerts.delivery import Delivery, Failed, Refused
from sinks.alerts.metrics import Metrics
from sinks.alerts.state import Pending, State
from sinks.retry import delays

log = logging.getLogger(__name__)

FIRST_WAIT_SECONDS = 1.0
UNKNOWN = "(unknown)"  # in metrics, for a channel that is no longer in the rule file

Bury = Callable[[bytes, Mapping[str, str]], Awaitable[None]]


class Persistence(Struct, frozen=True):
    """How long a channel is tried."""

    give_up_seconds: float
    most_seconds: float
    chances: Callable[[], Iterator[float]]


class _Letter(Struct):
    """A pending alert of one channel, and when it is tried next, by the loop's clock."""

    pending: Pending
    waits: Iterator[float]
    due: float = 0.0


class Outbox:
    """The channels' tasks over one state. `wake` after what is new has been written."""

    def __init__(
        self,
        channels: Mapping[str, Delivery],
        state: State,
        bury: Bury,
        persistence: Persistence,
        metrics: Metrics,
        now_ms: Callable[[], int],
    ) -> None:
        self._channels = channels
        self._state = state
        self._bury = bury
        self._persistence = persistence
        self._metrics = metrics
        self._now_ms = now_ms
        self._letters: dict[str, dict[str, _Letter]] = {}
        self._wakes: dict[str, asyncio.Event] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._is_stopping = False

    def wake(self) -> None:
        """Send what is pending in the state, all of which is written."""
        pending = self._state.pending()
        self._metrics.pending.set(len(pending))
        for (channel, alert_id), one in pending.items():
            letters = self._letters.setdefault(channel, {})
            if alert_id not in letters:
                letters[alert_id] = _Letter(one, self._waits())
                self._wakes.setdefault(channel, asyncio.Event()).set()
            if channel not in self._tasks:
                self._tasks[channel] = asyncio.create_task(self._tend(channel), name=channel)

    def check(self) -> None:
        """Raises the bug that ended a channel's task."""
        for one in self._tasks.values():
            if one.done():
                one.result()

    async def close(self, seconds: float) -> None:
        """Begin no new try; one that is at work has so long to end."""
        self._is_stopping = True
        for wake in self._wakes.values():
            wake.set()
        if not self._tasks:
            return
        _, late = await asyncio.wait(self._tasks.values(), timeout=seconds)
        for task in late:
            task.cancel()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)

    def _waits(self) -> Iterator[float]:
        how = self._persistence
        return delays(how.chances(), FIRST_WAIT_SECONDS, how.most_seconds)

    async def _tend(self, channel: str) -> None:
        loop, wake = asyncio.get_running_loop(), self._wakes[channel]
        letters = self._letters[channel]
        while not self._is_stopping:
            wake.clear()
            alert_id = min(letters, key=lambda one: letters[one].due, default=None)
            wait = None if alert_id is None else letters[alert_id].due - loop.time()
            if alert_id is None or (wait is not None and wait > 0):
                try:
                    async with asyncio.timeout(wait):
                        await wake.wait()
                except TimeoutError:
                    pass
                continue
            if await self._is_settled(channel, letters[alert_id]):
                self._state.settle(channel, alert_id)
                del letters[alert_id]

    async def _is_settled(self, channel: str, letter: _Letter) -> bool:
        """Try once; whether the alert needs no other try."""
        delivery = self._channels.get(channel)
        alert = letter.pending.alert
        if delivery is None:
            return await self._dead(channel, letter, "no channel of this name is in the rule file")
        try:
            await delivery.deliver(alert)
        except Refused as error:
            return await self._dead(channel, letter, str(error))
        except Failed as error:
            log.warning("channel %s: alert %s waits: %s", channel, alert.id, error)
            age_seconds = (self._now_ms() - letter.pending.since_ms) / 1000
            if age_seconds >= self._persistence.give_up_seconds:
                return await self._dead(channel, letter, f"given up: {error}")
            self._count(channel, "failed")
            letter.due = asyncio.get_running_loop().time() + next(letter.waits)
            return False
        log.info("channel %s: alert %s of rule %s delivered", channel, alert.id, alert.rule)
        self._count(channel, "delivered")
        return True

    async def _dead(self, channel: str, letter: _Letter, reason: str) -> bool:
        """Put it where operators find it; if Kafka does not take it, it is tried again."""
        alert = letter.pending.alert
        headers = {"channel": channel, "rule": alert.rule, "alert": alert.id, "reason": reason}
        try:
            await self._bury(msgspec.json.encode(alert), headers)
        except (KafkaError, OSError, TimeoutError) as error:
            log.warning("dead alert %s waits: %s", alert.id, str(error) or type(error).__name__)
            letter.due = asyncio.get_running_loop().time() + next(letter.waits)
            return False
        log.error("channel %s: alert %s is dead-lettered: %s", channel, alert.id, reason)
        self._count(channel, "dead_lettered")
        return True

    def _count(self, channel: str, outcome: str) -> None:
        label = channel if channel in self._channels else UNKNOWN
        self._metrics.deliveries.labels(label, outcome).inc()
