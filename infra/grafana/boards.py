"""The dashboards: what people look at first, crashes, the account, and operations as a whole."""

from __future__ import annotations

from infra.grafana.board import Board, Choice
from infra.grafana.panel import Asked, Measured
from infra.grafana.program_boards import GATEWAY, SINK
from infra.grafana.promql import median_and_p99, quantile, rate

_APP = Choice(
    name="app",
    label="app",
    sql="SELECT DISTINCT app_id FROM telemetry.device_days WHERE day >= today() - 90 ORDER BY 1",
)
_FILTERS = (
    Choice(name="release", label="release"),
    Choice(name="platform", label="platform"),
    Choice(name="country", label="country"),
)
_TO_GROUP = "/d/telemetry-crashes?${__url_time_range}&var-app=${app}&var-group=${__value.raw}"

OVERVIEW = Board(
    name="overview",
    title="Telemetry: overview",
    choices=(_APP, *_FILTERS),
    panels=(
        Asked(query="daily_active_devices", kind="timeseries"),
        Asked(
            query="sessions_per_day",
            kind="timeseries",
            hidden=("length_p50_seconds", "length_p95_seconds"),
        ),
        Asked(query="crash_free_devices"),
        Asked(query="crash_free_sessions"),
        Asked(query="retention"),
        Asked(query="freshness", kind="stat", unit="s"),
    ),
)

CRASHES = Board(
    name="crashes",
    title="Telemetry: crashes",
    choices=(
        _APP,
        Choice(name="group", label="crash group"),
        *_FILTERS,
        Choice(name="min_devices", label="least devices of a release", default="1"),
    ),
    panels=(
        Asked(
            query="top_crash_groups",
            values={"limit": "50"},
            width=24,
            links={"crash_group": _TO_GROUP},
        ),
        Asked(
            query="crash_regressions",
            values={"group": "''"},
            width=24,
            links={"crash_group": _TO_GROUP},
        ),
        Asked(query="crash_group_trend", kind="timeseries"),
        Asked(query="crash_group_releases"),
        Asked(query="crash_group_devices", values={"limit": "50"}),
        Asked(query="crash_group_latest"),
    ),
)

ACCOUNT = Board(
    name="account",
    title="Telemetry: account",
    days="now-2d",
    choices=(Choice(name="app", label="app (empty: all)"),),
    panels=(
        Asked(
            query="account",
            kind="timeseries",
            width=24,
            hidden=("rejected_by_reason",),
        ),
        Asked(query="account", width=24, height=12),
    ),
)


OPERATIONS = Board(
    name="operations",
    title="Telemetry: operations",
    days="now-3h",
    panels=(
        Measured(
            title="Events at the door, by outcome",
            series={"{{outcome}}": rate("telemetry_gateway_events_total", "outcome")},
            unit="eps",
        ),
        Measured(
            title="Answers, by code",
            series={"{{code}}": rate("telemetry_gateway_http_requests_total", "code")},
            unit="reqps",
        ),
        Measured(
            title="From a request's head to its answer",
            series=median_and_p99("telemetry_gateway_http_request_duration_seconds"),
            unit="s",
        ),
        Measured(
            title="Refused POSTs and cut connections",
            series={
                "{{code}}": rate("telemetry_gateway_refused_requests_total", "code"),
                "cut: {{code}}": rate("telemetry_gateway_cut_connections_total", "code"),
            },
        ),
        Measured(
            title="Kafka's answers",
            series={
                "p99": quantile(0.99, "telemetry_gateway_kafka_produce_duration_seconds"),
            },
            unit="s",
        ),
        Measured(
            title="Errors of Kafka",
            series={"{{error}}": rate("telemetry_gateway_kafka_errors_total", "error")},
        ),
        Measured(
            title="Spool",
            series={"bytes": "sum(telemetry_gateway_spool_bytes)"},
            unit="bytes",
        ),
        Measured(
            title="Oldest entry of the spool",
            series={"age": "max(telemetry_gateway_spool_oldest_seconds)"},
            unit="s",
        ),
        Measured(
            title="Work in flight",
            series={
                "requests": "sum(telemetry_gateway_inflight_requests)",
                "bytes": "sum(telemetry_gateway_inflight_bytes)",
            },
        ),
        Measured(
            title="Records in the sink, by outcome",
            series={"{{outcome}}": rate("telemetry_sink_records_total", "outcome")},
            unit="eps",
        ),
        Measured(
            title="Records behind",
            series={"{{topic}}": "sum by (topic) (telemetry_sink_lag_records)"},
        ),
        Measured(
            title="Age of the oldest record without an outcome",
            series={"{{topic}}": "max by (topic) (telemetry_sink_lag_seconds)"},
            unit="s",
        ),
        Measured(
            title="Inserts",
            series=median_and_p99("telemetry_sink_insert_duration_seconds"),
            unit="s",
        ),
        Measured(
            title="Inserts that ClickHouse could not take",
            series={"{{code}}": rate("telemetry_sink_insert_retries_total", "code")},
        ),
        Measured(
            title="Dead letters",
            series={
                "door: {{outcome}}": rate("telemetry_gateway_dead_letters_total", "outcome"),
                "sink: {{code}}": rate("telemetry_sink_dead_letters_total", "code"),
            },
        ),
    ),
)

BOARDS = (OVERVIEW, CRASHES, ACCOUNT, OPERATIONS, GATEWAY, SINK)
