"""Executions as a person reads them."""

from __future__ import annotations

import io
from typing import Any

import pytest

from millrace.cli import shapes
from millrace.cli.output import Output
from millrace.cli.progress import Lines, LiveTable, progress
from millrace.engine.events import TERMINAL

TASKS: dict[str, Any] = {
    "get": {"status": "succeeded", "attempts": 3, "durationMs": 1200},
    "skip": {"status": "skipped", "attempts": 0, "skip": {"reason": "condition_false", "origin": "skip"}},
    "bad": {"status": "failed", "attempts": 1, "durationMs": 5, "error": {"code": "404", "message": "m"}},
    "wait": {"status": "pending"},
}


@pytest.mark.parametrize(
    ("milliseconds", "text"),
    [(None, ""), (0, "0 ms"), (999, "999 ms"), (1000, "1.0 s"), (59_900, "59.9 s"), (60_000, "1 m 00 s"),
     (125_000, "2 m 05 s"), (3_600_000, "1 h 00 m"), (90_000_000, "25 h 00 m")],
)  # fmt: skip
def test_durations_are_short(milliseconds: float | None, text: str) -> None:
    assert text == shapes.duration(milliseconds)


def test_a_task_row_says_how_often_and_why() -> None:
    rows = [
        ["get", "succeeded", "3 (2 retried)", "1.2 s"],
        ["skip", "skipped (condition_false)", "0", ""],
        ["bad", "failed (404)", "1", "5 ms"],
        ["wait", "pending", "0", ""],
    ]
    assert rows == shapes.task_rows({"tasks": TASKS})


def shown(execution: dict[str, Any]) -> list[str]:
    out = io.StringIO()
    shapes.print_execution(Output(out=out), execution)
    return out.getvalue().splitlines()


def test_a_finished_execution_ends_with_its_output() -> None:
    lines = shown({"id": "e1", "workflow": "w", "version": "1.0.0", "status": "succeeded", "startedAt": "t",
                   "durationMs": 10, "output": {"a": 1}})  # fmt: skip
    assert ["e1  w 1.0.0  started t", "succeeded in 10 ms", "{", '  "a": 1', "}"] == lines


def test_a_failed_execution_ends_with_what_failed_and_what_to_do() -> None:
    lines = shown({"id": "e1", "status": "failed", "failedTask": "bad", "errorMessage": "no\nuser",
                   "error": {"hint": "ask"}, "tasks": TASKS})  # fmt: skip
    assert ["failed", "  bad: no\\nuser", "  ask"] == lines[-3:]


def test_a_cancelled_execution_says_so() -> None:
    assert ["cancelled", "  cancelled"] == shown({"status": "cancelled", "errorMessage": "cancelled", "error": None})[
        -2:
    ]


@pytest.mark.parametrize("status", sorted(TERMINAL))
def test_an_execution_is_followed_to_every_end_that_there_is(status: str) -> None:
    assert shapes.is_over({"status": status})


def test_an_event_is_one_line_without_foreign_control_characters() -> None:
    event = {"position": 7, "time": "t", "type": "task.finished", "path": "a\x1b", "attempt": 0, "status": "failed"}
    assert "     7  t  task.finished  a\\x1b  failed" == shapes.event_line(event)


def test_findings_say_where_and_what_to_do() -> None:
    found = [{"line": 2, "column": 3, "severity": "error", "code": "c", "message": "m", "fix": "f"}, {"message": "n"}]
    assert ["x.yaml:2:3: error c: m", "    f", "x.yaml:0:0:  : n"] == shapes.finding_lines(found, "x.yaml")


def test_lines_speak_of_each_change_once() -> None:
    said: list[str] = []
    with Lines(said.append) as lines:
        lines.show({"tasks": {"a": {"status": "running", "attempts": 1}}})
        lines.show({"tasks": {"a": {"status": "running", "attempts": 1}}})
        lines.show({"tasks": TASKS})
    assert [
        "  a: running",
        "  get: succeeded (attempt 3 (2 retried), 1.2 s)",
        "  skip: skipped (condition_false)",
        "  bad: failed (404) (5 ms)",
    ] == said


def test_lines_say_what_keeps_an_execution_from_going_on() -> None:
    said: list[str] = []
    queued = {"key": "orders\x1b", "since": "t", "why": "concurrency"}
    with Lines(said.append) as lines:
        for more in ({"queued": queued}, {"queued": queued}, {}, {"paused": True}, {"paused": False}):
            lines.show({"status": "running", "tasks": {}, **more})
    assert ["  running (waits for a place under orders\\x1b)", "  running (paused)"] == said


def test_a_live_table_shows_every_task() -> None:
    out = io.StringIO()
    with LiveTable(out) as table:
        table.show({"tasks": TASKS})
    assert all(name in out.getvalue() for name in TASKS)


def test_progress_is_lines_without_a_terminal() -> None:
    assert isinstance(progress(Output(out=io.StringIO())), Lines)
