"""What a test expects against what came of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any, Final

from msgspec import Struct

from millrace.base.errors import ExpressionError
from millrace.expr import compile_expression
from millrace.services.workflow_tests.differences import ABSENT, Difference, differences, short
from millrace.services.workflow_tests.mocks import meant, names
from millrace.services.workflow_tests.player import Call
from millrace.spec import Workflow
from millrace.spec.models.testing import Expected, ExpectedCalls, ExpectedTask
from millrace.spec.scopes import assert_scope
from millrace.spec.task_names import task_id

VALUE_CHARS: Final = 4_000
"""Values that are longer as JSON are cut in a report."""


class Mismatch(Struct, frozen=True):
    """One expectation that does not hold. ``path`` leads to it inside ``expect``; ``lines`` say where the values
    differ."""

    path: str
    message: str
    expected: Any = None
    actual: Any = None
    lines: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        body = {
            "path": self.path,
            "message": self.message,
            "expected": _cut(self.expected),
            "actual": _cut(self.actual),
        }
        return {**body, "differences": list(self.lines)}


def _cut(value: Any) -> Any:
    if value is ABSENT:
        return None
    text = short(value)
    return text[:VALUE_CHARS] if "… (" in text[-30:] else value


class Actual(Struct, frozen=True):
    """What came of a test: the execution as people see it, its tasks by path, the calls, and the finished tasks in
    order."""

    workflow: Workflow
    execution: Mapping[str, Any]
    calls: Sequence[Call]
    order: Sequence[str]
    scope: Mapping[str, Any]
    """What expressions of the workflow see, without ``tasks``."""


def judge(expect: Expected, actual: Actual) -> list[Mismatch]:
    """Every expectation that does not hold, in the order of the reference."""
    return [
        *_end(expect, actual.execution),
        *(found for name, task in expect.tasks.items() for found in _task(name, task, actual)),
        *_order(expect.order, actual),
        *(found for name, calls in expect.calls.items() for found in _calls(name, calls, actual.calls)),
        *_not_called(expect.not_called, actual.calls),
        *(found for index, text in enumerate(expect.asserts) for found in _assert(text, f"asserts[{index}]", actual)),
    ]


def _compared(path: str, expected: Any, actual: Any, *, part: bool = False) -> Iterator[Mismatch]:
    found = differences(expected, actual, part=part)
    if found:
        yield Mismatch(path, _sentence(path, found), expected, actual, tuple(one.line() for one in found))


def _sentence(path: str, found: Sequence[Difference]) -> str:
    more = f" (and {len(found) - 1} more)" if len(found) > 1 else ""
    first = found[0]
    at = f"{path} at {first.path}" if first.path else path
    return f"{at}: {Difference('', first.expected, first.actual).line()}{more}"


def _end(expect: Expected, execution: Mapping[str, Any]) -> Iterator[Mismatch]:
    status = execution["status"]
    if status != expect.status:
        why = execution.get("errorMessage")
        message = f"status: expected {expect.status}, got {status}" + (f" ({why})" if why else "")
        yield Mismatch("status", message, expect.status, status)
    given = expect.model_fields_set
    output = execution.get("output", ABSENT)
    if "output" in given:
        yield from _compared("output", expect.output, output)
    if "output_contains" in given:
        yield from _compared("outputContains", expect.output_contains, output, part=True)
    if expect.error is not None:
        yield from _compared("error", expect.error, execution.get("error", ABSENT), part=True)
    if expect.failed_task is not None:
        failed = execution.get("failedTask")
        if failed is None or not names(expect.failed_task, failed):
            yield from _compared("failedTask", expect.failed_task, failed)


def _task(name: str, expect: ExpectedTask, actual: Actual) -> Iterator[Mismatch]:
    """A path names one task; an id names every place, each of which is to be as expected."""
    tasks = actual.execution["tasks"]
    paths = meant(name, tasks)
    if not paths:
        task: Mapping[str, Any] = {"status": "pending", "attempts": 0}
        yield from _one_task(f"tasks.{name}", expect, task)
    for path in paths:
        yield from _one_task(f"tasks.{path}", expect, tasks[path])


def _one_task(at: str, expect: ExpectedTask, task: Mapping[str, Any]) -> Iterator[Mismatch]:
    given = expect.model_fields_set
    if expect.status is not None and task["status"] != expect.status:
        message = f"{at}: expected {expect.status}, got {task['status']}{_why(task)}"
        yield Mismatch(f"{at}.status", message, expect.status, task["status"])
    if expect.skip is not None:
        wanted = expect.skip.model_dump(exclude_none=True)
        yield from _compared(f"{at}.skip", wanted, task.get("skip", ABSENT), part=True)
    if expect.attempts is not None:
        yield from _compared(f"{at}.attempts", expect.attempts, task["attempts"])
    if "output" in given:
        yield from _compared(f"{at}.output", expect.output, task.get("output", ABSENT))
    if "output_contains" in given:
        yield from _compared(f"{at}.outputContains", expect.output_contains, task.get("output", ABSENT), part=True)
    if expect.error is not None:
        yield from _compared(f"{at}.error", expect.error, task.get("error", ABSENT), part=True)


def _why(task: Mapping[str, Any]) -> str:
    if "skip" in task:
        return f" ({task['skip']['reason']}, from {task['skip']['origin']})"
    return f" ({task['error']['message']})" if "error" in task else ""


def _order(order: Sequence[str], actual: Actual) -> Iterator[Mismatch]:
    """The place of a task is where it finished first; an id that stands in several places counts by its first."""
    places: dict[str, int] = {}
    for name in order:
        paths = meant(name, actual.order)
        if not paths:
            message = f"order: {name} never finished"
            yield Mismatch("order", message, list(order), list(actual.order))
        else:
            places[name] = actual.order.index(paths[0])
    for first, then in pairwise(name for name in order if name in places):
        if places[first] > places[then]:
            message = f"order: expected {first} before {then}, and {then} finished first"
            yield Mismatch("order", message, list(order), list(actual.order))


def _calls(name: str, expect: ExpectedCalls, calls: Sequence[Call]) -> Iterator[Mismatch]:
    found = _calls_of(name, calls)
    at = f"calls.{name}"
    if expect.count is not None and len(found) != expect.count:
        yield Mismatch(at, f"{at}: expected {expect.count} calls, got {len(found)}", expect.count, len(found))
    elif expect.count is None and not found:
        yield Mismatch(at, f"{at}: expected a call, and there was none", 1, 0)
    if not found:
        return
    wanted = [
        (key, value) for key, value in (("request", expect.request), ("input", expect.input)) if value is not None
    ]
    for key, value in wanted:
        best = min((differences(value, _given(call, key), part=True) for call in found), key=len)
        if best:
            made = [_given(call, key) for call in found]
            actual = made[0] if len(made) == 1 else made
            lines = tuple(one.line() for one in best)
            yield Mismatch(f"{at}.{key}", _sentence(f"{at}.{key}", best), value, actual, lines)


def _calls_of(name: str, calls: Sequence[Call]) -> list[Call]:
    paths = set(meant(name, (call.path for call in calls)))
    return [call for call in calls if call.path in paths]


def _given(call: Call, key: str) -> Any:
    if key == "input":
        return call.input
    return {"method": "GET", **call.request} if call.type == "http" and isinstance(call.request, dict) else call.request


def _not_called(unwanted: Sequence[str], calls: Sequence[Call]) -> Iterator[Mismatch]:
    for name in unwanted:
        count = len(_calls_of(name, calls))
        if count:
            yield Mismatch(f"notCalled.{name}", f"notCalled: {name} was called {count} times", 0, count)


def _assert(text: str, at: str, actual: Actual) -> Iterator[Mismatch]:
    spec = actual.workflow.spec
    ids = {task_id(path) for path in actual.execution["tasks"]} | {task.id for task in spec.tasks}
    execution = actual.execution
    scope = {
        **actual.scope,
        "tasks": execution["tasks"],
        "status": execution["status"],
        "output": execution.get("output"),
        "error": execution.get("error"),
    }
    try:
        value = compile_expression(text, scope=assert_scope(ids, spec.input, spec.config)).evaluate(scope)
    except ExpressionError as error:
        yield Mismatch(at, f"{at}: {text} cannot be evaluated: {error.message}", True, None)
        return
    if value is not True:
        yield Mismatch(at, f"{at}: {text} is {short(value)}, not true", True, value)
