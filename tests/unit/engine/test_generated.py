"""generate: tasks that come from data, judged when they come, and what they may not do."""

from __future__ import annotations

from typing import Any

import pytest

from millrace.base.limits import GENERATED_BYTES
from millrace.engine import events as ev
from millrace.engine.compile import compile_plan
from millrace.spec import Workflow, WorkflowTask

from .nested import document_of, flow, played, shape, sound, work
from .play import CRASH, Play, failure

GEN = {"id": "gen", "generate": {"from": "{{input}}", "max": 5}}
HTTP: dict[str, Any] = {"type": "http", "request": {"url": "https://api.example/"}}


def made(name: str, **more: Any) -> dict[str, Any]:
    return {"id": name, **HTTP, **more}


def test_generated_tasks_run_in_the_order_of_what_they_read_and_wait_for() -> None:
    tasks = [
        made("last", dependsOn=["read"]),
        shape("read", ["{{tasks.first.output}}"]),
        made("first"),
    ]
    done = played(GEN, value=tasks)
    assert ["gen[2]/first", "gen[0]/last"] == [event.path for event in done.of(ev.AttemptStarted)]
    assert [
        {"id": "last", "status": "succeeded", "output": "gen[0]/last"},
        {"id": "read", "status": "succeeded", "output": ["gen[2]/first"]},
        {"id": "first", "status": "succeeded", "output": "gen[2]/first"},
    ] == done.output()["gen"]


def test_what_became_of_each_task_is_told_failures_that_may_happen_and_skips_too() -> None:
    tasks = [made("a", continueOnError=True), made("b", condition=False), made("c", dependsOn=["a"])]
    done = played(
        GEN, value=tasks, answers={"gen[0]/a": [failure("http", "503", retryable=False)], "gen[2]/c": ["x" * 70_000]}
    )
    error = {"kind": "http", "code": "503", "message": "http 503"}
    assert [
        {"id": "a", "status": "failed", "error": error},
        {"id": "b", "status": "skipped"},
        {"id": "c", "status": "succeeded", "output": "x" * 70_000},
    ] == done.output()["gen"]


def test_a_failure_of_one_is_that_of_all_and_crashes_are_outlived() -> None:
    done = played(
        GEN, value=[made("a"), made("b")], answers={"gen[0]/a": [CRASH, "ok"], "gen[1]/b": [failure(retryable=False)]}
    )
    assert {"task": "gen[1]/b"} == done.failure("gen").details
    assert 2 == len(done.of(ev.AttemptStarted, "gen[0]/a"))


def test_no_task_is_a_success_with_an_empty_list() -> None:
    done = played(GEN, work("next", "gen"), value=[])
    assert {"gen": "succeeded", "next": "succeeded"} == done.statuses()


SECRET = {"url": "https://x", "auth": {"bearer": {"secretRef": "k"}}}
LOOP = {"id": "a", "forEach": {"items": [1]}, "tasks": [made("b")]}
REFUSED: list[tuple[str, Any, str, str]] = [
    ("not a list", {"id": "a"}, "not-a-list", "was given a map with id, not a list"),
    ("null", None, "not-a-list", "was given null, not a list"),
    ("too many", [made(f"t{n}") for n in range(6)], "too-many-tasks", "6 tasks were generated, and 5 may be"),
    ("too large", [made("a", description="x" * GENERATED_BYTES)], "too-large", f"more than {GENERATED_BYTES} bytes"),
    ("no task", [7], "bad-task", "generated task 0 is not one: the document is the number 7, expected a mapping"),
    ("no id", [HTTP], "bad-task", 'The generated task 0 is not one: "id" is required'),
    ("nothing in it", [{**LOOP, "tasks": []}], "bad-task", 'is not one: "tasks" has 0 entries'),
    ("further in", [made("a", retry={"maxAttempts": 0})], "bad-task", '/retry/maxAttempts: "maxAttempts" is out'),
    ("type unknown", [{"id": "a", "type": "htp"}], "bad-task", 'Did you mean "http"?'),
    ("key unknown", [made("a", dependson=["b"])], "bad-task", 'Did you mean "dependsOn"?'),
    ("two ids", [made("a"), made("a")], "bad-task", "Two generated tasks have the id 'a'"),
    ("unknown need", [made("a", dependsOn=["b"])], "bad-task", "waits for 'b', which is not one of them"),
    ("itself", [made("a", dependsOn=["a"])], "bad-task", "'a' waits for itself"),
    ("ring", [made("a", dependsOn=["b"]), made("b", dependsOn=["a"])], "bad-task", "wait for each other: a → b → a"),
    ("input", [made("a", input={"x": "{{input.secret}}"})], "bad-task", "cannot be compiled"),
    ("secret root", [made("a", input={"x": "{{secrets.k}}"})], "bad-task", "cannot be compiled"),
    ("condition", [made("a", condition="config.deep")], "bad-task", "cannot be compiled"),
    ("syntax", [made("a", input={"x": "{{ 1 + }}"})], "bad-task", "cannot be compiled"),
    ("steps", [shape("a", [1], transform=[{"map": "nothing("}])], "bad-task", "cannot be compiled"),
    ("a secret", [made("a", request=SECRET)], "bad-task", "names a secret"),
    ("a fallback", [made("a", fallback={"value": 1})], "bad-task", "has a fallback"),
    ("a reusable task", [{"id": "a", "taskRef": "charge"}], "bad-task", "generate.taskRefs does not list"),
    ("a loop", [LOOP], "bad-task", "is of type forEach; it may be"),
    ("more tasks", [{"id": "a", "generate": {"from": []}}], "bad-task", "is of type generate"),
    ("a workflow", [{"id": "a", "workflowRef": "w"}], "bad-task", "is of type workflowRef"),
    ("an approval", [{"id": "a", "type": "approval", "approvers": ["role:x"]}], "bad-task", "is of type approval"),
]  # fmt: skip


