"""Where a DSN's public key lies: a header, the query, or a DSN in the envelope itself."""

from __future__ import annotations

import re
from urllib.parse import parse_qsl

from gateway.protocols.protocol import Head

_dsn = re.compile(r"https?://([^:@/\s]+)(?::[^@/\s]*)?@").match


def auth_of(head: Head) -> dict[str, str]:
    """The `sentry_…` pairs of the head; those of the header win over those of the query."""
    pairs = dict(parse_qsl(head.query.decode("latin-1")))
    for name in (b"authorization", b"x-sentry-auth"):
        text = head.header(name).strip()
        scheme, _, rest = text.partition(" ")
        if scheme.lower() != "sentry":
            continue
        for part in rest.split(","):
            key, _, value = part.strip().partition("=")
            pairs[key] = value.strip().strip('"')
    return pairs


def key_of_dsn(text: str) -> str | None:
    """`https://KEY@host/project`, with or without an old secret behind the key."""
    found = _dsn(text)
    return found[1] if found else None
