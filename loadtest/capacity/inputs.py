"""What a capacity plan is reckoned from: each input with its default, range, unit and source.

`docs/SCALE.md` says where each figure was measured. What is marked "chosen" is nobody's
measurement: put in your own.
"""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct

from gateway.contract.topics import APP_EVENTS, DAY_MS


class CapacityInputs(Struct, frozen=True, kw_only=True):
    """Inputs of `telemetry-loadtest plan`. A value out of range names its option."""

    devices: Annotated[
        int, Meta(ge=1, le=100_000_000_000, description="that send something on a day")
    ] = 1_000_000
    events_per_device_day: Annotated[
        float, Meta(gt=0, le=100_000, description="mean over those devices; chosen")
    ] = 20.0
    events_per_post: Annotated[
        float, Meta(ge=1, le=1000, description="mean; measured with simulated phones")
    ] = 7.7
    events_per_session: Annotated[
        float, Meta(ge=1, le=10_000, description="mean; of the seeded data")
    ] = 7.5
    peak: Annotated[
        float, Meta(ge=1, le=100, description="busiest minute of a day against its mean; chosen")
    ] = 3.0
    utilisation_percent: Annotated[
        float, Meta(gt=0, le=100, description="of cores, networks and disks, at the peak; chosen")
    ] = 60.0
    zones: Annotated[
        int, Meta(ge=1, le=16, description="one of which may be lost at the peak; 1: none may")
    ] = 3

    gateway_post_us: Annotated[
        float, Meta(ge=0, le=1_000_000, description="µs of CPU of the gateway per POST; measured")
    ] = 47.2
    gateway_event_us: Annotated[
        float, Meta(gt=0, le=1_000_000, description="µs and per event in it; measured")
    ] = 3.8
    gateway_process_mib: Annotated[
        float, Meta(gt=0, le=1_000_000, description="MiB of a process, one per core; measured")
    ] = 128.0
    spool_minutes: Annotated[
        float, Meta(ge=0, le=100_000, description="without Kafka at the peak, on disk; chosen")
    ] = 15.0
    wire_event_bytes: Annotated[
        float, Meta(gt=0, le=1_000_000, description="of a POST, per event; measured, no gzip")
    ] = 292.0

    retention_days: Annotated[
        float, Meta(gt=0, le=10_000, description="of app-events in Kafka")
    ] = APP_EVENTS.retention_ms / DAY_MS
    replication: Annotated[int, Meta(ge=1, le=10, description="copies of a record in Kafka")] = 3
    groups: Annotated[
        int, Meta(ge=1, le=100, description="consumer groups of app-events: sink and alerts")
    ] = 2
    record_bytes: Annotated[
        float, Meta(gt=0, le=900_000, description="of a record as the gateway sends it; measured")
    ] = 876.0
    log_event_bytes: Annotated[
        float, Meta(gt=0, le=900_000, description="of an event in Kafka's log; measured, no codec")
    ] = 876.0
    broker_event_us: Annotated[
        float, Meta(ge=0, le=1_000_000, description="µs of CPU per event and copy; measured")
    ] = 38.7
    broker_cores: Annotated[float, Meta(gt=0, le=1024, description="of a broker; chosen")] = 16.0
    broker_disk_tb: Annotated[float, Meta(gt=0, le=10_000, description="TB; chosen")] = 16.0
    broker_network_mb: Annotated[
        float, Meta(gt=0, le=1_000_000, description="MB a second, each way; chosen: 10 Gbit")
    ] = 1250.0

    sink_row_us: Annotated[
        float, Meta(gt=0, le=1_000_000, description="µs of CPU of the sink per row; measured")
    ] = 10.7
    sink_memory_gib: Annotated[
        float, Meta(gt=0, le=10_000, description="GiB that a sink process may have; chosen")
    ] = 8.0
    sink_base_mib: Annotated[
        float, Meta(gt=0, le=1_000_000, description="MiB of it without its window; chosen")
    ] = 600.0
    resend_seconds: Annotated[
        float, Meta(ge=0, le=86_400, description="within which a re-sent event is dropped exactly")
    ] = 300.0
    window_id_bytes: Annotated[
        float, Meta(gt=0, le=100_000, description="of memory per id in the window; measured")
    ] = 200.0

    engine_row_us: Annotated[
        float, Meta(gt=0, le=1_000_000, description="µs of CPU of ClickHouse per row; measured")
    ] = 11.4
    insert_seconds: Annotated[
        float,
        Meta(
            ge=0, le=3600, description="s of CPU of ClickHouse per chunk beside its rows; measured"
        ),
    ] = 0.082
    inserts_per_second: Annotated[
        float, Meta(ge=5, le=10_000, description="that one ClickHouse server is given; chosen")
    ] = 15.0
    server_cores: Annotated[
        float, Meta(gt=0, le=1024, description="of a ClickHouse server; chosen")
    ] = 32.0
    server_insert_percent: Annotated[
        float, Meta(gt=0, le=100, description="of them for inserts, the rest for queries; chosen")
    ] = 50.0
    server_disk_tb: Annotated[float, Meta(gt=0, le=10_000, description="TB; chosen")] = 32.0
    events_days: Annotated[
        float, Meta(gt=0, le=10_000, description="that rows of events are kept")
    ] = 400.0
    sessions_days: Annotated[
        float, Meta(gt=0, le=10_000, description="that rows of sessions are kept")
    ] = 430.0
    summary_days: Annotated[
        float, Meta(gt=0, le=10_000, description="that rows of device_days and hourly are kept")
    ] = 800.0
    event_row_bytes: Annotated[
        float, Meta(gt=0, le=1_000_000, description="of a row of events; measured")
    ] = 65.1
    session_row_bytes: Annotated[
        float, Meta(gt=0, le=1_000_000, description="of a row of sessions; measured")
    ] = 66.7
    device_day_bytes: Annotated[
        float, Meta(gt=0, le=1_000_000, description="of a row of device_days; measured")
    ] = 30.9
    hourly_cells: Annotated[
        int, Meta(ge=1, le=100_000_000, description="type, release, OS, country of an hour; chosen")
    ] = 2000
    hourly_cell_bytes: Annotated[
        float, Meta(gt=0, le=1_000_000, description="of a cell of hourly; measured, a full state")
    ] = 12_500.0


