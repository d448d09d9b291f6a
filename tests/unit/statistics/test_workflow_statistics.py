"""Reading statistics: periods of whole minutes, versions apart or together, and refusals that say what to do."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from msgspec.structs import replace

from millrace.adapters.memory import MemoryDocuments
from millrace.api.models import WorkflowStatistics
from millrace.base.errors import InvalidRequest, NotFound
from millrace.services.project_statistics import StatisticsProjector
from millrace.services.publish_definition import Publication
from millrace.services.publish_workflow import publish_workflow
from millrace.services.workflow_statistics import CELLS, workflow_statistics
from millrace.store.statistics import Cell, Tally, cell_update
from tests.functions.documents import workflow
from tests.functions.world import caller, platform
from tests.unit.statistics.histories import MINUTE, START, TENANT, append, attempt, ended, finished, started


def at(minutes: float) -> str:
    return datetime.fromtimestamp(START / 1000 + minutes * 60, UTC).isoformat().replace("+00:00", "Z")


DAY = {"since": at(0), "until": at(60)}


class World:
    """A platform with a workflow ``shop`` in two versions; `read` asks it as the tenant that owns it."""

    def __init__(self) -> None:
        self.documents = MemoryDocuments()
        self.platform = platform(documents=self.documents)
        for version in ("1.0.0", "2.0.0"):
            source = json.dumps(workflow("shop", version=version)).encode()
            publish_workflow(self.platform, caller(), Publication(source=source, media="json"))

    def read(self, **more: Any) -> dict[str, Any]:
        return workflow_statistics(self.platform, caller(), "shop", **(DAY | more))

    def run(self, number: int, *events: Any, version: str = "1.0.0") -> None:
        append(self.documents, [[started(number, version=version), *events]])
        StatisticsProjector(self.documents)(self.documents.feed.read(after=0, limit=1000))


@pytest.fixture
def world() -> World:
    return World()


def counts(answer: dict[str, Any]) -> dict[str, int]:
    return {"": answer["executions"]["count"]} | {task["task"]: task["count"] for task in answer["tasks"]}


def test_an_answer_adds_up_executions_and_tasks_and_fits_its_model(world: World) -> None:
    world.run(1, attempt("pay", 0), ended("pay", 10), ended("mail", 10, "skipped"), finished(12))
    world.run(2, attempt("pay", 0), attempt("pay", 5, 2), ended("pay", 14, "failed"), finished(1000, "failed"))
    answer = world.read()
    WorkflowStatistics.model_validate(answer)
    assert {
        "workflow": "shop",
        "version": None,
        "since": "2026-01-01T00:00:00.000Z",
        "until": "2026-01-01T01:01:00.000Z",
        "quantileError": 0.0625,
        "executions": {
            "count": 2,
            "failures": 1,
            "cancelled": 0,
            "durationMs": {"mean": 506, "p50": 12, "p90": 991, "p99": 991},
        },
        "tasks": [
            {
                "task": "mail",
                "skipped": 1,
                "attempts": 0,
                "count": 0,
                "failures": 0,
                "cancelled": 0,
                "durationMs": None,
            },
            {
                "task": "pay",
                "skipped": 0,
                "attempts": 3,
                "count": 2,
                "failures": 1,
                "cancelled": 0,
                "durationMs": {"mean": 12, "p50": 10, "p90": 14, "p99": 14},
            },
        ],
    } == answer


def test_a_period_takes_in_the_minutes_of_both_its_ends(world: World) -> None:
    for minute in (0, 1, 2, 3):
        world.run(minute, ended("a", minute * 60_000 + 59_999))
    assert {"": 0, "a": 2} == counts(world.read(since=at(1.5), until=at(2.0)))
    assert {"": 0, "a": 4} == counts(world.read())
    assert {"": 0} == counts(world.read(since=at(4), until=at(9)))


def test_a_version_is_counted_alone_when_it_is_asked_for(world: World) -> None:
    world.run(1, ended("a", 0), finished(0))
    world.run(2, ended("b", 0), finished(0), version="2.0.0")
    assert {"": 1, "a": 1} == counts(world.read(version="1.0.0"))
    assert ("2.0.0", {"": 1, "b": 1}) == (world.read(version="latest")["version"], counts(world.read(version="latest")))
    assert {"": 2, "a": 1, "b": 1} == counts(world.read())


def test_without_a_period_it_is_the_last_hour(world: World) -> None:
    answer = workflow_statistics(world.platform, caller(), "shop")
    assert ("2023-11-14T21:13:00.000Z", "2023-11-14T22:14:00.000Z") == (answer["since"], answer["until"])


def test_another_tenant_and_another_namespace_see_nothing_of_it(world: World) -> None:
    world.run(1, ended("a", 0))
    for stranger in (caller("evil"), caller(namespace="other")):
        with pytest.raises(NotFound):
            workflow_statistics(world.platform, stranger, "shop", **DAY)
        source = json.dumps(workflow("shop")).encode()
        publish_workflow(world.platform, stranger, Publication(source=source, media="json"))
        assert {"": 0} == counts(workflow_statistics(world.platform, stranger, "shop", **DAY))


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"since": "yesterday"}, "not an instant"),
        ({"since": "2026-01-01T00:00:00"}, "no offset"),
        ({"until": "2026-01-01"}, "no offset"),
        ({"since": "1969-12-31T23:59:00Z"}, "out of range"),
        ({"until": "9999-12-31T23:59:59Z"}, "out of range"),
        ({"until": "0001-01-01T00:00:00+14:00"}, "out of range|not an instant"),
        ({"since": at(61)}, "lies after"),
        ({"since": "2025-11-01T00:00:00Z"}, "longer than 31 days"),
    ],
)
def test_a_period_that_cannot_be_read_is_refused_with_a_hint(world: World, more: dict[str, str], words: str) -> None:
    with pytest.raises(InvalidRequest, match=words) as caught:
        world.read(**more)
    assert caught.value.hint


def test_an_unknown_version_and_an_unknown_workflow_are_not_found(world: World) -> None:
    with pytest.raises(NotFound):
        world.read(version="9.9.9")
    with pytest.raises(NotFound):
        workflow_statistics(world.platform, caller(), "shopp")


def test_a_period_with_too_many_counts_is_refused_and_the_hint_gives_one_that_works(world: World) -> None:
    each = CELLS // 2
    for number in range(2 * each + 1):
        cell = Cell("default", "shop", MINUTE + number // each, "1.0.0", f"t{number}")
        world.documents.write(TENANT, [cell_update(cell, replace(Tally(), count=1, sum_ms=1))])
    with pytest.raises(InvalidRequest, match=f"more than {CELLS}") as caught:
        world.read()
    assert at(2)[:16] in caught.value.hint
    assert 2 * each == len(world.read(until=at(1))["tasks"])
