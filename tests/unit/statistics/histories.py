"""Logs of executions as they stand in a store, made from short descriptions, and what must be counted of them."""

from __future__ import annotations

from collections.abc import Sequence

from millrace.base.ids import make_id
from millrace.engine import events as ev
from millrace.engine.values import Value
from millrace.ports.documents import Documents, TenantScope
from millrace.store.runlog import Stamp, segment_puts
from millrace.store.statistics import Cell, Tally, read_cells

START = 1_767_225_600_000
MINUTE = START // 60_000
TENANT = TenantScope("acme")
NULL = Value(sha256="", size=4, inline=b"null")


def started(number: int, *, at: int = START, workflow: str = "shop", version: str = "1.0.0", mode: str = "live"):
    return ev.ExecutionStarted(
        at=at,
        tenant="acme",
        namespace="default",
        execution=make_id(START, "local", number),
        workflow=workflow,
        revision=1,
        version=version,
        content_hash="c",
        behaviour_hash="b",
        input=NULL,
        mode=mode,
    )


def attempt(path: str, at: int, number: int = 1) -> ev.AttemptStarted:
    return ev.AttemptStarted(at=START + at, path=path, attempt=number)


def ended(path: str, at: int, status: str = "succeeded", ready_at: int = 0) -> ev.TaskFinished:
    return ev.TaskFinished(at=START + at, path=path, status=status, ready_at=ready_at and START + ready_at)


def finished(at: int, status: str = "succeeded") -> ev.ExecutionFinished:
    return ev.ExecutionFinished(at=START + at, status=status)


def execution_of(segments: Sequence[Sequence[ev.Event]]) -> str:
    first = segments[0][0]
    assert isinstance(first, ev.ExecutionStarted)
    return first.execution


def append(documents: Documents, segments: Sequence[Sequence[ev.Event]], *, scope: TenantScope = TENANT) -> None:
    """Write a whole log, segment after segment."""
    position = 0
    for number, events in enumerate(segments):
        for put in segment_puts(execution_of(segments), position, events, Stamp("me", f"w{number}")):
            documents.write(scope, [put])
        position += len(events)


def stored(documents: Documents, workflow: str = "shop", *, scope: TenantScope = TENANT) -> dict[Cell, Tally]:
    """Every cell of a workflow."""
    return dict(read_cells(documents, scope, "default", workflow, first=0, last=10**9))
