"""Executions as stored beside their log: actor, summary, inbox, and the signs of a stall."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from millrace.adapters.memory import MemoryDocuments
from millrace.base.errors import ConditionRefused
from millrace.engine.events import ExecutionStarted, Source
from millrace.engine.values import inline_value
from millrace.ports.documents import Index, Table, TenantScope, Update
from millrace.store.executions import (
    CHECK_GRACE_MS,
    Actor,
    Message,
    actor_key,
    finish_summary,
    inbox_partition,
    label_puts,
    live_executions,
    live_index,
    mark_stalled,
    message_of,
    message_puts,
    month,
    new_actor,
    new_summary,
    read_actor,
    summary_key,
)

SCOPE = TenantScope("acme")
AT = 1_767_225_600_000
STARTED = ExecutionStarted(
    at=AT,
    tenant="acme",
    namespace="default",
    execution="01x",
    workflow="flow",
    revision=3,
    version="1.2.0",
    content_hash="c",
    behaviour_hash="b",
    input=inline_value({}),
    principal="ann",
    trigger={"kind": "api", "id": "t1"},
    subject_key="s1",
    labels={"k": "v"},
    replay_of=Source("00r", 4),
)


def made(started: ExecutionStarted = STARTED) -> MemoryDocuments:
    documents = MemoryDocuments()
    documents.write(SCOPE, [new_actor(started.execution, started.at), new_summary(started), *label_puts(started)])
    return documents


def listed(documents: MemoryDocuments, index: Index, *partition: str) -> list[str]:
    rows = documents.query_index(SCOPE, Table.HISTORY, index, partition).rows
    return [str(row.item.attrs["id"]) for row in rows]


def test_a_fresh_execution_has_an_actor_nobody_holds() -> None:
    documents = made()
    assert Actor() == read_actor(documents, SCOPE, "01x")
    assert read_actor(documents, SCOPE, "02x") is None
    assert read_actor(documents, TenantScope("other"), "01x") is None


def test_an_actor_of_which_nothing_is_stored_has_nothing_seen_and_nothing_due() -> None:
    documents = MemoryDocuments()
    documents.write(SCOPE, [Update(actor_key("01x"), set={"other": 1})])
    assert Actor() == read_actor(documents, SCOPE, "01x")
    assert (1, 0, 0, 0, 0, 0) == tuple(
        getattr(Actor(), name) for name in ("generation", "lease_until", "inbox_seq", "seen_seq", "wake_at", "snapshot")
    )


def test_a_fresh_execution_is_listed_as_running_with_one_event_and_no_end() -> None:
    item = made().get(SCOPE, summary_key("01x"))
    assert item is not None
    assert {
        "id": "01x",
        "namespace": "default",
        "workflow": "flow",
        "revision": 3,
        "version": "1.2.0",
        "contentHash": "c",
        "status": "running",
        "startedAt": AT,
        "principal": "ann",
        "triggerKind": "api",
        "labels": {"k": "v"},
        "mode": STARTED.mode,
        "position": 1,
    } == item.attrs


def test_a_fresh_execution_is_in_every_index_it_has_a_key_for() -> None:
    documents = made()
    assert [["01x"]] * 6 == [
        listed(documents, Index.WORKFLOW, "default", "flow"),
        listed(documents, Index.STATUS, "default", "flow", "1.2.0", "running"),
        listed(documents, Index.STATE, "default", "running"),
        listed(documents, Index.SUBJECT, "default", "s1"),
        listed(documents, Index.TRIGGER, "default", "t1"),
        listed(documents, Index.ORIGIN, "default", "00r"),
    ]
    bare = made(replace_started(subject_key="", trigger={"kind": "api"}, replay_of=None))
    assert [[], [], []] == [
        listed(bare, Index.SUBJECT, "default", "s1"),
        listed(bare, Index.TRIGGER, "default", "t1"),
        listed(bare, Index.ORIGIN, "default", "00r"),
    ]
    fork = made(replace_started(replay_of=None, fork_of=Source("00f", 1)))
    assert ["01x"] == listed(fork, Index.ORIGIN, "default", "00f")


def replace_started(**changes: object) -> ExecutionStarted:
    return msgspec.structs.replace(STARTED, **changes)


def test_the_end_moves_the_summary_to_its_new_status() -> None:
    documents = made()
    documents.write(
        SCOPE, [finish_summary(STARTED, status="failed", at=AT + 70, position=9, facts={"errorMessage": "e"})]
    )
    assert [[], ["01x"]] == [listed(documents, Index.STATE, "default", status) for status in ("running", "failed")]
    item = documents.get(SCOPE, summary_key("01x"))
    assert item is not None
    assert ("failed", AT + 70, 70, 9, "e") == tuple(
        item.attrs[name] for name in ("status", "finishedAt", "durationMs", "position", "errorMessage")
    )


def test_a_stalled_execution_has_a_sign_on_its_actor_and_in_lists_and_is_looked_at_again() -> None:
    documents = made()
    documents.write(SCOPE, [Update(actor_key("01x"), set={"owner": "d", "leaseUntil": 5})])
    mark_stalled(documents, SCOPE, "01x", "why " * 1000, AT)
    actor = read_actor(documents, SCOPE, "01x")
    assert actor is not None
    assert ("", 1000, False) == (actor.owner, len(actor.stalled), actor.done)
    assert [["01x"], []] == [listed(documents, Index.STATE, "default", status) for status in ("stalled", "running")]
    assert [[], ["01x"]] == [
        [execution for _, execution, _ in live_executions(documents, until=AT + hours * 3_600_000)] for hours in (0, 1)
    ]


def test_an_execution_that_has_ended_or_never_was_cannot_stall() -> None:
    documents = made()
    documents.write(SCOPE, [Update(actor_key("01x"), set={"done": True})])
    documents.write(SCOPE, [finish_summary(STARTED, status="succeeded", at=AT, position=2, facts={})])
    mark_stalled(documents, SCOPE, "01x", "why", AT)
    mark_stalled(documents, SCOPE, "nowhere", "why", AT)
    assert ["01x"] == listed(documents, Index.STATE, "default", "succeeded")
    assert "" == read_actor(documents, SCOPE, "01x").stalled  # type: ignore[union-attr]
    assert read_actor(documents, SCOPE, "nowhere") is None


def test_a_message_is_stored_and_counted_together_and_once() -> None:
    documents = made()
    message = Message("m1", "signal", name="go", payload={"n": 1}, principal="ann", at=5)
    documents.write(SCOPE, message_puts("01x", message, 5))
    with pytest.raises(ConditionRefused):
        documents.write(SCOPE, message_puts("01x", message, 5))
    (row,) = documents.query(SCOPE, Table.HISTORY, inbox_partition("01x")).rows
    assert (message, 1) == (message_of(row.item), read_actor(documents, SCOPE, "01x").inbox_seq)  # type: ignore[union-attr]


def test_an_execution_with_a_new_message_is_looked_at_soon() -> None:
    documents = made()
    later = {Index.LIVE: live_index("01x", 10**14)}
    documents.write(SCOPE, [Update(actor_key("01x"), set={"token": "t"}, indexes=later)])
    assert [] == list(live_executions(documents, until=AT + CHECK_GRACE_MS))
    documents.write(SCOPE, message_puts("01x", Message("m1", "signal", name="go"), AT))
    assert ["01x"] == [name for _, name, _ in live_executions(documents, until=AT + CHECK_GRACE_MS)]


@pytest.mark.parametrize("state", ["ended", "absent"])
def test_no_message_is_taken_for_an_execution_that_has_ended_or_is_not_there(state: str) -> None:
    documents = made()
    documents.write(SCOPE, [Update(actor_key("01x"), set={"done": True})])
    with pytest.raises(ConditionRefused):
        documents.write(SCOPE, message_puts("01x" if state == "ended" else "02x", Message("m", "cancel"), 5))


def test_live_executions_of_every_tenant_are_found_by_their_time() -> None:
    documents = MemoryDocuments()
    for number in range(300):
        scope = TenantScope(f"tenant-{number % 3}")
        update = Update(
            actor_key(f"x{number}"), set={"generation": 1}, indexes={Index.LIVE: live_index(f"x{number}", number)}
        )
        documents.write(scope, [update])
    found = [(scope.tenant, execution) for scope, execution, _ in live_executions(documents, until=199)]
    assert {(f"tenant-{n % 3}", f"x{n}") for n in range(200)} == set(found)
    assert 200 == len(found)


def test_the_list_of_a_month_has_four_shards() -> None:
    every = [new_summary(replace_started(execution=f"x{number}")) for number in range(200)]
    assert {("default", "202601", str(number)) for number in range(4)} == {
        put.item.indexes[Index.LIST].partition  # type: ignore[union-attr]
        for put in every
    }


def test_the_live_index_has_the_sixteen_shards_that_stored_executions_lie_in_and_all_of_them_are_read() -> None:
    asked: list[str] = []

    class Noting(MemoryDocuments):
        def query_index(self, scope: Any, table: Table, index: Index, partition: Any, **more: Any) -> Any:
            asked.append(*partition)
            return super().query_index(scope, table, index, partition, **more)

    every = {str(number) for number in range(16)}
    assert every == {live_index(f"x{number}", 0).partition[0] for number in range(1_000)}
    assert [] == list(live_executions(Noting(), until=AT))
    assert sorted(every) == sorted(asked)


@pytest.mark.parametrize(
    ("at", "expected"), [(0, "197001"), (AT, "202601"), (AT - 1, "202512"), (1_709_251_199_999, "202402")]
)
def test_a_month_is_that_of_utc(at: int, expected: str) -> None:
    assert expected == month(at)


def test_an_actor_is_read_with_every_field() -> None:
    documents = made()
    full = Actor(2, "d", 3, 4, 5, "p", "t", 6, 7, True, True, "s", True, 8)
    names = [
        "generation",
        "owner",
        "leaseUntil",
        "inboxSeq",
        "seenSeq",
        "parkId",
        "token",
        "wakeAt",
        "snapshot",
        "done",
        "closing",
        "stalled",
        "void",
        "restarts",
    ]
    values = [getattr(full, field) for field in Actor.__struct_fields__]
    documents.write(SCOPE, [Update(actor_key("01x"), set=dict(zip(names, values, strict=True)))])
    assert full == read_actor(documents, SCOPE, "01x")
    assert full != replace(full, generation=1)
