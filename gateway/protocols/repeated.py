"""What an SDK repeats in every event of a POST: read key by key once, then known again.

All of it is compared, by one typed pass over the event's JSON; so what is taken for a repetition
says the same, and its reader would do the same with it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Generic, TypeVar

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType

from gateway.contract.event import Context, Event
from gateway.contract.verdict import Rejection

_Text = str | int | None | UnsetType
_Flag = bool | None | UnsetType  # apart from numbers: to Python, True is 1

ValueT = TypeVar("ValueT")
Shape = msgspec.json.Decoder[Any]


class Unusual(Exception):
    """An event that the fast pass is not for: it must be read key by key."""


def shape_of(texts: Sequence[str], flags: Sequence[str] = ()) -> Shape:
    """A reader of these keys and of no other; it fails where one is of another type."""
    names = {f"text_{number}": name for number, name in enumerate(texts)}
    fields: list[Any] = [(field, _Text, UNSET) for field in names]
    for number, name in enumerate(flags):
        names[f"flag_{number}"] = name
        fields.append((f"flag_{number}", _Flag, UNSET))
    shape: type[Struct] = msgspec.defstruct("Shape", fields, rename=names, gc=False)
    return msgspec.json.Decoder(shape)


class Repeated(Generic[ValueT]):
    """Of one POST. `read` takes keys out of a dict, and looks at no others than those of the
    shape."""

    __slots__ = ("_beside", "_read", "_said", "_shape", "_taken", "_value")

    def __init__(self, shape: Shape, read: Callable[..., ValueT]) -> None:
        self._shape = shape
        self._read = read
        self._said: object = None
        self._beside: tuple[object, ...] = ()
        self._taken: list[str] = []
        self._value: ValueT

    def take(self, raw: Raw, keys: dict[str, Raw], *beside: object) -> ValueT:
        """What `read(keys, *beside)` finds. `raw` is the JSON that the keys are of. Raises
        Unusual, and whatever a decoder raises."""
        said = self._shape.decode(raw)
        if said != self._said or beside != self._beside:
            left = dict(keys)
            value = self._read(left, *beside)
            if left != {name: keys[name] for name in keys if name in left}:
                raise Unusual("something else than taking was done")
            self._said, self._beside, self._value = said, beside, value
            self._taken = [name for name in keys if name not in left]
        for name in self._taken:
            del keys[name]
        return self._value


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
