"""Starting, reading, waiting for, cancelling and signalling executions, and nobody else's."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from millrace.base.errors import (
    ConditionRefused,
    Conflict,
    Corrupt,
    IdempotencyMismatch,
    InvalidInput,
    InvalidRequest,
    NotFound,
    OutcomeUnknown,
    PreconditionFailed,
    StoreUnavailable,
    TooLarge,
)
from millrace.engine import events as ev
from millrace.ports.documents import Delete, Table, Update
from millrace.ports.runners import Failure
from millrace.services.cancel_execution import cancel_execution
from millrace.services.dry_run import dry_run
from millrace.services.execution_events import execution_events
from millrace.services.execution_view import view
from millrace.services.get_definition import get_definition
from millrace.services.get_execution import get_execution
from millrace.services.plan_source import PlanSource
from millrace.services.reconcile import Reconciled, reconcile
from millrace.services.signal_execution import signal_execution
from millrace.services.start_execution import Start, start_execution
from millrace.services.times import rfc3339
from millrace.services.wait_execution import wait_execution
from millrace.store.definitions import item_key
from millrace.store.executions import CHECK_GRACE_MS, actor_key, label_partition, read_actor
from tests.unit.driver.runs import CALLER, HEAD, NEVER, SCOPE, Local, Script, call, workflow

OTHER = replace(CALLER, tenant="evil")
FIELDS = {"n": {"type": "integer"}, "m": {"type": "string", "default": "d"}}
SCHEMA = {"type": "object", "required": ["n"], "properties": FIELDS}


@pytest.fixture()
def local() -> Local:
    made = Local()
    made.publish(workflow("flow", [call("a")]))
    made.publish(workflow("strict", [call("a")], input=SCHEMA))
    return made


class Flaky:
    """A store whose writes suffer what a list says, first to last, before or after they are made."""

    def __init__(self, inner: Any, faults: list[tuple[str, Exception]]) -> None:
        self._inner = inner
        self._faults = faults

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def write(self, scope: Any, ops: Any) -> None:
        when, error = self._faults.pop(0) if self._faults else ("", None)
        if when == "before" and error:
            raise error
        self._inner.write(scope, ops)
        if when == "after" and error:
            raise error


def flaky(local: Local, *faults: tuple[str, Exception]) -> Any:
    return replace(local.platform, documents=Flaky(local.documents, list(faults)))


LOST, VANISHED = ("after", OutcomeUnknown("lost")), ("before", OutcomeUnknown("vanished"))


# starting


def test_a_start_answers_the_execution_and_asks_for_its_actor(local: Local) -> None:
    body = start_execution(local.platform, CALLER, Start("strict", {"n": 1}))
    assert ("running", {"n": 1, "m": "d"}, {}, "strict") == (
        body["status"],
        body["input"],
        body["tasks"],
        body["workflow"],
    )
    assert [("acme", body["id"])] == local.orchestrator.started


@pytest.mark.parametrize(
    ("execution", "standard"), [({}, False), ({"mode": "auto"}, False), ({"mode": "standard"}, True)]
)
def test_a_workflow_may_ask_for_the_standard_machine(local: Local, execution: dict[str, str], standard: bool) -> None:
    started = local.begin([call("a")], execution=execution)
    assert [started] * standard == local.orchestrator.standard


def test_an_input_that_does_not_fit_is_refused_and_nothing_is_stored(local: Local) -> None:
    writes = local.documents.writes
    with pytest.raises(InvalidInput) as caught:
        start_execution(local.platform, CALLER, Start("strict", {"n": "x"}))
    assert "invalidInputs" in caught.value.facts
    assert writes == local.documents.writes


def test_fifty_concurrent_starts_with_one_key_are_one_execution(local: Local) -> None:
    barrier = threading.Barrier(50)

    def start(_: int) -> str:
        barrier.wait()
        return str(start_execution(local.platform, CALLER, Start("flow", {"a": 1}, idempotency_key="k"))["id"])

    with ThreadPoolExecutor(50) as pool:
        found = set(pool.map(start, range(50)))
    assert (1, 1) == (len(found), len(local.orchestrator.started))


@pytest.mark.parametrize(
    "change",
    [{"input": {"a": 2}}, {"labels": {"x": "y"}}, {"version": "1.0.0"}, {"subject_key": "s"}, {"expect_hash": "HASH"}],
)
def test_a_key_that_comes_with_another_request_is_refused(local: Local, change: dict[str, Any]) -> None:
    first = Start("flow", {"a": 1}, idempotency_key="k")
    start_execution(local.platform, CALLER, first)
    with pytest.raises(IdempotencyMismatch):
        start_execution(local.platform, CALLER, replace(first, **change))


def hash_of(local: Local, name: str) -> str:
    return str(get_definition(local.platform, CALLER, "workflow", name)[0]["contentHash"])


def test_a_start_that_expects_another_version_is_refused_and_nothing_is_stored(local: Local) -> None:
    seen = hash_of(local, "flow")
    assert "running" == start_execution(local.platform, CALLER, Start("flow", {}, expect_hash=seen))["status"]
    local.publish(workflow("flow", [call("b")]))
    for start in (start_execution, dry_run):
        with pytest.raises(PreconditionFailed) as stale:
            start(local.platform, CALLER, Start("flow", {}, expect_hash=seen))
        assert {"contentHash": hash_of(local, "flow"), "version": "1.0.1", "revision": 2} == stale.value.facts
    old = start_execution(local.platform, CALLER, Start("flow", {}, version="r1", expect_hash=seen))
    assert (2, 1) == (len(local.orchestrator.started), old["revision"])


def test_a_start_is_repeated_by_its_key_whatever_was_published_since(local: Local) -> None:
    start = Start("flow", {}, expect_hash=hash_of(local, "flow"), idempotency_key="k")
    first = start_execution(local.platform, CALLER, start)["id"]
    local.publish(workflow("flow", [call("b")]))
    assert first == start_execution(local.platform, CALLER, start)["id"]


def test_a_key_belongs_to_its_tenant_and_workflow(local: Local) -> None:
    one = start_execution(local.platform, CALLER, Start("flow", {"n": 1}, idempotency_key="k"))["id"]
    two = start_execution(local.platform, CALLER, Start("strict", {"n": 1}, idempotency_key="k"))["id"]
    assert one != two
    with pytest.raises(NotFound):
        start_execution(local.platform, OTHER, Start("flow", {"n": 1}, idempotency_key="k"))


def test_a_key_that_no_header_could_carry_is_refused(local: Local) -> None:
    for key in ("", "é", "a b", "x" * 256):
        with pytest.raises(InvalidRequest):
            start_execution(local.platform, CALLER, Start("flow", {}, idempotency_key=key))


@pytest.mark.parametrize("faults", [[LOST], [VANISHED], [VANISHED, LOST]])
def test_a_start_whose_acknowledgement_is_lost_is_one_execution(local: Local, faults: list[Any]) -> None:
    body = start_execution(flaky(local, *faults), CALLER, Start("flow", {}, idempotency_key="k"))
    again = start_execution(local.platform, CALLER, Start("flow", {}, idempotency_key="k"))
    assert body["id"] == again["id"]
    assert 1 == len(local.orchestrator.started)


def test_a_start_that_the_store_never_takes_fails_and_nothing_was_started(local: Local) -> None:
    with pytest.raises(StoreUnavailable):
        start_execution(flaky(local, *[VANISHED] * 9), CALLER, Start("flow", {}))
    with pytest.raises(StoreUnavailable):
        start_execution(
            flaky(local, ("before", ConditionRefused("odd"))), CALLER, Start("flow", {}, idempotency_key="k")
        )
    assert [] == local.orchestrator.started


def test_an_actor_that_cannot_be_started_is_left_to_the_reconciler(local: Local) -> None:
    class Away:
        def begin(self, *_: Any, **__: Any) -> None:
            raise StoreUnavailable("away")

    body = start_execution(replace(local.platform, orchestrator=Away()), CALLER, Start("flow", {}))
    local.clock.skew += CHECK_GRACE_MS + 1
    assert Reconciled(1, 0, 1) == reconcile(local.platform)
    assert [("acme", body["id"])] == local.orchestrator.started


@pytest.mark.parametrize("count", [0, 1, 21, 22, 32])
def test_an_execution_is_found_by_each_of_its_labels_however_many(local: Local, count: int) -> None:
    labels = {f"l{n}": f"v{n}" for n in range(count)}
    body = start_execution(local.platform, CALLER, Start("flow", {}, labels=labels, idempotency_key="k"))
    assert {"team": "payments", **labels} == body["labels"]
    for key, value in labels.items():
        rows = local.documents.query(SCOPE, Table.HISTORY, label_partition("default", key, value)).rows
        assert [body["id"]] == [row.item.attrs["id"] for row in rows]


def test_a_large_input_is_stored_by_reference_before_the_log_refers_to_it(local: Local) -> None:
    body = start_execution(local.platform, CALLER, Start("flow", {"x": "y" * 70_000}))
    (event,) = local.events(body["id"])
    assert (True, "y" * 70_000) == (bool(event.input.blob), body["input"]["x"])


# reading


def test_a_finished_execution_tells_output_times_and_tasks() -> None:
    local = Local(Script({"b": [Failure("http", "503", "later", True), {"ok": 1}]}))
    retry = {"maxAttempts": 2, "interval": "1s", "jitter": "none"}
    execution = local.begin([call("a"), call("b", "a", retry=retry), call("c", condition="false")], parallelLimit=1)
    body = local.finish(execution)
    assert ("succeeded", {"b": {"ok": 1}}, True) == (body["status"], body["output"], body["durationMs"] >= 1000)
    b = body["tasks"]["b"]
    assert ("succeeded", 2, {"ok": 1}, [(1, "503")]) == (
        b["status"],
        b["attempts"],
        b["output"],
        [(f["attempt"], f["code"]) for f in b["failures"]],
    )
    assert {"reason": "condition_false", "origin": "c"} == body["tasks"]["c"]["skip"]
    assert (0, body["tasks"]["c"]["finishedAt"]) == (body["tasks"]["c"]["durationMs"], body["tasks"]["c"]["startedAt"])
    assert not {key for task in body["tasks"].values() for key in task if key.startswith("_")}


def test_a_failed_execution_tells_which_task_why_and_what_there_was_before() -> None:
    local = Local(Script({"b": [Failure("task", "odd", "it broke", False, hint="look", details={"at": 1})]}))
    body = local.finish(local.begin([call("a"), call("b", "a"), call("c", "b")]))
    assert ("failed", "b", "it broke", {"a": "a"}) == (
        body["status"],
        body["failedTask"],
        body["errorMessage"],
        body["partialOutput"],
    )
    told = {"kind": "task", "code": "odd", "message": "it broke", "retryable": False}
    assert {**told, "hint": "look", "details": {"at": 1}} == body["error"]
    assert {"reason": "upstream_failed", "origin": "b"} == body["tasks"]["c"]["skip"]


def test_a_parked_execution_tells_when_it_wakes_and_what_it_waits_for() -> None:
    local = Local(Script({"a": [Failure("http", "503", "later", True)]}))
    retry = {"maxAttempts": 2, "interval": "1h", "maxInterval": "1h", "jitter": "none"}
    execution = local.begin([call("a", retry=retry)])
    local.crash(execution, 5.0)
    body = local.read(execution)
    (scheduled,) = local.events(execution, ev.RetryScheduled)
    assert ("running", rfc3339(scheduled.due), "retrying", rfc3339(scheduled.due)) == (
        body["status"],
        body["wakeAt"],
        body["tasks"]["a"]["status"],
        body["tasks"]["a"]["retryAt"],
    )


def test_a_view_shows_parent_queue_and_degraded_results_and_passes_over_what_it_need_not_show() -> None:
    local = Local()
    execution = local.begin([call("a")])
    (started,) = local.events(execution)
    child = msgspec.structs.replace(started, parent=ev.Parent("p1", "loop[0]/x"))
    told = view(
        [
            child,
            ev.AttemptStarted(at=started.at + 5, path="a", attempt=1, queued_at=started.at, queued_why="parallelLimit"),
            ev.AttemptUnknown(at=started.at + 6, path="a", attempt=1),
            ev.TaskFinished(at=started.at + 7, path="a", status="succeeded", degraded=True),
            ev.ExecutionFinished(at=started.at + 8, status="cancelled"),
        ],
        lambda value: value.decoded(),
    )
    assert ({"execution": "p1", "path": "loop[0]/x"}, True, None) == (
        told["parent"],
        told["tasks"]["a"]["degraded"],
        told["tasks"]["a"]["output"],
    )
    assert {"since": rfc3339(started.at), "why": "parallelLimit"} == told["tasks"]["a"]["queued"]
    assert ("cancelled", None, None) == (told["errorMessage"], told["error"], told["failedTask"])
    with pytest.raises(Corrupt):
        view([], lambda value: value)


# events


def test_events_are_paged_by_position_and_the_last_page_says_so() -> None:
    local = Local()
    execution = local.begin([call("a"), call("b", "a")])
    local.finish(execution)
    found: list[Any] = []
    after = "-1"
    while True:
        page = execution_events(local.platform, CALLER, execution, after=after, limit=3, wait_ms=0)
        found.extend(page["items"])
        after = page["next"]
        if page["complete"]:
            break
    assert list(range(8)) == [item["position"] for item in found]
    assert ["ExecutionStarted", "AttemptStarted"] == [item["type"] for item in found[:2]]
    assert {("0", 1)} == {(item["stream"], item["schema"]) for item in found}
    assert ({}, "b") == (found[0]["input"]["inline"], found[-1]["output"]["inline"]["b"])
    assert rfc3339(found[0]["at"]) == found[0]["time"]


def test_a_reader_past_the_end_learns_that_nothing_follows() -> None:
    local = Local()
    execution = local.begin([call("a")])
    page = execution_events(local.platform, CALLER, execution, after="0", limit=9, wait_ms=0)
    assert ([], "0", False) == (page["items"], page["next"], page["complete"])
    local.finish(execution)
    page = execution_events(local.platform, CALLER, execution, after="4", limit=9, wait_ms=60_000)
    assert ([], "4", True) == (page["items"], page["next"], page["complete"])


def test_a_long_poll_ends_as_soon_as_something_is_there() -> None:
    local = Local()
    execution = local.begin([call("a")])
    timer = threading.Timer(0.15, lambda: local.drive(execution))
    timer.start()
    page = execution_events(local.platform, CALLER, execution, after="0", limit=9, wait_ms=60_000)
    timer.join()
    assert "AttemptStarted" == page["items"][0]["type"]
    assert "done" not in page


def test_a_large_value_is_shown_by_reference_and_user_keys_stay_as_they_are() -> None:
    local = Local(Script({"a": ["x" * 70_000]}))
    local.publish(workflow("flow", [call("a", input={"snake_key": 1})]))
    execution = local.start("flow", {"some_key": 1}, labels={"my_label": "x"})
    local.finish(execution)
    items = execution_events(local.platform, CALLER, execution, after="-1", limit=9, wait_ms=0)["items"]
    assert ({"some_key": 1}, "x") == (items[0]["input"]["inline"], items[0]["labels"]["my_label"])
    (finished,) = (item for item in items if item["type"] == "AttemptFinished")
    assert finished["output"]["ref"].startswith(f"execution/{execution}/value/")
    assert "inline" not in finished["output"]


# waiting, cancelling, signalling


def test_waiting_ends_with_the_execution_or_with_the_time_given() -> None:
    local = Local()
    execution = local.begin([call("a")])
    assert "running" == wait_execution(local.platform, CALLER, execution, wait_ms=20)["status"]
    timer = threading.Timer(0.1, lambda: local.drive(execution))
    timer.start()
    body = wait_execution(local.platform, CALLER, execution, wait_ms=60_000)
    timer.join()
    assert "succeeded" == body["status"]


def test_a_cancel_is_recorded_and_wakes_the_actor(local: Local) -> None:
    execution = local.start("flow")
    body = cancel_execution(local.platform, CALLER, execution, reason="r", message_id="m")
    assert ("running", [execution]) == (body["status"], local.orchestrator.woken)
    assert "cancelled" == local.finish(execution)["status"]
    (event,) = local.events(execution, ev.CancelRequested)
    assert ("r", "ann", "m") == (event.reason, event.principal, event.message)


def test_an_execution_that_has_ended_cannot_be_cancelled_and_takes_no_signal(local: Local) -> None:
    execution = local.start("flow")
    before = local.finish(execution)
    with pytest.raises(Conflict, match="has ended already") as caught:
        cancel_execution(local.platform, CALLER, execution, reason="late", message_id="m")
    assert ("succeeded", before["status"]) == (caught.value.facts["executionStatus"], "succeeded")
    with pytest.raises(Conflict, match="has ended"):
        signal_execution(local.platform, CALLER, execution, "go", payload=1, message_id="m")


def test_a_cancel_that_races_with_the_end_leaves_it_as_it_is(local: Local) -> None:
    execution = local.start("flow")

    class Racing(Flaky):
        def write(self, scope: Any, ops: Any) -> None:
            local.finish(execution)
            super().write(scope, ops)

    platform = replace(local.platform, documents=Racing(local.documents, []))
    with pytest.raises(Conflict, match="succeeded"):
        cancel_execution(platform, CALLER, execution, reason="", message_id="m")


def test_what_was_cancelled_can_be_cancelled_again(local: Local) -> None:
    execution = local.start("flow")
    cancel_execution(local.platform, CALLER, execution, reason="r", message_id="m")
    ended = local.finish(execution)
    assert ended == cancel_execution(local.platform, CALLER, execution, reason="again", message_id="n")


def test_a_signal_that_was_taken_may_be_sent_again_after_the_end(local: Local) -> None:
    execution = local.start("flow")
    told = signal_execution(local.platform, CALLER, execution, "go", payload=1, message_id="m")
    local.finish(execution)
    assert told == signal_execution(local.platform, CALLER, execution, "go", payload=1, message_id="m")
    with pytest.raises(Conflict, match="has ended"):
        signal_execution(local.platform, CALLER, execution, "go", payload=1, message_id="n")
    assert ["m"] == [event.message for event in local.events(execution, ev.SignalReceived)]


@pytest.mark.parametrize("faults", [[LOST], [VANISHED], [VANISHED, LOST]])
def test_a_signal_whose_acknowledgement_is_lost_is_history_once(local: Local, faults: list[Any]) -> None:
    execution = local.start("flow")
    told = signal_execution(flaky(local, *faults), CALLER, execution, "go", payload={"n": 1}, message_id="m")
    assert {"execution": execution, "signal": "go", "messageId": "m"} == told
    local.finish(execution)
    assert ["m"] == [event.message for event in local.events(execution, ev.SignalReceived)]


def test_a_signal_that_the_store_never_takes_is_not_acknowledged(local: Local) -> None:
    execution = local.start("flow")
    with pytest.raises(StoreUnavailable):
        signal_execution(flaky(local, *[VANISHED] * 9), CALLER, execution, "go", payload=1, message_id="m")


@pytest.mark.parametrize(("size", "taken"), [(65_534, True), (65_535, False)])
def test_a_signal_carries_at_most_64_kib(local: Local, size: int, taken: bool) -> None:
    execution = local.start("flow")
    if taken:
        signal_execution(local.platform, CALLER, execution, "go", payload="x" * size, message_id="m")
    else:
        with pytest.raises(TooLarge):
            signal_execution(local.platform, CALLER, execution, "go", payload="x" * size, message_id="m")


NOBODYS: dict[str, Callable[[Any, Any, str], Any]] = {
    "get": lambda p, c, e: get_execution(p, c, e),
    "events": lambda p, c, e: execution_events(p, c, e, after="-1", limit=1, wait_ms=0),
    "wait": lambda p, c, e: wait_execution(p, c, e, wait_ms=0),
    "cancel": lambda p, c, e: cancel_execution(p, c, e, reason="", message_id="m"),
    "signal": lambda p, c, e: signal_execution(p, c, e, "go", payload=1, message_id="m"),
}


@pytest.mark.parametrize("act", NOBODYS.values(), ids=NOBODYS)
def test_another_tenants_execution_and_one_that_never_was_are_not_found(local: Local, act: Any) -> None:
    execution = local.start("flow")
    for caller, identifier in ((OTHER, execution), (CALLER, "0" * 26)):
        with pytest.raises(NotFound):
            act(local.platform, caller, identifier)
    assert ({"ExecutionStarted"}, []) == (
        {type(event).__name__ for event in local.events(execution)},
        local.orchestrator.woken,
    )


# the reconciler


def test_an_execution_without_progress_is_started_again_once(local: Local) -> None:
    execution = local.start("flow")
    assert Reconciled(0, 0, 0) == reconcile(local.platform)
    local.clock.skew += CHECK_GRACE_MS + 1
    assert Reconciled(1, 0, 1) == reconcile(local.platform)
    assert Reconciled(0, 0, 0) == reconcile(local.platform)
    assert 2 == read_actor(local.documents, SCOPE, execution).generation  # type: ignore[union-attr]


def test_at_start_up_everything_unfinished_is_taken_up_and_nothing_else(local: Local) -> None:
    ended, open_ = local.start("flow"), local.start("flow")
    local.finish(ended)
    local.orchestrator.started.clear()
    assert Reconciled(1, 0, 1) == reconcile(local.platform, all_live=True)
    assert [("acme", open_)] == local.orchestrator.started


def test_a_parked_execution_with_a_message_it_has_not_seen_is_woken(local: Local) -> None:
    execution = local.start("flow")
    local.documents.write(SCOPE, [Update(actor_key(execution), set={"token": "t", "inboxSeq": 2, "seenSeq": 1})])
    local.clock.skew += CHECK_GRACE_MS + 1
    assert Reconciled(1, 1, 1) == reconcile(local.platform)
    assert [execution] == local.orchestrator.woken


def test_of_two_reconcilers_one_restarts(local: Local) -> None:
    execution = local.start("flow")
    local.clock.skew += CHECK_GRACE_MS + 1

    class Racing(Flaky):
        def write(self, scope: Any, ops: Any) -> None:
            self._inner.write(scope, [Update(actor_key(execution), set={"generation": 2})])
            super().write(scope, ops)

    platform = replace(local.platform, documents=Racing(local.documents, []))
    local.orchestrator.started.clear()
    assert (Reconciled(1, 0, 0), []) == (reconcile(platform), local.orchestrator.started)


def test_a_driver_that_holds_its_lease_is_left_alone(local: Local) -> None:
    local.script.answers["a"] = [NEVER]
    execution = local.start("flow")
    local.crash(execution, 1.0)
    assert Reconciled(0, 0, 0) == reconcile(local.platform)
    local.clock.skew += 30_000 + CHECK_GRACE_MS + 1
    assert Reconciled(1, 0, 1) == reconcile(local.platform)


# plans


def test_a_plan_is_compiled_once_per_content_and_the_used_ones_are_kept(local: Local) -> None:
    source = PlanSource(local.documents)
    (started,) = local.events(local.start("flow"))
    first = source(SCOPE, started)
    assert first is source(SCOPE, started)
    for number in range(140):
        local.publish(workflow(f"w{number}", [call("a", priority=number)]))
        source(SCOPE, local.events(local.start(f"w{number}"))[0])
    assert first is not source(SCOPE, started)


def test_a_pinned_version_that_is_gone_is_damage_that_names_it(local: Local) -> None:
    cut = {"type": "transform", "transform": [{"limit": 1}]}
    local.publish({**HEAD, "kind": "WorkflowTask", "metadata": {"name": "cut"}, "spec": cut})
    local.publish(workflow("user", [{"id": "a", "taskRef": "cut", "input": {"items": [1]}}]))
    (started,) = local.events(local.start("user"))
    assert ("a",) == PlanSource(local.documents)(SCOPE, started).leaves
    for kind, name in (("task", "cut"), ("workflow", "user")):
        rows = local.documents.query(SCOPE, Table.DEFINITIONS, item_key(kind, "default", name, "").partition).rows  # type: ignore[arg-type]
        local.documents.write(SCOPE, [Delete(row.item.key) for row in rows])
        with pytest.raises(Corrupt, match=f"{name}"):
            PlanSource(local.documents)(SCOPE, started)
