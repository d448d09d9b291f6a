"""How long a driver with nothing to do waits for what others will tell, on a virtual clock."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import pytest
from msgspec.structs import replace

from millrace.base.ids import lane_name
from millrace.driver.advance import advance
from millrace.driver.world import Done, Wait
from millrace.engine import events as ev
from millrace.ports.runners import Failure
from millrace.services.cancel_execution import cancel_execution
from millrace.services.pause_execution import pause_execution
from millrace.services.signal_execution import signal_execution
from tests.unit.driver.runs import CALLER, SCOPE, Local, Script, call, workflow

LINGER_MS = 10_000
FALLEN = {"id": "sub", "workflowRef": "child"}
PEOPLE = {"id": "ok", "type": "approval", "approvers": ["user:ann"], "timeout": "1d"}
EVENT = {"id": "go", "event": {"type": "go"}, "timeout": "1d"}
ONE = {"key": "k", "limit": 1}


def local_with(tasks: list[dict[str, Any]], script: Script | None = None, *, linger_ms: int = LINGER_MS) -> Local:
    local = Local(script, linger_ms=linger_ms)
    local.publish(workflow("child", [EVENT]))
    local.publish(workflow("flow", tasks))
    return local


class Watched:
    """A store that notes when (ms) its driver reads an actor item."""

    def __init__(self, local: Local) -> None:
        self._documents, self._clock = local.documents, local.clock
        self.looks: list[int] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._documents, name)

    def get(self, scope: Any, key: Any) -> Any:
        if key.sort == "actor":
            self.looks.append(self._clock.now())
        return self._documents.get(scope, key)


def watch(local: Local) -> Watched:
    """Have the driver read through a store that notes it."""
    documents: Any = Watched(local)
    local.world = replace(local.world, documents=documents)
    found: Watched = documents
    return found


def waited(local: Local, execution: str) -> int:
    """How long (ms) a driver stays before it parks."""
    begun = local.clock.now()
    assert isinstance(local.drive(execution), Wait)
    return local.clock.now() - begun


@pytest.mark.parametrize("linger_ms", [0, 1, 3_000, LINGER_MS])
def test_a_sub_workflow_is_waited_for_as_long_as_that_pays_and_no_longer(linger_ms: int) -> None:
    local = local_with([FALLEN], linger_ms=linger_ms)
    spent = waited(local, local.start("flow"))
    assert linger_ms <= spent < linger_ms + 10


@pytest.mark.parametrize(
    ("tasks", "long"),
    [
        pytest.param([EVENT], False, id="an event"),
        pytest.param([PEOPLE], False, id="people"),
        pytest.param([{"id": "nap", "wait": {"for": "1h"}}], False, id="time"),
        pytest.param([{**FALLEN, "detached": True}, EVENT], False, id="what it only began"),
        pytest.param([EVENT, FALLEN], True, id="a sub-workflow beside an event"),
        pytest.param([{**EVENT, "concurrency": ONE}, call("a", concurrency=ONE)], True, id="a place"),
        pytest.param(
            [{"id": "loop", "forEach": {"items": "{{[1, 2]}}", "mode": "distributed"}, "tasks": [call("a")]}],
            True,
            id="lanes",
        ),
    ],
)
def test_only_what_ends_without_anybodys_help_is_waited_for(tasks: list[dict[str, Any]], long: bool) -> None:
    local = local_with(tasks)
    assert (LINGER_MS if long else 0) == waited(local, local.start("flow")) // 1_000 * 1_000


def test_a_lane_waits_for_nobody_before_it_tries_again() -> None:
    retry = {"maxAttempts": 2, "interval": "60s", "jitter": "none"}
    loop = {"items": "{{[1, 2]}}", "mode": "distributed"}
    failing = Script({f"loop[{n}]/a": [Failure("http", "503", "", retryable=True), "ok"] for n in range(2)})
    local = local_with([{"id": "loop", "forEach": loop, "tasks": [call("a", retry=retry)]}], failing)
    execution = local.start("flow")
    assert LINGER_MS <= waited(local, execution)
    assert waited(local, lane_name(execution, 1)) < 1_000


def test_a_paused_execution_waits_for_nobody() -> None:
    local = local_with([FALLEN])
    execution = local.start("flow")
    pause_execution(local.platform, CALLER, execution, action="pause", message_id="m")
    assert waited(local, execution) < 1_000


def test_a_look_comes_after_a_quarter_of_the_time_waited_so_far() -> None:
    local = local_with([FALLEN])
    execution = local.start("flow")
    local.world = replace(local.world, linger_ms=0)
    local.drive(execution)  # everything there is to write is written
    local.world = replace(local.world, linger_ms=LINGER_MS)
    watched, begun = watch(local), local.clock.now()
    assert isinstance(local.drive(execution), Wait)
    seen = [at - begun for at in watched.looks]
    assert len(seen) < 30
    for last, now in itertools.pairwise(seen[1:]):
        assert now - last <= max(50, last // 4) + 2
    assert LINGER_MS - 2_000 < seen[-1]


def later(local: Local, seconds: float, act: Callable[[], Any]) -> None:
    local.loop.call_later(seconds, act)


def test_what_comes_meanwhile_is_taken_in_and_the_next_wait_begins_anew() -> None:
    local = local_with([FALLEN, {"id": "and", "dependsOn": ["sub"], "workflowRef": "child"}])
    execution = local.start("flow")
    begun = local.clock.now()

    def end(path: str) -> None:
        (child,) = [event.child for event in local.events(execution, ev.WaitStarted) if event.path == path]
        signal_execution(local.platform, CALLER, child, "go", payload={}, message_id=f"go-{path}")
        local.loop.create_task(_driven(local, child))

    later(local, 6, lambda: end("sub"))
    later(local, 12, lambda: end("and"))
    assert Done("succeeded") == local.drive(execution)
    assert 12_000 < local.clock.now() - begun < 15_000


async def _driven(local: Local, child: str) -> None:
    await advance(replace(local.world, owner="driver-2"), SCOPE, child)


def test_a_cancel_ends_the_waiting_within_a_look() -> None:
    local = local_with([FALLEN])
    execution = local.start("flow")
    begun = local.clock.now()
    later(local, 4, lambda: cancel_execution(local.platform, CALLER, execution, reason="", message_id="m"))
    assert Done("cancelled") == local.drive(execution)
    assert local.clock.now() - begun < 6_000


def test_a_driver_whose_time_is_nearly_over_parks_before() -> None:
    local = local_with([FALLEN])
    begun = local.clock.now()
    outcome = local.drive(local.start("flow"), deadline=begun + 8_000)
    assert isinstance(outcome, Wait)
    assert 2_000 < local.clock.now() - begun <= 4_000


def test_a_timer_that_is_slept_for_after_the_waiting_is_over_does_not_make_it_look_all_the_time() -> None:
    local = local_with([{**FALLEN, "timeout": "13s"}], linger_ms=5_000)
    execution = local.start("flow")
    local.world = replace(local.world, sleep_ms=60_000)
    watched = watch(local)
    assert Done("failed") == local.drive(execution)
    assert len(watched.looks) < 60


@pytest.mark.parametrize("linger_ms", [0, LINGER_MS])
def test_a_place_that_the_execution_itself_gives_up_is_taken_without_parking(linger_ms: int) -> None:
    tasks = [call(name, concurrency=ONE) for name in "abc"]
    local = local_with(tasks, linger_ms=linger_ms)
    assert Done("succeeded") == local.drive(local.start("flow"))


def test_a_place_that_the_execution_itself_gives_up_is_taken_at_once_while_another_task_runs() -> None:
    local = local_with(
        [*(call(name, concurrency=ONE) for name in "abc"), call("long")], Script(lasting={"long": 1.0}), linger_ms=0
    )
    execution = local.start("flow")
    assert Done("succeeded") == local.drive(execution)
    ended = {event.path: event.at for event in local.events(execution, ev.TaskFinished)}
    assert all(ended[name] < ended["long"] for name in "abc")
