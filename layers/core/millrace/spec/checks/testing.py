"""Checks of the tests in a document: that they name what exists, and that what they mock can be asked for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from millrace.base.errors import ExpressionError
from millrace.base.limits import UNKNOWN_ATTEMPTS
from millrace.expr import Scope, compile_expression
from millrace.spec.checks.expectations import Expectations
from millrace.spec.checks.report import Report
from millrace.spec.dependencies import Graph
from millrace.spec.findings import Path
from millrace.spec.input_check import validate_input
from millrace.spec.models import Retry, Workflow, WorkflowTask
from millrace.spec.models.testing import Case, Moment
from millrace.spec.outcomes import Outcomes
from millrace.spec.placing import place
from millrace.spec.registry import TaskType, find_type
from millrace.spec.schema_check import schema_problems
from millrace.spec.scopes import assert_scope
from millrace.spec.suggest import asking
from millrace.spec.task_names import TaskNames, task_id, task_names


def check_cases(
    report: Report, workflow: Workflow, tasks: Mapping[str, WorkflowTask], graph: Graph, outcomes: Outcomes
) -> None:
    """Every test of a workflow. ``tasks`` are the reusable ones by the text of each ``taskRef``."""
    if not workflow.spec.tests:
        return
    names = task_names(report.source.value)
    scope = assert_scope(names.tasks, workflow.spec.input, workflow.spec.config)
    judge = _Judge(report, workflow, tasks, names, scope)
    expected = Expectations(report, graph.needs, names, outcomes.dead, judge.knows, judge.attempted)
    seen: dict[str, int] = {}
    for index, case in enumerate(workflow.spec.tests):
        path: Path = ("spec", "tests", index)
        if seen.setdefault(case.name, index) != index:
            line = report.source.position(("spec", "tests", seen[case.name], "name"))[0]
            message = f'the name "{case.name}" is taken by the test in line {line}'
            report.add("duplicate-id", message, (*path, "name"), fix="Give one of them another name.")
        judge.case(case, path)
        expected.judge(case.expect, (*path, "expect"))


def _unasked(kind: TaskType) -> bool:
    """Whether tasks of a type ask nobody outside: another workflow is asked, and answers like an attempt."""
    return kind.steps or (kind.composes and not kind.waits) or (kind.waits and not kind.composes)


class _Judge:
    def __init__(
        self,
        report: Report,
        workflow: Workflow,
        tasks: Mapping[str, WorkflowTask],
        names: TaskNames,
        scope: Scope,
    ) -> None:
        self.report = report
        self.workflow = workflow
        self.tasks = tasks
        self.names = names
        self.scope = scope

    def case(self, case: Case, path: Path) -> None:
        spec, report = self.workflow.spec, self.report
        checked = None if schema_problems(spec.input) else validate_input(spec.input, case.input)
        if checked is not None and not checked.valid:
            message = f"the input does not fit the input schema. {checked.suggested_prompt}"
            at = (*path, "input") if "input" in case.model_fields_set else path
            report.add("type-mismatch", message, at, fix="Correct the input of the test.")
        for key in case.config:
            if key not in spec.config:
                names = report.nearest(key, spec.config)
                message = f'there is no constant "{key}".{asking(names)}'
                fix = f"Write {names[0]}." if names else "Add it to config, or take it out."
                at_key = report.source.key_position((*path, "config", key))
                report.add("unknown-config", message, (*path, "config", key), fix=fix, names=names, at=at_key)
        for name in case.tasks:
            if self.knows(name, (*path, "tasks", name)):
                self._mock(case, name, (*path, "tasks", name))
        self._messages(case, path)
        for index, text in enumerate(case.expect.asserts):
            self._assert(text, (*path, "expect", "asserts", index))

    def knows(self, name: str, path: Path) -> bool:
        """Whether there is such a task; a finding if there is none."""
        if self.names.knows(name):
            return True
        names = self.report.nearest(task_id(name), self.names.tasks)
        fix = f"Write {names[0]}." if names else "Name a task of the workflow, by id or by path."
        message = f'there is no task "{name}".{asking(names)}'
        self.report.add("unknown-task", message, path, fix=fix, names=names)
        return False

    def kinds(self, name: str) -> list[TaskType]:
        """The types of the tasks that a path or id can mean, as far as known."""
        found = []
        for raw in self.names.tasks.get(task_id(name), ()):
            reference = raw.get("taskRef")
            document = self.tasks.get(reference) if isinstance(reference, str) else None
            kind = find_type(document.spec.type if document is not None else str(raw.get("type")))
            if kind is not None:
                found.append(kind)
        return found

    def attempted(self, name: str, path: Path, what: str) -> bool:
        """Whether attempts of this task ask for anything; a finding if none ever does."""
        kinds = self.kinds(name)
        if not kinds or not all(_unasked(kind) for kind in kinds):
            return True
        how = "computed from what it reads" if kinds[0].steps else "made of other tasks"
        how = "waited for" if kinds[0].waits else how
        message = f'{what} "{name}" can never count: a task of type {kinds[0].name} is {how}, not attempted'
        fix = "Take it out." if kinds[0].steps else "Take it out, and use signals or decisions."
        self.report.add("impossible-test", message, path, fix=fix)
        return False

    def _mock(self, case: Case, name: str, path: Path) -> None:
        kinds = self.kinds(name)
        if not self.attempted(name, path, "the mock of"):
            return
        results = case.tasks[name]
        if kinds and not any(kind.name == "http" for kind in kinds) and any(result.answers for result in results):
            message = f'"{name}" is of type {kinds[0].name}: only an http task is answered by status, headers and body'
            self.report.add("impossible-test", message, path, fix="Write output, or failure.")
        raw = self.names.tasks.get(task_id(name), ())
        if any(result.answers for result in results) and any(map(self._pages, raw)):
            message = f'"{name}" reads pages, which one answer cannot stand for'
            fix = "Write output: {status, headers, body: {items, complete}, durationMs, pages}."
            self.report.add("impossible-test", message, path, fix=fix)
        most = max((self._attempts(task) for task in raw), default=len(results))
        if most < len(results):
            message = f'"{name}" has at most {most} attempts, so the results after that are never used'
            self.report.add("no-effect", message, path, fix="Take them out, or add a retry with more attempts.")

    def _pages(self, raw: dict[str, Any]) -> bool:
        """Whether an http task reads more than one answer."""
        reference = raw.get("taskRef")
        document = self.tasks.get(reference) if isinstance(reference, str) else None
        request = raw.get("request") if document is None else document.spec.block_json
        return isinstance(request, dict) and "paging" in request

    def _attempts(self, raw: dict[str, Any]) -> int:
        """The most attempts of a task; a crash may repeat one without a declared retry."""
        reference = raw.get("taskRef")
        document = self.tasks.get(reference) if isinstance(reference, str) else None
        if isinstance(raw.get("retry"), dict):
            return int(raw["retry"].get("maxAttempts", Retry().max_attempts))
        if document is not None and document.spec.retry is not None:
            return document.spec.retry.max_attempts
        return UNKNOWN_ATTEMPTS

    def _messages(self, case: Case, path: Path) -> None:
        for index, decision in enumerate(case.decisions):
            at: Path = (*path, "decisions", index, "task")
            kinds = self.kinds(decision.task) if self.knows(decision.task, at) else []
            if kinds and all(kind.name != "approval" for kind in kinds):
                message = f'"{decision.task}" is of type {kinds[0].name}, and only an approval is decided'
                self.report.add("impossible-test", message, at, fix="Name an approval.")
        every = [raw for same in self.names.tasks.values() for raw in same]
        awaited = [raw["event"].get("type") for raw in every if isinstance(raw.get("event"), dict)]
        open_ended = any("{{" in str(name) for name in awaited) or any("taskRef" in raw for raw in every)
        for index, signal in enumerate(case.signals):
            if signal.name not in awaited and not open_ended:
                message = f'no event of this workflow waits for "{signal.name}"'
                self.report.add("no-effect", message, (*path, "signals", index, "name"), fix="Correct the name.")
        moments: list[tuple[Path, Moment]] = [(("signals", at), signal) for at, signal in enumerate(case.signals)]
        moments += [(("decisions", at), decision) for at, decision in enumerate(case.decisions)]
        moments += [] if case.cancel is None else [(("cancel",), case.cancel)]
        for where, moment in moments:
            if moment.after is not None:
                self.knows(moment.after, (*path, *where, "after"))

    def _assert(self, text: str, path: Path) -> None:
        try:
            expression = compile_expression(text, scope=self.scope)
        except ExpressionError as error:
            facts = error.facts
            at = place(self.report.source, path, str(facts.get("source", "")), int(facts.get("offset", 0)))
            code = "unknown-reference" if facts.get("reason") == "unknown-root" else "bad-expression"
            self.report.add(code, error.message, path, fix=error.hint, at=at)
            return
        for read in expression.paths:
            if read.root == "tasks" and read.segments and isinstance(read.segments[0], str):
                self.knows(read.segments[0], path)
