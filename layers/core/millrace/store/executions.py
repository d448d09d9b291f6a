"""Executions as stored beside their log: the actor item, the summary item, the inbox.

The actor item says who runs an execution and how to wake it; the summary is what lists show; the inbox holds
messages that the driver has not yet made part of the log.
"""

from __future__ import annotations

import contextlib
import zlib
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, Final

import msgspec
from msgspec import Struct

from millrace.base.errors import ConditionRefused
from millrace.base.ids import root_of
from millrace.engine.events import ExecutionStarted
from millrace.ports.documents import (
    ABSENT,
    AnyOf,
    Attr,
    Check,
    Condition,
    Documents,
    Index,
    IndexKey,
    Item,
    Key,
    Put,
    Range,
    SystemScope,
    Table,
    TenantScope,
    Update,
)

LIVE_SHARDS: Final = 16
LIST_SHARDS: Final = 4
CHECK_GRACE_MS: Final = 30_000
"""How long after its lease or wake time an execution is looked at by the reconciler."""


def actor_key(execution: str) -> Key:
    return Key(Table.HISTORY, ("execution", execution), "actor")


def summary_key(execution: str) -> Key:
    return Key(Table.HISTORY, ("execution", execution), "summary")


def inbox_partition(execution: str) -> tuple[str, ...]:
    return ("inbox", execution)


def shard(execution: str, count: int) -> str:
    return str(zlib.crc32(execution.encode()) % count)


def live_index(execution: str, check_at: int) -> IndexKey:
    """Where the reconciler finds an execution from ``check_at`` (ms) on."""
    return IndexKey((shard(execution, LIVE_SHARDS),), f"{check_at:015d}#{execution}")


class Actor(Struct, frozen=True):
    """``lease_until`` and ``wake_at`` are ms; ``snapshot`` is the log position of the latest snapshot, 0 for none;
    ``closing`` says that the inbox takes no more, because the execution is about to end; ``void`` that it was told to
    stop before it had begun, and never begins; ``restarts`` counts how often the reconciler has restarted it since a
    driver last had hold of it."""

    generation: int = 1
    owner: str = ""
    lease_until: int = 0
    inbox_seq: int = 0
    seen_seq: int = 0
    park_id: str = ""
    token: str = ""
    wake_at: int = 0
    snapshot: int = 0
    done: bool = False
    closing: bool = False
    stalled: str = ""
    void: bool = False
    restarts: int = 0


def read_actor(documents: Documents, scope: TenantScope, execution: str) -> Actor | None:
    item = documents.get(scope, actor_key(execution))
    return None if item is None else actor_of(item)


def actor_of(item: Item) -> Actor:
    attrs: Mapping[str, Any] = item.attrs
    return Actor(
        generation=attrs.get("generation", 1),
        owner=attrs.get("owner", ""),
        lease_until=attrs.get("leaseUntil", 0),
        inbox_seq=attrs.get("inboxSeq", 0),
        seen_seq=attrs.get("seenSeq", 0),
        park_id=attrs.get("parkId", ""),
        token=attrs.get("token", ""),
        wake_at=attrs.get("wakeAt", 0),
        snapshot=attrs.get("snapshot", 0),
        done=attrs.get("done", False),
        closing=attrs.get("closing", False),
        stalled=attrs.get("stalled", ""),
        void=attrs.get("void", False),
        restarts=attrs.get("restarts", 0),
    )


def new_actor(execution: str, now: int) -> Put:
    """The actor item of a fresh execution: nobody runs it, and the reconciler looks at it soon."""
    item = Item(
        key=actor_key(execution),
        attrs={"generation": 1, "inboxSeq": 0, "seenSeq": 0},
        indexes={Index.LIVE: live_index(execution, now + CHECK_GRACE_MS)},
    )
    return Put(item, when=ABSENT)


def lease_condition(owner: str, now: int, *, exclusive: bool = False) -> tuple[Condition, ...]:
    """On an actor item: nobody else holds the lease at ``now`` (ms). Leases of others are void in a store that is one
    process's own (``exclusive``)."""
    if exclusive:
        return (Check("exists"),)
    free = AnyOf((Check("missing", "owner"), Check("eq", "owner", owner), Check("le", "leaseUntil", now)))
    return (Check("exists"), free)


VOID_KEPT_MS: Final = 30 * 24 * 3600 * 1000
"""How long the place of an execution that never began is kept: whoever was to begin it may have stood still so long."""


