"""The batches of a POST in, the records to keep and the outcome of every event out."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from msgspec import Struct, structs

from gateway.contract.event import Batch
from gateway.contract.record import Run
from gateway.contract.refusal import RefusalCode, Refused
from gateway.contract.verdict import Code, Rejection
from gateway.edge.admission import Place, Shed
from gateway.forgotten import without_forgotten
from gateway.ingest.door import app_of
from gateway.ingest.services import Services
from gateway.prepare.batch import Outcomes, prepare
from gateway.prepare.context import Origin
from gateway.protocols.protocol import Head, Protocol
from gateway.rejects import dead_records


class Arrival(Struct, frozen=True, gc=False):
    """A POST whose body is here."""

    protocol: Protocol
    head: Head
    request_id: str
    received_ms: int  # Unix time
    key: str | None  # where the head tells it
    place: Place


def take(
    services: Services, arrival: Arrival, batches: Sequence[Batch]
) -> tuple[list[Run], list[Outcomes]]:
    """The records in their order, as runs, and the outcomes of each batch. Raises Refused."""
    runs: list[Run] = []
    outcomes: list[Outcomes] = []
    head, protocol = arrival.head, arrival.protocol
    received_at = datetime.fromtimestamp(arrival.received_ms / 1000, UTC)
    country = head.header(services.country_header)[:8] if services.country_header else ""
    for batch, app_id in zip(batches, _apps_of(services, arrival, batches), strict=True):
        if app_id is None:
            outcomes.append(_of_nobody(batch))
            continue
        origin = Origin(
            app_id, protocol.name, arrival.request_id, received_at, country, protocol.is_retry(head)
        )
        if services.wishes.stops_any:
            batch = without_forgotten(batch, app_id, services.wishes)
        if services.denied.stops_any:
            batch = services.denied.without(batch, app_id)
        prepared = prepare(batch, origin)
        runs += prepared.runs
        told = prepared.outcomes
        if batch.ignored:
            services.counts.ignored(protocol.name, batch.ignored)
        if told.rejected:
            runs += _dead_runs(services, told, batch, origin)
            told = _without_originals(told)
        outcomes.append(told)
    return runs, outcomes


def _apps_of(services: Services, arrival: Arrival, batches: Sequence[Batch]) -> list[str | None]:
    """The app of each batch, None for an unknown key beside known ones; what only the body tells
    is checked here. Raises Refused."""
    apps: list[str | None] = []
    try:
        for batch in batches:
            key = _agreed(arrival.key, batch.write_key)
            apps.append(_app_of(services, arrival, key, is_alone=len(batches) == 1))
            if key is not None and key != arrival.key:
                arrival.place.claim(key)
        if batches and not any(apps):
            raise Refused(RefusalCode.UNKNOWN_KEY, "none of these write keys is known")
        services.callers.check_devices(batches, arrival.received_ms / 1000)
    except Shed:
        services.counts.refused(sum(len(one.events) for one in batches))
        raise
    return apps


def _app_of(services: Services, arrival: Arrival, key: str | None, *, is_alone: bool) -> str | None:
    try:
        return app_of(services, key, arrival.head, arrival.received_ms)
    except Refused as refused:
        if is_alone or refused.code is not RefusalCode.UNKNOWN_KEY:
            raise
        return None


def _agreed(head_key: str | None, body_key: str | None) -> str | None:
    """The one key of a batch. Two that differ are a mistake nobody should guess about."""
    if head_key and body_key and head_key != body_key:
        text = "the key in the head and the key in the body differ"
        raise Refused(RefusalCode.KEYS_DIFFER, text)
    return head_key or body_key


def _dead_runs(services: Services, outcomes: Outcomes, batch: Batch, origin: Origin) -> list[Run]:
    """The rejected events that their app's rate lets through."""
    rejected = [one for one in outcomes.rejected if one.code is not Code.FORGOTTEN]
    granted = services.reject_rate.take(
        origin.app_id, len(rejected), origin.received_at.timestamp()
    )
    services.metrics.dead_letters.labels("kept").inc(granted)
    services.metrics.dead_letters.labels("over_rate").inc(len(rejected) - granted)
    return dead_records(rejected[:granted], batch, origin)


def _without_originals(outcomes: Outcomes) -> Outcomes:
    """Dead letters are made: what a phone is told needs no original."""
    told = [structs.replace(one, original=b"") for one in outcomes.rejected]
    return structs.replace(outcomes, rejected=told)


def _of_nobody(batch: Batch) -> Outcomes:
    """Nobody's events: final, and no app has a dead letter of them."""
    text = "this write key is not known"
    rejected = [
        Rejection(position, Code.UNKNOWN_KEY, text, event.event_id)
        for position, event in batch.numbered()
    ]
    return Outcomes(0, {}, rejected, [], batch.receipt)
