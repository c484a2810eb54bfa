"""A page on its way: its panels, each with its question asked already and its answer to come."""

from __future__ import annotations

import asyncio
import shlex
from collections.abc import Sequence
from datetime import date

from sinks.clickhouse.sql import Answer, NamedQuery, load
from sinks.console.ask import Asker, Unanswered
from sinks.console.pages import Page
from sinks.console.panel import Panel, Shown, failed, show, show_stack, title_of
from sinks.console.view import View
from sinks.retrace.frames import MappingError
from sinks.retrace.retracer import Retracer

NO_APP = (
    "No app has sent an event in this period. Choose more days, or post a first event: "
    "telemetry-infra up prints a line that does."
)


class Pending:
    """One panel. The template awaits `shown`, and so sends what stands before it at once."""

    def __init__(self, panel: Panel, view: View, query: NamedQuery, max_rows: int) -> None:
        self.panel = panel
        self.title = title_of(panel)
        self.query = query
        self.values: dict[str, str] = {}
        self._view = view
        self._max_rows = max_rows
        self.answer: asyncio.Task[Answer] | None = None
        self.retracer: Retracer | None = None

    @property
    def missing(self) -> str:
        """What people are to do first: the URL lacks what there is to ask for. Else empty."""
        needs_app = any(one.name == "app" and one.default is None for one in self.query.params)
        if needs_app and not self._view.app:
            return NO_APP
        if any(not self._view.values.get(name) for name in self.panel.needs):
            return self.panel.needed or f"Name a {self.panel.needs[0]} above."
        return ""

    @property
    def ignored(self) -> list[str]:
        """Filters of the view that this question does not know."""
        known = {one.name for one in self.query.params}
        chosen = ("release", "platform", "country")
        return [name for name in chosen if self._view.values.get(name) and name not in known]

    @property
    def csv_url(self) -> str:
        return self._view.url(f"/csv/{self.query.name}", **self.values)

    @property
    def command(self) -> str:
        """What asks the same in a terminal."""
        given = [f"{name}={value}" for name, value in self.values.items() if value]
        params = " ".join(f"--param {shlex.quote(one)}" for one in given)
        return f"telemetry-sink query {self.query.name} {params}"

    async def shown(self) -> Shown:
        if self.answer is None:
            return failed(self.panel, self.missing)
        try:
            answer = await asyncio.shield(self.answer)
        except Unanswered as reason:
            return failed(self.panel, str(reason))
        shown = show(self.panel, self._view, answer, self._max_rows)
        return await self._retraced(shown, answer)

    async def _retraced(self, shown: Shown, answer: Answer) -> Shown:
        """The same; a crash shown alone has its stack with the names of its source."""
        is_one = self.panel.form == "record" and len(answer.rows) == 1
        if self.retracer is None or not is_one or "crash_stack" not in answer.columns:
            return shown
        row = answer.as_objects()[0]
        stack, release = str(row["crash_stack"]), str(row["app_version"])
        if not stack or not release:
            return shown
        app = str(row.get("app_id", self._view.app))
        try:
            done = await self.retracer.retraced(app, release, stack)
        except (MappingError, Unanswered) as reason:
            return show_stack(shown, answer.columns, stack, f"Not retraced: {reason}")
        if not done.is_mapped:
            return shown
        return show_stack(shown, answer.columns, done.text, done.note)


def prepare(
    page: Page, view: View, today: date, max_rows: int, *, live_only: bool = False
) -> list[Pending]:
    """The page's panels with the values of their questions. Raises QueryError for a wrong one."""
    found: list[Pending] = []
    for panel in page.panels:
        if live_only and not panel.live:
            continue
        query = load(panel.query)
        one = Pending(panel, view, query, max_rows)
        if not one.missing:
            one.values = query.check(view.params(query), today)
        found.append(one)
    return found


def start(
    pending: Sequence[Pending], asker: Asker, retracer: Retracer, today: date, max_rows: int
) -> None:
    """Ask what the panels show, each question once."""
    asked: dict[tuple[str, tuple[tuple[str, str], ...]], asyncio.Task[Answer]] = {}
    for one in pending:
        if one.missing:
            continue
        key = (one.query.name, tuple(sorted(one.values.items())))
        if key not in asked:
            question = asker.ask(one.query.name, one.values, today, max_rows)
            asked[key] = asyncio.create_task(question)
        one.answer = asked[key]
        one.retracer = retracer


async def stop(pending: Sequence[Pending]) -> None:
    """End what is still asked: nobody waits for it any more."""
    tasks = {one.answer for one in pending if one.answer is not None}
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
