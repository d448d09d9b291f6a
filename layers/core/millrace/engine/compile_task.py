"""From one task, and the reusable task it may name, to the node of a plan."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from functools import partial
from typing import Any

from msgspec import Struct

from millrace.base.canonical import content_hash
from millrace.base.errors import TransformError
from millrace.base.limits import ATTEMPT_TIMEOUT_MS, DEFAULT_ATTEMPT_TIMEOUT_MS
from millrace.base.scalars import parse_percent
from millrace.engine.plan import (
    NO_RETRY,
    Body,
    BreakerPolicy,
    Case,
    Compute,
    EdgeCondition,
    FallbackPlan,
    Node,
    PoolPlan,
    RetryPolicy,
    ScopePlan,
    SlotPlan,
    WaitPlan,
)
from millrace.engine.spreading import threshold
from millrace.engine.transforms import TransformPlan, compile_transform
from millrace.expr import Expression, ReadPath, Scope, Template, compile_expression, compile_template
from millrace.spec import CircuitBreaker, Retry, Task, WorkflowTask, find_type, reference_name
from millrace.spec.models.concurrency import Concurrency
from millrace.spec.scopes import event_scope, task_scope, with_output, with_roots
from millrace.spec.tasks.approval import Approval
from millrace.spec.tasks.event import Event
from millrace.spec.tasks.for_each import ForEach
from millrace.spec.tasks.generate import Generate
from millrace.spec.tasks.http import HttpRequest
from millrace.spec.tasks.switch import Switch
from millrace.spec.tasks.wait import Wait
from millrace.spec.tasks.workflow_ref import SubWorkflow


class _Work(Struct, frozen=True):
    """What a task does, wherever that is written: its own block, or that of the reusable task it names."""

    type: str
    block: Any
    block_json: Any
    retry: Retry | None
    breaker: CircuitBreaker | None
    timeout: int | None
    attempt_timeout: int | None
    own_scope: bool


class Inside(Struct, frozen=True):
    """What is compiled already of what stands inside a task, and the workflow it belongs to; ``limited`` says that this
    limits how many of its tasks run at once, or that the task may begin before all that it waits for is over."""

    bodies: tuple[Body, ...]
    stand_in: Body | None
    workflow: str
    limited: bool = False


def read_paths(task: Task, scope: Scope) -> set[ReadPath]:
    """Everything that a task's own expressions read in the scope of its body."""
    kind = find_type(task.type) if task.type is not None else None
    found: set[ReadPath] = set()
    templates = [(task.input, scope), (task.output, with_output(scope))]
    if task.fallback is not None:
        templates.append((task.fallback.value, with_roots(scope, "error")))
    if task.concurrency is not None:
        templates += [(value, scope) for value in task.concurrency.templates().values()]
    conditions = [(task.condition, scope), *((need.condition, scope) for need in task.depends_on)]
    if kind is not None and task.block_json is not None:
        if kind.steps:
            found |= compile_transform(list(task.block_json), scope=scope).paths
        elif kind.templated:
            templates.append((kind.templates(task.block_json), scope))
        inner = with_roots(scope, kind.condition_root)
        conditions += [(source, inner) for _, source in kind.conditions(task.block)]
    for value, where in templates:
        if value:
            found |= compile_template(value, scope=where).paths
    for source, where in conditions:
        expression = _condition(source, where)
        if expression is not None:
            found |= expression.paths
    return found


