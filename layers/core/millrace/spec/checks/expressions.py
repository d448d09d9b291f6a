"""Checks of expressions: they compile, what they read exists, secrets stay where they may be, conditions are true
or false."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Final

from millrace.base.errors import ExpressionError
from millrace.expr import Read, ReadPath, Wild
from millrace.spec.checks.hyphens import is_settled, meant_as_difference
from millrace.spec.checks.operands import type_of
from millrace.spec.checks.report import Report
from millrace.spec.environment import Environment
from millrace.spec.findings import Path, Severity
from millrace.spec.placing import place
from millrace.spec.scopes import TASK_FIELDS
from millrace.spec.shapes import ANYTHING, Shape, Verdict, disjoint
from millrace.spec.sites import GUARDS, Fault, Site, Sites, texts
from millrace.spec.suggest import asking

_NOTES: Final = {"alias": "alias-spelling"}
_REASONS: Final = {"unknown-root": "unknown-reference", "ambiguous-hyphen": "ambiguous-hyphen"}
_SECRET_PLACES: Final = frozenset((key,) for key in ("headers", "auth", "query", "body", "form", "bodyText"))
_UNKNOWN: Final = {
    "input": "unknown-input",
    "config": "unknown-config",
    "state": "unknown-state",
    "tasks": "unknown-output",
}
_CORRECT: Final = "Correct the expression; docs/reference/expressions.md describes its syntax."
_BOOLEAN: Final = frozenset({"boolean"})


def check_faults(report: Report, sites: Sites) -> None:
    """Expressions and steps that do not compile."""
    for fault in sites.faults:
        _fault(report, fault)


def _fault(report: Report, fault: Fault) -> None:
    error, facts = fault.error, fault.error.facts
    if not isinstance(error, ExpressionError) or "step" in facts:
        fix = error.hint or "Correct the step; docs/reference/transforms.md describes each."
        source = facts.get("source")
        spots = texts(report.source.at(fault.path)) if isinstance(error, ExpressionError) else iter(())
        inside = next((spot for spot, text in spots if text == source), None)
        path = fault.path if inside is None else (*fault.path, *inside)
        at = None if inside is None else place(report.source, path, str(source), int(facts.get("offset", 0)))
        report.add("bad-transform", error.message, path, fix=fix, at=at)
        return
    reason = str(facts.get("reason", ""))
    code = _REASONS.get(reason, "bad-expression")
    source = str(facts.get("source", ""))
    at = place(report.source, fault.path, source, int(facts.get("offset", 0)))
    report.add(code, error.message, fault.path, fix=error.hint or _CORRECT, at=at)


Surroundings = Callable[[int | None], tuple[Environment, Collection[str]]]
"""What a task's expressions can read (those of the workflow itself for None), and the ids among that."""


def check_sites(report: Report, sites: Sites, around: Surroundings, own: Mapping[int, Shape]) -> None:
    """Everything about expressions that compile. ``own`` maps a task's index to the shape of what it produces."""
    for site in sites.sites:
        environment, ids = around(site.task)
        shape = own.get(site.task, ANYTHING) if site.task is not None and site.use == "output" else ANYTHING
        for note in site.expression.warnings:
            name = site.text[note.offset : note.offset + note.length]
            if note.code == "ambiguous-hyphen" and is_settled(name, site, environment, shape):
                continue
            code = _NOTES.get(note.code, note.code)
            fix = f"Write {note.fix}." if note.fix else _CORRECT
            report.add_at(site, note.offset, code, note.message, fix=fix, severity=note.severity)
        for read in site.expression.reads:
            _read(report, site, read, environment, ids, shape)
        if site.use in ("condition", "edge", "match"):
            _boolean(report, site, environment)
    for path in sites.braced_keys:
        fix = "Build the mapping in an expression: {{ {input.name: 1} }}."
        at = report.source.key_position(path)
        report.add("template-key", f"the key {path[-1]} is taken as it is, braces included", path, fix=fix, at=at)
    for at_task, path, read_path in sites.step_reads:
        _in_step(report, at_task, path, read_path, *around(at_task))


