"""A state machine, state by state, in an order in which each comes behind all that lead to it."""

from __future__ import annotations

from typing import Any, Final

from msgspec import Struct

from millrace.services.importers.asl.choices import TABLE as RULES
from millrace.services.importers.asl.choices import Choices
from millrace.services.importers.asl.data import Data, NoPath, either, path_of, plain
from millrace.services.importers.asl.payloads import Reader
from millrace.services.importers.asl.tasks import add_policies, catch_condition, catches_all, task_of
from millrace.services.importers.bounds import limit_parallel
from millrace.services.importers.draft import Draft, Task
from millrace.services.importers.order import (
    START,
    Edge,
    Frontier,
    both,
    joined,
    merged,
    narrowed,
    opposite,
    place,
)
from millrace.services.importers.reading import listing, mapping, number, text, truth
from millrace.services.importers.requests import seconds
from millrace.services.importers.result import Imported, Path
from millrace.services.importers.spelling import braced
from millrace.services.importers.topology import topological

TABLE: Final = {
    "Task, `http:invoke`": "`http` task; the connection becomes a secret",
    "Task, `lambda:invoke` or a function's ARN": "`lambda` task",
    "Task, `states:startExecution`": "`workflowRef`; without `.sync`, `detached`",
    "Task, any other resource": "a `taskRef` that has to be written (unmapped)",
    "Pass": "a `transform` that gives the value; nothing where it changes nothing",
    "Choice": "conditions on the tasks behind it",
    **{f"Choice rule: {theirs}": ours for theirs, ours in RULES.items()},
    "Parallel": "branches side by side, and a `transform` that collects what they give",
    "Map": "`forEach`",
    "Wait": "`wait`",
    "Succeed": "nothing: what is behind it does not run",
    "Fail": "a `transform` that fails",
    "Retry": "`retry`; all retriers share the numbers of the first",
    "Catch": "`continueOnError`, and tasks behind it on the condition that it failed",
    "InputPath, Parameters, ResultSelector, ResultPath, OutputPath": "references to the inputs and outputs meant",
    "`States.Format`, `States.Array` and others": "templates and expressions",
    "a state that leads back to an earlier one": "left out (unmapped)",
    "JSONata": "left out (unmapped)",
}
_KINDS: Final = ("Task", "Pass", "Choice", "Parallel", "Map", "Wait", "Succeed", "Fail")
_LONGEST: Final = 6_000
Arrival = tuple[Frontier, Data]


def import_asl(source: Any) -> Imported:
    """A workflow that does what a state machine does, as far as it can be said; raises nothing but TooManyTasks."""
    draft = Draft()
    machine = mapping(source)
    tasks: list[Task] = []
    ends = _Machine(draft, machine, (), {}, tasks).run(START, Data("input"))
    output = either(data for _, data in ends) if ends else Data()
    if output.mixed:
        draft.unmapped((), "the output is a document of which parts were replaced: only those are given")
    if not tasks:
        tasks.append(draft.value("result", output.template() or {}))
    spec: dict[str, Any] = {"description": machine.get("Comment") if isinstance(machine.get("Comment"), str) else None}
    spec["timeout"] = seconds(machine.get("TimeoutSeconds"))
    spec["tasks"] = tasks
    if output.base != "input" or output.fields:
        spec["output"] = output.template()
    return draft.finish(text(machine.get("Comment"), "state machine")[:40], spec)


class _Visit(Struct, frozen=True):
    """A state, with how control comes to it and the data it is given."""

    name: str
    state: dict[str, Any]
    frontier: Frontier
    data: Data
    path: Path


