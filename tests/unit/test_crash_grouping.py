"""Which crashes are the same: a corpus of stacks, single names, and what hostile stacks cost."""

from __future__ import annotations

import json
import sys
from types import FrameType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.contract.grouping import group, names, stack
from gateway.contract.grouping.frame import Frame
from gateway.contract.grouping.group import fixed_words, group_of, signature
from gateway.contract.grouping.lines import frame_of
from gateway.contract.grouping.names import name_of, plain_function
from gateway.contract.grouping.origin import is_own
from tests.stacks import FOLDER, Case, Crash, cases, golden

CASES = list(cases())


def parts_of(crash: Crash) -> tuple[str, ...]:
    return tuple(signature(crash.kind, crash.type, crash.reason, crash.stack))


class TestCorpus:
    @pytest.mark.parametrize(
        "case", [one for one in CASES if one.is_same], ids=lambda one: one.name
    )
    def test_the_same_crash_is_one_group(self, case: Case) -> None:
        assert len(case.crashes) > 1
        assert len({parts_of(one) for one in case.crashes}) == 1

    @pytest.mark.parametrize(
        "case", [one for one in CASES if not one.is_same], ids=lambda one: one.name
    )
    def test_other_crashes_are_other_groups(self, case: Case) -> None:
        assert len(case.crashes) > 1
        assert len({parts_of(one) for one in case.crashes}) == len(case.crashes)

    def test_a_group_changes_with_the_version_alone(self) -> None:
        """Where this fails, count GROUP_VERSION up and run `python -m tests.stacks`."""
        written = json.loads((FOLDER / "groups.json").read_text(encoding="utf-8"))

        assert written == golden()


class TestNames:
    @pytest.mark.parametrize(
        ("text", "name"),
        [
            ("bar$lambda$3", "bar"),
            ("lambda$bar$0", "bar"),
            ("bar-0E7RQCE", "bar"),
            ("bar$app_release", "bar"),
            ("<init>", "<init>"),
            ("parseV1", "parseV1"),
            ("$s7DemoApp10ImageCacheC5evictyySSF", "ImageCache.evict"),
            ("$s7DemoApp4CartC4openyyFyycfU_", "Cart.open"),
            ("$s7DemoApp0aB5CacheC5clearyyF", "DemoAppCache.clear"),
            ("$s7DemoApp7ProductV4fromACs7Decoder_p_tKcfC", "Product.init"),
            ("$s7DemoApp5startyyF", "start"),
            ("DemoApp.Cart.total.getter : Swift.Int", "Cart.total"),
            ("closure #2 (Swift.Int) -> () in DemoApp.Cart.open() -> ()", "Cart.open"),
            ("__33-[Feed reload:]_block_invoke_2", "-[Feed reload:]"),
            ("_ZN4Demo5QueueIiE4pushEi", "Demo.Queue.push"),
            ("void Demo::Queue<std::vector<int> >::push(int) const", "Demo.Queue.push"),
            ("Demo::run()::{lambda(int)#1}::operator()(int) const", "Demo.run"),
            ("Demo::run()::$_0::operator()() const", "Demo.run"),
            ("_ZN3foo3bar17h0123456789abcdefE", "foo.bar"),
            ("foo::bar::{{closure}}::h0123456789abcdef", "foo.bar"),
            ("decode.cold.1", "decode"),
            ("f_0123456789abcdef", "f_"),
            ("_Cart@12345.open.<anonymous closure>", "_Cart.open"),
            ("new Cart.fromJson", "Cart.fromJson"),
            ("?anon_0_load", "load"),
            ("Object.<anonymous>", ""),
            ("$", "$"),
            ("Cart_U3COpenU3Eb__0_m0123456789ABCDEF0123456789ABCDEF01234567", "Cart_Open"),
        ],
    )
    def test_a_function_is_called_what_its_author_called_it(self, text: str, name: str) -> None:
        assert plain_function(text, "DemoApp") == name

    @pytest.mark.parametrize(
        "frame",
        [
            Frame(module="com.example.Foo", function="access$getCart$p"),
            Frame(module="com.example.Foo$$ExternalSyntheticLambda1", function="run"),
            Frame(module="-$$Lambda$Foo$q1w2", function="onClick"),
            Frame(image="DemoApp", function="thunk for @escaping @callee_guaranteed () -> ()"),
        ],
    )
    def test_a_call_that_only_leads_to_another_has_no_name(self, frame: Frame) -> None:
        assert name_of(frame) is None

    def test_the_fixed_words_of_a_reason(self) -> None:
        text = "Order 17 of 'Ann Lee' at 0x1f took 3.5s: \"x y\" lost\nand more"

        assert fixed_words(text) == "Order of at took lost"


