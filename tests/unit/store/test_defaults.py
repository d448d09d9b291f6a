"""What a stored record holds where nothing is said. Items leave out what is as ever: so it stays as it is."""

from __future__ import annotations

from tests.unit.initial import initial

KNOWN: dict[str, object] = {
    "executions.Actor.generation": 1,
    "history.Place.inner": -1,
    "pool_items.Bid.weight": 1,
}


def test_what_a_stored_record_leaves_out_is_empty_but_for_these() -> None:
    assert KNOWN == initial("millrace.store")
