"""Tasks of a flow by the class they name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from millrace.services.importers.bounds import limit_parallel
from millrace.services.importers.draft import Draft, Task
from millrace.services.importers.kestra.pebble import BRACES, Pebble
from millrace.services.importers.order import START, Edge, Frontier, joined, merged, narrowed, none_of, opposite, place
from millrace.services.importers.reading import listing, mapping, number, text, truth
from millrace.services.importers.requests import attempts, duration, request
from millrace.services.importers.result import Path
from millrace.services.importers.spelling import quoted, slug
from millrace.services.importers.templates import Templates

TABLE: Final = {
    "http.Request": "`http` task; a body that is not form data is sent as it is",
    "log.Log, debug.Return, OutputValues": "a `transform` that gives the value",
    "flow.Sequential, WorkingDirectory, AllowFailure": "tasks one behind the other",
    "flow.Parallel": "tasks side by side",
    "flow.Dag": "tasks with `dependsOn`",
    "flow.If, flow.Switch": "conditions on the tasks inside",
    "flow.ForEach, EachSequential, EachParallel": "`forEach`",
    "flow.Pause, flow.Sleep": "`wait`; without a delay, an approval",
    "flow.Subflow": "`workflowRef`; without `wait`, `detached`",
    "execution.Fail": "a `transform` that fails",
    "any other class": "a `taskRef` that has to be written (unmapped)",
    "retry, timeout, runIf, allowFailure": "`retry`, `timeout`, `condition`, `continueOnError`",
    "disabled": "a false condition",
}
_HTTP_OUTPUT: Final = {"code": ".status", "body": ".body", "headers": ".headers"}
_VALUE_OUTPUT: Final = {"value": "", "values": "", "message": ""}
_DEEPEST: Final = 16


class Reader:
    """What all bodies of one flow share."""

    def __init__(self, draft: Draft) -> None:
        self.draft = draft
        self.pebble = Pebble()
        self.templates = Templates(draft, BRACES, self.pebble.translate)

    def condition(self, source: Any, path: Path) -> str:
        """A condition; ``false``, with a note, where it cannot be mapped."""
        if isinstance(source, bool):
            return "true" if source else "false"
        whole = BRACES.fullmatch(text(source).strip())
        made = self.templates.expression(whole[1], path) if whole is not None else None
        if whole is None:
            self.draft.unmapped(path, f"the condition {str(source)[:80]!r} cannot be taken over")
        return made or "false"


class Body:
    """The tasks of one level: the flow, or the inside of a loop."""

    def __init__(self, reader: Reader, tasks: list[Task], depth: int = 0) -> None:
        self.tasks = tasks
        self._reader, self._draft, self._depth = reader, reader.draft, depth
        self._kinds: dict[str, Callable[[dict[str, Any], Frontier, Path], Frontier]] = {
            "Sequential": self._sequential,
            "WorkingDirectory": self._sequential,
            "AllowFailure": self._sequential,
            "Parallel": self._parallel,
            "Dag": self._dag,
            "If": self._if,
            "Switch": self._switch,
            "ForEach": self._each,
            "EachSequential": self._each,
            "EachParallel": self._each,
        }

    def sequence(self, source: Any, frontier: Frontier, path: Path) -> Frontier:
        """Tasks one behind the other."""
        for index, one in enumerate(listing(source)):
            frontier = self.task(one, frontier, (*path, index))
        return frontier

    def task(self, source: Any, frontier: Frontier, path: Path) -> Frontier:
        """Any task; where control stands behind it."""
        task = mapping(source)
        name = text(task.get("id"), "task")
        kind = text(task.get("type")).rpartition(".")[2]
        if self._depth > _DEEPEST or len(path) > 2 * _DEEPEST + 8:
            self._draft.unmapped(path, "tasks are nested too deeply")
            return frontier
        condition = self._reader.condition(task["runIf"], (*path, "runIf")) if "runIf" in task else None
        if truth(task.get("disabled")):
            condition = "false"
        make = self._kinds.get(kind)
        entered = self._narrowed(frontier, condition)
        inside = make(task, entered, path) if make is not None else self._leaf(name, kind, task, entered, path)
        if condition is None:
            return inside
        return self._merged([inside, self._narrowed(frontier, opposite(condition))])

    def _narrowed(self, frontier: Frontier, condition: str | None) -> Frontier:
        return self._draft.gathered(narrowed(frontier, condition), self.tasks)

    def _merged(self, frontiers: list[Frontier]) -> Frontier:
        return self._draft.gathered(merged(frontiers), self.tasks)

    def _add(self, task: Task, frontier: Frontier, source: dict[str, Any], path: Path) -> Frontier:
        identifier = str(task["id"])
        self._policies(task, source, path)
        self.tasks.append(place(task, frontier))
        failing = task.get("continueOnError") is True
        return Edge(identifier, outcome="ended" if failing else "succeeded")

    def _known(self, name: str, task: Task, shape: dict[str, str]) -> Task:
        identifier = str(task["id"])
        self._reader.pebble.ids[name] = identifier
        self._reader.pebble.shapes[identifier] = shape
        return task

    def _leaf(self, name: str, kind: str, task: dict[str, Any], frontier: Frontier, path: Path) -> Frontier:
        value = self._reader.templates.value
        shape: dict[str, str] = {}
        if kind == "Request" and ".http." in text(task.get("type")):
            made, shape = self._http(name, task, path), _HTTP_OUTPUT
        elif kind in ("Log", "Return", "Echo", "OutputValues", "SetVariables"):
            key = next((key for key in ("message", "format", "values") if key in task), "message")
            made, shape = self._draft.value(name, value(task.get(key), (*path, key))), _VALUE_OUTPUT
        elif kind in ("Pause", "Sleep"):
            made = self._pause(name, task, path)
        elif kind in ("Subflow", "Flow"):
            made, shape = self._subflow(name, task, path), {"outputs": ""}
        elif kind == "Fail":
            said = text(task.get("errorMessage"), "the flow fails here")
            made = self._draft.failing(name, said)
            if "condition" in task:
                condition = self._reader.condition(task["condition"], (*path, "condition"))
                entered = self._narrowed(frontier, condition)
                inside = self._add(self._known(name, made, shape), entered, task, path)
                return self._merged([inside, self._narrowed(frontier, opposite(condition))])
        else:
            given = {key: one for key, one in task.items() if key not in _OWN}
            what = text(task.get("type"), "task").removeprefix("io.kestra.").removeprefix("plugin.")
            made = self._draft.missing(name, what, (*path, "type"), value(given, path))
        return self._add(self._known(name, made, shape), frontier, task, path)

    def _http(self, name: str, task: dict[str, Any], path: Path) -> Task:
        value = self._reader.templates.value
        options = mapping(task.get("options"))
        parts: dict[str, Any] = {
            "headers": value(mapping(task.get("headers")), (*path, "headers")),
            "query": value(mapping(task.get("params")), (*path, "params")),
        }
        if "formData" in task:
            parts["form"] = value(mapping(task["formData"]), (*path, "formData"))
        elif "body" in task:
            body = value(task["body"], (*path, "body"))
            parts["bodyText" if isinstance(body, str) and not _whole(body) else "body"] = body
            if isinstance(task.get("contentType"), str):
                parts["headers"] = {**parts["headers"], "content-type": task["contentType"]}
        auth = self._auth(options or task, path)
        made = request(
            self._draft, path, task.get("method"), value(task.get("uri"), (*path, "uri")), auth=auth, **parts
        )
        return {"id": self._draft.id(name), "type": "http", "request": made}

    def _auth(self, options: dict[str, Any], path: Path) -> dict[str, Any] | None:
        value = self._reader.templates.value
        given = mapping(options.get("auth"))
        kind = text(given.get("type")).upper()
        if kind == "BEARER" and "token" in given:
            return {"bearer": value(given["token"], (*path, "options", "auth", "token"))}
        user = options.get("basicAuthUser", given.get("username"))
        secret = options.get("basicAuthPassword", given.get("password"))
        if user is not None and secret is not None:
            return {"basic": {"username": value(user, path), "password": value(secret, path)}}
        if given:
            self._draft.unmapped((*path, "options", "auth"), "this way to authenticate has no counterpart")
        return None

    def _pause(self, name: str, task: dict[str, Any], path: Path) -> Task:
        key = next((key for key in ("delay", "pauseDuration", "duration") if key in task), None)
        if key is not None:
            given = self._reader.templates.value(task[key], (*path, key))
            return {"id": self._draft.id(name), "wait": {"for": given}}
        self._draft.changed(path, "a pause without a delay is an approval: an operator decides")
        return {"id": self._draft.id(name), "type": "approval", "approvers": ["role:operator"]}

    def _subflow(self, name: str, task: dict[str, Any], path: Path) -> Task:
        made: Task = {"id": self._draft.id(name), "workflowRef": slug(text(task.get("flowId"), "flow"), "flow")}
        self._draft.unpinned(path, task.get("revision"))
        given = self._reader.templates.value(mapping(task.get("inputs")), (*path, "inputs"))
        if given:
            made["input"] = given
        if task.get("wait", True) is False:
            made["detached"] = True
        return made

    def _sequential(self, task: dict[str, Any], frontier: Frontier, path: Path) -> Frontier:
        self._block(task, path)
        return self.sequence(task.get("tasks"), frontier, (*path, "tasks"))

    def _parallel(self, task: dict[str, Any], frontier: Frontier, path: Path) -> Frontier:
        self._block(task, path)
        if number(task.get("concurrent")):
            self._draft.unmapped(
                (*path, "concurrent"), "a limit inside a flow is left out: parallelLimit is the workflow's"
            )
        branches = [
            self.task(one, frontier, (*path, "tasks", index)) for index, one in enumerate(listing(task.get("tasks")))
        ]
        return joined(branches) if branches else frontier

    def _dag(self, task: dict[str, Any], frontier: Frontier, path: Path) -> Frontier:
        self._block(task, path)
        left = [(mapping(one), (*path, "tasks", index)) for index, one in enumerate(listing(task.get("tasks")))]
        done: dict[str, Frontier] = {}
        while left:
            ready = [one for one in left if all(need in done for need in _needs(one[0]))]
            if not ready:
                self._draft.unmapped(path, "tasks that wait for each other in a ring")
                break
            for entry, where in ready:
                needs = _needs(entry)
                before = joined(done[need] for need in needs) if needs else frontier
                inner = mapping(entry.get("task"))
                done[text(inner.get("id"))] = self.task(inner, before, (*where, "task"))
            left = [one for one in left if one not in ready]
        return joined(done.values()) if done else frontier

    def _if(self, task: dict[str, Any], frontier: Frontier, path: Path) -> Frontier:
        self._block(task, path)
        condition = self._reader.condition(task.get("condition"), (*path, "condition"))
        yes = self.sequence(task.get("then"), self._narrowed(frontier, condition), (*path, "then"))
        no = self.sequence(task.get("else"), self._narrowed(frontier, opposite(condition)), (*path, "else"))
        return self._merged([yes, no])

    def _switch(self, task: dict[str, Any], frontier: Frontier, path: Path) -> Frontier:
        self._block(task, path)
        whole = BRACES.fullmatch(text(task.get("value")).strip())
        value = self._reader.templates.expression(whole[1], (*path, "value")) if whole else None
        if whole is None:
            self._draft.unmapped((*path, "value"), "the value of a switch that is no single expression")
        ends: list[Frontier] = []
        cases = mapping(task.get("cases"))
        for case, tasks in cases.items():
            condition = "false" if value is None else f"string({value}) == {quoted(case)}"
            ends.append(self.sequence(tasks, self._narrowed(frontier, condition), (*path, "cases", case)))
        otherwise = none_of(value, cases)
        ends.append(self.sequence(task.get("defaults"), self._narrowed(frontier, otherwise), (*path, "defaults")))
        return self._merged(ends)

    def _each(self, task: dict[str, Any], frontier: Frontier, path: Path) -> Frontier:
        self._block(task, path)
        pebble = self._reader.pebble
        key = "values" if "values" in task else "value"
        items = self._reader.templates.value(task.get(key), (*path, key))
        if not isinstance(items, list) and not _whole(items):
            self._draft.unmapped((*path, key), "the values are written as a text: write them as a list")
            items = []
        level = len(pebble.items)
        names = ("item", "index") if not level else (f"item{level + 1}", f"index{level + 1}")
        pebble.items.append(names)
        body: list[Task] = []
        Body(self._reader, body, self._depth + 1).sequence(task.get("tasks"), START, (*path, "tasks"))
        pebble.items.pop()
        loop: dict[str, Any] = {"items": items, "as": names[0], "index": names[1]}
        most = number(task.get("concurrencyLimit", task.get("concurrent")))
        if text(task.get("type")).endswith("EachSequential") or ("ForEach" in text(task.get("type")) and most is None):
            most = 1
        limit_parallel(self._draft, loop, most, path, "concurrencyLimit")
        if not body:
            self._draft.unmapped(path, "a loop without tasks")
            return frontier
        name = text(task.get("id"), "loop")
        made: Task = {"id": self._draft.id(name), "forEach": loop, "tasks": body}
        return self._add(self._known(name, made, {}), frontier, task, path)

    def _block(self, task: dict[str, Any], path: Path) -> None:
        """What belongs to a block of tasks as a whole and has no counterpart."""
        for key in ("retry", "timeout", "errors", "finally"):
            if key in task and not (key == "timeout" and "values" in task):
                self._draft.unmapped((*path, key), f"{key} of a block of tasks is left out: tasks have their own")

    def _policies(self, task: Task, source: dict[str, Any], path: Path) -> None:
        if isinstance(source.get("description"), str) and "description" not in task:
            task["description"] = source["description"]
        if truth(source.get("allowFailure")) or text(source.get("type")).endswith("AllowFailure"):
            task["continueOnError"] = True
        if "forEach" in task:
            return
        limit = duration(source.get("timeout")) if "timeout" in source else None
        if limit is not None:
            task["timeout"] = limit
        retry = mapping(source.get("retry"))
        if not retry or "wait" in task:
            return
        made: dict[str, Any] = {}
        kind = retry.get("type")
        made["strategy"] = "constant" if kind in ("constant", "random") else "exponential"
        most = attempts(retry.get("maxAttempts", retry.get("maxAttempt")))
        if most is not None:
            made["maxAttempts"] = most
        for key, ours in (("interval", "interval"), ("minInterval", "interval"), ("maxInterval", "maxInterval")):
            length = duration(retry.get(key))
            if length is not None:
                made[ours] = length
        longest = duration(retry.get("maxDuration"))
        if longest is not None:
            made["maxDuration"] = longest
        made["jitter"] = "full" if kind == "random" else "none"
        made["retryOn"] = ["*"]
        if kind == "random":
            self._draft.changed((*path, "retry"), "a random wait is one of full jitter")
        task["retry"] = made


_OWN: Final = frozenset(
    {"id", "type", "description", "retry", "timeout", "runIf", "allowFailure", "disabled", "logLevel", "workerGroup"}
)


def _needs(entry: dict[str, Any]) -> list[str]:
    return [need for need in listing(entry.get("dependsOn")) if isinstance(need, str)]


def _whole(value: Any) -> bool:
    """Whether a template is one expression and nothing else, so that it keeps its type."""
    return isinstance(value, str) and value.startswith("{{") and value.endswith("}}") and value.count("{{") == 1
