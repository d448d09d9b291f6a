"""State: what the events so far amount to. One mutable accumulator, owned by one fold.

Everything `decide` needs in constant time per task stands here ready: dependency counters, a heap of ready tasks,
ended attempts, due retries, deadlines. Tops of heaps are always valid; entries below may be stale and are judged by
the task's status.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from millrace.engine.events import (
    CancelRequested,
    ExecutionFinished,
    ExecutionStarted,
    Failure,
    OutcomeDecided,
    Skip,
    Slot,
)
from millrace.engine.frames import Frame, Opened
from millrace.engine.plan import Node, Plan
from millrace.engine.values import Value
from millrace.spec.models import ON_FAILURE

PENDING: Final = "pending"
READY: Final = "ready"
RUNNING: Final = "running"
ENDED: Final = "ended"  # the attempt has a result that `decide` has not judged yet
RETRYING: Final = "retrying"
WAITING: Final = "waiting"
QUEUED: Final = "queued"  # it waits for a place under its concurrency key
OPEN: Final = "open"  # it runs tasks of its own
SUCCEEDED: Final = "succeeded"
FAILED: Final = "failed"
SKIPPED: Final = "skipped"
CANCELLED: Final = "cancelled"
DONE: Final = frozenset({SUCCEEDED, FAILED, SKIPPED, CANCELLED})

INDEX_BITS: Final = 20
INDEX_MASK: Final = (1 << INDEX_BITS) - 1
INPUT: Final = "$input"
"""The key of the execution input among unresolved values; no task id begins with a dollar sign."""
OUTER: Final = "$outer"
"""The key of what a lane sees of what is around its loop."""
ITEMS: Final = "$items"
"""What the key of a loop's items ends with, after the path of the loop."""


class Signal(msgspec.Struct, frozen=True):
    """A signal that no wait has taken yet; ``at`` in ms."""

    id: str
    payload: Value
    at: int


class Decision(msgspec.Struct, frozen=True, omit_defaults=True):
    """What one person decided about an approval; ``at`` in ms."""

    principal: str
    decision: str
    at: int
    comment: str = ""
    form: Value | None = None


class Waiting(msgspec.Struct, omit_defaults=True):
    """What a task waits for; ``decisions`` are the latest of each person, in order. ``child`` is the execution it
    waits for, ``started`` whether that exists, ``cancelled`` whether it has been told to stop."""

    kind: str
    due: int | None = None
    signal: str = ""
    decisions: list[Decision] = []
    child: str = ""
    started: bool = False
    cancelled: bool = False


class TaskState(msgspec.Struct, omit_defaults=True):
    """Times are ms; ``queued`` says that no room was left when the task became ready, ``ready_position`` where in the
    log that was; ``remaining`` counts dependencies not done yet; ``unknowns`` how often a started attempt was
    found without a result; ``started_at`` is the first attempt's start; ``fallen`` says that its fallback has begun;
    ``no_retry`` why the last attempt may not be followed by another."""

    remaining: int = 0
    status: str = PENDING
    attempt: int = 0
    unknowns: int = 0
    unknown: bool = False
    queued: bool = False
    ready_at: int = 0
    started_at: int = 0
    attempt_started_at: int = 0
    finished_at: int = 0
    due: int = 0
    input: Value | None = None
    config: Value | None = None
    output: Value | None = None
    failure: Failure | None = None
    skip: Skip | None = None
    degraded: bool = False
    ready_position: int = 0
    no_retry: str = ""
    wait: Waiting | None = None
    fallen: bool = False
    slot: Slot | None = None


GONE: Final = TaskState(status=SUCCEEDED)
"""What stands for every task of a body that is over: what is left in heaps about it is stale."""


