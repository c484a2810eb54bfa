"""The console as an ASGI application: pages, live streams, CSV, login."""

from __future__ import annotations

import asyncio
import gzip
import json
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager
from datetime import date
from functools import partial
from typing import Any

import jinja2
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp

from sinks.clickhouse.present import as_csv
from sinks.clickhouse.sql import Answer, QueryError, load
from sinks.console.access import Door, own_path, token_of
from sinks.console.ask import Asker, Unanswered
from sinks.console.config import ConsoleConfig
from sinks.console.pages import PAGES, QUERIES, Page
from sinks.console.pending import NO_APP, prepare, start, stop
from sinks.console.plotly_script import load_plotly
from sinks.console.scrape import process_panel
from sinks.console.together import together
from sinks.console.tokens import TokenStore
from sinks.console.view import View, ranges, view_of
from sinks.retrace.retracer import Retracer

FOR_EVER = "public, max-age=31536000, immutable"


class Forbidden(Exception):
    """The reader's token is of another app."""


STATUS = {QueryError: 400, Forbidden: 403, Unanswered: 503}


class Console:
    """The pages over one ClickHouse; `today` is the day in UTC."""

    def __init__(
        self,
        config: ConsoleConfig,
        asker: Asker,
        tokens: TokenStore,
        today: Callable[[], date],
        stopping: asyncio.Event,
    ) -> None:
        self._config = config
        self._asker = asker
        self._today = today
        self._stopping = stopping
        self._viewers = 0
        self._retracer = Retracer(
            self._ask_one,
            kept_bytes=config.mappings_bytes,
            seconds=config.retrace_seconds,
        )
        self._plotly = plotly = load_plotly()
        self._templates = jinja2.Environment(
            loader=jinja2.PackageLoader("sinks.console"),
            autoescape=True,
            enable_async=True,
            undefined=jinja2.StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._templates.globals.update(
            pages=PAGES,
            no_app=NO_APP,
            awaited=lambda task: task,
            plotly_url=f"/static/{plotly.name}",
        )
        self.door = Door(self._routes(), tokens, plotly.styles, secure_cookie=config.secure_cookie)

    def _routes(self) -> Starlette:
        @asynccontextmanager
        async def lifespan(_: Starlette) -> AsyncIterator[None]:
            yield
            await self._retracer.close()
            await self._asker.close()

        pages = [Route(one.path, partial(self._page, page=one), methods=["GET"]) for one in PAGES]
        live = [
            Route(f"/stream/{one.id}", partial(self._stream, page=one), methods=["GET"])
            for one in PAGES
            if one.is_live
        ]
        app = Starlette(
            lifespan=lifespan,
            routes=[
                *pages,
                *live,
                Route("/csv/{query}", self._csv, methods=["GET"]),
                Route("/login", self._login, methods=["GET", "POST"]),
                Route("/logout", self._logout, methods=["POST"]),
                Route("/livez", self._livez, methods=["GET"]),
                Route(f"/static/{self._plotly.name}", self._plotly_js, methods=["GET"]),
                Mount("/static", StaticFiles(packages=[("sinks.console", "static")])),
            ],
            exception_handlers=dict.fromkeys((*STATUS, 404), self._refused),
        )
        app.router.redirect_slashes = False  # it would lead to whatever Host the request names
        return app

    async def _page(self, request: Request, page: Page) -> Response:
        today = self._today()
        view, apps = await self._view(request, [*page.params], today)
        panels = prepare(page, view, today, self._config.max_rows)
        is_operator = request.state.app is None
        context: dict[str, Any] = {
            "page": page,
            "view": view,
            "panels": panels,
            "ranges": ranges(today),
            "apps": apps,
            "processes": self._processes() if page.has_processes and is_operator else (),
            "is_open": request.state.is_open,
            "path": page.path,
        }

        async def html() -> AsyncIterator[str]:
            choices = asyncio.create_task(self._choices(view, today))  # the head waits for them
            start(panels, self._asker, self._retracer, today, self._config.max_rows + 1)
            context["choices"] = choices
            try:
                template = self._templates.get_template("page.html")
                async with (
                    aclosing(template.generate_async(context)) as pieces,
                    aclosing(together(pieces)) as texts,
                ):
                    async for text in texts:
                        yield text
            finally:
                choices.cancel()
                await stop(panels)

        return StreamingResponse(html(), media_type="text/html; charset=utf-8")

    async def _ask_one(self, name: str, params: Mapping[str, str]) -> Answer:
        return await self._asker.ask(name, params, self._today(), self._config.max_rows)

    async def _view(
        self, request: Request, names: Sequence[str], today: date
    ) -> tuple[View, list[str]]:
        """What the URL asks for, and the apps that its reader may choose from."""
        own: str | None = request.state.app
        view = self._held_to(own, request, names, today)
        if own is not None:
            return view, [own]
        try:
            period = {name: view.values[name] for name in ("from", "to")}
            answer = await self._asker.ask("apps", period, today, self._config.max_rows)
        except Unanswered:
            if not view.app:
                raise  # there is nothing to ask for
            answer = Answer((), [])
        apps = [str(row[0]) for row in answer.rows]
        if not view.app and apps:
            view = View({**view.values, "app": apps[0]})
        return view, apps

    @staticmethod
    def _held_to(own: str | None, request: Request, names: Sequence[str], today: date) -> View:
        """What the URL asks for; with a token of one app, of that app. Raises Forbidden."""
        if own is not None and request.query_params.get("app", own) not in (own, ""):
            raise Forbidden(f"Your token is of the app {own}; it cannot see another one.")
        return view_of(request.query_params.multi_items(), names, own, today)

    async def _choices(self, view: View, today: date) -> dict[str, list[str]]:
        """What the filters offer; the value that is set is among them."""
        found: dict[str, list[str]] = {"release": [], "platform": [], "country": []}
        params = {name: view.values.get(name, "") for name in ("app", "from", "to")}
        try:
            answer = await self._asker.ask("filter_values", params, today, self._config.max_rows)
        except Unanswered:
            answer = Answer((), [])
        for kind, value, _ in answer.rows:
            found[str(kind)].append(str(value))
        for kind, values in found.items():
            chosen = view.values.get(kind, "")
            if chosen and chosen not in values:
                values.append(chosen)
        return found

    def _processes(self) -> list[Any]:
        urls = {"gateway": self._config.gateway_url, "sink": self._config.sink_url}
        return [partial(process_panel, name, url) for name, url in urls.items()]

    async def _stream(self, request: Request, page: Page) -> Response:
        """Server-sent events: a panel's new HTML whenever its answer has changed."""
        today = self._today()
        view, _ = await self._view(request, [*page.params], today)
        prepare(page, view, today, 1, live_only=True)  # what is wrong is a 400, not a broken stream
        if self._viewers >= self._config.max_viewers:
            return PlainTextResponse("too many pages are kept live", 503, {"Retry-After": "30"})
        token = token_of(request)

        async def events() -> AsyncIterator[str]:
            self._viewers += 1
            sent: dict[str, str] = {}
            try:
                yield "retry: 3000\n\n"
                while not self._stopping.is_set():
                    if not self.door.is_open() and self.door.app_of(token) is None:
                        return  # it was revoked, or is needed from now on
                    async with aclosing(self._fragments(page, view)) as fragments:
                        async for name, html in fragments:
                            if sent.get(name) != html:
                                sent[name] = html
                                line = json.dumps({"id": name, "html": html})
                                yield f"event: panel\ndata: {line}\n\n"
                    yield ": alive\n\n"  # a client that has gone is found out by it
                    await self._pause()
            finally:
                self._viewers -= 1

        return StreamingResponse(events(), media_type="text/event-stream")

    async def _fragments(self, page: Page, view: View) -> AsyncGenerator[tuple[str, str], None]:
        today, rows = self._today(), self._config.max_rows
        panels = prepare(page, view, today, rows, live_only=True)
        start(panels, self._asker, self._retracer, today, rows + 1)
        template = self._templates.get_template("panel.html")
        try:
            for one in panels:
                shown = await one.shown()
                yield one.panel.id, await template.render_async(shown=shown, view=view)
        finally:
            await stop(panels)

    async def _pause(self) -> None:
        try:
            async with asyncio.timeout(self._config.live_seconds):
                await self._stopping.wait()
        except TimeoutError:
            return

    async def _csv(self, request: Request) -> Response:
        """The answer of a named query that some page shows."""
        name = request.path_params["query"]
        if name not in QUERIES:
            raise QueryError(f"the console has no query {name[:64]}")
        query = load(name)
        today = self._today()
        own: str | None = request.state.app
        view = self._held_to(own, request, [one.name for one in query.params], today)
        params = view.params(query)
        answer = await self._asker.ask(name, params, today, self._config.max_csv_rows)
        return Response(
            as_csv(harmless(answer)) + "\n",
            media_type="text/csv; charset=utf-8",
            headers={"Content-Disposition": f'attachment; filename="{name}.csv"'},
        )

    async def _login(self, request: Request) -> Response:
        if request.method == "POST":
            return await self.door.sign_in(request) or await self._message(
                "login.html", 401, text="This is no token of this console.", next="/"
            )
        where = own_path(request.query_params.get("next", "/"))
        return await self._message("login.html", 200, text="", next=where)

    async def _logout(self, request: Request) -> Response:
        return self.door.sign_out(request)

    async def _livez(self, _: Request) -> Response:
        return PlainTextResponse("live\n")

    async def _plotly_js(self, request: Request) -> Response:
        headers = {"Cache-Control": FOR_EVER, "Content-Encoding": "gzip", "Vary": "Accept-Encoding"}
        if "gzip" not in request.headers.get("accept-encoding", ""):
            return Response(gzip.decompress(self._plotly.compressed), media_type="text/javascript")
        return Response(self._plotly.compressed, media_type="text/javascript", headers=headers)

    async def _refused(self, request: Request, error: Exception) -> Response:
        status = next((code for kind, code in STATUS.items() if isinstance(error, kind)), 404)
        text = "There is no such page." if status == 404 else str(error)
        return await self._message("message.html", status, text=text)

    async def _message(self, template: str, status: int, **context: str) -> Response:
        html = await self._templates.get_template(template).render_async(context)
        return Response(html, status, media_type="text/html; charset=utf-8")


def create_app(
    config: ConsoleConfig,
    asker: Asker,
    tokens: TokenStore,
    today: Callable[[], date],
    stopping: asyncio.Event,
) -> ASGIApp:
    return Console(config, asker, tokens, today, stopping).door


def harmless(answer: Answer) -> Answer:
    """The same with no text that a spreadsheet would run: phones choose what the cells say."""
    rows = [
        tuple(
            f"'{one}" if isinstance(one, str) and one[:1] in tuple("=+-@\t\r\n") else one
            for one in row
        )
        for row in answer.rows
    ]
    return Answer(answer.columns, rows)
