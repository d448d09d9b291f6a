"""What a failure says, and what is kept of it, at the very limits."""

from __future__ import annotations

import pytest

from millrace.engine.events import Failure
from millrace.engine.failures import DETAILS_BYTES, HINT_CHARS, MESSAGE_CHARS, capped

from .nested import played, shape

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


@pytest.mark.parametrize(
    ("step", "said"),
    [
        ({"filter": "item.n / item.by > 1"}, "In the transform, step 1 (filter), item 1: division by zero"),
        ({"map": "{{item.by.x}}"}, "In the transform, step 1 (map), item 0: cannot read x: it is read from an int"),
        ({"limit": "{{input.most.x}}"}, "In the transform, step 1 (limit): cannot read x: it is read from an int"),
        ({"filter": "item"}, "In the transform, item 0: step 1 (filter): the expression is true or false, and this is"),
    ],
    ids=["filter", "map", "limit", "of another kind"],
)
def test_a_transform_that_fails_says_in_which_step_and_at_which_item(step: dict[str, str], said: str) -> None:
    tasks = shape("a", "{{input.rows}}", transform=[{"limit": 5}, step])
    done = played(tasks, value={"rows": [{"n": 1, "by": 1}, {"n": 1, "by": 0}], "most": 3})
    assert done.failure("a").message.startswith(said)
