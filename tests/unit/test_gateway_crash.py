"""Crashes as columns, and which of them are the same crash."""

from __future__ import annotations

import json
from hashlib import sha256
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw

from gateway.contract.event import Crash, ExceptionInfo
from gateway.prepare.crash import MAX_STACK_BYTES, fields_of, group_of, normalise


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

    @pytest.mark.parametrize(
        ("one", "other"),
        [
            ("Cart$1.run", "Cart$2.run"),
            ("Cart$$Lambda$14/0x00000008.run", "Cart$$Lambda$15/0x00000009.run"),
            ("closure #1 in Cart.open()", "closure #2 in Cart.open()"),
            ("libapp.so 0x7f001122", "libapp.so 0x7f003344"),
            ("f_0123456789abcdef", "f_fedcba9876543210"),
        ],
    )
    def test_what_a_compiler_names_anew_is_the_same_frame(self, one: str, other: str) -> None:
        assert normalise(one) == normalise(other)

    def test_a_stack_of_text_is_grouped_by_its_lines(self) -> None:
        one = "java.lang.E: x\n  at com.example.A.f(A.java:12)\n  at com.example.B.g(B.java:3)\n"
        same = one.replace(":12", ":99").replace(": x", ": y")
        other = one.replace("A.f", "A.h")

        groups = [fields_of(crash(stacktrace=text)).group for text in (one, same, other)]

        assert groups[0] == groups[1] != groups[2]

    @pytest.mark.parametrize(
        ("text", "frames"),
        [
            (
                "java.lang.E: no at home\r\n\tat com.example.A.f(A.java:12)\r\n\n\t... 5 more",
                ["com.example.A.f(A.java:12)"],
            ),
            ("0   App  0x1f main + 4\n1:  App  run \n", ["App  0x1f main + 4", "App  run"]),
            ("#0 0x1f in open (x=1) at a.c:3\n#1. main", ["0x1f in open (x=1) at a.c:3", "main"]),
            ("at \n  at\n7\nattic 5", []),
        ],
    )
    def test_frames_of_a_stack_of_text_are_its_marked_lines(
        self, text: str, frames: list[str]
    ) -> None:
        assert fields_of(crash(stacktrace=text)).group == group_of("NullPointerException", frames)

    @pytest.mark.parametrize(
        "text", ["\n", " \n", "\r\n", "at x" + " " * 60_000 + "y", "1" * 60_000, "at a ", "0x$1"]
    )
    def test_a_hostile_stack_costs_no_more_than_its_size(self, text: str) -> None:
        filled = (text * (70_000 // len(text) + 1))[:70_000]

        for _ in range(20):  # each took a minute when a line's end was looked for again and again
            assert fields_of(crash(stacktrace=filled)).stack == filled

    @given(st.text(), st.lists(st.text(), max_size=7))
    def test_any_text_has_a_group_that_fits_its_column(self, kind: str, frames: list[str]) -> None:
        assert 0 <= group_of(kind, frames) < 2**64


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
