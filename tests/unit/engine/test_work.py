"""The work of the engine is proportional to what happens: counted, never timed."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from millrace.engine import heap, settle
from millrace.engine.decide import decide
from millrace.engine.snapshot import freeze, thaw
from millrace.engine.state import TaskState

from .play import Play, failure, graph, play

MANY = 10_000


class Counted(list[Any]):
    """A list that counts how many of its items are looked at."""

    def __init__(self, items: Any = ()) -> None:
        super().__init__(items)
        self.looks = 0

    def __getitem__(self, index: Any) -> Any:
        self.looks += 1
        return super().__getitem__(index)


def test_a_chain_of_ten_thousand_skips_ends_without_deep_recursion() -> None:
    tasks: dict[str, dict[str, Any]] = {"t0": {"condition": "false"}}
    tasks |= {f"t{n}": {"needs": [f"t{n - 1}"]} for n in range(1, MANY)}
    done = play(tasks)
    assert ("succeeded", {}) == (done.finished().status, done.output())
    assert ("upstream_skipped", "t0") == done.skips()[f"t{MANY - 1}"]
    assert MANY + 2 == len(done.events)
    assert 1 == done.settles


def test_a_chain_of_ten_thousand_failures_upstream_ends_too() -> None:
    tasks: dict[str, dict[str, Any]] = {"t0": {}} | {f"t{n}": {"needs": [f"t{n - 1}"]} for n in range(1, MANY)}
    done = play(tasks, answers={"t0": [failure(retryable=False)]})
    assert ("failed", ("upstream_failed", "t0")) == (done.finished().status, done.skips()[f"t{MANY - 1}"])


def test_the_smallest_of_a_heap_are_found_by_looking_at_few_of_its_items() -> None:
    items = Counted(range(MANY))
    found = heap.ascending(items)
    assert [0, 1, 2, 3, 4] == [next(found) for _ in range(5)]
    assert items.looks <= 5 * 4 + 2


def test_one_start_out_of_ten_thousand_ready_tasks_looks_at_few_of_them() -> None:
    held = Play(graph({f"t{n}": {} for n in range(MANY)}, parallel_limit=3))
    held.state.ready = Counted(held.state.ready)
    held.state.tasks = Counted(held.state.tasks)
    assert ["t0", "t1", "t2"] == [command.path for command in decide(held.plan, held.state, held.now)]  # type: ignore[union-attr]
    assert held.state.ready.looks + held.state.tasks.looks <= 50


def test_a_fan_out_is_decided_at_once_and_each_result_alone() -> None:
    width = 1000
    tasks: dict[str, dict[str, Any]] = {f"t{n}": {} for n in range(width)}
    tasks["join"] = {"needs": list(tasks)}
    held = Play(graph(tasks), lasting=lambda path, _: 10 if path == "join" else int(path[1:]) + 1)
    held.settle()
    assert width == len(held.flying)
    calls = 0
    while held.state.finished is None:
        at, path, attempt = held.flying.pop(0)
        held.now = at
        held.land(path, attempt)
        commands = decide(held.plan, held.state, held.now)
        calls += len(commands)
        held.settle()
    assert width + 2 >= calls >= width
    assert 2 * (width + 1) + (width + 1) + 2 == len(held.events)


@pytest.mark.parametrize("count", [10, 100, 1000])
def test_the_commands_of_a_run_are_as_many_as_its_tasks_need(count: int) -> None:
    tasks: dict[str, dict[str, Any]] = {f"t{n}": {"needs": [f"t{n - 1}"] if n else []} for n in range(count)}
    done = play(tasks)
    assert 3 * count + 2 == len(done.events)
    assert count + 1 == done.settles


def test_a_snapshot_of_ten_thousand_tasks_thaws_with_valid_heaps() -> None:
    held = Play(graph({f"t{n}": {"priority": n % 7} for n in range(MANY)}, parallel_limit=5))
    held.settle()
    thawed = thaw(held.plan, freeze(held.state))
    assert thawed is not None
    assert sorted(held.state.ready) == list(heap.ascending(thawed.ready))


def test_settling_stops_when_every_start_is_refused() -> None:
    held = Play(graph({"a": {}, "b": {}, "p": {"compute": lambda _: 1}}))
    settled = settle.settle(
        held.plan, held.state, held.now, encode=held.codec.encode, allow=lambda start: start.path == "b"
    )
    assert (True, ["b"], {"TaskFinished", "AttemptStarted"}) == (
        settled.held,
        [start.path for start in settled.starts],
        {type(event).__name__ for event in settled.events},
    )


def test_a_task_to_which_nothing_has_happened_has_no_attempt_and_no_times() -> None:
    assert {0} == {value for value in msgspec.structs.asdict(TaskState()).values() if type(value) is int}
