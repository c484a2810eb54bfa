"""Compressed bodies of the local ClickHouse: whole or refused, never fewer rows than were sent."""

from __future__ import annotations

import gzip
import tracemalloc
from collections.abc import Callable

import lz4.frame
import pytest
import zstandard

from infra.local.clickhouse.errors import ClickHouseError
from infra.local.clickhouse.inflate import inflate

Pack = Callable[[bytes], bytes]

CANNOT_DECOMPRESS, QUERY_IS_TOO_LARGE, NOT_IMPLEMENTED = 271, 229, 48
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
@pytest.mark.parametrize("behind", [b'{"n":2}\n', b"\0"])
def test_bytes_behind_the_end_are_refused(encoding: str, pack: Pack, behind: bytes) -> None:
    assert code_of(pack(b"row\n") + behind, encoding) == CANNOT_DECOMPRESS


@every
def test_a_second_compressed_body_behind_the_first_is_refused(encoding: str, pack: Pack) -> None:
    """What `cat a.gz b.gz` makes: its second half would be lost without a word."""
    assert code_of(pack(b"row\n") + pack(b"row\n"), encoding) == CANNOT_DECOMPRESS


@every
def test_a_body_cut_anywhere_is_refused(encoding: str, pack: Pack) -> None:
    packed = pack(b"row\n" * 50)

    codes = {code_of(packed[:length], encoding) for length in range(len(packed))}

    assert codes == {CANNOT_DECOMPRESS}


@every
def test_the_cap_is_of_the_plain_body(encoding: str, pack: Pack) -> None:
    assert inflate(pack(b"x" * 1000), encoding, 1000) == b"x" * 1000
    assert code_of(pack(b"x" * 1001), encoding, 1000) == QUERY_IS_TOO_LARGE


@every
def test_a_bomb_costs_a_small_part_of_what_it_would_be(encoding: str, pack: Pack) -> None:
    bomb = pack(bytes(256_000_000))
    tracemalloc.start()
    try:
        assert code_of(bomb, encoding, 1000) == QUERY_IS_TOO_LARGE
        assert tracemalloc.get_traced_memory()[1] < 80_000_000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("encoding", ["", "identity", " Identity "])
def test_a_plain_body_is_left_as_it_is(encoding: str) -> None:
    assert inflate(NOISE, encoding, CAP) == NOISE


def test_another_encoding_is_501() -> None:
    with pytest.raises(ClickHouseError) as refused:
        inflate(b"x", "br", CAP)

    assert (refused.value.code, refused.value.status) == (NOT_IMPLEMENTED, 501)


def test_the_name_of_an_encoding_is_read_whatever_its_case() -> None:
    assert inflate(gzip.compress(NOISE), "GZIP", CAP) == NOISE
