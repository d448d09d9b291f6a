"""What the state machines do when something fails, comes late, or comes twice."""

from __future__ import annotations

import dataclasses
import json
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from millrace.base.errors import BlobCorrupt, StoreUnavailable
from millrace.ports.documents import Update
from millrace.services import advance_execution as turns
from millrace.services.send_message import send_message
from millrace.services.times import rfc3339
from millrace.store.executions import Message, actor_key, read_actor
from tests.corpus import Case, small
from tests.infra.worlds import CALLER, Cloud, Ran, cloud, demo_service, finish, publish, result, start, until

CASES = {case.name: case for case in small()}
SCOPE = CALLER.scope


@pytest.fixture(scope="module")
def world() -> Iterator[Cloud]:
    with demo_service() as demo, cloud(demo) as made:
        for name in ("chain", "signalled", "cancelled", "waits-time"):
            publish(made.platform, CASES[name])
        yield made


@pytest.fixture(autouse=True)
def _no_fault(world: Cloud) -> Iterator[None]:
    yield
    world.fault = None
    world.settle()


def counted(world: Cloud, execution: str) -> Counter[str]:
    return Counter({a: n for (e, a), n in world.invocations.items() if e == execution})


def ran(world: Cloud, case: Case) -> tuple[str, str]:
    execution = start(world.platform, case)
    return execution, result(finish(world.platform, case, execution))["status"]


def test_an_unreachable_store_is_tried_again(world: Cloud) -> None:
    failures = iter([StoreUnavailable("away"), StoreUnavailable("away")])
    world.fault = lambda event: next(failures, None)
    execution, status = ran(world, CASES["chain"])
    assert ("succeeded", 3) == (status, counted(world, execution)["advance"])


def test_damage_is_not_tried_again_but_marked(world: Cloud) -> None:
    world.fault = lambda event: BlobCorrupt("the value is damaged") if event["action"] == "advance" else None
    execution = start(world.platform, CASES["chain"])
    until(lambda: result_of(world, execution)["status"] == "stalled", "it is not marked")
    assert "BlobCorrupt: the value is damaged" == result_of(world, execution)["errorMessage"]
    # The short machine tries once and hands over; the Standard one tries once and gives up.
    assert {"advance": 2, "stall": 1} == counted(world, execution)


def result_of(world: Cloud, execution: str) -> dict[str, Any]:
    return result(Ran(world.platform, execution, False))


def test_a_message_between_the_turn_and_the_park_is_not_missed(world: Cloud) -> None:
    sent: list[str] = []

    def send(event: dict[str, Any]) -> None:
        if event["action"] == "park" and not sent:
            sent.append(event["order"]["execution"])
            message = Message(id="m-9", kind="cancel", reason="late", principal="ann", at=1)
            send_message(world.platform, CALLER, sent[0], message)

    world.fault = send
    execution, status = ran(world, dataclasses.replace(CASES["cancelled"], act=""))
    assert ([execution], "cancelled") == (sent, status)
    # The lease was given up with the refused park: the next turn did not have to wait for it to expire.
    assert {"advance": 2, "park": 1} == counted(world, execution)


def test_an_actor_that_has_had_its_turns_goes_on_as_a_fresh_one(world: Cloud) -> None:
    aged: list[dict[str, Any]] = []

    def age(event: dict[str, Any]) -> None:
        if event["action"] == "advance":
            event["order"]["turn"] = event["order"].get("turn", 0) + (turns.TURNS - 1 if not aged else 0)
            aged.append(dict(event["order"]))

    world.fault = age
    execution, status = ran(world, CASES["signalled"])
    runs = world.client.list_executions(stateMachineArn=world.standard)["executions"]
    actor = read_actor(world.platform.documents, SCOPE, execution)
    assert actor is not None
    assert ("succeeded", 2) == (status, actor.generation)
    assert {f"{execution}-2"} == {run["name"] for run in runs if run["name"].startswith(execution)}
    assert [1, 2] == sorted({order["generation"] for order in aged})


def test_an_actor_that_is_nearly_a_year_old_goes_on_as_a_fresh_one(world: Cloud) -> None:
    told: list[str] = []

    def age(event: dict[str, Any]) -> Exception | None:
        if "budgetMs" in event:  # the short machine, which never lasts, is to leave its turn to the other
            return StoreUnavailable("away")
        if event["action"] == "advance":
            told.append(event["begun"])
            if event["order"]["generation"] == 1:
                event["begun"] = rfc3339(world.platform.clock.now() - turns.OLDEST_MS)
        return None

    world.fault = age
    execution, status = ran(world, CASES["waits-time"])
    actor = read_actor(world.platform.documents, SCOPE, execution)
    assert actor is not None
    assert ("succeeded", 2) == (status, actor.generation)
    now = world.platform.clock.now()
    assert [] == [text for text in told if not now - 120_000 < (turns.begun_at(text) or 0) <= now]
    assert told


def test_an_actor_that_was_replaced_leaves_the_execution_to_its_successor(world: Cloud) -> None:
    def replace(event: dict[str, Any]) -> None:
        if event["action"] == "advance" and event["order"]["generation"] == 1:
            key = actor_key(event["order"]["execution"])
            world.platform.documents.write(SCOPE, [Update(key, set={"generation": 2})])

    world.fault = replace
    execution, status = ran(world, CASES["cancelled"])
    runs = world.client.list_executions(stateMachineArn=world.standard)["executions"]
    assert "cancelled" == status
    assert {f"{execution}-2"} == {run["name"] for run in runs if run["name"].startswith(execution)}


def test_a_held_lease_is_waited_for(world: Cloud) -> None:
    def hold(event: dict[str, Any]) -> None:
        number = world.invocations[event["order"]["execution"], "advance"]
        if event["action"] == "advance" and number <= 3:
            until_ms = world.platform.clock.now() + (1500 if number < 3 else -1)
            update = Update(actor_key(event["order"]["execution"]), set={"owner": "other", "leaseUntil": until_ms})
            world.platform.documents.write(SCOPE, [update])

    world.fault = hold
    execution, status = ran(world, CASES["chain"])
    assert ("succeeded", 2) == (status, counted(world, execution)["advance"] - 1)


def test_a_second_run_of_the_short_machine_changes_nothing(world: Cloud) -> None:
    execution, status = ran(world, CASES["chain"])
    payload = {"tenant": "acme", "execution": execution, "generation": 1}
    world.client.start_execution(stateMachineArn=world.short, name=f"{execution}-again", input=json.dumps(payload))
    world.settle()
    assert ("succeeded", 2) == (status, counted(world, execution)["advance"])
    assert 0 == world.transitions(execution)["standard"]


def test_a_turn_that_runs_out_of_time_goes_on_in_the_standard_machine(world: Cloud) -> None:
    def hurry(event: dict[str, Any]) -> None:
        if "budgetMs" in event:
            event["budgetMs"] = 1

    world.fault = hurry
    execution, status = ran(world, CASES["chain"])
    assert ("succeeded", {"advance": 2}) == (status, counted(world, execution))
    world.settle()
    # Begin, Advance, Decide, Done.
    assert {"short": 4, "standard": 4} == world.transitions(execution)


def test_the_lease_of_another_driver_is_left_alone(world: Cloud) -> None:
    key = actor_key("leased")
    world.platform.documents.write(SCOPE, [Update(key, set={"owner": "other", "leaseUntil": 5})])
    turns.release_lease(world.platform.documents, turns.Order("acme", "leased", owner="mine"))
    actor = read_actor(world.platform.documents, SCOPE, "leased")
    assert actor is not None
    assert ("other", 5) == (actor.owner, actor.lease_until)
