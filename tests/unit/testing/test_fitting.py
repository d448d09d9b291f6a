"""A mocked output that the task could not give fails the test, and says what differs."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.testing.builders import http, outcome, reusable

SCHEMA = {
    "type": "object",
    "required": ["total"],
    "properties": {"total": {"type": "number"}, "note": {"type": "string"}},
    "additionalProperties": False,
}
BODY = {"type": "object", "properties": {"free": {"$ref": "#/$defs/n"}}, "$defs": {"n": {"type": "integer"}}}
REUSABLES = {
    "r": reusable("r", request={"url": "https://x"}, outputSchema=SCHEMA),
    "open": reusable("open", request={"url": "https://x"}),
    "checked": reusable("checked", request={"url": "https://x", "responseSchema": BODY}),
    "paged": reusable("paged", request={"url": "https://x", "responseSchema": BODY, "paging": {"strategy": "link"}}),
}


def failures(task: dict[str, Any], **mocks: Any) -> list[tuple[str, tuple[str, ...]]]:
    result = outcome([task], reusables=REUSABLES, tasks=mocks)
    assert result.problem is None
    assert ("failed" if result.mismatches else "passed") == result.status
    return [(one.path, one.lines) for one in result.mismatches]


@pytest.mark.parametrize(
    ("output", "lines"),
    [
        ({"total": 5.0}, None),
        ({"total": "5"}, ('total is the text "5", expected number',)),
        ({}, ("total is required",)),
        (5, ("it is the number 5, expected object",)),
    ],
)
def test_the_output_of_a_reusable_task_is_held_against_its_schema(output: Any, lines: Any) -> None:
    found = failures({"id": "a", "taskRef": "r"}, a={"output": output})
    assert ([] if lines is None else [("mocks.a[0].output", lines)]) == found


def test_the_message_says_what_differs() -> None:
    result = outcome([{"id": "a", "taskRef": "r"}], reusables=REUSABLES, tasks={"a": {"output": {"total": "5"}}})
    message = 'mocks.a[0].output: the task declares another output: total is the text "5", expected number'
    assert [message] == [one.message for one in result.mismatches]
    assert message in str(result.to_json()["failures"])


@pytest.mark.parametrize("task", [http("a", request={"responseSchema": BODY}), {"id": "a", "taskRef": "checked"}])
def test_the_body_of_an_answer_is_held_against_its_schema(task: dict[str, Any]) -> None:
    assert [] == failures(task, a={"output": {"body": {"free": 5}}})
    assert [] == failures(task, a={"output": {"status": 200}})
    lines = ('free is the text "x", expected integer',)
    assert [("mocks.a[0].output.body", lines)] == failures(task, a={"output": {"body": {"free": "x"}}})


@pytest.mark.parametrize("reference", ["open", "paged"])
def test_a_task_that_declares_nothing_takes_every_mock(reference: str) -> None:
    assert [] == failures({"id": "a", "taskRef": reference}, a={"output": {"body": {"free": "x"}}})


@pytest.mark.parametrize(("name", "count"), [("ship", 1), ("loop[1]/ship", 1), ("loop[*]/ship", 1), ("loop/x", 0)])
def test_a_mock_inside_a_loop_is_meant_by_path_or_id(name: str, count: int) -> None:
    loop = {"id": "loop", "forEach": {"items": [1, 2]}, "tasks": [{"id": "ship", "taskRef": "r"}]}
    made = outcome(
        [loop, {"id": "g", "generate": {"from": []}}],
        reusables=REUSABLES,
        onUnmocked="succeed-empty",
        tasks={name: [{"output": {"total": 1}}, {"output": {}}]},
    )
    assert count == sum(one.path == f"mocks.{name}[1].output" for one in made.mismatches)
