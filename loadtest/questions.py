"""What analysts ask first: the named queries that the demo runs, and how it shows the answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date

from msgspec import Struct
from rich.console import Console, RenderableType

from loadtest.tables import bar, duration, make_table, moment, number, section, short
from sinks.clickhouse.sql import Answer, AsyncClient, run_query

TIMELINE_ROWS = 14


class Scope(Struct, frozen=True, kw_only=True):
    """Whose events are asked about, and of which days (UTC, `last` inclusive)."""

    app: str
    device: str
    first: date
    last: date


async def ask_all(client: AsyncClient, scope: Scope) -> dict[str, Answer]:
    """The answers of every query in SHOWN. Raises Unreachable, ClickHouseError."""
    period = {"app": scope.app, "from": str(scope.first), "to": str(scope.last)}
    more = {"device_timeline": {"device": scope.device}}
    return {
        name: await run_query(client, name, {**period, **more.get(name, {})}, scope.last)
        for name in SHOWN
    }


def show_answers(console: Console, answers: Mapping[str, Answer]) -> None:
    for name, show in SHOWN.items():
        console.print(show(answers[name]))


def _sessions(answer: Answer) -> RenderableType:
    table = make_table(("day",), ("sessions", "median length", "95% are below"))
    for row in answer.as_objects():
        lengths = (row["length_p50_seconds"], row["length_p95_seconds"])
        table.add_row(moment(row["day"]), number(row["sessions"]), *map(duration, lengths))
    return section(
        "Sessions per day, and their length",
        table,
        "sessions_per_day: a session counts on the day it began; half are shorter than the median.",
    )


def _devices(answer: Answer) -> RenderableType:
    table = make_table(("day", ""), ("devices",))
    rows = answer.as_objects()
    most = max((int(str(row["devices"])) for row in rows), default=1)
    for row in rows:
        share = int(str(row["devices"])) / most
        table.add_row(moment(row["day"]), f"[cyan]{bar(share)}[/cyan]", number(row["devices"]))
    return section(
        "Devices per day",
        table,
        "daily_active_devices: phones that did anything that day, told by their corrected clock.",
    )


def _crash_free(answer: Answer) -> RenderableType:
    table = make_table(("release", ""), ("crash-free", "devices"))
    for row in answer.as_objects():
        percent = float(str(row["crash_free_percent"]))
        table.add_row(
            short(row["app_version"]),
            f"[green]{bar(percent / 100)}[/green]",
            f"{percent:.1f}%",
            number(row["devices"]),
        )
    return section(
        "Crash-free devices per release",
        table,
        "crash_free_devices: a crash told at the next launch counts for the release that crashed.",
    )


def _crashes(answer: Answer) -> RenderableType:
    table = make_table(("group", "exception"), ("crashes", "devices", "last seen"))
    for row in answer.as_objects():
        table.add_row(
            str(row["crash_group"]),
            short(row["crash_type"]),
            number(row["crashes"]),
            number(row["devices"]),
            moment(row["last_seen"]),
        )
    return section(
        "Top crash groups",
        table,
        "top_crash_groups: a group is one bug, by its exception and the app's own frames.",
    )


def _timeline(answer: Answer) -> RenderableType:
    table = make_table(
        ("time (UTC)", "event", "name", "release", "clock", "crash group"), ("count",)
    )
    for row in answer.as_objects()[-TIMELINE_ROWS:]:
        kind = str(row["event_type"])
        table.add_row(
            moment(row["ts"]),
            f"[red]{kind}[/red]" if kind == "app_crash" else kind,
            short(row["event_name"]),
            short(row["app_version"]),
            str(row["time_quality"]),
            str(row["crash_group"]),
            number(row["sequence"]),
        )
    return section(
        "What one phone did, in its order",
        table,
        "device_timeline: by the phone's own count, which no wrong clock disturbs; the end of it.",
    )


def _freshness(answer: Answer) -> RenderableType:
    table = make_table((), ("half of all within", "99% within"))
    for row in answer.as_objects():
        table.add_row(duration(row["p50_seconds"]), duration(row["p99_seconds"]))
    return section(
        "Freshness",
        table,
        "freshness: from the gateway's receiving an event until SQL finds it.",
    )


SHOWN: Mapping[str, Callable[[Answer], RenderableType]] = {
    "sessions_per_day": _sessions,
    "daily_active_devices": _devices,
    "crash_free_devices": _crash_free,
    "top_crash_groups": _crashes,
    "device_timeline": _timeline,
    "freshness": _freshness,
}
