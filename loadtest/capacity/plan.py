"""From measured costs to what so many devices need. Pure; `docs/SCALE.md` explains the formulas.

The unit of growth is the *cell*: gateways, a Kafka cluster, sinks and one ClickHouse server of
their own. A cell is as large as its tightest limit lets it be; past that there are more of them.
"""

from __future__ import annotations

import math

from msgspec import Struct

from loadtest.capacity.inputs import CapacityInputs

DAY_SECONDS = 86_400
TB, MB, GIB, MIB = 10**12, 10**6, 2**30, 2**20
PARTITION_STEP = 12  # partitions come in dozens: they divide among 2, 3, 4, 6 and 12 sinks
CHUNK_ROWS = 50_000  # the sink's default
SINK_INSERTS = 5  # a second, the most that one sink makes of chunks that are not full


class NoRoom(Exception):
    """A cell has no room for a single device. The text says of what there is too little."""


class Limit(Struct, frozen=True):
    """What bounds a cell, and at how many devices."""

    name: str
    devices: int


class Needs(Struct, frozen=True, kw_only=True):
    """What one cell needs, or all of them."""

    devices: float
    events_per_day: float
    events_per_second_mean: float
    events_per_second_peak: float
    posts_per_second_peak: float
    in_bytes_per_second: float  # from phones, at the peak
    gateway_cores: float  # busy at the peak
    gateway_processes: int  # one core each
    gateway_memory_bytes: float
    spool_bytes: float  # on the disks of all gateways
    partitions: int
    brokers: int
    broker_cores: float  # busy at the peak, all of them together
    kafka_bytes: float  # on disk, all copies
    kafka_in_bytes_per_second: float  # produced and replicated, at the peak
    kafka_out_bytes_per_second: float  # replicated and consumed, at the peak
    sink_cores: float  # busy at the peak
    sink_processes: int  # one core each
    sink_memory_bytes: float
    inserts_per_second: float
    clickhouse_servers: int
    clickhouse_cores: float  # busy with inserts at the peak
    clickhouse_bytes: float  # on disk, one copy
    clickhouse_in_bytes_per_second: float


class CapacityPlan(Struct, frozen=True, kw_only=True):
    """The whole of it."""

    inputs: CapacityInputs
    cells: int
    cell: Needs
    total: Needs
    limits: list[Limit]  # of a cell, the tightest first
    events_per_partition: float  # a second, at the peak
    partition_rows_per_second: float  # one partition's ceiling
    partition_share: float  # of it that is used at the peak
    window_offsets: int  # TELEMETRY_SINK_DEDUP_WINDOW_OFFSETS
    freshness_seconds: float  # age at which a chunk is cut, at most


def plan(inputs: CapacityInputs) -> CapacityPlan:
    """What so many devices need. Raises NoRoom."""
    limits = limits_of(inputs)
    if limits[0].devices < 1:
        raise NoRoom(f"not one device fits a cell: too little of the {limits[0].name}")
    cells = math.ceil(inputs.devices / limits[0].devices)
    cell = needs_of(inputs, inputs.devices / cells)
    per_partition = cell.events_per_second_peak / cell.partitions
    holding = math.ceil(cell.partitions / cell.sink_processes)
    return CapacityPlan(
        inputs=inputs,
        cells=cells,
        cell=cell,
        total=times(cell, cells),
        limits=limits,
        events_per_partition=per_partition,
        partition_rows_per_second=partition_rows_per_second(inputs),
        partition_share=per_partition / partition_rows_per_second(inputs),
        window_offsets=math.ceil(per_partition * inputs.resend_seconds),
        freshness_seconds=max(1.0, holding / SINK_INSERTS),
    )


def needs_of(inputs: CapacityInputs, devices: float) -> Needs:
    """What one cell of so many devices needs."""
    mean = devices * inputs.events_per_device_day / DAY_SECONDS
    peak = mean * inputs.peak
    gateway_cores = peak * gateway_us(inputs) / 1e6
    gateways = _processes(inputs, gateway_cores)
    copies = inputs.replication
    logged = mean * DAY_SECONDS * inputs.retention_days * inputs.log_event_bytes
    kafka_in = peak * (inputs.record_bytes + inputs.log_event_bytes * (copies - 1))
    kafka_out = peak * inputs.log_event_bytes * (copies - 1 + inputs.groups)
    broker_cores = peak * inputs.broker_event_us * copies / 1e6
    sinks = _sinks(inputs, peak)
    partitions = _partitions(inputs, peak, sinks)
    inserts = max(sinks * min(SINK_INSERTS, partitions / sinks), peak / CHUNK_ROWS)
    window_bytes = peak * inputs.resend_seconds * inputs.window_id_bytes
    return Needs(
        devices=devices,
        events_per_day=mean * DAY_SECONDS,
        events_per_second_mean=mean,
        events_per_second_peak=peak,
        posts_per_second_peak=peak / inputs.events_per_post,
        in_bytes_per_second=peak * inputs.wire_event_bytes,
        gateway_cores=gateway_cores,
        gateway_processes=gateways,
        gateway_memory_bytes=gateways * inputs.gateway_process_mib * MIB,
        spool_bytes=peak * inputs.record_bytes * 60 * inputs.spool_minutes,
        partitions=partitions,
        brokers=_brokers(inputs, logged * copies, max(kafka_in, kafka_out), broker_cores),
        broker_cores=broker_cores,
        kafka_bytes=logged * copies,
        kafka_in_bytes_per_second=kafka_in,
        kafka_out_bytes_per_second=kafka_out,
        sink_cores=peak * inputs.sink_row_us / 1e6,
        sink_processes=sinks,
        sink_memory_bytes=sinks * inputs.sink_base_mib * MIB + window_bytes,
        inserts_per_second=inserts,
        clickhouse_servers=1,
        clickhouse_cores=inserts * inputs.insert_seconds + peak * inputs.engine_row_us / 1e6,
        clickhouse_bytes=devices * device_bytes(inputs) + hourly_bytes(inputs),
        clickhouse_in_bytes_per_second=peak * inputs.record_bytes,
    )


