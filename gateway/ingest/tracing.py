"""The port for spans of POSTs: None where nothing is traced, which costs one look per POST."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from msgspec import Struct

from gateway.contract.record import Run
from gateway.protocols.protocol import Head
from gateway.publish.publisher import Settle


class Arrived(Struct, frozen=True):
    """A POST whose records are ready."""

    head: Head
    protocol: str
    request_id: str
    received_ms: int  # Unix time


class Traces(Protocol):
    """Follows some POSTs from their head to the outcome of their records."""

    def follow(
        self, arrived: Arrived, runs: Sequence[Run], settle: Settle
    ) -> tuple[Sequence[Run], Settle]:
        """What to submit in their place: marked records, and a `settle` that ends the span."""
