"""The order of policies: the table of the page, and one task that has them all."""

from __future__ import annotations

import re
from pathlib import Path

from millrace.engine import events as ev
from millrace.ports.runners import Failure

from .runs import NEVER, Local, Script, call, workflow

PAGE = Path(__file__).resolve().parents[3] / "docs" / "reference" / "policies.md"
ORDER = ["condition", "task timeout", "retry", "circuit breaker", "attempt timeout", "retry budget"]
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
