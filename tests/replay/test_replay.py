"""Histories of every release amount to what they did, whatever the hash seed, time zone and locale."""

from __future__ import annotations

import copy
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest

from millrace.base.errors import Corrupt
from millrace.engine.events import TaskFinished
from millrace.engine.evolve import evolve
from millrace.engine.snapshot import equal, freeze, thaw
from millrace.engine.state import State
from millrace.services.execution_view import view
from tests.replay import record
from tests.replay.replayed import content, disagreements, events, histories, load, plan_of, segments, summary

ROOT = Path(__file__).resolve().parents[2]
PATHS = histories()
NAMES = [f"{path.parent.name}/{path.stem}" for path in PATHS]


def test_every_scenario_has_its_history() -> None:
    assert {f"{record.RELEASE}/{name}" for name in record.scenarios()} <= set(NAMES)
    assert any(name.startswith("0.0/") for name in NAMES)


@pytest.mark.parametrize("path", PATHS, ids=NAMES)
def test_a_history_amounts_to_what_it_did(path: Path) -> None:
    history = load(path)
    assert history["expected"] == view(events(history), lambda value: content(history, value))
    state = State(plan_of(history))
    for event in events(history):
        evolve(state, event)
    assert state.finished is not None
    assert history["expected"]["status"] == state.finished.status
    told = {name: task["status"] for name, task in history["expected"]["tasks"].items()}
    ended = {event.path: event.status for event in events(history) if isinstance(event, TaskFinished)}
    assert told == {path: ended[path] for path in told}
    assert {path: ended[path] for path in state.index} == {
        path: state.tasks[at].status for path, at in state.index.items()
    }
    assert (0, 0) == (state.running, state.open)


@pytest.mark.parametrize("path", PATHS, ids=NAMES)
def test_every_recorded_decision_is_one_that_is_made_today(path: Path) -> None:
    assert [] == list(disagreements(load(path)))


@pytest.mark.parametrize("path", PATHS, ids=NAMES)
def test_every_prefix_of_a_history_is_a_state_that_a_snapshot_holds(path: Path) -> None:
    history = load(path)
    plan = plan_of(history)
    state = State(plan)
    for event in events(history):
        evolve(state, event)
        thawed = thaw(plan, freeze(state))
        assert thawed is not None
        assert [] == [name for name in equal(state, thawed) if name not in ("unresolved", "view")]


@pytest.mark.parametrize("name", record.scenarios())
def test_a_run_of_today_writes_what_was_recorded(name: str) -> None:
    assert load(record.path_of(name)) == json.loads(record.encoded(record.recorded(name)))


@pytest.mark.parametrize(
    "environment",
    [
        {"PYTHONHASHSEED": "0", "TZ": "Pacific/Kiritimati", "LC_ALL": "C"},
        {"PYTHONHASHSEED": "4242", "TZ": "America/St_Johns", "LC_ALL": "tr_TR.UTF-8", "LANG": "tr_TR.UTF-8"},
    ],
)
def test_another_hash_seed_time_zone_and_locale_change_nothing(environment: dict[str, str]) -> None:
    ran = subprocess.run(
        [sys.executable, "-W", "ignore", "-m", "tests.replay.replayed"],
        cwd=ROOT,
        env={**os.environ, **environment},
        capture_output=True,
        check=True,
        timeout=60,
    )
    assert {name: summary(path) for name, path in zip(NAMES, PATHS, strict=True)} == json.loads(ran.stdout)


def test_a_history_whose_decisions_were_changed_is_seen() -> None:
    """The comparison can fail: a skip with another origin, a retry at another time, an attempt too many."""
    for name, kind, field, value in (
        ("skips", "TaskFinished", "skip", {"reason": "condition_false", "origin": "c"}),
        ("retries", "RetryScheduled", "due", 1),
        ("parallel-limit", "AttemptStarted", "path", "t0"),
    ):
        history = copy.deepcopy(load(record.path_of(name)))
        found = [e for segment in history["segments"] for e in segment["events"] if e["type"] == kind and field in e]
        found[-1][field] = value
        assert [] != list(disagreements(history)), name


def test_a_history_of_the_first_format_is_brought_up_to_date() -> None:
    (path,) = (path for path in PATHS if path.parent.name == "0.0")
    history = load(path)
    assert {0} == {segment["v"] for segment in history["segments"]}
    assert "error" in json.dumps(history["segments"])
    upcast = [event.failure.code for event in events(history) if getattr(event, "failure", None)]  # type: ignore[attr-defined]
    assert ["odd"] == sorted(set(upcast))


def test_a_history_from_the_future_is_refused() -> None:
    history: dict[str, Any] = load(PATHS[0])
    history["segments"][0]["v"] = 99
    with pytest.raises(Corrupt, match="event schema 99"):
        segments(history)


def test_stored_segments_are_read_as_they_were_written() -> None:
    for path in PATHS:
        history = load(path)
        if path.parent.name != "0.0":
            again = [msgspec.to_builtins(segment.events[0].at) for segment in segments(history)]
            assert [segment["events"][0]["at"] for segment in history["segments"]] == again