def _in_step(
    report: Report, at_task: int | None, path: Path, read: ReadPath, environment: Environment, ids: Collection[str]
) -> None:
    """What a step of a transform reads from outside. Compiled steps do not say which read is guarded, so a path that
    leads nowhere is an error only where no step guards anything."""
    if read.root == "secrets":
        fix = "Read secrets in the headers, auth, query or body of a request."
        message = f"{read} is read where its value would be stored or shown"
        report.add("secret-misplaced", message, path, fix=fix)
        return
    if read.root == "tasks" and read.segments and read.segments[0] not in ids:
        at = report.source.position(path)
        _unknown_task(report, path, str(read.segments[0]), ids, at_task, at, _dotted(read, ids))
        return
    verdict = environment.follow(read)
    if verdict.shape is None and read.root in _UNKNOWN:
        guarded = any(guard in text for _, text in texts(report.source.at(path)) for guard in GUARDS)
        code, message, fix, names = nowhere(report, read, verdict, _UNKNOWN[read.root])
        severity: Severity = "warning" if guarded else "error"
        report.add(code, message, path, fix=fix, names=names, severity=severity)


def _read(
    report: Report, site: Site, read: Read, environment: Environment, ids: Collection[str], own_output: Shape
) -> None:
    path = read.path
    if path.root == "secrets":
        if not _may_hold_secret(site):
            message = f"{path} is read where its value would be stored or shown"
            fix = "Read secrets in the headers, auth, query or body of a request."
            report.add_at(site, read.offset, "secret-misplaced", message, fix=fix)
        return
    if path.root == "tasks" and ids:
        head = path.segments[0] if path.segments else None
        if not isinstance(head, str):
            message = f"{path} reads a task whose id is not known before it runs"
            report.add_at(site, read.offset, "dynamic-task", message, fix="Name the task: tasks.<id>.output.")
            return
        dotted = _dotted(path, ids)
        if head not in ids or (dotted and path.segments[1] not in TASK_FIELDS):
            at = place(report.source, site.path, site.text, read.offset)
            _unknown_task(report, site.path, head, ids, site.task, at, dotted)
            return
    verdict = environment.follow(path, own_output)
    if verdict.shape is not None:
        return
    severity: Severity = "warning" if verdict.index in read.tolerated else "error"
    unknown = _UNKNOWN.get(path.root, "unknown-reference" if path.root != "output" else "unknown-output")
    code, message, fix, names = nowhere(report, path, verdict, unknown)
    report.add_at(site, read.offset, code, message, fix=fix, names=names, severity=severity)


def nowhere(report: Report, path: ReadPath, verdict: Verdict, code: str) -> tuple[str, str, str, tuple[str, ...]]:
    """Code, message, fix and nearest names for a path that leads nowhere: ``code``, unless a hyphen is what did it."""
    if difference := meant_as_difference(path, verdict):
        return "ambiguous-hyphen", *difference, ()
    segment = path.segments[verdict.index]
    name = "a computed position" if isinstance(segment, Wild) else str(segment)
    names = report.nearest(name, verdict.known)
    fix = f"Write {names[0]}." if names else _declared(verdict.known)
    if verdict.reason:
        return code, f"{path}: there is no {name}, since {verdict.reason}", fix, names
    return code, f"{path}: {name} is not declared.{asking(names)}", fix, names


def _declared(known: tuple[str, ...]) -> str:
    if not known:
        return "Declare it in the schema, or read something else."
    shown = ", ".join(sorted(known)[:12])
    return f"Declared there: {shown}{' and more' if len(known) > 12 else ''}."


def _unknown_task(
    report: Report,
    path: Path,
    name: str,
    ids: Collection[str],
    reader: int | None,
    at: tuple[int, int],
    dotted: str,
) -> None:
    if dotted:
        message = f"{dotted} is a task, and after a dot only {name} is read as its id"
        fix = f'Write tasks["{dotted}"].'
        report.add("unknown-task", message, path, fix=fix, names=(f'tasks["{dotted}"]',), at=at)
        return
    report.no_task(name, ids, path, reader=reader, otherwise="Add the task, or read another one.", at=at)


def _dotted(path: ReadPath, ids: Collection[str]) -> str:
    """The id with dots that the beginning of a path spells, or nothing."""
    name = str(path.segments[0])
    for segment in path.segments[1:]:
        if not isinstance(segment, str):
            break
        name += f".{segment}"
        if name in ids:
            return name
    return ""


def _may_hold_secret(site: Site) -> bool:
    above = site.path[: len(site.path) - len(site.inside)]
    return site.use == "block" and above[-1] == "request" and site.inside[:1] in _SECRET_PLACES


def _boolean(report: Report, site: Site, environment: Environment) -> None:
    found = type_of(site, environment)
    if disjoint(found, _BOOLEAN):
        kinds = " or ".join(sorted(found or ()))
        message = f"the condition is {kinds}, not true or false"
        fix = "Compare it with something, as in value == 'x' or size(value) > 0."
        report.add_at(site, site.expression.offset, "not-boolean", message, fix=fix)
