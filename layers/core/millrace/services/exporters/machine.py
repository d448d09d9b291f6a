"""A workflow as a state machine: tasks as states, their order as sequences and Parallel states."""

from __future__ import annotations

import re
from typing import Any, Final

from millrace.services.exporters.portable import NotPortable, Place, Portable, Reason, Rule
from millrace.services.exporters.series import Crossed, Order, Series, Side, above, series_parallel
from millrace.services.exporters.states import http_state, value_state, wait_state
from millrace.spec import Task, Workflow, dependencies

TABLE: Final = {
    "`http`": "Task with `http:invoke`; a connection, `${…ConnectionArn}`, holds its secret",
    "`wait`": "Wait",
    "`transform` that hands one value on": "Pass",
    "`dependsOn`": "sequences and Parallel states, where the order is series-parallel",
    "`condition`": "Choice, where paths are compared with constants",
    "`triggerRule: all_success, none_failed`": "rules of the Choice before the state",
    "`retry`, `timeout`, `attemptTimeout`": "Retry, TimeoutSeconds",
    "`continueOnError`": "Catch",
    "`output`": "a Pass state at the end",
    "templates": "JSONPath, `States.Format`, `States.Array`",
}
MOST_TASKS: Final = 300
"""Tasks of a workflow that is exported: finding the order is cubic, and a machine's definition is limited to 1 MB."""
_MAKERS: Final = {"http": http_state, "wait": wait_state, "transform": value_state}
_TASK_KEYS: Final = frozenset(
    {
        *("id", "type", "description", "input", "output", "depends_on", "condition", "trigger_rule"),
        *("continue_on_error", "retry", "timeout", "attempt_timeout"),
    }
)
_SPEC_KEYS: Final = frozenset(
    {"description", "version", "tags", "categories", "examples", "input", "config", "tasks", "output", "timeout"}
)
_UNNAME: Final = re.compile(r"[^A-Za-z0-9_]+")


def asl_of(workflow: Workflow) -> tuple[dict[str, Any], tuple[Reason, ...]]:
    """The machine, and what has no counterpart; where there is any of that, the machine is empty."""
    return _Machine(workflow).made()


