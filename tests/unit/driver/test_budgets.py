"""Retry budgets: what is taken and given back, when retries to a host stop, and what that costs."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest
from msgspec.structs import replace

from millrace.base.errors import OutcomeUnknown, StoreUnavailable
from millrace.driver import telling
from millrace.driver.budgets import BudgetKey
from millrace.driver.guards import Guards
from millrace.driver.world import DriverWorld
from millrace.engine import events as ev
from millrace.ports.documents import Op
from millrace.ports.runners import Failure
from millrace.store.retry_budgets import Used, read_used, used_write

from .runs import SCOPE, Local, Script, call, workflow
from .test_breakers import failing, unreadable, writes

BAD = Failure("http", "503", "the server answered 503", True)
SLOW = Failure("timeout", "total", "too slow", True)
HOST = "api.example:443"
KEY = BudgetKey(SCOPE, "default", HOST)
RETRY = {"maxAttempts": 4, "interval": "100ms", "jitter": "none"}


def used(local: Local) -> int:
    return read_used(local.documents, SCOPE, "default", HOST).tokens


def local_with(answers: dict[str, list[Any]], *, tokens: int, **more: Any) -> Local:
    local = Local(Script(answers), retry_budget=tokens)
    local.publish(workflow("flow", [call("a", **{"retry": RETRY, **more})]))
    return local


def test_retries_stop_when_the_budget_of_the_host_is_spent_and_the_failure_stays_what_it_was() -> None:
    local = local_with({"a": [BAD]}, tokens=20)
    first, second, third = (local.start("flow") for _ in range(3))
    for execution in (first, second, third):
        assert ("failed", "http") == (local.finish(execution)["status"], local.read(execution)["error"]["kind"])
    assert [4, 2, 1] == [local.read(one)["tasks"]["a"]["attempts"] for one in (first, second, third)]
    assert [("retry: 4 of 4 attempts used",)] + [(f"retry: budget of {HOST} spent",)] * 2 == [
        local.events(one, ev.TaskFinished)[0].policy for one in (first, second, third)
    ]
    assert f"budget of {HOST} spent" == local.events(third, ev.AttemptFinished)[0].no_retry


def test_a_retry_after_a_timeout_takes_twice_as_much() -> None:
    local = local_with({"a": [SLOW]}, tokens=20)
    assert 3 == local.finish(local.start("flow"))["tasks"]["a"]["attempts"]


def test_a_retry_that_succeeds_gives_back_what_it_took_and_other_successes_give_one() -> None:
    local = local_with({"a": [BAD, BAD, "ok"]}, tokens=100)
    local.finish(local.start("flow"))
    local.run(asyncio.sleep(2))
    assert 5 == used(local)
    local.script.answers["a"] = ["ok"]
    for _ in range(3):
        local.finish(local.start("flow"))
    local.run(asyncio.sleep(2))
    assert 2 == used(local)
    for _ in range(5):
        local.finish(local.start("flow"))
    local.run(asyncio.sleep(2))
    assert 0 == used(local)


def test_a_host_that_answers_costs_nothing() -> None:
    local = local_with({"a": ["ok"]}, tokens=100)
    for _ in range(20):
        local.finish(local.start("flow"))
    local.run(asyncio.sleep(3))
    assert [] == writes(local, "retryBudget")


def test_takings_are_written_at_most_once_a_second() -> None:
    local = local_with({"a": [BAD, BAD, BAD, "ok"]}, tokens=500)
    for _ in range(20):
        local.finish(local.start("flow"))
    local.run(asyncio.sleep(2))
    assert (20 * 10, True) == (used(local), len(writes(local, "retryBudget")) <= local.loop.time() + 1)


@pytest.mark.parametrize(
    ("answer", "more"),
    [
        (Failure("http", "404", "no", False), {}),
        (BAD, {"retry": {"maxAttempts": 1}}),
        (BAD, {"retry": {"maxAttempts": 3, "retryOn": ["timeout"]}}),
        (BAD, {"request": {"url": "{{input.url}}"}}),
    ],
    ids=["not retryable", "one attempt", "not in retryOn", "no host"],
)
def test_what_is_not_retried_takes_nothing(answer: Failure, more: dict[str, Any]) -> None:
    local = local_with({"a": [answer]}, tokens=100, **more)
    local.finish(local.start("flow", {"url": "nowhere"}))
    local.run(asyncio.sleep(2))
    assert [] == writes(local, "retryBudget")


def test_without_a_budget_retries_are_bounded_by_their_policy_alone() -> None:
    local = local_with({"a": [BAD]}, tokens=0)
    assert 4 == local.finish(local.start("flow"))["tasks"]["a"]["attempts"]
    local.run(asyncio.sleep(2))
    assert [] == writes(local, "retryBudget")


def test_what_another_process_took_is_known_a_second_later() -> None:
    local = local_with({"a": [BAD]}, tokens=20)
    local.documents.write(SCOPE, [used_write("default", HOST, Used(), Used(20, local.clock.now(), 1))])
    assert 1 == local.finish(local.start("flow"))["tasks"]["a"]["attempts"]


def test_a_budget_that_nobody_touched_for_ten_minutes_is_full() -> None:
    local = local_with({"a": [BAD]}, tokens=20)
    long_ago = local.clock.now() - 600_000
    local.documents.write(SCOPE, [used_write("default", HOST, Used(), Used(20, long_ago, 1))])
    assert 4 == local.finish(local.start("flow"))["tasks"]["a"]["attempts"]
    local.run(asyncio.sleep(2))
    assert 15 == used(local)


def test_a_budget_that_was_touched_less_than_ten_minutes_ago_is_as_it_was() -> None:
    local = Local(retry_budget=20)
    lately = local.clock.now() - 599_000
    local.documents.write(SCOPE, [used_write("default", HOST, Used(), Used(20, lately, 1))])
    assert not take(local, local.world)
    local.run(asyncio.sleep(1))
    assert take(local, local.world)
    local.run(asyncio.sleep(1))


@pytest.mark.parametrize(("now", "stale"), [(4_999, True), (5_000, False), (5_999, False), (6_000, True)])
def test_what_was_read_holds_for_a_second_and_not_before_it_was_read(now: int, stale: bool) -> None:
    assert stale is telling.Held(read_at=5_000).is_stale(now)


def process(local: Local) -> DriverWorld:
    return replace(local.world, guards=Guards())


def take(local: Local, world: DriverWorld, tokens: int = 5) -> bool:
    return local.run(world.guards.budgets.take(world, KEY, tokens=tokens))


def test_a_store_that_does_not_answer_stops_no_retry_before_this_process_has_spent_it_all() -> None:
    local = Local(retry_budget=20)
    world = replace(process(local), documents=unreadable(local, StoreUnavailable("away")))
    local.io.before_commit = failing(99, StoreUnavailable("away"))
    assert [True, True, True, True, False] == [take(local, world) for _ in range(5)]
    local.io.before_commit = failing(0, StoreUnavailable("away"))
    local.run(asyncio.sleep(2))
    assert 20 == used(local)


def test_takings_meet_those_of_another_process() -> None:
    local = Local()
    one, two = process(local), process(local)
    assert take(local, one)
    assert take(local, two)
    local.run(asyncio.sleep(3))
    found = read_used(local.documents, SCOPE, "default", HOST)
    assert (10, 2) == (found.tokens, found.version)  # written twice


def test_takings_that_were_refused_wait_while_the_store_cannot_be_read() -> None:
    local = Local()
    world = process(local)
    away = replace(world, documents=unreadable(local, StoreUnavailable("away")))
    assert take(local, away)
    local.documents.write(SCOPE, [used_write("default", HOST, Used(), Used(20, local.clock.now(), 1))])
    local.run(world.guards.budgets.settle(away))
    assert 20 == used(local)
    local.run(world.guards.budgets.settle(world))
    assert 25 == used(local)


@pytest.mark.parametrize(("applied", "expected"), [(True, 5), (False, 0)])
def test_takings_that_may_have_been_written_are_not_written_again(applied: bool, expected: int) -> None:
    local = Local()
    world = process(local)
    if applied:
        local.io.after_commit = failing(1, OutcomeUnknown("lost"))
    else:
        local.io.before_commit = failing(1, OutcomeUnknown("lost"))
    assert take(local, world)
    local.run(asyncio.sleep(3))
    assert expected == used(local)


def test_a_process_that_may_be_frozen_tells_what_it_took_first() -> None:
    local = local_with({"a": [BAD, "ok"]}, tokens=100, retry={**RETRY, "interval": "1m"})
    local.drive(local.start("flow"), deadline=local.clock.now() + 100_000)
    assert 5 == used(local)
    before = len(local.io.commits)
    local.run(local.world.guards.budgets.settle(local.world))
    assert before == len(local.io.commits)  # and says nothing twice


@pytest.mark.parametrize("tokens", [0, 1, 2])
def test_a_process_that_may_be_frozen_tells_of_every_token_that_it_took(tokens: int) -> None:
    local = Local()
    assert take(local, local.world, 10)
    local.run(asyncio.sleep(0.5))
    assert take(local, local.world, tokens)
    local.run(local.world.guards.budgets.settle(local.world))
    assert (10 + tokens, 1 + (tokens > 0)) == (used(local), len(local.io.commits))


@pytest.mark.parametrize(("may_be_frozen", "told"), [(True, 10), (False, 5)])
def test_what_was_taken_less_than_a_second_after_the_last_telling_is_not_lost(may_be_frozen: bool, told: int) -> None:
    later = {**RETRY, "interval": "1m"}
    local = Local(Script({"a": [BAD, "ok"], "b": [BAD, "ok"]}, lasting={"b": 0.3}), retry_budget=100)
    local.publish(workflow("flow", [call("a", retry=later), call("b", retry=later)]))
    local.drive(local.start("flow"), deadline=local.clock.now() + 100_000 if may_be_frozen else None)
    assert told == used(local)
    local.run(asyncio.sleep(2))
    assert 10 == used(local)


def test_a_telling_under_way_is_held_on_to_until_it_ends() -> None:
    local = Local()
    budgets = local.world.guards.budgets
    under_way: list[int] = []
    local.io.before_commit = lambda _ops: under_way.append(len(budgets._telling))
    assert take(local, local.world)
    local.run(asyncio.sleep(2))
    assert ([1], 0) == (under_way, len(budgets._telling))


def test_only_so_many_budgets_are_remembered() -> None:
    local = Local()
    world = process(local)

    async def many() -> None:
        for number in range(telling.KEPT + 5):
            key = BudgetKey(SCOPE, "default", f"h{number}:80")
            await world.guards.budgets.take(world, key, tokens=0)

    local.run(many())
    assert telling.KEPT == len(world.guards.budgets._held)


def test_a_budget_of_which_something_is_not_told_or_that_is_in_use_is_not_forgotten_for_another() -> None:
    local = Local()
    budgets = process(local).guards.budgets
    for number in range(telling.KEPT):
        budgets._of(BudgetKey(SCOPE, "default", f"h{number}:80"))
    keys = list(budgets._held)

    async def ask_another() -> None:
        budgets._held[keys[0]].taken = 5
        async with budgets._held[keys[1]].lock:
            budgets._of(KEY)

    local.run(ask_another())
    assert ([keys[2]], KEY) == ([key for key in keys if key not in budgets._held], list(budgets._held)[-1])


def test_what_is_taken_first_is_told_at_once() -> None:
    local, at = Local(), []
    local.io.before_commit = lambda _ops: at.append(local.loop.time())
    local.run(asyncio.sleep(7))
    assert take(local, local.world)
    local.run(asyncio.sleep(2))
    assert [pytest.approx(7 + 0.001)] == at  # a commit takes a millisecond


def test_a_process_that_loses_eight_races_tells_what_it_took_a_second_later() -> None:
    local, at = Local(), []

    def steal(_ops: Sequence[Op]) -> None:
        at.append(local.loop.time())
        if len(at) <= 8:
            seen = read_used(local.documents, SCOPE, "default", HOST)
            local.documents.write(SCOPE, [used_write("default", HOST, seen, replace(seen, version=seen.version + 1))])

    local.io.before_commit = steal
    assert take(local, local.world)
    local.run(asyncio.sleep(3))
    assert (5, 9, True) == (used(local), len(at), 0.9 < at[8] - at[7] < 1.1)