def void_actor(execution: str, now: int) -> Put:
    """What is written at ``now`` (ms) where an execution was told to stop that does not exist yet: since its first
    write asks for the same place, it never will."""
    item = Item(key=actor_key(execution), attrs={"void": True, "done": True}, expires_at=(now + VOID_KEPT_MS) // 1000)
    return Put(item, when=ABSENT)


def month(at: int) -> str:
    return datetime.fromtimestamp(at / 1000, UTC).strftime("%Y%m")


def by_start(at: int, execution: str) -> str:
    return f"{at:015d}#{execution}"


def new_summary(started: ExecutionStarted, *, expires_at: int | None = None) -> Put:
    """The summary item and every index of a fresh execution."""
    sort = by_start(started.at, started.execution)
    namespace, trigger = started.namespace, started.trigger
    indexes: dict[Index, IndexKey] = {
        Index.LIST: IndexKey((namespace, month(started.at), shard(started.execution, LIST_SHARDS)), sort),
        Index.WORKFLOW: IndexKey((namespace, started.workflow), sort),
        **_status_indexes(namespace, started.workflow, started.version, "running", sort),
    }
    if started.subject_key:
        indexes[Index.SUBJECT] = IndexKey((namespace, started.subject_key), sort)
    if trigger.get("id"):
        indexes[Index.TRIGGER] = IndexKey((namespace, str(trigger["id"])), sort)
    origin = started.replay_of or started.fork_of
    if origin is not None:
        indexes[Index.ORIGIN] = IndexKey((namespace, origin.execution), sort)
    attrs: dict[str, Attr] = {
        "id": started.execution,
        "namespace": namespace,
        "workflow": started.workflow,
        "revision": started.revision,
        "version": started.version,
        "contentHash": started.content_hash,
        "status": "running",
        "startedAt": started.at,
        "principal": started.principal,
        "triggerKind": str(trigger.get("kind", "")),
        "labels": dict(started.labels),
        "mode": started.mode,
        "position": 1,
    }
    return Put(
        Item(key=summary_key(started.execution), attrs=attrs, indexes=indexes, expires_at=expires_at), when=ABSENT
    )


def label_puts(started: ExecutionStarted) -> list[Put]:
    """One index item per label, so that executions are found by label in order of start."""
    sort = by_start(started.at, started.execution)
    return [
        Put(Item(Key(Table.HISTORY, label_partition(started.namespace, key, value), sort), {"id": started.execution}))
        for key, value in started.labels.items()
    ]


def label_partition(namespace: str, key: str, value: str) -> tuple[str, ...]:
    return "label", namespace, key, value


def _status_indexes(namespace: str, workflow: str, version: str, status: str, sort: str) -> dict[Index, IndexKey]:
    return {
        Index.STATUS: IndexKey((namespace, workflow, version, status), sort),
        Index.STATE: IndexKey((namespace, status), sort),
    }


def finish_summary(
    started: ExecutionStarted, *, status: str, at: int, position: int, facts: Mapping[str, Attr]
) -> Update:
    """The summary's change at the end of an execution; ``position`` is the length of the log."""
    return Update(
        summary_key(started.execution),
        set={
            "status": status,
            "finishedAt": at,
            "durationMs": at - started.at,
            "position": position,
            **facts,
        },
        indexes=dict(
            _status_indexes(
                started.namespace, started.workflow, started.version, status, by_start(started.at, started.execution)
            )
        ),
    )


class Message(Struct, frozen=True):
    """A message to an execution: ``kind`` is cancel, signal, decision, pause, resume, child (the end of one that it has
    started), slot (it has a place now), lane (how far a part of a loop has come) or close (begin no further iteration);
    ``id`` makes a repeated send harmless; ``name`` is the signal's name or the path of the task."""

    id: str
    kind: str
    name: str = ""
    payload: Any = None
    reason: str = ""
    principal: str = ""
    at: int = 0
    decision: str = ""


def message_puts(execution: str, message: Message, now: int) -> list[Put | Update]:
    """The two writes of one send at ``now`` (ms): the message if its id is new, and the count that tells the driver.
    The reconciler looks soon, in case whoever should be woken is not."""
    body = msgspec.json.encode(message)
    put = Put(Item(Key(Table.HISTORY, inbox_partition(execution), message.id), {"body": body}), when=ABSENT)
    open_ = (Check("exists"), Check("missing", "done"), Check("missing", "closing"))
    soon = {Index.LIVE: live_index(execution, now + CHECK_GRACE_MS)}
    count = Update(actor_key(execution), add={"inboxSeq": 1}, indexes=soon, when=open_)
    return [put, count]


def message_of(item: Item) -> Message:
    body = item.attrs["body"]
    assert isinstance(body, bytes)  # written above
    return msgspec.json.decode(body, type=Message)


STALLED_CHECK_MS: Final = 3_600_000
"""How often the reconciler tries an execution again that only somebody's help can mend."""
PASSING_CHECK_MS: Final = 300_000
"""How often it tries one again where what holds it up passes by itself, as when the store or the functions are away."""


def mark_stalled(
    documents: Documents, scope: TenantScope, execution: str, cause: str, now: int, *, passing: bool = False
) -> None:
    """Give an execution that cannot go on its sign: on the actor item, and in lists. Harmless when it has ended."""
    actor = Update(
        actor_key(execution),
        set={"stalled": cause[:1000]},
        remove=("owner", "leaseUntil"),
        indexes={Index.LIVE: live_index(execution, now + (PASSING_CHECK_MS if passing else STALLED_CHECK_MS))},
        when=(Check("exists"), Check("missing", "done")),
    )
    with contextlib.suppress(ConditionRefused):
        documents.write(scope, [actor])
    listed = root_of(execution)  # an execution stands still with its lane
    item = documents.get(scope, summary_key(listed))
    if item is None:
        return
    attrs: Mapping[str, Any] = item.attrs
    sort = by_start(attrs["startedAt"], listed)
    summary = Update(
        summary_key(listed),
        set={"status": "stalled", "errorMessage": cause[:1000]},
        indexes=dict(_status_indexes(attrs["namespace"], attrs["workflow"], attrs["version"], "stalled", sort)),
        when=(Check("eq", "status", "running"),),
    )
    with contextlib.suppress(ConditionRefused):
        documents.write(scope, [summary])


def live_executions(
    documents: Documents, *, until: int, shards: Iterable[int] = range(LIVE_SHARDS)
) -> Iterator[tuple[TenantScope, str, Actor]]:
    """Every unfinished execution that is to be looked at by ``until`` (ms), of every tenant."""
    for number in shards:
        cursor = None
        while True:
            page = documents.query_index(
                SystemScope(),
                Table.HISTORY,
                Index.LIVE,
                (str(number),),
                within=Range(last=f"{until:015d}$"),
                cursor=cursor,
            )
            for row in page.rows:
                yield TenantScope(row.tenant), row.item.key.partition[1], actor_of(row.item)
            cursor = page.cursor
            if cursor is None:
                break
