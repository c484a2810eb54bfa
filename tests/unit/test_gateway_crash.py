"""Crashes as columns, and which of them are the same crash."""

from __future__ import annotations

import json
from hashlib import sha256
from typing import Any

import msgspec
from msgspec import Raw

from gateway.contract.event import Crash, ExceptionInfo
from gateway.contract.grouping.group import group_of
from gateway.prepare.crash import MAX_STACK_BYTES, fields_of


def crash(frames: Any = None, **changes: Any) -> Crash:
    """A NullPointerException with these frames."""
    values = {"exception": ExceptionInfo("NullPointerException", "no cart"), **changes}
    if frames is not None:
        values["frames"] = Raw(json.dumps(frames).encode())
    return Crash(**values)


def frame(function: str, in_app: bool = True, **more: Any) -> dict[str, Any]:
    return {"module": "com.example.Cart", "function": function, "in_app": in_app, **more}


def group(frames: Any, **changes: Any) -> int:
    return fields_of(crash(frames, **changes)).group


class TestGroup:
    def test_is_the_hash_of_type_and_top_frames(self) -> None:
        text = "NullPointerException\ncom.example.Cart:open\ncom.example.Cart:main"

        assert group([frame("open"), frame("main")]) == int.from_bytes(
            sha256(text.encode()).digest()[:8]
        )

    def test_lines_addresses_and_messages_make_no_difference(self) -> None:
        one = group([frame("open", line=42, address="0x1f")])
        other = group(
            [frame("open", line=57, address="0x2e")],
            exception=ExceptionInfo("NullPointerException", "another message"),
        )

        assert one == other

    def test_frames_of_the_system_and_below_the_fifth_make_no_difference(self) -> None:
        own = [frame(name) for name in "abcde"]
        system = frame("dispatch", in_app=False)

        assert group(own) == group([system, *own]) == group([*own, frame("f")])
        assert group(own) != group([*own[:4], frame("f")])

    def test_without_frames_of_the_app_all_count(self) -> None:
        assert group([frame("a", in_app=False)]) != group([frame("b", in_app=False)])

    def test_another_type_is_another_group(self) -> None:
        frames = [frame("open")]
        other = ExceptionInfo("IOException", "no cart")

        assert group(frames) != group(frames, exception=other)

    def test_a_crash_without_a_type_is_grouped_by_its_kind(self) -> None:
        frames = [frame("open")]

        assert group(frames, exception=None, kind="anr") != group(
            frames, exception=None, kind="signal"
        )

    def test_is_that_of_the_columns_as_they_are_stored(self) -> None:
        columns = fields_of(crash(stacktrace="at a.B.c(B.kt:1)\n" * 40_000, kind="anr"))

        assert "$crash.stack_cut" in columns.extras
        assert columns.group == group_of(columns.kind, columns.type, columns.reason, columns.stack)


class TestColumns:
    def test_frames_are_stored_as_they_came(self) -> None:
        columns = fields_of(crash([frame("open", vendor_key={"a": 1})]))

        assert json.loads(columns.stack) == [frame("open", vendor_key={"a": 1})]
        assert (columns.type, columns.reason) == ("NullPointerException", "no cart")

    def test_frames_that_cannot_be_read_are_kept_as_text(self) -> None:
        columns = fields_of(crash({"not": "a list"}))

        assert json.loads(columns.stack) == {"not": "a list"}

    def test_what_has_no_column_becomes_a_property(self) -> None:
        columns = fields_of(
            crash(
                [frame("open")],
                stacktrace="raw",
                signal=Raw(b'{"name":"SIGSEGV"}'),
                causes=Raw(b"[]"),
                mechanism="uncaught",
                in_foreground=False,
            )
        )

        assert {name: bytes(value) for name, value in columns.extras.items()} == {
            "$crash.signal": b'{"name":"SIGSEGV"}',
            "$crash.mechanism": b'"uncaught"',
            "$crash.in_foreground": b"false",
            "$crash.stacktrace": b'"raw"',
        }

    def test_a_huge_stack_is_cut_between_characters_and_says_so(self) -> None:
        columns = fields_of(crash(stacktrace="ü" * MAX_STACK_BYTES))

        assert columns.stack == "ü" * (MAX_STACK_BYTES // 2)
        assert msgspec.json.decode(columns.extras["$crash.stack_cut"]) is True
