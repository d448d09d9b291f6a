"""A workflow as a state machine: tasks as states, their order as sequences and Parallel states."""

from __future__ import annotations

from typing import Any, Final

from millrace.services.exporters.composed import Inside, loop_states, switch_states
from millrace.services.exporters.linking import Chain, linked, names_of, side
from millrace.services.exporters.portable import NotPortable, Place, Portable, Reason, Rule
from millrace.services.exporters.series import Crossed, Order, Series, Side, above, series_parallel
from millrace.services.exporters.states import http_state, spelled, value_state, wait_state
from millrace.spec import Workflow
from millrace.spec.dependencies import graphs_of, leaves
from millrace.spec.models import FALLBACK, FINALLY, ON_FAILURE
from millrace.spec.sites import workflow_sites
from millrace.spec.tasks.for_each import ForEach
from millrace.spec.tasks.switch import Switch
from millrace.spec.tree import Body, Placed, tree_of

TABLE: Final = {
    "`http`": "Task with `http:invoke`; a connection, `${…ConnectionArn}`, holds its secret",
    "`wait`": "Wait",
    "`transform` that hands one value on": "Pass",
    "`switch`": "Choice, where the value is a path and cases compare it with constants; a line of states for each case",
    "`forEach`": "inline Map with `MaxConcurrency`, where items are a path or a list of constants",
    "`tolerate: {failures: 100%}`": "each item is caught, and says that it failed; no other number is portable",
    "`dependsOn`": "sequences and Parallel states, where the order is series-parallel",
    "`condition`": "Choice, where paths are compared with constants",
    "`triggerRule: all_success, none_failed`": "rules of the Choice before the state",
    "`retry`, `timeout`, `attemptTimeout`": "Retry, TimeoutSeconds",
    "`continueOnError`": "Catch",
    "`output`": "a Pass state at the end",
    "`tests`, `examples`, `tags`, `categories`, `version`": "left out, since no run hangs on them",
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
    {
        *("description", "version", "tags", "categories", "examples", "tests", "input", "config", "tasks", "output"),
        "timeout",
    }
)
_COMPOSED: Final = frozenset({"switch", "forEach"})


def asl_of(workflow: Workflow) -> tuple[dict[str, Any], tuple[Reason, ...]]:
    """The machine, and what has no counterpart; where there is any of that, the machine is empty."""
    return _Machine(workflow).made()


