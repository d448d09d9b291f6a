"""A driver that has only the log goes on as the one before would have, and fetches large values where it needs them."""

from __future__ import annotations

from typing import Any

import pytest

from millrace.engine import events as ev
from millrace.engine.compile import compile_plan
from millrace.engine.rendering import unresolved
from millrace.engine.snapshot import freeze
from millrace.spec import Workflow

from .nested import bare, child, choose, document_of, each, flow, played, resumed, shape, work
from .play import NEVER, Play, failure

BIG = "x" * 70_000
BAD = failure("http", "503", retryable=False)
SIZE = "{{size(tasks.big.output)}}"
RUNS: dict[str, tuple[list[dict[str, Any]], dict[str, Any]]] = {
    "a body that reads a task around it": ([each("l", [1, 2], work("x"), shape("y", [SIZE], "x"))], {}),
    "a mapping of a loop": ([each("l", [1], work("x"), output={"n": SIZE}, dependsOn=["big"])], {}),
    "a mapping of an attempt": ([work("a", "big", output={"n": SIZE})], {}),
    "a mapping through the state": ([work("a", "big", output={"n": "{{state.n}}"})], {"state": {"n": SIZE}}),
    "a fallback": ([work("a", "big", fallback={"value": SIZE})], {"answers": {"a": [BAD]}}),
    "a fallback through the state": (
        [work("a", "big", fallback={"value": "{{state.n}}"})],
        {"state": {"n": SIZE}, "answers": {"a": [BAD]}},
    ),
    "a task that stands in": ([work("a", "big", fallback={"task": bare(reads=SIZE)})], {"answers": {"a": [BAD]}}),
    "a child": ([child("c", input={"n": SIZE}), child("d", output={"n": SIZE}, detached=True)], {}),
    "handlers": ([work("a", "big")], {"finally": [work("z", reads=SIZE)]}),
    "the output": ([work("a", "big")], {"output": {"n": SIZE}, "finally": [work("z")]}),
    "two loops and one large list": (
        [each("l", "{{tasks.big.output.body}}", work("x")), each("m", [1, 2], work("x"), work("y", "x"))],
        {"answers": {"big": [{"body": [BIG, "s"]}]}},
    ),
    "a switch in a loop": (
        [each("l", [1, 2], choose("s", "{{item}}", [(1, [work("x", reads=SIZE)])], default=[work("y")]))],
        {},
    ),
}  # fmt: skip


@pytest.mark.parametrize(("tasks", "more"), RUNS.values(), ids=list(RUNS))
def test_wherever_a_run_is_cut_off_the_rest_comes_to_the_same(
    tasks: list[dict[str, Any]], more: dict[str, Any]
) -> None:
    more = {**more, "answers": {"big": [BIG], **more.get("answers", {})}}
    whole = played(work("big"), *tasks, **more)
    assert "succeeded" == whole.finished().status
    for length in range(1, len(whole.events)):
        again = resumed(whole, length)
        assert whole.finished().status == again.finished().status, whole.events[length - 1]
        assert whole.output() == again.output()


def test_what_stands_in_reads_a_task_of_its_own_name_after_a_take_over() -> None:
    reads = "{{size(tasks.fallback.output)}}"
    whole = played(
        work("fallback"), work("b", "fallback", fallback={"task": bare(reads=reads)}),
        answers={"fallback": [BIG], "b": [BAD]},
    )  # fmt: skip
    opened = next(at for at, event in enumerate(whole.events) if isinstance(event, ev.ScopeOpened))
    again = resumed(whole, opened + 1)
    assert 70_000 == again.of(ev.AttemptStarted, "b/fallback")[0].config.decoded()["body"]["read"]


def test_an_event_that_is_matched_against_a_large_output_waits_until_that_is_at_hand() -> None:
    event = {"id": "e", "event": {"type": "paid", "match": "event.data == size(tasks.big.output)"}}
    whole = Play(flow(work("big"), event), answers={"big": [BIG]}).run()
    again = Play(whole.plan, begun=False)
    again.codec.blobs |= whole.codec.blobs
    for old in whole.events:
        again.take(old)
    again.now = whole.now
    again.signal("paid", 70_000)
    assert 70_000 == again.run().output()["e"]["data"]


LATE: dict[str, dict[str, Any]] = {
    "attempt": work("b", output={"x": "{{state.x}}"}),
    "loop": each("b", [1], work("y"), output={"x": "{{state.x}}"}),
    "fallback": work("b", fallback={"value": "{{state.x}}"}),
    "event": {"id": "b", "event": {"type": "paid", "match": "event.data == state.x"}},
}


