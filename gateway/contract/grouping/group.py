"""The crash group: type and top frames of the app's own code, as one number.

It is computed from what is stored of a crash and from nothing else, so that stored crashes can be
grouped again whenever the rule changes.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from hashlib import sha256
from itertools import islice

from gateway.contract.grouping.frame import Frame, Section
from gateway.contract.grouping.names import Name, name_of
from gateway.contract.grouping.origin import ends_a_process, is_own
from gateway.contract.grouping.stack import sections_of

GROUP_VERSION = 2  # counts up whenever the same crash may get another group than before
GROUP_FRAMES = 5
MAX_NAMED_FRAMES = 100  # of an exception: frames whose names are worked out
MAX_REASON_LENGTH = 300  # characters that are looked at
MAX_TYPE_LENGTH = 300

_quoted = re.compile(r"'[^']*'|\"[^\"]*\"|`[^`]*`")
_digit = re.compile(r"[0-9]")
_in_type = re.compile(r"0[xX][0-9a-fA-F]+|\$[0-9]+")


def group_of(kind: str, exception_type: str, reason: str, stack: str) -> int:
    """The first 8 bytes of SHA-256 over type and top frames, as UInt64.

    The arguments are the columns crash_kind, crash_type, crash_reason and crash_stack. Where no
    frame has a name, the fixed words of the reason stand in.
    """
    text = "\n".join(signature(kind, exception_type, reason, stack))
    return int.from_bytes(sha256(text.encode("utf-8", "replace")).digest()[:8])


def signature(kind: str, exception_type: str, reason: str, stack: str) -> list[str]:
    """What is hashed, one part a line: two crashes with the same parts are the same crash."""
    parts = [_plain_type(exception_type) or kind]
    cause, names = _chosen(sections_of(stack))
    if cause:
        parts.append(_plain_type(cause))
    parts += [name.text for name in names]
    if not any(name.tells for name in names):
        parts.append(fixed_words(reason))
    return parts


def _chosen(sections: list[Section]) -> tuple[str, list[Name]]:
    """Type of the cause and names of the first exception with own frames; else all of the first."""
    for section in sections:
        own = _top(frame for frame in section.frames if is_own(frame))
        if own:
            return section.type, own
    if not sections:
        return "", []
    frames = sections[0].frames
    return "", _top(frame for frame in frames if not ends_a_process(frame)) or _top(frames)


def _top(frames: Iterable[Frame]) -> list[Name]:
    """The first names. A function that calls itself counts once, however deep it went."""
    names: dict[Name, None] = {}
    for frame in islice(frames, MAX_NAMED_FRAMES):
        name = name_of(frame)
        if name is not None:
            names[name] = None
        if len(names) == GROUP_FRAMES:
            break
    return list(names)


def _plain_type(text: str) -> str:
    return _in_type.sub("", text[:MAX_TYPE_LENGTH]).strip()


def fixed_words(reason: str) -> str:
    """A reason's first line without what differs from crash to crash."""
    line = reason[:MAX_REASON_LENGTH].strip().partition("\n")[0]
    words = _quoted.sub(" ", line).split()
    return " ".join(word for word in words if not _digit.search(word))
