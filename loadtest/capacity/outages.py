"""Backlogs over time, as a fluid: what flows in while nobody, or not enough, takes it. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from msgspec import Struct

STEP = 0.25  # seconds

Line = list[tuple[float, float]]
Capacity = Callable[[float], float]  # of a time: events a second that are taken then


class Restart(Struct, frozen=True, kw_only=True):
    """Sinks of one group, restarted one after another."""

    sinks: int
    partitions: int
    per_second: float  # events of all partitions
    partition_ceiling: float  # rows a second
    sink_ceiling: float
    window_offsets: int  # of each partition
    refill_us: float  # per id of the window
    drain_seconds: float  # from SIGTERM to the end: chunks at work
    boot_seconds: float = 3.0  # from its start to its joining
    join_seconds: float = 0.2  # of a rebalance
    pause_seconds: float = 20.0  # between one being back and the next one's stop

    @property
    def recover_seconds(self) -> float:
        """To fill the windows of one sink's partitions."""
        return self.window_offsets * self.partitions / self.sinks * self.refill_us / 1e6

    @property
    def away_seconds(self) -> float:
        """One sink's partitions are not read, under a static id."""
        return self.drain_seconds + self.boot_seconds + self.join_seconds + self.recover_seconds

    @property
    def stop_seconds(self) -> float:
        """Nobody reads anything, at a rebalance of a dynamic group: it is eager."""
        return self.drain_seconds + self.join_seconds + self.recover_seconds

    def per_partition(self, readers: int) -> float:
        """Rows a second that a partition gets from so many sinks that are up."""
        return min(self.partition_ceiling, self.sink_ceiling * readers / self.partitions)


def backlog(per_second: float, capacity: Capacity, seconds: float) -> Line:
    """(seconds, events that wait) when so many flow in and `capacity` takes them."""
    line: Line = []
    waiting = 0.0
    for number in range(round(seconds / STEP) + 1):
        now = number * STEP
        line.append((now, waiting))
        waiting = max(0.0, waiting + (per_second - capacity(now)) * STEP)
    return line


def in_seconds(line: Line, per_second: float) -> Line:
    """A backlog as the age of what waits: at a steady rate."""
    return [(at, waiting / per_second) for at, waiting in line]


def static_lag(restart: Restart, number: int, seconds: float) -> Line:
    """Lag of the partitions of the sink that is restarted as `number`th: the others go on."""
    rate = restart.per_second / restart.partitions
    begin = number * (restart.away_seconds + restart.pause_seconds)

    def capacity(now: float) -> float:
        is_away = begin <= now < begin + restart.away_seconds
        return 0.0 if is_away else restart.per_partition(restart.sinks)

    return in_seconds(backlog(rate, capacity, seconds), rate)


def dynamic_lag(restart: Restart, seconds: float) -> Line:
    """Lag of every partition when members leave and join: each of both stops the group."""
    rate = restart.per_second / restart.partitions
    turns = list(_turns(restart))

    def capacity(now: float) -> float:
        for begin, back, end in turns:
            if begin <= now < end:
                stops = (begin, back)
                if any(one <= now < one + restart.stop_seconds for one in stops):
                    return 0.0
                return restart.per_partition(restart.sinks - 1 if now < back else restart.sinks)
        return restart.per_partition(restart.sinks)

    return in_seconds(backlog(rate, capacity, seconds), rate)


def _turns(restart: Restart) -> Iterator[tuple[float, float, float]]:
    """Of each sink: it leaves, it joins again, and the next one's turn."""
    begin = 0.0
    for _ in range(restart.sinks):
        back = begin + max(restart.stop_seconds, restart.drain_seconds + restart.boot_seconds)
        end = back + restart.stop_seconds + restart.pause_seconds
        yield begin, back, end
        begin = end


def killed_lag(restart: Restart, session_seconds: float, seconds: float) -> Line:
    """Lag of the partitions of a sink that is killed and does not come back: for the session's
    length they are nobody's, then the group stops and shares them."""
    rate = restart.per_second / restart.partitions
    until = session_seconds + restart.stop_seconds

    def capacity(now: float) -> float:
        return 0.0 if now < until else restart.per_partition(restart.sinks - 1)

    return in_seconds(backlog(rate, capacity, seconds), rate)


def on_phones(used: float, lost: float, outage_seconds: float, seconds: float) -> Line:
    """What phones keep, in seconds of traffic, when a share of the gateways is `lost` for a while
    and they were `used` to a share before."""
    full = 1 / used

    def capacity(now: float) -> float:
        return full * (1 - lost) if now < outage_seconds else full

    return backlog(1.0, capacity, seconds)
