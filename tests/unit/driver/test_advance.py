"""One driver on one execution: what it answers, what it writes, and what it does when the world gets in its way."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from msgspec.structs import replace

from millrace.adapters.inprocess import run_actor
from millrace.base.errors import (
    Corrupt,
    OutcomeUnknown,
    StoreUnavailable,
)
from millrace.base.ids import idempotency_key
from millrace.driver.advance import advance
from millrace.driver.loading import load_messages, snapshot_key
from millrace.driver.world import Again, Done, Poke, Wait
from millrace.engine import events as ev
from millrace.engine.evolve import evolve
from millrace.engine.snapshot import thaw
from millrace.engine.state import State
from millrace.ports.documents import Delete, Key, Put, Table, Update
from millrace.ports.runners import Attempt, Failure
from millrace.services.cancel_execution import cancel_execution
from millrace.services.signal_execution import signal_execution
from millrace.store.executions import Message, actor_key, message_puts, read_actor, summary_key
from millrace.store.runlog import Stamp, segment_key, segment_puts
from tests.simulation.loop import Stuck
from tests.unit.store.test_pages import Asked

from .runs import CALLER, NEVER, SCOPE, Local, Script, call

LATER = {"maxAttempts": 2, "interval": "30s", "maxInterval": "30s", "jitter": "none"}
BAD = Failure("network", "reset", "gone", True)


def test_a_finished_run_answers_done_and_is_done_for_ever() -> None:
    local = Local()
    execution = local.begin([call("a"), call("b", "a")])
    assert [Done("succeeded"), Done("done")] == [local.drive(execution), local.drive(execution)]
    assert ({"b": "b"}, ["a", "b"]) == (local.read(execution)["output"], local.script.ended)


def test_an_execution_that_does_not_exist_is_nothing_to_do() -> None:
    assert Done("unknown") == Local().drive("0" * 26)


def test_a_chain_of_n_tasks_takes_n_plus_one_segments() -> None:
    local = Local()
    names = [f"t{n}" for n in range(6)]
    execution = local.begin([call(name, *names[max(n - 1, 0) : n]) for n, name in enumerate(names)])
    local.finish(execution)
    assert 1 + len(names) + 1 == len(local.segments(execution))


def test_results_that_arrive_during_a_commit_share_the_next() -> None:
    local = Local()
    execution = local.begin([call(f"t{n}") for n in range(50)])
    local.finish(execution)
    assert len(local.segments(execution)) <= 4


def test_a_task_starts_while_another_still_runs_and_its_commit_waits_for_nothing() -> None:
    local = Local(Script(lasting={"slow": 5.0}))
    execution = local.begin([call("slow"), call("fast"), call("next", "fast"), call("last", "next")])
    body = local.finish(execution)
    assert ["fast", "next", "last", "slow"] == local.script.ended
    assert 5_000 <= body["durationMs"] < 5_100
    assert 6 == len(local.segments(execution))


def test_every_attempt_carries_key_deadline_and_trace() -> None:
    script = Script({"a": [BAD, "ok"]})
    local = Local(script)
    retry = {"maxAttempts": 2, "interval": "1s", "jitter": "none"}
    execution = local.begin([call("a", input={"n": 1}, attemptTimeout="8s", timeout="10s", retry=retry)])
    local.finish(execution)
    one, two = script.performed
    assert idempotency_key(execution, "a") == one.idempotency_key == two.idempotency_key
    assert ([1, 2], [{"n": 1}] * 2) == ([one.number, two.number], [one.input, two.input])
    assert one.config == two.config
    assert (8000, True) == (one.deadline_ms, 8000 < two.deadline_ms + 1000 <= 9000)


def test_a_later_attempt_has_what_the_earlier_ones_have_left_of_the_task() -> None:
    script = Script({"a": [BAD, "ok"]}, lasting={"a": 4})
    local = Local(script)
    retry = {"maxAttempts": 2, "interval": "1s", "jitter": "none"}
    execution = local.begin([call("a", attemptTimeout="8s", timeout="10s", retry=retry)])
    assert "succeeded" == local.finish(execution)["status"]
    assert [8, 5 + 1] == [round(attempt.deadline_ms / 1000) for attempt in script.performed]


def test_an_attempt_has_what_is_left_of_the_workflow_and_one_at_the_end_has_its_own_time() -> None:
    script = Script(lasting={"a": 4})
    local = Local(script)
    tasks = [call("a", attemptTimeout="8s"), call("b", "a", attemptTimeout="8s")]
    execution = local.begin(tasks, timeout="10s", **{"finally": [call("f", attemptTimeout="60s")]})
    assert "succeeded" == local.finish(execution)["status"]
    assert [8, 6 + 1, 60] == [round(attempt.deadline_ms / 1000) for attempt in script.performed]


def test_an_attempt_that_begins_as_its_task_is_over_has_a_millisecond_and_then_what_lets_the_task_end_first() -> None:
    local = Local(Script({"a": [NEVER]}))
    assert "task-timeout" == local.finish(local.begin([call("a", timeout="1ms")]))["tasks"]["a"]["error"]["code"]
    assert [1 + 1_000] == [attempt.deadline_ms for attempt in local.script.performed]


def test_an_attempt_that_takes_too_long_is_cut_off_and_may_be_tried_again() -> None:
    script = Script({"a": [NEVER, "ok"]})
    local = Local(script)
    retry = {"maxAttempts": 2, "interval": "1s", "jitter": "none", "retryOn": ["timeout"]}
    execution = local.begin([call("a", attemptTimeout="3s", retry=retry)])
    assert "succeeded" == local.finish(execution)["status"]
    first = local.events(execution, ev.AttemptFinished)[0]
    assert ("timeout", "attempt-timeout", 3000) == (first.failure.kind, first.failure.code, first.usage.latency_ms)


def test_a_task_that_overruns_is_stopped_and_the_run_goes_on() -> None:
    script = Script({"a": [NEVER]})
    local = Local(script)
    execution = local.begin([call("a", timeout="2s", continueOnError=True), call("b", "a")])
    body = local.finish(execution)
    assert ("succeeded", "task-timeout") == (body["status"], body["tasks"]["a"]["error"]["code"])
    assert ["b"] == script.ended


@pytest.mark.parametrize(
    ("task", "spec", "code"),
    [
        ({"timeout": "2s"}, {}, "task-timeout"),
        ({}, {"timeout": "2s"}, "workflow-timeout"),
        ({"attemptTimeout": "2s", "timeout": "9s"}, {}, "attempt-timeout"),
    ],
    ids=["task", "workflow", "attempt"],
)
def test_a_pause_of_the_process_does_not_change_whose_time_was_over(
    task: dict[str, Any], spec: dict[str, Any], code: str
) -> None:
    def paused(_attempt: Attempt) -> Failure:
        local.loop.advance(5)
        return Failure("timeout", "attempt-timeout", "too slow", True)

    local = Local(Script({"a": [paused]}))
    body = local.finish(local.begin([call("a", **task)], **spec))
    assert code == body["tasks"]["a"]["error"]["code"]
    assert (code == "attempt-timeout") == bool(local.events(body["id"], ev.AttemptFinished))


def test_a_workflow_timeout_cuts_attempts_short() -> None:
    local = Local(Script({"a": [NEVER]}))
    body = local.finish(local.begin([call("a")], timeout="5s"))
    assert ("timedOut", 5000, "cancelled") == (body["status"], body["durationMs"], body["tasks"]["a"]["status"])


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (ValueError("boom"), "runner-error"),
        ({1, 2}, "runner-error"),
        (lambda _attempt: object(), "runner-error"),
        (float("nan"), "invalid-request"),
        ({"x": "\ud800"}, "invalid-request"),
        (ValueError("x" * 500_000), "runner-error"),
    ],
)
def test_a_defect_in_a_runner_fails_its_task_and_not_the_driver(answer: Any, code: str) -> None:
    local = Local(Script({"a": [answer]}))
    body = local.finish(local.begin([call("a", retry={"maxAttempts": 3, "interval": "1ms"})]))
    assert ("failed", code, 1) == (body["status"], body["tasks"]["a"]["error"]["code"], body["tasks"]["a"]["attempts"])
    assert len(body["errorMessage"]) <= 4000


def test_a_delay_of_ten_seconds_is_slept_in_the_driver_and_a_longer_one_parks() -> None:
    for interval, parks in (("10s", False), ("11s", True)):
        local = Local(Script({"a": [BAD, "ok"]}))
        retry = {"maxAttempts": 2, "interval": interval, "maxInterval": "60s", "jitter": "none"}
        outcome = local.drive(local.begin([call("a", retry=retry)]))
        assert parks is isinstance(outcome, Wait)


def test_a_parked_run_names_when_to_wake_and_goes_on_then() -> None:
    local = Local(Script({"a": [BAD, "ok"]}))
    execution = local.begin([call("a", retry=LATER)])
    outcome = local.drive(execution)
    (retry,) = local.events(execution, ev.RetryScheduled)
    assert Wait(retry.due, 0, len(local.events(execution))) == outcome
    body = local.finish(execution)
    assert ("succeeded", 2) == (body["status"], body["tasks"]["a"]["attempts"])
    assert read_actor(local.documents, SCOPE, execution).done  # type: ignore[union-attr]


def test_no_attempt_starts_whose_timeout_exceeds_the_time_left() -> None:
    local = Local()
    execution = local.begin([call("short", attemptTimeout="5s"), call("long", attemptTimeout="60s")])
    assert Again(0, "deadline") == local.drive(execution, deadline=local.clock.now() + 20_000)
    assert ["short"] == local.script.ended
    actor = read_actor(local.documents, SCOPE, execution)
    assert ("", 0) == (actor.owner, actor.lease_until)  # type: ignore[union-attr]
    assert Done("succeeded") == local.drive(execution, deadline=local.clock.now() + 100_000)


@pytest.mark.parametrize(("left", "ended"), [(5_000 + 7_000, ["a"]), (5_000 + 6_999, [])])
def test_an_attempt_starts_while_its_timeout_and_the_margin_fit_to_the_millisecond(left: int, ended: list[str]) -> None:
    local = Local()
    execution = local.begin([call("a", attemptTimeout="7s")])
    local.drive(execution, deadline=local.clock.now() + left)
    assert ended == local.script.ended


def test_a_retry_beyond_the_deadline_is_left_to_the_next_driver() -> None:
    local = Local(Script({"a": [BAD, "ok"]}))
    retry = {"maxAttempts": 2, "interval": "9s", "jitter": "none"}
    execution = local.begin([call("a", attemptTimeout="1s", retry=retry)])
    assert Again(0, "deadline") == local.drive(execution, deadline=local.clock.now() + 10_000)
    assert Done("succeeded") == local.drive(execution, deadline=local.clock.now() + 60_000)


@pytest.mark.parametrize(
    ("left", "outcome"), [(5_000 + 9_000, Done("succeeded")), (5_000 + 8_999, Again(0, "deadline"))]
)
def test_a_timer_is_waited_for_while_it_and_the_margin_fit_to_the_millisecond(left: int, outcome: Any) -> None:
    local = Local()
    execution = local.begin([{"id": "w", "wait": {"for": "9s"}}])
    assert outcome == local.drive(execution, deadline=local.clock.now() + left)


def test_a_driver_that_is_stopped_waits_for_the_commit_that_it_has_begun() -> None:
    def stop(_attempt: Attempt) -> str:
        local.loop.call_later(0.0005, driving.cancel)  # a commit takes a millisecond, and begins now
        return "done"

    local = Local(Script({"a": [stop], "b": [NEVER]}))
    execution = local.begin([call("a"), call("b")])
    driving = asyncio.ensure_future(advance(local.world, SCOPE, execution), loop=local.loop)
    with pytest.raises(asyncio.CancelledError):
        local.run(driving)
    assert ["a"] == [event.path for event in local.events(execution, ev.AttemptFinished)]


LOOP = {"forEach": {"items": [0, 1, 2, 3, 4], "tolerate": {"failures": 2}}, "tasks": [call("a"), call("b", "a")]}


@pytest.mark.parametrize(
    ("tasks", "counts", "attempts"),
    [
        ([call("one"), call("two", "one")], (2, 0, 0), 2),
        ([{"id": "loop", **LOOP}, call("after", "loop")], (2 + 3 + 3, 2, 2), 5 + 3 + 1),
    ],
    ids=["plain", "iterations that are forgotten"],
)
def test_the_summary_counts_tasks_and_attempts(
    tasks: list[dict[str, Any]], counts: tuple[int, int, int], attempts: int
) -> None:
    local = Local(Script({f"loop[{n}]/a": [Failure("http", "404", "no", False)] for n in (1, 3)}))
    execution = local.begin(tasks)
    assert "succeeded" == local.finish(execution)["status"]
    summary = local.documents.get(SCOPE, summary_key(execution))
    assert summary is not None
    expected = dict(zip(("succeeded", "failed", "skipped"), counts, strict=True))
    assert (expected, attempts) == (summary.attrs["tasks"], summary.attrs["attempts"])
    assert len(local.events(execution)) == summary.attrs["position"]


# leases and fences


def test_a_lease_that_another_holds_is_waited_for_unless_the_store_is_ours_alone() -> None:
    local = Local()
    execution = local.begin([call("a")])
    until = local.clock.now() + 9_000
    local.documents.write(SCOPE, [Update(actor_key(execution), set={"owner": "other", "leaseUntil": until})])
    assert Again(until, "leased") == local.drive(execution)
    local.run(asyncio.sleep(8.999))
    assert Again(until, "leased") == local.drive(execution)
    local.run(asyncio.sleep((until - local.clock.now()) / 1000))
    assert (until, Done("succeeded")) == (local.clock.now(), local.drive(execution))
    alone = Local(exclusive=True)
    execution = alone.begin([call("a")])
    alone.documents.write(SCOPE, [Update(actor_key(execution), set={"owner": "other", "leaseUntil": until})])
    assert Done("succeeded") == alone.drive(execution)


def test_a_driver_whose_log_was_written_by_another_performs_nothing() -> None:
    local = Local()
    execution = local.begin([call("a")])

    def usurp(ops: Any) -> None:
        local.io.before_commit = lambda _ops: None
        puts = segment_puts(execution, 1, [ev.CancelRequested(at=1, message="m")], Stamp("other", "w"))
        local.documents.write(SCOPE, puts)

    local.io.before_commit = usurp
    outcome = local.drive(execution)
    assert isinstance(outcome, Again)
    assert ("belongs to another driver" in outcome.why, []) == (True, local.script.performed)


@pytest.mark.parametrize("error", [OutcomeUnknown("lost"), StoreUnavailable("away")])
@pytest.mark.parametrize("applied", [True, False])
def test_a_commit_whose_fate_is_unclear_is_made_once(error: Exception, applied: bool) -> None:
    local = Local()
    execution = local.begin([call("a"), call("b", "a")])
    count = 0

    def fail(ops: Any) -> None:
        nonlocal count
        count += 1
        if count % 2:
            if applied and isinstance(error, OutcomeUnknown):
                local.documents.write(SCOPE, ops)
            raise error

    local.io.before_commit = fail
    assert Done("succeeded") == local.drive(execution)
    assert ["a", "b"] == [attempt.path for attempt in local.script.performed]


@pytest.mark.parametrize("error", [OutcomeUnknown("lost"), StoreUnavailable("away")])
def test_a_store_that_stays_away_ends_the_driver_with_nothing_performed(error: Exception) -> None:
    local = Local()
    execution = local.begin([call("a")])

    def fail(_ops: Any) -> None:
        raise error

    local.io.before_commit = fail
    with pytest.raises(StoreUnavailable):
        local.drive(execution)
    assert [] == local.script.performed
    local.io.before_commit = lambda _ops: None
    assert Done("succeeded") == local.drive(execution)


def test_blobs_that_cannot_be_written_hold_the_log_back() -> None:
    local = Local(Script({"a": ["x" * 70_000]}))
    execution = local.begin([call("a")])
    failures = [StoreUnavailable("away"), OutcomeUnknown("lost")]
    real = local.blobs.put

    class Flaky:
        def __getattr__(self, name: str) -> Any:
            return getattr(local.blobs, name)

        def put(self, *args: Any) -> None:
            if failures:
                raise failures.pop()
            real(*args)

    local.world = _with(local.world, blobs=Flaky())
    assert Done("succeeded") == local.drive(execution)
    assert ([], 70_000) == (failures, len(local.read(execution)["output"]["a"]))


def _with(world: Any, **changes: Any) -> Any:
    return replace(world, **changes)


@pytest.mark.parametrize(("poll_ms", "renewed"), [(2_000, [0, 16, 32, 48]), (5_000, [0, 20, 40])])
def test_a_lease_is_renewed_at_the_first_look_at_which_less_than_half_of_it_is_left(
    poll_ms: int, renewed: list[int]
) -> None:
    local = Local(Script(lasting={"a": 50}), poll_ms=poll_ms)
    execution = local.begin([call("a", attemptTimeout="60s")])
    seen: list[int] = []
    local.io.after_commit = lambda ops: seen.extend(
        int(str(op.set["leaseUntil"])) for op in ops if isinstance(op, Update) and "leaseUntil" in op.set
    )
    begun = local.clock.now()
    local.finish(execution)
    assert renewed == [round((until - begun) / 1000) - 30 for until in seen]


def test_a_lease_that_was_not_taken_is_not_renewed() -> None:
    local = Local(Script({"a": [BAD, "ok"]}))
    execution = local.begin([call("a", retry={"maxAttempts": 2, "interval": "9s", "jitter": "none"})])
    local.crash(execution, 1)
    seen: list[Any] = []
    local.io.after_commit = seen.extend
    assert Done("succeeded") == local.drive(execution)
    assert 1 == len([op for op in seen if isinstance(op, Update) and "leaseUntil" in op.set])


def test_a_lease_that_was_lost_stops_the_driver_without_another_write() -> None:
    local = Local(Script(lasting={"a": 30}))
    execution = local.begin([call("a")])

    async def steal() -> Any:
        task = asyncio.ensure_future(advance(local.world, SCOPE, execution))
        await asyncio.sleep(1)
        local.documents.write(SCOPE, [Update(actor_key(execution), set={"owner": "other"})])
        return await task

    outcome = local.run(steal())
    assert (True, []) == ("belongs to other" in outcome.why, local.script.ended)


def test_an_execution_that_was_ended_elsewhere_is_left_alone() -> None:
    local = Local(Script(lasting={"a": 30}))
    execution = local.begin([call("a")])

    async def end() -> Any:
        task = asyncio.ensure_future(advance(local.world, SCOPE, execution))
        await asyncio.sleep(1)
        local.documents.write(SCOPE, [Update(actor_key(execution), set={"done": True})])
        return await task

    assert "was ended elsewhere" in local.run(end()).why


# crashes


def test_a_killed_driver_leaves_attempts_that_the_next_records_as_unknown_and_repeats() -> None:
    script = Script({"a": [NEVER, "ok"]})
    local = Local(script, exclusive=True)
    execution = local.begin([call("a", input={"n": 1}), call("b", "a")])
    local.crash(execution, 1.0)
    body = local.finish(execution)
    assert [("a", 1)] == [(e.path, e.attempt) for e in local.events(execution, ev.AttemptUnknown)]
    assert ("succeeded", [1, 2, 1]) == (body["status"], [attempt.number for attempt in script.performed])
    assert script.performed[0].input == script.performed[1].input == {"n": 1}
    assert script.performed[0].config == script.performed[1].config


def test_three_crashes_fail_a_task_as_driver_crash() -> None:
    local = Local(Script({"a": [NEVER]}), exclusive=True)
    execution = local.begin([call("a")])
    for _ in range(3):
        local.crash(execution, 1.0)
    body = local.finish(execution)
    assert ("failed", "driver_crash", 3) == (body["status"], body["error"]["kind"], len(local.script.performed))


def test_a_recorded_result_is_never_performed_again_after_a_crash() -> None:
    local = Local(Script({"b": [NEVER, "ok"]}), exclusive=True)
    execution = local.begin([call("a"), call("b", "a")])
    local.crash(execution, 1.0)
    local.finish(execution)
    assert ["a", "b", "b"] == [attempt.path for attempt in local.script.performed]


# messages


def test_a_cancel_ends_running_attempts_within_the_next_look() -> None:
    local = Local(Script({"a": [NEVER]}))
    execution = local.begin([call("a")])

    async def cancelled() -> Any:
        task = asyncio.ensure_future(advance(local.world, SCOPE, execution))
        await asyncio.sleep(1)
        cancel_execution(local.platform, CALLER, execution, reason="enough", message_id="m1")
        return await task

    assert Done("cancelled") == local.run(cancelled())
    body = local.read(execution)
    assert ("enough", True, []) == (body["errorMessage"], body["durationMs"] <= 2_500, local.script.ended)
    assert [] == list(local.documents.query(SCOPE, Table.HISTORY, ("inbox", execution)).rows)


def test_a_poke_makes_the_driver_look_at_once() -> None:
    local = Local(Script({"a": [NEVER]}))
    execution = local.begin([call("a")])
    poke = Poke()

    async def cancelled() -> Any:
        task = asyncio.ensure_future(advance(local.world, SCOPE, execution, poke=poke))
        await asyncio.sleep(0.5)
        cancel_execution(local.platform, CALLER, execution, reason="", message_id="m1")
        poke.set()
        return await task

    assert Done("cancelled") == local.run(cancelled())
    assert local.read(execution)["durationMs"] < 1_000


def test_a_cancel_that_was_sent_before_the_first_drive_starts_nothing() -> None:
    local = Local()
    execution = local.begin([call("a")])
    cancel_execution(local.platform, CALLER, execution, reason="no", message_id="m1")
    assert (Done("cancelled"), []) == (local.drive(execution), local.script.performed)


def test_signals_are_history_once_with_their_payload_and_many_are_taken_in() -> None:
    local = Local()
    execution = local.begin([call("a")])
    for number in range(130):
        for _ in range(1 + number % 2):
            signal_execution(
                local.platform, CALLER, execution, "go", payload={"n": number}, message_id=f"m{number:03d}"
            )
    local.drive(execution)
    found = [
        (e.message, e.signal, e.payload.decoded(), e.principal) for e in local.events(execution, ev.SignalReceived)
    ]
    assert [(f"m{n:03d}", "go", {"n": n}, "ann") for n in range(130)] == found
    assert [] == list(local.documents.query(SCOPE, Table.HISTORY, ("inbox", execution)).rows)


def test_an_inbox_is_read_a_hundred_messages_at_a_time() -> None:
    documents = Asked()
    for number in range(101):
        documents.write(SCOPE, message_puts("01x", Message(f"m{number:03d}", "signal"), 1)[:1])
    messages = load_messages(_with(Local().world, documents=documents), SCOPE, "01x")
    assert ([f"m{number:03d}" for number in range(101)], [100, 100]) == ([one.id for one in messages], documents.limits)


@pytest.mark.parametrize("owner", ["driver-1", "other"])
def test_an_end_that_a_message_puts_off_comes_in_the_same_turn_while_the_lease_is_held(owner: str) -> None:
    local = Local()
    execution = local.begin([call("a")])

    def send(ops: Any) -> None:
        if any(isinstance(op, Update) and op.set.get("done") for op in ops):
            local.io.before_commit = lambda _ops: None
            signal_execution(local.platform, CALLER, execution, "late", payload=None, message_id="m1")
            held = {"owner": owner, "leaseUntil": local.clock.now() + 9_000}
            local.documents.write(SCOPE, [Update(actor_key(execution), set=held)])

    local.io.before_commit = send
    outcome = local.drive(execution)
    assert Done("succeeded") == outcome if owner == "driver-1" else isinstance(outcome, Again)


def test_an_end_that_is_put_off_again_and_again_is_left_to_another_turn() -> None:
    local = Local()
    execution = local.begin([call("a")])
    ends = 0

    def send(ops: Any) -> None:
        nonlocal ends
        if any(isinstance(op, Update) and op.set.get("done") for op in ops):
            ends += 1
            local.documents.write(SCOPE, [Update(actor_key(execution), add={"inboxSeq": 1})])

    local.io.before_commit = send
    outcome = local.drive(execution)
    assert isinstance(outcome, Again)
    assert (3, True) == (ends, "beside the log" in outcome.why)
    local.io.before_commit = lambda _ops: None
    assert Done("succeeded") == local.drive(execution)


def test_a_message_that_comes_in_as_the_run_ends_is_history_before_the_end_and_after_all_that_had_happened() -> None:
    plain, local = Local(), Local()
    undisturbed, execution = (one.begin([call("a")]) for one in (plain, local))
    plain.finish(undisturbed)

    def send(ops: Any) -> None:
        if any(isinstance(op, Update) and op.set.get("done") for op in ops):
            local.io.before_commit = lambda _ops: None
            signal_execution(local.platform, CALLER, execution, "late", payload=None, message_id="m1")

    local.io.before_commit = send
    body = local.finish(execution)
    kinds = [type(event).__name__ for event in local.events(execution)]
    assert ("succeeded", 1, 1) == (body["status"], kinds.count("SignalReceived"), kinds.count("AttemptStarted"))
    assert [type(event).__name__ for event in plain.events(undisturbed)][:-1] == kinds[: kinds.index("SignalReceived")]
    assert kinds.index("SignalReceived") < kinds.index("ExecutionFinished")


# snapshots and damage


def _parked(local: Local) -> tuple[str, int]:
    """A run with more than a thousand events behind it, parked before its last attempt, and where its snapshot is."""
    local.script.answers["last"], local.script.lasting["w"] = [BAD, "ok"], 5
    tasks = [call(f"t{n}") for n in range(400)] + [call("w", "t0"), call("last", "w", retry=LATER)]
    execution = local.begin(tasks)
    assert isinstance(local.drive(execution), Wait)
    position = read_actor(local.documents, SCOPE, execution).snapshot  # type: ignore[union-attr]
    assert position >= 1000
    return execution, position


def test_a_long_log_is_continued_from_its_snapshot() -> None:
    local = Local()
    execution, position = _parked(local)
    passed = [one.first for one in local.segments(execution) if 0 < one.first < position]
    local.documents.write(SCOPE, [Delete(segment_key(execution, first)) for first in passed])
    local.run(asyncio.sleep(31))
    assert (True, Done("succeeded")) == (len(passed) > 1, local.drive(execution))


def _noted(local: Local) -> list[tuple[int, bytes]]:
    """The snapshots that are written from now on, and their positions."""
    found: list[tuple[int, bytes]] = []
    put = local.blobs.put

    class Noted:
        def __getattr__(self, name: str) -> Any:
            return getattr(local.blobs, name)

        def put(self, scope: Any, key: tuple[str, ...], data: bytes) -> None:
            found.append((int(key[-1]), data))
            put(scope, key, data)

    local.world = _with(local.world, blobs=Noted())
    return found


def _snapshots(tasks: int, **world: Any) -> tuple[list[int], list[int]]:
    """Where snapshots of a chain were written, and where its segments end."""
    local = Local(**world)
    found = _noted(local)
    execution = local.begin([call(f"t{n}", *([f"t{n - 1}"] if n else [])) for n in range(tasks)])
    local.finish(execution)
    return [at for at, _ in found], [one.first + len(one.events) for one in local.segments(execution)]


def test_a_snapshot_holds_nothing_but_what_is_in_the_log_by_then() -> None:
    tasks = [f"t{n}" for n in range(12)]
    # of each three, one result comes in while the commit of another is under way
    lasting = {name: 0.02 * (1 + n // 3) + 0.0004 * (n % 3) for n, name in enumerate(tasks)}
    local = Local(Script(lasting=lasting), snapshot_events=1)
    found = _noted(local)
    execution = local.begin([call(name) for name in tasks])
    local.finish(execution)
    events = local.events(execution)
    plan = local.world.plans(SCOPE, events[0])
    for position, data in found:
        state = State(plan)
        for event in events[:position]:
            evolve(state, event)
        thawed = thaw(plan, data)
        assert thawed is not None
        assert (state.tally, state.view) == (thawed.tally, thawed.view)
    assert len(found) > 3


@pytest.mark.parametrize("events", [6, 7])
def test_a_snapshot_is_written_as_soon_as_so_many_events_have_come(events: int) -> None:
    positions, ends = _snapshots(20, snapshot_events=events)
    expected, last = [], 0
    for end in ends[:-1]:
        if end - last >= events:
            expected.append(end)
            last = end
    assert (expected, True) == (positions, len(expected) > 4)


@pytest.mark.parametrize("more", [0, 1])
def test_a_snapshot_is_written_as_soon_as_the_log_has_grown_by_so_many_bytes(more: int) -> None:
    local = Local()
    execution = local.begin([call(f"t{n}", *([f"t{n - 1}"] if n else [])) for n in range(9)])
    local.finish(execution)
    rows = local.documents.query(SCOPE, Table.HISTORY, ("log", execution, "0")).rows[1:]  # the first is the start
    sizes = [len(row.item.attrs["body"]) for row in rows]  # type: ignore[arg-type]
    large = sizes[0] + sizes[1] + more
    positions, ends = _snapshots(9, snapshot_bytes=large)
    expected, grown = [], 0
    for end, size in zip(ends[1:-1], sizes, strict=False):
        grown += size
        if grown >= large:
            expected.append(end)
            grown = 0
    assert (expected, True) == (positions, len(expected) > 2)


@pytest.mark.parametrize("damage", ["gone", "garbage", "none"])
def test_whatever_is_wrong_with_a_snapshot_the_log_decides(damage: str) -> None:
    local = Local()
    execution, position = _parked(local)
    if damage == "gone":
        local.blobs.delete_prefix(SCOPE, ("execution", execution, "snapshot"))
    elif damage == "garbage":
        local.blobs.put(SCOPE, snapshot_key(execution, position), b"\x00" * 5000)
    body = local.finish(execution)
    assert ("succeeded", 402) == (body["status"], len(body["tasks"]))


def test_a_log_with_a_gap_after_its_snapshot_is_damage() -> None:
    local = Local()
    execution, position = _parked(local)
    local.documents.write(SCOPE, [Delete(segment_key(execution, position))])
    with pytest.raises(Corrupt, match="has a gap"):
        local.drive(execution)


def test_a_log_without_events_or_without_its_start_is_damage() -> None:
    local = Local()
    execution = local.begin([call("a")])
    key = Key(Table.HISTORY, ("log", execution, "0"), f"{0:012d}")
    local.documents.write(SCOPE, [Delete(key)])
    with pytest.raises(Corrupt, match="is empty"):
        local.drive(execution)
    (put,) = segment_puts(execution, 0, [ev.CancelRequested(at=1, message="m")], Stamp("x", "w"))
    local.documents.write(SCOPE, [Put(put.item)])
    with pytest.raises(Corrupt, match="does not begin with its start"):
        local.drive(execution)


def test_a_log_that_speaks_of_a_task_its_version_does_not_have_is_damage() -> None:
    local = Local()
    execution = local.begin([call("a")])
    local.documents.write(
        SCOPE, segment_puts(execution, 1, [ev.AttemptStarted(at=1, path="ghost", attempt=1)], Stamp("x", "w"))
    )
    with pytest.raises(Corrupt, match="'ghost'"):
        local.drive(execution)


@pytest.mark.parametrize("damage", ["missing", "corrupt"])
def test_a_large_value_that_is_lost_or_damaged_stalls_the_execution_with_a_sign(damage: str) -> None:
    local = Local(Script({"a": [{"x": "y" * 70_000}], "b": [BAD, "ok"]}))
    tasks = [call("a"), call("b", "a", retry=LATER), call("c", "b", input={"all": "{{tasks.a.output}}"})]
    execution = local.begin(tasks)
    assert isinstance(local.drive(execution), Wait)
    prefix = ("execution", execution, "value")
    (key,) = local.blobs.keys(SCOPE, prefix)
    good = local.blobs.get(SCOPE, key)
    if damage == "missing":
        local.blobs.delete_prefix(SCOPE, prefix)
    else:
        local.blobs.put(SCOPE, key, good.replace(b"y", b"z", 1))
    local.run(_actor(local, execution))
    actor = read_actor(local.documents, SCOPE, execution)
    assert actor is not None
    assert (False, "") == (actor.done, actor.owner)
    assert ("store" if damage == "missing" else "does not match its hash") in actor.stalled
    local.blobs.put(SCOPE, key, good)
    assert "stalled" == local.read(execution)["status"]
    body = local.finish(execution)
    assert ("succeeded", 2) == (body["status"], body["tasks"]["b"]["attempts"])


def test_a_result_that_came_in_during_a_commit_is_kept_where_what_follows_it_cannot_be_read() -> None:
    script = Script({"a": [{"x": "y" * 70_000}], "b": [BAD, "ok"], "d": [BAD, "ok"]}, lasting={"b": 0.0205, "d": 0.02})
    local = Local(script)  # a commit takes a millisecond
    tasks = [call("a"), call("b", "a", retry=LATER), call("c", "b", input={"all": "{{tasks.a.output}}"})]
    execution = local.begin([*tasks, call("d", "a", retry=LATER)])
    assert isinstance(local.drive(execution), Wait)
    local.blobs.delete_prefix(SCOPE, ("execution", execution, "value"))
    local.run(asyncio.sleep(31))
    with pytest.raises(Corrupt):
        local.drive(execution)
    kept = [(event.path, event.attempt) for event in local.events(execution, ev.AttemptFinished)]
    assert [("a", 1), ("d", 1), ("b", 1), ("d", 2), ("b", 2)] == kept


async def _actor(local: Local, execution: str) -> None:
    await run_actor(local.world, SCOPE, execution, Poke())


def test_a_record_that_no_segment_can_hold_stalls_instead_of_trying_for_ever() -> None:
    failure = Failure("task", "odd" * 200_000, "too much to tell", False)
    local = Local(Script({"a": [failure]}))
    execution = local.begin([call("a")])
    body = local.finish(execution)
    assert "stalled" == body["status"]
    assert "limit" in body["errorMessage"]


def test_a_failure_with_a_megabyte_of_details_ends_its_task_and_tells_what_fits() -> None:
    details = {"status": 500, "all": "x" * 1_000_000, "rows": list(range(200_000)), "last": {"at": 1}}
    failure = Failure("task", "odd", "m" * 1_000_000, False, hint="h" * 1_000_000, details=details)
    local = Local(Script({"a": [failure]}))
    execution = local.begin([call("a")])
    body = local.finish(execution)
    assert ("failed", "a") == (body["status"], body["failedTask"])
    error = body["tasks"]["a"]["error"]
    assert {"truncated": True, "status": 500, "all": "x" * 500, "last": {"at": 1}} == error["details"]
    assert (4_000, 1_000) == (len(error["message"]), len(error["hint"]))
    assert error == body["error"]


def test_a_message_that_is_delivered_again_after_it_became_history_is_not_written_twice() -> None:
    local = Local(Script({"a": [BAD, "ok"]}))
    execution = local.begin([call("a", retry=LATER)])
    for _ in range(3):
        signal_execution(local.platform, CALLER, execution, "go", payload={"n": 1}, message_id="m1")
        assert isinstance(local.drive(execution), Wait)
    assert ["m1"] == [event.message for event in local.events(execution, ev.SignalReceived)]
    assert [] == list(local.documents.query(SCOPE, Table.HISTORY, ("inbox", execution)).rows)
    assert "succeeded" == local.finish(execution)["status"]


def test_a_driver_leaves_no_timer_behind() -> None:
    local = Local()
    assert isinstance(local.drive(local.begin([call("a")])), Done)
    ended = local.loop.time()
    with pytest.raises(Stuck):
        local.run(local.loop.create_future())
    assert ended == local.loop.time()
