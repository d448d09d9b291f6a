"""How long one attempt may take: the shortest of the limits that stand around it."""

from __future__ import annotations

from millrace.engine.commands import StartAttempt
from millrace.engine.state import State


def is_over(state: State, command: StartAttempt, now: int) -> bool:
    """Whether the time of the task or of the workflow is over at ``now``."""
    return _left_ms(state, command, now) <= 0


def limit_ms(state: State, command: StartAttempt, now: int) -> int:
    """The attempt's own timeout, or what is left at ``now`` of the task's or the workflow's; at least 1 ms."""
    return max(_left_ms(state, command, now), 1)


def _left_ms(state: State, command: StartAttempt, now: int) -> int:
    index = state.index[command.path]
    node, task = state.nodes[index], state.tasks[index]
    limit = node.attempt_timeout_ms
    if node.timeout_ms is not None:
        limit = min(limit, (task.started_at or now) + node.timeout_ms - now)
    if state.plan.timeout_ms is not None and state.started is not None and state.outcome is None:
        limit = min(limit, state.started.at + state.plan.timeout_ms - now)
    return limit
