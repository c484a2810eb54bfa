"""Stacks retraced by small mappings, whose answers a reader can derive by hand."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sinks.retrace.excerpt import MAX_BYTES, excerpt
from sinks.retrace.files import kind_of, read_file
from sinks.retrace.frames import MappingError, Mappings
from sinks.retrace.mapping import ProguardMapping, SourceMap
from sinks.retrace.script import bundle_of
from sinks.retrace.stack import MAX_LINES, bundles_in, classes_in, retraced

# Lines 1 to 3 of `a` are lines 10 to 12 of open; its line 4 is `sum`, inlined on line 14 of open.
CART = """\
com.example.Cart -> a.b:
# {"id":"sourceFile","fileName":"Cart.kt"}
    1:3:void open(int):10:12 -> a
    4:4:int com.example.Price.sum(int[]):33:33 -> a
    4:4:void open(int):14 -> a
    void close() -> b
"""
PRICE = """\
com.example.Price -> a.d:
# {"id":"sourceFile","fileName":"Price.kt"}
    1:1:int total():7:7 -> a
"""
ERROR = "com.example.CartError -> a.c:\n"
R8 = CART + PRICE + ERROR


def java(content: str = R8) -> Mappings:
    return Mappings(java=ProguardMapping(content.encode()))


class TestJava:
    @pytest.mark.parametrize(
        ("came", "read"),
        [
            ("\tat a.b.a(SourceFile:2)", ["\tat com.example.Cart.open(Cart.kt:11)"]),
            ("  at a.b.a(Unknown Source:1)", ["  at com.example.Cart.open(Cart.kt:10)"]),
            (
                "\tat a.b.a(SourceFile:4)",
                [
                    "\tat com.example.Price.sum(Price.kt:33)",
                    "\tat com.example.Cart.open(Cart.kt:14)",
                ],
            ),
            ("\tat a.b.b(SourceFile)", ["\tat com.example.Cart.close(Cart.kt)"]),
            ("\tat a.b.b(SourceFile:7)", ["\tat com.example.Cart.close(Cart.kt:7)"]),
            ("\tat app//a.d.a(SourceFile:1)", ["\tat app//com.example.Price.total(Price.kt:7)"]),
            ("\tat a.b.a(SourceFile:1) [app]", ["\tat com.example.Cart.open(Cart.kt:10) [app]"]),
        ],
    )
    def test_a_frame_is_told_by_its_line(self, came: str, read: Sequence[str]) -> None:
        assert retraced(came, java()).split("\n") == read

    def test_a_method_that_nobody_knows_keeps_its_name_in_a_known_class(self) -> None:
        assert retraced("\tat a.b.zz(SourceFile:9)", java()) == (
            "\tat com.example.Cart.zz(SourceFile:9)"
        )

    def test_a_file_that_nobody_knows_is_said_to_be_unknown(self) -> None:
        content = CART.replace('# {"id":"sourceFile","fileName":"Cart.kt"}\n', "")

        assert retraced("\tat a.b.a(SourceFile:2)\n\tat a.b.a(Cart.java:2)", java(content)) == (
            "\tat com.example.Cart.open(Unknown Source:11)\n"
            "\tat com.example.Cart.open(Cart.java:11)"
        )

    def test_exceptions_and_their_causes_have_their_names(self) -> None:
        came = "\n".join(
            [
                'Exception in thread "main" a.c: a.c is closed',
                "a.c: as a line of the message",
                "\tat a.b.a(SourceFile:1)",
                "\tSuppressed: a.c",
                "Caused by: a.c: too dear",
                "Caused by: java.io.IOException: no network",
                "\t... 2 more",
            ]
        )

        assert retraced(came, java()).split("\n") == [
            'Exception in thread "main" com.example.CartError: a.c is closed',
            "a.c: as a line of the message",
            "\tat com.example.Cart.open(Cart.kt:10)",
            "\tSuppressed: com.example.CartError",
            "Caused by: com.example.CartError: too dear",
            "Caused by: java.io.IOException: no network",
            "\t... 2 more",
        ]

    @pytest.mark.parametrize(
        "line",
        [
            "\tat android.os.Handler.dispatchMessage(Handler.java:106)",
            "\tat x.y.a(SourceFile:1)",
            "at a.b.a",
            "#00 pc 0000 /data/app/lib.so (a.b.a+4)",
            "",
        ],
    )
    def test_other_lines_stay(self, line: str) -> None:
        assert retraced(f"head\n{line}", java()) == f"head\n{line}"


# The bundle's only line: columns 0 to 3 are line 1, column 1 of cart.ts, where `open` stands;
# from column 4 on it is line 2, column 5, where `total` stands. In base 64: A is 0, C 1, I 4; the
# numbers of a segment are column, source, line, column, name, each less what stood before.
SEGMENTS = "AAAAA,IACIC"
MAP = json.dumps(
    {"version": 3, "sources": ["cart.ts"], "names": ["open", "total"], "mappings": SEGMENTS}
)


def script() -> Mappings:
    return Mappings(scripts={"app.js": SourceMap(MAP.encode())})


class TestScript:
    @pytest.mark.parametrize(
        ("came", "read"),
        [
            ("    at a (app.js:1:2)", "    at a (cart.ts:1:1)"),
            ("    at a (https://x.example/js/app.js?v=1#x:1:6)", "    at a (cart.ts:2:5)"),
            ("    at https://x.example/app.js:1:5", "    at cart.ts:2:5"),
            ("    at async a (app.js:1:2)", "    at async a (cart.ts:1:1)"),
            ("    at a (address at app.js:1:3)", "    at a (cart.ts:1:1)"),
            ("    at a (address at app.js:1:4)", "    at a (cart.ts:2:5)"),
            ("a@/var/Shop.app/app.js:1:4", "a@cart.ts:1:1"),
            ("@app.js:1:5", "@cart.ts:2:5"),
        ],
    )
    def test_a_place_is_told_in_the_form_in_which_it_came(self, came: str, read: str) -> None:
        assert retraced(came, script()) == read

    def test_a_function_has_the_name_that_stands_where_it_was_called(self) -> None:
        came = "    at new a (app.js:1:2)\n    at b (app.js:1:5)\n    at forEach (native)"

        assert retraced(came, script()).split("\n") == [
            "    at new total (cart.ts:1:1)",
            "    at b (cart.ts:2:5)",
            "    at forEach (native)",
        ]

    def test_a_name_beside_the_place_of_the_call_is_not_the_functions(self) -> None:
        came = "a@app.js:1:2\nb@app.js:1:6"

        assert retraced(came, script()) == "a@cart.ts:1:1\nb@cart.ts:2:5"

    def test_a_function_that_the_map_names_has_that_name(self) -> None:
        # As React Native's maps have it: from line 1, column 0 on `<global>`, from column 1 on
        # `openCart`, in base 64 as column, name and line, each less what stood before.
        functions = [[{"names": ["<global>", "openCart"], "mappings": "AAA,CCA"}]]
        content = json.dumps({**json.loads(MAP), "x_facebook_sources": functions})
        known = Mappings(scripts={"app.js": SourceMap(content.encode())})

        assert retraced("a@app.js:1:5\nb@app.js:1:5", known) == (
            "openCart@cart.ts:2:5\nopenCart@cart.ts:2:5"
        )

    @pytest.mark.parametrize(
        "line",
        ["    at a (other.js:1:2)", "a@app.js:2:1", "a@app.js:1:0", "a@[native code]", "app.js:1:2",
         "    at a (app.js:1:2", "    at app.js:1:2)"],
    )  # fmt: skip
    def test_other_lines_stay(self, line: str) -> None:
        assert retraced(line, script()) == line

    @pytest.mark.parametrize(
        "url", ["app.js", "/var/app.js", "https://x/a/app.js?q=/y.js#/z", "C:\\x\\app.js"]
    )
    def test_a_bundle_is_known_by_its_file_name(self, url: str) -> None:
        assert bundle_of(url) == "app.js"


class TestJsonFrames:
    def test_frames_of_java_and_of_a_script(self) -> None:
        frames = [
            {"module": "a.b", "function": "a", "line": 4, "in_app": True},
            {"function": "a", "file": "app:///app.js?platform=ios", "line": 1, "column": 2},
            {"function": "b", "file": "app.js", "line": 1, "column": 5},
            {"module": "android.os.Handler", "function": "dispatchMessage", "line": 106},
        ]
        known = Mappings(java().java, script().scripts)

        assert json.loads(retraced(json.dumps(frames), known)) == [
            {
                "module": "com.example.Price",
                "function": "sum",
                "file": "Price.kt",
                "line": 33,
                "in_app": True,
            },
            {
                "module": "com.example.Cart",
                "function": "open",
                "file": "Cart.kt",
                "line": 14,
                "in_app": True,
            },
            {"function": "total", "file": "cart.ts", "line": 1, "column": 1},
            {"function": "b", "file": "cart.ts", "line": 2, "column": 5},
            frames[3],
        ]

    def test_what_a_stack_names_is_found(self) -> None:
        frames = '[{"module":"a.b","function":"a"},{"file":"x/app.js?1","line":1,"column":1}]'
        text = "a.c: x\n\tat a.b.a(SourceFile)\n    at f (https://x/app.js:1:2)"

        assert (classes_in(frames), bundles_in(frames)) == ({"a.b"}, {"app.js"})
        assert {"a.b", "a.c"} <= classes_in(text)
        assert bundles_in(text) == {"app.js"}


PIECES = st.sampled_from(
    ["a.b", "a.c", "at ", "\tat ", "(", ")", ":1", ":4", "SourceFile", "app.js", "@", " (", "\n",
     "Caused by: ", ".a", "\ud800", "[", '{"module":"a.b","function":"a","line":4}', ",", "]"]
)  # fmt: skip
STACKS = st.text(max_size=300) | st.lists(PIECES, max_size=30).map("".join)


class TestAnyStack:
    KNOWN = Mappings(java().java, script().scripts)

    @given(STACKS)
    def test_is_retraced_or_left_alone(self, stack: str) -> None:
        assert retraced(stack, Mappings()) == stack
        lines = retraced(stack, self.KNOWN).split("\n")

        untouched = [
            line
            for line in stack.split("\n")
            if not any(word in line for word in ("a.b", "a.c", "a.d", "app.js"))
        ]
        assert [line for line in lines if line in untouched] == untouched
        classes_in(stack)
        bundles_in(stack)

    @given(st.recursive(st.none() | st.integers() | st.text(), st.lists, max_leaves=5))
    def test_of_frames_may_hold_anything(self, value: object) -> None:
        keys = ("module", "function", "file", "line", "column")
        frame = {"module": "a.b", "function": "a", "file": "app.js", "line": 1, "column": 1}
        stack = json.dumps([{**frame, key: value} for key in keys])

        assert len(json.loads(retraced(stack, self.KNOWN))) >= len(keys)
        classes_in(stack)

    def test_is_bounded_in_lines_and_their_length(self) -> None:
        line = "\tat a.b.a(SourceFile:1)"
        long = f"\tat a.b.a({'x' * 1_000}:1)"

        lines = retraced("\n".join([long] + [line] * MAX_LINES), java()).split("\n")

        assert (lines[0], lines[-1]) == (long, line)
        assert set(lines[1:-1]) == {"\tat com.example.Cart.open(Cart.kt:10)"}

    def test_stays_as_it_came_once_the_time_is_over(self) -> None:
        asked = iter([False, True, True])
        line = "\tat a.b.a(SourceFile:1)"

        lines = retraced("\n".join([line] * 3), java(), lambda: next(asked)).split("\n")

        assert lines == ["\tat com.example.Cart.open(Cart.kt:10)", line, line]


class TestExcerpt:
    def test_has_the_classes_and_the_files_of_what_is_inlined_there(self) -> None:
        head = "".join(PRICE.splitlines(keepends=True)[:2])

        assert excerpt(R8.encode(), {"a.b"}).decode().replace("\n\n", "\n") == CART + head
        assert excerpt(R8.encode(), {"a.c"}).decode() == ERROR
        assert excerpt(R8.encode(), {"com.example.Cart", "x"}) == b""

    @given(st.lists(st.sampled_from(["\tat a.b.a(SourceFile:4)", "\tat a.d.a(X:1)", "a.c: x"])))
    def test_says_of_a_stack_what_the_whole_says(self, lines: list[str]) -> None:
        stack = "\n".join(lines)
        part = excerpt(R8.encode(), classes_in(stack)).decode()

        assert retraced(stack, java(part) if part else Mappings()) == retraced(stack, java())

    def test_is_bounded(self) -> None:
        member = "    1:1:void open():1:1 -> a\n"
        content = "com.example.Cart -> a.b:\n" + member * (MAX_BYTES // len(member))

        with pytest.raises(MappingError, match=f"at most {MAX_BYTES} are read"):
            excerpt(content.encode(), {"a.b"})


class TestFiles:
    @pytest.mark.parametrize(
        ("name", "kind"),
        [
            ("mapping.txt", ("proguard", "")),
            ("index.android.bundle.map", ("sourcemap", "index.android.bundle")),
            ("app.js.map", ("sourcemap", "app.js")),
        ],
    )
    def test_a_files_name_tells_its_kind(self, name: str, kind: tuple[str, str]) -> None:
        assert kind_of(name) == kind

    @pytest.mark.parametrize("name", [".map", "app.js", "mapping", ""])
    def test_any_other_name_is_an_error(self, name: str) -> None:
        with pytest.raises(MappingError, match=r"is named in \.txt"):
            kind_of(name)

    def test_a_file_of_just_the_limit_is_read(self, tmp_path: Path) -> None:
        path = tmp_path / "mapping.txt"
        path.write_text(R8)

        assert read_file(path, len(R8)).content == R8
        with pytest.raises(MappingError, match=f"more than {len(R8) - 1} bytes"):
            read_file(path, len(R8) - 1)

    @pytest.mark.parametrize("content", [b"\xff\n" + R8.encode(), b"", b"a -> b\n"])
    def test_what_is_no_mapping_is_an_error(self, tmp_path: Path, content: bytes) -> None:
        path = tmp_path / "mapping.txt"
        path.write_bytes(content)

        with pytest.raises(MappingError, match=str(path)):
            read_file(path, 1_000)