class _Machine:
    def __init__(self, workflow: Workflow) -> None:
        self._spec = workflow.spec
        self._needs = dependencies(workflow)
        self._tasks = {task.id: task for task in self._spec.tasks}
        self._places: dict[str, Place] = {t.id: ("spec", "tasks", i) for i, t in enumerate(self._spec.tasks)}
        self._names = _names(self._tasks)
        http = frozenset(task.id for task in self._spec.tasks if task.type == "http")
        self._portable = Portable(self._spec.config, self._names, http)
        self._reasons: list[Reason] = []
        self._skips: set[str] = set()
        self._besides = 0

    def made(self) -> tuple[dict[str, Any], tuple[Reason, ...]]:
        """See `asl_of`."""
        self._judge()
        order = self._order()
        for name in above(self._needs):
            task = self._tasks[name]
            with_needs = task.trigger_rule == "all_success" and any(need in self._skips for need in self._needs[name])
            if task.condition is not None or with_needs:
                self._skips.add(name)
        states: dict[str, Any] = {}
        if order:
            opening = {"Type": "Pass", "Parameters": {"input.$": "$", "tasks": {}}}
            chain = [("Begin", opening), *self._chain(order, set())]
            end = self._closing()
            states = _linked([*chain, *([("End", end)] if end is not None else [])])
        machine: dict[str, Any] = {"StartAt": "Begin", "States": states}
        if self._spec.description is not None:
            machine = {"Comment": self._spec.description, **machine}
        if self._spec.timeout is not None:
            machine["TimeoutSeconds"] = max(1, -(-self._spec.timeout // 1000))
        return ({}, tuple(self._reasons)) if self._reasons else (machine, ())

    def _order(self) -> Order:
        """The order of all tasks; empty, with a reason, where it cannot be kept."""
        if len(self._tasks) > MOST_TASKS:
            self._refuse(("spec", "tasks"), f"more than {MOST_TASKS} tasks")
            return ""
        try:
            return series_parallel(list(self._tasks), above(self._needs))
        except Crossed as crossed:
            named = ", ".join(crossed.tasks[:10])
            self._refuse(("spec", "tasks"), f"{named} wait for each other in a way that no Parallel states can keep")
            return ""

    def _refuse(self, path: Place, message: str) -> None:
        self._reasons.append(Reason(path, message))

    def _judge(self) -> None:
        """Everything about keys that has no counterpart."""
        for key in sorted(self._spec.model_fields_set - _SPEC_KEYS):
            self._refuse(("spec", key), f"{key} has no counterpart")
        for task in self._spec.tasks:
            path = self._places[task.id]
            for key in sorted(task.model_fields_set - _TASK_KEYS):
                self._refuse((*path, key), f"{key} has no counterpart")
            if task.type not in _MAKERS:
                self._refuse((*path, "type"), f"a task of type {task.type or 'taskRef'} has no counterpart")
            if task.type != "transform" and (task.output is not None or task.input):
                self._refuse(path, "input and output mappings of a task have no counterpart")
            if task.trigger_rule not in ("all_success", "none_failed"):
                self._refuse((*path, "triggerRule"), f"{task.trigger_rule} has no counterpart")
            if any(need.condition is not None for need in task.depends_on):
                self._refuse((*path, "dependsOn"), "a dependency with a condition has no counterpart")
            if task.timeout is not None and (task.retry is not None or task.type == "wait"):
                self._refuse((*path, "timeout"), "a timeout of all attempts together has no counterpart")
            loose = [need for need in self._needs[task.id] if self._tasks[need].continue_on_error]
            if loose and task.trigger_rule == "none_failed":
                self._refuse((*path, "triggerRule"), f"none_failed behind {loose[0]}, which may fail")

    def _chain(self, order: Order, known: set[str]) -> list[tuple[str, dict[str, Any]]]:
        """Named states one behind the other. ``known`` are the tasks that the document holds, and grows."""
        if isinstance(order, Series):
            return [state for part in order.parts for state in self._chain(part, known)]
        if isinstance(order, Side):
            return [self._parallel(order, known)]
        return self._leaf(self._tasks[order], known)

    def _parallel(self, order: Side, known: set[str]) -> tuple[str, dict[str, Any]]:
        branches: list[dict[str, Any]] = []
        merged = {f"{self._names[name]}.$": f"$[0].tasks.{self._names[name]}" for name in sorted(known)}
        found: set[str] = set()
        for index, part in enumerate(order.parts):
            inner = set(known)
            states = _linked(self._chain(part, inner))
            branches.append({"StartAt": next(iter(states)), "States": states})
            for name in sorted(inner - known):
                merged[f"{self._names[name]}.$"] = f"$[{index}].tasks.{self._names[name]}"
            found |= inner
        known |= found
        self._besides += 1
        state = {"Type": "Parallel", "Branches": branches, "ResultSelector": merged, "ResultPath": "$.tasks"}
        return f"Beside {self._besides}", state

    def _leaf(self, task: Task, known: set[str]) -> list[tuple[str, dict[str, Any]]]:
        path, name = self._places[task.id], self._names[task.id]
        try:
            state: dict[str, Any] = {"Type": "Pass"}
            if task.type in _MAKERS:
                state = _MAKERS[task.type](task, self._portable)
            rules = self._rules(task)
        except NotPortable as error:
            self._refuse(path, f"{error}")
            return [(name, {"Type": "Pass"})]
        where = f"$.tasks.{name}"
        if task.description is not None:
            state = {"Comment": task.description, **state}
        if state["Type"] != "Wait":
            state["ResultPath"] = where
        if task.timeout is not None and state["Type"] == "Task":
            state["TimeoutSeconds"] = max(1, -(-task.timeout // 1000))
        made: list[tuple[str, dict[str, Any]]] = [(name, state)]
        if state["Type"] == "Wait":
            made.append((f"{name} done", {"Type": "Pass", "Result": {"status": "succeeded"}, "ResultPath": where}))
        known.add(task.id)
        if task.continue_on_error and state["Type"] == "Task":
            state["Catch"] = [{"ErrorEquals": ["States.ALL"], "ResultPath": f"{where}", "Next": f"{name} failed"}]
            made.append((f"{name} failed", _side({"status": "failed"}, where)))
        if rules:
            rule = rules[0] if len(rules) == 1 else {"And": rules}
            choice: dict[str, Any] = {
                "Type": "Choice",
                "Choices": [{**rule, "Next": name}],
                "Default": f"{name} skipped",
            }
            made = [(f"{name} wanted", choice), *made, (f"{name} skipped", _side({"status": "skipped"}, where))]
        return made

    def _rules(self, task: Task) -> list[Rule]:
        """What has to hold for a task to run. Raises NotPortable."""
        rules: list[Rule] = []
        if task.trigger_rule == "all_success":
            names = [self._names[need] for need in self._needs[task.id] if need in self._skips]
            rules += [{"Not": {"Variable": f"$.tasks.{name}.status", "StringEquals": "skipped"}} for name in names]
        if isinstance(task.condition, bool):
            raise NotPortable("a condition that is constant")
        if task.condition is not None:
            rules.append(self._portable.rule(task.condition))
        return rules

    def _closing(self) -> dict[str, Any] | None:
        """The state that gives the output."""
        output = self._spec.output
        if output is None:
            needed = {need for needs in self._needs.values() for need in needs}
            last = [task for task in self._spec.tasks if task.id not in needed]
            unsure = [task.id for task in last if task.id in self._skips or task.continue_on_error]
            if unsure:
                self._refuse(("spec", "output"), f"say what the output is: {unsure[0]} may have none")
            shown = {t.id: f"$.tasks.{self._names[t.id]}.output" for t in last if t.type != "wait"}
            return {"Type": "Pass", "Parameters": {f"{name}.$": path for name, path in shown.items()}}
        try:
            if isinstance(output, str) and "{{" in output:
                path = self._portable.text(output)
                if not path.startswith("$."):
                    raise NotPortable("an output that is a text put together")
                return {"Type": "Pass", "InputPath": path}
            if not isinstance(output, dict):
                return {"Type": "Pass", "Result": self._portable.payload([output])[0]}
            return {"Type": "Pass", "Parameters": self._portable.payload(output)}
        except NotPortable as error:
            self._refuse(("spec", "output"), str(error))
            return None


def _side(result: dict[str, Any], where: str) -> dict[str, Any]:
    """A state beside the line: nothing falls into it from above."""
    return {"Type": "Pass", "Result": result, "ResultPath": where, "_side": True}


def _linked(chain: list[tuple[str, dict[str, Any]]]) -> dict[str, Any]:
    """States by name, each leading to the next that stands in the line, the last ending the machine."""
    states: dict[str, Any] = {}
    for index, (name, state) in enumerate(chain):
        made = {key: value for key, value in state.items() if key != "_side"}
        after = next((name for name, one in chain[index + 1 :] if "_side" not in one), None)
        if made["Type"] != "Choice":
            made |= {"End": True} if after is None else {"Next": after}
        states[name] = made
    return states


def _names(tasks: dict[str, Task]) -> dict[str, str]:
    """A name for each task that may stand in a path and, with a word behind it, name a state (80 characters)."""
    found: dict[str, str] = {}
    taken = {"Begin", "End"}
    for name in tasks:
        base = _UNNAME.sub("_", name)[:60]
        base = base if base[:1].isalpha() or base[:1] == "_" else f"t_{base}"
        made, count = base, 1
        while made in taken:
            count += 1
            made = f"{base}_{count}"
        taken.add(made)
        found[name] = made
    return found
