"""Why a whole POST is not taken: the table of codes that phones, logs and metrics say."""

from __future__ import annotations

from enum import StrEnum


class Refusal(StrEnum):
    """The kind of a refusal. Every protocol maps each of these to its own status."""

    UNREADABLE = "unreadable"  # the body cannot be decoded
    TOO_LARGE = "too_large"
    WRONG_CONTENT_TYPE = "wrong_content_type"
    UNKNOWN_KEY = "unknown_key"  # positively unknown, revoked, or missing
    SLOW = "slow"  # the body did not arrive in time
    OVERLOADED = "overloaded"  # shed on purpose, or not known to be kept
    OVER_SHARE = "over_share"  # shed because this caller has more than its part
    METHOD = "method"


class RefusalCode(StrEnum):
    """Which rule refused a POST."""

    EMPTY_BODY = "empty_body"
    INVALID_JSON = "invalid_json"
    TOO_DEEP = "too_deep"
    INVALID_ENCODING = "invalid_encoding"
    MISSING_FIELD = "missing_field"
    INVALID_FIELD = "invalid_field"
    NO_EVENTS = "no_events"
    CONTEXT_TOO_LARGE = "context_too_large"
    BODY_TOO_LARGE = "body_too_large"
    TOO_MANY_EVENTS = "too_many_events"
    UNSUPPORTED_CONTENT_TYPE = "unsupported_content_type"
    UNSUPPORTED_ENCODING = "unsupported_encoding"
    MISSING_KEY = "missing_key"
    UNKNOWN_KEY = "unknown_key"
    KEYS_DIFFER = "keys_differ"
    BODY_TIMEOUT = "body_timeout"
    KEY_OVER_SHARE = "key_over_share"
    ADDRESS_OVER_RATE = "address_over_rate"
    DEVICE_OVER_RATE = "device_over_rate"
    TOO_MANY_UNKNOWN_KEYS = "too_many_unknown_keys"
    OVERLOADED = "overloaded"
    NOT_KEPT = "not_kept"
    INTERNAL_ERROR = "internal_error"
    METHOD_NOT_ALLOWED = "method_not_allowed"


KINDS = {
    RefusalCode.EMPTY_BODY: Refusal.UNREADABLE,
    RefusalCode.INVALID_JSON: Refusal.UNREADABLE,
    RefusalCode.TOO_DEEP: Refusal.UNREADABLE,
    RefusalCode.INVALID_ENCODING: Refusal.UNREADABLE,
    RefusalCode.MISSING_FIELD: Refusal.UNREADABLE,
    RefusalCode.INVALID_FIELD: Refusal.UNREADABLE,
    RefusalCode.NO_EVENTS: Refusal.UNREADABLE,
    RefusalCode.CONTEXT_TOO_LARGE: Refusal.UNREADABLE,
    RefusalCode.BODY_TOO_LARGE: Refusal.TOO_LARGE,
    RefusalCode.TOO_MANY_EVENTS: Refusal.TOO_LARGE,
    RefusalCode.UNSUPPORTED_CONTENT_TYPE: Refusal.WRONG_CONTENT_TYPE,
    RefusalCode.UNSUPPORTED_ENCODING: Refusal.WRONG_CONTENT_TYPE,
    RefusalCode.MISSING_KEY: Refusal.UNKNOWN_KEY,
    RefusalCode.UNKNOWN_KEY: Refusal.UNKNOWN_KEY,
    RefusalCode.KEYS_DIFFER: Refusal.UNKNOWN_KEY,
    RefusalCode.BODY_TIMEOUT: Refusal.SLOW,
    RefusalCode.KEY_OVER_SHARE: Refusal.OVER_SHARE,
    RefusalCode.ADDRESS_OVER_RATE: Refusal.OVER_SHARE,
    RefusalCode.DEVICE_OVER_RATE: Refusal.OVER_SHARE,
    RefusalCode.TOO_MANY_UNKNOWN_KEYS: Refusal.OVER_SHARE,
    RefusalCode.OVERLOADED: Refusal.OVERLOADED,
    RefusalCode.NOT_KEPT: Refusal.OVERLOADED,
    RefusalCode.INTERNAL_ERROR: Refusal.OVERLOADED,
    RefusalCode.METHOD_NOT_ALLOWED: Refusal.METHOD,
}


class Refused(Exception):
    """A whole POST is not taken. `text` names field and limit."""

    def __init__(self, code: RefusalCode, text: str) -> None:
        super().__init__(text)
        self.code = code
        self.refusal = KINDS[code]
        self.text = text