class _Machine:
    """One level of states: the machine itself, a branch, or the body of a Map."""

    def __init__(self, draft: Draft, machine: dict[str, Any], path: Path, context: dict[str, str], tasks: list[Task]):
        self._draft, self._context, self._tasks = draft, context, tasks
        self._machine, self._path = machine, path
        self._states = {name: mapping(state) for name, state in mapping(machine.get("States")).items()}
        self._reader = Reader(draft, {"$$.Execution.Id": "execution.id", "$$.Execution.Input": "input", **context})
        self._choices = Choices(draft, self._reader)
        self._arrivals: dict[str, list[Arrival]] = {}
        self._ends: list[Arrival] = []
        self._back: set[tuple[str, str]] = set()

    def run(self, frontier: Frontier, data: Data) -> list[Arrival]:
        """Where control stands at the ends of this level, and with which data."""
        if self._machine.get("QueryLanguage") == "JSONata":
            self._draft.unmapped((*self._path, "QueryLanguage"), "JSONata is not read: what states compute is left out")
        start = self._machine.get("StartAt")
        if not isinstance(start, str) or start not in self._states:
            self._draft.unmapped((*self._path, "StartAt"), "there is no state of this name to start at")
            return []
        self._arrivals[start] = [(frontier, data)]
        order, back = topological([start], self._next)
        self._back = set(back)
        for name, after in back:
            where = (*self._path, "States", name)
            self._draft.unmapped(where, f"it leads back to {after[:80]!r}: loops have no counterpart")
        for name in order:
            arrivals = self._arrivals.get(name, [])
            if arrivals:
                came = self._draft.gathered(merged(one for one, _ in arrivals), self._tasks)
                data = either(one for _, one in arrivals)
                if len(arrivals) > 1 and data.weight() > _LONGEST:
                    if data.mixed:
                        where = (*self._path, "States", name)
                        self._draft.unmapped(where, "its input has parts that were replaced: only those are given")
                    came, data = self._made(self._draft.value("data", data.template()), came)
                self._state(name, self._states[name], came, data)
        return self._ends

    def _next(self, name: str) -> list[str]:
        state = self._states[name]
        named = [state.get("Next"), state.get("Default")]
        for key in ("Choices", "Catch"):
            named += [mapping(one).get("Next") for one in listing(state.get(key))]
        return list(dict.fromkeys(one for one in named if isinstance(one, str) and one in self._states))

    def _state(self, name: str, state: dict[str, Any], frontier: Frontier, data: Data) -> None:
        path = (*self._path, "States", name)
        if state.get("QueryLanguage") == "JSONata":
            self._draft.unmapped((*path, "QueryLanguage"), "JSONata is not read: what the state computes is left out")
        kind = state.get("Type")
        if not isinstance(kind, str) or kind not in _KINDS:
            self._draft.unmapped((*path, "Type"), f"{str(kind)[:40]} is not a type of state")
            return
        given = self._reader.data(state["InputPath"], data, path) if "InputPath" in state else data
        getattr(self, f"_{kind.lower()}")(_Visit(name, state, frontier, given, path))

    def _pass(self, visit: _Visit) -> None:
        name, state, frontier, data, path = visit.name, visit.state, visit.frontier, visit.data, visit.path
        result = data
        if "Result" in state or "Parameters" in state:
            where = (*path, "Parameters")
            given = (
                plain(state["Result"]) if "Result" in state else self._reader.payload(state["Parameters"], data, where)
            )
            frontier, result = self._made(self._draft.value(name, given), frontier)
        self._leave(name, state, frontier, self._after(state, data, result, path), path)

    def _succeed(self, visit: _Visit) -> None:
        state, frontier, data, path = visit.state, visit.frontier, visit.data, visit.path
        self._ends.append((frontier, self._out(state, data, path)))

    def _fail(self, visit: _Visit) -> None:
        name, state, frontier = visit.name, visit.state, visit.frontier
        parts = [state.get("Error"), state.get("Cause")]
        said = ": ".join(part for part in parts if isinstance(part, str)) or name
        self._made(self._draft.failing(name, said), frontier)

    def _wait(self, visit: _Visit) -> None:
        name, state, frontier, data, path = visit.name, visit.state, visit.frontier, visit.data, visit.path
        wait: dict[str, Any] = {}
        if "Seconds" in state:
            wait["for"] = seconds(state["Seconds"]) or 0
        elif isinstance(state.get("Timestamp"), str):
            wait["until"] = state["Timestamp"]
        else:
            key = "SecondsPath" if "SecondsPath" in state else "TimestampPath"
            found = self._reader.expression(state.get(key), data, (*path, key))
            wait["for" if key == "SecondsPath" else "until"] = braced(found) if found else 0
        frontier, _ = self._made({"id": self._draft.id(name), "wait": wait}, frontier)
        self._leave(name, state, frontier, self._out(state, data, path), path)

    def _choice(self, visit: _Visit) -> None:
        name, state, frontier, path = visit.name, visit.state, visit.frontier, visit.path
        data = self._out(state, visit.data, path)
        otherwise: str | None = None
        for index, rule in enumerate(listing(state.get("Choices"))):
            where = (*path, "Choices", index)
            if len(otherwise or "") > _LONGEST:
                self._draft.unmapped(where, "there are too many rules: this one and those behind it are left out")
                break
            condition = self._choices.condition({k: v for k, v in mapping(rule).items() if k != "Next"}, data, where)
            self._go(name, mapping(rule).get("Next"), narrowed(frontier, both(otherwise, condition)), data, where)
            otherwise = both(otherwise, opposite(condition))
        if isinstance(state.get("Default"), str):
            self._go(name, state["Default"], narrowed(frontier, otherwise), data, (*path, "Default"))
        else:
            self._draft.changed(path, "where no rule matches, what is behind the choice is skipped; it does not fail")

    def _task(self, visit: _Visit) -> None:
        name, state, frontier, data, path = visit.name, visit.state, visit.frontier, visit.data, visit.path
        given = data
        if "Parameters" in state:
            given = Data(value=self._reader.payload(state["Parameters"], data, (*path, "Parameters")))
        elif "Arguments" in state:
            given = Data(value=plain(state["Arguments"]))
        elif data.mixed:
            self._draft.unmapped(path, "its input is a document of which parts were replaced: only those are given")
        task, result = task_of(self._draft, name, state, given, path)
        add_policies(self._draft, task, state, path)
        catchers = [one for one in listing(state.get("Catch")) if isinstance(one, dict)]
        if catchers:
            task["continueOnError"] = True
            if not catches_all(catchers):
                self._draft.changed((*path, "Catch"), "a failure that is not caught does not end the execution either")
        self._tasks.append(place(task, frontier))
        identifier = str(task["id"])
        after = self._after(state, data, result, path)
        self._leave(name, state, Edge(identifier, handled=bool(catchers)), after, path)
        error = Data(
            fields={"Error": Data(f"tasks.{identifier}.error.kind"), "Cause": Data(f"tasks.{identifier}.error.message")}
        )
        for index, catcher in enumerate(catchers):
            where = (*path, "Catch", index)
            condition = catch_condition(self._draft, identifier, catcher, where)
            edge = Edge(identifier, condition, "failed", handled=True)
            self._go(name, catcher.get("Next"), edge, self._put(catcher, data, error, where), where)

    def _parallel(self, visit: _Visit) -> None:
        name, state, frontier, data, path = visit.name, visit.state, visit.frontier, visit.data, visit.path
        given = data
        if "Parameters" in state:
            given = Data(value=self._reader.payload(state["Parameters"], data, (*path, "Parameters")))
        self._no_policies(state, path)
        arrived: list[Frontier] = []
        collected: list[Any] = []
        for index, branch in enumerate(listing(state.get("Branches"))):
            where = (*path, "Branches", index)
            ends = _Machine(self._draft, mapping(branch), where, self._context, self._tasks).run(frontier, given)
            arrived.append(merged(one for one, _ in ends))
            collected.append(either(one for _, one in ends).template() if ends else None)
        frontier, result = self._made(self._draft.value(name, collected), joined(arrived) if arrived else frontier)
        self._leave(name, state, frontier, self._after(state, data, result, path), path)

    def _map(self, visit: _Visit) -> None:
        name, state, frontier, data, path = visit.name, visit.state, visit.frontier, visit.data, visit.path
        self._no_policies(state, path)
        key = "ItemProcessor" if "ItemProcessor" in state else "Iterator"
        selector = "ItemSelector" if "ItemSelector" in state else "Parameters"
        outer = self._context.get("$$.Map.Item.Value", "")
        suffix = str(int(outer[4:] or "1") + 1) if outer else ""
        item, index = f"item{suffix}", f"index{suffix}"
        context = {**self._context, "$$.Map.Item.Value": item, "$$.Map.Item.Index": index}
        items = self._reader.expression(state.get("ItemsPath", "$"), data, (*path, "ItemsPath"))
        if "ItemReader" in state or "ItemBatcher" in state or "ResultWriter" in state:
            self._draft.unmapped(path, "reading items from, and writing results to, other services is left out")
        given = Data(item)
        if selector in state:
            reader = Reader(self._draft, {"$$.Execution.Id": "execution.id", **context})
            given = Data(value=reader.payload(state[selector], data, (*path, selector)))
        body: list[Task] = []
        inner = _Machine(self._draft, mapping(state.get(key)), (*path, key), context, body)
        ends = inner.run(START, given)
        behind = self._collected(name, ends, body)
        task: Task = {"id": self._draft.id(name), "forEach": self._loop(state, items, item, index, path), "tasks": body}
        frontier, made = self._made(task, frontier)
        result = Data(f"{made.base}.map(each, each.output.{behind})")
        self._leave(name, state, frontier, self._after(state, data, result, path), path)

    def _loop(self, state: dict[str, Any], items: str | None, item: str, index: str, path: Path) -> dict[str, Any]:
        loop: dict[str, Any] = {"items": braced(items) if items else [], "as": item, "index": index}
        limit_parallel(self._draft, loop, state.get("MaxConcurrency"), path, "MaxConcurrency")
        share, count = number(state.get("ToleratedFailurePercentage")), number(state.get("ToleratedFailureCount"))
        if share is not None and 0 < share <= 100:
            loop["tolerate"] = {"failures": f"{share}%"}
        elif count is not None and count > 0:
            loop["tolerate"] = {"failures": int(count)}
        return loop

    def _collected(self, name: str, ends: list[Arrival], body: list[Task]) -> str:
        """The task whose output is the result of an iteration, and what of it; it is added unless one has it."""
        data = either(one for _, one in ends) if ends else Data(value={})
        if data.base is not None and not data.fields and len(ends) == 1:
            parts = data.base.split(".")
            if parts[0] == "tasks" and len(parts) >= 3 and parts[2] == "output" and " " not in data.base:
                return ".".join([parts[1], *parts[3:]])
        task = self._draft.value(f"{name}-result", data.template())
        body.append(place(task, merged(one for one, _ in ends) if ends else START))
        return str(task["id"])

    def _no_policies(self, state: dict[str, Any], path: Path) -> None:
        for key in ("Retry", "Catch"):
            if state.get(key):
                self._draft.unmapped((*path, key), f"{key} of a block of states is left out: tasks have their own")

    def _made(self, task: Task, frontier: Frontier) -> tuple[Frontier, Data]:
        self._tasks.append(place(task, frontier))
        return Edge(str(task["id"])), Data(f"tasks.{task['id']}.output")

    def _after(self, state: dict[str, Any], data: Data, result: Data, path: Path) -> Data:
        """The document behind a state, given its input and its result."""
        if "ResultSelector" in state:
            result = Data(value=self._reader.payload(state["ResultSelector"], result, (*path, "ResultSelector")))
        return self._out(state, self._put(state, data, result, path), path)

    def _put(self, holder: dict[str, Any], data: Data, result: Data, path: Path) -> Data:
        where = holder.get("ResultPath", "$")
        if where is None:
            return data
        try:
            segments, behind = path_of(text(where))
            if behind is not None:
                raise NoPath("a wildcard names no place")
            return data.put(segments, result)
        except NoPath as error:
            self._draft.unmapped((*path, "ResultPath"), f"{str(where)[:80]!r} cannot be taken over: {error}")
            return data

    def _out(self, state: dict[str, Any], data: Data, path: Path) -> Data:
        return self._reader.data(state["OutputPath"], data, (*path, "OutputPath")) if "OutputPath" in state else data

    def _leave(self, came_from: str, state: dict[str, Any], frontier: Frontier, data: Data, path: Path) -> None:
        if truth(state.get("End")) or "Next" not in state:
            self._ends.append((frontier, data))
        else:
            self._go(came_from, state["Next"], frontier, data, (*path, "Next"))

    def _go(self, came_from: str, name: Any, frontier: Frontier, data: Data, path: Path) -> None:
        if not isinstance(name, str) or name not in self._states:
            self._draft.unmapped(path, f"there is no state {str(name)[:80]!r}")
        elif (came_from, name) not in self._back:
            self._arrivals.setdefault(name, []).append((self._draft.gathered(frontier, self._tasks), data))
