"""What a run is said to have come to: in lines, and on the page with plots."""

from __future__ import annotations

import pytest

from loadtest.load import Load
from loadtest.meter import NO_REPLY, Sample
from loadtest.page import page_of
from loadtest.plan import Plan
from loadtest.summary import summarise, wrong_with

GOOD = Sample(
    at=1, length=1, users=8, accepted=40, answers={"200": 10}, latencies={0: 9, 50: 1}
)  # fmt: skip
BUSY = Sample(
    at=2, length=1, users=9, accepted=4, answers={"200": 1, "503": 7, NO_REPLY: 1},
    latencies={10: 8}, retry_after={3: 5, 9: 2},
)  # fmt: skip
LOAD = Load(
    plan=Plan(shape="herd", devices=9, seconds=2, seed=7, time_factor=60, write_key="secret-key"),
    gateway_url="http://gateway/<b>",
)


def test_the_summary_tells_what_was_measured() -> None:
    said = dict(summarise([GOOD, BUSY]))

    assert said == {
        "length": "2.0 s",
        "phones at most": "9",
        "POSTs": "19; 9.5 a second",
        "events acknowledged with 200": "44; 22.0 a second, 40 in the best one",
        "answers": "200: 11, 503: 7, no reply: 1",
        "latency of answers": "p50 1.0 ms, p90 1.7 ms, p99 11.8 ms, p99.9 11.8 ms",
        "Retry-After": "in 7 answers: 3 to 9 s",
    }


def test_a_full_gateway_is_nothing_wrong() -> None:
    assert wrong_with([GOOD, BUSY]) == []


@pytest.mark.parametrize(
    ("samples", "word"),
    [
        ([], "no event"),
        ([Sample(at=1, length=1, answers={"503": 5})], "no event"),
        ([GOOD, Sample(at=2, length=1, refused=1)], "final no"),
        ([GOOD, Sample(at=2, length=1, broken=1)], "our own code"),
    ],
)
def test_what_must_not_be_is_named(samples: list[Sample], word: str) -> None:
    (wrong,) = wrong_with(samples)

    assert word in wrong


class TestPage:
    def test_it_needs_nothing_from_elsewhere_and_has_every_plot(self) -> None:
        page = page_of(LOAD, [GOOD, BUSY], "2026-11-24 05:20 UTC")
        titles = [one.partition("</h2>")[0] for one in page.split("<h2>")[1:]]

        assert titles == [
            "Requests and events per second", "Latency", "Answers by status", "Phones",
            "Retry-After",
        ]  # fmt: skip
        assert page.count("Plotly.newPlot(") >= len(titles)
        assert "<script src=" not in page
        assert "plotly.js v" in page

    def test_it_tells_the_summary_and_no_secret(self) -> None:
        page = page_of(LOAD, [GOOD, BUSY], "2026-11-24 05:20 UTC")

        assert "44; 22.0 a second" in page
        assert "http://gateway/&lt;b&gt;" in page
        assert "secret-key" not in page
        assert 'class="wrong"' not in page

    def test_it_says_what_is_wrong(self) -> None:
        page = page_of(LOAD, [Sample(at=1, length=1, refused=3)], "2026-11-24 05:20 UTC")

        assert '<p class="wrong">no event was acknowledged; 3 POSTs' in page

    def test_a_run_without_a_sample_has_a_page_too(self) -> None:
        assert "no event was acknowledged" in page_of(LOAD, [], "2026-11-24 05:20 UTC")
