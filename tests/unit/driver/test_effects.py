"""What an execution does to others: what is asked of whom, what event comes of it, and one thing at a time per task."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from msgspec.structs import replace

from millrace.base.errors import NotFound
from millrace.driver.effects import Effects
from millrace.engine import commands as cmd
from millrace.engine import events as ev
from millrace.engine.compositions import Lane, LaneReport
from millrace.engine.values import inline_value

from .runs import SCOPE, Local, call

SLOT = ev.Slot(key="k")
REPORT = LaneReport(failures=3)
VALUE = inline_value({"n": 1})


class Office:
    """Takes every order for other executions, for lanes and for places, and answers what it was told to."""

    def __init__(self, answer: Any = None) -> None:
        self.answer = answer
        self.orders: list[tuple[Any, ...]] = []

    def __getattr__(self, name: str) -> Callable[..., Any]:
        def take(scope: Any, started: Any, *order: Any) -> Any:
            self.orders.append((name, *order))
            if isinstance(self.answer, Exception):
                raise self.answer
            return self.answer

        return take


def with_effects(office: Office, work: Callable[[Effects], Awaitable[Any]], *, lane: bool = False) -> tuple[Any, int]:
    """What some work on the effects of an execution gives, and how often the driver was woken."""
    local, woken = Local(), []
    (started,) = local.events(local.begin([call("a")]))
    if lane:
        started = replace(started, lane=Lane("loop", 0, 1, 1, 1, VALUE))
    ports: Any = office
    world = replace(local.world, children=ports, slots=ports, lanes=ports)

    async def run() -> Any:
        return await work(Effects(world, SCOPE, started, lambda: woken.append(1)))

    return local.run(run()), len(woken)


async def performed(effects: Effects, *given: cmd.Effect) -> list[ev.Event]:
    effects.begin(given)
    await asyncio.sleep(1)
    return effects.take()


AT = 1
CHILD = ev.ChildStarted(at=5, path="c", child="01c", revision=1, version="1.0.0")


@pytest.mark.parametrize(
    ("effect", "answer", "order", "event"),
    [
        (cmd.StartChild("c", "01c", "w", VALUE), CHILD, ("start", {"n": 1}), CHILD),
        (cmd.StartChild("c", "01c", "w"), CHILD, ("start", None), CHILD),
        (cmd.CancelChild("c", "01c"), None, ("cancel",), ev.ChildCancelled(at=AT, path="c", child="01c")),
        (cmd.NotifyParent("failed"), None, ("notify", None), ev.ParentNotified(at=AT, status="failed")),
        (
            cmd.NotifyParent("succeeded", VALUE),
            None,
            ("notify", {"n": 1}),
            ev.ParentNotified(at=AT, status="succeeded"),
        ),
        (cmd.StartLanes("l", 2, 4, 1, VALUE), None, ("start", {"n": 1}), ev.LanesStarted(at=AT, path="l")),
        (
            cmd.TellLanes("l", "close", (1, 2)),
            (2,),
            ("tell",),
            ev.LanesTold(at=AT, path="l", stance="close", void=(2,)),
        ),
        (cmd.TellFailures(REPORT), None, ("report",), ev.FailuresReported(at=AT, failures=3)),
        (cmd.AcquireSlot("a", SLOT), "granted", ("acquire",), ev.SlotGranted(at=AT, path="a", key="k")),
        (cmd.AcquireSlot("a", SLOT), "full", ("acquire",), ev.SlotDenied(at=AT, path="a", key="k")),
        (cmd.AcquireSlot("a", SLOT), "queued", ("acquire",), None),
        (cmd.ReleaseSlot("a", SLOT), None, ("release",), ev.SlotReleased(at=AT, path="a", key="k")),
    ],
    ids=[
        "start with an input",
        "start without",
        "cancel",
        "tell of a failure",
        "tell of an output",
        "start lanes",
        "tell lanes",
        "tell of failures",
        "a place",
        "no place",
        "a place in line",
        "a place given up",
    ],
)
def test_an_effect_asks_for_one_thing_and_its_event_says_what_came_of_it(
    effect: cmd.Effect, answer: Any, order: tuple[Any, ...], event: ev.Event | None
) -> None:
    office = Office(answer)
    found, woken = with_effects(office, lambda effects: performed(effects, effect))
    assert [(order[0], effect, *order[1:])] == office.orders
    assert ([] if event is None else [event], 1) == ([_undated(one, event) for one in found], woken)


def _undated(found: ev.Event, like: ev.Event | None) -> ev.Event:
    return found if like is None else replace(found, at=like.at)


def test_a_lane_tells_its_execution_how_far_it_has_come_and_no_other_of_its_end() -> None:
    office = Office()
    told = cmd.NotifyParent("succeeded", VALUE, report=REPORT)
    (event,), _ = with_effects(office, lambda effects: performed(effects, told), lane=True)
    assert ([("report", told)], "succeeded") == (office.orders, event.status)


def test_one_effect_of_a_task_is_under_way_at_a_time_and_none_before_the_last_was_recorded() -> None:
    first, second, other = cmd.CancelChild("c", "01c"), cmd.CancelChild("c", "02c"), cmd.CancelChild("d", "03c")

    async def work(effects: Effects) -> list[Any]:
        seen: list[Any] = [len(effects), effects.new([first, other])]
        effects.begin([first, second, other])
        seen += [len(effects), effects.new([second, other])]
        await asyncio.sleep(1)
        effects.begin([second])
        seen += [len(effects), effects.new([second, other])]
        effects.take()
        return [*seen, len(effects), effects.new([second, other])]

    office = Office()
    found, _ = with_effects(office, work)
    assert [0, [first, other], 2, [], 2, [], 0, [second, other]] == found
    assert [("cancel", first), ("cancel", other)] == office.orders


def test_what_is_under_way_and_what_has_ended_both_count() -> None:
    async def work(effects: Effects) -> int:
        effects.begin([cmd.CancelChild("c", "01c")])
        await asyncio.sleep(1)
        effects.begin([cmd.CancelChild("d", "02c")])
        count = len(effects)
        await effects.close()
        return count

    assert 2 == with_effects(Office(), work)[0]


def test_who_stands_in_line_for_a_place_asks_no_second_time_but_gives_it_up() -> None:
    async def work(effects: Effects) -> list[cmd.Effect]:
        await performed(effects, cmd.AcquireSlot("a", SLOT))
        return effects.new([cmd.AcquireSlot("a", SLOT), cmd.AcquireSlot("b", SLOT), cmd.ReleaseSlot("a", SLOT)])

    assert [cmd.AcquireSlot("b", SLOT), cmd.ReleaseSlot("a", SLOT)] == with_effects(Office("queued"), work)[0]


def test_an_error_of_an_effect_is_raised_where_its_event_is_asked_for() -> None:
    async def work(effects: Effects) -> None:
        with pytest.raises(NotFound, match="gone"):
            await performed(effects, cmd.CancelChild("c", "01c"))

    assert 1 == with_effects(Office(NotFound("gone")), work)[1]


def test_effects_that_are_stopped_have_ended_and_have_no_event() -> None:
    async def work(effects: Effects) -> list[Any]:
        effects.begin([cmd.CancelChild("c", "01c")])
        before = set(asyncio.all_tasks())
        await effects.close()
        return [len(before) - len(asyncio.all_tasks()), effects.take()]

    assert ([1, []], 0) == with_effects(Office(), work)
