"""A request of the conformance checks, and what can be wrong with its answer. Pure."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from datetime import datetime

from msgspec import Struct

from loadtest.client import Reply
from loadtest.devices import Json

Find = Callable[[Reply], str]  # what is wrong with a reply; empty: nothing
WAYS = ("kafka", "spool")


class Case(Struct, frozen=True, kw_only=True):
    """One request and its check."""

    name: str
    body: bytes
    find: Find
    headers: dict[str, str] = {}
    method: str = "POST"


def _json(reply: Reply) -> Json:
    try:
        found = json.loads(reply.body)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def kept(accepted: int = 1, duplicates: int = 0, rejected: Sequence[tuple[int, str]] = ()) -> Find:
    """A 200 that tells of each event; `rejected` are indexes and their codes."""

    def find(reply: Reply) -> str:
        if reply.status != 200:
            return "200 was due"
        body = _json(reply)
        if (body.get("accepted"), body.get("duplicates")) != (accepted, duplicates):
            return f"accepted {accepted}, duplicates {duplicates} were due"
        told = body.get("rejected")
        if not isinstance(told, list) or not all(isinstance(one, dict) for one in told):
            return "`rejected` is no list of objects"
        if [(one.get("index"), one.get("code")) for one in told] != list(rejected):
            return f"rejected {list(rejected)} were due"
        if not all(isinstance(one.get(k), str) for one in told for k in ("event_id", "message")):
            return "a rejected event lacks `event_id` or `message`"
        if body.get("stored") not in WAYS:
            return f"`stored` must be one of {WAYS}"
        return "" if _is_time(body.get("server_time")) else "`server_time` is no time in UTC"

    return find


def refused(status: int, code: str) -> Find:
    """No, with the code and a message."""

    def find(reply: Reply) -> str:
        if reply.status != status:
            return f"{status} {code} was due"
        error = _json(reply).get("error")
        if not isinstance(error, dict) or error.get("code") != code:
            return f"the code {code} was due"
        return "" if error.get("message") and isinstance(error["message"], str) else "no message"

    return find


def _is_time(value: object) -> bool:
    try:
        return str(value).endswith("Z") and datetime.fromisoformat(str(value)).tzinfo is not None
    except ValueError:
        return False


def with_header(find: Find, name: str, value: str = "") -> Find:
    """And the answer has this header, with this value where one is given."""

    def both(reply: Reply) -> str:
        got = reply.headers.get(name)
        if got is None or (value and got != value):
            return f"the header {name}: {value} was due" if value else f"no header {name}"
        return find(reply)

    return both
