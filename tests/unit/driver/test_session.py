"""A driver's hold on one execution, where something comes late, twice, or from elsewhere at the wrong moment."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from msgspec.structs import replace

from millrace.base.errors import Corrupt, StoreUnavailable
from millrace.driver.attempts import Result
from millrace.driver.limits import is_over, limit_ms
from millrace.driver.loading import Loaded, load_actor, load_state, snapshot_key
from millrace.driver.session import Session
from millrace.driver.snapshots import Snapshots
from millrace.driver.world import Again, Done, Poke
from millrace.engine import events as ev
from millrace.engine.commands import StartAttempt
from millrace.engine.state import State
from millrace.ports.documents import Delete, Op, Table, Update
from millrace.ports.runners import Attempt, Outcome
from millrace.services.signal_execution import signal_execution
from millrace.store.executions import Actor, actor_key, read_actor
from millrace.store.runlog import Stamp, segment_puts

from .runs import CALLER, NEVER, SCOPE, Local, Script, call, workflow


def hold(local: Local, execution: str) -> Session:
    """A driver that has loaded an execution and done nothing with it. To be made on the loop."""
    actor = load_actor(local.world, SCOPE, execution)
    assert actor is not None
    return Session(
        local.world, SCOPE, execution, Loaded(actor, load_state(local.world, SCOPE, execution, actor)), Poke()
    )


def running(local: Local) -> str:
    """An execution with the attempt ``a``, number 1, under way, and with ``b``, which waits for it."""
    execution = local.begin([call("a"), call("b", "a")])
    local.crash(execution, 0.005)
    return execution


def actor_of(local: Local, execution: str) -> Actor:
    actor = read_actor(local.documents, SCOPE, execution)
    assert actor is not None
    return actor


@pytest.mark.parametrize(
    ("path", "attempt", "kept"),
    [("a", 1, ["a"]), ("a", 2, []), ("b", 0, []), ("ghost", 1, [])],
    ids=["its own", "another attempt", "a task that does not run", "no task"],
)
def test_only_the_result_of_the_attempt_that_runs_is_taken(path: str, attempt: int, kept: list[str]) -> None:
    local = Local()
    execution = running(local)

    async def absorb() -> list[Any]:
        session = hold(local, execution)
        session._absorb(Result(path, attempt, 1, Outcome("late")))
        return session._pending

    assert kept == [event.path for event in local.run(absorb())]


@pytest.mark.parametrize(
    ("path", "attempt", "begun"),
    [("a", 1, 1), ("a", 2, 0), ("b", 0, 0), ("ghost", 1, 0)],
    ids=["its own", "another attempt", "a task that does not run", "no task"],
)
def test_only_the_attempt_that_was_recorded_last_is_performed(path: str, attempt: int, begun: int) -> None:
    local = Local(Script({"a": [NEVER]}))
    execution = running(local)

    async def perform() -> int:
        session = hold(local, execution)
        await session._perform(StartAttempt(path, attempt))
        count = len(session._attempts)
        await session.close()
        return count

    assert begun == local.run(perform())


@pytest.mark.parametrize("owner", ["driver-1", "other"])
def test_an_end_that_a_message_puts_off_closes_the_inbox_unless_another_holds_the_lease(owner: str) -> None:
    local = Local()
    execution = local.begin([call("a")])
    until = local.clock.now() + 9_000
    local.documents.write(SCOPE, [Update(actor_key(execution), set={"owner": owner, "leaseUntil": until})])

    async def close() -> None:
        await hold(local, execution)._close_inbox([])

    local.run(close())
    assert (owner == "driver-1", 1) == (actor_of(local, execution).closing, len(local.events(execution)))


def test_a_driver_that_has_come_to_the_end_finds_it_in_the_store_too() -> None:
    local = Local()
    execution = local.begin([call("a")])
    assert Done("succeeded") == local.drive(execution)

    async def look() -> int:
        session = hold(local, execution)
        await session._look_around(local.clock.now())
        return len(session._pending)

    assert (0, True) == (local.run(look()), actor_of(local, execution).done)


@pytest.mark.parametrize(("left", "claims"), [(1, False), (0, True), (-1, True)])
def test_a_driver_claims_its_lease_again_from_the_moment_at_which_it_has_run_out(left: int, claims: bool) -> None:
    local = Local()
    execution = running(local)

    async def written() -> list[Op]:
        session = hold(local, execution)
        session._claimed, session._lease_until = True, local.clock.now() + left
        return session._extra_ops([ev.PauseRequested(at=1, message="m")])

    assert claims == any(isinstance(op, Update) and op.set.get("owner") == "driver-1" for op in local.run(written()))


@pytest.mark.parametrize(("left", "limit", "over"), [(2, 2, False), (1, 1, False), (0, 1, True), (-1, 1, True)])
def test_the_time_of_a_task_is_over_with_its_last_millisecond_and_an_attempt_has_at_least_one(
    left: int, limit: int, over: bool
) -> None:
    local = Local()
    execution = local.begin([call("a", timeout="5s")])
    local.crash(execution, 0.005)
    command = StartAttempt("a", 1)

    async def state() -> State:
        return hold(local, execution).state

    found = local.run(state())
    now = found.tasks[0].started_at + 5_000 - left
    assert (limit, over) == (limit_ms(found, command, now), is_over(found, command, now))


def test_an_inbox_in_which_nothing_is_new_is_not_read_again() -> None:
    local = Local()
    execution = local.begin([call("a")])
    signal_execution(local.platform, CALLER, execution, "go", payload=None, message_id="m1")

    async def take() -> list[tuple[int, list[str]]]:
        session, found = hold(local, execution), []
        for seq in (1, 1, 0):
            await session._take_messages(seq)
            found.append((len(session._pending), session._to_delete))
            session._to_delete = []
        return found

    assert [(1, ["m1"]), (1, []), (1, [])] == local.run(take())


def test_a_driver_whose_lease_another_took_before_its_first_write_writes_and_performs_nothing() -> None:
    local = Local()
    execution = local.begin([call("a")])

    def steal(_ops: Any) -> None:
        taken = {"owner": "other", "leaseUntil": local.clock.now() + 9_000}
        local.documents.write(SCOPE, [Update(actor_key(execution), set=taken)])

    local.io.before_commit = steal
    outcome = local.drive(execution)
    assert isinstance(outcome, Again)
    assert ("write beside the log" in outcome.why, 1, []) == (
        True,
        len(local.events(execution)),
        local.script.performed,
    )


@pytest.mark.parametrize("lost", [False, True])
def test_what_is_kept_before_giving_up_is_durable_unless_the_log_belongs_to_another(lost: bool) -> None:
    def damage(_attempt: Attempt) -> str:
        local.blobs.delete_prefix(SCOPE, ("execution", execution, "value"))
        if lost:
            other = [ev.PauseRequested(at=1, message="m")]
            local.documents.write(
                SCOPE, segment_puts(execution, len(local.events(execution)), other, Stamp("other", "w"))
            )
        return "ok"

    local = Local(Script({"a": ["y" * 70_000], "b": [damage], "long": [NEVER]}))
    tasks = [call("a"), call("b", "a"), call("c", "b", input={"all": "{{tasks.a.output}}"}), call("long")]
    execution = local.begin(tasks)
    local.crash(execution, 0.015)  # so that the next driver does not know what `a` gave
    if lost:
        assert isinstance(local.drive(execution), Again)
    else:
        with pytest.raises(Corrupt):
            local.drive(execution)
    kept = [event.path for event in local.events(execution, ev.AttemptFinished)]
    assert (["a"] if lost else ["a", "b"]) == kept


def test_a_snapshot_of_a_log_that_is_gone_is_no_execution() -> None:
    local = Local(snapshot_events=1)
    execution = local.begin([call(f"t{n}", *([f"t{n - 1}"] if n else [])) for n in range(4)] + [call("w", "t3")])
    local.crash(execution, 0.045)
    local.blobs.get(SCOPE, snapshot_key(execution, actor_of(local, execution).snapshot))
    partition = ("log", execution, "0")
    keys = [row.item.key for row in local.documents.query(SCOPE, Table.HISTORY, partition).rows]
    local.documents.write(SCOPE, [Delete(key) for key in keys])
    with pytest.raises(Corrupt, match="is empty"):
        local.drive(execution)


def test_one_snapshot_is_written_at_a_time() -> None:
    local = Local(snapshot_events=1)
    execution = running(local)
    noted: list[int] = []

    async def consider() -> None:
        session = hold(local, execution)
        snapshots = Snapshots(local.world, SCOPE, execution, 0, noted.append)
        for _ in range(3):
            snapshots.consider(session.state, session._journal)
        await asyncio.sleep(1)
        assert snapshots.writing is None

    local.run(consider())
    assert [len(local.events(execution))] == noted


def test_a_driver_that_cannot_reach_other_executions_says_so() -> None:
    local = Local()
    local.world = replace(local.world, children=None)
    local.publish(workflow("leaf", [call("a")]))
    execution = local.begin([{"id": "c", "workflowRef": "leaf"}])
    with pytest.raises(StoreUnavailable, match="other executions"):
        local.drive(execution)
