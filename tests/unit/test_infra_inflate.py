"""Compressed bodies of the local ClickHouse: whole or refused, never fewer rows than were sent."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from itertools import chain

import lz4.frame
import pytest
import zstandard

from infra.local.clickhouse.errors import ClickHouseError
from infra.local.clickhouse.inflate import inflate

Pack = Callable[[bytes], bytes]

CAP = 1_000_000
NOISE = bytes((number * number) % 251 for number in range(20_000))


def undeclared(body: bytes) -> bytes:
    """A zstd frame that does not tell how large it will be."""
    stream = zstandard.ZstdCompressor(write_content_size=False).compressobj()
    return stream.compress(body) + stream.flush()


every = pytest.mark.parametrize(
    ("encoding", "pack"),
    [
        pytest.param("gzip", gzip.compress, id="gzip"),
        pytest.param("zstd", zstandard.ZstdCompressor().compress, id="zstd"),
        pytest.param("zstd", undeclared, id="zstd-undeclared"),
        pytest.param("lz4", lz4.frame.compress, id="lz4"),
    ],
)


def code_of(body: bytes, encoding: str, cap: int = CAP) -> int:
    with pytest.raises(ClickHouseError) as refused:
        inflate(body, encoding, cap)
    return refused.value.code


@every
@pytest.mark.parametrize("body", [b"", b"x", NOISE], ids=["empty", "short", "long"])
def test_a_body_comes_back(encoding: str, pack: Pack, body: bytes) -> None:
    assert inflate(pack(body), encoding, CAP) == body


@every
def test_members_behind_one_another_are_one_body(encoding: str, pack: Pack) -> None:
    """What `cat a.gz b.gz` makes, and parallel compressors write."""
    parts = [b"a\n", b"", NOISE, b"b\n"]

    assert inflate(b"".join(map(pack, parts)), encoding, CAP) == b"".join(parts)


@every
def test_a_body_cut_anywhere_is_refused(encoding: str, pack: Pack) -> None:
    packed = pack(b"row\n" * 50)

    codes = {code_of(packed[:length], encoding) for length in range(1, len(packed))}
    later = {code_of(packed + packed[:length], encoding) for length in range(1, len(packed))}

    assert codes | later == {354}


@every
def test_what_is_no_member_behind_the_last_one_is_refused(encoding: str, pack: Pack) -> None:
    assert code_of(pack(b"row\n") + b'{"n":1}\n', encoding) == 354


@every
def test_the_cap_is_of_all_members_together(encoding: str, pack: Pack) -> None:
    half, one = pack(b"x" * 500), pack(b"y")

    assert len(inflate(half + half, encoding, 1000)) == 1000
    for body in (half + half + one, pack(b"x" * 1001), pack(b"x" * 10_000_000)):
        assert code_of(body, encoding, 1000) == TOO_LARGE


TOO_LARGE = 229  # QUERY_IS_TOO_LARGE


@pytest.mark.parametrize("encoding", ["", "identity", " Identity "])
def test_a_plain_body_is_left_as_it_is(encoding: str) -> None:
    assert inflate(NOISE, encoding, CAP) == NOISE


def test_another_encoding_is_501() -> None:
    with pytest.raises(ClickHouseError) as refused:
        inflate(b"x", "br", CAP)

    assert (refused.value.code, refused.value.status) == (48, 501)


def test_names_are_read_whatever_their_case() -> None:
    chained = bytes(chain(NOISE, b"!"))
    assert inflate(gzip.compress(chained), "GZIP", CAP) == chained
