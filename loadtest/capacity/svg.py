"""Line charts as SVG documents that a page shows as they are, on a light ground or a dark one."""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape

from msgspec import Struct

Points = Sequence[tuple[float, float]]

WIDTH, HEIGHT = 860, 440
LEFT, RIGHT, TOP, BOTTOM = 84, 32, 104, 64
# On a light ground, and on a dark one:
COLOURS = (
    ("#1d5fae", "#7ab6f5"),
    ("#c2570c", "#f7a35c"),
    ("#23794a", "#6fd09a"),
    ("#8a3ea8", "#d59bef"),
)
INKS = {
    "ink": ("#1f2937", "#e5e9f0"),
    "soft": ("#5b6675", "#a3adbb"),
    "grid": ("#e3e7ec", "#343c49"),
}
GROUNDS = ("#ffffff", "#161b22")
TICKS = 6
FEW_DECADES = 3


class Curve(Struct, frozen=True, kw_only=True):
    """One line, and its name in the legend; without one it is not there."""

    name: str
    points: Points
    colour: int  # of COLOURS
    is_dashed: bool = False
    has_dots: bool = False


class Axis(Struct, frozen=True, kw_only=True):
    """What is shown from where to where, and how its numbers are written."""

    label: str  # with its unit
    low: float
    high: float
    is_log: bool = False
    ticks: Sequence[float] = ()  # empty: round numbers
    unit: str = ""  # behind each number

    def share(self, value: float) -> float:
        """Where a value lies, 0 to 1."""
        bounded = min(max(value, self.low), self.high)
        if self.is_log:
            return math.log(bounded / self.low) / math.log(self.high / self.low)
        return (bounded - self.low) / (self.high - self.low)

    def marks(self) -> list[float]:
        return list(self.ticks) or (_decades(self) if self.is_log else _round_steps(self))


class Chart(Struct, frozen=True, kw_only=True):
    """A chart: what it is, in one line, and a second one that says what to see."""

    title: str
    meaning: str
    x: Axis
    y: Axis
    curves: Sequence[Curve]
    limit: tuple[float, str] | None = None  # a value of y that is drawn across, and what it is


def draw(chart: Chart) -> str:
    """The SVG document."""
    parts = [
        f'<rect class="ground" width="{WIDTH}" height="{HEIGHT}" rx="6"/>',
        f'<text class="ink title" x="20" y="30">{escape(chart.title)}</text>',
        f'<text class="soft" x="20" y="51">{escape(chart.meaning)}</text>',
        *_legend(chart),
        *_axes(chart),
        *_limit(chart),
        *[part for curve in chart.curves for part in _curve(chart, curve)],
    ]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" '
        f'width="{WIDTH}" height="{HEIGHT}" role="img" '
        f'font-family="system-ui, sans-serif" font-size="13">'
        f"<title>{escape(chart.title)}</title><style>{_style()}</style>\n"
        + "\n".join(parts)
        + "\n</svg>\n"
    )


def _style() -> str:
    def rules(shade: int) -> str:
        inks = [f".{name}{{fill:{pair[shade]}}}" for name, pair in INKS.items()]
        lines = [f".line{n}{{stroke:{pair[shade]}}}" for n, pair in enumerate(COLOURS)]
        dots = [f".dot{n}{{fill:{pair[shade]}}}" for n, pair in enumerate(COLOURS)]
        grid = f".rule{{stroke:{INKS['grid'][shade]}}}.limit{{stroke:{INKS['soft'][shade]}}}"
        return f".ground{{fill:{GROUNDS[shade]}}}{grid}{''.join(inks + lines + dots)}"

    plain = ".title{font-size:16px;font-weight:600}polyline{fill:none;stroke-width:2}"
    return f"{plain}{rules(0)}@media (prefers-color-scheme: dark){{{rules(1)}}}"


def _x(chart: Chart, value: float) -> float:
    return LEFT + chart.x.share(value) * (WIDTH - LEFT - RIGHT)


