"""Every option of the console, read from `TELEMETRY_CONSOLE_…` and `TELEMETRY_CLICKHOUSE_…`."""

from __future__ import annotations

import ipaddress
from typing import Annotated, Literal
from urllib.parse import urlsplit

from msgspec import Meta, Struct

from gateway.runtime import ConfigError

PREFIXES = {"TELEMETRY_CONSOLE_": "", "TELEMETRY_CLICKHOUSE_": "clickhouse_"}


class ConsoleConfig(Struct, frozen=True, kw_only=True):
    """Options with their defaults. A value out of range stops the process at its start."""

    host: Annotated[
        str,
        Meta(min_length=1, description="address to listen on; beyond loopback tokens are needed"),
    ] = "127.0.0.1"
    port: Annotated[int, Meta(ge=0, le=65535, description="port; 0 picks a free one")] = 8090
    log_level: Annotated[
        Literal["debug", "info", "warning", "error"], Meta(description="how much the log says")
    ] = "info"
    log_format: Annotated[
        Literal["json", "text"],
        Meta(description="an object a line for programs, or text for people"),
    ] = "json"
    tokens_path: Annotated[
        str, Meta(min_length=1, description="file of the tokens' hashes; no token: loopback only")
    ] = "data/console/tokens.json"
    secure_cookie: Annotated[
        bool, Meta(description="true behind TLS: browsers then send the cookie over TLS alone")
    ] = False
    gateway_url: Annotated[
        str, Meta(description="the gateway whose /metrics the system page shows; empty: none")
    ] = ""
    sink_url: Annotated[
        str, Meta(description="the sink whose /metrics the system page shows; empty: none")
    ] = ""
    query_seconds: Annotated[
        float, Meta(gt=0, le=60, description="for one query; beyond it the panel says so")
    ] = 15.0
    max_queries: Annotated[
        int, Meta(ge=1, le=64, description="asked at once; others wait their turn")
    ] = 6
    max_rows: Annotated[
        int, Meta(ge=10, le=20_000, description="of a panel; beyond it the panel is cut")
    ] = 2_000
    max_csv_rows: Annotated[
        int, Meta(ge=10, le=1_000_000, description="of a CSV export; beyond it it is cut")
    ] = 100_000
    retrace_seconds: Annotated[
        float, Meta(gt=0, le=60, description="for a stack to be retraced; else it is as it came")
    ] = 5.0
    mappings_bytes: Annotated[
        int,
        Meta(
            ge=0,
            le=2**40,
            description="memory of mappings that are kept; one that needs more is not used",
        ),
    ] = 128 * 1024 * 1024
    live_seconds: Annotated[
        float, Meta(ge=0.2, le=60, description="between looks at what is live")
    ] = 2.0
    max_viewers: Annotated[
        int, Meta(ge=1, le=1_000, description="pages kept live at once; others stand still")
    ] = 32
    clickhouse_url: Annotated[str, Meta(description="HTTP address of ClickHouse")] = (
        "http://127.0.0.1:8123"
    )
    clickhouse_user: Annotated[str, Meta(description="its user; one that may only read")] = (
        "default"
    )
    clickhouse_password: Annotated[str, Meta(description="its password, or …_FILE")] = ""
    clickhouse_ca_path: Annotated[
        str, Meta(description="PEM of who may vouch for it over https; empty: the system's")
    ] = ""

    @property
    def is_loopback(self) -> bool:
        return is_loopback(self.host)

    def check(self, tokens: int) -> None:
        """Raises ConfigError for options that do not fit together. `tokens`: how many there are."""
        for option, url in (("GATEWAY", self.gateway_url), ("SINK", self.sink_url)):
            if url and not _is_http(url):
                raise ConfigError(
                    f"TELEMETRY_CONSOLE_{option}_URL: {url!r} is no URL; one is "
                    "http://127.0.0.1:8080"
                )
        if not tokens and not self.is_loopback:
            raise ConfigError(
                f"TELEMETRY_CONSOLE_HOST: {self.host} can be reached from elsewhere, and "
                f"{self.tokens_path} has no token; make one with `telemetry-sink tokens add APP`"
            )


def is_loopback(host: str) -> bool:
    """Whether nobody but this machine can reach that address."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def _is_http(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False