def limits_of(inputs: CapacityInputs) -> list[Limit]:
    """How many devices a cell can have before each of its bounds is reached, tightest first."""
    per_device = inputs.events_per_device_day / DAY_SECONDS * inputs.peak  # events/s at the peak
    used = inputs.utilisation_percent / 100
    sinks = most_sinks(inputs)
    standing = sinks / _spare(inputs)  # when a zone is lost
    disk = inputs.server_disk_tb * TB * used - hourly_bytes(inputs)
    cores = inputs.server_cores * inputs.server_insert_percent / 100 * used
    busy = cores - inputs.inserts_per_second * inputs.insert_seconds
    memory = inputs.sink_memory_gib * GIB - inputs.sink_base_mib * MIB
    window = inputs.resend_seconds * inputs.window_id_bytes * per_device
    found = {
        "disk of a ClickHouse server": disk / device_bytes(inputs),
        "cores of a ClickHouse server": busy * 1e6 / inputs.engine_row_us / per_device,
        "cores of sinks, bounded by inserts a second": (
            standing * used * 1e6 / inputs.sink_row_us / per_device
        ),
        "memory of sinks for the window of ids": (
            standing * memory / window if window else math.inf
        ),
    }
    limits = [
        Limit(name, math.floor(min(max(0.0, devices), 1e15))) for name, devices in found.items()
    ]
    return sorted(limits, key=lambda one: one.devices)


def most_sinks(inputs: CapacityInputs) -> int:
    """Sinks that one ClickHouse server may have: as many in every zone, one at least."""
    of_server = math.floor(inputs.inserts_per_second / SINK_INSERTS)
    return max(1, of_server // inputs.zones) * inputs.zones


def gateway_us(inputs: CapacityInputs) -> float:
    """µs of CPU of an event in the gateway: its share of its POST, and its own."""
    return inputs.gateway_post_us / inputs.events_per_post + inputs.gateway_event_us


def partition_rows_per_second(inputs: CapacityInputs) -> float:
    """What one partition can take: its chunks are stored one after another, so the sink's and the
    engine's time for a full one add up, as if nothing of them overlapped."""
    rows = CHUNK_ROWS * (inputs.sink_row_us + inputs.engine_row_us) / 1e6
    return CHUNK_ROWS / (rows + inputs.insert_seconds)


def device_bytes(inputs: CapacityInputs) -> float:
    """Bytes that one device has in ClickHouse when every table is as old as it gets."""
    events = inputs.events_per_device_day
    return (
        events * inputs.event_row_bytes * inputs.events_days
        + events / inputs.events_per_session * inputs.session_row_bytes * inputs.sessions_days
        + inputs.device_day_bytes * inputs.summary_days
    )


def hourly_bytes(inputs: CapacityInputs) -> float:
    """Bytes of `hourly`, which grows with kinds of events and hours, not with devices."""
    return inputs.hourly_cells * 24 * inputs.summary_days * inputs.hourly_cell_bytes


def times(cell: Needs, cells: int) -> Needs:
    """All cells together: every figure of a cell, so often."""
    return Needs(**{name: getattr(cell, name) * cells for name in Needs.__struct_fields__})


def _spare(inputs: CapacityInputs) -> float:
    """How much more there must be for one zone to be lost at the peak."""
    return inputs.zones / (inputs.zones - 1) if inputs.zones > 1 else 1.0


def _processes(inputs: CapacityInputs, busy_cores: float) -> int:
    """Processes of one core each, the same number in every zone."""
    wanted = busy_cores / (inputs.utilisation_percent / 100) * _spare(inputs)
    return _over_zones(inputs, wanted)


def _over_zones(inputs: CapacityInputs, wanted: float) -> int:
    return max(1, math.ceil(round(wanted / inputs.zones, 9))) * inputs.zones


def _sinks(inputs: CapacityInputs, peak: float) -> int:
    memory = inputs.sink_memory_gib * GIB - inputs.sink_base_mib * MIB
    window = peak * inputs.resend_seconds * inputs.window_id_bytes
    by_memory = window / memory * _spare(inputs) if memory > 0 else 0.0
    by_cores = _processes(inputs, peak * inputs.sink_row_us / 1e6)
    return max(by_cores, _over_zones(inputs, by_memory))


def _partitions(inputs: CapacityInputs, peak: float, sinks: int) -> int:
    """For the ceiling of each, and for every sink to have some: in dozens."""
    room = partition_rows_per_second(inputs) * inputs.utilisation_percent / 100
    wanted = max(peak / room, sinks)
    return max(1, math.ceil(round(wanted / PARTITION_STEP, 9))) * PARTITION_STEP


def _brokers(
    inputs: CapacityInputs, kafka_bytes: float, bytes_per_second: float, cores: float
) -> int:
    """For disk, network and cores, over the zones; never fewer than there are copies."""
    used = inputs.utilisation_percent / 100
    busy = max(
        bytes_per_second / (inputs.broker_network_mb * MB), cores / inputs.broker_cores
    ) * _spare(inputs)
    wanted = max(kafka_bytes / (inputs.broker_disk_tb * TB), busy) / used
    return max(_over_zones(inputs, wanted), inputs.replication)
