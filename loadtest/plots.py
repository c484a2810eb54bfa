"""Plots of a load run. Pure: samples in, figures out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import plotly.graph_objects as go

from loadtest.meter import NO_REPLY, Sample, total

Figure = Any  # plotly is untyped

INK, GRID, PAPER = "#24303e", "#e6eaef", "#ffffff"
BLUE, GREEN, AMBER, ORANGE, RED, GREY = (
    "#2f6fb5", "#3a9c6b", "#e0a82e", "#dd7b35", "#c4453c", "#8b96a3",
)  # fmt: skip
HEIGHT = 300  # pixels


def all_plots(samples: Sequence[Sample]) -> list[tuple[str, str, Figure]]:
    """(title, what it means, figure)."""
    return [
        (
            "Requests and events per second",
            "Events are those of answers 200: what a phone may forget.",
            _throughput(samples),
        ),
        (
            "Latency",
            "99 of 100 answers came within p99; true to 5%, on a logarithmic scale.",
            _latency(samples),
        ),
        (
            "Answers by status",
            "POSTs per second. 503 and 429 are how a full gateway says: later.",
            _answers(samples),
        ),
        ("Phones", "How many were there at the end of each second.", _users(samples)),
        (
            "Retry-After",
            "Seconds that answers asked for. The wider, the less phones come back together.",
            _retry_after(samples),
        ),
    ]


def _throughput(samples: Sequence[Sample]) -> Figure:
    figure = _over_time(samples, "per second")
    requests = [_rate(one, one.requests) for one in samples]
    accepted = [_rate(one, one.accepted) for one in samples]
    figure.add_trace(_line("requests", samples, requests, GREY))
    figure.add_trace(_line("events acknowledged", samples, accepted, GREEN))
    return figure


def _latency(samples: Sequence[Sample]) -> Figure:
    figure = _over_time(samples, "milliseconds")
    answered = [one for one in samples if one.latencies]
    for name, share, colour in (("p50", 0.5, BLUE), ("p99", 0.99, ORANGE)):
        latencies = [one.latency_ms(share) for one in answered]
        figure.add_trace(_line(name, answered, latencies, colour))
    figure.update_yaxes(type="log", rangemode="normal", dtick="D2")
    return figure


def _answers(samples: Sequence[Sample]) -> Figure:
    figure = _over_time(samples, "per second")
    for status in sorted(total(samples).answers):
        counts = [_rate(one, one.answers.get(status, 0)) for one in samples]
        line = _line(status, samples, counts, _colour(status))
        figure.add_trace(line.update(stackgroup="all", line_width=0.5))
    return figure


def _users(samples: Sequence[Sample]) -> Figure:
    figure = _over_time(samples, "phones")
    line = _line("phones", samples, [one.users for one in samples], BLUE)
    figure.add_trace(line.update(line_shape="hv", fill="tozeroy"))
    return figure


def _retry_after(samples: Sequence[Sample]) -> Figure:
    asked = total(samples).retry_after
    figure = _figure("seconds asked for", "answers")
    figure.add_trace(
        go.Bar(x=list(asked), y=list(asked.values()), name="answers", marker_color=ORANGE)
    )
    if not asked:
        figure.add_annotation(text="no answer asked a phone to wait", showarrow=False, font_size=15)
        figure.update_xaxes(visible=False)
        figure.update_yaxes(visible=False)
    elif len(asked) <= 20:
        figure.update_xaxes(dtick=max(1, (max(asked) - min(asked)) // 10))
    return figure


def _line(name: str, samples: Sequence[Sample], values: Sequence[float], colour: str) -> Figure:
    mode = "lines" if len(samples) > 1 else "markers"
    at = [round(one.at, 1) for one in samples]
    return go.Scatter(x=at, y=list(values), name=name, mode=mode, line={"color": colour})


def _over_time(samples: Sequence[Sample], y: str) -> Figure:
    figure = _figure("seconds of the run", y)
    figure.update_layout(hovermode="x unified")
    figure.update_xaxes(range=[0, samples[-1].at if samples else 1])
    return figure


def _figure(x: str, y: str) -> Figure:
    figure = go.Figure()
    figure.update_layout(
        height=HEIGHT,
        margin={"l": 64, "r": 16, "t": 36, "b": 48},
        paper_bgcolor=PAPER,
        plot_bgcolor=PAPER,
        font={"family": "system-ui, sans-serif", "size": 13, "color": INK},
        legend={"orientation": "h", "y": 1.14, "x": 0},
        showlegend=True,
    )
    figure.update_xaxes(title=x, gridcolor=GRID, zeroline=False)
    figure.update_yaxes(title=y, gridcolor=GRID, rangemode="tozero", zeroline=False)
    return figure


def _rate(one: Sample, count: int) -> float:
    return round(count / one.length, 2) if one.length > 0 else 0.0


def _colour(status: str) -> str:
    if status == NO_REPLY:
        return GREY
    if status in ("429", "503"):
        return AMBER
    return {"2": GREEN, "4": RED, "5": ORANGE}.get(status[0], BLUE)
