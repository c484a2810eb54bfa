"""The simulations put together: what is asked, and what came of it as tables and plots."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from msgspec import Struct
from rich.console import Console, RenderableType
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from loadtest.capacity import hot
from loadtest.capacity.inputs import CapacityInputs
from loadtest.capacity.outages import (
    Line,
    Restart,
    dynamic_lag,
    killed_lag,
    on_phones,
    static_lag,
)
from loadtest.capacity.pictures import gateways_chart, hot_chart, lag_chart, spread_chart
from loadtest.capacity.plan import CHUNK_ROWS, CapacityPlan, plan
from loadtest.capacity.spread import Evenness, evenness, loads
from loadtest.capacity.svg import draw
from loadtest.tables import make_table, number, section

PARTITIONS = (12, 24, 48, 96, 192, 384, 768, 1536)
MILESTONES = (1_000_000, 100_000_000)  # looked at on the way, where there are more devices
HOT_DEVICES = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000)
HOT_PARTITIONS = (12, 48, 192)
CELL_DEVICES = 100_000_000  # of the cell whose sinks and gateways are lost: bounded by its sinks
SHORT = CapacityInputs(devices=CELL_DEVICES, events_days=30, sessions_days=30, summary_days=30)
SHOWN = (12, 48, 192, 768)  # in the table
REFILL_US = 2.0  # to read one id of a window back; measured
LAG_SECONDS = 180.0
LOST_SHOWN = 20.0  # minutes
SESSION_SECONDS = 30.0  # the sink's default
LOST_MINUTES = 10.0
LOST = (1 / 3, 1 / 2, 2 / 3)


class Simulated(Struct, frozen=True):
    """Tables to print, and SVG documents by name."""

    tables: list[RenderableType]
    plots: dict[str, str]


def run_simulation(devices: int, sigma: float, seed: int, console: Console) -> Simulated:
    """All of it; the first part shows its progress."""
    found = spread(devices, sigma, seed, console)
    cell = plan(SHORT)
    ceiling = cell.partition_rows_per_second
    per_second = cell.cell.events_per_second_peak
    curves = {
        partitions: hot.curve(HOT_DEVICES, partitions, per_second, seed)
        for partitions in HOT_PARTITIONS
    }
    restart = restart_of(SHORT)
    lags = lag_lines(restart)
    used = SHORT.utilisation_percent / 100
    lost = {f"{share:.0%} lost": _lost(used, share) for share in LOST}
    return Simulated(
        tables=[
            _spread_table(found, sigma),
            _hot_table(curves, cell),
            _lag_table(restart, lags),
            _lost_table(lost),
        ],
        plots={
            "scale-spread": draw(spread_chart(found, sigma)),
            "scale-hot-devices": draw(hot_chart(curves, per_second, ceiling)),
            "scale-sink-restarts": draw(lag_chart(lags, _said(restart))),
            "scale-gateways-lost": draw(gateways_chart(lost, used, LOST_MINUTES)),
        },
    )


def spread(devices: int, sigma: float, seed: int, console: Console) -> list[Evenness]:
    """Every device's key, once; looked at on the way."""
    looked_at = [*(one for one in MILESTONES if one < devices), devices]
    found: list[Evenness] = []
    columns = (TextColumn("hashing keys"), BarColumn(), TimeElapsedColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console) as progress:
        task = progress.add_task("", total=devices)
        for done, slots in loads(looked_at, seed, sigma):
            progress.update(task, completed=done)
            if done in looked_at:
                found += [evenness(done, slots, one, sigma) for one in PARTITIONS]
    return found


def restart_of(inputs: CapacityInputs, refill_us: float = REFILL_US) -> Restart:
    """The sinks of the cell that such inputs make."""
    found = plan(inputs)
    return Restart(
        sinks=found.cell.sink_processes,
        partitions=found.cell.partitions,
        per_second=found.cell.events_per_second_peak,
        partition_ceiling=found.partition_rows_per_second,
        sink_ceiling=1e6 / inputs.sink_row_us,
        window_offsets=found.window_offsets,
        refill_us=refill_us,
        drain_seconds=CHUNK_ROWS / found.partition_rows_per_second,
    )