class TestOrigin:
    @pytest.mark.parametrize(
        ("line", "own"),
        [
            ("at com.example.Cart.open(Cart.kt:1)", True),
            ("at kotlinx.coroutines.DispatchedTask.run(DispatchedTask.kt:104)", False),
            ("at java.base/java.lang.Thread.run(Thread.java:829)", False),
            ("at open (address at index.android.bundle:1:2)", True),
            ("at apply (native)", False),
            ("at f (/app/node_modules/left/index.js:1:2)", False),
            ("at Module.load (node:internal/modules/cjs/loader:1266:32)", False),
            ("3 UIKitCore 0x1b0 -[UIApplication run] + 4", False),
            ("3 DemoApp 0x1b0 main + 4", True),
            ("3 UnityFramework 0x1b0 Cart_Open_m0123456789ABCDEF + 4", True),
            ("#00 pc 0001 /data/app/x/lib/arm64/libgame.so (run+4)", True),
            ("#00 pc 0001 /apex/com.android.art/lib64/libart.so (art::run()+4)", False),
            ("#00 pc 0001 /system/lib64/libsurface.so (run+4)", False),
            ("#0 f (package:shop/a.dart:1:2)", True),
            ("#0 f (package:flutter/src/a.dart:1:2)", False),
            ("UnityEngine.Events.UnityAction:Invoke() (at <0f>:0)", False),
        ],
    )
    def test_of_a_frame_whose_sdk_says_nothing(self, line: str, own: bool) -> None:
        frame = frame_of(line)

        assert frame is not None
        assert is_own(frame) is own

    def test_what_the_sdk_says_counts(self) -> None:
        assert is_own(Frame(module="java.util.List", function="get", in_app=True))
        assert not is_own(Frame(module="com.example.Cart", function="open", in_app=False))


class TestFrames:
    def test_a_field_of_another_type_loses_no_frame(self) -> None:
        frames = [{"module": 5, "function": "open", "line": "x", "in_app": "yes", "image": "App"}]

        (section,) = stack.sections_of(json.dumps(frames))

        assert section.frames == [Frame(function="open", image="App")]

    @pytest.mark.parametrize("text", ["[{", '{"not": "a list"}', "[1]", "[]", "", "[" * 5_000])
    def test_what_is_no_stack_has_no_frames(self, text: str) -> None:
        assert [one.frames for one in stack.sections_of(text) if one.frames] == []

    @pytest.mark.parametrize(
        "line",
        [
            "",
            "at",
            "at ",
            "attic 5",
            "7",
            "#",
            "#x y",
            "Error: no at home",
            "... 5 more",
            "404 Not Found",
        ],
    )
    def test_what_is_no_frame_is_none(self, line: str) -> None:
        assert frame_of(line.strip()) is None


def calls_of(crash: Crash) -> int:
    """How many functions run, of Python and of C, while the crash is grouped."""
    count = 0

    def on(frame: FrameType, event: str, argument: object) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    sys.setprofile(on)
    try:
        group_of(crash.kind, crash.type, crash.reason, crash.stack)
    finally:
        sys.setprofile(None)
    return count


HOSTILE = (
    *("at a.b.c(d:1)\n", "at x$1.y(", "#0 ", "1 A 0x1 ", "Caused by: x\n", "a@b:1:1\n", "\n", " "),
    *("<", ">", "$s", "$s0a", "_ZN1aI", "_ZN", "99", "$$", "closure #1 ", "{lambda", "in ", "[[["),
    *('[{"function":"', '{"in_app":true},', "()", "::", "(at ", " in <", "\x00", "ü", "\\", "--- "),
)


class TestCost:
    @pytest.mark.parametrize("piece", HOSTILE)
    def test_grows_no_faster_than_the_stack(self, piece: str) -> None:
        costs = [
            calls_of(Crash("k", "t", "r", (piece * size)[:size]))
            for size in (4_000, 16_000, 64_000)
        ]

        assert costs[1] <= 4.5 * costs[0]
        assert costs[2] <= 4.5 * costs[1]

    @pytest.mark.parametrize("piece", HOSTILE)
    @pytest.mark.timeout(10)
    def test_patterns_look_at_names_of_a_bounded_length_only(self, piece: str) -> None:
        long = piece * 20_000
        fields = {"module": long, "function": long, "file": long, "image": long}
        kept = {name: value[: stack.MAX_LINE_LENGTH] for name, value in fields.items()}

        whole = signature(long, long, long, json.dumps([fields] * 3))
        cut = signature(long, long[: group.MAX_TYPE_LENGTH], long, json.dumps([kept]))

        assert whole == cut
        assert all(len(one) <= 3 * names.MAX_NAME_LENGTH for one in whole[1:])

    def test_no_more_lines_are_read_than_the_limit(self) -> None:
        line = "\nat com.example.Cart.open(Cart.kt:1)"

        assert len(signature("k", "t", "", "\n" * (stack.MAX_LINES - 2) + line)) == 2
        assert signature("k", "t", "", "\n" * (stack.MAX_LINES - 1) + line) == ["t", ""]

    def test_no_more_names_are_worked_out_than_the_limit(self) -> None:
        frames = [{"function": f"f${one}", "in_app": True} for one in range(400)]
        more = [*frames, *({"function": "g", "in_app": True} for _ in range(4_000))]

        few, many = (
            calls_of(Crash("k", "t", "r", json.dumps(one))) - 4 * len(one) for one in (frames, more)
        )

        assert many - few < 20 * 4_000  # reading a frame, not naming it

    @given(st.lists(st.sampled_from(HOSTILE), max_size=60), st.text(max_size=80))
    def test_any_stack_has_a_group_that_fits_its_column(self, pieces: list[str], text: str) -> None:
        joined = "".join(pieces)

        assert 0 <= group_of(text, text, joined, joined + text) < 2**64
        assert 0 <= group_of("", joined, text, json.dumps([{"function": joined + text}])) < 2**64