@pytest.mark.parametrize(("value", "code", "said"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED])
def test_what_cannot_run_is_refused_with_its_reason_before_anything_of_it_runs(
    value: Any, code: str, said: str
) -> None:
    done = played(GEN, value=value)
    why = done.failure("gen")
    assert ("generate", code) == (why.kind, why.code)
    assert said in why.message
    assert why.hint
    assert [] == done.of(ev.AttemptStarted)


def test_of_many_mistakes_in_a_task_the_first_five_are_told() -> None:
    done = played(GEN, value=[made("a", **{f"wrong{number}": 1 for number in range(7)})])
    message = done.failure("gen").message
    assert [True] * 5 + [False] * 2 == [f'"wrong{number}" is not a key' in message for number in range(7)]


def test_as_many_tasks_as_may_be_are_taken() -> None:
    done = played(GEN, value=[made(f"t{n}") for n in range(5)])
    assert 5 == len(done.output()["gen"])


def test_a_fallback_stands_in_for_tasks_that_cannot_run() -> None:
    done = played({**GEN, "fallback": {"value": "{{error.code}}"}}, value=7)
    assert {"gen": "not-a-list"} == done.output()


def test_a_text_that_looks_like_a_template_stays_text_when_it_comes_from_a_task() -> None:
    tasks = [made("a"), shape("b", ["{{tasks.a.output}}"])]
    done = played(GEN, value=tasks, answers={"gen[0]/a": ["{{input.secret}}"]})
    assert ["{{input.secret}}"] == done.output()["gen"][1]["output"]


def test_a_generated_task_may_name_the_reusable_tasks_that_are_listed() -> None:
    reusable = WorkflowTask.model_validate(
        {
            "apiVersion": "workflow.io/v1",
            "kind": "WorkflowTask",
            "metadata": {"name": "charge"},
            "spec": {"type": "http", "request": {"url": "https://pay.example/{{input.n}}"}},
        }
    )
    generate = {"id": "gen", "generate": {"from": "{{input}}", "taskRefs": ["charge@^1"]}}
    document = Workflow.model_validate(document_of(generate))
    plan = compile_plan(document, {"charge@^1": reusable}, hashes={"charge@^1": "h1"})
    done = sound(Play(plan, value=[{"id": "a", "taskRef": "charge@^1", "input": {"n": 7}}]).run())
    (started,) = done.of(ev.AttemptStarted, "gen[0]/a")
    assert ("https://pay.example/7", "h1") == (started.config.decoded()["url"], started.task_hash)
    with pytest.raises(KeyError):
        compile_plan(document, {}, hashes={})


def test_generated_waits_and_loops_around_generate_work() -> None:
    loop = {"id": "l", "forEach": {"items": "{{input}}"}, "tasks": [{"id": "gen", "generate": {"from": "{{item}}"}}]}
    wait = {"id": "w", "wait": {"for": "2s"}}
    done = played(loop, value=[[made("a")], [wait, made("b", dependsOn=["w"])]])
    assert [["a"], ["w", "b"]] == [[one["id"] for one in entry["output"]["gen"]] for entry in done.output()["l"]]
    assert 2000 <= done.now - done.events[0].at


def test_a_plan_that_reads_no_task_by_name_is_fine() -> None:
    assert flow(GEN).nodes[0].scope is not None
