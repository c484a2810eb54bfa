"""The report of a load run: one HTML file that needs nothing else, plots and all. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from loadtest.load import Load
from loadtest.meter import Sample
from loadtest.plots import all_plots
from loadtest.summary import summarise, thinned, wrong_with

MOST_POINTS = 600  # of a line: more cannot be told apart

STYLE = """
body { margin: 0; background: #f3f5f8; color: #24303e; font: 15px/1.5 system-ui, sans-serif; }
main { max-width: 1240px; margin: 0 auto; padding: 28px 20px 48px; }
h1 { font-size: 25px; margin: 0 0 2px; }
h2 { font-size: 16px; margin: 0; }
p { margin: 0; color: #5c6875; }
.wrong { color: #c4453c; font-weight: 600; }
section { background: #fff; border: 1px solid #e0e5eb; border-radius: 8px; padding: 16px 18px; }
.plots { display: grid; grid-template-columns: repeat(2, minmax(0, 1fr)); gap: 16px; }
.plots section:first-child { grid-column: 1 / -1; }
@media (max-width: 900px) { .plots { grid-template-columns: minmax(0, 1fr); } }
.summary { margin: 18px 0 16px; }
table { border-collapse: collapse; width: 100%; }
td { padding: 5px 14px 5px 0; border-top: 1px solid #eef1f4; vertical-align: top; }
tr:first-child td { border-top: 0; }
td:first-child { color: #5c6875; white-space: nowrap; width: 1%; padding-right: 32px; }
"""


def page_of(load: Load, samples: Sequence[Sample], ended: str) -> str:
    """The page; `ended` says when the run did."""
    plan = load.plan
    title = f"Load test: {plan.shape}"
    rows = [("gateway", load.gateway_url), *summarise(samples)]
    lines = "".join(
        f"<tr><td>{escape(name)}</td><td>{escape(said)}</td></tr>" for name, said in rows
    )
    wrong = "; ".join(wrong_with(samples))
    verdict = f'<p class="wrong">{escape(wrong)}</p>' if wrong else ""
    asked = (
        f"{plan.devices:,} phones for {plan.seconds:,} s, seed {plan.seed}, "
        f"a phone's time {plan.time_factor:g} times as fast; ended {ended}"
    )
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        f"<style>{STYLE}</style></head><body><main><h1>{escape(title)}</h1><p>{escape(asked)}</p>"
        f'{verdict}<section class="summary"><table>{lines}</table></section>'
        f'<div class="plots">{_plots(samples)}</div></main></body></html>\n'
    )


def _plots(samples: Sequence[Sample]) -> str:
    parts: list[str] = []
    for title, meaning, figure in all_plots(thinned(samples, MOST_POINTS)):
        plot = figure.to_html(
            full_html=False,
            include_plotlyjs=not parts,  # once, in the first
            config={"displayModeBar": False, "responsive": True},
        )
        parts.append(f"<section><h2>{title}</h2><p>{meaning}</p>{plot}</section>")
    return "".join(parts)
