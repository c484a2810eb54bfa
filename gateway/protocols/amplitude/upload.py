"""What an Amplitude POST carries: key, sent time and events, as JSON or as the old form."""

from __future__ import annotations

from msgspec import Raw, Struct

from gateway.contract.refusal import RefusalCode, Refused
from gateway.protocols import forms, items, reading


class Upload(Struct, frozen=True, gc=False):
    key: str
    sent_at: Raw | None
    events: list[Raw]
    unreadable: bytes | None = None  # what stands where a form's events should be


def upload_of(body: bytes) -> Upload:
    """Raises Refused."""
    if body and not forms.is_json(body):
        fields = forms.fields(body)
        if "client" in fields or "e" in fields:
            return _of_form(fields)
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
