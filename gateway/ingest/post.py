"""One POST with events, from its head to its answer.

Called by whoever carries it, with what arrives; calls back once, with the answer. No task and no
future: what waits for Kafka is this object alone.
"""

from __future__ import annotations

import logging
import random
from collections.abc import Callable, Sequence

from gateway.contract.record import Run
from gateway.contract.refusal import Refusal, RefusalCode, Refused
from gateway.contract.verdict import Kept, Verdicts
from gateway.edge.admission import Place, Shed, retry_after_seconds
from gateway.edge.inflate import encoding_of, inflate
from gateway.edge.response import Response
from gateway.ingest.door import admit
from gateway.ingest.services import Services
from gateway.ingest.taking import Arrival, take
from gateway.ingest.tracing import Arrived, Traces
from gateway.prepare.batch import Outcomes
from gateway.protocols.protocol import Answer, Head, Protocol, Route
from gateway.protocols.times import rfc3339_of
from gateway.publish.publisher import IN_KAFKA, Outcome

log = logging.getLogger(__name__)

BUG = "internal error"

Respond = Callable[[Response], None]


class Post:
    """A POST: once let in, it holds a place until it is answered, or its client leaves."""

    __slots__ = (
        "_head", "_is_whole", "_key", "_outcomes", "_owner", "_parts", "_place", "_protocol",
        "_received_ms", "_request_id", "_respond", "_services", "_size", "is_over",
    )  # fmt: skip

    def __init__(
        self, services: Services, protocol: Protocol, route: Route, head: Head, request_id: str,
        respond: Respond,
    ) -> None:  # fmt: skip
        self._services = services
        self._protocol = protocol
        self._owner = route.owner
        self._head = head
        self._request_id = request_id
        self._respond = respond
        self._received_ms = services.now_ms()
        self._key: str | None = None
        self._place: Place | None = None  # None: not let in yet, or left
        self._parts: list[bytes] = []  # of its body
        self._size = 0
        self._is_whole = False
        self._outcomes: Sequence[Outcomes] = ()
        self.is_over = False  # answered, or left by its client

    def enter(self) -> bool:
        """Whether it is let in, and its body wanted; if not, it has been answered."""
        try:
            self._key, self._place = admit(
                self._services, self._protocol, self._head, self._received_ms
            )
        except Refused as refused:
            self._refuse(refused)
        except Exception:
            log.exception(BUG, extra={"request_id": self._request_id})
            self._fail()
        return not self.is_over

    @property
    def body_seconds(self) -> float:
        """How long its body may take, from the head on."""
        return self._services.body_limits.seconds(self._size)

    def arrived(self, chunk: bytes) -> None:
        """A part of the body is here."""
        try:
            size = self._size = self._size + len(chunk)
            if (place := self._place) is not None and size > place.bytes:
                self._services.body_limits.check(size)  # no head declared so much
                place.grow(size)
            self._parts.append(chunk)
        except Refused as refused:
            self._refuse(refused)
        except Exception:
            log.exception(BUG, extra={"request_id": self._request_id})
            self._fail()

    def too_slow(self) -> None:
        """The body has had its time."""
        self._refuse(self._services.body_limits.too_slow())

    def gone(self) -> None:
        """The client has left. What is whole is kept and counted nevertheless."""
        if not self.is_over and not self._is_whole:
            self._leave()
            self._services.metrics.disconnects.inc()

    def complete(self) -> None:
        """The body is whole."""
        self._is_whole = True
        try:
            runs = self._prepare()
            if not runs:
                self._settle(IN_KAFKA)
            elif self._services.traces is None:
                self._services.publisher.submit(runs, self._settle)
            else:
                self._submit_traced(self._services.traces, runs)
        except Refused as refused:
            self._refuse(refused)
        except RecursionError:  # a part is decoded from a deeper call than the whole was
            self._refuse(Refused(RefusalCode.TOO_DEEP, "the body is nested too deep"))
        except Exception:
            log.exception(BUG, extra={"request_id": self._request_id})
            self._fail()

    def _submit_traced(self, traces: Traces, runs: Sequence[Run]) -> None:
        name, received_ms = self._protocol.name, self._received_ms
        arrived = Arrived(self._head, name, self._request_id, received_ms)
        self._services.publisher.submit(*traces.follow(arrived, runs, self._settle))

    def _prepare(self) -> list[Run]:
        """The records to keep. Nothing holds the body or what was decoded from it afterwards:
        while they wait for Kafka, a POST keeps them alone in memory. Raises Refused."""
        services, head, place = self._services, self._head, self._place
        assert place is not None  # noqa: S101  # a POST that was not let in has no body
        parts, self._parts = self._parts, []
        body = parts[0] if len(parts) == 1 else b"".join(parts)
        body = inflate(body, encoding_of(head), services.body_limits.max_bytes)
        if self._owner is not None:
            self._protocol = self._owner(head, body)
        protocol = self._protocol
        batches = protocol.decode(head, body)
        arrival = Arrival(protocol, head, self._request_id, self._received_ms, self._key, place)
        runs, self._outcomes = take(services, arrival, batches)
        size = 0
        for one in runs:
            size += sum(map(len, one.values))
        place.resize(size)
        return runs

    def _settle(self, outcome: Outcome) -> None:
        """How keeping the records ended. Called by the publisher, so nothing may leave it."""
        if self.is_over:
            return
        try:
            services, kept = self._services, outcome.kept
            if kept is None:
                services.counts.refused(sum(one.decoded for one in self._outcomes))
                text = f"not known to be kept: {outcome.reason}"
                self._refuse(Refused(RefusalCode.NOT_KEPT, text))
                return
            services.counts.kept(self._outcomes)
            now_ms = services.now_ms()
            server_time = rfc3339_of(now_ms)
            verdicts = [_verdicts(one, kept, server_time) for one in self._outcomes]
            self._end(self._protocol.reply(self._head, verdicts), None, now_ms)
        except Exception:
            log.exception(BUG, extra={"request_id": self._request_id})
            self._fail()

    def _refuse(self, refused: Refused) -> None:
        if self.is_over:
            return
        services = self._services
        services.metrics.refusals.add(refused.code)
        wait = None
        if refused.refusal in (Refusal.OVERLOADED, Refusal.OVER_SHARE):
            pressure = (refused if isinstance(refused, Shed) else services.admission).pressure
            wait = retry_after_seconds(pressure, random.random())  # noqa: S311
        self._end(self._protocol.refuse(self._head, refused), wait, services.now_ms())

    def _fail(self) -> None:
        """An error of our own, counted. No SDK may drop what it could send again."""
        self._services.metrics.bugs.inc()
        self._refuse(Refused(RefusalCode.INTERNAL_ERROR, "try again later"))

    def _end(self, answer: Answer, wait: int | None, now_ms: int) -> None:
        """Answer; `wait` are the seconds of its Retry-After, if it has one."""
        self._leave()
        services = self._services
        seconds = (now_ms - self._received_ms) / 1000
        services.metrics.answered(self._protocol.name, answer.status, seconds)
        told = wait if answer.tells_wait else None
        self._respond(services.responses.of(answer, self._request_id, told))

    def _leave(self) -> None:
        self.is_over = True
        if self._place is not None:
            self._place.leave()
            self._place = None


def _verdicts(outcomes: Outcomes, kept: Kept, server_time: str) -> Verdicts:
    return Verdicts(
        decoded=outcomes.decoded,
        rejected=outcomes.rejected,
        duplicates=outcomes.duplicates,
        kept=kept,
        server_time=server_time,
        receipt=outcomes.receipt,
    )
