"""The names of a run's events, found in whatever form an SDK puts them into a request."""

from __future__ import annotations

import base64
import binascii
import re
import zlib
from urllib.parse import parse_qsl, urlsplit

import brotli

_name = re.compile(rb"order-[0-9]+").findall


def names(count: int) -> list[str]:
    return [f"order-{number}" for number in range(1, count + 1)]


def orders_in(target: str, body: bytes, encoding: str) -> frozenset[str]:
    """Those that stand in the query or the body: plain, compressed, base64 in a form."""
    if encoding == "br":
        body = brotli.decompress(body)
    elif body.startswith(b"\x1f\x8b"):
        body = zlib.decompress(body, wbits=31)
    texts = [body]
    for form in (urlsplit(target).query, body.decode("latin-1")):
        for name, value in parse_qsl(form):
            if name == "data":
                texts += [value.encode(), _from_base64(value)]
    return frozenset(one.decode() for text in texts for one in _name(text))


def _from_base64(value: str) -> bytes:
    try:
        return base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        return b""