def lag_lines(restart: Restart) -> dict[str, Line]:
    """Lag of the partitions that are worst off, by what happens to sinks."""
    return {
        "restarted in turn, --instance": static_lag(restart, 0, LAG_SECONDS),
        "the same without --instance": dynamic_lag(restart, LAG_SECONDS),
        "one killed for good": killed_lag(restart, SESSION_SECONDS, LAG_SECONDS),
    }


def _lost(used: float, share: float) -> Line:
    return on_phones(used, share, LOST_MINUTES * 60, LOST_SHOWN * 60)


def worst(line: Line) -> float:
    return max(waiting for _, waiting in line)


def over_at(line: Line) -> float | None:
    """When nothing waits any more; None when that is not shown."""
    last = max((at for at, waiting in line if waiting > 0), default=0.0)
    return None if line[-1][1] > 0 else last


def _spread_table(found: Sequence[Evenness], sigma: float) -> RenderableType:
    table = make_table(["devices"], [f"{one} partitions" for one in SHOWN])
    for devices in sorted({one.devices for one in found}):
        of_devices = {one.partitions: one for one in found if one.devices == devices}
        shares = [f"{of_devices[one].fullest - 1:.2%}" for one in SHOWN]
        table.add_row(f"{devices:,}", *shares)
    meaning = f"How far the fullest partition is above the mean of all; sigma {sigma:g}."
    return section("How evenly devices load partitions", table, meaning)


def _hot_table(
    curves: Mapping[int, Sequence[tuple[float, float]]], cell: CapacityPlan
) -> RenderableType:
    ceiling = cell.partition_rows_per_second
    table = make_table(["hot devices"], [f"{one} partitions" for one in curves])
    for place, count in enumerate(HOT_DEVICES):
        shares = [f"{points[place][1] / ceiling:.0%}" for points in curves.values()]
        table.add_row(number(count), *shares)
    spans = hot.window_seconds(cell.window_offsets, cell.events_per_partition, 1)
    meaning = (
        "Load of the fullest partition against what one can take; above 100% it lags. The window "
        f"of ids spans {SHORT.resend_seconds:g} s, {spans:.0f} s beside a hot device."
    )
    return section("Hot devices, 1,000 events a second each", table, meaning)


def _lag_table(restart: Restart, lags: dict[str, Line]) -> RenderableType:
    table = make_table(["what happens to sinks"], ["greatest lag", "over after"])
    for name, line in lags.items():
        over = over_at(line)
        table.add_row(name, f"{worst(line):.0f} s", "later" if over is None else f"{over:.0f} s")
    return section("Sinks that are restarted or killed", table, _said(restart))


def _lost_table(lost: dict[str, Line]) -> RenderableType:
    table = make_table(["gateways"], ["refused at first", "kept on phones at most", "over after"])
    for (name, line), share in zip(lost.items(), LOST, strict=True):
        used = SHORT.utilisation_percent / 100
        refused = max(0.0, 1 - (1 - share) / used)
        over = over_at(line)
        table.add_row(
            name, f"{refused:.0%}", f"{worst(line) / 60:.1f} min of traffic",
            "later" if over is None else f"{over / 60:.1f} min",
        )  # fmt: skip
    meaning = f"For {LOST_MINUTES:g} minutes at the peak, gateways used to 60% before."
    return section("Gateways lost", table, meaning)


def _said(restart: Restart) -> str:
    return (
        f"{restart.sinks} sinks, {restart.partitions} partitions, {restart.per_second:,.0f} events "
        f"a second; a new owner reads back {restart.window_offsets:,} ids per partition."
    )
