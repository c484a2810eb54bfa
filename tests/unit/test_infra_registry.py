"""A schema registry's answers, as Confluent's API has them, and what becomes of each."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from aiohttp import web

from gateway.runtime import ConfigError, load_config
from infra.registry import (
    PREFIXES,
    SUBJECT,
    Registered,
    RegistryAccess,
    RegistryError,
    register,
    registry_schema,
)

OK = {
    f"GET /config/{SUBJECT}": (200, '{"compatibilityLevel":"BACKWARD"}'),
    f"POST /subjects/{SUBJECT}": (200, '{"subject":"app-events-value","version":1,"id":7}'),
}
NEW = {
    f"GET /config/{SUBJECT}": (404, '{"error_code":40408,"message":"no such config"}'),
    f"PUT /config/{SUBJECT}": (200, '{"compatibility":"BACKWARD"}'),
    f"POST /subjects/{SUBJECT}": (404, '{"error_code":40401,"message":"Subject not found."}'),
    f"POST /subjects/{SUBJECT}/versions": (200, '{"id":7}'),
}
SILENT = (0, "")

Answers = dict[str, tuple[int, str]]


class Told:
    """A registry that answers as it is told, and remembers what it was asked."""

    def __init__(self, answers: Answers) -> None:
        self.answers = answers
        self.asked: list[tuple[str, str, object]] = []
        self.url = ""
        self.over = asyncio.Event()

    async def answer(self, request: web.BaseRequest) -> web.Response:
        what = f"{request.method} {request.path}"
        body = await request.text()
        said = request.headers.get("Authorization", "")
        self.asked.append((what, said, json.loads(body) if body else None))
        status, text = self.answers[what]
        if not status:
            await self.over.wait()
        return web.Response(status=status, text=text)


@asynccontextmanager
async def told(answers: Answers) -> AsyncIterator[Told]:
    registry = Told(answers)
    server = web.Server(registry.answer)
    runner = web.ServerRunner(server, shutdown_timeout=0)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    registry.url = f"http://{host}:{port}"
    try:
        yield registry
    finally:
        registry.over.set()
        await runner.cleanup()


async def error_of(answers: Answers, **options: object) -> str:
    async with told(answers) as registry:
        access = RegistryAccess(url=registry.url, **options)  # type: ignore[arg-type]
        with pytest.raises(RegistryError) as raised:
            await register(access, registry_schema())
        return str(raised.value).replace(registry.url, "URL")


async def test_an_empty_registry_gets_the_rule_first_and_then_the_schema() -> None:
    async with told(NEW) as registry:
        made = await register(RegistryAccess(url=registry.url), registry_schema())

    schema = {"schemaType": "JSON", "schema": registry_schema()}
    assert made == Registered(7, is_new=True)
    assert [(what, body) for what, _, body in registry.asked] == [
        (f"GET /config/{SUBJECT}", None),
        (f"PUT /config/{SUBJECT}", {"compatibility": "BACKWARD"}),
        (f"POST /subjects/{SUBJECT}", schema),
        (f"POST /subjects/{SUBJECT}/versions", schema),
    ]


async def test_a_registry_that_has_both_is_only_asked() -> None:
    async with told(OK) as registry:
        found = await register(RegistryAccess(url=registry.url), registry_schema())

    assert found == Registered(7, is_new=False)
    assert [what for what, _, _ in registry.asked] == list(OK)


async def test_every_request_says_who_we_are() -> None:
    async with told(NEW) as registry:
        access = RegistryAccess(url=registry.url, username="ops", password="geheim")
        await register(access, registry_schema())

    expected = "Basic " + base64.b64encode(b"ops:geheim").decode()
    assert {said for _, said, _ in registry.asked} == {expected}


async def test_nobody_is_said_without_a_name() -> None:
    async with told(OK) as registry:
        await register(RegistryAccess(url=registry.url), registry_schema())

    assert {said for _, said, _ in registry.asked} == {""}


@pytest.mark.parametrize(
    ("status", "hint"),
    [
        (
            401,
            "; TELEMETRY_SCHEMA_REGISTRY_USERNAME and TELEMETRY_SCHEMA_REGISTRY_PASSWORD say who",
        ),
        (403, "; TELEMETRY_SCHEMA_REGISTRY_USERNAME may not do this"),
        (500, ": it broke"),
    ],
)
async def test_what_it_refuses_is_told_without_the_password(status: int, hint: str) -> None:
    answers = {f"GET /config/{SUBJECT}": (status, "it\n broke")}
    text = await error_of(answers, username="ops", password="geheim")

    start = f"the schema registry at URL answered GET /config/{SUBJECT} with {status}"
    assert text.startswith(start + hint)
    assert text.endswith(": it broke")
    assert "geheim" not in text


async def test_an_incompatible_schema_is_told() -> None:
    answers = {**NEW, f"POST /subjects/{SUBJECT}/versions": (409, '{"error_code":409}')}

    assert "409; the schema breaks readers of what is registered" in await error_of(answers)


@pytest.mark.parametrize("text", ["<html>", "[]", "{}"])
async def test_an_answer_that_is_none_is_told(text: str) -> None:
    answers = {**NEW, f"POST /subjects/{SUBJECT}/versions": (200, text)}

    assert "the schema registry at URL" in await error_of(answers)


async def test_a_page_of_another_server_is_not_taken_for_a_missing_subject() -> None:
    answers = {f"GET /config/{SUBJECT}": (404, "<html>not here")}

    assert "is TELEMETRY_SCHEMA_REGISTRY_URL the root" in await error_of(answers)


async def test_a_redirect_is_not_followed() -> None:
    answers = {f"GET /config/{SUBJECT}": (302, "elsewhere")}

    assert "with 302" in await error_of(answers, username="ops", password="geheim")


async def test_silence_ends_with_the_time() -> None:
    answers = {f"GET /config/{SUBJECT}": SILENT}
    text = await error_of(answers, timeout_seconds=1)

    assert text == "the schema registry at URL did not answer in 1 s"


async def test_a_registry_that_is_not_there_is_told() -> None:
    async with told(OK) as registry:
        url = registry.url
    with pytest.raises(RegistryError, match=f"the schema registry at {url}: "):
        await register(RegistryAccess(url=url), registry_schema())


async def test_a_wrong_certificate_file_is_named() -> None:
    access = RegistryAccess(url="https://127.0.0.1:1", ca_path="/nowhere.pem")

    with pytest.raises(ConfigError, match="TELEMETRY_SCHEMA_REGISTRY_CA_PATH: "):
        await register(access, registry_schema())


@pytest.mark.parametrize("url", ["http://ops:geheim@registry:8081", "registry:8081", "ftp://r"])
def test_an_address_with_a_password_or_without_a_scheme_is_refused(url: str) -> None:
    with pytest.raises(ConfigError) as raised:
        load_config(RegistryAccess, PREFIXES, {"TELEMETRY_SCHEMA_REGISTRY_URL": url})

    assert str(raised.value).startswith("TELEMETRY_SCHEMA_REGISTRY_URL: ")
    assert "geheim" not in str(raised.value)


def test_a_mistyped_option_is_an_error() -> None:
    with pytest.raises(ConfigError, match="did you mean TELEMETRY_SCHEMA_REGISTRY_USERNAME"):
        load_config(RegistryAccess, PREFIXES, {"TELEMETRY_SCHEMA_REGISTRY_USERNAM": "ops"})
