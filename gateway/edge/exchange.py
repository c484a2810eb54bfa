"""A request that the guard answers itself, in its parser's callbacks.

uvicorn takes it for one of its own cycles: it queues what is pipelined behind it, and waits for it
before it closes an idle connection. The attributes it looks at keep its names.
"""

from __future__ import annotations

from collections.abc import Callable

from gateway.edge.response import Response
from gateway.ingest.post import Post


class Exchange:
    """From a request's head to its answer, which `answer` takes to the client."""

    __slots__ = ("_answer", "keep_alive", "post", "response_complete")

    def __init__(self, answer: Callable[[Exchange, Response], None], *, keep_alive: bool) -> None:
        self._answer = answer
        self.post: Post | None = None  # whose body is still coming
        self.keep_alive = keep_alive
        self.response_complete = False

    def respond(self, response: Response) -> None:
        self.response_complete = True
        self.post = None
        self._answer(self, response)
