"""The rule file: TOML in, rules and channels out, or the one field that is wrong."""

from __future__ import annotations

import re
import tomllib
from base64 import b64decode
from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any, get_args
from urllib.parse import urlsplit

import msgspec
from msgspec import Struct

from sinks.alerts.rules import Channel, Email, Rule, RuleBook

MIN_SECRET_BYTES = 24
MAX_NAME_LENGTH = 64

_MISSING = re.compile(r"missing required field `(\w+)`")
_UNKNOWN = re.compile(r"unknown field `(.*)`")


class RuleError(Exception):
    """The rule file cannot be used. The text names the rule or channel, and the field."""


def read_rules(path: str) -> RuleBook:
    """Raises RuleError."""
    try:
        text = Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise RuleError(f"{path}: {error}") from None
    return parse_rules(text, Path(path).parent)


def parse_rules(text: str, folder: Path) -> RuleBook:
    """Files that it names are looked for from `folder`. Raises RuleError."""
    try:
        tables = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise RuleError(f"no TOML: {error}") from None
    for name in tables:
        if name not in ("rule", "channel"):
            raise RuleError(f"{name}: a rule file has tables [rule.NAME] and [channel.NAME] only")
    channels = {
        name: _channel(name, table, folder) for name, table in _tables(tables, "channel").items()
    }
    rules = {name: _rule(name, table, channels) for name, table in _tables(tables, "rule").items()}
    if not rules:
        raise RuleError("there is no rule; one is a table [rule.NAME]")
    return RuleBook(rules, channels)


def _tables(tables: Mapping[str, Any], kind: str) -> dict[str, dict[str, Any]]:
    found = tables.get(kind, {})
    if not isinstance(found, dict):
        raise RuleError(f"{kind}: must be tables [{kind}.NAME]")
    for name, table in found.items():
        if not isinstance(table, dict):
            raise RuleError(f"{kind} {name}: must be a table [{kind}.{name}]")
        if len(name) > MAX_NAME_LENGTH or not name.isprintable():
            raise RuleError(f"{kind} {name!r}: a name has at most {MAX_NAME_LENGTH} characters")
    return found


def _rule(name: str, table: dict[str, Any], channels: Mapping[str, Channel]) -> Rule:
    rule: Rule = _convert(f"rule {name}", table, Rule, {"name", "type"})
    for channel in rule.channels:
        if channel not in channels:
            near = get_close_matches(channel, channels, n=1)
            hint = f"; did you mean {near[0]}?" if near else ""
            raise RuleError(f"rule {name}: channels: there is no channel {channel}{hint}")
    return msgspec.structs.replace(rule, name=name)


def _channel(name: str, table: dict[str, Any], folder: Path) -> Channel:
    channel: Channel = _convert(f"channel {name}", table, Channel, {"secret", "type"})
    if isinstance(channel, Email):
        for address in channel.to:
            local, _, domain = address.partition("@")
            if not (local and domain) or not address.isprintable() or set(address) & set(" ,;<>"):
                raise RuleError(f"channel {name}: to: {address!r} is no mail address")
        return channel
    _check_url(name, channel.url)
    return msgspec.structs.replace(channel, secret=_secret(name, folder / channel.secret_file))


def _check_url(name: str, url: str) -> None:
    try:
        parts = urlsplit(url)
        is_good = bool(parts.scheme == "https" and parts.hostname and parts.port != 0)
    except ValueError:
        is_good = False
    if not is_good or parts.username or parts.password or not url.isprintable():
        raise RuleError(f"channel {name}: url: must be https://host/…, without a user")


def _secret(name: str, path: Path) -> bytes:
    try:
        text = path.read_text(encoding="ascii").strip()
        secret = b64decode(text.removeprefix("whsec_"), validate=True)
    except (OSError, ValueError) as error:
        said = error.strerror if isinstance(error, OSError) else "it is not base64"
        raise RuleError(f"channel {name}: secret_file: {path}: {said}") from None
    if len(secret) < MIN_SECRET_BYTES:
        raise RuleError(
            f"channel {name}: secret_file: {path}: has less than {MIN_SECRET_BYTES} bytes"
        )
    return secret


def _convert(place: str, table: dict[str, Any], to: Any, reserved: set[str]) -> Any:
    """A table as a struct; the error names its field."""
    for one in sorted(reserved - {"type"}):
        if one in table:
            raise RuleError(f"{place}: {one}: is no option")
    try:
        return msgspec.convert(table, to)
    except msgspec.ValidationError as error:
        raise RuleError(f"{place}: {_said(str(error), to, table)}") from None


def _said(text: str, to: Any, table: Mapping[str, Any]) -> str:
    """What msgspec says, with the field first."""
    if found := _MISSING.search(text):
        return f"{found[1]}: is missing"
    if found := _UNKNOWN.search(text):
        fields = (one for kind in get_args(to) if _tag(kind) == table.get("type")
                  for one in kind.__struct_fields__)  # fmt: skip
        near = get_close_matches(found[1], fields, n=1)
        return f"{found[1]}: is no option{f'; did you mean {near[0]}?' if near else ''}"
    said, _, where = text.partition(" - at `$.")
    field = where.rstrip("`")
    return f"{field}: {said}" if field else said


def _tag(kind: type[Struct]) -> str | int | None:
    return kind.__struct_config__.tag
