"""Constructs of the language that have a name but no meaning yet, and other tools' spellings of those that have.

Running a workflow without its `llm` task would be wrong, so such a construct is an error; a budget that nobody
enforces yet is kept in the document and mentioned.
"""

from __future__ import annotations

import copy
from typing import Any, Final

from millrace.spec.findings import Finding, Path
from millrace.spec.nesting import task_paths
from millrace.spec.source import Node, Source

UNAVAILABLE_TYPES: Final = frozenset(
    [
        "emit",
        "llm",
        "llm-router",
        "notify",
        "workflow",
    ]
)
KEPT: Final = frozenset(
    [
        "breakingChanges",
        "budget",
        "cache",
        "compliance",
        "costConfig",
        "deployment",
        "deprecated",
        "edge",
        "execution",
        "exposure",
        "guardrails",
        "migrations",
        "schemaVersion",
        "slo",
    ]
)
READ_SPEC: Final = frozenset(["deprecated"])
"""Read in the spec of a workflow or reusable task; kept in a task of a workflow."""
KEPT_SPEC: Final = frozenset(["externalState", "triggers"])
"""Kept in the spec of a workflow, and only there."""
KEPT_EXECUTION: Final = frozenset(["fallback", "location", "regions"])
"""Kept in the block `execution` of a workflow, of which the mode is read."""
TASK_ALIASES: Final = {"needs": "dependsOn", "if": "condition", "when": "condition", "runIf": "condition"}
DEPENDENCY_ALIASES: Final = {"if": "condition", "when": "condition", "runIf": "condition"}

_KEPT: Final = "Leave it for the release that reads it, or take it out."


def rename_aliases(source: Source) -> list[Finding]:
    """Give other tools' keys our names, in place. A pair that says the same twice is an error."""
    findings: list[Finding] = []
    for path in task_paths(source.value):
        task = _node(source, path)
        findings += _rename(task, path, TASK_ALIASES)
        needs = task.children.get("dependsOn")
        for index, need in needs.children.items() if needs is not None else ():
            findings += _rename(need, (*path, "dependsOn", index), DEPENDENCY_ALIASES)
    return findings


def _rename(node: Node, path: Path, aliases: dict[str, str]) -> list[Finding]:
    findings = []
    for alias, name in aliases.items():
        if not isinstance(node.value, dict) or alias not in node.value:
            continue
        at = node.keys[alias]
        if name in node.value:
            message = f'"{alias}" is another spelling of "{name}", which is here as well'
            findings.append(Finding("duplicate-key", "error", message, (*path, alias), *at, f"Keep {name}."))
            _drop(node, alias)
            continue
        message = f'"{alias}" is read as "{name}"'
        findings.append(Finding("alias-spelling", "hint", message, (*path, name), *at, f"Write {name}."))
        tables: tuple[dict[Any, Any], ...] = (node.value, node.children, node.keys)
        for table in tables:
            renamed = {name if key == alias else key: item for key, item in table.items()}
            table.clear()
            table.update(renamed)
    return findings


def _drop(node: Node, key: str) -> None:
    del node.value[key], node.children[key], node.keys[key]


def split_known(source: Source) -> tuple[Any, list[Finding]]:
    """The value without the constructs that are known by name only, and a finding for each of them: at the type of a
    task of which nothing is left, at the key otherwise."""
    findings: list[Finding] = []
    value = source.value
    if not isinstance(value, dict) or not isinstance(value.get("spec"), dict):
        return value, findings
    spec = dict(value["spec"])
    path: Path = ("spec",)
    workflow = value.get("kind") == "Workflow"
    if workflow:
        _take(spec, path, source, findings, kept=KEPT - READ_SPEC - {"execution"} | KEPT_SPEC)
        if isinstance(spec.get("execution"), dict):
            spec["execution"] = execution = dict(spec["execution"])
            _take(execution, (*path, "execution"), source, findings, kept=KEPT_EXECUTION)
    else:
        gone = _judge_task(spec, path, source, findings, kept=KEPT - READ_SPEC)
        return {**value, "spec": None if gone else spec}, findings
    return {**value, "spec": _split_tasks(spec, source, findings)}, findings


def _split_tasks(spec: dict[str, Any], source: Source, findings: list[Finding]) -> dict[str, Any]:
    """``spec``, its lists of tasks copied, with what is not available taken out of every task, however deep."""
    value: dict[str, Any] = {"spec": copy.deepcopy(spec)}
    for path in reversed([*task_paths(value)]):  # those inside a task are there as long as it is
        *above, last = path
        holder: Any = value
        for part in above:
            holder = holder[part]
        if _judge_task(holder[last], path, source, findings):
            holder[last] = None
    return dict(value["spec"])


def _judge_task(
    task: dict[str, Any], path: Path, source: Source, findings: list[Finding], *, kept: frozenset[str] = KEPT
) -> bool:
    """Takes what is not available out of a task; True if nothing that could run is left."""
    kind = task.get("type")
    if isinstance(kind, str) and kind in UNAVAILABLE_TYPES:
        findings.append(_error(f'the task type "{kind}"', (*path, "type"), source.position((*path, "type"))))
        return True
    _take(task, path, source, findings, kept=kept)
    return False


def _take(
    holder: dict[str, Any],
    path: Path,
    source: Source,
    findings: list[Finding],
    *,
    kept: frozenset[str],
) -> None:
    for key in [key for key in holder if key in kept]:
        at = source.key_position((*path, key))
        message = f'"{key}" is known, not available yet: it is kept and does nothing'
        findings.append(Finding("kept-for-later", "warning", message, (*path, key), *at, _KEPT))
        del holder[key]


def _error(what: str, path: Path, at: tuple[int, int]) -> Finding:
    message = f"{what} is known, not available yet"
    fix = "Take it out: the workflow would not do what it says without it."
    return Finding("not-available-yet", "error", message, path, *at, fix)


def _node(source: Source, path: Path) -> Node:
    found = source.root
    for part in path:
        found = found.children[part]
    return found
