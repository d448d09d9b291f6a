"""Driving an execution from the event it was made with, which is in the log but has not been read."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from millrace.adapters.inprocess import run_actor
from millrace.base.errors import OutcomeUnknown
from millrace.driver.advance import advance
from millrace.driver.loading import Loaded, begun
from millrace.driver.world import Done, Poke
from millrace.ports.documents import Update
from millrace.services.cancel_execution import cancel_execution
from millrace.services.create_execution import create_execution
from tests.unit.driver.runs import CALLER, NEVER, SCOPE, Local, Script, call


class Unread:
    """Takes writes; a read is a mistake."""

    def __init__(self, local: Local) -> None:
        self._documents = local.documents

    def submit(self, scope: Any, ops: Any) -> Any:
        return self._documents.submit(scope, ops)


def _fresh(local: Local, execution: str) -> Loaded:
    return begun(local.world, SCOPE, local.orchestrator.told[execution])


def test_an_execution_that_was_just_made_is_driven_to_its_end_without_a_read() -> None:
    local = Local()
    execution = local.begin([call("a"), call("b", "a")])
    world = replace(local.world, documents=Unread(local))  # type: ignore[arg-type]
    assert Done("succeeded") == local.run(advance(world, SCOPE, execution, fresh=_fresh(local, execution)))
    assert ["a", "b"] == [attempt.path for attempt in local.script.performed]


@pytest.mark.parametrize(
    "value", [{}, {"n": [1, {"deep": None}]}, {"large": "x" * 100_000}], ids=["none", "some", "blob"]
)
def test_what_the_orchestrator_is_told_is_what_the_log_holds(value: Any) -> None:
    local = Local()
    execution = local.begin([call("a")], value)
    assert [local.orchestrator.told[execution]] == local.events(execution)


def test_what_was_true_at_the_start_and_is_so_no_longer_does_no_harm() -> None:
    local = Local()
    execution = local.begin([call("a")])
    stale = _fresh(local, execution)
    local.finish(execution)
    events = local.events(execution)
    local.run(run_actor(local.world, SCOPE, execution, Poke(), fresh=stale))
    assert (events, 1) == (local.events(execution), len(local.script.performed))


def test_a_message_that_came_before_anybody_listened_is_read_at_once() -> None:
    local = Local(Script({"a": [NEVER]}))
    execution = local.begin([call("a")])
    fresh, poke = _fresh(local, execution), Poke()
    cancel_execution(local.platform, CALLER, execution, reason="", message_id="m")
    poke.set()
    local.run(run_actor(local.world, SCOPE, execution, poke, fresh=fresh))
    assert ("cancelled", True) == (local.read(execution)["status"], local.read(execution)["durationMs"] < 1_000)


@pytest.mark.parametrize(("exclusive", "seconds", "claims"), [(True, 0.01, 0), (True, 3.0, 1), (False, 0.01, 1)])
def test_only_one_that_lasts_is_claimed_where_nobody_else_can_drive_it(
    exclusive: bool, seconds: float, claims: int
) -> None:
    local = Local(Script(lasting={"a": seconds}), exclusive=exclusive)
    execution = local.begin([call("a"), call("b", "a")])
    local.run(advance(local.world, SCOPE, execution, fresh=_fresh(local, execution)))
    writes = [op for ops in local.io.commits for op in ops if isinstance(op, Update) and "leaseUntil" in op.set]
    assert ("succeeded", claims) == (local.read(execution)["status"], len(writes))


def test_an_execution_that_another_write_may_have_made_is_read() -> None:
    local = Local()
    execution = local.begin([call("a")])
    first = local.orchestrator.told[execution]
    assert create_execution(local.platform, SCOPE, replace(first, at=first.at + 5), blobs={}, claim=None)
    assert ([first], 2) == ([*local.orchestrator.told.values()], len(local.orchestrator.started))


def test_an_execution_whose_first_write_was_not_acknowledged_is_read() -> None:
    local = Local()
    first = local.orchestrator.told[local.begin([call("a")])]
    lost = replace(first, execution=first.execution[:-1] + "x")

    class Lost:
        def __getattr__(self, name: str) -> Any:
            return getattr(local.documents, name)

        def write(self, scope: Any, ops: Any) -> None:
            local.documents.write(scope, ops)
            raise OutcomeUnknown("lost on its way back")

    platform = replace(local.platform, documents=Lost())  # type: ignore[arg-type]
    assert create_execution(platform, SCOPE, lost, blobs={}, claim=None)
    assert ([first], 2) == ([*local.orchestrator.told.values()], len(local.orchestrator.started))
