"""What an Amplitude POST carries: key, sent time and events, as JSON or as the old form."""

from __future__ import annotations

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType

from gateway.contract.refusal import RefusalCode, Refused
from gateway.protocols import forms, items, reading


class Upload(Struct, frozen=True, gc=False):
    key: str
    sent_at: Raw | None
    events: list[Raw]
    unreadable: bytes | None = None  # what stands where a form's events should be


class _Usual(Struct, gc=False):
    """What has another type, or lacks its events, fails this pass."""

    events: list[Raw]
    api_key: str = ""
    client_upload_time: Raw | UnsetType = UNSET


_usual = msgspec.json.Decoder(_Usual)


def upload_of(body: bytes) -> Upload:
    """Raises Refused."""
    if body and not forms.is_json(body):
        fields = forms.fields(body)
        if "client" in fields or "e" in fields:
            return _of_form(fields)
    try:
        if reading.is_utf8(body):
            usual = _usual.decode(body)
            sent_at = usual.client_upload_time
            return Upload(usual.api_key, None if sent_at is UNSET else sent_at, usual.events)
    except reading.UNREADABLE:
        pass  # what can be read of it is read key by key
    keys = reading.json_object(body)
    events = reading.as_list(keys.get("events"))
    if events is None:
        raise Refused(RefusalCode.MISSING_FIELD, "Expected `array` - at `$.events`")
    return Upload(reading.as_text(keys.get("api_key")), keys.get("client_upload_time"), events)


def _of_form(fields: dict[str, bytes]) -> Upload:
    """`client`, `e` (a JSON array) and `upload_time` (milliseconds)."""
    key = fields.get("client", b"").decode("utf-8", "replace")
    if "e" not in fields:
        raise Refused(RefusalCode.MISSING_FIELD, "the form has no `e`")
    time = fields.get("upload_time", b"")
    sent_at = Raw(b'"%b"' % time) if time.isdigit() else None
    try:
        return Upload(key, sent_at, items.items_of(fields["e"]))
    except Refused:
        return Upload(key, sent_at, [], fields["e"])
