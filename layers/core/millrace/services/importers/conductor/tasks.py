"""Tasks of a definition by their type."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final

from millrace.services.importers.bounds import limit_attempt
from millrace.services.importers.conductor.paths import BRACES, HTTP_OUTPUT, References
from millrace.services.importers.draft import Draft, Task
from millrace.services.importers.order import Edge, Frontier, joined, merged, narrowed, none_of, place
from millrace.services.importers.reading import listing, mapping, number, text, truth
from millrace.services.importers.requests import attempts, duration, request, seconds
from millrace.services.importers.result import Path
from millrace.services.importers.scripts import Unknown
from millrace.services.importers.spelling import quoted, slug
from millrace.services.importers.templates import Templates

TABLE: Final = {
    "HTTP": "`http` task",
    "SIMPLE": "`taskRef` of the worker's name, which has to be written (unmapped)",
    "SWITCH, DECISION": "conditions on the tasks inside",
    "FORK_JOIN, JOIN": "tasks side by side, and dependencies on those joined",
    "DYNAMIC_FORK, FORK_JOIN_DYNAMIC": "`forEach` over the inputs, where one task or workflow is named",
    "SUB_WORKFLOW, START_WORKFLOW": "`workflowRef`; the latter `detached`",
    "WAIT": "`wait`; without a time, an `event` of the reference's name",
    "HUMAN": "an approval",
    "SET_VARIABLE": "a `transform` that gives the values",
    "TERMINATE": "a `transform` that fails; a status of COMPLETED is left out (unmapped)",
    "NOOP": "nothing",
    "DO_WHILE, LAMBDA, INLINE, JSON_JQ_TRANSFORM, EVENT, KAFKA_PUBLISH and others": (
        "a `taskRef` that has to be written (unmapped)"
    ),
    "retryCount, retryLogic, retryDelaySeconds": "`retry`",
    "optional": "`continueOnError`",
    "SWITCH in JavaScript": "the expression, where it only compares; any other is left out (unmapped)",
}
_PATH: Final = re.compile(r"[A-Za-z_][\w.\[\]'-]*")
_LOGIC: Final = {"FIXED": "constant", "LINEAR_BACKOFF": "linear", "EXPONENTIAL_BACKOFF": "exponential"}
_UNITS: Final = re.compile(r"(\d+)\s*(days?|hours?|minutes?|mins?|seconds?|secs?|[dhms])\b")
_DEEPEST: Final = 16
_FAILED: Final = "FAILED"


class Sequences:
    """Sequences of tasks of one level: the definition, or the inside of a loop."""

    def __init__(
        self, draft: Draft, references: References, templates: Templates, tasks: list[Task], depth: int = 0
    ) -> None:
        self._draft, self._references, self._templates = draft, references, templates
        self._tasks, self._depth = tasks, depth
        self._forks: dict[str, Frontier] = {}
        self._kinds: dict[str, Callable[[dict[str, Any], Frontier, Path], Frontier]] = {
            "SWITCH": self._switch,
            "DECISION": self._decision,
            "FORK_JOIN": self._fork,
            "FORK": self._fork,
            "JOIN": self._join,
            "TERMINATE": self._terminate,
            "NOOP": lambda _task, frontier, _path: frontier,
        }
        self._leaves: dict[str, Callable[[str, dict[str, Any], Path], Task]] = {
            "HTTP": self._http,
            "SUB_WORKFLOW": self._child,
            "START_WORKFLOW": self._child,
            "WAIT": self._wait,
            "HUMAN": self._human,
            "SET_VARIABLE": self._variables,
            "FORK_JOIN_DYNAMIC": self._dynamic,
            "DYNAMIC_FORK": self._dynamic,
        }

    def run(self, source: Any, frontier: Frontier, path: Path) -> Frontier:
        """Tasks one behind the other; where control stands behind the last."""
        if self._depth > _DEEPEST:
            self._draft.unmapped(path, "tasks are nested too deeply")
            return frontier
        self._depth += 1
        for index, one in enumerate(listing(source)):
            frontier = self._task(mapping(one), frontier, (*path, index))
        self._depth -= 1
        return frontier

    def _task(self, task: dict[str, Any], frontier: Frontier, path: Path) -> Frontier:
        kind = text(task.get("type"), "SIMPLE")
        reference = text(task.get("taskReferenceName"), text(task.get("name"), "task"))
        if kind in self._kinds:
            return self._kinds[kind](task, frontier, path)
        make = self._leaves.get(kind)
        made = make(reference, task, path) if make is not None else self._missing(reference, kind, task, path)
        identifier = str(made["id"])
        self._references.ids[reference] = identifier
        self._policies(made, task)
        self._tasks.append(place(made, frontier))
        return Edge(identifier, outcome="ended" if made.get("continueOnError") else "succeeded")

    def _inputs(self, task: dict[str, Any], path: Path) -> dict[str, Any]:
        return dict(self._templates.value(mapping(task.get("inputParameters")), (*path, "inputParameters")))

    def _missing(self, reference: str, kind: str, task: dict[str, Any], path: Path) -> Task:
        name = text(task.get("name"), reference)
        what = name if kind == "SIMPLE" else f"{kind.lower()} {name}"
        inputs = self._inputs(task, path)
        return self._draft.missing(reference, what, (*path, "type"), inputs)

    def _http(self, reference: str, task: dict[str, Any], path: Path) -> Task:
        inputs = self._inputs(task, path)
        given = inputs.get("http_request")
        parts = mapping(given) if given is not None else inputs
        headers = dict(mapping(parts.get("headers")))
        for key, name in (("accept", "accept"), ("contentType", "content-type")):
            if isinstance(parts.get(key), str):
                headers.setdefault(name, parts[key])
        made = request(
            self._draft, path, parts.get("method"), parts.get("uri"), headers=headers, body=parts.get("body")
        )
        task_: Task = {"id": self._draft.id(reference), "type": "http", "request": made}
        self._references.shapes[task_["id"]] = HTTP_OUTPUT
        limit = number(parts.get("readTimeOut"))
        limit_attempt(self._draft, task_, None if limit is None else limit / 1000, path)
        return task_

    def _child(self, reference: str, task: dict[str, Any], path: Path) -> Task:
        inputs = self._inputs(task, path)
        detached = task.get("type") == "START_WORKFLOW"
        given = mapping(inputs.pop("startWorkflow", None)) if detached else mapping(task.get("subWorkflowParam"))
        name = given.get("name")
        made: Task = {"id": self._draft.id(reference), "workflowRef": slug(text(name, "workflow"), "workflow")}
        if not isinstance(name, str) or "${" in name or "{{" in name:
            self._draft.unmapped(path, "the workflow to start is not known before it runs")
            made["workflowRef"] = "workflow"
        self._draft.unpinned(path, given.get("version"))
        value = mapping(given.get("input")) if detached else inputs
        if value:
            made["input"] = value
        if detached:
            made["detached"] = True
        return made

    def _wait(self, reference: str, task: dict[str, Any], path: Path) -> Task:
        inputs = self._inputs(task, path)
        identifier = self._draft.id(reference)
        if isinstance(inputs.get("duration"), str):
            return {"id": identifier, "wait": {"for": _length(inputs["duration"])}}
        if isinstance(inputs.get("until"), str):
            until = inputs["until"]
            if "{{" not in until:
                self._draft.changed(path, "an instant has to say its time zone: write RFC 3339")
            return {"id": identifier, "wait": {"until": until}}
        self._draft.changed(path, f"it waits for the signal {identifier}")
        return {"id": identifier, "event": {"type": identifier}}

    def _human(self, reference: str, task: dict[str, Any], path: Path) -> Task:
        self._draft.changed(path, "whoever has the role operator decides")
        form = {} if "form" not in mapping(task.get("inputParameters")) else {"description": "Its form is left out."}
        return {"id": self._draft.id(reference), "type": "approval", "approvers": ["role:operator"], **form}

    def _variables(self, reference: str, task: dict[str, Any], path: Path) -> Task:
        self._draft.changed(path, "variables are the output of a task: nothing can replace them later")
        return self._draft.value(reference, self._inputs(task, path))

    def _dynamic(self, reference: str, task: dict[str, Any], path: Path) -> Task:
        inputs = self._inputs(task, path)
        items = inputs.get("forkTaskInputs")
        worker, child = inputs.get("forkTaskName"), inputs.get("forkTaskWorkflow")
        named = child if isinstance(child, str) else worker
        if items is None or not isinstance(named, str) or "{{" in named:
            return self._missing(reference, "FORK_JOIN_DYNAMIC", task, path)
        inner: Task = {"id": "each", "input": "{{item}}"}
        inner["workflowRef" if isinstance(child, str) else "taskRef"] = slug(named, "task")
        if not isinstance(child, str):
            self._draft.unmapped(
                path, f"publish a reusable task named {inner['taskRef']} that does what the worker does"
            )
        return {"id": self._draft.id(reference), "forEach": {"items": items, "as": "item"}, "tasks": [inner]}

    def _switch(self, task: dict[str, Any], frontier: Frontier, path: Path) -> Frontier:
        expression = text(task.get("expression"))
        parameters = self._parameters(task, path)
        value: str | None
        if text(task.get("evaluatorType"), "value-param") == "value-param":
            value = parameters.get(expression)
        else:
            value = self._script(expression, parameters, (*path, "expression"))
        return self._cases(task, value, frontier, path)

    def _decision(self, task: dict[str, Any], frontier: Frontier, path: Path) -> Frontier:
        parameters = self._parameters(task, path)
        if isinstance(task.get("caseExpression"), str):
            value = self._script(task["caseExpression"], parameters, (*path, "caseExpression"))
        else:
            value = parameters.get(text(task.get("caseValueParam")))
        return self._cases(task, value, frontier, path)

    def _parameters(self, task: dict[str, Any], path: Path) -> dict[str, str]:
        """The input parameters that are expressions or literals."""
        found: dict[str, str] = {}
        for name, value in mapping(task.get("inputParameters")).items():
            if not isinstance(value, str):
                continue
            whole = BRACES.fullmatch(value.strip())
            made = self._templates.expression(whole[1], (*path, "inputParameters", name)) if whole else quoted(value)
            if made is not None:
                found[name] = made
        return found

    def _script(self, source: str, parameters: dict[str, str], path: Path) -> str | None:
        self._references.parameters = parameters
        try:
            return self._references.script(source)
        except Unknown as error:
            self._draft.unmapped(path, f"the script {source.strip()[:80]!r} cannot be taken over: {error}")
            return None

    def _cases(self, task: dict[str, Any], value: str | None, frontier: Frontier, path: Path) -> Frontier:
        if value is None:
            self._draft.unmapped(path, "what is decided on cannot be said: no case but the default runs")
        elif _PATH.fullmatch(value):
            value = f"{value} ?? ''"  # what is not there is null in Conductor, and takes the default
        ends: list[Frontier] = []
        cases = mapping(task.get("decisionCases"))
        for case, tasks in cases.items():
            condition = "false" if value is None else f"string({value}) == {quoted(case)}"
            entered = self._draft.gathered(narrowed(frontier, condition), self._tasks)
            ends.append(self.run(tasks, entered, (*path, "decisionCases", case)))
        entered = self._draft.gathered(narrowed(frontier, none_of(value, cases)), self._tasks)
        ends.append(self.run(task.get("defaultCase"), entered, (*path, "defaultCase")))
        return self._draft.gathered(merged(ends), self._tasks)

    def _fork(self, task: dict[str, Any], frontier: Frontier, path: Path) -> Frontier:
        ends: list[Frontier] = []
        for index, branch in enumerate(listing(task.get("forkTasks"))):
            end = self.run(branch, frontier, (*path, "forkTasks", index))
            ends.append(end)
            for one in listing(branch):
                self._forks[text(mapping(one).get("taskReferenceName"))] = end
        return joined(ends) if ends else frontier

    def _join(self, task: dict[str, Any], frontier: Frontier, path: Path) -> Frontier:
        names = [name for name in listing(task.get("joinOn")) if isinstance(name, str)]
        for name in names:
            if name not in self._forks and name not in self._references.ids:
                self._draft.unmapped((*path, "joinOn"), f"there is no task {name[:80]!r} to join")
        ends = [self._forks[name] for name in names if name in self._forks]
        return joined(ends) if ends else frontier

    def _terminate(self, task: dict[str, Any], frontier: Frontier, path: Path) -> Frontier:
        inputs = self._inputs(task, path)
        if inputs.get("terminationStatus", _FAILED) != _FAILED:
            self._draft.unmapped(path, "an early end that is a success is left out: give what is behind it a condition")
            return frontier
        reason = text(inputs.get("terminationReason"), "the workflow was terminated")
        made = self._draft.failing(text(task.get("taskReferenceName"), "terminate"), reason)
        self._tasks.append(place(made, frontier))
        return Edge(str(made["id"]))

    def _policies(self, made: Task, task: dict[str, Any]) -> None:
        if isinstance(task.get("description"), str):
            made.setdefault("description", task["description"])
        if truth(task.get("optional")):
            made["continueOnError"] = True
        definition = {**mapping(task.get("taskDefinition")), **task}
        count = number(definition.get("retryCount"))
        if count is None or "wait" in made or "event" in made or made.get("type") == "approval" or "forEach" in made:
            return
        made["retry"] = {
            "maxAttempts": attempts(count, more=1) or 1,
            "strategy": _LOGIC.get(text(definition.get("retryLogic")), "constant"),
            "interval": seconds(definition.get("retryDelaySeconds", 60)) or "0s",
            "jitter": "none",
            "retryOn": ["*"],
        }


def _length(source: str) -> str:
    """``2 days 3 hours`` in our spelling; a template, and what is no duration, as it is."""
    if "{{" in source:
        return source
    found = _UNITS.findall(source.lower())
    return duration("".join(f"{amount}{unit[0]}" for amount, unit in found)) or source if found else source
