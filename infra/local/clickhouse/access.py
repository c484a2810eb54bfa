"""Who asks, and what they may: a writer who may all, a reader who may only read our database."""

from __future__ import annotations

import base64
import binascii
import hmac
import re
from collections.abc import Mapping
from typing import Literal

from msgspec import Struct

from infra.local.clickhouse.errors import ACCESS_DENIED, AUTHENTICATION_FAILED, refuse
from infra.local.clickhouse.statements import without_literals

Role = Literal["writer", "reader"]


class User(Struct, frozen=True):
    user: str
    password: str


class Users(Struct, frozen=True):
    """The users file. It is a file because a process's environment can be read in /proc."""

    writer: User
    reader: User
    database: str


# Functions that ask the engine for no grant, yet read files or reach out; and the table that shows
# a user its own queries: to the engine, writer and reader are one user.
_FORBIDDEN = re.compile(
    r"\b(processes|file|python|catboostevaluate|getserversetting|logtrace|ai[a-z0-9_]*)\b|:\s*Identifier\s*\}",
    re.IGNORECASE,
)
# Engines the library lacks; a failed CREATE of one can leave a folder that opens no more.
_ENGINE = re.compile(r"\bENGINE\s*=\s*([A-Za-z0-9_]+)", re.IGNORECASE)
_ENGINES = re.compile(
    r"(Replacing|Summing|Aggregating|Collapsing|VersionedCollapsing|Coalescing|Graphite)?MergeTree"
    r"|Null|Memory|TinyLog|StripeLog|Log|Set|Join|Merge|Buffer|View|MaterializedView|Atomic",
    re.IGNORECASE,
)
_HOSTS = re.compile(r"(127\.0\.0\.1|localhost|\[::1\])(:\d+)?", re.IGNORECASE)


def check_browser(headers: Mapping[str, str]) -> None:
    """A web page can reach loopback: refuse what only a browser, or a rebound name, would send."""
    if "origin" in headers:
        raise refuse(ACCESS_DENIED, "Requests of web pages are not answered")
    if not _HOSTS.fullmatch(headers.get("host", "")):
        raise refuse(ACCESS_DENIED, "This server answers to its loopback address only")


def authenticate(headers: Mapping[str, str], url: Mapping[str, str], users: Users) -> Role:
    """The role of the caller. Raises 516, in the same time whichever part is wrong."""
    name, password = _credentials(headers, url)
    roles: dict[Role, User] = {"writer": users.writer, "reader": users.reader}
    found: Role | None = None
    for role, user in roles.items():
        same_name = hmac.compare_digest(user.user.encode(), name.encode())
        same_password = hmac.compare_digest(user.password.encode(), password.encode())
        if same_name & same_password:
            found = role
    if found is None:
        raise refuse(
            AUTHENTICATION_FAILED,
            f"{name[:64]}: Authentication failed: password is incorrect, "
            "or there is no user with such name",
        )
    return found


def _credentials(headers: Mapping[str, str], url: Mapping[str, str]) -> tuple[str, str]:
    scheme, _, token = headers.get("authorization", "").partition(" ")
    if scheme.lower() == "basic":
        try:
            pair = base64.b64decode(token.strip(), validate=True).decode("utf-8", "replace")
        except (binascii.Error, ValueError):
            return "", ""
        name, _, password = pair.partition(":")
        return name, password
    if "x-clickhouse-user" in headers:
        return headers["x-clickhouse-user"], headers.get("x-clickhouse-key", "")
    return url.get("user", "default"), url.get("password", "")


def check_reader(normalised: str) -> None:
    """`normalised` is the statement as the engine writes it, so escapes hide no name."""
    found = _FORBIDDEN.search(without_literals(normalised))
    if found:
        raise refuse(ACCESS_DENIED, f"`{found.group()[:40]}` is not for readers")


def check_engine(normalised: str) -> None:
    """Refuse tables of engines that this engine does not bring."""
    for found in _ENGINE.finditer(without_literals(normalised)):
        if not _ENGINES.fullmatch(found.group(1)):
            raise refuse(48, f"Engine {found.group(1)[:40]} is not available locally")
