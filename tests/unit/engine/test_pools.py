"""Places of pools in an execution: what is asked for, on which terms, and who shares one."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from millrace.driver.values import ValueCodec
from millrace.engine import events as ev
from millrace.engine.commands import StartChild, StartLanes
from millrace.engine.evolve import fold
from millrace.engine.settle import settle
from millrace.engine.slots import no_place
from tests.unit.engine.play import BEGIN, Play, start_event
from tests.unit.engine.test_slots import Office, one, order, plan_of, played


def pooled(key: str = "k", **more: Any) -> dict[str, Any]:
    return {"concurrency": {"key": key, "limit": 3, "pool": {"name": "gpu", "limit": 5}, **more}}


def asked(done: Office) -> list[tuple[str, ev.SlotPool | None]]:
    return [(event.key, event.pool) for event in done.events if isinstance(event, ev.SlotRequested)]


def test_a_request_says_which_pool_and_what_its_key_claims_of_it() -> None:
    done = played([one("a", **pooled()), one("b", **pooled("l", min=2, weight=7))])
    assert [("k", ev.SlotPool("gpu", 5)), ("l", ev.SlotPool("gpu", 5, 2, 7))] == asked(done)


def test_what_a_key_claims_may_be_computed() -> None:
    value = {"tier": "gold", "share": 4}
    claims = {"min": "{{input.tier == 'gold' ? 3 : 0}}", "weight": "{{input.share}}"}
    assert [("k", ev.SlotPool("gpu", 5, 3, 4))] == asked(played([one("a", **pooled(**claims))], value=value))


@pytest.mark.parametrize(
    ("claims", "said"),
    [
        ({"min": "{{input.n}}"}, "The concurrency min of task 'a' gave 4: it takes a whole number from 0 to 3."),
        ({"weight": "{{input.n - 4}}"}, "The concurrency weight of task 'a' gave 0: it takes a whole number from 1 to"),
        ({"weight": "{{input.text}}"}, "The concurrency weight of task 'a' gave str: it takes a whole number from 1"),
        ({"min": "{{input.n == 4}}"}, "The concurrency min of task 'a' gave bool: it takes a whole number from 0 to 3"),
        ({"weight": "{{input.none.x}}"}, "concurrency weight of task 'a'"),
    ],
)
def test_a_claim_that_is_no_number_of_use_is_a_failure(claims: dict[str, str], said: str) -> None:
    done = played([one("a", **pooled(**claims))], value={"n": 4, "text": "4"})
    failure = done.finished().failure
    assert failure is not None
    assert said in failure.message
    assert "expression" == failure.kind
    assert [] == asked(done)


def test_a_claim_of_a_workflow_that_is_no_number_fails_it() -> None:
    done = played([one("a")], value={"n": -1}, **pooled(min="{{input.n}}"))
    failure = done.finished().failure
    assert failure is not None
    assert "The concurrency min of the workflow gave -1: it takes a whole number from 0 to 3." == failure.message


def test_a_task_waits_for_what_its_claim_reads() -> None:
    weight = "{{size(tasks.first.output) > 0 ? 2 : 1}}"
    done = played([one("first"), one("second", **pooled(weight=weight))])
    assert ["first", "second"] == order(done, ev.AttemptStarted)


def test_inside_a_place_of_a_pool_nothing_asks_for_another_one_of_it() -> None:
    loop = {"id": "loop", "forEach": {"items": [1, 2]}, "tasks": [one("b", **pooled("other"))], **pooled("k")}
    assert [("k", ev.SlotPool("gpu", 5))] == asked(played([loop]))
    inner = {"id": "c", "workflowRef": "leaf", **pooled("another")}
    assert [("all", ev.SlotPool("gpu", 5))] == asked(played([loop, one("d", **pooled("e")), inner], **pooled("all")))


def test_the_same_key_without_a_pool_or_in_another_one_is_another_place() -> None:
    tasks = [
        one("a", concurrency={"key": "k", "limit": 1}),
        one("b", **pooled("k", pool={"name": "cpu", "limit": 1}, limit=1)),
    ]
    loop = {"id": "loop", "forEach": {"items": [1]}, "tasks": tasks, **pooled("k")}
    found = [(key, None if pool is None else pool.name) for key, pool in asked(played([loop]))]
    assert [("k", "gpu"), ("k", None), ("k", "cpu")] == found


def test_an_execution_that_is_started_inside_a_place_of_a_pool_shares_it() -> None:
    done = played([{"id": "kid", "workflowRef": "other", **pooled()}])
    (start,) = [effect for effect in done.effects if isinstance(effect, StartChild)]
    assert ("\0pool gpu",) == start.slots


def test_a_loop_that_holds_a_place_of_a_pool_shares_it_with_its_lanes() -> None:
    each = {"items": [1, 2], "mode": "distributed"}
    office = Office(plan_of([{"id": "l", "forEach": each, "tasks": [one("a")], **pooled()}]))
    Play.settle(office)
    office.take(ev.SlotGranted(at=office.now, path="l", key="k"))
    Play.settle(office)
    (start,) = [effect for effect in office.effects if isinstance(effect, StartLanes)]
    assert ("\0pool gpu",) == start.slots


def test_what_was_started_inside_a_place_of_the_pool_asks_for_none() -> None:
    plan = plan_of([one("a", **pooled("x"))], **pooled("y"))
    codec = ValueCodec("x1")
    state = fold(plan, [msgspec.structs.replace(start_event(codec), slots=("\0pool gpu",))])
    settled = settle(plan, state, BEGIN, encode=codec.encode)
    assert [True] == [event.shared for event in settled.events if isinstance(event, ev.SlotGranted)]
    assert ["a"] == [command.path for command in settled.starts]


def test_a_refusal_names_the_pool() -> None:
    slot = ev.Slot("acme", limit=2, pool=ev.SlotPool("gpu", 5))
    assert "No place of the pool 'gpu' is free for 'acme'." == no_place(slot).message


def test_a_key_with_a_nul_is_no_key() -> None:
    failure = played([one("a", **pooled("{{input.k}}"))], value={"k": "a\0b"}).finished().failure
    assert failure is not None
    assert "bad-key" == failure.code
