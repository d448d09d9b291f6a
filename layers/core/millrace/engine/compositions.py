"""Events of what is made of tasks: scopes inside an execution, executions that it starts, and what follows its end."""

from __future__ import annotations

import msgspec

from millrace.engine.facts import Event, Failure, SlotPool
from millrace.engine.values import Value


class Lane(msgspec.Struct, frozen=True, omit_defaults=True):
    """A part of a large loop that runs with a log of its own."""

    path: str
    """The loop."""
    first: int
    """The position of its first item among all."""
    step: int
    """How far its items lie apart."""
    count: int
    """How many items it has."""
    window: int
    """How many of them are under way at once."""
    items: Value
    """The items."""
    spare: int = 0
    """How many of its iterations may fail before it tells."""
    outer: Value | None = None
    """What is read inside of the tasks and names around the loop."""


class LaneReport(msgspec.Struct, frozen=True, omit_defaults=True):
    """How far a lane has come."""

    failures: int = 0
    """How many of its iterations have failed."""
    failed: tuple[int, ...] = ()
    """The first of them."""
    path: str = ""
    """The task that failed in the first of them."""
    failure: Failure | None = None
    """Why it failed."""
    tally: dict[str, int] = {}
    """How many of its tasks came to what end, and their attempts."""


class ScopeOpened(Event, frozen=True, kw_only=True):
    """A task begins to run tasks of its own: a case, an iteration per item, generated tasks, a fallback."""

    path: str
    """The task."""
    kind: str
    """switch, forEach, generate or fallback."""
    branch: str = ""
    """The case of a switch: its position, or default."""
    count: int = 1
    """How many iterations there will be."""
    items: Value | None = None
    """What a forEach goes through."""
    tasks: Value | None = None
    """The tasks that were generated, as documents."""
    failure: Failure | None = None
    """What a fallback stands in for."""
    input: Value | None = None
    """The rendered input."""
    task_type: str = ""
    """The type of the task."""
    task_hash: str = ""
    """The hash of the task as resolved."""
    effect: str = ""
    """The effect class of the task itself."""
    ready_at: int = 0
    """When its dependencies were done (ms)."""
    lanes: int = 0
    """How many parts with a log of their own go through the items; 0 where the execution does so itself."""
    window: int = 0
    """How many items of each part are under way at once."""
    stream: int = 0
    """The log of the first part; those of the others follow."""
    outer: Value | None = None
    """What is read inside of the tasks and names around the loop."""


class LanesStarted(Event, frozen=True, kw_only=True):
    """The parts of a large loop are there, and run."""

    path: str
    """The loop."""


class LanesTold(Event, frozen=True, kw_only=True):
    """The parts of a large loop have been told how to go on."""

    path: str
    """The loop."""
    stance: str
    """run, pause, close (begin no further item) or cancel."""
    void: tuple[int, ...] = ()
    """The logs of those that were not there yet when they were told to cancel, and never begin."""


class LaneReported(Event, frozen=True, kw_only=True):
    """A part of a large loop tells that it is over, or how many of its iterations have failed so far."""

    path: str
    """The loop."""
    lane: int
    """Which part, from 0."""
    stream: int
    """Its log."""
    message: str
    """The id of the message; a repeated one changes nothing."""
    status: str
    """running, succeeded, failed or cancelled."""
    report: LaneReport = LaneReport()
    """How far it has come."""
    output: Value | None = None
    """The entries of its items, in order."""
    failure: Failure | None = None
    """Why it could not go through them."""


class FailuresReported(Event, frozen=True, kw_only=True):
    """In the log of a part: the execution knows how many of its iterations have failed."""

    failures: int
    """How many."""


class CloseRequested(Event, frozen=True, kw_only=True):
    """In the log of a part: no further iteration is to begin."""

    message: str
    """The id of the message; a repeated one changes nothing."""


class ChildStarted(Event, frozen=True, kw_only=True):
    """The execution that a task starts exists."""

    path: str
    """The task."""
    child: str
    """Its id."""
    workflow: str = ""
    """The workflow it runs."""
    revision: int = 0
    """The revision it runs."""
    version: str = ""
    """The label of that revision."""
    content_hash: str = ""
    """The content hash of that revision."""


class ChildFinished(Event, frozen=True, kw_only=True):
    """What became of the execution that a task started."""

    path: str
    """The task."""
    child: str
    """Its id; empty when it could not be started."""
    status: str
    """succeeded, failed, cancelled or timedOut."""
    message: str = ""
    """The id of the message; a repeated one changes nothing."""
    output: Value | None = None
    """Its output."""
    failure: Failure | None = None
    """Why it did not succeed."""


class ChildCancelled(Event, frozen=True, kw_only=True):
    """The execution that a task started has been told to stop."""

    path: str
    """The task."""
    child: str
    """Its id."""


class OutcomeDecided(Event, frozen=True, kw_only=True):
    """What came of the tasks. The handlers at the end follow, and the execution above is told, before the execution
    has finished."""

    status: str
    """succeeded, failed, cancelled or timedOut."""
    output: Value | None = None
    """The output of the workflow."""
    failure: Failure | None = None
    """Why it did not succeed."""
    failed_task: str = ""
    """The task that decided it."""


class ParentNotified(Event, frozen=True, kw_only=True):
    """The execution above has the result in its inbox, or is over."""

    status: str
    """The status that it was told."""


class SlotRequested(Event, frozen=True, kw_only=True):
    """A task, or with an empty path the execution, wants a place under a concurrency key."""

    path: str
    """The task; empty for the execution itself."""
    key: str
    """What is limited."""
    limit: int
    """How many places there are."""
    on_limit: str = "queue"
    """queue, cancel or fail."""
    pool: SlotPool | None = None
    """The pool that it is taken from, and what the key may claim of it."""


class SlotGranted(Event, frozen=True, kw_only=True):
    """It holds the place, or shares that of what it stands in."""

    path: str
    """The task; empty for the execution itself."""
    key: str
    """What is limited."""
    shared: bool = False
    """Whether somebody around holds it."""
    message: str = ""
    """The id of the message that said so; a repeated one changes nothing."""


class SlotDenied(Event, frozen=True, kw_only=True):
    """No place is free, and it does not wait for one."""

    path: str
    """The task; empty for the execution itself."""
    key: str
    """What is limited."""


class SlotReleased(Event, frozen=True, kw_only=True):
    """The place is free for somebody else."""

    path: str
    """The task; empty for the execution itself."""
    key: str
    """What is limited."""
