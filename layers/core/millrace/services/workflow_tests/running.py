"""Running the tests of one workflow: each on its own, with nothing but what it says itself."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from msgspec import Struct, field
from msgspec.structs import replace

from millrace.base.errors import InvalidInput, MillraceError
from millrace.driver.values import ValueCodec
from millrace.engine import events as ev
from millrace.engine.compile import compile_plan
from millrace.engine.plan import Plan
from millrace.ports.rehearsal import Rehearse
from millrace.services.execution_view import view
from millrace.services.workflow_tests.fitting import Declared
from millrace.services.workflow_tests.judging import Actual, Mismatch, judge
from millrace.services.workflow_tests.mocks import CaseAnswers, CaseMessages
from millrace.services.workflow_tests.player import Answers, Played, Player
from millrace.spec import Workflow, WorkflowTask, validate_input
from millrace.spec.models.testing import Case


class Subject(Struct, frozen=True):
    """What is tested: a checked workflow and its plan. ``declared`` is what mocks are held against, None for none."""

    workflow: Workflow
    plan: Plan
    version: str = ""
    declared: Declared | None = None

    @property
    def name(self) -> str:
        return self.workflow.metadata.name


def subject_of(
    workflow: Workflow, tasks: Mapping[str, WorkflowTask], hashes: Mapping[str, str], *, version: str = ""
) -> Subject:
    """``tasks`` and ``hashes`` are by the text of each ``taskRef``."""
    plan = compile_plan(workflow, tasks, hashes=hashes)
    return Subject(workflow, plan, version or workflow.spec.version or "", Declared(workflow, tasks))


class CaseResult(Struct, frozen=True):
    """``status`` is ``passed``, ``failed`` (an expectation does not hold) or ``error`` (the test cannot be run, as
    ``problem`` says); ``duration_ms`` is by the clock of the test; ``played`` is None where nothing was played."""

    name: str
    status: str
    mismatches: tuple[Mismatch, ...] = ()
    problem: MillraceError | None = None
    duration_ms: int = 0
    execution: Mapping[str, Any] = field(default_factory=dict)
    played: Played | None = None
    notes: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """``{name, status, durationMs, failures, error, notes, tasks}``; ``tasks`` are statuses by path."""
        problem = self.problem
        return {
            "name": self.name,
            "status": self.status,
            "durationMs": self.duration_ms,
            "failures": [mismatch.to_json() for mismatch in self.mismatches],
            "error": None if problem is None else _problem(problem),
            "notes": list(self.notes),
            "tasks": {path: task["status"] for path, task in self.execution.get("tasks", {}).items()},
        }


def _problem(problem: MillraceError) -> dict[str, Any]:
    return {"code": problem.code, "message": problem.message, "hint": problem.hint}


def run_cases(subject: Subject, cases: Iterable[Case], rehearse: Rehearse) -> list[CaseResult]:
    """The result of each test, in order. Nothing is stored, called or waited for."""
    return [run_case(subject, case, rehearse) for case in cases]


def run_case(subject: Subject, case: Case, rehearse: Rehearse) -> CaseResult:
    """One test. What goes wrong with the test itself is in the result, not raised."""
    begin = instant(case.now)
    codec = ValueCodec(case.execution.id)
    messages = CaseMessages(case, begin, codec)
    answers = CaseAnswers(case, case.execution.id, rehearse)
    try:
        execution, played, scope = play_case(subject, case, answers, messages, codec)
    except MillraceError as problem:
        return CaseResult(case.name, "error", problem=problem)
    order = [event.path for event in played.events if isinstance(event, ev.TaskFinished)]
    found = [] if subject.declared is None else list(subject.declared.misfits(case))
    found += judge(case.expect, Actual(subject.workflow, execution, played.calls, order, scope))
    return CaseResult(
        name=case.name,
        status="failed" if found else "passed",
        mismatches=tuple(found),
        duration_ms=played.events[-1].at - begin,
        execution=execution,
        played=played,
        notes=tuple(messages.unsent()),
    )


def play_case(
    subject: Subject, case: Case, answers: Answers, messages: CaseMessages, codec: ValueCodec
) -> tuple[dict[str, Any], Played, dict[str, Any]]:
    """The execution as people see it, how it came about, and what its expressions saw beside ``tasks``.

    Raises InvalidInput for an input that does not fit, and what answers and messages raise.
    """
    workflow = subject.workflow
    value = _input(workflow, case)
    plan = replace(subject.plan, config={**workflow.spec.config, **case.config})
    started = start_event(subject, case, codec, value)
    played = Player(plan, answers, messages, codec).play(started, value)
    execution = view(played.events, played.content)
    if played.waiting:
        execution["status"] = "waiting"
    facts = {"id": started.execution, "workflow": started.workflow, "version": started.version}
    scope = {
        "input": value,
        "config": plan.config,
        "trigger": case.trigger,
        "env": case.env,
        "execution": {**facts, "startedAt": started.at, "mode": started.mode},
    }
    return execution, played, scope


def _input(workflow: Workflow, case: Case) -> Any:
    checked = validate_input(workflow.spec.input, case.input)
    if not checked.valid:
        raise InvalidInput(
            f"The input of the test does not fit the schema of workflow {workflow.metadata.name!r}.",
            hint=checked.suggested_prompt or "Correct the input of the test.",
            facts=checked.to_json(),
        )
    return checked.value


def start_event(subject: Subject, case: Case, codec: ValueCodec, value: Any) -> ev.ExecutionStarted:
    """The event that the execution of a test begins with."""
    version = subject.version if case.execution.version is None else case.execution.version
    return ev.ExecutionStarted(
        at=instant(case.now),
        tenant="test",
        namespace=subject.workflow.metadata.namespace,
        execution=case.execution.id,
        workflow=subject.name,
        revision=0,
        version=version,
        content_hash="",
        behaviour_hash="",
        input=codec.encode(value),
        mode=case.execution.mode,
        trigger=case.trigger,
        env=case.env,
        semantics=ev.SEMANTICS,
        seed=case.seed,
    )


def instant(text: str) -> int:
    """Milliseconds since 1970 of an instant in RFC 3339."""
    return round(datetime.fromisoformat(text).timestamp() * 1000)
