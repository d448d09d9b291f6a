"""What tasks and executions give back, and values that lie elsewhere or cannot be stored."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from millrace.base.limits import INLINE_VALUE_BYTES, VALUE_BYTES
from millrace.engine import events as ev
from millrace.engine.commands import Fetch
from millrace.engine.decide import decide
from millrace.engine.evolve import fold
from millrace.engine.values import inline_value

from .play import NEVER, Play, failure, graph, play, retry

BIG = "x" * INLINE_VALUE_BYTES  # with its quotes two bytes over the limit


def test_the_default_output_is_that_of_the_leaves_which_succeeded() -> None:
    tasks = {"a": {}, "b": {"needs": ["a"]}, "c": {"needs": ["a"], "condition": "false"}, "d": {"go_on": True}}
    assert {"b": "b"} == play(tasks, answers={"d": [failure(retryable=False)]}).output()


def test_a_declared_output_is_rendered_from_everything() -> None:
    done = play(
        {"a": {}}, output={"id": "{{execution.id}}", "a": "{{tasks.a.output}}", "n": "{{input.n}}"}, value={"n": 1}
    )
    assert {"id": "x1", "a": "a", "n": 1} == done.output()


def test_a_declared_output_that_cannot_be_rendered_fails_the_execution() -> None:
    found = play({"a": {}}, output={"x": "{{tasks.a.output.nope}}"}).finished()
    assert ("failed", "", None, "expression") == (found.status, found.failed_task, found.output, found.failure.kind)  # type: ignore[union-attr]
    assert found.failure is not None
    assert "In the workflow output: " in found.failure.message


@pytest.mark.parametrize("output", [None, False, 0, "", [], {}])
def test_an_empty_output_is_an_output(output: Any) -> None:
    tasks = {"a": {}, "b": {"needs": ["a"], "input": {"x": "{{tasks.a.output}}"}}}
    done = play(tasks, answers={"a": [output]})
    assert {"x": output} == done.of(ev.AttemptStarted, "b")[0].input.decoded()


def test_an_output_mapping_sees_what_the_task_produced_and_replaces_it() -> None:
    done = play({"a": {"output": {"n": "{{output.n + 1}}"}}}, answers={"a": [{"n": 1}]})
    assert {"a": {"n": 2}} == done.output()
    assert {"n": 1} == done.of(ev.AttemptFinished)[0].output.decoded()


def test_an_output_mapping_may_read_an_inline_output_after_a_reload() -> None:
    held = Play(graph({"a": {"output": "{{output.n}}"}}), answers={"a": [{"n": 1}]})
    held.settle()
    held.land("a", 1)
    held.state = held.folded()
    held.run()
    assert {"a": 1} == held.output()


def test_a_large_value_stands_by_reference_and_is_at_hand_without_fetching() -> None:
    tasks = {"a": {}, "b": {"needs": ["a"], "input": {"x": "{{tasks.a.output}}"}}}
    done = play(tasks, answers={"a": [BIG], "b": ["ok"]})
    (event,) = done.of(ev.AttemptFinished, "a")
    assert (True, INLINE_VALUE_BYTES + 2, 0) == (bool(event.output.blob), event.output.size, done.fetched)
    assert {"x": BIG} == _content(done, done.of(ev.AttemptStarted, "b")[0].input)


def _content(done: Play, value: Any) -> Any:
    return msgspec.json.decode(done.codec.blobs[value.blob]) if value.blob else value.decoded()


def _reloaded(tasks: dict[str, Any], answers: dict[str, Any], **more: Any) -> Play:
    """Run until ``NEVER``, forget everything but the log, and run on with what ``answers`` says next."""
    held = Play(graph(tasks, **more), answers=answers, value=BIG).run()
    held.state = held.folded()
    held.flying = []
    held.fetched = 0
    return held


def test_a_large_output_is_fetched_again_after_a_reload() -> None:
    tasks = {"a": {}, "w": {}, "b": {"needs": ["a", "w"], "input": {"x": "{{tasks.a.output}}"}}}
    held = _reloaded(tasks, {"a": [BIG], "w": [NEVER, "w"], "b": ["ok"]})
    held.take(ev.AttemptUnknown(at=held.now, path="w", attempt=1))
    held.run()
    assert (1, "succeeded", {"x": BIG}) == (
        held.fetched,
        held.finished().status,
        _content(held, held.of(ev.AttemptStarted, "b")[0].input),
    )


@pytest.mark.parametrize("place", ["condition", "input", "edge", "output", "leaf", "mapping"])
def test_every_place_that_reads_a_large_value_asks_for_it_first(place: str) -> None:
    tasks: dict[str, Any] = {"a": {}, "w": {}, "b": {"needs": ["a", "w"]}}
    more: dict[str, Any] = {}
    if place == "condition":
        tasks["b"]["condition"] = "size(tasks.a.output) > 9 && size(input) > 9"
    elif place == "input":
        tasks["b"]["input"] = "{{size(tasks.a.output) + size(input)}}"
    elif place == "edge":
        tasks["b"]["edges"] = {"a": "size(tasks.a.output) > 9"}
    elif place == "output":
        more = {"output": "{{size(tasks.a.output) + size(input)}}", "output_reads": ("a",)}
    elif place == "leaf":
        tasks["b"]["needs"] = ["w"]
    else:
        tasks["b"]["output"] = "{{size(output) + size(tasks.a.output) + size(input)}}"
    held = _reloaded(tasks, {"a": [BIG], "w": [NEVER, "w"], "b": [BIG + "b"]}, **more)
    held.take(ev.AttemptUnknown(at=held.now, path="w", attempt=1))
    held.run()
    assert "succeeded" == held.finished().status
    assert held.fetched >= 1


def test_a_large_mapped_output_is_fetched_when_its_attempt_was_recorded_by_another_driver() -> None:
    held = Play(graph({"a": {"output": "{{size(output)}}"}}), answers={"a": [BIG]})
    held.settle()
    held.land("a", 1)
    held.state = held.folded()
    held.run()
    assert ({"a": INLINE_VALUE_BYTES}, 1) == (held.output(), held.fetched)


def test_a_value_that_many_tasks_need_is_fetched_once() -> None:
    done = play({f"t{n}": {"reads": (), "input": "{{size(input)}}"} for n in range(50)}, value=BIG)
    assert (1, "succeeded") == (done.fetched, done.finished().status)


def test_decide_repeats_its_wish_for_a_value_until_it_is_given() -> None:
    held = Play(graph({"a": {"reads": (), "input": "{{size(input)}}"}}), value=BIG)
    first, second = decide(held.plan, held.state, held.now), decide(held.plan, held.state, held.now)
    assert first == second
    assert [Fetch] == [type(command) for command in first]


def test_a_value_that_several_wait_for_is_given_to_all_of_them() -> None:
    tasks: dict[str, Any] = {
        "a": {},
        "b": {},
        "c": {"needs": ["a", "b"], "input": "{{tasks.a.output == tasks.b.output}}"},
    }
    held = Play(graph(tasks), answers={"a": [BIG], "b": [BIG]})
    held.run()
    state = fold(held.plan, held.events)
    assert {"a", "b"} == set(state.unresolved)
    state.resolve(state.unresolved["a"], BIG)
    assert ({}, BIG, BIG) == (state.unresolved, state.view["a"]["output"], state.view["b"]["output"])


def test_what_was_mapped_is_not_kept_in_memory() -> None:
    tasks = {f"t{n}": {"output": "{{size(output)}}"} for n in range(5)}
    done = play(tasks, answers={f"t{n}": [BIG + str(n)] for n in range(5)})
    assert {} == done.state.contents


@pytest.mark.parametrize("place", ["input", "config"])
def test_a_value_over_the_largest_size_fails_its_task_without_an_attempt(place: str) -> None:
    """Six references to one value of three megabytes: small in the document, too large when rendered."""
    part = "y" * (VALUE_BYTES // 5)
    text = ["{{input}}"] * 6
    done = play({"a": {place: text, "retry": retry(retry_on=("*",))}}, value=part)
    found = done.failure("a")
    assert ("too-large", "too-large", 0) == (found.kind, found.code, done.attempts("a"))
    assert VALUE_BYTES == found.details["limit"]


def test_an_output_over_the_largest_size_fails_the_pure_task_or_the_execution() -> None:
    part = "y" * (VALUE_BYTES // 5)
    done = play({"a": {"compute": lambda value: [value] * 6, "input": "{{input}}"}}, value=part)
    assert ("too-large", "a") == (done.failure("a").kind, done.finished().failed_task)
    whole = play({"a": {}}, output=["{{input}}"] * 6, value=part).finished()
    assert ("failed", "", "too-large") == (whole.status, whole.failed_task, whole.failure.kind)  # type: ignore[union-attr]


def test_a_value_that_json_cannot_hold_is_a_permanent_failure_that_says_where() -> None:
    done = play({"a": {"compute": lambda _: {"deep": [1, float("nan")]}}})
    assert ("task", "invalid-request") == (done.failure("a").kind, done.failure("a").code)
    assert "/deep/1" in done.failure("a").message


def test_an_inline_value_tells_its_size_and_hash() -> None:
    value = inline_value({"b": 1, "a": "é"})
    assert (b'{"a":"\xc3\xa9","b":1}', 16, {"a": "é", "b": 1}) == (bytes(value.inline), value.size, value.decoded())


def test_a_mapping_that_reads_a_large_value_of_another_task_asks_for_it_after_a_reload() -> None:
    tasks = {"a": {}, "b": {"needs": ["a"], "output": {"of": "{{size(tasks.a.output)}}"}}}
    held = Play(graph(tasks), answers={"a": [BIG], "b": [NEVER, "b"]}).run()
    held.state = held.folded()
    held.flying = []
    held.take(ev.AttemptUnknown(at=held.now, path="b", attempt=1))
    held.run()
    assert ({"b": {"of": INLINE_VALUE_BYTES}}, 1) == (held.output(), held.fetched)


@pytest.mark.parametrize("declared", [True, False])
def test_a_workflow_output_asks_for_large_values_after_a_reload(declared: bool) -> None:
    more: dict[str, Any] = {"output": "{{size(tasks.a.output)}}", "output_reads": ("a",)} if declared else {}
    done = play({"a": {}}, answers={"a": [BIG]}, **more)
    held = Play(done.plan, begun=False)
    held.codec = done.codec
    for event in done.events[:-1]:
        held.take(event)
    held.now = done.now
    held.run()
    assert (done.output(), 1) == (held.output(), held.fetched)


def test_a_large_value_that_a_task_does_not_read_is_not_fetched_for_it() -> None:
    done = play({"a": {}, "b": {"needs": ["a"], "reads": []}}, answers={"a": [BIG]})
    ended = next(i for i, event in enumerate(done.events) if isinstance(event, ev.TaskFinished))
    state = fold(done.plan, done.events[: ended + 1])
    assert ["a"] == list(state.unresolved)
    assert ["StartAttempt"] == [type(command).__name__ for command in decide(done.plan, state, done.now)]
