"""A path that two vendors post to: whose a POST is, its body tells."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType

from gateway.contract.event import Batch
from gateway.contract.refusal import Refused
from gateway.contract.verdict import Verdicts
from gateway.protocols.protocol import Answer, Head, Protocol, Route


class _Keys(Struct, gc=False):
    events: Raw | UnsetType = UNSET


_keys = msgspec.json.Decoder(_Keys)


class SharedBatch:
    """`/batch`: Amplitude's has `events`; all else is PostHog's, also what cannot be read."""

    def __init__(self, posthog: Protocol, amplitude: Protocol) -> None:
        self.name = posthog.name
        self.routes: Sequence[Route] = (Route("POST", "/batch", owner=self._owner),)
        self._posthog = posthog
        self._amplitude = amplitude

    def _owner(self, head: Head, body: bytes) -> Protocol:
        try:
            return self._posthog if _keys.decode(body).events is UNSET else self._amplitude
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return self._posthog

    def check(self, head: Head) -> None:
        self._posthog.check(head)

    def credentials(self, head: Head) -> str | None:
        return self._posthog.credentials(head)

    def decode(self, head: Head, body: bytes) -> list[Batch]:
        return self._posthog.decode(head, body)

    def is_retry(self, head: Head) -> bool:
        return self._posthog.is_retry(head)

    def reply(self, head: Head, verdicts: Sequence[Verdicts]) -> Answer:
        return self._posthog.reply(head, verdicts)

    def refuse(self, head: Head, refused: Refused) -> Answer:
        return self._posthog.refuse(head, refused)
