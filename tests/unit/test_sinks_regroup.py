"""The statement that moves crashes."""

from __future__ import annotations

from sinks.regroup.regroup import MOVE_ROWS
from sinks.regroup.statements import move

MAX_STATEMENT = 256 * 1024  # ClickHouse's max_query_size, unless somebody changed it


def test_the_longest_move_is_short_enough_for_any_server() -> None:
    longest = {2**64 - 1 - number: 2**64 - 1 for number in range(MOVE_ROWS)}

    assert MAX_STATEMENT * 3 // 4 < len(move(longest)) < MAX_STATEMENT - 1_000
