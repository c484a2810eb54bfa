"""A capacity plan as tables. Pure: a plan in, tables out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rich.console import Group, RenderableType

from loadtest.capacity.plan import GIB, CapacityPlan, Needs
from loadtest.tables import make_table, section

Show = Callable[[Any], str]


def plan_tables(plan: CapacityPlan) -> RenderableType:
    """What all cells and one of them need, what bounds a cell, and what to set."""
    return Group(_needs(plan), _limits(plan), _settings(plan))


def amount(value: float) -> str:
    """Whole from ten on, with commas."""
    return f"{value:,.0f}" if value >= 10 else f"{value:.2g}"


def size(value: float) -> str:
    """Bytes as disks and networks have them: powers of a thousand."""
    for unit in ("B", "kB", "MB", "GB", "TB"):
        if value < 999.5:
            return f"{value:.3g} {unit}"
        value /= 1000
    return f"{value:.3g} PB"


def memory(value: float) -> str:
    return f"{value / GIB:,.1f} GiB"


def rate(value: float) -> str:
    return f"{size(value)}/s"


ROWS: tuple[tuple[str, str, Show], ...] = (
    ("devices a day", "devices", amount),
    ("events a day", "events_per_day", amount),
    ("events a second, mean", "events_per_second_mean", amount),
    ("events a second, peak", "events_per_second_peak", amount),
    ("POSTs a second, peak", "posts_per_second_peak", amount),
    ("from phones, peak", "in_bytes_per_second", rate),
    ("gateways' busy cores, peak", "gateway_cores", amount),
    ("gateway processes, a core each", "gateway_processes", amount),
    ("their memory", "gateway_memory_bytes", memory),
    ("their spools' disk", "spool_bytes", size),
    ("partitions of app-events", "partitions", amount),
    ("brokers", "brokers", amount),
    ("brokers' busy cores, peak", "broker_cores", amount),
    ("Kafka's disk, all copies", "kafka_bytes", size),
    ("into brokers, peak", "kafka_in_bytes_per_second", rate),
    ("out of brokers, peak", "kafka_out_bytes_per_second", rate),
    ("sinks' busy cores, peak", "sink_cores", amount),
    ("sink processes, a core each", "sink_processes", amount),
    ("their memory", "sink_memory_bytes", memory),
    ("inserts a second", "inserts_per_second", amount),
    ("ClickHouse servers", "clickhouse_servers", amount),
    ("their cores busy with inserts, peak", "clickhouse_cores", amount),
    ("ClickHouse's disk, one copy", "clickhouse_bytes", size),
    ("into ClickHouse, peak", "clickhouse_in_bytes_per_second", rate),
)


def _needs(plan: CapacityPlan) -> RenderableType:
    cells = f"{plan.cells:,} cells" if plan.cells > 1 else "the one cell"
    table = make_table(["what"], ["one cell", cells] if plan.cells > 1 else [cells])
    for name, field, show in ROWS:
        shown = [show(getattr(needs, field)) for needs in _columns(plan)]
        table.add_row(name, *shown)
    inputs = plan.inputs
    spare = (
        f"Cores, disks and networks are used to {inputs.utilisation_percent:g}% at a peak of "
        f"{inputs.peak:g} times the mean"
    )
    lost = (
        f", and one of {inputs.zones} zones may be lost (but for ClickHouse)."
        if inputs.zones > 1
        else "."
    )
    title = (
        f"What {inputs.devices:,} devices need, {inputs.events_per_device_day:g} events a day each"
    )
    return section(title, table, spare + lost)


def _columns(plan: CapacityPlan) -> list[Needs]:
    return [plan.cell, plan.total] if plan.cells > 1 else [plan.cell]


def _limits(plan: CapacityPlan) -> RenderableType:
    table = make_table(["limit of a cell"], ["devices at most", "of that used"])
    for one in plan.limits:
        share = plan.cell.devices / one.devices
        table.add_row(one.name, amount(one.devices), f"{share:.1%}")
    return section("What breaks first", table, "The first line decides how many cells there are.")


def _settings(plan: CapacityPlan) -> RenderableType:
    table = make_table(["per partition"], ["value"])
    table.add_row("events a second, peak", amount(plan.events_per_partition))
    table.add_row("rows a second that it can take", amount(plan.partition_rows_per_second))
    table.add_row("of that used", f"{plan.partition_share:.1%}")
    table.add_row("TELEMETRY_SINK_DEDUP_WINDOW_OFFSETS", amount(plan.window_offsets))
    table.add_row("age of a chunk, at most", f"{plan.freshness_seconds:.1f} s")
    meaning = (
        f"The window holds what a partition takes in {plan.inputs.resend_seconds:g} s at the peak."
    )
    return section("A partition", table, meaning)
