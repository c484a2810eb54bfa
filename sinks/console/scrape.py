"""What gateway and sink say of themselves: the few metrics that an operator looks at first."""

from __future__ import annotations

import asyncio

import aiohttp
from prometheus_client.parser import text_string_to_metric_families

from sinks.console.panel import Cell, Panel, Shown, failed, text_of

RARE = {"code", "error"}
MAX_BYTES = 4 * 1024 * 1024
SECONDS = 3.0
HEADS = (Cell("metric"), Cell("of"), Cell("value", is_number=True), Cell("meaning"))
CHOSEN = {
    "gateway": (
        "telemetry_gateway_events",
        "telemetry_gateway_inflight_requests",
        "telemetry_gateway_inflight_bytes",
        "telemetry_gateway_refused_requests",
        "telemetry_gateway_dead_letters",
        "telemetry_gateway_spool_bytes",
        "telemetry_gateway_spool_lanes",
        "telemetry_gateway_spool_oldest_seconds",
        "telemetry_gateway_spool_entries",
        "telemetry_gateway_spool_disk_errors",
        "telemetry_gateway_kafka_errors",
        "telemetry_gateway_kafka_producer_ids",
        "telemetry_gateway_kafka_restamped_batches",
        "telemetry_gateway_worker_up",
    ),
    "sink": (
        "telemetry_sink_records",
        "telemetry_sink_pending_records",
        "telemetry_sink_lag_records",
        "telemetry_sink_lag_seconds",
        "telemetry_sink_insert_retries",
        "telemetry_sink_rebalances",
        "telemetry_sink_fenced",
        "telemetry_sink_missing_chunks",
        "telemetry_sink_held_bytes",
    ),
}


async def process_panel(process: str, url: str) -> Shown:
    """The chosen metrics of a process as a table, or why they are not there."""
    panel = Panel(id=process, query="", title=f"The {process}, by its own metrics", wide=True)
    if not url:
        option = f"TELEMETRY_CONSOLE_{process.upper()}_URL"
        return failed(panel, f"Set {option} to the {process}'s address to see its metrics here.")
    try:
        async with (
            asyncio.timeout(SECONDS),
            aiohttp.ClientSession() as session,
            session.get(f"{url.rstrip('/')}/metrics", allow_redirects=False) as answer,
        ):
            answer.raise_for_status()
            body = b""
            while len(body) < MAX_BYTES and (piece := await answer.content.read(MAX_BYTES)):
                body += piece
        text = body.decode("utf-8", "replace")
        return Shown(panel=panel, title=panel.title, heads=HEADS, rows=rows_of(process, text))
    except (TimeoutError, OSError, aiohttp.ClientError, ValueError):
        return failed(panel, f"The {process} does not answer at {url}/metrics now.")


def rows_of(process: str, text: str) -> list[list[Cell]]:
    """A row per series of a chosen metric. Partitions are added up, of ages the greatest counts;
    reasons and errors that never happened are left out."""
    found: dict[tuple[str, str, str], float] = {}
    for family in text_string_to_metric_families(text):
        if family.name not in CHOSEN[process]:
            continue
        for sample in family.samples:
            labels = {name: one for name, one in sample.labels.items() if name != "partition"}
            if sample.name.endswith("_created") or (RARE & labels.keys() and not sample.value):
                continue
            of = ", ".join(f"{name} {one}" for name, one in labels.items())
            key = (family.name, of, family.documentation)
            before = found.get(key, 0.0)
            is_age = family.name.endswith("_seconds")
            found[key] = max(before, sample.value) if is_age else before + sample.value
    rows = sorted(found.items(), key=lambda one: CHOSEN[process].index(one[0][0]))
    return [
        [
            Cell(name),
            Cell(of),
            Cell(text_of(int(value) if value == int(value) else value), is_number=True),
            Cell(meaning),
        ]
        for (name, of, meaning), value in rows
    ]
