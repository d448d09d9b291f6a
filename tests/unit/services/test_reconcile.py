"""The reconciler helps everybody it can, does not press those that are held up, and keeps to its time."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from millrace.base.errors import StoreUnavailable
from millrace.ports.documents import TenantScope, Update
from millrace.services.advance_execution import Order
from millrace.services.reconcile import Reconciled, reconcile
from millrace.services.stall_execution import LASTING, stall_execution
from millrace.store.executions import (
    CHECK_GRACE_MS,
    LIVE_SHARDS,
    PASSING_CHECK_MS,
    STALLED_CHECK_MS,
    actor_key,
    live_executions,
    new_actor,
    read_actor,
    shard,
)
from tests.unit.driver.runs import NEVER, SCOPE, Local, call, workflow

MINUTE = 60_000


@pytest.fixture()
def local() -> Local:
    made = Local()
    made.publish(workflow("flow", [call("a")]))
    return made


class Refusing:
    """An orchestrator that will not start what it is told to refuse, and notes the rest."""

    def __init__(self, *refused: str) -> None:
        self.refused = set(refused)
        self.started: list[str] = []

    def start(self, scope: TenantScope, execution: str, generation: int, *, short: bool = True) -> None:
        if execution in self.refused:
            raise StoreUnavailable("not now")
        self.started.append(execution)


def with_orchestrator(local: Local, orchestrator: Any) -> Any:
    return replace(local.platform, orchestrator=orchestrator)


def test_one_that_cannot_be_started_holds_nobody_else_up(local: Local) -> None:
    executions = sorted(local.start("flow") for _ in range(40))
    local.clock.skew += CHECK_GRACE_MS + 1
    orchestrator = Refusing(*executions[10:12])
    assert Reconciled(40, 0, 38, 2) == reconcile(with_orchestrator(local, orchestrator))
    assert executions[:10] + executions[12:] == sorted(orchestrator.started)


def test_where_nobody_can_be_helped_the_look_fails(local: Local) -> None:
    executions = [local.start("flow") for _ in range(2)]
    local.clock.skew += CHECK_GRACE_MS + 1
    with pytest.raises(StoreUnavailable, match="not now"):
        reconcile(with_orchestrator(local, Refusing(*executions)))


def restarts_of(local: Local, minutes: int) -> list[int]:
    """In which of so many minutes the reconciler restarts something."""
    found = []
    for minute in range(minutes):
        local.clock.skew += MINUTE + 1
        if reconcile(local.platform).restarted:
            found.append(minute)
    return found


def test_an_actor_without_progress_is_restarted_less_and_less_often_but_always_again(local: Local) -> None:
    local.start("flow")
    assert [0, 1, 3, 7, 15, 23, 31] == restarts_of(local, 39)


def test_one_that_makes_progress_is_looked_at_as_closely_as_before(local: Local) -> None:
    local.script.answers["a"] = [NEVER]
    execution = local.start("flow")
    assert [0, 1, 3] == restarts_of(local, 7)
    local.crash(execution, 1.0)
    assert 0 == read_actor(local.documents, SCOPE, execution).restarts  # type: ignore[union-attr]
    assert [0, 1, 3] == restarts_of(local, 7)


def test_when_time_is_over_the_next_look_goes_on(local: Local) -> None:
    for _ in range(6):
        local.start("flow")
    local.clock.skew += CHECK_GRACE_MS + 1
    assert Reconciled(0, 0, 0) == reconcile(local.platform, deadline=local.clock.now())
    assert Reconciled(6, 0, 6) == reconcile(local.platform, deadline=local.clock.now() + MINUTE)


def test_each_shard_comes_first_in_its_turn(local: Local) -> None:
    names = {}
    for number in range(1000):
        names.setdefault(shard(f"x{number}", LIVE_SHARDS), f"x{number}")
    local.documents.write(SCOPE, [new_actor(name, local.clock.now()) for name in names.values()])
    local.clock.skew += MINUTE
    first = []
    for _ in range(LIVE_SHARDS):
        orchestrator = Refusing()
        local.clock.skew += 8 * MINUTE + MINUTE
        reconcile(with_orchestrator(local, orchestrator))
        first.append(orchestrator.started[0])
    assert set(names.values()) == set(first)


@pytest.mark.parametrize(
    ("name", "again"),
    [
        *((name, STALLED_CHECK_MS) for name in sorted(LASTING)),
        *((name, PASSING_CHECK_MS) for name in ("Lambda.TooManyRequestsException", "StoreUnavailable")),
        ("States.Timeout", PASSING_CHECK_MS),
    ],
)
def test_what_passes_by_itself_is_tried_again_soon_and_what_does_not_later(local: Local, name: str, again: int) -> None:
    execution = local.start("flow")
    now = local.clock.now()
    stall_execution(local.platform, Order(SCOPE.tenant, execution), failure={"Error": name, "Cause": "why"})
    found = [[one for _, one, _ in live_executions(local.documents, until=now + at)] for at in (again - 1, again)]
    assert [[], [execution]] == found
    assert f"{name}: why" == read_actor(local.documents, SCOPE, execution).stalled  # type: ignore[union-attr]


def test_a_park_counts_as_progress(local: Local) -> None:
    local.publish(workflow("waits", [{"id": "go", "event": {"type": "go", "timeout": "1d"}}]))
    execution = local.start("waits")
    local.documents.write(SCOPE, [Update(actor_key(execution), set={"restarts": 3})])
    local.drive(execution)
    assert 0 == read_actor(local.documents, SCOPE, execution).restarts  # type: ignore[union-attr]
