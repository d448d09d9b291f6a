"""Checks of the worst case of one execution: how many events its log can have, and how much its values can hold.

Each attempt is taken to fail until the last one, each loop to have as many items as its list or schema allows, each
case of a switch to be the longest one, and what stands in to be needed. What happens outside is not counted: drivers
that are lost, requests to pause, signals that nobody waits for. Another workflow has a log of its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from millrace.base.limits import EVENTS_PER_EXECUTION, MIB, STATE_BYTES, VALUE_BYTES
from millrace.spec.checks.report import Report
from millrace.spec.environment import Environments
from millrace.spec.measure import most_bytes
from millrace.spec.models import Task, Workflow, WorkflowTask, WorkflowTaskSpec
from millrace.spec.produced import Products
from millrace.spec.registry import find_type
from millrace.spec.shapes import Shape, count_of
from millrace.spec.tasks.approval import Approval
from millrace.spec.tasks.event import Event
from millrace.spec.tasks.for_each import ForEach
from millrace.spec.tasks.generate import Generate
from millrace.spec.tree import Placed, Tree

OF_EXECUTION: Final = 4
"""It starts, its outcome is decided, the execution above is told, it ends."""
OF_PLACE: Final = 3
"""A place is asked for, given and given back."""
OF_ATTEMPT: Final = 3
"""It starts and ends, and the next one is scheduled, or the task ends."""
OF_CHILD: Final = 4
"""The wait for it begins; it starts, ends, and is cancelled."""
_FIX: Final = "Split the work into workflows of their own, or declare fewer items or attempts."
_SMALLER: Final = "Pass references to the data, or declare smaller limits."


def check_worst_case(
    report: Report,
    workflow: Workflow,
    tree: Tree,
    tasks: Mapping[str, WorkflowTask],
    products: Products,
    environments: Environments,
) -> None:
    """The events and values of one execution. Linear in tasks and schemas."""
    total = most_events(workflow, tree, tasks, environments)
    if total > EVENTS_PER_EXECUTION:
        message = f"one execution may have {total:,} events, more than {EVENTS_PER_EXECUTION:,}"
        report.add("too-many-events", message, ("spec", "tasks"), fix=_FIX)
    sizes: dict[int, int] = {}
    held: dict[int, int] = {}
    for placed in reversed(tree.tasks):  # those inside a task stand behind it
        size = sizes[placed.index] = _size(placed, _times(placed, environments), products, tree, sizes)
        held[placed.index] = size + _inside(placed, tree, held, environments)
        if size > VALUE_BYTES:
            message = f"the output may take {size / MIB:,.1f} MiB, more than the {VALUE_BYTES // MIB} of one value"
            report.add("too-much-data", message, placed.path, fix=_SMALLER)
            sizes[placed.index] = 0  # said once, where it begins
    given = most_bytes(Shape.of(workflow.spec.input))
    if given > VALUE_BYTES:
        message = f"the input may take {given / MIB:,.1f} MiB, more than the {VALUE_BYTES // MIB} of one value"
        report.add("too-much-data", message, ("spec", "input"), fix=_SMALLER)
    state = given + _whole(tree, held)
    if state > STATE_BYTES:
        message = f"one execution may hold {state / MIB:,.1f} MiB of values, more than {STATE_BYTES // MIB}"
        report.add("too-much-data", message, ("spec", "tasks"), fix=_SMALLER)


def most_events(workflow: Workflow, tree: Tree, tasks: Mapping[str, WorkflowTask], environments: Environments) -> int:
    """The most events that the log of one execution can have."""
    events: dict[int, int] = {}
    for placed in reversed(tree.tasks):
        own = _own(placed, tasks) + _generated(placed)
        events[placed.index] = own + _inside(placed, tree, events, environments)
    return OF_EXECUTION + (OF_PLACE if workflow.spec.concurrency is not None else 0) + _whole(tree, events)


def _whole(tree: Tree, counts: Mapping[int, int]) -> int:
    """The sum of what is counted for the tasks of the workflow, and for those at its end."""
    return sum(counts[index] for body in tree.bodies if body.owner is None for index in body.tasks)


def _inside(placed: Placed, tree: Tree, counts: Mapping[int, int], environments: Environments) -> int:
    """What is counted for the tasks inside a task: all iterations of a loop, the longest case of a switch, and what
    stands in besides."""
    inner = [sum(counts[index] for index in tree.bodies[body].tasks) for body in placed.inner]
    fallback = placed.task.fallback
    stands_in = 0 if fallback is None or fallback.inner is None else inner.pop()
    if isinstance(placed.task.block, ForEach):
        return _times(placed, environments) * inner[0] + stands_in
    return max(inner, default=0) + stands_in


def _times(placed: Placed, environments: Environments) -> int:
    """How often what is inside a task runs: as often as the list or schema tells, once where nothing does."""
    block = placed.task.block
    counted = count_of(environments.items(placed, block)) if isinstance(block, ForEach) else None
    return 1 if counted is None else counted[0]


def _own(placed: Placed, tasks: Mapping[str, WorkflowTask]) -> int:
    """The events of a task itself."""
    task = placed.task
    document = tasks.get(task.task_ref) if task.task_ref is not None else None
    work: Task | WorkflowTaskSpec = task if document is None else document.spec
    kind = None if work.type is None else find_type(work.type)
    count = OF_PLACE if task.concurrency is not None else 0
    count += 1 if task.fallback is not None and task.fallback.inner is not None else 0
    if kind is None or not (kind.steps or kind.waits or kind.composes):
        retry = task.retry or work.retry
        return count + OF_ATTEMPT * (1 if retry is None else retry.max_attempts)
    if kind.steps:
        return count + 1
    if kind.waits and kind.composes:
        return count + 1 + OF_CHILD * (1 if task.retry is None else task.retry.max_attempts)
    if isinstance(work.block, Approval):
        return count + 2 + work.block.required
    return count + (3 if isinstance(work.block, Event) else 2)


def _generated(placed: Placed) -> int:
    """Generated tasks are attempted once, as far as anybody knows."""
    block = placed.task.block
    return OF_ATTEMPT * block.max if isinstance(block, Generate) else 0


def _size(placed: Placed, times: int, products: Products, tree: Tree, sizes: Mapping[int, int]) -> int:
    """The most bytes of what a task puts out, as far as schemas tell."""
    block = placed.task.block
    if not isinstance(block, ForEach) or placed.task.output is not None:
        return most_bytes(products.read[placed.index])
    last = products.last(tree.bodies[placed.inner[0]])
    return 2 + times * (_ENTRY + sum(len(name) + 4 + sizes[index] for name, index in last.items()))


_ENTRY: Final = len('{"error":null,"output":{},"status":"succeeded"},')
