"""What a Mixpanel POST (or its GET) carries: items, and what its form asks for beside them."""

from __future__ import annotations

import re

from msgspec import Raw, Struct

from gateway.contract.refusal import RefusalCode, Refused
from gateway.protocols import forms, items
from gateway.protocols.protocol import Head

VERBOSE = "verbose"
MAX_ITEMS = 2_000  # per POST, as Mixpanel's own API takes

_token = re.compile(rb'"\$?token"\s*:\s*"([^"\\]{1,200})"').search


class Content(Struct, frozen=True, gc=False):
    """`text` is the JSON that was sent, whatever it was wrapped in."""

    text: bytes
    receipt: str  # VERBOSE where a field of the form asks for that answer

    def items(self, *, may_be_lines: bool) -> list[Raw]:
        """Raises Refused."""
        if may_be_lines:
            return items.items_or_lines_of(self.text, MAX_ITEMS)
        return items.items_of(self.text)

    def named_token(self) -> str | None:
        """The token that a text names which cannot be read."""
        found = _token(self.text)
        return found[1].decode("utf-8", "replace") if found else None


def content_of(head: Head, body: bytes) -> Content:
    """Raises Refused."""
    if forms.is_json(body):
        return Content(body, "")
    fields = forms.fields(body) or forms.fields(head.query)
    if "data" not in fields:
        if not body:
            raise Refused(RefusalCode.EMPTY_BODY, "the body is empty")
        raise Refused(RefusalCode.MISSING_FIELD, "the form has no `data`")
    return Content(
        forms.json_or_text(fields["data"]), VERBOSE if fields.get("verbose") == b"1" else ""
    )


def asks_verbose(head: Head) -> bool:
    """Whether its query asks for the verbose answer."""
    return forms.fields(head.query).get("verbose") == b"1"
