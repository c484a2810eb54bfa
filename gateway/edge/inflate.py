"""Compressed bodies inflated under a hard cap on their output.

A truncated stream, bytes behind its end, or a second layer of compression is refused: every byte
of a body either counts or is named.
"""

from __future__ import annotations

import zlib

import brotli
import zstandard
from isal import isal_zlib
from isal.igzip_lib import IsalError

from gateway.contract.refusal import RefusalCode, Refused
from gateway.protocols.protocol import Head

GZIP_MAGIC = b"\x1f\x8b"
BROTLI_STEP_BYTES = 64 * 1024
MAX_ZSTD_WINDOW_BYTES = 8 * 1024 * 1024
UNDECLARED_STEP_BYTES = 128  # 4 bytes make a block, a block holds 128 KiB: at most 4 MiB a step

_zstd_context = zstandard.ZstdDecompressor(max_window_size=MAX_ZSTD_WINDOW_BYTES)


def encoding_of(head: Head) -> str:
    """How the body is said to be compressed: by its header, else by its query (PostHog's SDKs)."""
    encoding = head.headers.get(b"content-encoding")
    if encoding is not None:
        return encoding.decode("latin-1")
    return "gzip" if head.query and b"compression=gzip" in head.query else ""


def inflate(body: bytes, encoding: str, max_bytes: int) -> bytes:
    """The plain body. `encoding` is what is said of it; gzip is also known by its first bytes,
    because some SDKs do not say it (PostHog's in browsers), and no JSON begins so. Raises Refused.
    """
    name = encoding.strip().lower()
    is_gzip = body.startswith(GZIP_MAGIC)
    if name in ("", "identity"):
        return _gzip(body, max_bytes) if is_gzip else body
    if not body:
        return body
    if name == "gzip":
        return _gzip(body, max_bytes)
    if name == "deflate":
        return _deflate(body, max_bytes)
    if name == "zstd":
        return _zstd(body, max_bytes)
    if name == "br":
        return _brotli(body, max_bytes)
    raise Refused(
        RefusalCode.UNSUPPORTED_ENCODING,
        f"Content-Encoding is `{name[:64]}`, it must be `gzip`, `deflate`, `zstd`, `br` or none",
    )


def too_large(max_bytes: int) -> Refused:
    text = f"the body has more than {max_bytes} bytes decompressed"
    return Refused(RefusalCode.BODY_TOO_LARGE, text)


def _broken(text: str) -> Refused:
    return Refused(RefusalCode.INVALID_ENCODING, text)


def _gzip(body: bytes, max_bytes: int) -> bytes:
    return _zlib(body, 16 + zlib.MAX_WBITS, "gzip", max_bytes)


def _deflate(body: bytes, max_bytes: int) -> bytes:
    """With zlib's header, as RFC 9110 has it, or without, as some clients do."""
    has_header = len(body) > 1 and body[0] & 0x0F == 8 and (body[0] << 8 | body[1]) % 31 == 0
    return _zlib(body, zlib.MAX_WBITS if has_header else -zlib.MAX_WBITS, "deflate", max_bytes)


def _zlib(body: bytes, wbits: int, name: str, max_bytes: int) -> bytes:
    stream = isal_zlib.decompressobj(wbits=wbits)
    try:
        plain: bytes = stream.decompress(body, max_bytes + 1)
    except IsalError as error:  # type: ignore[misc]  # typed as a value in its stub
        raise _broken(f"the {name} body is broken: {error}") from None
    if len(plain) > max_bytes:
        raise too_large(max_bytes)
    if not stream.eof:
        raise _broken(f"the {name} body is truncated")
    if stream.unused_data:
        raise _broken(f"the {name} body goes on behind its end")
    return plain


def _brotli(body: bytes, max_bytes: int) -> bytes:
    """Its decompressor stops at a limit, a block behind it, and is asked for more."""
    stream = brotli.Decompressor()
    plain = bytearray()
    fed = body
    try:
        while not stream.is_finished():
            piece = stream.process(fed, output_buffer_limit=BROTLI_STEP_BYTES)
            plain += piece
            if len(plain) > max_bytes:
                raise too_large(max_bytes)
            if not piece and not fed and not stream.is_finished():
                raise _broken("the br body is truncated")
            fed = b""
    except brotli.error:
        raise _broken("the br body is broken") from None
    return bytes(plain)


def _zstd(body: bytes, max_bytes: int) -> bytes:
    """The decompressor has no cap of its own. A frame that declares its size cannot exceed it;
    one that does not is fed in pieces so small that a bomb ends with one of them."""
    stream = _zstd_context.decompressobj(read_across_frames=False)
    plain = bytearray()
    fed = 0
    try:
        declared = zstandard.frame_content_size(body)
        if declared > max_bytes:
            raise too_large(max_bytes)
        step = len(body) if declared >= 0 else UNDECLARED_STEP_BYTES
        while fed < len(body) and not stream.eof:
            plain += stream.decompress(body[fed : fed + step])
            fed += step
            if len(plain) > max_bytes:
                raise too_large(max_bytes)
    except zstandard.ZstdError as error:
        raise _broken(f"the zstd body is broken: {error}") from None
    if not stream.eof:
        raise _broken("the zstd body is truncated")
    if stream.unused_data or fed < len(body):
        raise _broken("the zstd body goes on behind its end")
    return bytes(plain)
