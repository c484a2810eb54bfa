"""Why one item of an envelope is no event of ours."""

from __future__ import annotations

from gateway.contract.verdict import Code


class Fault(Exception):
    """One item cannot be taken. The others can."""

    def __init__(self, code: Code, text: str) -> None:
        super().__init__(text)
        self.code = code
