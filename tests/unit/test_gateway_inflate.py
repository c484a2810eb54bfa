"""Compressed bodies: every byte counts or is refused, and none costs more than the cap."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable

import brotli
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from gateway.contract.refusal import RefusalCode, Refused
from gateway.edge.inflate import encoding_of, inflate
from gateway.protocols.protocol import Head

CAP = 10_000
zstd = zstandard.ZstdCompressor().compress


def undeclared(body: bytes) -> bytes:
    """A zstd frame that does not tell how large it will be."""
    stream = zstandard.ZstdCompressor(write_content_size=False).compressobj()
    return stream.compress(body) + stream.flush()


def code_of(body: bytes, encoding: str) -> str:
    with pytest.raises(Refused) as refused:
        inflate(body, encoding, CAP)
    return refused.value.code


PACKERS = {"gzip": gzip.compress, "zstd": zstd}


class TestRoundTrip:
    @given(st.binary(max_size=CAP))
    def test_what_was_compressed_comes_back(self, body: bytes) -> None:
        assert inflate(gzip.compress(body), "gzip", CAP) == body
        assert inflate(zstd(body), "zstd", CAP) == body
        assert inflate(undeclared(body), "zstd", CAP) == body

    @given(st.binary(min_size=1, max_size=CAP), st.sampled_from([0, 5, 11]))
    def test_brotli(self, body: bytes, quality: int) -> None:
        packed = brotli.compress(body, quality=quality)

        assert inflate(packed, "br", CAP) == body
        assert code_of(packed[:-1], "br") == RefusalCode.INVALID_ENCODING
        assert code_of(packed + b"x", "br") == RefusalCode.INVALID_ENCODING

    @pytest.mark.parametrize("size", [CAP + 1, 200_000_000])
    def test_a_brotli_bomb(self, size: int) -> None:
        packed = brotli.compress(bytes(size), quality=1)

        assert code_of(packed, "br") == RefusalCode.BODY_TOO_LARGE

    @given(st.binary(max_size=CAP))
    def test_deflate_comes_with_zlib_s_header_and_without(self, body: bytes) -> None:
        bare = zlib.compressobj(wbits=-zlib.MAX_WBITS)

        assert inflate(zlib.compress(body), "deflate", CAP) == body
        assert inflate(bare.compress(body) + bare.flush(), "deflate", CAP) == body

    @pytest.mark.parametrize("encoding", ["", "identity"])
    def test_gzip_is_known_by_its_first_bytes(self, encoding: str) -> None:
        assert inflate(gzip.compress(b"{}"), encoding, CAP) == b"{}"

    @pytest.mark.parametrize(
        ("headers", "query", "encoding"),
        [
            ({b"content-encoding": b"zstd"}, b"compression=gzip", "zstd"),
            ({}, b"ip=1&compression=gzip-js", "gzip"),
            ({}, b"", ""),
        ],
    )
    def test_the_header_says_it_and_else_the_query(
        self, headers: dict[bytes, bytes], query: bytes, encoding: str
    ) -> None:
        assert encoding_of(Head("POST", "/e", query, headers)) == encoding

    @pytest.mark.parametrize("encoding", ["", "identity", " Identity "])
    def test_a_plain_body_is_left_alone(self, encoding: str) -> None:
        assert inflate(b"{}", encoding, CAP) == b"{}"

    @pytest.mark.parametrize("encoding", ["GZIP", " gzip"])
    def test_an_encoding_is_known_in_any_case(self, encoding: str) -> None:
        assert inflate(gzip.compress(b"{}"), encoding, CAP) == b"{}"


class TestRefusals:
    @pytest.mark.parametrize("encoding", ["lzma", "compress", "gzip, gzip", "gzip,zstd"])
    def test_other_encodings_and_layers_of_them(self, encoding: str) -> None:
        assert code_of(b"x", encoding) == RefusalCode.UNSUPPORTED_ENCODING

    @pytest.mark.parametrize("pack", [gzip.compress, zstd, undeclared])
    @pytest.mark.parametrize("size", [CAP + 1, 200_000_000])
    def test_a_byte_too_much_and_a_bomb(self, pack: Callable[[bytes], bytes], size: int) -> None:
        encoding = "gzip" if pack is gzip.compress else "zstd"

        assert code_of(pack(b"\0" * size), encoding) == RefusalCode.BODY_TOO_LARGE

    @pytest.mark.parametrize("encoding", PACKERS)
    @given(cut=st.integers(1, 60))
    def test_a_body_that_ends_too_early(self, encoding: str, cut: int) -> None:
        body = PACKERS[encoding](b"0123456789abcdef" * 20)

        assert code_of(body[: max(1, len(body) - cut)], encoding) == RefusalCode.INVALID_ENCODING

    @pytest.mark.parametrize("encoding", PACKERS)
    def test_a_body_that_goes_on_behind_its_end(self, encoding: str) -> None:
        one = PACKERS[encoding](b"{}")

        assert code_of(one + one, encoding) == RefusalCode.INVALID_ENCODING
        assert code_of(one + b"rest", encoding) == RefusalCode.INVALID_ENCODING

    @pytest.mark.parametrize("encoding", PACKERS)
    @given(body=st.binary(min_size=1, max_size=300))
    def test_bytes_that_are_no_stream(self, encoding: str, body: bytes) -> None:
        magic = b"\x1f\x8b" if encoding == "gzip" else zstandard.FRAME_HEADER
        if not body.startswith(magic):
            assert code_of(body, encoding) == RefusalCode.INVALID_ENCODING

    def test_a_gzip_body_with_a_wrong_sum(self) -> None:
        body = bytearray(gzip.compress(b"{}" * 100))
        body[-8] ^= 1  # the first byte of its CRC

        assert code_of(bytes(body), "gzip") == RefusalCode.INVALID_ENCODING

    def test_a_zstd_frame_whose_window_is_too_large(self) -> None:
        parameters = zstandard.ZstdCompressionParameters(window_log=27)
        stream = zstandard.ZstdCompressor(compression_params=parameters).compressobj()
        body = stream.compress(b"x" * 100) + stream.flush()

        assert code_of(body, "zstd") == RefusalCode.INVALID_ENCODING

    def test_a_deflate_stream_that_calls_itself_gzip(self) -> None:
        assert code_of(zlib.compress(b"{}"), "gzip") == RefusalCode.INVALID_ENCODING
