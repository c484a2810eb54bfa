"""What a phone reads in the answer to a POST: one ledger entry for every event it had sent.

Only a 200 whose numbers add up settles events one by one; a final no refuses all of them; after
anything else the phone knows nothing, and sends the same events again.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from msgspec import Struct

from loadtest.devices import Post
from loadtest.digest import of_sent
from loadtest.ledger import Entry, Outcome

REPEATABLE = frozenset({408, 429})  # beside all 5xx


class _Rejected(Struct):
    index: int
    code: str


class _Verdicts(Struct):
    accepted: int
    duplicates: int
    rejected: list[_Rejected]


class _Error(Struct, frozen=True):
    code: str = ""


class _Refusal(Struct):
    error: _Error = _Error()


def posted(post: Post) -> list[Entry]:
    """The entries of a POST that is about to be tried for the first time."""
    return _all(post, "posted", "")


def read_reply(post: Post, status: int, body: bytes) -> list[Entry]:
    """The entries of an answered try."""
    if status == 200:
        return _settled(post, body)
    outcome: Outcome = "unanswered" if status in REPEATABLE or status >= 500 else "refused"
    return _all(post, outcome, f"{status} {_code(body)}".rstrip())


def no_reply(post: Post, reason: str) -> list[Entry]:
    """The entries of a try that got no answer."""
    return _all(post, "unanswered", reason)


def is_final(entries: Sequence[Entry]) -> bool:
    """Whether the phone forgets these events now."""
    return all(one.outcome != "unanswered" for one in entries)


def _settled(post: Post, body: bytes) -> list[Entry]:
    """The reply names rejected events by their index and counts the copies; which these are the
    phone knows: a later event with the id of an earlier one that is valid."""
    try:
        verdicts = msgspec.json.decode(body, type=_Verdicts)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return no_reply(post, "200 that cannot be read")
    rejected = {one.index: one.code for one in verdicts.rejected}
    entries: list[Entry] = []
    seen: set[str] = set()
    for index, event in enumerate(post.events):
        event_id = str(event.get("event_id", ""))
        if index in rejected:
            entries.append(_entry(post, index, "rejected", rejected[index]))
        elif event_id in seen:
            entries.append(_entry(post, index, "duplicate"))
        else:
            seen.add(event_id)
            entries.append(_entry(post, index, "accepted"))
    counts = [one.outcome for one in entries]
    told = (verdicts.accepted, verdicts.duplicates, len(verdicts.rejected))
    if told != tuple(counts.count(one) for one in ("accepted", "duplicate", "rejected")):
        return no_reply(post, "200 that does not add up")
    return entries


def _all(post: Post, outcome: Outcome, reason: str) -> list[Entry]:
    return [_entry(post, index, outcome, reason) for index in range(len(post.events))]


def _entry(post: Post, index: int, outcome: Outcome, reason: str = "") -> Entry:
    event = post.events[index]
    return Entry(
        device_id=post.device_id,
        event_id=str(event.get("event_id", "")),
        outcome=outcome,
        sequence=int(event.get("sequence", 0)),
        reason=reason,
        digest=of_sent(event) if outcome == "posted" else "",
    )


def _code(body: bytes) -> str:
    try:
        return msgspec.json.decode(body, type=_Refusal).error.code
    except (msgspec.DecodeError, UnicodeDecodeError):
        return ""
