"""Every expression of a document, compiled once, with the place where it stands.

Dependencies, references and all checks read this one list.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Final, Literal

from msgspec import Struct

from millrace.base.errors import ExpressionError, UserError
from millrace.expr import Expression, ReadPath, Scope, compile_expression, compile_template
from millrace.spec.findings import Path
from millrace.spec.models import Workflow, WorkflowTask
from millrace.spec.registry import find_type
from millrace.spec.scopes import step_scope, task_scope, with_output, with_roots, workflow_scope
from millrace.spec.tree import Tree, tree_of

GUARDS: Final = ("?.", "??", "has(")
"""How an expression says that what it reads may be missing."""
_MOST_BROKEN: Final = 10
"""Steps of one transform that are reported; each costs another look at all of them."""
_STAND_INS: Final[dict[str, dict[str, Any]]] = {"aggregate": {"aggregate": {"n": "count"}}, "groupBy": {"groupBy": "n"}}
"""Steps that leave behind what a broken one of their kind would have; other kinds leave items, as a filter does."""
Use = Literal["condition", "edge", "input", "block", "match", "output", "fallback", "state", "concurrency"]
TransformCheck = Callable[[Sequence[dict[str, Any]], Scope], Any]
"""Compiles the steps of a transform in a scope: raises TransformError or ExpressionError; the result may have
``paths``, ``strays()`` and ``steps`` (`millrace.engine.transforms`)."""


class Site(Struct, frozen=True):
    """One expression. ``task`` is the index of its task in the tree, None for the workflow's output and state;
    ``whole`` says that it is the entire value at ``path``; ``text`` is the text there; ``inside`` is the path below
    what it belongs to: the block of the task, or its input."""

    path: Path
    task: int | None
    use: Use
    expression: Expression
    text: str
    whole: bool
    inside: Path = ()


class Fault(Struct, frozen=True):
    """An expression or step that does not compile."""

    path: Path
    task: int | None
    error: UserError


class Sites(Struct, frozen=True):
    """All sites, all faults, what the steps of transforms read from outside (task index, path, read), the keys
    in templates that hold braces, and the compiled steps of transforms (task index, path, what `TransformCheck`
    gave)."""

    sites: tuple[Site, ...]
    faults: tuple[Fault, ...]
    step_reads: tuple[tuple[int, Path, ReadPath], ...]
    braced_keys: tuple[Path, ...] = ()
    plans: tuple[tuple[int, Path, Any], ...] = ()


def workflow_sites(
    workflow: Workflow, check_transform: TransformCheck | None = None, tree: Tree | None = None
) -> Sites:
    """The sites of a workflow. Linear in its size."""
    spec = workflow.spec
    tree = tree or tree_of(workflow)
    collector = _Collector(check_transform)
    scopes = body_scopes(workflow, tree)
    for name, source in spec.state.items():
        collector.template(source, ("spec", "state", name), None, "state", scopes[0])
    for placed in tree.tasks:
        task, base, index, scope = placed.task, placed.path, placed.index, scopes[placed.body]
        collector.condition(task.condition, (*base, "condition"), index, "condition", scope)
        for at, need in enumerate(task.depends_on):
            collector.condition(need.condition, (*base, "dependsOn", at, "condition"), index, "edge", scope)
        collector.template(task.input, placed.place("input"), index, "input", scope)
        collector.block(task, base, index, scope)
        collector.template(task.output, (*base, "output"), index, "output", with_output(scope))
        if task.concurrency is not None:
            for key, value in task.concurrency.templates().items():
                collector.template(value, (*base, "concurrency", key), index, "concurrency", scope)
        if task.fallback is not None:
            value = task.fallback.value
            collector.template(value, (*base, "fallback", "value"), index, "fallback", with_roots(scope, "error"))
    if spec.concurrency is not None:
        for key, value in spec.concurrency.templates().items():
            collector.template(value, ("spec", "concurrency", key), None, "concurrency", scopes[0])
    collector.template(spec.output, ("spec", "output"), None, "output", scopes[0])
    return collector.done()


def body_scopes(workflow: Workflow, tree: Tree) -> tuple[Scope, ...]:
    """What the expressions of each body may read."""
    spec = workflow.spec
    return tuple(
        workflow_scope(
            tree.visible[body.index], spec.input, spec.config, state=spec.state, roots=tree.roots(body.index)
        )
        for body in tree.bodies
    )


def task_sites(document: WorkflowTask, check_transform: TransformCheck | None = None) -> Sites:
    """The sites of a reusable task."""
    collector = _Collector(check_transform)
    scope = task_scope(document.spec.input_schema)
    collector.block(document.spec, ("spec",), 0, scope)
    return collector.done()


class _Collector:
    def __init__(self, check_transform: TransformCheck | None) -> None:
        self._check = check_transform
        self._sites: list[Site] = []
        self._faults: list[Fault] = []
        self._reads: list[tuple[int, Path, ReadPath]] = []
        self._keys: list[Path] = []
        self._plans: list[tuple[int, Path, Any]] = []

    def done(self) -> Sites:
        return Sites(tuple(self._sites), tuple(self._faults), tuple(self._reads), tuple(self._keys), tuple(self._plans))

    def condition(self, source: Any, path: Path, task: int, use: Use, scope: Scope) -> None:
        if not isinstance(source, str):
            return
        try:
            expression = compile_expression(source, scope=scope)
        except ExpressionError as error:
            self._faults.append(Fault(path, task, error))
        else:
            self._sites.append(Site(path, task, use, expression, source, True))

    def template(self, value: Any, path: Path, task: int | None, use: Use, scope: Scope) -> None:
        self._keys += [(*path, *place) for place in _braced(value)]
        for place, text in texts(value):
            if "{{" not in text:
                continue
            where = (*path, *place)
            try:
                template = compile_template(text, scope=scope)
            except ExpressionError as error:
                self._faults.append(Fault(where, task, error))
                continue
            for site in template.sites:
                inner = site.expression
                self._sites.append(Site(where, task, use, inner, text, is_alone(text, inner), place))

    def block(self, holder: Any, base: Path, task: int, scope: Scope) -> None:
        kind = find_type(holder.type) if holder.type is not None else None
        if kind is None or holder.block_json is None:
            return
        path = base if kind.key is None else (*base, kind.key)
        for place, source in kind.conditions(holder.block):
            self.condition(source, (*path, *place), task, "match", with_roots(scope, kind.condition_root))
        if kind.templated:
            self.template(kind.templates(holder.block_json), path, task, "block", scope)
        elif not kind.steps:
            return
        elif self._check is None:
            self._guess(holder.block_json, path, task, step_scope(scope))
        else:
            plan, broken = self._compiled(self._check, list(holder.block_json), path, task, scope)
            self._reads += [(task, path, read) for read in getattr(plan, "paths", ())]
            if not broken:
                self._plans.append((task, path, plan))

    def _compiled(
        self, check: TransformCheck, steps: list[dict[str, Any]], path: Path, task: int, scope: Scope
    ) -> tuple[Any, frozenset[int]]:
        """The steps as compiled, None where they cannot be, and which are at fault: another step stands in for each, so
        that those behind it are judged too."""
        broken: frozenset[int] = frozenset()
        while len(broken) < _MOST_BROKEN:
            try:
                return check(steps, scope), broken
            except UserError as error:
                at = error.facts.get("step")
                if at in broken:  # what was said of it already leaves nothing for it to work on
                    break
                self._faults.append(Fault(_step_path(path, error), task, error))
                if not isinstance(at, int):
                    break
                broken |= {at}
                steps[at] = _STAND_INS.get(next(iter(steps[at]), ""), {"filter": "true"})
        return None, broken | {-1}

    def _guess(self, steps: Any, path: Path, task: int, scope: Scope) -> None:
        """What steps read, without knowing which of their texts are expressions: any that compiles may be one."""
        for place, text in texts(steps):
            try:
                paths: Iterable[ReadPath] = compile_template(text, scope=scope).paths
                if "{{" not in text and "tasks" in text:
                    paths = compile_expression(text, scope=scope).paths
            except ExpressionError:
                continue
            self._reads += [(task, (*path, *place), read) for read in paths if read.root != "item"]


def _braced(value: Any) -> Iterator[Path]:
    """Every key with braces, in document order."""
    stack: list[tuple[Path, Any]] = [((), value)]
    while stack:
        path, item = stack.pop()
        if path and isinstance(path[-1], str) and "{{" in path[-1]:
            yield path
        if isinstance(item, dict):
            stack.extend(((*path, key), below) for key, below in reversed(item.items()))
        elif isinstance(item, list):
            stack.extend(((*path, index), item[index]) for index in range(len(item) - 1, -1, -1))


def texts(value: Any) -> Iterator[tuple[Path, str]]:
    """Every text in a value with its place, in document order."""
    stack: list[tuple[Path, Any]] = [((), value)]
    while stack:
        path, item = stack.pop()
        if isinstance(item, str):
            yield path, item
        elif isinstance(item, dict):
            stack.extend(((*path, key), below) for key, below in reversed(item.items()))
        elif isinstance(item, list | tuple):
            stack.extend(((*path, index), item[index]) for index in range(len(item) - 1, -1, -1))


def is_alone(text: str, expression: Expression) -> bool:
    """Whether the expression is the whole text, so that its value keeps its type."""
    before, after = text[: expression.offset], text[expression.offset + expression.length :]
    return before.strip() == "{{" and after.strip() == "}}" and before.startswith("{{") and after.endswith("}}")


def _step_path(path: Path, error: UserError) -> Path:
    step = error.facts.get("step")
    return (*path, step) if isinstance(step, int) else path