def _y(chart: Chart, value: float) -> float:
    return HEIGHT - BOTTOM - chart.y.share(value) * (HEIGHT - TOP - BOTTOM)


def _axes(chart: Chart) -> list[str]:
    parts = []
    bottom, right = HEIGHT - BOTTOM, WIDTH - RIGHT
    for mark in chart.y.marks():
        y = _y(chart, mark)
        parts += [
            f'<line class="rule" x1="{LEFT}" x2="{right}" y1="{y:.1f}" y2="{y:.1f}"/>',
            f'<text class="soft" x="{LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">'
            f"{_number(mark)}{chart.y.unit}</text>",
        ]
    for mark in chart.x.marks():
        x = _x(chart, mark)
        parts += [
            f'<line class="rule" x1="{x:.1f}" x2="{x:.1f}" y1="{TOP}" y2="{bottom}"/>',
            f'<text class="soft" x="{x:.1f}" y="{bottom + 19}" text-anchor="middle">'
            f"{_number(mark)}{chart.x.unit}</text>",
        ]
    middle = (LEFT + right) / 2
    parts.append(
        f'<text class="ink" x="{middle:.0f}" y="{HEIGHT - 16}" text-anchor="middle">'
        f"{escape(chart.x.label)}</text>"
    )
    up = (TOP + bottom) / 2
    parts.append(
        f'<text class="ink" transform="translate(20 {up:.0f}) rotate(-90)" '
        f'text-anchor="middle">{escape(chart.y.label)}</text>'
    )
    return parts


def _legend(chart: Chart) -> list[str]:
    parts = []
    x = 20.0
    for curve in chart.curves:
        if not curve.name:
            continue
        parts += [
            f'<line class="line{curve.colour}" stroke-width="2"{_dashes(curve)} '
            f'x1="{x:.0f}" x2="{x + 24:.0f}" y1="78" y2="78"/>',
            f'<text class="ink" x="{x + 30:.0f}" y="82">{escape(curve.name)}</text>',
        ]
        x += 50 + 6.7 * len(curve.name)
    return parts


def _limit(chart: Chart) -> list[str]:
    if chart.limit is None:
        return []
    value, name = chart.limit
    y = _y(chart, value)
    return [
        f'<line class="limit" stroke-dasharray="2 3" x1="{LEFT}" x2="{WIDTH - RIGHT}" '
        f'y1="{y:.1f}" y2="{y:.1f}"/>',
        f'<text class="ink" x="{LEFT + 8}" y="{y - 6:.1f}">{escape(name)}</text>',
    ]


def _curve(chart: Chart, curve: Curve) -> list[str]:
    places = [(_x(chart, x), _y(chart, y)) for x, y in curve.points]
    line = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
    parts = [f'<polyline class="line{curve.colour}"{_dashes(curve)} points="{line}"/>']
    if curve.has_dots:
        parts += [
            f'<circle class="dot{curve.colour}" cx="{x:.1f}" cy="{y:.1f}" r="3.5"/>'
            for x, y in places
        ]
    return parts


def _dashes(curve: Curve) -> str:
    return ' stroke-dasharray="6 5"' if curve.is_dashed else ""


def _decades(axis: Axis) -> list[float]:
    """Powers of ten, and 2 and 5 times them where there are few."""
    low, high = math.log10(axis.low), math.log10(axis.high)
    parts = (1, 2, 5) if high - low < FEW_DECADES else (1,)
    powers = range(math.floor(low), math.ceil(high) + 1)
    marks = [part * 10.0**power for power in powers for part in parts]
    return [mark for mark in marks if axis.low <= mark <= axis.high]


def _round_steps(axis: Axis) -> list[float]:
    rough = (axis.high - axis.low) / TICKS
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(one * power for one in (1, 2, 5, 10) if one * power >= rough)
    first, last = math.ceil(axis.low / step), math.floor(axis.high / step + 1e-9)
    return [number * step for number in range(first, last + 1)]


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.6g}"
