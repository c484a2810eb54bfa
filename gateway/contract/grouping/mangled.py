"""Names as compilers of Swift, C++ and Rust write them into machine code, read back as paths.

No more is read than what groups need: the names that lead to a function, without its types.
"""

from __future__ import annotations

import re

MAX_PARTS = 20
MAX_WORDS = 26  # Swift's own limit: one for each letter

_hash = re.compile(r"h[0-9a-f]{16}")
_swift_maker = re.compile(r"f([CcDd])(?:T[A-Za-z0-9_]{0,20})?$")
_word = re.compile(r"[A-Z]+[a-z0-9]*|[a-z][a-z0-9]*")


def read(text: str) -> list[str] | None:
    """The path to the function, outermost name first; None where `text` is not mangled."""
    bare = text.lstrip("_")
    if bare.startswith(("$s", "$S")):
        return _swift(bare[2:])
    if bare.startswith("Z") and text.startswith("_"):
        return _itanium(bare[1:])
    return None


def _swift(text: str) -> list[str] | None:
    """Module, types (each followed by its kind), then the function's own name."""
    parts: list[str] = []
    words: list[str] = []
    position = 0
    while position < len(text) and not text[position].isdecimal():
        position += 1  # an extension begins with the type that it extends
    while position < len(text) and len(parts) < MAX_PARTS:
        name, position = _swift_name(text, position, words)
        if not name:
            break
        parts.append(name)
        kind = text[position : position + 1]
        if len(parts) > 1 and kind not in ("C", "V", "O", "P"):
            break
        if kind in ("C", "V", "O", "P", "E"):
            position += 1
    maker = _swift_maker.search(text[-30:])
    if maker is not None and len(parts) > 1:
        is_type = text[position - 1 : position] in ("C", "V", "O", "P")
        types = parts[1:] if is_type else parts[1:-1]  # else it was the label of an argument
        return [*types, "init" if maker[1] in "Cc" else "deinit"]
    return parts[1:] or parts or None


def _swift_name(text: str, position: int, words: list[str]) -> tuple[str, int]:
    """A name and where it ends. Parts that occurred before are written as letters after a 0."""
    found = ""
    substitutes = text.startswith("0", position)
    position += substitutes
    while True:
        while substitutes and text[position : position + 1].isalpha():
            letter = text[position]
            position += 1
            substitutes = letter.islower()
            index = ord(letter.lower()) - ord("a")
            if index >= len(words):
                return found, position
            found += words[index]
        if found and text.startswith("0", position):
            return found, position + 1
        length, position = _number(text, position)
        name = text[position : position + length]
        position += len(name)
        if not name:
            return found, position
        found += name
        words += [one for one in _word.findall(name) if len(one) > 1][: MAX_WORDS - len(words)]
        if not substitutes:
            return found, position


def _number(text: str, position: int) -> tuple[int, int]:
    end = position
    while end < len(text) and end - position < 4 and text[end].isdecimal() and text[end].isascii():
        end += 1
    return int(text[position:end] or 0), end


def _itanium(text: str) -> list[str] | None:
    """C++, and Rust before 2021: `N4Demo6decodeEi`, or one name alone."""
    parts: list[str] = []
    depth = 0  # of template arguments, which make no other function
    position = 0
    while position < len(text) and len(parts) < MAX_PARTS:
        letter = text[position]
        if letter.isdecimal():
            length, position = _number(text, position)
            if depth == 0:
                parts.append(text[position : position + length])
            position += length or 1
            if depth == 0 and not text.startswith("N") and text[position : position + 1] != "I":
                break
            continue
        position += 1
        if letter == "I" or (depth and letter in "NXLJ"):
            depth += 1
        elif letter == "E":
            if depth == 0:
                break
            depth -= 1
        elif depth == 0 and letter == "C" and parts and text[position : position + 1].isdecimal():
            parts.append(parts[-1])  # a constructor has its class's name
            break
    if parts and _hash.fullmatch(parts[-1]):
        del parts[-1]
    return parts or None
