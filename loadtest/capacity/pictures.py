"""What the simulations found, as charts. Pure: findings in, charts out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from loadtest.capacity.hot import HOT_PER_SECOND
from loadtest.capacity.outages import Line
from loadtest.capacity.spread import Evenness
from loadtest.capacity.svg import Axis, Chart, Curve, Points


def spread_chart(found: Sequence[Evenness], sigma: float) -> Chart:
    """How far the fullest partition is above the mean of all, over their number."""
    curves = []
    for number, devices in enumerate(sorted({one.devices for one in found}, reverse=True)):
        of_devices = [one for one in found if one.devices == devices]
        measured = [(one.partitions, (one.fullest - 1) * 100) for one in of_devices]
        expected = [(one.partitions, (one.expected - 1) * 100) for one in of_devices]
        name = f"{devices:,} devices"
        curves += [
            Curve(name=name, points=measured, colour=number, has_dots=True),
            Curve(name="", points=expected, colour=number, is_dashed=True),
        ]
    partitions = sorted({one.partitions for one in found})
    values = [y for curve in curves for _, y in curve.points]
    return Chart(
        title="How evenly devices load partitions",
        meaning=f"Every key hashed by murmur2; activity of devices lognormal, sigma {sigma:g}; "
        "dashed: by the formula.",
        x=Axis(
            label="partitions", low=partitions[0], high=partitions[-1], is_log=True,
            ticks=partitions,
        ),
        y=Axis(
            label="fullest partition above the mean", low=min(values) / 1.5,
            high=max(values) * 1.5, is_log=True, unit="%",
        ),
        curves=curves,
    )  # fmt: skip


def hot_chart(curves: Mapping[int, Points], per_second: float, ceiling: float) -> Chart:
    """What hot devices make of the fullest partition, for each number of partitions."""
    most = max(x for points in curves.values() for x, _ in points)
    return Chart(
        title=f"Hot devices: bugs in a loop, {HOT_PER_SECOND:,.0f} events a second each",
        meaning=f"Placed by chance, over {per_second:,.0f} events a second of all others; mean of "
        "many trials.",
        x=Axis(label="hot devices at a time", low=1, high=most, is_log=True),
        y=Axis(label="fullest partition, events a second", low=100, high=ceiling * 10, is_log=True),
        curves=[
            Curve(name=f"{partitions} partitions", points=points, colour=number, has_dots=True)
            for number, (partitions, points) in enumerate(curves.items())
        ],
        limit=(ceiling, f"what one partition can take: {ceiling:,.0f} rows a second"),
    )


def lag_chart(lines: dict[str, Line], meaning: str) -> Chart:
    """Lag over time while sinks come and go."""
    return Chart(
        title="Sinks that are restarted or killed: how far behind their partitions are",
        meaning=meaning,
        x=Axis(label="seconds from the first stop", low=0, high=_last(lines)),
        y=Axis(label="lag, seconds", low=0, high=_top(lines)),
        curves=_curves(lines),
    )


def gateways_chart(lines: dict[str, Line], used: float, minutes: float) -> Chart:
    """What phones keep while gateways are lost."""
    in_minutes = {
        name: [(at / 60, waiting / 60) for at, waiting in line] for name, line in lines.items()
    }
    return Chart(
        title=f"Gateways lost for {minutes:g} minutes at the peak: what phones keep meanwhile",
        meaning=f"They were used to {used:.0%} before. A phone sends again what was refused, "
        "so nothing is lost while it keeps it.",
        x=Axis(label="minutes from the loss", low=0, high=_last(in_minutes)),
        y=Axis(label="kept on phones, minutes of traffic", low=0, high=_top(in_minutes)),
        curves=_curves(in_minutes),
    )


def _curves(lines: dict[str, Line]) -> list[Curve]:
    return [
        Curve(name=name, points=line, colour=number)
        for number, (name, line) in enumerate(lines.items())
    ]


def _last(lines: dict[str, Line]) -> float:
    return max(line[-1][0] for line in lines.values())


def _top(lines: dict[str, Line]) -> float:
    return max(max(waiting for _, waiting in line) for line in lines.values()) * 1.1 or 1.0