def node_of(
    task: Task,
    position: int,
    label: str,
    needs: tuple[str, ...],
    index: Mapping[str, int],
    dependents: Sequence[int],
    scope: Scope,
    tasks: Mapping[str, WorkflowTask],
    hashes: Mapping[str, str],
    inside: Inside,
) -> Node:
    work = _work(task, tasks)
    accepts = tasks[task.task_ref].spec.input_schema if task.task_ref is not None else None
    inner = scope if accepts is None else task_scope(accepts)
    kind = find_type(work.type)
    assert kind is not None  # a document with an unknown type is not published
    config: Template | None = None
    compute: Compute | None = None
    wait: WaitPlan | None = None
    if kind.steps:
        compute = partial(_apply, compile_transform(list(work.block_json), scope=inner))
    elif kind.waits:
        config, wait = _wait(work, inner)
    elif (kind.block is not None or kind.composes) and work.block_json is not None:
        config = compile_template(kind.templates(work.block_json), scope=inner)
    edges = tuple(
        EdgeCondition(index[need.task], expression)
        for need in task.depends_on
        if (expression := _condition(need.condition, scope)) is not None
    )
    timed = wait is None or wait.kind == "time"
    return Node(
        index=position,
        id=task.id,
        type=work.type,
        label=label,
        effect=kind.effect(work.block),
        needs=tuple(index[need] for need in needs),
        dependents=tuple(dependents),
        reads=task_ids(read_paths(task, scope)),
        priority=task.priority,
        condition=_condition(task.condition, scope),
        edges=edges,
        input=compile_template(task.input, scope=scope) if task.input else None,
        config=config,
        own_scope=work.own_scope,
        accepts=accepts or None,
        compute=compute,
        wait=wait,
        trigger_rule=task.trigger_rule,
        output=None if task.output is None else compile_template(task.output, scope=with_output(scope)),
        retry=_retry(work.retry),
        breaker=_breaker(work, task, inside.workflow),
        timeout_ms=work.timeout if timed else None,
        attempt_timeout_ms=min(work.attempt_timeout or DEFAULT_ATTEMPT_TIMEOUT_MS, ATTEMPT_TIMEOUT_MS),
        continue_on_error=task.continue_on_error,
        task_hash=hashes[task.task_ref] if task.task_ref is not None else _own_hash(task),
        slot=slot_plan(task.concurrency, f"{inside.workflow}/{task.id}", scope),
        scope=scope_plan(work.block, scope, inside, tasks, hashes),
        fallback=_fallback(task, scope, inside.stand_in),
    )


def slot_plan(concurrency: Concurrency | None, default: str, scope: Scope) -> SlotPlan | None:
    """The place that a task or workflow has to hold; without a key of its own, under ``default``."""
    if concurrency is None:
        return None
    key = compile_template(concurrency.key or default, scope=scope)
    return SlotPlan(key, concurrency.limit, concurrency.on_limit, _pool(concurrency, scope))


def _pool(concurrency: Concurrency, scope: Scope) -> PoolPlan | None:
    if concurrency.pool is None:
        return None
    least, weight = (
        compile_template(value, scope=scope) if isinstance(value, str) else value
        for value in (concurrency.min or 0, concurrency.weight or 1)
    )
    return PoolPlan(concurrency.pool.name, concurrency.pool.limit, least, weight)


def _fallback(task: Task, scope: Scope, body: Body | None) -> FallbackPlan | None:
    if task.fallback is None:
        return None
    if body is not None:
        return FallbackPlan(body=body)
    return FallbackPlan(value=compile_template(task.fallback.value, scope=with_roots(scope, "error")))


def scope_plan(
    block: Any,
    scope: Scope,
    inside: Inside,
    tasks: Mapping[str, WorkflowTask],
    hashes: Mapping[str, str],
) -> ScopePlan | None:
    """What a task that holds tasks does with them; None for any other task."""
    if isinstance(block, Switch):
        inner = with_roots(scope, "value")
        cases = tuple(Case(case.match, _condition(case.when, inner)) for case in block.cases)
        return ScopePlan("switch", bodies=inside.bodies, cases=cases)
    if isinstance(block, ForEach):
        each = block.for_each
        allowed = each.tolerate.failures
        return ScopePlan(
            "forEach",
            bodies=inside.bodies,
            item=each.as_,
            position=each.index,
            max_parallel=each.max_parallel,
            failures=allowed if isinstance(allowed, int) else 0,
            share=None if isinstance(allowed, int) else parse_percent(allowed),
            spread=threshold(each.mode, each.threshold, inside.bodies[0], limited=inside.limited),
        )
    if isinstance(block, Generate):
        refs = {name: tasks[name] for name in block.task_refs}
        return ScopePlan(
            "generate",
            most=block.max,
            refs=refs,
            hashes={name: hashes[name] for name in refs},
            workflow=inside.workflow,
        )
    return None


