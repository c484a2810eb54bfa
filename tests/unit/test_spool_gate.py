"""The way back from the log: whatever happens when, entries are passed on in their order."""

from __future__ import annotations

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from gateway.publish.spool.gate import LaneGate, Waiting
from gateway.publish.spool.port import DIRECT, STORED, SpoolAnswer


class GateMachine(RuleBasedStateMachine):
    """A drain and a group commit around a gate. `kafka` is what has arrived there."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = LaneGate()
        self.log: list[int] = []
        self.kafka: list[int] = []
        self.committing: list[Waiting] = []
        self.answers: dict[int, SpoolAnswer] = {}
        self.count = 0

    @rule(is_trip=st.booleans())
    def an_entry_comes(self, is_trip: bool) -> None:
        number = self.count
        self.count += 1
        if not self.gate.is_spooled and not is_trip:
            self.kafka.append(number)
            return

        def done(answer: SpoolAnswer) -> None:
            assert number not in self.answers
            self.answers[number] = answer
            if answer is DIRECT:
                self.kafka.append(number)

        self.gate.take(Waiting(str(number).encode(), done), is_trip)

    @rule()
    def a_commit_begins(self) -> None:
        if self.gate.pending and not self.committing:
            self.committing = self.gate.commit()

    @rule()
    def a_commit_ends(self) -> None:
        self.log += [int(one.entry) for one in self.committing]
        committed, self.committing = self.committing, []
        self.gate.in_commit = 0
        for waiting in committed:
            waiting.done(STORED)

    @rule(size=st.integers(1, 3))
    def the_drain_takes_some(self, size: int) -> None:
        if size >= len(self.log):
            self.gate.close()
        self.kafka += self.log[:size]
        del self.log[:size]

    @rule()
    def the_gate_is_opened(self) -> None:
        self.gate.open()

    @rule()
    def the_drain_finds_the_log_empty(self) -> None:
        if not self.log and self.gate.is_quiet:
            self.gate.to_direct()

    @invariant()
    def they_arrive_in_their_order(self) -> None:
        assert self.kafka == sorted(self.kafka)

    def teardown(self) -> None:
        """Nothing is forgotten: all arrives once the log is drained."""
        self.a_commit_ends()
        self.gate.open()
        self.a_commit_begins()
        self.a_commit_ends()
        self.the_drain_takes_some(len(self.log) or 1)
        self.the_drain_finds_the_log_empty()
        assert self.kafka == list(range(self.count))
        assert not self.gate.is_spooled


TestGate = GateMachine.TestCase
