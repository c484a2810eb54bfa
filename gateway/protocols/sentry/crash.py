"""What an event says of an error: thrown exception, causes, thread, signal, frames."""

from __future__ import annotations

from msgspec import UNSET, Raw, Struct

from gateway.contract.event import Crash, CrashKind, ExceptionInfo
from gateway.protocols import reading
from gateway.protocols.loose import text_of, without_nulls
from gateway.protocols.sentry.frames import Images, as_json, frames_of, members, values_of
from gateway.protocols.sentry.names import KINDS

MAX_EXCEPTIONS = 50
MAX_THREADS = 1_000
MAX_TYPE_LENGTH = 1_000  # characters of a type or a mechanism
_EMPTY = (b"null", b"{}", b"[]", b'""')


class Thrown(Struct, frozen=True, gc=False):
    """The exceptions of an event, the thrown one last, as on the wire."""

    values: list[dict[str, Raw]]
    mechanism: dict[str, Raw]

    @property
    def is_unhandled(self) -> bool:
        handled = (reading.as_object(one.get("mechanism")).get("handled") for one in self.values)
        return any(raw is not None and bytes(raw) == b"false" for raw in handled)

    @property
    def is_only_a_place(self) -> bool:
        """No exception at all: the stack of where a message was written (JavaScript's SDKs)."""
        synthetic = self.mechanism.get("synthetic")
        is_synthetic = synthetic is not None and bytes(synthetic) == b"true"
        return is_synthetic and not any(reading.as_text(one.get("type")) for one in self.values)


class Found(Struct, frozen=True, gc=False):
    """A crash, and the properties that keep what it has no field for."""

    crash: Crash
    extras: dict[str, Raw]


def thrown_of(exception: Raw | None) -> Thrown:
    values = [without_nulls(reading.as_object(one)) for one in members(exception)[-MAX_EXCEPTIONS:]]
    values = [one for one in values if one]
    with_one = (one for one in reversed(values) if "mechanism" in one)
    mechanism = next(with_one, {}).get("mechanism")
    return Thrown(values, without_nulls(reading.as_object(mechanism)))


def crash_of(keys: dict[str, Raw], thrown: Thrown, message: str, *, is_fatal: bool) -> Found:
    """The crash of one event. `message` stands in where nothing was thrown."""
    images = Images(keys.get("debug_meta"))
    last = thrown.values[-1] if thrown.values else {}
    threads = [
        without_nulls(reading.as_object(one)) for one in members(keys.get("threads"))[:MAX_THREADS]
    ]
    thread = _thread(threads, last.get("thread_id"))
    frames = _frames([last, thread, keys, *reversed(thrown.values[:-1])], images)
    causes = [_cause(one, images) for one in reversed(thrown.values[:-1])]
    meta = reading.as_object(thrown.mechanism.get("meta"))
    signal = _signal(meta.get("signal"))
    place = _place(thread, last.get("thread_id"))
    contexts = reading.as_object(keys.get("contexts"))
    foreground = reading.as_object(contexts.get("app")).get("in_foreground")
    mechanism = reading.as_text(thrown.mechanism.get("type"))[:MAX_TYPE_LENGTH]
    crash = Crash(
        kind=_kind(mechanism, bool(thrown.values)),
        fatal=is_fatal,
        exception=_exception(last, message),
        frames=as_json(frames) if frames else UNSET,
        signal=as_json(signal) if signal else UNSET,
        thread=as_json(place) if place else UNSET,
        causes=as_json(causes) if causes else UNSET,
        mechanism=mechanism or None,
        in_foreground=_flag(foreground),
    )
    others = [one for one in threads if one is not thread]
    extras = {"$event.threads": as_json(others)} if others else {}
    rest = _rest(last, thrown.mechanism, meta)
    return Found(crash, {**extras, **({"$event.exception": as_json(rest)} if rest else {})})


def _kind(mechanism: str, is_thrown: bool) -> CrashKind:
    if not is_thrown and not mechanism:
        return "unknown"
    return KINDS.get(mechanism.lower(), "exception")


def _exception(last: dict[str, Raw], message: str) -> ExceptionInfo:
    kind = reading.as_text(last.get("type"))[:MAX_TYPE_LENGTH]
    return ExceptionInfo(type=kind or None, message=_text(last.get("value")) or message or None)


def _text(raw: Raw | None) -> str:
    """Text, or JSON as text: some SDKs put the thrown object there."""
    return reading.as_text(raw) or (bytes(raw).decode() if raw is not None else "").strip('"')


def _thread(threads: list[dict[str, Raw]], thread_id: Raw | None) -> dict[str, Raw]:
    """The thread that crashed, else the exception's, else the one that reported."""
    for flag in ("crashed", "id", "current"):
        for thread in threads:
            if flag == "id":
                is_it = thread_id is not None and _same(thread.get("id"), thread_id)
            else:
                is_it = _flag(thread.get(flag)) is True
            if is_it:
                return thread
    return {}


def _same(one: Raw | None, other: Raw) -> bool:
    return one is not None and reading.as_text(one) == reading.as_text(other)


def _place(thread: dict[str, Raw], thread_id: Raw | None) -> dict[str, object]:
    values = {name: reading.as_value(raw) for name, raw in thread.items() if name != "stacktrace"}
    name = text_of(values.get("id")) or reading.as_text(thread_id)
    return {**values, "id": name} if name else values


def _frames(holders: list[dict[str, Raw]], images: Images) -> list[dict[str, object]]:
    """Of the first that has any."""
    for holder in holders:
        frames = frames_of(holder.get("stacktrace"), images)
        if frames:
            return frames
    return []


def _cause(value: dict[str, Raw], images: Images) -> dict[str, object]:
    cause: dict[str, object] = {
        "type": reading.as_text(value.get("type"))[:MAX_TYPE_LENGTH],
        "message": _text(value.get("value")),
        "module": reading.as_text(value.get("module")),
        "frames": frames_of(value.get("stacktrace"), images),
    }
    return {name: part for name, part in cause.items() if part}


def _signal(raw: Raw | None) -> dict[str, object]:
    """`code` is the name of the code where there is one, as `SEGV_MAPERR`."""
    signal = {name: part for name, part in values_of(raw).items() if part is not None}
    code = signal.pop("code_name", None)
    return {**signal, "code": code} if code else signal


def _flag(raw: Raw | None) -> bool | None:
    value = reading.as_value(raw)
    return value if isinstance(value, bool) else None


def _rest(
    last: dict[str, Raw], mechanism: dict[str, Raw], meta: dict[str, Raw]
) -> dict[str, object]:
    """What a thrown exception says beyond the fields of a crash."""
    placed = {"type", "value", "thread_id", "mechanism", "stacktrace"}
    rest: dict[str, object] = {name: raw for name, raw in last.items() if name not in placed}
    more = {name: raw for name, raw in mechanism.items() if name not in ("type", "handled")}
    if meta.keys() == {"signal"}:
        more.pop("meta", None)
    stack = reading.as_object(last.get("stacktrace"))
    left = {name: raw for name, raw in stack.items() if name != "frames"}
    parts = {"mechanism": _given(more), "stacktrace": _given(left)}
    return {**rest, **{name: part for name, part in parts.items() if part}}


def _given(keys: dict[str, Raw]) -> dict[str, Raw]:
    return {name: raw for name, raw in keys.items() if bytes(raw) not in _EMPTY}