@pytest.mark.parametrize("kind", list(LATE))
def test_an_entry_of_the_state_that_breaks_while_a_task_runs_fails_the_task(kind: str) -> None:
    """Its rule did not wait for ``slow``, whose output the entry cannot use."""
    task = {**LATE[kind], "dependsOn": ["fast", "slow"], "triggerRule": "one_success"}
    plan = flow(work("fast"), work("slow"), task, state={"x": "{{1 + (tasks.slow?.output ?? 1)}}"})
    answers: dict[str, list[Any]] = {"slow": ["text"], "b": [BAD if kind == "fallback" else "b"]}
    held = Play(plan, answers=answers, lasting={"slow": 20, "b": 50, "b[0]/y": 50}).run()
    held.signal("paid", 1)
    done = held.run()
    assert "failed" == done.statuses()["b"]
    assert ("http" if kind == "fallback" else "expression") == done.failure("b").kind


def test_what_stands_in_for_a_pure_task_keeps_its_input() -> None:
    task = shape("a", "text", fallback={"task": bare()})
    done = played(task)
    assert {"items": "text"} == done.of(ev.ScopeOpened, "a")[0].input.decoded()
    assert {"a": "a/fallback"} == done.output()


def test_a_task_that_did_not_wait_is_shown_only_what_its_tasks_read() -> None:
    more = {"dependsOn": ["fast", "slow"], "triggerRule": "one_success"}
    blind = each("blind", [1], work("x"), **more)
    sees = each("sees", [1], work("x"), shape("y", ["{{tasks.slow?.output ?? 'no'}}"], "x"), **more)
    done = played(work("fast"), work("slow"), blind, sees, lasting={"slow": 20, "blind[0]/x": 90, "sees[0]/x": 90})
    assert [["slow"]] == [entry["output"]["y"] for entry in done.output()["sees"]]


def test_a_second_outcome_changes_nothing() -> None:
    held = Play(flow(work("a"), **{"finally": [work("c")]}), answers={"finally/c": [NEVER]}).run()
    before = freeze(held.state)
    held.take(ev.OutcomeDecided(at=1, status="failed", failure=failure()))
    held.state.position -= 1
    assert before == freeze(held.state)


def test_a_success_without_an_output_gives_null() -> None:
    held = Play(flow(each("l", [1], work("x"))))
    held.settle()
    held.take(ev.TaskFinished(at=held.now, path="l[0]/x", status="succeeded"))
    assert [{"status": "succeeded", "output": {"x": None}}] == held.run().output()["l"]


def test_a_name_that_no_body_holds_needs_nothing() -> None:
    held = Play(
        flow(work("big"), each("l", [1], work("x"), dependsOn=["big"])), answers={"big": [BIG], "l[0]/x": [NEVER]}
    ).run()
    again = Play(held.plan, begun=False)
    for event in held.events:
        again.take(event)
    (frame,) = again.state.inner_frames()
    assert unresolved(("ghost",), again.state, frame) is None
    assert unresolved(("big",), again.state, frame) is not None


def test_what_may_not_be_tried_again_fails_at_once() -> None:
    held = Play(flow(each("l", [1], work("x", retry={"maxAttempts": 3}))), answers={"l[0]/x": [NEVER]})
    held.settle()
    held.take(ev.AttemptFinished(at=held.now, path="l[0]/x", attempt=1, failure=failure(), no_retry="no budget"))
    held.run()
    (ended,) = held.of(ev.TaskFinished, "l[0]/x")
    assert ("failed", ("retry: no budget",)) == (ended.status, ended.policy)


def test_approvals_and_breakers_inside_a_loop_are_those_of_the_document() -> None:
    approval = {
        "id": "ok",
        "type": "approval",
        "approvers": ["role:x"],
        "required": 2,
        "timeout": "1d",
        "onTimeout": "approve",
    }
    breaker = {"failureRate": "50%", "breakDuration": "30s", "scope": "workflow"}
    plan = flow(each("l", [1], approval, work("x", circuitBreaker=breaker)))
    scope = plan.nodes[0].scope
    assert scope is not None
    wait, policy = scope.bodies[0].nodes[0].wait, scope.bodies[0].nodes[1].breaker
    assert wait is not None
    assert policy is not None
    assert ("approval", 2, "approve") == (wait.kind, wait.required, wait.on_timeout)
    assert ("workflow~flow~x", 10_000) == (policy.name, policy.ramp_ms)
    keyed = flow(each("l", [1], work("x", circuitBreaker={"key": "shared"}))).nodes[0].scope
    assert keyed is not None
    assert "key~shared" == keyed.bodies[0].nodes[0].breaker.name  # type: ignore[union-attr]
    held = Play(plan).run()
    held.now += 86_400_000
    assert held.run().output()["l"][0]["output"]["ok"]["timedOut"]


def test_a_read_of_a_task_that_is_nowhere_leads_nowhere() -> None:
    """A document that was not checked compiles all the same, and fails when it runs."""
    document = Workflow.model_validate(document_of(each("l", [1], work("x", reads="{{tasks.ghost.output}}"))))
    done = Play(compile_plan(document, {}, hashes={})).run()
    assert "failed" == done.finished().status
