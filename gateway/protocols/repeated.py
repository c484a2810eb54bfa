"""What an SDK repeats in every event of a POST: read key by key once, then known again.

All of it is compared, by its text or by one typed pass over the event's JSON; so what is taken for
a repetition says the same, and its reader would do the same with it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Generic, TypeVar

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType

from gateway.contract.event import Context, Event
from gateway.contract.verdict import Rejection
from gateway.protocols.alike import Alike, alike_of

_Text = str | int | None | UnsetType
_Flag = bool | None | UnsetType  # apart from numbers: to Python, True is 1

ValueT = TypeVar("ValueT")
_object = msgspec.json.Decoder(dict[str, Raw])


class Unusual(Exception):
    """An event that the fast pass is not for: it must be read key by key."""


class Shape(Struct, frozen=True, gc=False):
    """A reader of these keys and of no other; it fails where one is of another type."""

    names: frozenset[str]
    decoder: msgspec.json.Decoder[Any]


def shape_of(texts: Sequence[str], flags: Sequence[str] = ()) -> Shape:
    names = {f"text_{number}": name for number, name in enumerate(texts)}
    fields: list[Any] = [(field, _Text, UNSET) for field in names]
    for number, name in enumerate(flags):
        names[f"flag_{number}"] = name
        fields.append((f"flag_{number}", _Flag, UNSET))
    shape: type[Struct] = msgspec.defstruct("Shape", fields, rename=names, gc=False)
    return Shape(frozenset(names.values()), msgspec.json.Decoder(shape))


class Repeated(Generic[ValueT]):
    """Of one POST. `read` takes keys out of a dict, and looks at no others than those of the
    shape."""

    __slots__ = (
        "_beside", "_kept", "_last", "_names", "_read", "_rest", "_said", "_shape",
        "_taken", "_value", "alike",
    )  # fmt: skip

    def __init__(self, shape: Shape, read: Callable[..., ValueT]) -> None:
        self._shape, self._names = shape.decoder, shape.names
        self._read = read
        self._said: object = None
        self._beside: tuple[object, ...] = ()
        self._value: ValueT
        self._taken: list[str] = []
        self._last: dict[str, Raw] = {}  # members that the next object may begin or end with
        self.alike: Alike | None = None  # those that two have begun or ended with
        self._kept: dict[str, Raw] = {}  # what of them is not taken
        self._rest: dict[str, Raw] = {}  # what of the shape stands beside them

    def take(self, raw: Raw, *beside: object) -> tuple[ValueT, dict[str, Raw]]:
        """What `read(keys, *beside)` finds in an object, and the keys that it leaves. Raises
        Unusual, and whatever a decoder raises."""
        if self.alike is not None and beside == self._beside:
            keys = self._left_of(self.alike, bytes(raw))
            if keys is not None:
                return self._value, keys
        keys = _object.decode(raw)
        said = self._shape.decode(raw)
        if said != self._said or beside != self._beside:
            self._read_anew(keys, said, beside)
        elif self._last:
            self._learn(bytes(raw), keys)
        for name in self._taken:
            del keys[name]
        return self._value, keys

    def _left_of(self, alike: Alike, text: bytes) -> dict[str, Raw] | None:
        """The keys that are left of an object that says the same; None where it may not."""
        rest = alike.rest_of(text)
        if rest is None:
            return None
        keys = _object.decode(rest)
        for name, raw in self._rest.items():
            if keys.pop(name, None) != raw:
                return None
        if not self._names.isdisjoint(keys):
            return None
        return alike.joined(self._kept, keys) if self._kept else keys

    def _read_anew(self, keys: dict[str, Raw], said: object, beside: tuple[object, ...]) -> None:
        self._said, self.alike = None, None
        left = dict(keys)
        value = self._read(left, *beside)
        if left != {name: keys[name] for name in keys if name in left}:
            raise Unusual("something else than taking was done")
        self._said, self._beside, self._value = said, beside, value
        self._taken = [name for name in keys if name not in left]
        self._last = dict(keys)

    def _learn(self, text: bytes, keys: dict[str, Raw]) -> None:
        """What is learned again is a part of what was learned before: in the end there is
        nothing to learn."""
        self.alike = alike = alike_of(text, keys, self._last)
        self._last = alike.members if alike is not None else {}
        self._rest = {
            one: raw for one, raw in keys.items() if one in self._names and one not in self._last
        }
        self._kept = {one: raw for one, raw in self._last.items() if one not in self._taken}
        if not self._rest.keys() <= set(self._taken):  # one that is looked at and left
            self.alike, self._last = None, {}


def take_context(events: Sequence[Event | Rejection]) -> Context | None:
    """The context that all events repeat, taken from them to be their batch's; None, and nothing
    is taken, where they differ."""
    own = [event for event in events if type(event) is Event]
    shared = own[0].context if own else None
    if shared is None or any(one.context is not shared and one.context != shared for one in own):
        return None
    for event in own:
        event.context = None
    return shared
