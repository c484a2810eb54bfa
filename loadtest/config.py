"""The options of telemetry-loadtest that come from the environment."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from gateway.contract.kafka_access import KafkaAccess
from sinks.clickhouse.sql import Server

PREFIXES = {
    "TELEMETRY_LOADTEST_": "",
    "TELEMETRY_KAFKA_": "kafka_",
    "TELEMETRY_CLICKHOUSE_": "clickhouse_",
}


class LoadtestConfig(KafkaAccess, frozen=True, kw_only=True):
    """Options read from `TELEMETRY_LOADTEST_…`; `telemetry-infra env` prints them."""

    kafka_bootstrap: Annotated[
        str, Meta(description="host:port of brokers that verify reads; empty: none")
    ] = ""

    gateway_url: Annotated[str, Meta(description="HTTP address of the gateway")] = (
        "http://127.0.0.1:8080"
    )
    write_key: Annotated[str, Meta(description="write key of the app that posts")] = ""
    app: Annotated[str, Meta(description="that app")] = "demo"
    clickhouse_url: Annotated[str, Meta(description="HTTP address of ClickHouse")] = (
        "http://127.0.0.1:8123"
    )
    clickhouse_user: Annotated[str, Meta(description="its user; a reader suffices")] = "default"
    clickhouse_password: Annotated[str, Meta(description="its password, or …_FILE")] = ""
    clickhouse_ca_path: Annotated[
        str, Meta(description="PEM of who may vouch for it over https; empty: the system's")
    ] = ""

    @property
    def server(self) -> Server:
        return Server(
            url=self.clickhouse_url,
            user=self.clickhouse_user,
            password=self.clickhouse_password,
            ca_path=self.clickhouse_ca_path,
        )
