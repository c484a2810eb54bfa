"""What every process does at its start: read its options, set up its log, ask the clock.

Environment in, one frozen options struct out. A wrong option stops the process and is named.
"""

from __future__ import annotations

import importlib.metadata
import json
import logging
import re
import sys
import time
from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import TypeVar

import msgspec

ConfigT = TypeVar("ConfigT", bound=msgspec.Struct)

SECRETS = ("password", "write_key")  # how the names of fields end that nobody is shown
HIDDEN = "(set)"
_IN_URL = re.compile(r"(://)[^/@\s]*@")  # who asks, and a password

GOOD, FOUND_WRONG, BAD_USAGE = 0, 1, 2  # exit codes of every command


class ConfigError(Exception):
    """An option is unknown, out of its range, or unreadable. The text names it."""


def load_config(
    config_type: type[ConfigT], prefixes: Mapping[str, str], environ: Mapping[str, str]
) -> ConfigT:
    """Build `config_type` from the environment.

    `prefixes` maps an environment prefix to the prefix of the fields it fills:
    `{"TELEMETRY_SINK_": "", "TELEMETRY_KAFKA_": "kafka_"}`. The first prefix belongs to this
    process alone, so an unknown name under it is an error; the others are shared, and names
    that this process has no use for are left alone. `NAME_FILE` gives a secret by its file.
    Raises ConfigError.
    """
    fields = {field.name: field for field in msgspec.structs.fields(config_type)}
    values: dict[str, str] = {}
    origin: dict[str, str] = {}
    for number, (prefix, field_prefix) in enumerate(prefixes.items()):
        for name in sorted(key for key in environ if key.startswith(prefix)):
            field = field_prefix + name.removeprefix(prefix).lower()
            text = environ[name]
            if field not in fields and field.endswith("_file"):
                field = field.removesuffix("_file")
                if field in fields:
                    text = _secret(name, text)
            if field not in fields:
                if number == 0:
                    raise ConfigError(_unknown(name, prefix, field_prefix, list(fields)))
                continue
            values[field] = text
            origin[field] = name
    try:
        return msgspec.convert(values, config_type, strict=False)
    except msgspec.ValidationError as error:
        raise ConfigError(_named(str(error), origin)) from None


class Option(msgspec.Struct, frozen=True, kw_only=True):
    """One option as people see it."""

    field: str
    variable: str
    default: object
    meaning: str


def options_of(config_type: type[msgspec.Struct], prefixes: Mapping[str, str]) -> list[Option]:
    """Every option of `config_type`: its variable, default and meaning (Meta's description)."""
    shared = {field: prefix for prefix, field in prefixes.items() if field}
    described = msgspec.json.schema(config_type)["$defs"][config_type.__name__]["properties"]
    options: list[Option] = []
    for field in msgspec.structs.fields(config_type):
        prefix, start = next(
            ((prefix, start) for start, prefix in shared.items() if field.name.startswith(start)),
            (next(iter(prefixes)), ""),
        )
        options.append(
            Option(
                field=field.name,
                variable=prefix + field.name.removeprefix(start).upper(),
                default=field.default,
                meaning=described[field.name].get("description", ""),
            )
        )
    return options


def shown(config: msgspec.Struct, option: Option) -> str:
    """An option's value as people may see it."""
    value = str(getattr(config, option.field))
    if value and option.field.endswith(SECRETS):
        return HIDDEN
    return _IN_URL.sub(rf"\1{HIDDEN}@", value)


def _secret(name: str, path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{name}: cannot read {path}: {error}") from None


def _unknown(name: str, prefix: str, field_prefix: str, fields: list[str]) -> str:
    known = [
        prefix + field.removeprefix(field_prefix).upper()
        for field in fields
        if field.startswith(field_prefix)
    ]
    near = get_close_matches(name, known, n=1)
    hint = f"; did you mean {near[0]}?" if near else ""
    return f"{name} is not an option{hint}"


def _named(text: str, origin: Mapping[str, str]) -> str:
    for field, name in origin.items():
        if f"$.{field}`" in text:
            return f"{name}: {text}"
    return text


def version() -> str:
    """Of this package, as installed."""
    return importlib.metadata.version("telemetry-gateway")


def now_ms() -> int:
    """Wall clock in milliseconds since 1970, UTC."""
    return time.time_ns() // 1_000_000


class _JsonLines(logging.Formatter):
    """One JSON object a line, so that nothing a client sends can forge a line."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, object] = {
            "ts": time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
            + f".{int(record.msecs):03d}Z",
            "level": record.levelname.lower(),
            "logger": record.name,
            "event": record.getMessage(),
        }
        if request_id := getattr(record, "request_id", ""):
            line["request_id"] = request_id
        if record.exc_info:
            line["error"] = self.formatException(record.exc_info)
        return json.dumps(line)


class _TextLines(logging.Formatter):
    """For people. Only an error's trace takes more than one line."""

    def format(self, record: logging.LogRecord) -> str:
        at = time.strftime("%H:%M:%S", time.gmtime(record.created))
        text = f"{at}.{int(record.msecs):03d}Z {record.levelname:<7} {record.name}: "
        text += _printable(record.getMessage())
        if request_id := getattr(record, "request_id", ""):
            text += f" (request {_printable(request_id)})"
        if record.exc_info:
            trace = self.formatException(record.exc_info)
            text += "".join(f"\n    {_printable(line)}" for line in trace.splitlines())
        return text


def _printable(text: str) -> str:
    """What would end a line, or tell a terminal something, stands there as its escape."""
    return "".join(one if one.isprintable() else repr(one)[1:-1] for one in text)


def setup_logging(level: str = "info", form: str = "json") -> None:
    """Log to standard error, JSON lines or text; libraries speak from warning on."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_TextLines() if form == "text" else _JsonLines())
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    for package in ("gateway", "sinks", "loadtest", "infra"):
        logging.getLogger(package).setLevel(level.upper())
