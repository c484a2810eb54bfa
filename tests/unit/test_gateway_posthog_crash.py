"""`$exception` of PostHog's SDKs as crashes and errors."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.gateway_app import GatewayUnderTest
from tests.unit.test_gateway_posthog import row

JAVA: list[dict[str, Any]] = [  # as a phone has it: where it crashed comes first
    {"platform": "java", "module": "com.demo.Cart", "function": "total", "lineno": 7,
     "filename": "Cart.kt", "in_app": True},
    {"platform": "java", "module": "android.os.Handler", "function": "dispatchMessage"},
    {"platform": "java", "module": "com.android.internal.os.ZygoteInit", "function": "main"},
]  # fmt: skip
APPLE: list[dict[str, Any]] = [
    {"platform": "apple", "module": "Demo", "package": "Demo", "function": "$s4Demo",
     "instruction_addr": "0x10", "image_addr": "0x1", "in_app": True},
    {"platform": "apple", "module": "UIKitCore", "package": "UIKitCore"},
    {"platform": "apple", "module": "dyld", "package": "dyld", "function": "start"},
]  # fmt: skip


def thrown(**changes: Any) -> dict[str, Any]:
    values = {
        "type": "IllegalStateException",
        "value": "no cart",
        "module": "java.lang",
        "thread_id": 2,
        "mechanism": {"type": "UncaughtExceptionHandler", "handled": False, "synthetic": False},
        "stacktrace": {"type": "raw", "frames": JAVA[::-1]},
    }
    values.update(changes)
    return values


def crash(gateway: GatewayUnderTest, *listed: Any, level: str = "error", **more: Any) -> Any:
    """The record of an `$exception` with this list."""
    properties = {"$exception_level": level, "$exception_list": list(listed), **more}
    return row(gateway, event="$exception", properties=properties)


def stack(gateway: GatewayUnderTest, frames: list[Any]) -> list[Any]:
    one = thrown(stacktrace={"type": "raw", "frames": frames})
    return list(json.loads(crash(gateway, one)["crash_stack"]))


def test_a_crash_has_its_columns(gateway: GatewayUnderTest) -> None:
    found = crash(gateway, thrown(), level="fatal")

    assert (
        found
        | {
            "event_type": "app_crash",
            "crash_kind": "exception",
            "crash_fatal": True,
            "crash_type": "IllegalStateException",
            "crash_reason": "no cart",
        }
        == found
    )
    assert found["crash_group"] > 0
    assert found["properties"] == {
        "$exception_level": "fatal",
        "$exception_module": "java.lang",
        "$crash.thread": {"id": 2},
        "$crash.mechanism": "UncaughtExceptionHandler",
    }


@pytest.mark.parametrize(
    ("level", "handled", "event_type"),
    [
        ("fatal", True, "app_crash"),
        ("error", False, "app_crash"),
        ("error", True, "error"),
        ("warning", None, "error"),
    ],
)
def test_fatal_is_what_says_so_or_was_not_handled(
    gateway: GatewayUnderTest, level: str, handled: bool | None, event_type: str
) -> None:
    found = crash(gateway, thrown(mechanism={"handled": handled}), level=level)

    assert found["event_type"] == event_type
    assert found.get("crash_fatal", False) == (event_type == "app_crash")


@pytest.mark.parametrize(
    ("mechanism", "kind"),
    [
        ("generic", "exception"),
        ("nsexception", "exception"),
        ("signal", "signal"),
        ("mach_exception", "mach_exception"),
        ("ANR", "anr"),
        ("AppHang", "anr"),
        ("watchdog_termination", "oom"),
        ("something new", "exception"),
    ],
)
def test_the_mechanism_tells_the_kind(gateway: GatewayUnderTest, mechanism: str, kind: str) -> None:
    found = crash(gateway, thrown(mechanism={"type": mechanism, "handled": False}))

    assert found["crash_kind"] == kind


@pytest.mark.parametrize("frames", [JAVA, JAVA[::-1], APPLE, APPLE[::-1]])
def test_the_stack_lies_crash_point_first_whatever_way_it_came(
    gateway: GatewayUnderTest, frames: list[Any]
) -> None:
    found = stack(gateway, frames)

    assert [one["in_app"] for one in found if "in_app" in one] == [True]
    assert "in_app" in found[0]


def test_a_stack_without_a_known_end_has_its_crash_point_last(gateway: GatewayUnderTest) -> None:
    found = stack(gateway, [{"function": "main"}, {"function": "crashed"}])

    assert [one["function"] for one in found] == ["crashed", "main"]


def test_both_ways_are_the_same_group(gateway: GatewayUnderTest) -> None:
    for frames in (JAVA, JAVA[::-1]):
        crash(gateway, thrown(stacktrace={"frames": frames}))

    first, other = gateway.rows()
    assert first["crash_group"] == other["crash_group"]


def test_a_frame_has_our_names_and_keeps_its_others(gateway: GatewayUnderTest) -> None:
    java, apple = stack(gateway, JAVA)[0], stack(gateway, APPLE)[0]

    assert (java["file"], java["line"], java["platform"]) == ("Cart.kt", 7, "java")
    assert (apple["image"], apple["address"], apple["image_addr"]) == ("Demo", "0x10", "0x1")


def test_the_first_of_the_list_was_thrown_and_the_others_caused_it(
    gateway: GatewayUnderTest,
) -> None:
    found = crash(gateway, thrown(), thrown(type="IOException", value="disk"))

    assert found["crash_type"] == "IllegalStateException"
    (cause,) = found["properties"]["$crash.causes"]
    assert cause["type"] == "IOException"


def test_a_signal_is_kept(gateway: GatewayUnderTest) -> None:
    signal = {"name": "SIGTRAP", "code": "TRAP_BRKPT"}
    meta = {"signal": signal, "mach": {"exception": 6}}
    found = crash(gateway, thrown(mechanism={"type": "signal", "handled": False, "meta": meta}))

    assert found["properties"]["$crash.signal"] == signal
    assert found["properties"]["$exception_meta"] == {"mach": {"exception": 6}}


def test_before_there_was_a_list_the_properties_said_it(gateway: GatewayUnderTest) -> None:
    properties = {
        "$exception_type": "TypeError",
        "$exception_message": "x is undefined",
        "$exception_stack_trace_raw": "at total (cart.js:7:1)",
    }
    found = row(gateway, event="$exception", properties=properties)

    assert (found["event_type"], found["crash_type"]) == ("error", "TypeError")
    assert found["crash_reason"] == "x is undefined"
    assert found["crash_stack"] == "at total (cart.js:7:1)"
    assert "properties" not in found


@pytest.mark.parametrize("listed", [7, [], [7], {"a": 1}, [[]]])
def test_a_list_that_is_none_is_kept_as_it_came(gateway: GatewayUnderTest, listed: Any) -> None:
    found = row(gateway, event="$exception", properties={"$exception_list": listed})

    assert found["event_type"] == "error"
    assert found["properties"] == {"$exception_list": listed}


@pytest.mark.parametrize(
    "broken",
    [
        {"stacktrace": 7},
        {"stacktrace": {"frames": [7, None, {"lineno": "x", "in_app": "maybe"}]}},
        {"mechanism": [1]},
        {"type": {"a": 1}, "value": None, "thread_id": [1]},
    ],
)
def test_odd_parts_of_a_crash_cost_only_themselves(
    gateway: GatewayUnderTest, broken: dict[str, Any]
) -> None:
    assert crash(gateway, thrown(**broken), level="fatal")["event_type"] == "app_crash"


def test_source_lines_go_before_frames_do(gateway: GatewayUnderTest) -> None:
    source = {"pre_context": ["x" * 400] * 5, "context_line": "y"}
    frames = [{**JAVA[0], "lineno": n, **source} for n in range(200)]
    found = crash(gateway, thrown(stacktrace={"frames": frames}))

    kept = json.loads(found["crash_stack"])
    assert [one["line"] for one in kept] == list(range(199, -1, -1))
    assert "context_line" not in kept[0]
    assert found["properties"]["$exception_frames_cut"] == 0


def test_a_stack_without_end_is_cut_far_from_the_crash(gateway: GatewayUnderTest) -> None:
    frames = [{"function": "f" * 100, "lineno": n} for n in range(5000)]
    found = crash(gateway, thrown(stacktrace={"frames": frames}))

    kept = json.loads(found["crash_stack"])
    assert kept[0]["line"] == 4999
    assert found["properties"]["$exception_frames_cut"] == 5000 - len(kept) > 0


def test_causes_that_are_too_large_lose_their_stacks(gateway: GatewayUnderTest) -> None:
    frames = [{"function": "f" * 100}] * 1000
    causes = [thrown(type=f"E{n}", stacktrace={"frames": frames}) for n in range(3)]
    found = crash(gateway, thrown(), *causes)

    kept = found["properties"]["$crash.causes"]
    assert [one["type"] for one in kept] == ["E0", "E1", "E2"]
    assert not any("stacktrace" in one for one in kept)
    assert found["properties"]["$exception_causes_cut"] == 0