class State:
    """``tasks``, ``nodes`` and ``frames`` are parallel: a task instance has one index for ever, in the order of
    creation; ``index`` finds it by its path. The workflow's own tasks come first, in ``root``; those of inner bodies
    follow when their frame is opened, by the scope that ``opened`` holds under the index of the task around them.

    ``filled`` is the position of the latest start that took the last room; ``waiting`` are the tasks that a message
    can wake, ``waits`` a heap of (due, task); ``children`` are the tasks whose execution is still to be started.
    ``unresolved`` holds values whose content lies in the blob store, by task path; ``contents`` hands over content that
    is at hand already, by hash. ``outcome`` says what came of the tasks once that is decided; then ``handlers`` runs,
    and ``handled`` says that nothing of it is left, ``mishap`` what failed in it first. ``tally`` counts what became
    of the tasks that are gone, and their attempts; ``promised`` are those that open scopes have still to begin.
    ``slot`` is the place of the execution itself; ``wanted`` are the places that are to be taken, ``releases`` those
    to be given up, by task path. ``spread`` are the open loops that run in lanes, ``streams`` how many logs these have
    taken so far; ``reported`` is how many failures the execution knows of this lane."""

    __slots__ = (
        "abort",
        "cancel",
        "children",
        "contents",
        "deadlines",
        "ended",
        "filled",
        "finished",
        "frames",
        "handled",
        "handlers",
        "index",
        "mishap",
        "nodes",
        "notified",
        "opened",
        "outcome",
        "paused",
        "plan",
        "position",
        "promised",
        "ready",
        "releases",
        "reported",
        "retries",
        "root",
        "running",
        "seen",
        "signals",
        "slot",
        "spread",
        "started",
        "streams",
        "tally",
        "tasks",
        "unresolved",
        "waiting",
        "waits",
        "wanted",
    )

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.position = 0
        self.started: ExecutionStarted | None = None
        self.finished: ExecutionFinished | None = None
        self.cancel: CancelRequested | None = None
        self.outcome: OutcomeDecided | None = None
        self.abort = False
        self.notified = False
        self.tasks = [TaskState(remaining=len(node.needs)) for node in plan.nodes]
        self.nodes: list[Node] = list(plan.nodes)
        self.root = Frame(plan, prefix="", owner=-1, slot=0, base=0, parent=None)
        self.frames: list[Frame] = [self.root] * len(plan.nodes)
        self.index: dict[str, int] = dict(plan.index)
        self.opened: dict[int, Opened] = {}
        self.handlers: Frame | None = None
        self.handled = False
        self.mishap: tuple[str, Failure | None] | None = None
        self.ready: list[int] = []
        self.ended: dict[int, None] = {}
        self.retries: list[tuple[int, int]] = []
        self.deadlines: list[tuple[int, int]] = []
        self.running = 0
        self.filled = -1
        self.seen: set[str] = set()
        self.signals: dict[str, list[Signal]] = {}
        self.waiting: dict[int, None] = {}
        self.waits: list[tuple[int, int]] = []
        self.children: dict[int, None] = {}
        self.paused = False
        self.unresolved: dict[str, Value] = {}
        self.contents: dict[str, Any] = {}
        self.tally: dict[str, int] = {}
        self.promised = 0
        self.slot: Slot | None = None
        self.wanted: dict[str, Slot] = {}
        self.releases: dict[str, Slot] = {}
        self.spread: dict[int, None] = {}
        self.streams = 0
        self.reported = 0

    @property
    def open(self) -> int:
        """How many of the workflow's own tasks are not done."""
        return self.root.open

    @property
    def failed(self) -> int | None:
        """The first of the workflow's own tasks that failed and may not."""
        return self.root.failed

    @property
    def view(self) -> dict[str, dict[str, Any]]:
        """What they see under ``tasks``."""
        return self.root.view

    def at(self, path: str) -> int | None:
        """The index of a task; None for one of a body that is over. Raises KeyError for one that never was."""
        found = self.index.get(path)
        if found is None and "/" not in path and path != ON_FAILURE:
            raise KeyError(path)
        return found

    def path(self, index: int) -> str:
        """The path of a task that is not gone."""
        return self.frames[index].prefix + self.nodes[index].label

    def content(self, owner: str, value: Value) -> Any:
        """The value's content if it is at hand; otherwise None, and the value is noted as unresolved."""
        if value.sha256 in self.contents:
            return self.contents.pop(value.sha256)
        if value.blob:
            self.unresolved[owner] = value
            return None
        return value.decoded()

    def resolve(self, value: Value, content: Any) -> None:
        """Give the content of a fetched value to everything that waits for it."""
        owners = [owner for owner, held in self.unresolved.items() if held.sha256 == value.sha256]
        if not owners:
            self.contents[value.sha256] = content
        for owner in owners:
            del self.unresolved[owner]
            if owner == INPUT:
                for frame in (self.root, *self.inner_frames()):
                    frame.env["input"] = content
            elif owner == OUTER:
                self.give_outer(content)
            elif owner.endswith(ITEMS):
                self._give_items(self.index[owner.removesuffix(ITEMS)], content)
            else:
                at = self.index[owner]
                self.frames[at].view[self.nodes[at].id]["output"] = content

    def _give_items(self, index: int, content: Any) -> None:
        """Items at hand: for the iterations of a loop that run, everything open inside them, and those that follow."""
        opened = self.opened[index]
        opened.content = content
        for frame in self.inner_frames():
            above = frame.within(index)
            if above is not None:
                frame.env[opened.item] = content[above.slot]

    def give_outer(self, content: Any) -> None:
        """What a lane sees of what is around its loop: ``{tasks, names}``, for its loop and everything inside."""
        tasks, names = content["tasks"], content["names"]
        before = {name: self.root.env.get(name) for name in names}
        self.root.view.update(tasks)
        self.root.env.update(names)
        for frame in sorted(self.inner_frames(), key=lambda one: one.base):
            frame.view |= {name: tasks[name] for name in frame.body.outer if name in tasks}
            frame.env |= {name: names[name] for name in names if frame.env.get(name) is before[name]}

    def inner_frames(self) -> list[Frame]:
        """The frames that are open, but for the workflow's own."""
        found = [frame for opened in self.opened.values() for frame in opened.frames.values()]
        return found if self.handlers is None else [*found, self.handlers]


