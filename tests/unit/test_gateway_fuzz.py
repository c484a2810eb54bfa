"""A short run of `python -m tests.fuzz`, and that it would find what it looks for."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest
import zstandard

from tests.builders import as_body, make_batch, make_event
from tests.fuzz.post import Post
from tests.fuzz.run import WEIGHTS, Fuzz, Summary
from tests.fuzz.spool_log import SpoolLog
from tests.fuzz.targets import Application, Violation, check_record
from tests.gateway_app import KEY
from tests.records import Record

HEAD = [(b"authorization", b"Bearer " + KEY.encode())]
GOOD = as_body(make_batch())


def nothing(_: Summary) -> None:
    """Nobody watches."""


async def test_whatever_comes_the_answer_is_true_and_never_an_error_of_ours(
    tmp_path: Path,
) -> None:
    summary = await Fuzz(tmp_path, seed=7).run(5000, 60, nothing)

    assert summary.failures == []
    assert summary.inputs >= 1000
    for target in WEIGHTS:
        both = {"whole", "damaged"} if target == "log" else {"200", "400"}
        assert both <= set(summary.answers[target]), f"{target} is not exercised"


async def test_an_input_is_remade_from_its_number(tmp_path: Path) -> None:
    first, again = Fuzz(tmp_path / "1", seed=7), Fuzz(tmp_path / "2", seed=7)
    for number in range(50):
        await first.one("native", number)
        await again.one("native", number)

    assert first.summary.answers == again.summary.answers


@pytest.mark.parametrize("pack", [gzip.compress, zstandard.compress], ids=["gzip", "zstd"])
async def test_a_compressed_body_cut_at_each_of_its_bytes_is_refused(
    tmp_path: Path, pack: object
) -> None:
    assert callable(pack)
    application, body = Application(tmp_path), pack(GOOD)
    name = b"gzip" if pack is gzip.compress else b"zstd"
    headers = [*HEAD, (b"content-encoding", name)]

    for cut in range(len(body)):
        status = await application.ask(Post("POST", "/v1/events", headers, body[:cut]))
        assert status == "400", f"cut at {cut}"
    assert await application.ask(Post("POST", "/v1/events", headers, body)) == "200"


async def test_a_body_cut_at_each_of_its_bytes_is_refused(tmp_path: Path) -> None:
    application = Application(tmp_path)
    for cut in range(len(GOOD)):
        assert await application.ask(Post("POST", "/v1/events", HEAD, GOOD[:cut])) == "400"


class TestControls:
    def test_a_log_that_loses_an_entry_is_found(self, tmp_path: Path) -> None:
        with pytest.raises(Violation, match="there came"):
            SpoolLog(tmp_path)._check(b"", ["0"])

    async def test_an_internal_error_is_found(self, tmp_path: Path) -> None:
        fuzz = Fuzz(tmp_path, seed=7)
        del fuzz._application.under_test.publisher.records  # so that keeping fails

        await fuzz.run(1000, 60, nothing)

        assert len(fuzz.summary.failures) >= 20

    async def test_an_answer_5xx_is_found(self, tmp_path: Path) -> None:
        application = Application(tmp_path)
        application.under_test.publisher.fail_next = 1

        with pytest.raises(Violation, match="status 503"):
            await application.ask(Post("POST", "/v1/events", HEAD, GOOD))

    async def test_a_record_that_is_missing_is_found(self, tmp_path: Path) -> None:
        application = Application(tmp_path)
        body = as_body(make_batch(make_event(), make_event(event_id="2")))
        application.under_test.publisher.loses = 1

        with pytest.raises(Violation, match=r"2 events accepted, 1 records"):
            await application.ask(Post("POST", "/v1/events", HEAD, body))

    @pytest.mark.parametrize(
        ("value", "text"),
        [
            (b'{"event_id":"1"', "broken"),
            (b'{"event_id":"\xff"}', "broken"),
            (b'{"event_id":"1","evil":2}', "other keys"),
            (b'{"app_id":"1","event_id":"2"}', "other keys"),
            (b'{"event_id":"1","app_id":"a","app_id":"b"}', "twice"),
        ],
    )
    def test_a_bad_record_is_found(self, value: bytes, text: str) -> None:
        with pytest.raises(Violation, match=text):
            check_record(Record("app-events", b"d", value))
