"""From a checked workflow and the reusable tasks it names to the plan that is walked.

The scopes of expressions and the dependencies are those of `millrace.spec`, so that what was checked is what runs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import partial
from typing import Any

from millrace.base.canonical import content_hash
from millrace.base.errors import TransformError
from millrace.base.limits import ATTEMPT_TIMEOUT_MS, DEFAULT_ATTEMPT_TIMEOUT_MS
from millrace.engine.plan import NO_RETRY, BreakerPolicy, Compute, EdgeCondition, Node, Plan, RetryPolicy, WaitPlan
from millrace.engine.transforms import TransformPlan, compile_transform
from millrace.expr import Expression, ReadPath, Scope, Template, compile_expression, compile_template
from millrace.spec import CircuitBreaker, Retry, Task, Workflow, WorkflowTask, dependencies, find_type, reference_name
from millrace.spec.scopes import event_scope, task_scope, with_output, workflow_scope
from millrace.spec.tasks.approval import Approval
from millrace.spec.tasks.event import Event
from millrace.spec.tasks.http import HttpRequest
from millrace.spec.tasks.wait import Wait


@dataclass(frozen=True, slots=True)
class _Work:
    """What a task does, wherever that is written: its own block, or that of the reusable task it names."""

    type: str
    block: Any
    block_json: Any
    retry: Retry | None
    breaker: CircuitBreaker | None
    timeout: int | None
    attempt_timeout: int | None
    own_scope: bool


def compile_plan(workflow: Workflow, tasks: Mapping[str, WorkflowTask], *, hashes: Mapping[str, str]) -> Plan:
    """The plan of a workflow without error findings. ``tasks`` and ``hashes`` are by the text of each ``taskRef``.

    Raises KeyError for a reference that ``tasks`` does not hold.
    """
    spec = workflow.spec
    scope = workflow_scope((task.id for task in spec.tasks), spec.input, spec.config)
    needs = dependencies(workflow, tasks, check_transform=partial(_steps, scope=scope))
    index = {task.id: position for position, task in enumerate(spec.tasks)}
    dependents: list[list[int]] = [[] for _ in spec.tasks]
    for name, above in needs.items():
        for need in above:
            dependents[index[need]].append(index[name])
    nodes = tuple(
        _node(
            task,
            position,
            needs[task.id],
            index,
            tuple(dependents[position]),
            scope,
            tasks,
            hashes,
            workflow.metadata.name,
        )
        for position, task in enumerate(spec.tasks)
    )
    output = None if spec.output is None else compile_template(spec.output, scope=scope)
    return Plan(
        nodes=nodes,
        index=index,
        workflow=workflow.metadata.name,
        parallel_limit=spec.parallel_limit,
        timeout_ms=spec.timeout,
        output=output,
        output_reads=() if output is None else _task_ids(output.paths),
        config=spec.config,
        leaves=tuple(task.id for position, task in enumerate(spec.tasks) if not dependents[position]),
    )


def _steps(steps: Any, *, scope: Scope) -> TransformPlan:
    return compile_transform(list(steps), scope=scope)


def _node(
    task: Task,
    position: int,
    needs: tuple[str, ...],
    index: Mapping[str, int],
    dependents: tuple[int, ...],
    scope: Scope,
    tasks: Mapping[str, WorkflowTask],
    hashes: Mapping[str, str],
    workflow: str,
) -> Node:
    work = _work(task, tasks)
    inner = task_scope(tasks[task.task_ref].spec.input_schema) if task.task_ref is not None else scope
    kind = find_type(work.type)
    assert kind is not None  # a document with an unknown type is not published
    templates = [compile_template(task.input, scope=scope)] if task.input else []
    config: Template | None = None
    compute: Compute | None = None
    wait: WaitPlan | None = None
    transform: TransformPlan | None = None
    if kind.steps:
        transform = compile_transform(list(work.block_json), scope=inner)
        compute = partial(_apply, transform)
    elif kind.waits:
        config, wait = _wait(work, inner)
    elif kind.block is not None and work.block_json is not None:
        config = compile_template(work.block_json, scope=inner)
    condition = _condition(task.condition, scope)
    edges = tuple(
        EdgeCondition(index[need.task], expression)
        for need in task.depends_on
        if (expression := _condition(need.condition, scope)) is not None
    )
    output = None if task.output is None else compile_template(task.output, scope=with_output(scope))
    read = [
        part for part in (*templates, config, output) if part is not None and (part is not config or inner is scope)
    ]
    paths: set[ReadPath] = {path for part in read for path in part.paths}
    if transform is not None and inner is scope:
        paths |= transform.paths
    match = wait.match if wait is not None and inner is scope else None
    for expression in (condition, match, *(edge.condition for edge in edges)):
        if expression is not None:
            paths |= expression.paths
    return Node(
        index=position,
        id=task.id,
        type=work.type,
        effect=kind.effect(work.block),
        needs=tuple(index[need] for need in needs),
        dependents=dependents,
        reads=_task_ids(paths),
        priority=task.priority,
        condition=condition,
        edges=edges,
        input=templates[0] if templates else None,
        config=config,
        own_scope=work.own_scope,
        compute=compute,
        wait=wait,
        trigger_rule=task.trigger_rule,
        output=output,
        retry=_retry(work.retry),
        breaker=_breaker(work, task, workflow),
        timeout_ms=work.timeout if wait is None or wait.kind == "time" else None,
        attempt_timeout_ms=min(work.attempt_timeout or DEFAULT_ATTEMPT_TIMEOUT_MS, ATTEMPT_TIMEOUT_MS),
        continue_on_error=task.continue_on_error,
        task_hash=hashes[task.task_ref] if task.task_ref is not None else _own_hash(task),
    )


def _wait(work: _Work, scope: Scope) -> tuple[Template | None, WaitPlan]:
    """What is rendered when the wait begins, and what ends it."""
    block = work.block
    if isinstance(block, Wait):
        return compile_template(work.block_json, scope=scope), WaitPlan("time")
    if isinstance(block, Event):
        match = _condition(block.match, event_scope(scope))
        timeout = block.timeout if block.timeout is not None else work.timeout
        return compile_template({"type": block.type}, scope=scope), WaitPlan("event", match=match, timeout_ms=timeout)
    assert isinstance(block, Approval)  # the third of the types that wait
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


def _task_ids(paths: frozenset[ReadPath] | set[ReadPath]) -> tuple[str, ...]:
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
