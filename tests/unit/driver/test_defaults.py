"""What a driver takes for granted where nothing is said."""

from __future__ import annotations

from tests.unit.initial import initial

KNOWN: dict[str, object] = {
    "breakers._Held.told": -1000,
    "budgets._Held.told": -1000,
    "telling.Held.told": -1000,
    "world.DriverWorld.lease_ms": 30000,
    "world.DriverWorld.poll_ms": 2000,
    "world.DriverWorld.retry_budget": 5000,
    "world.DriverWorld.sleep_ms": 10000,
    "world.DriverWorld.snapshot_bytes": 1048576,
    "world.DriverWorld.snapshot_events": 1000,
}


def test_what_is_not_said_to_a_driver_is_empty_but_for_these() -> None:
    assert KNOWN == initial("millrace.driver")
