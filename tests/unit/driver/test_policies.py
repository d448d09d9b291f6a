"""The order of policies: the table of the page, and one task that has them all."""

from __future__ import annotations

import re
from pathlib import Path

from millrace.engine import events as ev
from millrace.ports.runners import Failure

from .runs import NEVER, Local, Script, call, workflow

PAGE = Path(__file__).resolve().parents[3] / "docs" / "reference" / "policies.md"
ORDER = [
    "condition",
    "fallback",
    "concurrency",
    "task timeout",
    "retry",
    "circuit breaker",
    "attempt timeout",
    "retry budget",
]
BAD = Failure("http", "503", "the server answered 503", True)


def test_the_page_names_the_policies_in_their_order() -> None:
    rows = re.findall(r"^\| (\d), [^|]* \| ([^|]+) \|", PAGE.read_text(), re.MULTILINE)
    assert [(str(place), name) for place, name in enumerate(ORDER, 1)] == rows


def all_policies(**more: object) -> dict[str, object]:
    """A task with everything that can stand around it."""
    return call(
        "a",
        **{
            "condition": "input.go",
            "timeout": "60s",
            "retry": {"maxAttempts": 4, "strategy": "constant", "interval": "1s", "jitter": "none", "retryOn": ["*"]},
            "circuitBreaker": {"failureThreshold": 3, "breakDuration": "20s", "rampDuration": 0},
            "attemptTimeout": "2s",
            **more,
        },
    )


def trail(local: Local, execution: str) -> list[tuple[str, object]]:
    """What every policy left in the history, in the order of the log."""
    found: list[tuple[str, object]] = []
    for event in local.events(execution):
        match event:
            case ev.AttemptStarted():
                found.append(("start", event.policy))
            case ev.AttemptFinished():
                found.append(("end", (*event.policy, event.failure.code if event.failure else "ok", event.no_retry)))
            case ev.RetryScheduled():
                found.append(("again", event.delay_ms))
            case ev.TaskFinished():
                found.append((event.status, event.skip.reason if event.skip else event.policy))
            case ev.SlotGranted() | ev.SlotDenied() | ev.SlotReleased():
                found.append((type(event).__name__, event.key))
    return found


def test_one_task_with_every_policy_shows_each_where_the_page_says() -> None:
    local = Local(Script({"a": [BAD, NEVER]}), retry_budget=15)
    local.publish(workflow("flow", [all_policies()]))
    skipped, execution, later = (local.start("flow", {"go": go}) for go in (False, True, True))
    for one in (skipped, execution, later):
        local.finish(one)
    assert [("skipped", "condition_false")] == trail(local, skipped)
    assert [
        ("start", ()),
        ("end", ("breaker: closed", "503", "")),
        ("again", 1000),
        ("start", ("retry: attempt 2 of 4",)),
        ("end", ("breaker: closed", "attempt-timeout", "")),
        ("again", 1000),
        ("start", ("retry: attempt 3 of 4",)),
        ("end", ("breaker: closed", "attempt-timeout", "budget of api.example:443 spent")),
        ("failed", ("retry: budget of api.example:443 spent",)),
    ] == trail(local, execution)
    refused = trail(local, later)
    assert [("start", ()), ("end", ("breaker: open", "circuit-open", ""))] == refused[:2]
    assert 3 + 1 == len([attempt for attempt in local.script.performed if attempt.path == "a"])


def test_the_timeout_of_the_task_ends_what_all_the_others_would_go_on_with() -> None:
    local = Local(Script({"a": [BAD]}))
    local.publish(workflow("flow", [all_policies(timeout="25s", circuitBreaker={"failureThreshold": 1})]))
    execution = local.start("flow", {"go": True})
    assert "circuit-open" == local.finish(execution)["error"]["code"]
    assert [
        ("start", ()),
        ("end", ("breaker: closed", "503", "")),
        ("again", 1000),
        ("start", ("retry: attempt 2 of 4",)),
        ("end", ("breaker: open", "circuit-open", "")),
        ("failed", ("retry: no time left",)),
    ] == trail(local, execution)


def test_a_fallback_stands_in_after_everything_else_and_a_place_is_held_until_then() -> None:
    local = Local(Script({"a": [BAD]}))
    retry = {"maxAttempts": 2, "strategy": "constant", "interval": "1s", "jitter": "none"}
    more = {"fallback": {"value": "{{error.code}}"}, "concurrency": {"key": "k", "limit": 1}, "retry": retry}
    local.publish(workflow("flow", [all_policies(**more)], output={"a": "{{tasks.a.output}}"}))
    execution = local.start("flow", {"go": True})
    done = local.finish(execution)
    assert ({"a": "503"}, True) == (done["output"], done["tasks"]["a"]["degraded"])
    assert [
        ("SlotGranted", "k"),
        ("start", ()),
        ("end", ("breaker: closed", "503", "")),
        ("again", 1000),
        ("start", ("retry: attempt 2 of 2",)),
        ("end", ("breaker: closed", "503", "")),
        ("succeeded", ("retry: 2 of 2 attempts used", "fallback: value after http/503")),
        ("SlotReleased", "k"),
    ] == trail(local, execution)


def test_a_fallback_stands_in_for_a_place_that_is_refused_and_no_condition_asks_for_one() -> None:
    local = Local()
    more = {"fallback": {"value": "none"}, "concurrency": {"key": "k", "limit": 1, "onLimit": "fail"}}
    gate = {"id": "gate", "event": {"type": "go"}, "timeout": "1d", "concurrency": {"key": "k", "limit": 1}}
    local.publish(workflow("flow", [gate], version="1.0.0"))
    local.drive(local.start("flow"))
    local.publish(workflow("flow", [all_policies(**more)], version="2.0.0"))
    skipped, execution = (local.start("flow", {"go": go}) for go in (False, True))
    for one in (skipped, execution):
        local.finish(one)
    assert [("skipped", "condition_false")] == trail(local, skipped)
    assert [("SlotDenied", "k"), ("succeeded", ("fallback: value after concurrency/no-place",))] == trail(
        local, execution
    )
