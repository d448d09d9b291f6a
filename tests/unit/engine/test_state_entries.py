"""The workflow's state: entries computed from the workflow's own tasks when they are read, wherever that is."""

from __future__ import annotations

from typing import Any

import pytest

from .nested import bare, each, flow, played, shape, work
from .play import Play, failure

BAD = failure("http", "503", retryable=False)


def test_entries_are_computed_from_tasks_input_and_each_other() -> None:
    done = played(
        work("a"), shape("s", ["{{state.both}}", "{{state.n}}"]), value={"n": 2},
        state={"both": "{{state.n}}-{{state.said}}", "said": "{{tasks.a.output.word}}", "n": "{{input.n + 1}}"},
        answers={"a": [{"word": "hi"}]}, output={"end": "{{state.both}}"},
    )  # fmt: skip
    assert ["3-hi", 3] == done.state.tasks[1].output.decoded()  # type: ignore[union-attr]
    assert {"end": "3-hi"} == done.output()


def test_a_task_waits_for_what_an_entry_reads() -> None:
    plan = flow(work("a"), work("b", condition="state.ok"), state={"ok": "{{tasks.a.output.ok}}"})
    assert (0,) == plan.nodes[1].needs
    assert ("ok",) == plan.nodes[1].state


@pytest.mark.parametrize("ok", [True, False])
def test_a_condition_reads_the_state(ok: bool) -> None:
    done = played(
        work("a"), work("b", condition="state.ok"), state={"ok": "{{tasks.a.output.ok}}"}, answers={"a": [{"ok": ok}]}
    )
    assert ("succeeded" if ok else "skipped") == done.statuses()["b"]


PLACES: list[tuple[str, Any]] = [
    ("request", work("b", reads="{{state.x}}")),
    ("input", shape("b", ["{{state.x}}"])),
    ("condition", work("b", condition="state.x")),
    ("output", work("b", output={"x": "{{state.x}}"})),
    ("loop", each("b", "{{state.x}}", work("y"))),
    ("output of a loop", each("b", [1], work("y"), output={"x": "{{state.x}}"})),
    ("event", {"id": "b", "event": {"type": "paid", "match": "event.data == state.x"}}),
]


@pytest.mark.parametrize("task", [task for _, task in PLACES], ids=[name for name, _ in PLACES])
def test_an_entry_that_cannot_be_computed_fails_whoever_reads_it_and_says_which(task: dict[str, Any]) -> None:
    held = Play(flow(task, state={"x": "{{input.absent}}"}), value={})
    held.settle()
    held.signal("paid", 1)
    done = held.run()
    assert ("failed", "expression") == (done.finished().status, done.failure("b").kind)
    assert "state 'x'" in done.failure("b").message


def test_an_entry_that_cannot_be_computed_fails_the_output_of_the_workflow() -> None:
    done = played(work("a"), state={"x": "{{input.absent}}"}, output={"x": "{{state.x}}"}, value={})
    assert "state 'x'" in done.finished().failure.message  # type: ignore[union-attr]
    assert "failed" == done.finished().status


def test_loops_handlers_and_fallbacks_read_the_state_of_the_workflow() -> None:
    reads = "{{state.n}}/{{item}}"
    done = played(
        work("a"), each("l", [1, 2], work("x", reads=reads)), work("f", fallback={"task": bare(reads="{{state.n}}")}),
        work("v", fallback={"value": "{{state.n}}"}),
        state={"n": "{{tasks.a.output.n}}"}, answers={"a": [{"n": 7}], "f": [BAD], "v": [BAD]},
        **{"finally": [work("z", reads="{{state.n}}")]},
    )  # fmt: skip
    read = {
        e.path: e.config.decoded()["body"]["read"]
        for e in done.events
        if getattr(e, "config", None) and "body" in e.config.decoded()
    }
    assert {"l[0]/x": "7/1", "l[1]/x": "7/2", "f/fallback": 7, "finally/z": 7} == read
    assert 7 == done.output()["v"]


def test_an_entry_reads_large_outputs() -> None:
    done = played(
        work("a"), shape("s", ["{{state.n}}"]), state={"n": "{{size(tasks.a.output)}}"}, answers={"a": ["x" * 70_000]}
    )
    assert {"s": [70_000]} == done.output()


def test_an_event_that_reads_the_state_needs_what_the_state_reads() -> None:
    event = {"id": "e", "event": {"type": "paid", "match": "event.data == state.n"}}
    held = Play(flow(work("a"), event, state={"n": "{{size(tasks.a.output)}}"}), answers={"a": ["x" * 70_000]}).run()
    again = Play(held.plan, begun=False)
    again.codec.blobs |= held.codec.blobs
    for old in held.events:
        again.take(old)
    again.now = held.now
    again.signal("paid", 1)
    again.signal("paid", 70_000)
    assert "succeeded" == again.run().finished().status
    assert 70_000 == again.output()["e"]["data"]
