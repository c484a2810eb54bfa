"""A schema registry that speaks Confluent's API: the record's schema made known to it.

Who reads Kafka through a registry finds the schema there, and a version of ours that would break
readers of old records is refused by the registry before it runs.
"""

from __future__ import annotations

import asyncio
import json
import ssl
from base64 import b64encode
from typing import Annotated, Any

import aiohttp
import msgspec
from msgspec import Meta, Struct

from gateway.contract.schema import record_schema
from gateway.contract.topics import APP_EVENTS
from gateway.runtime import ConfigError

PREFIX = "TELEMETRY_SCHEMA_REGISTRY_"
PREFIXES = {PREFIX: ""}
SUBJECT = f"{APP_EVENTS.name}-value"
COMPATIBILITY = "BACKWARD"
STRICTER = {"BACKWARD_TRANSITIVE", "FULL", "FULL_TRANSITIVE"}  # an operator's choice, and kept
# Apicurio Registry 3.3 compares no schema of a later draft; ours means the same in this one.
DRAFT = "http://json-schema.org/draft-07/schema#"
MEDIA_TYPE = "application/vnd.schemaregistry.v1+json"
MAX_ERROR_LENGTH = 500  # characters of what a registry says


class RegistryAccess(Struct, frozen=True, kw_only=True):
    """Options of the registry, read from `TELEMETRY_SCHEMA_REGISTRY_…`."""

    url: Annotated[
        str, Meta(pattern="^(https?://[^@]+)?$", description="its HTTP address; empty: none")
    ] = ""
    username: Annotated[
        str,
        Meta(pattern="^[^:]*$", description="who we are, for basic authentication; empty: nobody"),
    ] = ""
    password: Annotated[str, Meta(description="our password, or …_FILE")] = ""
    ca_path: Annotated[
        str, Meta(description="PEM of who may vouch for it; empty: the system's")
    ] = ""
    timeout_seconds: Annotated[
        int, Meta(ge=1, le=300, description="for all that is asked of it")
    ] = 20


class RegistryError(Exception):
    """The registry cannot be reached, or does not take the schema. The text says which."""


class Registered(Struct, frozen=True):
    """The schema as the registry has it."""

    id: int
    is_new: bool


def registry_schema() -> str:
    """The record's schema as it is registered."""
    return json.dumps({**record_schema(), "$schema": DRAFT}, separators=(",", ":"))


async def register(access: RegistryAccess, schema: str) -> Registered:
    """Make `schema` known, and let the registry refuse what breaks it. Changes nothing when both
    are so. Raises RegistryError, ConfigError."""
    url, seconds = access.url, access.timeout_seconds
    try:
        async with asyncio.timeout(seconds), _session(access) as session:
            return await _register(_Registry(session, url), schema)
    except TimeoutError:
        raise RegistryError(f"the schema registry at {url} did not answer in {seconds} s") from None
    except (aiohttp.ClientError, OSError) as error:
        text = str(error) or type(error).__name__
        raise RegistryError(f"the schema registry at {url}: {text}") from None


def _session(access: RegistryAccess) -> aiohttp.ClientSession:
    headers = {"Accept": f"{MEDIA_TYPE}, application/json"}
    if access.username:
        pair = f"{access.username}:{access.password}".encode()
        headers["Authorization"] = f"Basic {b64encode(pair).decode()}"
    trust = _trust(access.ca_path) if access.ca_path else True
    connector = aiohttp.TCPConnector(ssl=trust)
    return aiohttp.ClientSession(headers=headers, connector=connector)


def _trust(path: str) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=path)
    except (OSError, ssl.SSLError) as error:
        raise ConfigError(f"{PREFIX}CA_PATH: {error}") from None


async def _register(registry: _Registry, schema: str) -> Registered:
    """The rule first: the first schema that it could refuse is this one."""
    found = await registry.ask("GET", f"/config/{SUBJECT}", may_be_missing=True)
    level = None if found is None else found.get("compatibilityLevel")
    if level not in {COMPATIBILITY, *STRICTER}:
        await registry.ask("PUT", f"/config/{SUBJECT}", {"compatibility": COMPATIBILITY})
    asked = {"schemaType": "JSON", "schema": schema}
    known = await registry.ask("POST", f"/subjects/{SUBJECT}", asked, may_be_missing=True)
    if known is not None:
        return Registered(registry.number(known), is_new=False)
    made = await registry.ask("POST", f"/subjects/{SUBJECT}/versions", asked)
    return Registered(registry.number(made or {}), is_new=True)


class _Registry:
    def __init__(self, session: aiohttp.ClientSession, url: str) -> None:
        self._session = session
        self._url = url.rstrip("/")

    async def ask(
        self, method: str, path: str, body: object = None, *, may_be_missing: bool = False
    ) -> dict[str, Any] | None:
        """The answer's object; None when the registry does not know what was asked for."""
        data = None if body is None else msgspec.json.encode(body)
        headers = {} if data is None else {"Content-Type": MEDIA_TYPE}
        async with self._session.request(
            method, self._url + path, data=data, headers=headers, allow_redirects=False
        ) as answer:
            text = await answer.text(errors="replace")
            status = answer.status
        if status == 404 and may_be_missing and _is_its_own(text):
            return None
        if status != 200:
            raise RegistryError(self._said(method, path, status, text))
        try:
            return msgspec.json.decode(text, type=dict[str, Any])
        except msgspec.DecodeError:
            raise RegistryError(self._said(method, path, status, text)) from None

    def number(self, answer: dict[str, Any]) -> int:
        number = answer.get("id")
        if not isinstance(number, int):
            raise RegistryError(f"the schema registry at {self._url} tells no id of the schema")
        return number

    def _said(self, method: str, path: str, status: int, text: str) -> str:
        why = {
            401: f"; {PREFIX}USERNAME and {PREFIX}PASSWORD say who we are",
            403: f"; {PREFIX}USERNAME may not do this",
            404: f"; is {PREFIX}URL the root of Confluent's API?",
            409: "; the schema breaks readers of what is registered",
        }.get(status, "")
        said = " ".join(text.split())[:MAX_ERROR_LENGTH]
        where = f"the schema registry at {self._url} answered {method} {path} with {status}"
        return f"{where}{why}: {said}"


def _is_its_own(text: str) -> bool:
    """Whether a 404 tells of a missing subject, schema or setting, and not of a wrong address."""
    try:
        code = msgspec.json.decode(text, type=dict[str, Any]).get("error_code")
    except msgspec.DecodeError:
        return False
    return isinstance(code, int) and code // 100 == 404
