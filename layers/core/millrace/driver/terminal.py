"""The end of an execution: what is written in one transaction with its last segment."""

from __future__ import annotations

from collections.abc import Mapping

from millrace.engine.state import FAILED, GONE, SKIPPED, SUCCEEDED, State
from millrace.engine.unfolding import ATTEMPTS
from millrace.ports.documents import Attr, Condition, Index, Op, Update
from millrace.store.executions import actor_key, finish_summary


def terminal_ops(state: State, sets: Mapping[str, int], *, position: int, when: tuple[Condition, ...]) -> list[Op]:
    """The summary's last state, and the actor item that says that nobody needs to look here again."""
    started, finished = state.started, state.finished
    assert started is not None  # the caller folded both
    assert finished is not None
    counts = dict.fromkeys((SUCCEEDED, FAILED, SKIPPED), 0)
    attempts = 0
    for task in state.tasks:
        if task is not GONE:
            attempts += task.attempt
            if task.status in counts:
                counts[task.status] += 1
    attempts += state.tally.get(ATTEMPTS, 0)
    for status in counts:
        counts[status] += state.tally.get(status, 0)
    facts: dict[str, Attr] = {"tasks": dict(counts), "attempts": attempts}
    if finished.failure is not None:
        facts["errorMessage"] = finished.failure.message[:1000]
        facts["failedTask"] = finished.failed_task
    actor = Update(
        actor_key(started.execution),
        set={**sets, "done": True},
        remove=("owner", "leaseUntil", "wakeAt"),
        indexes={Index.LIVE: None},
        when=when,
    )
    if started.lane is not None:  # a lane is not listed
        return [actor]
    return [finish_summary(started, status=finished.status, at=finished.at, position=position, facts=facts), actor]
