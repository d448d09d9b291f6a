"""Which names an expression may read at each place of a document."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any, Final

from millrace.expr import Scope
from millrace.spec.tree import Visible

WORKFLOW_ROOTS: Final = frozenset({"input", "tasks", "config", "state", "trigger", "execution", "env", "secrets"})
TASK_ROOTS: Final = frozenset({"input", "execution", "env", "secrets"})
OUTPUT_ROOT: Final = "output"
EVENT_ROOT: Final = "event"
TASK_FIELDS: Final = frozenset({"output", "status", "error", "attempts", "durationMs"})
"""What can be read of a task: ``tasks.<id>.<field>``."""


def workflow_scope(
    ids: Iterable[str],
    schema: Mapping[str, Any],
    config: Mapping[str, Any],
    *,
    state: Iterable[str] = (),
    roots: Iterable[str] = (),
) -> Scope:
    """The scope of a workflow's expressions; what is declared settles how a hyphen reads. ``roots`` are the names that
    a body of tasks adds."""
    known: dict[tuple[str, ...], Collection[str]] = {
        ("tasks",): ids if isinstance(ids, Visible) else frozenset(ids),
        ("tasks", "*"): TASK_FIELDS,
        ("config",): frozenset(config),
        ("state",): frozenset(state),
    }
    return Scope(WORKFLOW_ROOTS | frozenset(roots), declared={**known, **_inputs(schema)})


def task_scope(schema: Mapping[str, Any]) -> Scope:
    """The scope inside a reusable task, where ``input`` is the task's own."""
    return Scope(TASK_ROOTS, declared=_inputs(schema))


def with_roots(scope: Scope, *roots: str) -> Scope:
    """The scope where more is in sight: ``output`` in a mapping, ``event`` in a match, ``value`` in a case, ``error``
    in a fallback."""
    return Scope(scope.roots | set(roots), declared=scope.declared)


def with_output(scope: Scope) -> Scope:
    """The scope of a task's output mapping, which also sees what the task produced."""
    return with_roots(scope, OUTPUT_ROOT)


def event_scope(scope: Scope) -> Scope:
    """The scope of an event's ``match``, which also sees the event: ``{type, id, at, data}``."""
    return with_roots(scope, EVENT_ROOT)


def assert_scope(ids: Iterable[str], schema: Mapping[str, Any], config: Mapping[str, Any]) -> Scope:
    """The scope of what a test asserts: as the workflow's, and how the execution ended. Nobody has secrets there."""
    scope = workflow_scope(frozenset(ids), schema, config)
    return Scope((scope.roots - {"secrets"}) | {OUTPUT_ROOT, "status", "error"}, declared=scope.declared)


def step_scope(scope: Scope) -> Scope:
    """The scope inside a transform step: an item, its index, and the item's fields by their bare names."""
    return Scope(scope.roots | {"item", "index"}, bare="item", declared=scope.declared)


def _inputs(schema: Mapping[str, Any]) -> dict[tuple[str, ...], frozenset[str]]:
    properties = schema.get("properties")
    return {("input",): frozenset(properties)} if isinstance(properties, dict) and properties else {}