AGEING_MS: Final = 1_000
"""How long a task has to be ready to go before one whose priority is higher by one. So a task of priority p is
overtaken for at most (q - p) seconds by tasks of priority q, however many of them follow."""


def ready_key(semantics: int, priority: int, at: int, index: int) -> int:
    """One integer that sorts by priority and age, then by document order. Every task ages alike, so their order does
    not change while they wait, and nothing has to be sorted again. Before semantics 2 nothing aged."""
    if semantics < 2:
        return (-priority << INDEX_BITS) | index
    return ((at - priority * AGEING_MS) << INDEX_BITS) | index


def held(state: State) -> bool:
    """Whether nothing new may start: the execution is paused, unless its tasks are over and handlers run."""
    return state.paused and state.outcome is None


def next_due(state: State) -> int | None:
    """The earliest time (ms) at which `decide` will have something to say without a new event, or None."""
    if state.finished is not None or state.started is None:
        return None
    times: list[int] = []
    limit = state.plan.parallel_limit
    if state.retries and not held(state) and (limit is None or state.running < limit):
        times.append(state.retries[0][0])
    if state.deadlines:
        times.append(state.deadlines[0][0])
    if state.waits:
        times.append(state.waits[0][0])
    if state.plan.timeout_ms is not None and state.outcome is None:
        times.append(state.started.at + state.plan.timeout_ms)
    return min(times, default=None)


def relies_on_others(state: State) -> bool:
    """Whether something that goes on elsewhere will tell of its end without anybody's help: an execution that a task
    waits for, lanes, or whoever holds a place that is wanted here."""
    if state.finished is not None or state.paused:
        return False
    if state.wanted or state.spread:
        return True
    return any(task.status == WAITING and task.wait is not None and task.wait.child for task in state.tasks)
