"""What is kept of a failure, at the very limits."""

from __future__ import annotations

import pytest

from millrace.engine.events import Failure
from millrace.engine.failures import DETAILS_BYTES, HINT_CHARS, MESSAGE_CHARS, capped

FRAME = len('{"a":""}')


@pytest.mark.parametrize("over", [0, 1])
def test_details_are_kept_whole_up_to_16_kib_and_no_further(over: int) -> None:
    assert 16_384 == DETAILS_BYTES
    details = {"a": "x" * (DETAILS_BYTES - FRAME + over)}
    found = capped(Failure("http", "500", "wrong", details=details)).details
    assert ({"truncated": True, "a": "x" * 500} if over else details) == found


@pytest.mark.parametrize("over", [0, 1])
def test_a_message_and_a_hint_are_cut_at_their_limits(over: int) -> None:
    given = Failure("http", "500", "m" * (MESSAGE_CHARS + over), hint="h" * (HINT_CHARS + over))
    found = capped(given)
    assert (MESSAGE_CHARS, HINT_CHARS, not over) == (len(found.message), len(found.hint), found is given)
