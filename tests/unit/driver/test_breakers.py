"""A driver with circuit breakers: what is let through, what counts, what stands in the history, what is written."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from msgspec.structs import replace

from millrace.base.errors import OutcomeUnknown, StoreUnavailable
from millrace.driver import telling
from millrace.driver.advance import advance
from millrace.driver.breakers import LEASE_MS, BreakerKey, Permit
from millrace.driver.guards import Guards, host_of, verdict_of
from millrace.driver.world import DriverWorld
from millrace.engine import events as ev
from millrace.engine.breaker import Breaker, Counts, Refused, opened
from millrace.engine.plan import BreakerPolicy
from millrace.engine.snapshot import equal
from millrace.ports.documents import Key, Op, Update
from millrace.ports.runners import Failure, Outcome, TaskFailed
from millrace.services.cancel_execution import cancel_execution
from millrace.store.breakers import Stored, breaker_write, counts_write, read_breaker

from .runs import CALLER, NEVER, SCOPE, Local, Script, call, workflow

BAD = Failure("http", "503", "the server answered 503", True)
GUARDED = {"failureThreshold": 2, "breakDuration": "10s", "rampDuration": 0}
NAME = "host~api.example~443"


def guarded(name: str = "a", **more: Any) -> dict[str, Any]:
    return call(name, **{"circuitBreaker": GUARDED, **more})


def stored(local: Local, name: str = NAME) -> Stored:
    return read_breaker(local.documents, SCOPE, "default", name)


def run_each(local: Local, times: int) -> list[dict[str, Any]]:
    """So many executions of the workflow, one after the other."""
    return [local.finish(local.start("flow")) for _ in range(times)]


def publish(local: Local, *tasks: dict[str, Any]) -> None:
    local.publish(workflow("flow", list(tasks)))


def kinds(bodies: list[dict[str, Any]]) -> list[str]:
    return [body["error"]["kind"] if body["error"] else "" for body in bodies if "error" in body]


def writes(local: Local, table_part: str = "breaker") -> list[Update]:
    return [
        op for ops in local.io.commits for op in ops if isinstance(op, Update) and op.key.partition[0] == table_part
    ]


def test_failures_of_different_executions_open_it_for_all_of_them() -> None:
    local = Local(Script({"a": [BAD]}))
    publish(local, guarded())
    assert ["http", "http", "circuit_open", "circuit_open"] == kinds(run_each(local, 4))
    assert 2 == len(local.script.performed)
    assert ("open", 1) == (stored(local).breaker.state, stored(local).breaker.generation)


def test_a_refusal_is_the_result_of_its_attempt_and_says_when_to_come_again() -> None:
    local = Local(Script({"a": [BAD]}))
    publish(local, guarded())
    run_each(local, 2)
    execution = local.start("flow")
    local.finish(execution)
    (started,), (ended,) = local.events(execution, ev.AttemptStarted), local.events(execution, ev.AttemptFinished)
    assert ended.failure is not None
    assert (1, 1, ("breaker: open",)) == (started.attempt, ended.attempt, ended.policy)
    assert ("circuit_open", "circuit-open", False) == (
        ended.failure.kind,
        ended.failure.code,
        ended.failure.retryable,
    )
    assert {"breaker": NAME, "decision": "breaker: open"} == ended.failure.details
    assert 9_900 < (ended.failure.retry_after_ms or 0) <= 10_000
    assert ("retry: not for this failure",) == local.events(execution, ev.TaskFinished)[0].policy


def test_a_retry_that_names_the_refusal_waits_for_the_breaker_and_closes_it() -> None:
    local = Local(Script({"a": [lambda attempt: BAD if local.loop.time() < 5 else "ok"]}))
    retry = {"maxAttempts": 5, "interval": "1s", "jitter": "none", "retryOn": ["circuit_open", "5xx"]}
    publish(local, guarded(retry=retry))
    execution = local.start("flow")
    assert ("succeeded", 4) == (local.finish(execution)["status"], local.read(execution)["tasks"]["a"]["attempts"])
    assert [
        ("breaker: closed",),
        ("breaker: closed",),
        ("breaker: open",),
        ("breaker: half-open, probe 1 of 1",),
    ] == [event.policy for event in local.events(execution, ev.AttemptFinished)]
    assert ["open", "halfOpen", "closed"] == [change.state for change in stored(local).breaker.changes]
    assert 3 == len(local.script.performed)


def test_a_replay_of_the_history_asks_no_breaker() -> None:
    local = Local(Script({"a": [BAD]}))
    publish(local, guarded())
    run_each(local, 2)
    execution = local.start("flow")
    body = local.finish(execution)
    local.documents.write(SCOPE, [breaker_write("default", NAME, stored(local), Breaker(version=9, generation=9))])
    assert body == local.read(execution)
    state = local.run(_state(local, execution))
    assert "circuit_open" == state.tasks[0].failure.kind


async def _state(local: Local, execution: str) -> Any:
    from millrace.driver.loading import load_actor, load_state

    actor = load_actor(local.world, SCOPE, execution)
    assert actor is not None
    state = load_state(local.world, SCOPE, execution, actor)
    assert [] == list(equal(state, load_state(local.world, SCOPE, execution, replace(actor, snapshot=0))))
    return state


@pytest.mark.parametrize("attempts", [3, 30])
def test_what_succeeds_costs_no_write_and_one_read_a_second(attempts: int) -> None:
    local = Local()
    publish(local, *[guarded(f"t{n}", dependsOn=[f"t{n - 1}"] if n else []) for n in range(attempts)])
    reads = count_reads(local)
    execution = local.start("flow")
    local.finish(execution)
    seconds = local.loop.time()
    assert [] == writes(local)
    assert 1 <= len([key for key in reads if key.partition[0] == "breaker"]) <= seconds + 1
    assert [] == [key for key in reads if key.partition[0] == "retryBudget"]


def count_reads(local: Local) -> list[Key]:
    """The keys that are read from now on."""
    keys: list[Key] = []
    inner = local.documents.get

    class Noted:
        def __getattr__(self, name: str) -> Any:
            return getattr(local.documents, name)

        def get(self, scope: Any, key: Key, **more: Any) -> Any:
            keys.append(key)
            return inner(scope, key, **more)

    noted: Any = Noted()
    local.world = replace(local.world, documents=noted)
    return keys


def test_counts_are_written_at_most_once_a_second() -> None:
    by_rate = {"failureRate": "100%", "minimumThroughput": 1000}
    local = Local(Script(lasting={"a": 0.1}))
    publish(local, guarded(circuitBreaker=by_rate))
    run_each(local, 40)
    local.run(asyncio.sleep(2))
    counted = [sum(op.add.values()) for op in writes(local)]
    assert (40, True) == (sum(counted), len(counted) <= local.loop.time() + 1)
    assert Counts(40, 0) == stored(local).within(0, 0)


@pytest.mark.parametrize(
    ("outcome", "expected"),
    [
        (Outcome(None), "success"),
        (("http", "500"), "failure"),
        (("http", "503"), "failure"),
        (("http", "429"), "failure"),
        (("http", "408"), "failure"),
        (("http", "404"), "success"),
        (("http", "302"), "success"),
        (("timeout", "total"), "failure"),
        (("network", "reset"), "failure"),
        (("schema", "mismatch"), "success"),
        (("too-large", "too-large"), "success"),
        (("task", "error"), "failure"),
        (("task", "runner-error"), None),
        (("blocked", "bad-host"), None),
        (("cancelled", "cancelled"), None),
        (("input", "missing"), None),
    ],
    ids=str,
)
def test_what_a_result_says_about_the_service(outcome: Any, expected: str | None) -> None:
    made = outcome if isinstance(outcome, Outcome) else TaskFailed(Failure(*outcome, "m", True))
    assert expected == verdict_of(made)


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ({"url": "https://API.example/x"}, "api.example:443"),
        ({"url": "http://api.example:8080/x?y"}, "api.example:8080"),
        ({"url": "http://[::1]/"}, "::1:80"),
        ({"url": "http://a:99999/"}, ""),
        ({"url": "ftp://a/"}, ""),
        ({"url": "/x"}, ""),
        ({"url": 7}, ""),
        ({}, ""),
        (None, ""),
    ],
    ids=str,
)
def test_the_host_of_a_call_has_a_port(config: Any, expected: str) -> None:
    assert expected == host_of(config)


def test_a_call_to_no_host_has_no_breaker() -> None:
    local = Local(Script({"a": [BAD]}))
    publish(local, guarded(request={"url": "{{input.url}}"}))
    for _ in range(3):
        assert "http" == local.finish(local.start("flow", {"url": "nowhere"}))["error"]["kind"]
    assert Breaker() == stored(local).breaker


def test_what_the_deadline_of_a_task_cuts_off_counts_as_a_failure() -> None:
    local = Local(Script({"a": [NEVER]}))
    publish(local, guarded(timeout="2s"))
    assert ["timeout", "timeout", "circuit_open"] == kinds(run_each(local, 3))


def test_what_a_cancelled_execution_was_doing_counts_nowhere() -> None:
    local = Local(Script({"a": [NEVER]}))
    publish(local, guarded())
    for _ in range(3):
        execution = local.start("flow")

        async def cancelled(execution: str = execution) -> None:
            task = asyncio.ensure_future(advance(local.world, SCOPE, execution))
            await asyncio.sleep(0.5)
            cancel_execution(local.platform, CALLER, execution, reason="enough", message_id="m")
            await task

        local.run(cancelled())
        assert "cancelled" == local.read(execution)["status"]
    assert (Breaker(), {}) == (stored(local).breaker, stored(local).counts)


def test_a_probe_that_is_cancelled_leaves_its_place_to_the_next() -> None:
    local = Local(Script({"a": [BAD, NEVER]}))
    publish(local, guarded())
    run_each(local, 2)
    local.run(asyncio.sleep(11))
    local.script.answers["a"] = [NEVER]
    execution = local.start("flow")

    async def cancelled() -> None:
        task = asyncio.ensure_future(advance(local.world, SCOPE, execution))
        await asyncio.sleep(0.5)
        assert 1 == len(stored(local).breaker.probes)
        cancel_execution(local.platform, CALLER, execution, reason="enough", message_id="m")
        await task

    local.run(cancelled())
    assert ("halfOpen", ()) == (stored(local).breaker.state, stored(local).breaker.probes)


def test_a_probe_whose_driver_died_keeps_its_place_for_its_limit_and_ten_seconds() -> None:
    local = Local(Script({"a": [BAD]}))
    publish(local, guarded(attemptTimeout="5s"))
    run_each(local, 2)
    local.run(asyncio.sleep(11))
    local.script.answers["a"] = [NEVER]
    local.crash(local.start("flow"), 0.5)
    begun = local.loop.time() - 0.5
    local.world = replace(local.world, owner="driver-2", guards=Guards())
    local.script.answers["a"] = ["ok"]
    assert "circuit_open" == local.finish(local.start("flow"))["error"]["kind"]
    local.run(asyncio.sleep(begun + 14.9 - local.loop.time()))
    assert "circuit_open" == local.finish(local.start("flow"))["error"]["kind"]
    local.run(asyncio.sleep(1.2))
    assert ("succeeded", "closed") == (local.finish(local.start("flow"))["status"], stored(local).breaker.state)


def test_the_result_of_a_call_from_before_it_opened_does_not_close_or_open_it() -> None:
    local = Local(Script({"slow": [BAD], "a": [BAD]}, lasting={"slow": 11.5}))
    publish(local, guarded("slow"))
    local.publish(workflow("other", [guarded()]))
    slow = local.start("flow")

    async def late() -> None:
        task = asyncio.ensure_future(advance(local.world, SCOPE, slow))
        await asyncio.sleep(0.1)
        for _ in range(2):
            await advance(local.world, SCOPE, local.start("other"))
        local.script.answers["a"] = ["ok"]
        await asyncio.sleep(10.5)
        await advance(local.world, SCOPE, local.start("other"))
        assert "closed" == stored(local).breaker.state
        await task

    local.run(late())
    local.run(asyncio.sleep(2))
    after = stored(local)
    assert ("closed", 3, Counts()) == (
        after.breaker.state,
        after.breaker.generation,
        after.within(after.breaker.generation, 0),
    )


@pytest.mark.parametrize(
    ("task", "name"),
    [
        (guarded(), NAME),
        (guarded(circuitBreaker={**GUARDED, "key": "mine"}), "key~mine"),
        (guarded(circuitBreaker={**GUARDED, "scope": "workflow"}), "workflow~flow~a"),
        ({"id": "a", "taskRef": "get", "circuitBreaker": GUARDED}, "task~get"),
        ({"id": "a", "taskRef": "get@^1", "circuitBreaker": {**GUARDED, "scope": "host"}}, NAME),
        ({"id": "a", "taskRef": "has"}, "task~has"),
        ({"id": "a", "taskRef": "has", "circuitBreaker": {**GUARDED, "key": "over"}}, "key~over"),
    ],
    ids=["host", "key", "workflow", "task", "host of a task", "declared by the task", "the task's own goes first"],
)
def test_who_shares_a_breaker(task: dict[str, Any], name: str) -> None:
    local = Local(Script({"a": [BAD]}))
    request = {"url": "https://api.example/x"}
    head: dict[str, Any] = {"apiVersion": "workflow.io/v1", "kind": "WorkflowTask"}
    local.publish({**head, "metadata": {"name": "get"}, "spec": {"type": "http", "request": request}})
    declared = {"type": "http", "request": request, "circuitBreaker": GUARDED}
    local.publish({**head, "metadata": {"name": "has"}, "spec": declared})
    publish(local, task)
    assert ["http", "http", "circuit_open"] == kinds(run_each(local, 3))
    assert "open" == stored(local, name).breaker.state


def test_a_share_of_failures_opens_it_once_enough_were_made() -> None:
    local = Local(Script({"a": [lambda attempt: BAD if len(local.script.performed) % 2 else "ok"]}))
    publish(local, guarded(circuitBreaker={"failureRate": "50%", "minimumThroughput": 6, "breakDuration": "10s"}))
    run_each(local, 9)
    assert 7 == len(local.script.performed)
    assert "4 of 7 attempts failed within 60000 ms" == stored(local).breaker.changes[0].why


def test_failures_older_than_the_window_do_not_count() -> None:
    local = Local(Script({"a": [BAD]}))
    publish(local, guarded(circuitBreaker={**GUARDED, "samplingDuration": "5s"}))
    for _ in range(4):
        assert "http" == local.finish(local.start("flow"))["error"]["kind"]
        local.run(asyncio.sleep(6))


# where the store does not answer


def process(local: Local) -> DriverWorld:
    return replace(local.world, guards=Guards())


KEY = BreakerKey(SCOPE, "default", "key~k")
POLICY = BreakerPolicy("key~k", threshold=2, break_ms=10_000, ramp_ms=0)


async def ask(world: DriverWorld, caller: str) -> Permit | Refused:
    return await world.guards.breakers.admit(world, KEY, POLICY, caller=caller, limit_ms=1_000)


def failing(times: int, error: Exception) -> Callable[[Any], None]:
    left = [times]

    def fail(_ops: Any) -> None:
        if left[0]:
            left[0] -= 1
            raise error

    return fail


def unreadable(local: Local, error: Exception) -> Any:
    class Broken:
        def __getattr__(self, name: str) -> Any:
            return getattr(local.documents, name)

        def get(self, *_args: Any, **_more: Any) -> Any:
            raise error

    return Broken()


def test_a_breaker_that_cannot_be_read_lets_through_and_counts_nothing() -> None:
    local = Local()
    world = replace(process(local), documents=unreadable(local, StoreUnavailable("away")))
    permit = local.run(ask(world, "a"))
    assert isinstance(permit, Permit)
    assert (-1, "breaker: not known, the store does not answer") == (permit.generation, permit.trail)
    local.run(world.guards.breakers.report(world, permit, "failure"))
    local.run(asyncio.sleep(2))
    assert [] == writes(local)


def test_what_was_read_before_stands_while_the_store_is_away() -> None:
    local = Local()
    local.documents.write(
        SCOPE,
        [
            breaker_write(
                "default", "key~k", Stored(), opened(Breaker(), POLICY, now=local.clock.now(), counts=Counts(0, 2))
            )
        ],
    )
    world = process(local)
    assert isinstance(local.run(ask(world, "a")), Refused)
    local.run(asyncio.sleep(2))
    away = replace(world, documents=unreadable(local, StoreUnavailable("away")))
    assert "breaker: open" == local.run(ask(away, "b")).trail
    local.run(asyncio.sleep(9))
    local.io.before_commit = failing(99, StoreUnavailable("away"))
    assert "breaker: half-open, no place for a probe" == local.run(ask(away, "c")).trail


@pytest.mark.parametrize("applied", [True, False])
def test_a_probe_whose_acknowledgement_is_lost_is_one_probe(applied: bool) -> None:
    local = Local()
    before = opened(Breaker(), POLICY, now=local.clock.now() - 10_000, counts=Counts(0, 2))
    local.documents.write(SCOPE, [breaker_write("default", "key~k", Stored(), before)])
    lose = failing(1, OutcomeUnknown("lost"))
    if applied:
        local.io.after_commit = lose
    else:
        local.io.before_commit = lose
    world = process(local)
    permit = local.run(ask(world, "a"))
    assert isinstance(permit, Permit)
    assert (2, True) == (permit.generation, permit.probe)
    assert ["a"] == [probe.id for probe in stored(local, "key~k").breaker.probes]
    if applied:
        local.io.after_commit = failing(1, OutcomeUnknown("lost"))
    local.run(world.guards.breakers.report(world, permit, "success"))
    assert ("closed", 3) == (stored(local, "key~k").breaker.state, stored(local, "key~k").breaker.generation)


def test_a_probe_that_cannot_be_told_of_is_freed_by_its_lease() -> None:
    local = Local()
    before = opened(Breaker(), POLICY, now=local.clock.now() - 10_000, counts=Counts(0, 2))
    local.documents.write(SCOPE, [breaker_write("default", "key~k", Stored(), before)])
    world = process(local)
    permit = local.run(ask(world, "a"))
    assert isinstance(permit, Permit)
    local.io.before_commit = failing(99, StoreUnavailable("away"))
    away = replace(world, documents=unreadable(local, StoreUnavailable("away")))
    local.run(world.guards.breakers.report(away, permit, "success"))
    local.io.before_commit = failing(0, StoreUnavailable("away"))
    assert "halfOpen" == stored(local, "key~k").breaker.state
    local.run(asyncio.sleep(1.0 + LEASE_MS / 1000))
    assert isinstance(local.run(ask(process(local), "b")), Permit)


def test_the_end_of_a_probe_is_told_by_a_process_that_forgot_the_breaker() -> None:
    local = Local()
    before = opened(Breaker(), POLICY, now=local.clock.now() - 10_000, counts=Counts(0, 2))
    local.documents.write(SCOPE, [breaker_write("default", "key~k", Stored(), before)])
    permit = local.run(ask(process(local), "a"))
    assert isinstance(permit, Permit)
    other = process(local)
    local.run(other.guards.breakers.report(other, permit, "success"))
    assert "closed" == stored(local, "key~k").breaker.state


def test_an_opening_that_the_store_does_not_take_comes_with_the_next_failure() -> None:
    local = Local()
    world = process(local)

    async def fail(caller: str, now: DriverWorld) -> None:
        permit = await ask(world, caller)
        assert isinstance(permit, Permit)
        await world.guards.breakers.report(now, permit, "failure")

    local.run(fail("a", world))
    local.io.before_commit = failing(99, StoreUnavailable("away"))
    local.run(fail("b", replace(world, documents=unreadable(local, StoreUnavailable("away")))))
    assert "closed" == stored(local, "key~k").breaker.state
    local.io.before_commit = failing(0, StoreUnavailable("away"))
    local.run(fail("c", world))
    assert "open" == stored(local, "key~k").breaker.state


@pytest.mark.parametrize(
    ("error", "applied", "expected"),
    [
        (StoreUnavailable("away"), False, Counts(0, 1)),
        (OutcomeUnknown("lost"), True, Counts(0, 1)),
        (OutcomeUnknown("lost"), False, Counts(0, 0)),
    ],
    ids=["not taken", "taken", "lost"],
)
def test_counts_are_told_again_only_if_they_certainly_were_not(
    error: Exception, applied: bool, expected: Counts
) -> None:
    local = Local()
    world = process(local)
    if applied:
        local.io.after_commit = failing(1, error)
    else:
        local.io.before_commit = failing(1, error)

    async def fail() -> None:
        permit = await ask(world, "a")
        assert isinstance(permit, Permit)
        await world.guards.breakers.report(world, permit, "failure")
        await asyncio.sleep(5)

    local.run(fail())
    assert expected == stored(local, "key~k").within(0, 0)


def test_what_is_counted_while_counts_are_written_is_written_later() -> None:
    local = Local()
    world = process(local)

    async def fail(caller: str) -> None:
        permit = await ask(world, caller)
        assert isinstance(permit, Permit)
        await world.guards.breakers.report(world, permit, "failure")

    async def both() -> None:
        await fail("a")
        telling = asyncio.ensure_future(world.guards.breakers.settle(world))
        await asyncio.sleep(0)
        world.guards.breakers._of(KEY).pending[(0, local.clock.now() // 1000)] = (0, 2)
        await telling
        await asyncio.sleep(3)

    local.run(both())
    assert Counts(0, 2) == stored(local, "key~k").within(0, 0)


@pytest.mark.parametrize(("minimum", "counted"), [(1, 0), (2, 0), (3, 1)])
def test_successes_are_counted_only_where_so_many_failures_alone_are_not_enough(minimum: int, counted: int) -> None:
    local = Local()
    world = process(local)
    permit = local.run(ask(world, "a"))
    assert isinstance(permit, Permit)
    permit = replace(permit, policy=replace(POLICY, minimum=minimum))
    local.run(world.guards.breakers.report(world, permit, "success"))
    local.run(asyncio.sleep(2))
    assert Counts(counted, 0) == stored(local, "key~k").within(0, 0)


@pytest.mark.parametrize("age_s", [3, 4, 5])
def test_what_a_process_remembers_of_counts_is_what_is_stored(age_s: int) -> None:
    local = Local()
    world = process(local)
    policy = replace(POLICY, sampling_ms=3_000)
    now_s = local.clock.now() // 1000
    counted = {(0, now_s - age_s): (0, 1)}
    write = counts_write("default", "key~k", counted, known=(), now_s=now_s, keep_s=1)
    local.documents.write(SCOPE, [write])
    held = world.guards.breakers._of(KEY)

    async def fail() -> None:
        permit = await world.guards.breakers.admit(world, KEY, policy, caller="a", limit_ms=1_000)
        assert isinstance(permit, Permit)
        await world.guards.breakers.report(world, permit, "failure")
        await world.guards.breakers.settle(world)

    local.run(fail())
    expected = {(0, now_s): (0, 1)} | (counted if age_s <= 4 else {})  # a second more, since clocks differ
    assert (expected, 4) == (held.stored.counts, held.keep_s)
    assert (expected, 4) == (stored(local, "key~k").counts, stored(local, "key~k").keep_s)


def test_the_counts_of_at_most_twenty_seconds_are_told_with_one_write() -> None:
    local = Local()
    world = process(local)
    held, now_s = world.guards.breakers._of(KEY), local.clock.now() // 1000
    held.keep_s, held.pending = 60, {(0, now_s - age): (0, 1) for age in range(45)}
    local.run(world.guards.breakers.settle(world))
    assert ([20, 20, 5], {}) == ([len(write.add) for write in writes(local)], held.pending)


def test_counts_that_cannot_be_told_are_kept_as_long_as_somebody_looks_at_them() -> None:
    local = Local()
    world = process(local)
    held, now_s = world.guards.breakers._of(KEY), local.clock.now() // 1000
    held.keep_s, held.pending = 4, {(0, now_s - age): (0, 1) for age in (5, 4, 3)}
    local.io.before_commit = failing(1, StoreUnavailable("away"))
    local.run(world.guards.breakers.settle(world))
    assert {(0, now_s - 4): (0, 1), (0, now_s - 3): (0, 1)} == held.pending


def test_a_process_that_may_be_frozen_tells_of_failures_first() -> None:
    local = Local(Script({"a": [BAD]}))
    publish(local, guarded(circuitBreaker={"failureThreshold": 9}))
    execution = local.start("flow")
    local.drive(execution, deadline=local.clock.now() + 100_000)
    assert Counts(0, 1) == stored(local).within(0, 0)
    local.drive(local.start("flow"))
    assert Counts(0, 1) == stored(local).within(0, 0)
    local.run(asyncio.sleep(2))
    assert Counts(0, 2) == stored(local).within(0, 0)


@pytest.mark.parametrize(("may_be_frozen", "told"), [(True, 2), (False, 1)])
def test_a_failure_less_than_a_second_after_the_last_telling_is_not_lost(may_be_frozen: bool, told: int) -> None:
    local = Local(Script({"a": [BAD], "b": [BAD]}, lasting={"b": 0.3}))
    publish(local, *[guarded(name, circuitBreaker={"failureThreshold": 9}) for name in ("a", "b")])
    local.drive(local.start("flow"), deadline=local.clock.now() + 100_000 if may_be_frozen else None)
    assert Counts(0, told) == stored(local).within(0, 0)
    local.run(asyncio.sleep(2))
    assert Counts(0, 2) == stored(local).within(0, 0)


def test_only_so_many_breakers_are_remembered() -> None:
    local = Local()
    world = process(local)

    async def many() -> None:
        for number in range(telling.KEPT + 5):
            key = BreakerKey(SCOPE, "default", f"key~{number}")
            await world.guards.breakers.admit(world, key, POLICY, caller="a", limit_ms=1)

    local.run(many())
    assert telling.KEPT == len(world.guards.breakers._held)


@pytest.mark.parametrize("probing", [True, False], ids=["a probe that ends", "a failure that opens"])
def test_a_result_that_loses_every_race_is_given_up_after_as_many_tries(probing: bool) -> None:
    local = Local()
    world, tries = process(local), []
    policy = replace(POLICY, threshold=1)
    if probing:
        before = opened(Breaker(), POLICY, now=local.clock.now() - 10_000, counts=Counts(0, 2))
        local.documents.write(SCOPE, [breaker_write("default", "key~k", Stored(), before)])
    permit = local.run(world.guards.breakers.admit(world, KEY, policy, caller="a", limit_ms=1_000))
    assert isinstance(permit, Permit)

    def steal(ops: Sequence[Op]) -> None:
        if "state" in ops[0].set:  # type: ignore[union-attr]
            tries.append(local.loop.time())
            now = stored(local, "key~k")
            faster = replace(now.breaker, version=now.breaker.version + 1)
            local.documents.write(SCOPE, [breaker_write("default", "key~k", now, faster)])

    local.io.before_commit = steal
    local.run(world.guards.breakers.report(world, permit, "failure"))
    assert (probing, 32) == (permit.probe, len(tries))
    assert ("halfOpen" if probing else "closed") == stored(local, "key~k").breaker.state
    local.run(asyncio.sleep(2))  # until what was counted is told
    assert 32 == len(tries)


def test_a_caller_that_loses_every_race_is_refused() -> None:
    local = Local()
    before = opened(Breaker(), POLICY, now=local.clock.now() - 10_000, counts=Counts(0, 2))
    local.documents.write(SCOPE, [breaker_write("default", "key~k", Stored(), before)])

    def steal(_ops: Sequence[Op]) -> None:
        now = stored(local, "key~k")
        local.documents.write(
            SCOPE, [breaker_write("default", "key~k", now, replace(now.breaker, version=now.breaker.version + 1))]
        )

    local.io.before_commit = steal
    refused = local.run(ask(process(local), "a"))
    assert Refused(local.clock.now() + 1_000, "breaker: half-open, no place for a probe") == refused
    assert 1 + 32 == stored(local, "key~k").breaker.version
