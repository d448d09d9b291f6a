"""Events of what is made of tasks: scopes inside an execution, executions that it starts, and what follows its end."""

from __future__ import annotations

from millrace.engine.facts import Event, Failure
from millrace.engine.values import Value


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
