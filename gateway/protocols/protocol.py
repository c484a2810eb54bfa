"""The port of a wire protocol: its routes, where its key lies, how to decode, how to answer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol as Port

from msgspec import Struct

from gateway.contract.event import Batch
from gateway.contract.refusal import Refused
from gateway.contract.verdict import Verdicts


class Head(Struct, frozen=True, gc=False):
    """A request without its body. Header names are lower case; of repeated ones the last counts."""

    method: str
    path: str  # decoded, one trailing slash stripped
    query: bytes
    headers: dict[bytes, bytes]
    peer: str = ""  # the address at the other end of the connection

    def header(self, name: bytes) -> str:
        """A header's text, empty when absent."""
        return self.headers.get(name, b"").decode("latin-1")


class Answer(Struct, frozen=True, gc=False):
    status: int
    body: bytes
    content_type: bytes = b"application/json"
    headers: Sequence[tuple[bytes, bytes]] = ()  # further ones
    tells_wait: bool = True  # with Retry-After, where it is a refusal to come back from


HANG_UP = Answer(0, b"")  # no answer at all: the connection is closed, and the SDK keeps its data


class Route(Struct, frozen=True, gc=False):
    """A path this protocol owns. `{name}` in the pattern stands for one path segment."""

    method: str
    pattern: str
    answer: Callable[[Head], Answer] | None = None  # a stub; None: the POST carries events
    owner: Callable[[Head, bytes], Protocol] | None = None  # where protocols share a path


class Protocol(Port):
    """One wire protocol. Everything is a pure function of the request, but for the id of an event
    that nothing tells from its like."""

    @property
    def name(self) -> str:
        """Stored with every event, and the path prefix under which its routes are offered too."""

    @property
    def routes(self) -> Sequence[Route]: ...

    def check(self, head: Head) -> None:
        """Refuse what the head alone shows to be wrong. Raises Refused."""

    def credentials(self, head: Head) -> str | None:
        """The write key outside the body, if there is one."""

    def decode(self, head: Head, body: bytes) -> list[Batch]:
        """The POST's batches, one per key. Raises Refused when the body cannot be read."""

    def is_retry(self, head: Head) -> bool:
        """Whether the client says that it sent this before."""

    def reply(self, head: Head, verdicts: Sequence[Verdicts]) -> Answer:
        """The answer to a POST whose accepted events are kept; one verdict for each batch, in
        their order. The batches are gone: nobody holds a body while its records wait."""

    def refuse(self, head: Head, refused: Refused) -> Answer:
        """The answer to a POST that is not taken, or HANG_UP."""
