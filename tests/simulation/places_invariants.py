"""What must hold beside `nested_invariants` where executions share places under concurrency keys.

P1 a key never has more holders than places;
P2 a call that needs a place is made only while something around it holds one, unless its driver has lost the lease, or
   the place was given up because what stands around was told to stop; handlers of an execution that got no place run
   without one;
P3 nobody is given a place while somebody stands in line who came before;
P4 in the end no place is held and nobody stands in line, so that no place is lost with an execution;
P5 nobody is told to wait, or that there is no room, while there is a place and nobody before them; who gave a place up
   gets none again;
P6 only who may not wait is refused.

That no waiter is forgotten, and that nobody waits for a place that it holds itself, is I3: every execution ends.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from millrace.driver.world import Slots
from millrace.engine import events as ev
from millrace.engine.commands import AcquireSlot, ReleaseSlot
from millrace.ports.documents import Op, Range, Table, TenantScope, Update
from millrace.ports.runners import Attempt
from millrace.store.executions import inbox_partition, message_of, read_actor
from millrace.store.runlog import read_segments
from millrace.store.slots import Holder, Place

from .invariants import SCOPE

if TYPE_CHECKING:
    from .faults import Process
    from .places import PlacesWorld

KEYS = ("a1", "a2", "b1", "b2", "c1")
HEAD = "slots"


def limit_of(key: str) -> int:
    return int(key[-1])


class Ledger:
    """What the places of a world were seen to be."""

    def __init__(self, world: PlacesWorld) -> None:
        self.world = world
        self._holders: dict[str, dict[str, Any]] = {key: {} for key in KEYS}
        self.granted = 0
        self.queued = 0

    def line(self, key: str) -> list[Any]:
        """Those in line whose execution is not over, the first one first."""
        page = self.world.store.query(SCOPE, Table.HISTORY, ("slot-line", "default", key), within=Range(limit=100))
        rows = [row.item.attrs for row in page.rows]
        return [one for one in rows if self.is_live(str(one["execution"]))]

    def is_live(self, execution: str) -> bool:
        actor = read_actor(self.world.store, SCOPE, execution)
        return actor is not None and not actor.done

    def written(self, ops: Sequence[Op]) -> None:
        """P1 and P3 at every write of those who hold a place."""
        for op in ops:
            if not isinstance(op, Update) or op.key.partition[0] != HEAD:
                continue
            key = op.key.partition[2]
            before, now = self._holders[key], dict(op.set["holders"])  # type: ignore[arg-type]
            self._holders[key] = now
            if len(now) > limit_of(key):
                self.violated(f"P1 {key} has {len(now)} holders")
            for name in now.keys() - before.keys():
                self.granted += 1
                for waiter in self.line(key):
                    if (waiter["at"], waiter["execution"]) < (now[name]["at"], now[name]["execution"]):
                        self.violated(f"P3 {key} went to {name[-20:]} before {waiter['execution'][-4:]}")

    def called(self, process: Process, attempt: Attempt, keys: Sequence[str]) -> None:
        """P2 at the moment a call is made."""
        world = self.world
        lease = world.record.leases.get((attempt.execution, process.name), 0)
        if not world.options.exclusive and lease <= world.clock.now():
            return
        if attempt.path.startswith("finally/") and not self._was_given(attempt.execution):
            return
        around = list(self._around(attempt))
        for key in keys:
            if not any(self.is_held(key, execution, path) for execution, path in around) and not any(
                self._is_stopped(execution) for execution, _ in around
            ):
                self.violated(f"P2 {attempt.execution[-4:]}:{attempt.path} is performed without a place of {key}")

    def is_held(self, key: str, execution: str, path: str) -> bool:
        """Whether something at a path, or around it, holds a place under a key."""
        return any(_holds(one, execution, path) for one in self._holders[key].values())

    def _was_given(self, execution: str) -> bool:
        """Whether an execution has had a place of its own."""
        segments = read_segments(self.world.store, SCOPE, execution)
        for event in (event for segment in segments for event in segment.events):
            if isinstance(event, ev.SlotGranted | ev.OutcomeDecided) and not getattr(event, "path", ""):
                return isinstance(event, ev.SlotGranted)
        return False

    def _around(self, attempt: Attempt) -> Iterator[tuple[str, str]]:
        """Where a call stands: in its execution, in the task that this one was started by, and so on."""
        execution, path = attempt.execution, attempt.path
        while True:
            yield execution, path
            first = next(read_segments(self.world.store, SCOPE, execution)).events[0]
            assert isinstance(first, ev.ExecutionStarted)  # a log begins with it
            if first.parent is None or not first.parent.waits:
                return
            execution, path = first.parent.execution, first.parent.path

    def _is_stopped(self, execution: str) -> bool:
        """Whether an execution was told to stop, or is over."""
        if not self.is_live(execution):
            return True
        page = self.world.store.query(SCOPE, Table.HISTORY, inbox_partition(execution), within=Range(limit=100))
        if any(message_of(row.item).kind == "cancel" for row in page.rows):
            return True
        segments = read_segments(self.world.store, SCOPE, execution)
        return any(isinstance(event, ev.CancelRequested) for segment in segments for event in segment.events)

    def asked(self, order: AcquireSlot, execution: str, answer: str) -> None:
        """P5 at the moment of the answer to one who has not left before."""
        self.queued += answer == "queued"
        if answer == "granted":
            return
        key = order.slot.key
        others = [one for one in self.line(key) if (one["execution"], one["path"]) != (execution, order.path)]
        live = [one for one in self._holders[key].values() if self.is_live(one["execution"])]
        if len(live) < limit_of(key) and not others:
            self.violated(f"P5 {execution[-4:]}:{order.path} was told {answer} though {key} has room")

    def has_left(self, order: AcquireSlot, execution: str) -> bool:
        """Whether it is known already that this one wants no place any more."""
        holder = Holder(execution, order.path, order.slot.at)
        return self.world.store.get(SCOPE, Place("default", order.slot.key).left(holder)) is not None

    def released(self, order: ReleaseSlot) -> None:
        """Somebody has given up a place under a key; what follows from that is seen when another one is given it."""

    def violated(self, what: str) -> None:
        self.world.record.violations.append(what)

    def left_over(self) -> Iterator[str]:
        """P4 when the world has come to rest."""
        for key, holders in self._holders.items():
            for name in holders:
                yield f"P4 {key} is still held by {name[-20:]}"
            page = self.world.store.query(SCOPE, Table.HISTORY, ("slot-line", "default", key), within=Range(limit=9))
            for row in page.rows:
                yield f"P4 {row.item.key.sort[-20:]} still stands in line for {key}"


class WatchedSlots:
    """The places of production, whose answers are judged."""

    def __init__(self, inner: Slots, ledger: Ledger) -> None:
        self._inner = inner
        self._ledger = ledger

    def acquire(self, scope: TenantScope, started: ev.ExecutionStarted, order: AcquireSlot) -> Any:
        left = self._ledger.has_left(order, started.execution)
        answer = self._inner.acquire(scope, started, order)
        if not left:
            self._ledger.asked(order, started.execution, answer)
        return answer

    def release(self, scope: TenantScope, started: ev.ExecutionStarted, order: ReleaseSlot) -> None:
        self._inner.release(scope, started, order)
        self._ledger.released(order)


def _holds(holder: Any, execution: str, path: str) -> bool:
    """Whether a holder is what stands at ``path``, or around it."""
    if holder["execution"] != execution:
        return False
    above = holder["path"]
    return not above or path == above or (path.startswith(above) and path[len(above)] in "/[")


def judge_places(world: PlacesWorld) -> list[str]:
    """Everything about places that can be judged when the world has come to rest."""
    found = list(world.ledger.left_over())
    for execution in {*world.record.started, *world.created}:
        asked: dict[str, str] = {}
        for segment in read_segments(world.store, SCOPE, execution):
            for event in segment.events:
                if isinstance(event, ev.SlotRequested):
                    asked[event.path] = event.on_limit
                elif isinstance(event, ev.SlotDenied) and asked[event.path] == "queue":
                    found.append(f"P6 {execution[-4:]}:{event.path} was refused")
    return found
