"""The dashboards of single programs, for who runs them: the gateway, the sink."""

from __future__ import annotations

from infra.grafana.board import Board
from infra.grafana.panel import Measured
from infra.grafana.promql import median_and_p99, quantile, rate, share


def _process(title: str, prefix: str) -> tuple[Measured, ...]:
    """Memory and CPU of the processes that tell of this version."""
    of = f"* on (job, instance, worker) group_left (version) {prefix}_build_info"
    return (
        Measured(
            title=f"Memory of {title}",
            series={"{{instance}} {{version}}": f"process_resident_memory_bytes {of}"},
            unit="bytes",
        ),
        Measured(
            title=f"Cores used by {title}",
            series={
                "{{instance}} {{version}}": (
                    f"rate(process_cpu_seconds_total[$__rate_interval]) {of}"
                )
            },
        ),
        Measured(
            title=f"Open files of {title}",
            series={"{{instance}} {{version}}": f"process_open_fds {of}"},
        ),
    )


_REFUSED = "telemetry_gateway_refused_requests_total"
_LOOP_LAG = "telemetry_gateway_event_loop_lag_seconds"

GATEWAY = Board(
    name="gateway",
    title="Telemetry: gateway",
    days="now-3h",
    panels=(
        Measured(
            title="Ready, by instance",
            series={"{{instance}}": "min by (instance) (telemetry_gateway_ready)"},
        ),
        Measured(
            title="Share of POSTs answered 503",
            series={
                "{{code}}": share(_REFUSED, "code", 'code=~"overloaded|not_kept|internal_error"')
            },
            unit="percentunit",
        ),
        Measured(
            title="POSTs by protocol",
            series={"{{protocol}}": rate("telemetry_gateway_http_requests_total", "protocol")},
            unit="reqps",
        ),
        Measured(
            title="Accepted events by type",
            series={"{{type}}": rate("telemetry_gateway_accepted_events_total", "type")},
            unit="eps",
        ),
        Measured(
            title="Rejected events by code",
            series={"{{code}}": rate("telemetry_gateway_rejected_events_total", "code")},
            unit="eps",
        ),
        Measured(
            title="Properties that were denied",
            series={
                "{{app}}: {{property}}": rate(
                    "telemetry_gateway_denied_properties_total", "app, property"
                )
            },
        ),
        Measured(
            title="From a request's head to its answer",
            series=median_and_p99("telemetry_gateway_http_request_duration_seconds"),
            unit="s",
        ),
        Measured(
            title="How late the event loop is",
            series=median_and_p99(_LOOP_LAG),
            unit="s",
        ),
        Measured(
            title="Clients that left, errors of our own",
            series={
                "left": rate("telemetry_gateway_disconnects_total"),
                "errors": rate("telemetry_gateway_internal_errors_total"),
            },
        ),
        Measured(
            title="Spool: share of its bytes",
            series={
                "{{instance}}": "sum by (instance) (telemetry_gateway_spool_bytes)"
                " / (sum by (instance) (telemetry_gateway_spool_limit_bytes) > 0)"
            },
            unit="percentunit",
        ),
        Measured(
            title="Entries of the spool, by outcome",
            series={"{{outcome}}": rate("telemetry_gateway_spool_entries_total", "outcome")},
        ),
        Measured(
            title="Syncs of the spool's disk",
            series={
                "p99": quantile(0.99, "telemetry_gateway_spool_sync_duration_seconds"),
                "errors": rate("telemetry_gateway_spool_disk_errors_total"),
            },
            unit="s",
        ),
        Measured(
            title="Lanes that Kafka did not take in time, producer ids",
            series={
                "trips": rate("telemetry_gateway_spool_trips_total"),
                "producer ids": rate("telemetry_gateway_kafka_producer_ids_total"),
            },
        ),
        *_process("telemetry-gateway", "telemetry_gateway"),
    ),
)

SINK = Board(
    name="sink",
    title="Telemetry: sink",
    days="now-3h",
    panels=(
        Measured(
            title="Ready, by instance",
            series={"{{instance}}": "min by (instance) (telemetry_sink_ready)"},
        ),
        Measured(
            title="From Kafka to ClickHouse",
            series=median_and_p99("telemetry_sink_chunk_age_seconds"),
            unit="s",
        ),
        Measured(
            title="Records behind, by partition",
            series={
                "{{topic}}-{{partition}}": (
                    "sum by (topic, partition) (telemetry_sink_lag_records)"
                )
            },
        ),
        Measured(
            title="Records stored, by outcome",
            series={"{{outcome}}": rate("telemetry_sink_records_total", "outcome")},
            unit="eps",
        ),
        Measured(
            title="Chunks stored",
            series={"{{topic}}": rate("telemetry_sink_chunks_total", "topic")},
        ),
        Measured(
            title="Chunks that ClickHouse does not take now",
            series={"{{instance}}": "sum by (instance) (telemetry_sink_waiting_chunks)"},
        ),
        Measured(
            title="Bytes held",
            series={"{{instance}}": "sum by (instance) (telemetry_sink_held_bytes)"},
            unit="bytes",
        ),
        Measured(
            title="Rebalances, commits refused, chunks stored again",
            series={
                "rebalances": rate("telemetry_sink_rebalances_total"),
                "refused": rate("telemetry_sink_fenced_total"),
                "again": rate("telemetry_sink_replayed_chunks_total"),
            },
        ),
        Measured(
            title="What must stay zero",
            series={
                "offsets lost by Kafka": "sum(telemetry_sink_lost_offsets_total)",
                "chunks missing": "sum(telemetry_sink_missing_chunks_total)",
                "views may lack": "sum(telemetry_sink_views_may_lack_chunk_total)",
            },
        ),
        Measured(
            title="Alerts of the rule file, not yet taken",
            series={"alerts": "sum(telemetry_alerts_pending)"},
        ),
        *_process("telemetry-sink", "telemetry_sink"),
    ),
)
