"""What must hold in every simulated world, whatever went wrong in it.

I1 no attempt is performed without its AttemptStarted in the log, acknowledged to the process that performs it;
I2 once a task has a result in the log, no AttemptStarted for it is appended;
I3 every execution that was acknowledged reaches one terminal state, and nothing follows it;
I4 no acknowledged start, message or segment is lost, and a message is history once;
I5 two attempts of one task are in flight together only if one of the drivers is dead or its lease has run out;
I6 every attempt of one task carries the same key, and no attempt number is performed twice;
I7 the state from a snapshot is the state from the log.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from millrace.driver.loading import load_state
from millrace.engine import events as ev
from millrace.engine.snapshot import equal
from millrace.ports.documents import TenantScope
from millrace.store.executions import Actor, read_actor
from millrace.store.runlog import read_segments

if TYPE_CHECKING:
    from .world import Performed, World

SCOPE = TenantScope("acme")


def judge_start(world: World, performed: Performed) -> None:
    """I1, I5 and I6 at the moment an attempt is performed."""
    record = world.record
    name = f"{performed.execution[-4:]}:{performed.path}#{performed.attempt}"
    owner = None
    acknowledged = False
    for segment in read_segments(world.store, SCOPE, performed.execution):
        for event in segment.events:
            if isinstance(event, ev.AttemptStarted) and (event.path, event.attempt) == (
                performed.path,
                performed.attempt,
            ):
                owner = segment.owner
                acknowledged = True
    if not acknowledged:
        record.violations.append(f"I1 {name} performed without AttemptStarted in the log")
    elif owner.partition("/")[0] != performed.process.name:
        record.violations.append(f"I1 {name} performed by {performed.process.name}, recorded by {owner}")
    for other in record.performed:
        if (other.execution, other.path) != (performed.execution, performed.path):
            continue
        if other.key != performed.key:
            record.violations.append(f"I6 {name} carries another key")
        if other.attempt == performed.attempt:
            record.violations.append(f"I6 {name} performed twice")
        lease = record.leases.get((other.execution, other.process.name), 0)
        flying = (
            other.ended is None and not other.stopped and other.process.alive and other.process is not performed.process
        )
        own = record.leases.get((performed.execution, performed.process.name), 0)
        if flying and min(lease, own) > world.clock.now() and not world.options.clock_jumps:
            record.violations.append(f"I5 {name} performed while {other.process.name} holds the lease")


def judge_end(world: World) -> list[str]:
    """Everything that can be judged when the world has come to rest."""
    violations = list(world.record.violations)
    for execution in world.record.started:
        violations.extend(judge_log(world, execution))
    return violations


def judge_log(world: World, execution: str) -> list[str]:
    found: list[str] = []
    name = execution[-4:]
    results: set[str] = set()
    messages: list[str] = []
    ended = 0
    segments = list(read_segments(world.store, SCOPE, execution))
    events = [event for segment in segments for event in segment.events]
    if not events:
        return [f"I4 {name} the start is lost"]
    for event in events:
        if ended:
            found.append(f"I3 {name} {type(event).__name__} after the end")
        if isinstance(event, ev.AttemptStarted) and event.path in results:
            found.append(f"I2 {name} {event.path} started after its result")
        if isinstance(event, ev.TaskFinished) or (isinstance(event, ev.AttemptFinished) and event.failure is None):
            results.add(event.path)
        if isinstance(event, ev.SignalReceived | ev.CancelRequested):
            messages.append(event.message)
        if isinstance(event, ev.ExecutionFinished):
            ended += 1
    actor = read_actor(world.store, SCOPE, execution)
    if ended != 1 or actor is None or not actor.done:
        found.append(f"I3 {name} has not ended")
    for sent_to, message in world.record.sent:
        if sent_to == execution and messages.count(message) != 1:
            found.append(f"I4 {name} message {message} stands {messages.count(message)} times in the log")
    writes = {f"{segment.first:012d}": segment.write for segment in segments}
    for (where, position), write in world.record.acknowledged.items():
        if where == execution and writes.get(position) != write:
            found.append(f"I4 {name} acknowledged segment {position} is lost")
    if actor is not None and actor.snapshot and not found:
        found.extend(_judge_snapshot(world, execution, actor))
    return found


def _judge_snapshot(world: World, execution: str, actor: Actor) -> list[str]:
    process = world.spawn_process()
    process.faults.active = False
    process.faults.script = {}
    driver = world.driver_world(process)
    fast = load_state(driver, SCOPE, execution, actor)
    full = load_state(driver, SCOPE, execution, replace(actor, snapshot=0))
    return [f"I7 {execution[-4:]} snapshot and log differ in {part}" for part in equal(fast, full)]
