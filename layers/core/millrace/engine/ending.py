"""The end of an execution: what came of its tasks, the handlers that follow, and who is told."""

from __future__ import annotations

from typing import Any

from millrace.engine.commands import Command, DecideOutcome, Fetch, FinishExecution, NotifyParent
from millrace.engine.events import Failure
from millrace.engine.lanes import lane_report
from millrace.engine.plan import Plan
from millrace.engine.rendering import rendered, scope_for, unresolved
from millrace.engine.state import CANCELLED, SUCCEEDED, State


def concluded(plan: Plan, state: State) -> Command:
    """What follows when all tasks are done."""
    if plan.timeout_ms is not None:
        for task in state.tasks:
            if task.status == CANCELLED:  # a stop by the timeout whose end was not recorded
                return outcome(state, "timedOut", failure=task.failure)
    if state.failed is not None:
        failure = state.tasks[state.failed].failure
        return outcome(state, "failed", failure=failure, failed_task=state.path(state.failed))
    if plan.output is not None:
        missing = unresolved(plan.output_reads, state, state.root)
        if missing is not None:
            return missing
        env = scope_for(state, state.root, plan.output_state)
        if isinstance(env, Failure):
            return outcome(state, "failed", failure=env)
        result = rendered(plan.output, env, "", "output")
        if isinstance(result, Failure):
            return outcome(state, "failed", failure=result)
        return outcome(state, "succeeded", output=result.value)
    outputs: dict[str, Any] = {}
    for leaf in plan.leaves:
        if leaf in state.unresolved:
            return Fetch(state.unresolved[leaf])
        entry = state.view[leaf]
        if entry["status"] == SUCCEEDED:
            outputs[leaf] = entry["output"]
    return outcome(state, "succeeded", output=outputs)


def outcome(
    state: State, status: str, *, output: Any = None, failure: Failure | None = None, failed_task: str = ""
) -> Command:
    """The end, at once where nothing follows it."""
    plan = state.plan
    follows = plan.at_end is not None or (plan.on_failure is not None and status in ("failed", "timedOut"))
    if follows or plan.slots or waited_for(state):
        return DecideOutcome(status=status, output=output, failure=failure, failed_task=failed_task)
    return FinishExecution(status=status, output=output, failure=failure, failed_task=failed_task)


def waited_for(state: State) -> bool:
    """Whether an execution waits for the end of this one."""
    assert state.started is not None  # nothing ends before it has begun
    return state.started.parent is not None and state.started.parent.waits


def end(state: State) -> Command:
    """What follows the handlers: the execution above is told, then this one has finished. What fails among the
    handlers fails a workflow that had succeeded, and changes nothing for one that had not."""
    decided = state.outcome
    assert decided is not None  # the handlers came after it
    status, output, failure, task = decided.status, decided.output, decided.failure, decided.failed_task
    if status == "succeeded" and state.mishap is not None:
        status, output = "failed", None
        task, failure = state.mishap
    if waited_for(state) and not state.notified:
        return NotifyParent(status=status, output=output, failure=failure, report=lane_report(state))
    return FinishExecution(status=status, failure=failure, failed_task=task, decided=True)