def option_of(field: str) -> str:
    """The field as the command line has it."""
    return f"--{field.replace('_', '-')}"


class Described(Struct, frozen=True):
    """An input as people are told of it."""

    field: str
    default: int | float
    bounds: str
    meaning: str

    @property
    def option(self) -> str:
        return option_of(self.field)


def described() -> list[Described]:
    """Every input, in its order."""
    properties: dict[str, dict[str, Any]] = msgspec.json.schema(CapacityInputs)["$defs"][
        CapacityInputs.__name__
    ]["properties"]
    return [
        Described(
            field=one.name,
            default=one.default,
            bounds=_bounds(properties[one.name]),
            meaning=properties[one.name]["description"],
        )
        for one in msgspec.structs.fields(CapacityInputs)
    ]


class BadInput(Exception):
    """An input is out of its range. The text names option and limit."""


def inputs_of(given: dict[str, Any]) -> CapacityInputs:
    """The defaults with what was given. Raises BadInput."""
    try:
        return msgspec.convert(given, CapacityInputs)
    except msgspec.ValidationError as error:
        text = str(error)
        for one in described():
            if f"$.{one.field}`" in text:
                raise BadInput(f"{one.option}: {text.partition(' - at')[0]}") from None
        raise BadInput(text) from None


def _bounds(described: dict[str, Any]) -> str:
    """Such as "1 to 16", "above 0 to 100"."""
    low = described.get("minimum")
    start = f"above {described['exclusiveMinimum']:g}" if low is None else f"{low:g}"
    return f"{start} to {described['maximum']:,}"