def _wait(work: _Work, scope: Scope) -> tuple[Template | None, WaitPlan]:
    """What is rendered when the wait begins, and what ends it."""
    block = work.block
    if isinstance(block, Wait):
        return compile_template(work.block_json, scope=scope), WaitPlan("time")
    if isinstance(block, SubWorkflow):
        return None, WaitPlan("child", ref=block.workflow_ref, detached=block.detached, timeout_ms=work.timeout)
    if isinstance(block, Event):
        match = _condition(block.match, event_scope(scope))
        timeout = block.timeout if block.timeout is not None else work.timeout
        return compile_template({"type": block.type}, scope=scope), WaitPlan("event", match=match, timeout_ms=timeout)
    assert isinstance(block, Approval)  # the last of the types that wait
    return None, WaitPlan(
        "approval",
        approvers=block.approvers,
        required=block.required,
        timeout_ms=work.timeout,
        on_timeout=block.on_timeout,
        form=block.form,
    )


def _work(task: Task, tasks: Mapping[str, WorkflowTask]) -> _Work:
    """A task's own policies go before those of the reusable task it names."""
    if task.task_ref is None:
        assert task.type is not None  # one of the two, says the model
        return _Work(
            type=task.type,
            block=task.block,
            block_json=task.block_json,
            retry=task.retry,
            breaker=task.circuit_breaker,
            timeout=task.timeout,
            attempt_timeout=task.attempt_timeout,
            own_scope=False,
        )
    spec = tasks[task.task_ref].spec
    return _Work(
        type=spec.type,
        block=spec.block,
        block_json=spec.block_json,
        retry=task.retry or spec.retry,
        breaker=task.circuit_breaker or spec.circuit_breaker,
        timeout=task.timeout or spec.timeout,
        attempt_timeout=task.attempt_timeout or spec.attempt_timeout,
        own_scope=True,
    )


def _own_hash(task: Task) -> str:
    return content_hash({"type": task.type, "block": task.block_json})


def _condition(source: str | bool | None, scope: Scope) -> Expression | None:
    if source is None:
        return None
    return compile_expression(source if isinstance(source, str) else str(source).lower(), scope=scope)


def _retry(retry: Retry | None) -> RetryPolicy:
    if retry is None:
        return NO_RETRY
    return RetryPolicy(
        max_attempts=retry.max_attempts,
        strategy=retry.strategy,
        interval_ms=retry.interval,
        multiplier=retry.multiplier,
        max_interval_ms=retry.max_interval,
        jitter=retry.jitter,
        retry_on=tuple(str(entry) for entry in retry.retry_on or ()),
        max_duration_ms=retry.max_duration,
        respect_retry_after=retry.respect_retry_after,
        declared=True,
    )


def _breaker(work: _Work, task: Task, workflow: str) -> BreakerPolicy | None:
    """Its name says who shares it: ``key~…``, ``task~…`` or ``workflow~…``, or nothing where the host of each attempt
    does."""
    said = work.breaker
    if said is None:
        return None
    scope = said.scope or ("task" if task.task_ref else "host" if isinstance(work.block, HttpRequest) else "workflow")
    name = ""
    if said.key is not None:
        name = f"key~{said.key}"
    elif scope == "task" and task.task_ref is not None:
        name = f"task~{reference_name(task.task_ref)}"
    elif scope != "host":
        name = f"workflow~{workflow}~{task.id}"
    by_rate = said.failure_rate is not None
    return BreakerPolicy(
        name=name,
        threshold=0 if by_rate else said.failure_threshold or 5,
        rate=said.failure_rate or Decimal(0),
        minimum=said.minimum_throughput or (10 if by_rate else 1),
        sampling_ms=said.sampling_duration,
        break_ms=said.break_duration,
        probes=said.permitted_probes,
        ramp_ms=said.break_duration // 3 if said.ramp_duration is None else said.ramp_duration,
    )


def _apply(transform: TransformPlan, value: Any, scope: Mapping[str, Any]) -> Any:
    if not isinstance(value, dict) or "items" not in value:
        raise TransformError("A transform needs input.items.", hint="as in input: {items: …}", facts={"op": "items"})
    return transform.apply(value["items"], scope)


def task_ids(paths: frozenset[ReadPath] | set[ReadPath]) -> tuple[str, ...]:
    """The ids of the tasks that paths read; every task for a path that reads them by a computed name."""
    return tuple(
        sorted(
            {
                path.segments[0]
                for path in paths
                if path.root == "tasks" and path.segments and isinstance(path.segments[0], str)
            }
        )
    )
