"""One line of a stack of text as a frame, in the form of whichever platform wrote it.

Lines are taken apart at fixed marks, never by a pattern that could look twice at one character.
"""

from __future__ import annotations

from gateway.contract.grouping.frame import Frame

_HEX = frozenset("0123456789abcdefABCDEF")
_JS_NATIVE = ("native", "[native code]", "<anonymous>")


def frame_of(line: str) -> Frame | None:
    """The frame that a stripped line stands for; None where it is none."""
    if line.startswith("at "):
        return _after_at(line[3:].strip())
    if line.startswith("#"):
        number, _, rest = line[1:].partition(" ")
        return _numbered(rest.strip()) if number.rstrip(".:").isdecimal() else None
    if line.startswith(("package:", "dart:")):
        return _dart_terse(line)
    if line.endswith((")", ">:0")) and (" (at " in line or " in <" in line):
        return _dotnet(line)
    if "@" in line and (frame := _safari(line)) is not None:
        return frame
    number, _, rest = line.partition(" ")
    if number.isdecimal():
        return _apple(rest.strip())
    if number[:-1].isdecimal() and number[-1] in ".:" and rest:
        return Frame(function=rest.partition(" + ")[0].strip())
    return None


def _after_at(text: str) -> Frame | None:
    """Java, JavaScript (V8 and Hermes) and .NET all write `at …`."""
    if not text:
        return None
    if " [0x" in text or " in <" in text or ".cs:" in text or " in /" in text:
        return _dotnet(text)
    if not text.endswith(")"):
        return Frame(file=_place(text)) if _is_place(text) else Frame(function=text)
    head, mark, inside = text[:-1].partition(" (")
    if mark:
        inside = inside.removeprefix("address at ")
        if _is_place(inside) or inside in _JS_NATIVE or inside.startswith("eval at "):
            return Frame(function=head, file=_place(inside))
        if inside.startswith("index "):
            return Frame(function=head, file="native")  # Promise.all and its like
        return _dotnet(text)
    head, _, inside = text[:-1].rpartition("(")
    return _java(head, inside)


def _java(head: str, inside: str) -> Frame | None:
    module, _, function = head.strip().rpartition(".")
    if not function:
        return None
    return Frame(module=module.rpartition("/")[2], function=function, file=inside.partition(":")[0])


def _dotnet(text: str) -> Frame:
    """`Type.Method (args) [0x0] in <hash>:0`, `Type:Method(args) (at Assets/File.cs:3)`."""
    head = text.partition("(")[0].strip()
    before, _, rest = head.partition(" [0x")
    head = before if rest else head
    separator = ":" if ":" in head else "."
    module, _, function = head.rpartition(separator)
    if separator == "." and function in ("ctor", "cctor"):
        module, function = module.rstrip("."), f".{function}"
    return Frame(module=module.strip("."), function=function)


def _numbered(text: str) -> Frame | None:
    """Android's tombstones, Dart's virtual machine, and debuggers write `#0 …`."""
    if text.startswith("pc "):
        return _tombstone(text[3:].strip())
    if text.startswith("abs "):
        virtual = text.partition(" virt ")[2].strip()
        symbol, _, offset = virtual.partition(" ")[2].partition("+")
        return Frame(image=symbol.strip(), offset=offset.strip())
    if text.endswith(")") and (" (package:" in text or " (dart:" in text or " (file:" in text):
        function, _, place = text[:-1].rpartition(" (")
        return Frame(function=function, file=_place(place))
    if text.startswith("0x") and " in " in text:
        text = text.partition(" in ")[2]
    function = text.partition(" (")[0].strip()
    return Frame(function=function) if function and not function.startswith("<") else None


def _tombstone(text: str) -> Frame | None:
    """`0001a2b4  /data/app/…/libapp.so (symbol+124) (BuildId: …)`, after the word pc."""
    offset, _, rest = text.partition(" ")
    rest = rest.partition(" (BuildId: ")[0].strip()
    image, _, inside = rest.partition(" (")
    if inside.startswith("offset "):
        inside = inside.partition(" (")[2]
    if not image or not _is_hex(offset):
        return None
    symbol = inside.removesuffix(")").rpartition("+")
    function = symbol[0] if symbol[1] and symbol[2].isdecimal() else inside.removesuffix(")")
    return Frame(image=image.rstrip("!"), function=function, offset=offset.lstrip("0"))


def _dart_terse(line: str) -> Frame | None:
    """`package:shop/cart.dart 42:7  Cart.open`"""
    parts = line.split(None, 2)
    if len(parts) < 2:
        return None
    has_place = parts[1][0].isdecimal()
    function = parts[2] if has_place and len(parts) == 3 else " ".join(parts[1:])
    return Frame(function=function, file=parts[0])


def _safari(line: str) -> Frame | None:
    """`open@http://host/main.js:12:3`, as JavaScriptCore writes it."""
    function, _, place = line.partition("@")
    if place in _JS_NATIVE or (_is_place(place) and " " not in function):
        return Frame(function=function, file=_place(place))
    return None


def _apple(text: str) -> Frame | None:
    """`Image  0x104f2c1a4 symbol + 124 (File.swift:42)`, after the frame's number."""
    image, mark, rest = text.partition(" 0x")
    if not mark:
        return None
    symbol = rest.partition(" ")[2].strip()
    name, _, offset = symbol.partition(" + ")
    if not name or name.startswith("0x"):  # no names are known: image base and place in it
        place = offset.partition(" ")[0]
        return Frame(image=image.strip(), offset=f"{int(place):x}" if _is_small(place) else "")
    return Frame(image=image.strip(), function=name.strip())


def _is_small(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) < 20


def _is_hex(text: str) -> bool:
    return 0 < len(text) <= 20 and _HEX.issuperset(text)


def _is_place(text: str) -> bool:
    """Whether text ends with `:line` or `:line:column`."""
    before, mark, last = text.rpartition(":")
    return bool(before and mark) and last.isascii() and last.isdecimal()


def _place(text: str) -> str:
    """A place without line and column."""
    for _ in range(2):
        if _is_place(text):
            text = text.rpartition(":")[0]
    return text
