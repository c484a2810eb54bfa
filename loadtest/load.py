"""`telemetry-loadtest run`: puts load on a gateway, shows how it goes, and says what came of it."""

from __future__ import annotations

from collections.abc import Callable

from msgspec import Struct
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from loadtest.locust_process import locust
from loadtest.meter import Sample, joined
from loadtest.plan import Plan
from loadtest.summary import answers_of
from loadtest.tables import number


class Load(Struct, frozen=True, kw_only=True):
    """What is run where. `web_port` is None where locust's own page is not served."""

    plan: Plan
    gateway_url: str
    web_port: int | None = None


async def put_load(
    load: Load, console: Console, on_start: Callable[[Callable[[], None]], None]
) -> list[Sample]:
    """Everything that was measured while anything happened. `on_start` is given what ends the run
    before its time. Raises LoadFailed."""
    samples: list[Sample] = []
    async with locust(load.plan, load.gateway_url, load.web_port) as process:
        on_start(process.stop)
        with _progress(console, load) as progress:
            task = progress.add_task("", total=load.plan.seconds, now="phones wake up")
            async for one in process.samples():
                if not one.is_idle:
                    samples.append(one)
                progress.update(task, completed=one.at, now=_now(one))
            progress.update(task, now="over")
    return joined(samples)


def _progress(console: Console, load: Load) -> Progress:
    if load.web_port is not None:
        console.print(f"locust's page: http://127.0.0.1:{load.web_port}; Ctrl-C ends it")
    return Progress(
        TextColumn(load.plan.shape),
        BarColumn(20),
        TimeElapsedColumn(),
        TextColumn("{task.fields[now]}"),
        console=console,
    )


def _now(one: Sample) -> str:
    length = max(one.length, 0.001)
    rates = f"{one.requests / length:,.0f} POSTs/s, {one.accepted / length:,.0f} events/s"
    latency = f"p99 {one.latency_ms(0.99):,.0f} ms"
    return f"{number(one.users)} phones, {rates}, {latency}; {answers_of(one)}"
