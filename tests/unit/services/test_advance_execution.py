"""What the state machine is told after a turn, and what is refused as its input."""

from __future__ import annotations

import json
from typing import Any

import pytest

from millrace.base.errors import InvalidRequest
from millrace.services.advance_execution import Order, begun_at, order_of
from millrace.services.stall_execution import cause_of

ORDER = Order(
    tenant="acme",
    execution="e1",
    generation=3,
    turn=7,
    owner="lambda-1",
    seen_seq=2,
    wake_at=1_700_000_000_000,
    position=9,
)


def test_an_order_survives_the_state_machine() -> None:
    assert ORDER == order_of(json.loads(json.dumps(ORDER.to_json())))


def test_the_first_order_needs_only_names() -> None:
    assert Order("acme", "e1") == order_of({"tenant": "acme", "execution": "e1"})


@pytest.mark.parametrize(
    "body", [None, [], "e1", {}, {"tenant": "acme"}, {"tenant": "", "execution": "e1"}, {"tenant": 1, "execution": 2}]
)
def test_what_is_no_order_is_refused(body: Any) -> None:
    with pytest.raises(InvalidRequest, match="not an order"):
        order_of(body)


@pytest.mark.parametrize("field", ["generation", "turn", "seenSeq", "wakeAt", "position"])
def test_a_number_that_is_none_is_refused(field: str) -> None:
    with pytest.raises(InvalidRequest, match="not an order"):
        order_of({**ORDER.to_json(), field: "soon"})


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-01-31T09:00:00.123Z", 1_769_850_000_123),
        ("2026-01-31T10:00:00+01:00", 1_769_850_000_000),
        ("soon", None),
        ("", None),
        (None, None),
        (7, None),
    ],
)
def test_a_time_of_step_functions_is_read_or_is_none(text: Any, expected: int | None) -> None:
    assert expected == begun_at(text)


def test_an_order_is_small_control_data() -> None:
    names = "tenant execution actor generation turn next seconds owner seenSeq wakeAt position"
    assert set(names.split()) == set(ORDER.to_json())
    assert 1024 > len(json.dumps(ORDER.to_json()))


@pytest.mark.parametrize(
    ("failure", "cause"),
    [
        ({"Error": "Corrupt", "Cause": '{"errorMessage": "gone", "errorType": "Corrupt"}'}, "Corrupt: gone"),
        ({"Error": "States.Timeout", "Cause": "too late"}, "States.Timeout: too late"),
        ({"Error": "X", "Cause": "[1]"}, "X: [1]"),
        ({"Error": "X"}, "X: "),
        (None, "unknown error: "),
    ],
)
def test_a_cause_is_one_line(failure: Any, cause: str) -> None:
    assert cause == cause_of(failure)


def test_a_long_cause_is_cut() -> None:
    assert 1000 == len(cause_of({"Error": "X", "Cause": "y" * 40_000}))
