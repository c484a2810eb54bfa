"""Sentry's stack frames as ours: crash point first, our names, and the image each lies in."""

from __future__ import annotations

from bisect import bisect_right

import msgspec
from msgspec import Raw, Struct

from gateway.protocols import reading
from gateway.protocols.loose import text_of

MAX_FRAMES = 4_000  # of a stack; no more fit into an event
_TEXTS = {"module": "module", "function": "function", "package": "image"}
_ADDRESSES = {"instruction_addr": "address", "image_addr": "image_base"}
_NUMBERS = {"lineno": "line", "colno": "column"}
_OURS = {"file", "line", "column", "address", "image", "image_base", "image_id"}
_NULL = Raw(b"null")
_values = msgspec.json.Decoder(dict[str, object])
_encode = msgspec.json.Encoder().encode


class _Values(Struct, gc=False):
    values: list[Raw]


_members: msgspec.json.Decoder[list[Raw] | _Values] = msgspec.json.Decoder(list[Raw] | _Values)


class Image(Struct, frozen=True, gc=False):
    """A file of machine code, as it lay in memory."""

    start: int
    size: int
    id: str
    file: str


class Images:
    """The images of one event, found by address."""

    def __init__(self, debug_meta: Raw | None) -> None:
        found = (_image(raw) for raw in members(reading.as_object(debug_meta).get("images")))
        self._images = sorted((one for one in found if one), key=lambda one: one.start)
        self._starts = [one.start for one in self._images]

    def at(self, address: int | None) -> Image | None:
        if address is None or not self._images:
            return None
        place = bisect_right(self._starts, address) - 1
        if place < 0:
            return None
        image = self._images[place]
        inside = address == image.start or address - image.start < image.size
        return image if inside else None


def members(raw: Raw | None) -> list[Raw]:
    """The members of what comes as `{"values": […]}`, as an array, or as a single object."""
    if raw is None:
        return []
    try:
        usual = _members.decode(raw)
    except msgspec.ValidationError:
        found = _odd_members(raw)
    else:
        found = usual if isinstance(usual, list) else usual.values
    return [one for one in found if one != _NULL] if _NULL in found else found


def _odd_members(raw: Raw) -> list[Raw]:
    """`values` may be there twice, of which the last counts, or no array."""
    keys = reading.as_object(raw)
    if "values" in keys:
        return reading.as_list(keys["values"]) or []
    return [raw] if keys else []


def values_of(raw: Raw | None) -> dict[str, object]:
    """An object's values; one that cannot be read becomes text, and the others stay."""
    if raw is None:
        return {}
    try:
        return _values.decode(raw)
    except msgspec.DecodeError:
        pass  # a number that no float holds, or no object at all
    return {name: reading.as_value(value) for name, value in reading.as_object(raw).items()}


def frames_of(stacktrace: Raw | None, images: Images) -> list[dict[str, object]]:
    """The frames of a stack trace, crash point first: on the wire that one is last."""
    wire = members(reading.as_object(stacktrace).get("frames"))
    wire.reverse()
    left_out = len(wire) - MAX_FRAMES
    if left_out > 0:
        del wire[-MAX_FRAMES // 4 - left_out : -MAX_FRAMES // 4]
    frames = [_frame(values_of(raw), images) for raw in wire]
    if left_out > 0:
        frames.insert(MAX_FRAMES - MAX_FRAMES // 4, {"function": f"[{left_out} frames left out]"})
    return frames


def as_json(value: object) -> Raw:
    return Raw(_encode(value))


def _frame(wire: dict[str, object], images: Images) -> dict[str, object]:
    frame: dict[str, object] = {}
    rest: dict[str, object] = {}
    for name, value in wire.items():
        if name in _TEXTS and (text := text_of(value)) is not None:
            frame[_TEXTS[name]] = text
        elif name in _ADDRESSES and (address := number_of(value)) is not None:
            frame[_ADDRESSES[name]] = value if isinstance(value, str) else hex(address)
        elif name in _NUMBERS and (number := number_of(value)) is not None:
            frame[_NUMBERS[name]] = number
        elif name == "in_app" and isinstance(value, bool):
            frame[name] = value
        elif value is not None:
            is_taken = name in _OURS or name in _TEXTS or name == "in_app"
            rest[f"${name}" if is_taken else name] = value
    _add_file(frame, rest)
    _add_image(frame, images)
    return {**frame, **rest}


def _add_file(frame: dict[str, object], rest: dict[str, object]) -> None:
    file, path = text_of(rest.get("filename")), text_of(rest.get("abs_path"))
    if file is not None:
        del rest["filename"]
    if path is not None and file in (None, path):
        del rest["abs_path"]
    if file or path:
        frame["file"] = file or path


def _add_image(frame: dict[str, object], images: Images) -> None:
    base, address = number_of(frame.get("image_base")), number_of(frame.get("address"))
    image = images.at(base if base is not None else address)
    if image is not None:
        frame.setdefault("image", image.file)
        frame.setdefault("image_base", hex(image.start))
        frame["image_id"] = image.id


def _image(raw: Raw) -> Image | None:
    keys = values_of(raw)
    start = number_of(keys.get("image_addr"))
    if start is None:
        return None
    name = text_of(keys.get("debug_id")) or text_of(keys.get("code_id")) or ""
    file = text_of(keys.get("code_file")) or text_of(keys.get("debug_file")) or ""
    return Image(start, number_of(keys.get("image_size")) or 0, name, file)


def number_of(value: object) -> int | None:
    """A whole number that is not negative, or its text, decimal or `0x…`."""
    if isinstance(value, bool):
        return None
    if isinstance(value, str) and len(value) <= 20:
        try:
            value = int(value, 16 if value[:2].lower() == "0x" else 10)
        except ValueError:
            return None
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**63:
        value = int(value)
    return value if isinstance(value, int) and 0 <= value < 2**64 else None
