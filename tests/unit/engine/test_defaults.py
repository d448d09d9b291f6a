"""What a record of the engine holds where nothing is said. Histories leave out what is as ever, so it stays so."""

from __future__ import annotations

from tests.unit.initial import initial

KNOWN: dict[str, object] = {
    "breaker.Breaker.break_ms": 30000,
    "breaker.Breaker.permitted": 1,
    "breaker.Breaker.state": "closed",
    "commands.FinishTask.replaceable": True,
    "commands.OpenScope.count": 1,
    "commands.RequestSlot.on_limit": "queue",
    "commands.StartChild.attempt": 1,
    "compositions.ScopeOpened.count": 1,
    "compositions.SlotRequested.on_limit": "queue",
    "events.AttemptStarted.effect": "unknown",
    "events.ExecutionStarted.mode": "live",
    "events.ExecutionStarted.semantics": 2,
    "facts.Parent.waits": True,
    "facts.Slot.limit": 1,
    "facts.Slot.on_limit": "queue",
    "facts.Slot.status": "wanted",
    "facts.SlotPool.weight": 1,
    "fairness.Claim.weight": 1,
    "frames.LaneState.status": "running",
    "plan.BreakerPolicy.break_ms": 30000,
    "plan.BreakerPolicy.minimum": 1,
    "plan.BreakerPolicy.probes": 1,
    "plan.BreakerPolicy.ramp_ms": 10000,
    "plan.BreakerPolicy.sampling_ms": 60000,
    "plan.BreakerPolicy.threshold": 5,
    "plan.Node.attempt_timeout_ms": 60000,
    "plan.Node.effect": "unknown",
    "plan.Node.keyed": True,
    "plan.Node.trigger_rule": "all_success",
    "plan.PoolPlan.weight": 1,
    "plan.RetryPolicy.interval_ms": 1000,
    "plan.RetryPolicy.jitter": "full",
    "plan.RetryPolicy.max_attempts": 1,
    "plan.RetryPolicy.max_interval_ms": 60000,
    "plan.RetryPolicy.multiplier": 2.0,
    "plan.RetryPolicy.respect_retry_after": True,
    "plan.RetryPolicy.strategy": "exponential",
    "plan.ScopePlan.item": "item",
    "plan.ScopePlan.max_parallel": 1,
    "plan.ScopePlan.position": "index",
    "plan.SlotPlan.on_limit": "queue",
    "plan.WaitPlan.on_timeout": "fail",
    "plan.WaitPlan.required": 1,
    "snapshot._Scope.told": "run",
    "state.TaskState.status": "pending",
    "values.Value.codec": "identity",
}


def test_what_a_plan_an_event_or_a_state_leaves_out_is_empty_but_for_these() -> None:
    assert KNOWN == initial("millrace.engine")
