"""What workers and their keeper share: frames, bounds, one page of metrics, a watch on the loop."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from gateway.config import GatewayConfig
from gateway.edge.admission import Admission, AdmissionLimits
from gateway.metrics import Metrics
from gateway.publish.spool.port import Fate, SpoolAnswer
from gateway.watchdog import EXIT_CODE, ROUNDS, Watchdog
from gateway.workers.crew import share_of
from gateway.workers.run_folder import RunFolder
from gateway.workers.scrape import Family, ask, families, page, serve_metrics
from gateway.workers.wire import (
    MAX_FRAME_BYTES,
    STATUS,
    Frames,
    Handed,
    WireError,
    answer_frame,
    entry_frame,
    read_answer,
    read_entry,
    status_frame,
)
from tests.kafka import until

handed = st.builds(
    Handed, st.integers(1, 2**64 - 1), st.integers(0, 2**32 - 1), st.booleans(), st.binary()
)
answers = st.builds(SpoolAnswer, st.sampled_from(Fate), st.text(max_size=20))


class TestWire:
    @given(st.lists(handed, max_size=5), st.integers(1, 50))
    def test_entries_arrive_however_the_stream_is_cut(self, sent: list[Handed], cut: int) -> None:
        stream = b"".join(chunk for one in sent for chunk in entry_frame(one))
        frames = Frames()

        pieces = [stream[start : start + cut] for start in range(0, len(stream), cut)]
        read = [read_entry(frame) for piece in pieces for frame in frames.feed(piece)]

        assert read == sent

    @given(st.integers(1, 2**64 - 1), answers)
    def test_answers_arrive(self, number: int, answer: SpoolAnswer) -> None:
        (frame,) = Frames().feed(answer_frame(number, answer))

        assert read_answer(frame) == (number, answer)

    @pytest.mark.parametrize("reason", [None, "the spool is full"])
    def test_a_status_is_no_answer_to_an_entry(self, reason: str | None) -> None:
        (frame,) = Frames().feed(status_frame(reason))
        number, answer = read_answer(frame)

        assert number == STATUS
        assert (answer.reason or None) == reason

    @given(st.binary(max_size=40))
    def test_any_bytes_are_read_or_are_no_frame(self, data: bytes) -> None:
        for read in (read_entry, read_answer):
            try:
                read(data)
            except WireError:
                assert True

    def test_a_frame_beyond_any_entry_is_none(self) -> None:
        with pytest.raises(WireError, match="a frame of"):
            list(Frames().feed((MAX_FRAME_BYTES + 1).to_bytes(4)))


class TestShare:
    def test_bounds_of_the_host_are_divided(self) -> None:
        share = share_of(GatewayConfig(max_inflight_requests=5, device_requests_per_second=4), 2)

        assert (share.max_inflight_requests, share.device_requests_per_second) == (3, 2)

    def test_what_is_off_stays_off(self) -> None:
        share = share_of(GatewayConfig(dead_letters_per_second=0), 8)

        assert (share.dead_letters_per_second, share.address_requests_per_second) == (0, 0)


def _ours(told: list[Family]) -> list[Family]:
    """Without memory and CPU, which differ from one look to the next."""
    return [one for one in told if one.name.startswith("telemetry_")]


class TestMetrics:
    def test_every_series_says_whose_it_is(self) -> None:
        one, other = Metrics(), Metrics()
        one.events.add("accepted", count=3)
        other.events.add("accepted", count=4)
        one.request_seconds.observe(0.003)

        text = page({"0": families(one), "1": families(other), "2": None}).decode()

        samples = {
            (sample.name, sample.labels["worker"], sample.labels.get("outcome")): sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
            if sample.labels.get("le") is None
        }
        assert samples["telemetry_gateway_events_total", "0", "accepted"] == 3
        assert samples["telemetry_gateway_events_total", "1", "accepted"] == 4
        assert samples["telemetry_gateway_http_request_duration_seconds_count", "0", None] == 1
        up = [samples["telemetry_gateway_worker_up", worker, None] for worker in "012"]
        assert up == [1, 1, 0]

    def test_what_is_in_flight_is_told_as_it_is_when_asked(self) -> None:
        admission = Admission(AdmissionLimits(requests=9, bytes=900, key_percent=100))
        metrics = Metrics()
        metrics.watch(admission)
        admission.enter("key", 100)

        told = {one.name: one.samples[0][2] for one in families(metrics) if one.samples}

        assert told["telemetry_gateway_inflight_requests"] == 1
        assert told["telemetry_gateway_inflight_bytes"] == 100

    async def test_processes_tell_each_other_and_the_silent_one_is_left_out(self) -> None:
        run = RunFolder.make(lanes=1)
        metrics = Metrics()
        metrics.write_keys.set(7)
        path = run.metrics_socket("0")
        telling = asyncio.create_task(serve_metrics(path, metrics))
        await until(path.exists, what="the socket")

        told = await ask(path)
        silent = await ask(run.metrics_socket("1"))

        telling.cancel()
        run.remove()
        assert told is not None
        assert _ours(told) == _ours(families(metrics))
        assert silent is None


class TestRunFolder:
    def test_a_board_is_shared_by_all_that_open_it(self) -> None:
        run = RunFolder.make(lanes=3)
        one, other = run.board(), run.board()

        one[2] = 1

        assert other[:] == b"\0\0\1"
        run.remove()
        assert not run.path.exists()

    def test_a_path_that_no_socket_can_have_is_refused(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        deep = tmp_path / ("x" * 100)
        deep.mkdir()
        monkeypatch.setattr("tempfile.tempdir", str(deep))

        with pytest.raises(OSError, match="TMPDIR is too long"):
            RunFolder.make(lanes=1)
        assert list(deep.iterdir()) == []


class TestWatchdog:
    def test_a_loop_that_beats_is_not_stuck(self) -> None:
        watchdog = Watchdog()
        for _ in range(5 * ROUNDS):
            watchdog.beat()
            assert not watchdog.is_stuck()

    def test_silence_for_so_many_rounds_is_stuck(self) -> None:
        watchdog = Watchdog()
        watchdog.beat()

        assert [watchdog.is_stuck() for _ in range(ROUNDS + 1)] == [False] * ROUNDS + [True]

    def test_one_beat_ends_a_silence(self) -> None:
        watchdog = Watchdog()
        for _ in range(3):
            assert not any(watchdog.is_stuck() for _ in range(ROUNDS - 1))
            watchdog.beat()

    def test_a_process_whose_loop_stands_still_ends(self) -> None:
        code = (
            "import asyncio, threading, gateway.watchdog as watchdog\n"
            "watchdog.ROUND_SECONDS = 0.02\n"
            "async def main():\n"
            "    watchdog.watch_loop()\n"
            "    threading.Event().wait(60)\n"
            "asyncio.run(main())\n"
        )

        done = subprocess.run([sys.executable, "-c", code], timeout=50, check=False)

        assert done.returncode == EXIT_CODE
