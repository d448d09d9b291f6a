"""Every crash point of small graphs: each operation of the undisturbed run meets each fault once."""

from __future__ import annotations

import random

import pytest

from .faults import Faults
from .graphs import RETRY, SMALL, expected_outputs, make_plan
from .invariants import judge_end
from .world import SCOPE, Options, World

FAULTS = ("die-before", "die-after", "before", "lost", "vanished")


def _world(name: str, *, exclusive: bool, script: dict[int, str]) -> World:
    plan = make_plan(SMALL[name], retry=RETRY)
    options = Options(plans=[plan], exclusive=exclusive, processes=1, signals=1)
    return World(11, options, Faults(random.Random(5), script=script or {0: "none"}))


@pytest.mark.parametrize("exclusive", [True, False], ids=["local", "shared"])
@pytest.mark.parametrize("name", SMALL)
def test_one_fault_at_any_operation_costs_no_result(name: str, exclusive: bool) -> None:
    calm = _world(name, exclusive=exclusive, script={})
    calm.run()
    assert [] == judge_end(calm)
    operations = calm.faults.operations
    assert operations > 5
    for fault in FAULTS:
        for number in range(1, operations + 1):
            world = _world(name, exclusive=exclusive, script={number: fault})
            world.run()
            assert [] == judge_end(world), f"{fault} at operation {number}"
            assert len(world.record.started) == 1
            assert expected_outputs(calm.options.plans[0]) == _output(world), f"{fault} at operation {number}"


def _output(world: World) -> object:
    from millrace.adapters.memory import MemoryBlobs
    from millrace.driver.values import load_value
    from millrace.engine.events import ExecutionFinished
    from millrace.store.runlog import read_segments

    for segment in read_segments(world.store, SCOPE, world.record.started[0]):
        for event in segment.events:
            if isinstance(event, ExecutionFinished) and event.output is not None:
                return load_value(MemoryBlobs(), SCOPE, event.output)
    return None
