"""An HTTP request as a query: its text, its data, its settings."""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import parse_qsl
from uuid import uuid4

from msgspec import Struct

from infra.local.clickhouse.errors import BAD_ARGUMENTS, NOT_IMPLEMENTED, refuse

# URL parameters that speak to the HTTP interface; all others are settings.
_INTERFACE = {
    "query", "database", "default_format", "user", "password", "session_id", "session_timeout",
    "session_check", "query_id", "quota_key", "wait_end_of_query", "buffer_size", "role",
    "enable_http_compression", "compress", "decompress", "client_protocol_version",
    "send_progress_in_http_headers", "http_headers_progress_interval_ms", "stacktrace",
    "cancel_http_readonly_queries_on_client_close",
}  # fmt: skip
MAX_PARAMETERS = 1000
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


class Query(Struct, frozen=True, kw_only=True, gc=False):
    """What one request asks."""

    text: bytes  # statement, and for an INSERT its data
    query_id: str  # as the client names it; two may share one
    tag: str  # its own, by which it can be ended
    database: str  # empty: the session's, else ours
    default_format: str
    session_id: str
    settings: dict[str, str]  # and param_… values
    read_only: bool  # a GET changes nothing
    revision: int  # the version of the protocol that the client asks for; 0: none


def parse_url(query_string: str) -> dict[str, str]:
    """URL parameters; of repeated ones the last counts. Raises ClickHouseError."""
    try:
        pairs = parse_qsl(query_string, keep_blank_values=True, max_num_fields=MAX_PARAMETERS)
    except ValueError:
        raise refuse(BAD_ARGUMENTS, f"The URL has more than {MAX_PARAMETERS} parameters") from None
    return dict(pairs)


def build(method: str, headers: Mapping[str, str], url: Mapping[str, str], body: bytes) -> Query:
    """The query of a request whose body is complete and plain. Raises ClickHouseError."""
    values = dict(url)
    if headers.get("content-type", "").startswith("multipart/form-data"):
        values.update(_form(headers["content-type"], body))
        body = b""
    for name in ("compress", "decompress"):
        if values.get(name, "0") not in ("0", ""):
            raise refuse(NOT_IMPLEMENTED, f"{name}=1, ClickHouse's own framing, is not supported")
    statement = values.get("query", "").encode("utf-8", "surrogateescape")
    text = statement + b"\n" + body if statement and body else statement or body
    settings = {name: value for name, value in values.items() if name not in _INTERFACE}
    for name in settings:
        if not _NAME.fullmatch(name):
            raise refuse(NOT_IMPLEMENTED, f"{name[:64]!r} names no setting")
    query_id = values.get("query_id") or str(uuid4())
    return Query(
        text=text,
        query_id=query_id,
        tag=f"{query_id} {uuid4()}",
        database=headers.get("x-clickhouse-database") or values.get("database", ""),
        default_format=headers.get("x-clickhouse-format")
        or values.get("default_format")
        or "TabSeparated",
        session_id=values.get("session_id", ""),
        settings=settings,
        read_only=method == "GET",
        revision=_revision(values.get("client_protocol_version", "")),
    )


def _revision(text: str) -> int:
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 10 else 0


def _form(content_type: str, body: bytes) -> dict[str, str]:
    """The fields of a multipart form: `query` and `param_…`, no files."""
    boundary = content_type.partition("boundary=")[2].strip('"; ').encode()
    fields: dict[str, str] = {}
    if not boundary:
        return fields
    for part in body.split(b"--" + boundary):
        head, separator, value = part.partition(b"\r\n\r\n")
        found = re.search(rb'name="([^"]*)"', head)
        if separator and found:
            name = found.group(1).decode("utf-8", "replace")
            # A statement may carry data, and so any bytes; all else goes to the engine as text.
            errors = "surrogateescape" if name == "query" else "replace"
            fields[name] = value.removesuffix(b"\r\n").decode("utf-8", errors)
    return fields