class _Machine:
    def __init__(self, workflow: Workflow) -> None:
        self._spec = workflow.spec
        self._tree = tree_of(workflow)
        self._graphs = graphs_of(workflow, self._tree, workflow_sites(workflow, tree=self._tree))
        self._names = names_of(placed.task.id for placed in self._tree.tasks)
        http = frozenset(placed.task.id for placed in self._tree.tasks if placed.task.type == "http")
        self._portables = [
            Portable(self._spec.config, self._seen(body.index), http, {root: f"$.{root}" for root in self._roots(body)})
            for body in self._tree.bodies
        ]
        self._reasons: list[Reason] = []
        self._skips: set[int] = set()
        self._besides = 0

    def _seen(self, body: int) -> dict[str, str]:
        """The names of the tasks that a body sees, by id."""
        found: dict[str, str] = {}
        for one in reversed(list(self._tree.around(body))):
            found |= {name: self._names[index] for name, index in one.ids.items()}
        return found

    def _roots(self, body: Body) -> tuple[str, ...]:
        """The items and indexes of the loops around what stands in a body."""
        found: list[str] = []
        for one in self._tree.around(body.index):
            owner = None if one.owner is None else self._tree.tasks[one.owner].task.block
            found += one.roots if isinstance(owner, ForEach) and not one.single else ()
        return tuple(found)

    def made(self) -> tuple[dict[str, Any], tuple[Reason, ...]]:
        """See `asl_of`."""
        self._judge()
        states: dict[str, Any] = {}
        inside = self._inside(self._tree.bodies[0], set())
        if inside:
            opening = {"Type": "Pass", "Parameters": {"input.$": "$", "tasks": {}}}
            end = self._closing()
            states = linked([("Begin", opening), *inside, *([("End", end)] if end is not None else [])])
        machine: dict[str, Any] = {"StartAt": "Begin", "States": states}
        if self._spec.description is not None:
            machine = {"Comment": self._spec.description, **machine}
        if self._spec.timeout is not None:
            machine["TimeoutSeconds"] = max(1, -(-self._spec.timeout // 1000))
        return ({}, tuple(self._reasons)) if self._reasons else (machine, ())

    def _inside(self, body: Body, known: set[str]) -> Chain:
        """The states of the tasks of a body; none, with a reason, where their order cannot be kept."""
        needs = self._graphs[body.index].needs
        order = self._order(body)
        for name in above(needs):
            placed = self._tree.tasks[body.ids[name]]
            rule = placed.task.trigger_rule
            behind = rule == "all_success" and any(body.ids[need] in self._skips for need in needs[name])
            if placed.task.condition is not None or behind:
                self._skips.add(placed.index)
        return self._chain(order, body, known) if order else []

    def _order(self, body: Body) -> Order:
        """The order of the tasks of a body; empty, with a reason, where it cannot be kept."""
        path = ("spec", "tasks") if body.owner is None else self._tree.tasks[body.owner].path
        if len(self._tree.tasks) > MOST_TASKS:
            if body.owner is None:
                self._refuse(path, f"more than {MOST_TASKS} tasks")
            return ""
        try:
            return series_parallel(list(body.ids), above(self._graphs[body.index].needs))
        except Crossed as crossed:
            named = ", ".join(crossed.tasks[:10])
            self._refuse(path, f"{named} wait for each other in a way that no Parallel states can keep")
            return ""

    def _refuse(self, path: Place, message: str) -> None:
        self._reasons.append(Reason(path, message))

    def _judge(self) -> None:
        """Everything about keys that has no counterpart."""
        for key in spelled(self._spec, _SPEC_KEYS):
            self._refuse(("spec", key), f"{key} has no counterpart")
        for placed in self._tree.tasks:
            if self._tree.bodies[placed.body].name not in (FALLBACK, ON_FAILURE, FINALLY):
                self._judge_task(placed)

    def _judge_task(self, placed: Placed) -> None:
        task, path, body = placed.task, placed.path, self._tree.bodies[placed.body]
        for key in spelled(task, _TASK_KEYS):
            self._refuse((*path, key), f"{key} has no counterpart")
        if task.type not in _MAKERS and task.type not in _COMPOSED:
            self._refuse((*path, "type"), f"a task of type {task.type or 'taskRef'} has no counterpart")
        if task.type != "transform" and (task.output is not None or task.input):
            self._refuse(path, "input and output mappings of a task have no counterpart")
        if task.trigger_rule not in ("all_success", "none_failed"):
            self._refuse((*path, "triggerRule"), f"{task.trigger_rule} has no counterpart")
        if any(need.condition is not None for need in task.depends_on):
            self._refuse((*path, "dependsOn"), "a dependency with a condition has no counterpart")
        if task.type in _COMPOSED and task.timeout is not None:
            self._refuse((*path, "timeout"), "a timeout of all tasks together has no counterpart")
        elif task.timeout is not None and (task.retry is not None or task.type == "wait"):
            self._refuse((*path, "timeout"), "a timeout of all attempts together has no counterpart")
        if task.type in _COMPOSED and (task.retry is not None or task.attempt_timeout is not None):
            self._refuse(path, "retries of several tasks together have no counterpart")
        if task.type == "switch" and task.continue_on_error:
            self._refuse((*path, "continueOnError"), "a switch that may fail has no counterpart")
        needs = self._graphs[body.index].needs.get(task.id, ())
        loose = [need for need in needs if self._tree.tasks[body.ids[need]].task.continue_on_error]
        if loose and task.trigger_rule == "none_failed":
            self._refuse((*path, "triggerRule"), f"none_failed behind {loose[0]}, which may fail")

    def _chain(self, order: Order, body: Body, known: set[str]) -> Chain:
        """Named states one behind the other. ``known`` are the tasks that the document holds, and grows."""
        if isinstance(order, Series):
            return [state for part in order.parts for state in self._chain(part, body, known)]
        if isinstance(order, Side):
            return [self._parallel(order, body, known)]
        return self._leaf(self._tree.tasks[body.ids[order]], known)

    def _parallel(self, order: Side, body: Body, known: set[str]) -> tuple[str, dict[str, Any]]:
        branches: list[dict[str, Any]] = []
        merged = {f"{name}.$": f"$[0].tasks.{name}" for name in sorted(known)}
        found: set[str] = set()
        for index, part in enumerate(order.parts):
            inner = set(known)
            states = linked(self._chain(part, body, inner))
            branches.append({"StartAt": next(iter(states)), "States": states})
            for name in sorted(inner - known):
                merged[f"{name}.$"] = f"$[{index}].tasks.{name}"
            found |= inner
        known |= found
        self._besides += 1
        state = {"Type": "Parallel", "Branches": branches, "ResultSelector": merged, "ResultPath": "$.tasks"}
        return f"Beside {self._besides}", state

    def _leaf(self, placed: Placed, known: set[str]) -> Chain:
        task, name = placed.task, self._names[placed.index]
        where = f"$.tasks.{name}"
        try:
            made = self._composed(placed, name, known) if task.type in _COMPOSED else self._single(placed, name)
            rules = self._rules(placed)
        except NotPortable as error:
            self._refuse(placed.path, f"{error}")
            return [(name, {"Type": "Pass"})]
        if task.description is not None:
            made[0] = (made[0][0], {"Comment": task.description, **made[0][1]})
        known.add(name)
        for _, state in made:
            if task.continue_on_error and "_fixed" not in state and state["Type"] in ("Task", "Map"):
                state["Catch"] = [{"ErrorEquals": ["States.ALL"], "ResultPath": where, "Next": f"{name} failed"}]
                made = [*made, (f"{name} failed", side({"status": "failed"}, where))]
        if rules:
            rule = rules[0] if len(rules) == 1 else {"And": rules}
            choice: dict[str, Any] = {
                "Type": "Choice",
                "Choices": [{**rule, "Next": name}],
                "Default": f"{name} skipped",
            }
            made = [(f"{name} wanted", choice), *made, (f"{name} skipped", side({"status": "skipped"}, where))]
        return made

    def _single(self, placed: Placed, name: str) -> Chain:
        """The states of a task that holds no others. Raises NotPortable."""
        task, where = placed.task, f"$.tasks.{name}"
        state: dict[str, Any] = {"Type": "Pass"}
        if task.type in _MAKERS:
            state = _MAKERS[task.type](task, self._portables[placed.body])
        if state["Type"] == "Wait":
            done = {"Type": "Pass", "Result": {"status": "succeeded"}, "ResultPath": where}
            return [(name, state), (f"{name} done", done)]
        state["ResultPath"] = where
        if task.timeout is not None and state["Type"] == "Task":
            state["TimeoutSeconds"] = max(1, -(-task.timeout // 1000))
        return [(name, state)]

    def _composed(self, placed: Placed, name: str, known: set[str]) -> Chain:
        """The states of a switch or a loop, with those inside it. Raises NotPortable."""
        block, portable = placed.task.block, self._portables[placed.body]
        if isinstance(block, Switch):
            return switch_states(name, block, portable, lambda at: self._body(placed, at, known))
        assert isinstance(block, ForEach)
        carried = {root: f"$.{root}" for root in self._roots(self._tree.bodies[placed.body])}
        return loop_states(name, block, portable, self._body(placed, 0, known), carried)

    def _body(self, placed: Placed, at: int, known: set[str]) -> Inside:
        """One body of a task; what it adds to the document is not known behind it. Raises NotPortable."""
        body = self._tree.bodies[placed.inner[at]]
        chain = self._inside(body, set(known))
        if not chain:
            raise NotPortable("an order of its tasks that cannot be kept")
        outputs: dict[str, str] = {}
        for name in leaves(body, self._graphs[body.index]):
            last = self._tree.tasks[body.ids[name]]
            if last.index in self._skips or last.task.continue_on_error:
                raise NotPortable(f"an output that may be missing: {name} in it may have none")
            if last.task.type != "wait":
                outputs[name] = f"$.tasks.{self._names[last.index]}.output"
        return Inside(chain, outputs)

    def _rules(self, placed: Placed) -> list[Rule]:
        """What has to hold for a task to run. Raises NotPortable."""
        task, body = placed.task, self._tree.bodies[placed.body]
        rules: list[Rule] = []
        if task.trigger_rule == "all_success":
            needs = [body.ids[need] for need in self._graphs[body.index].needs[task.id]]
            names = [self._names[index] for index in needs if index in self._skips]
            rules += [{"Not": {"Variable": f"$.tasks.{name}.status", "StringEquals": "skipped"}} for name in names]
        if isinstance(task.condition, bool):
            raise NotPortable("a condition that is constant")
        if task.condition is not None:
            rules.append(self._portables[placed.body].rule(task.condition))
        return rules

    def _closing(self) -> dict[str, Any] | None:
        """The state that gives the output."""
        output, body = self._spec.output, self._tree.bodies[0]
        if output is None:
            last = [self._tree.tasks[body.ids[name]] for name in leaves(body, self._graphs[0])]
            unsure = [one.task.id for one in last if one.index in self._skips or one.task.continue_on_error]
            if unsure:
                self._refuse(("spec", "output"), f"say what the output is: {unsure[0]} may have none")
            shown = {p.task.id: f"$.tasks.{self._names[p.index]}.output" for p in last if p.task.type != "wait"}
            return {"Type": "Pass", "Parameters": {f"{name}.$": path for name, path in shown.items()}}
        try:
            if isinstance(output, str) and "{{" in output:
                path = self._portables[0].text(output)
                if not path.startswith("$."):
                    raise NotPortable("an output that is a text put together")
                return {"Type": "Pass", "InputPath": path}
            if not isinstance(output, dict):
                return {"Type": "Pass", "Result": self._portables[0].payload([output])[0]}
            return {"Type": "Pass", "Parameters": self._portables[0].payload(output)}
        except NotPortable as error:
            self._refuse(("spec", "output"), str(error))
            return None
