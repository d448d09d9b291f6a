"""Nodes and their connections: which task comes behind which, and what ``$json`` means in each."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from millrace.services.importers.draft import Draft, Task
from millrace.services.importers.n8n.conditions import Conditions
from millrace.services.importers.n8n.expressions import Parameters
from millrace.services.importers.n8n.nodes import Nodes
from millrace.services.importers.order import START, Edge, Frontier, joined, merged, narrowed, opposite, place
from millrace.services.importers.reading import listing, mapping, number, text, truth
from millrace.services.importers.requests import attempts, seconds
from millrace.services.importers.result import Imported, Path
from millrace.services.importers.topology import topological

TABLE: Final = {
    "HTTP Request": "`http` task; credentials become secrets",
    "Set, Edit Fields": "a `transform` that gives the fields; fields passed on are left out (unmapped)",
    "IF, Filter, Switch": "conditions on the tasks behind it",
    "Merge": "a `transform` that gives a list of what came in by each input",
    "Wait": "`wait`; for a webhook or form, an `event` of the node's name",
    "Execute Workflow": "`workflowRef`",
    "Stop and Error": "a `transform` that fails",
    "Respond to Webhook": "`spec.output`",
    "No Operation, disabled nodes": "nothing: what comes in goes on",
    "Manual, Webhook and other triggers": "the beginning; schedules and webhooks are kept in `spec.triggers`",
    "any other node": "a `taskRef` that has to be written (unmapped)",
    "retryOnFail, maxTries, waitBetweenTries": "`retry`",
    "continueOnFail, onError": "`continueOnError`",
    "`={{ $json.x }}`": "what the node before gave: `{{tasks.a.output.body.x}}`, or `{{input.x}}` behind a trigger",
    "`$node['A'].json`, `$('A').item.json`": "the output of that task",
    "`$env.X`, `$execution.id`": "`env.X`, `execution.id`",
    "a node for each item": "one task for all: n8n runs a node once for each item (changed)",
    "loops": "left out (unmapped)",
}
_TRIGGERS: Final = {"scheduleTrigger": "schedule", "cron": "schedule", "webhook": "webhook"}
_IGNORED: Final = frozenset({"stickyNote"})
_CONTINUES: Final = frozenset({"continueRegularOutput", "continueErrorOutput"})
Arrival = tuple[int, Frontier, str]


def import_n8n(source: Any) -> Imported:
    """A workflow that does what the nodes do, as far as it can be said; raises nothing but TooManyTasks."""
    draft = Draft()
    workflow = mapping(source)
    canvas = _Canvas(draft, workflow)
    canvas.walk()
    if not canvas.tasks:
        draft.unmapped(("nodes",), "there is no node that could be taken over")
    spec: dict[str, Any] = {"tasks": canvas.tasks, "output": canvas.output, "triggers": canvas.triggers}
    tags = [mapping(tag).get("name", tag) for tag in listing(workflow.get("tags"))]
    spec["tags"] = [tag for tag in tags if isinstance(tag, str)]
    return draft.finish(workflow.get("name", "workflow"), spec)


class _Canvas:
    def __init__(self, draft: Draft, workflow: dict[str, Any]) -> None:
        self.tasks: list[Task] = []
        self.triggers: list[dict[str, Any]] = []
        self.output: Any = None
        self._draft = draft
        self._parameters = Parameters(draft)
        self._conditions = Conditions(draft, self._parameters)
        self._makers = Nodes(draft, self._parameters).makers
        self._written = Nodes(draft, self._parameters).written
        self._nodes: dict[str, tuple[dict[str, Any], Path]] = {}
        for index, one in enumerate(listing(workflow.get("nodes"))):
            node = mapping(one)
            if isinstance(node.get("name"), str) and _kind(node) not in _IGNORED:
                self._nodes.setdefault(node["name"], (node, ("nodes", index)))
        self._links = mapping(workflow.get("connections"))
        self._arrivals: dict[str, list[Arrival]] = {}
        self._back: set[tuple[str, str]] = set()

    def walk(self) -> None:
        """Every node that can be reached from a beginning."""
        led_to = {after for name in self._nodes for _, _, after, _ in self._outgoing(name)}
        starts = [name for name in self._nodes if name not in led_to]
        if not starts and self._nodes:
            starts = [next(iter(self._nodes))]
        order, back = topological(starts, lambda name: [after for _, _, after, _ in self._outgoing(name)])
        self._back = set(back)
        for name, after in back:
            self._draft.unmapped(self._nodes[name][1], f"it leads back to {after[:80]!r}: loops have no counterpart")
        for name in order:
            arrivals = self._arrivals.get(name, [])
            if arrivals or name in starts:
                self._visit(name, *self._nodes[name], arrivals)
        reached = set(order)
        for name in (name for name in self._nodes if name not in reached):
            self._draft.unmapped(self._nodes[name][1], "nothing leads to it")
        if self.tasks:
            self._draft.changed(("nodes",), "n8n runs a node once for each item; here a task runs once for all of them")

    def _outgoing(self, name: str) -> Iterator[tuple[int, int, str, Path]]:
        """Output, input of the next node, its name, and where the connection stands."""
        for output, several in enumerate(listing(mapping(self._links.get(name)).get("main"))):
            for place_, one in enumerate(listing(several)):
                link = mapping(one)
                after = link.get("node")
                if isinstance(after, str) and after in self._nodes:
                    into = number(link.get("index"))
                    yield output, int(into or 0), after, ("connections", name, "main", output, place_)

    def _visit(self, name: str, node: dict[str, Any], path: Path, arrivals: list[Arrival]) -> None:
        kind = _kind(node)
        self._parameters.item = _either(item for _, _, item in arrivals)
        if not arrivals:
            self._begin(name, kind, node, path)
            return
        frontier = self._draft.gathered(merged(one for _, one, _ in arrivals), self.tasks)
        if kind == "noOp" or truth(node.get("disabled")):
            self._leave(name, [frontier], self._parameters.item)
        elif kind in ("if", "filter"):
            condition = self._conditions.of(node.get("parameters"), (*path, "parameters", "conditions"))
            ways = [narrowed(frontier, condition), narrowed(frontier, opposite(condition))]
            self._leave(name, ways, self._parameters.item)
        elif kind == "switch":
            self._leave(name, self._switched(node, frontier, path), self._parameters.item)
        elif kind == "merge":
            self._merge(name, arrivals)
        elif kind == "respondToWebhook":
            self._respond(node, path)
            self._leave(name, [frontier], self._parameters.item)
        else:
            self._task(name, kind, node, path, frontier)

    def _begin(self, name: str, kind: str, node: dict[str, Any], path: Path) -> None:
        known = _TRIGGERS.get(kind)
        if known is not None:
            trigger: dict[str, Any] = {"type": known}
            given = mapping(node.get("parameters"))
            if known == "webhook" and isinstance(given.get("path"), str):
                trigger["endpoint"] = given["path"]
            crons = [mapping(one).get("expression") for one in listing(mapping(given.get("rule")).get("interval"))]
            cron = next((one for one in crons if isinstance(one, str)), None)
            if cron is not None:
                trigger["cron"] = cron
            elif known == "schedule":
                self._draft.unmapped((*path, "parameters"), "write the schedule as a cron expression")
            self._parameters.webhook |= known == "webhook"
            self.triggers.append(trigger)
        elif not (kind.endswith("Trigger") or kind in ("start", "manualTrigger")):
            self._task(name, kind, node, path, START)
            return
        elif kind not in ("start", "manualTrigger", "executeWorkflowTrigger"):
            self._draft.unmapped(path, f"the trigger {kind[:60]} is left out: what it gives has to be the input")
        self._leave(name, [START], "input")

    def _task(self, name: str, kind: str, node: dict[str, Any], path: Path, frontier: Frontier) -> None:
        make = self._makers.get(kind)
        if make is not None:
            task = make(name, node, path)
        else:
            given = self._parameters.value(mapping(node.get("parameters")), (*path, "parameters"))
            task = self._draft.missing(name, kind or "node", (*path, "type"), given)
        self._policies(task, node)
        self.tasks.append(place(task, frontier))
        output = f"tasks.{task['id']}.output"
        ended = task.get("continueOnError") is True
        edge = Edge(str(task["id"]), outcome="ended" if ended else "succeeded")
        passed = self._parameters.item if kind == "wait" else output
        self._leave(name, [edge], f"{output}.body" if kind == "httpRequest" else passed)

    def _switched(self, node: dict[str, Any], frontier: Frontier, path: Path) -> list[Frontier]:
        given = mapping(node.get("parameters"))
        where = (*path, "parameters", "rules")
        rules = mapping(given.get("rules"))
        if given.get("mode") == "expression":
            self._draft.unmapped(where, "a computed output: none of its branches runs")
            return [narrowed(frontier, "false")] * 10
        ways: dict[int, Frontier] = {}
        seen: list[str] = []
        for index, one in enumerate(listing(rules.get("values", rules.get("rules")))):
            rule = mapping(one)
            if "conditions" in rule:
                condition = self._conditions.of(rule, (*where, index))
            else:
                condition = self._conditions.compared({"value1": given.get("value1"), **rule}, (*where, index))
            output = int(number(rule.get("output")) or 0) if "conditions" not in rule and "output" in rule else index
            before = " || ".join(f"({one})" for one in seen)
            full = condition if not seen else f"!({before}) && ({condition})"
            ways[output] = merged([narrowed(frontier, full), *([ways[output]] if output in ways else [])])
            if sum(map(len, seen)) > 4_000:
                self._draft.unmapped((*where, index), "there are too many rules: those behind it are left out")
                break
            seen.append(condition)
        rest = " || ".join(f"({one})" for one in seen)
        fallback = given.get("fallbackOutput", mapping(given.get("options")).get("fallbackOutput"))
        extra = len(ways) if fallback == "extra" else number(fallback)
        if extra is not None and extra >= 0 and rest:
            ways[int(extra)] = narrowed(frontier, opposite(rest))
        most = min(max(ways, default=-1), 1_000)
        return [ways.get(index, narrowed(frontier, "false")) for index in range(most + 1)]

    def _merge(self, name: str, arrivals: list[Arrival]) -> None:
        inputs = sorted({into for into, _, _ in arrivals})
        came = [merged(one for at, one, _ in arrivals if at == into) for into in inputs]
        values = [f"{{{{{_either(item for at, _, item in arrivals if at == into)}}}}}" for into in inputs]
        task = place(self._draft.value(name, values), joined(came))
        self.tasks.append(task)
        self._leave(name, [Edge(str(task["id"]))], f"tasks.{task['id']}.output")

    def _respond(self, node: dict[str, Any], path: Path) -> None:
        given = mapping(node.get("parameters"))
        if "responseBody" in given:
            self.output = self._written(given["responseBody"], (*path, "parameters", "responseBody"))
        else:
            self.output = f"{{{{{self._parameters.item}}}}}"

    def _leave(self, name: str, ways: list[Frontier], item: str) -> None:
        self._parameters.items[name] = item
        for output, into, after, path in self._outgoing(name):
            if (name, after) in self._back:
                continue
            if output >= len(ways):
                self._draft.unmapped(path, "an output that the node does not have here")
                continue
            frontier = self._draft.gathered(ways[output], self.tasks)
            self._arrivals.setdefault(after, []).append((into, frontier, item))

    def _policies(self, task: Task, node: dict[str, Any]) -> None:
        if isinstance(node.get("notes"), str) and node["notes"]:
            task.setdefault("description", node["notes"])
        if truth(node.get("continueOnFail")) or text(node.get("onError")) in _CONTINUES:
            task["continueOnError"] = True
        if truth(node.get("retryOnFail")) and "wait" not in task and "event" not in task:
            pause = number(node.get("waitBetweenTries", 1000))
            task["retry"] = {
                "maxAttempts": attempts(node.get("maxTries", 3)) or 3,
                "strategy": "constant",
                "interval": seconds((pause or 0) / 1000) or "0s",
                "jitter": "none",
                "retryOn": ["*"],
            }


def _kind(node: dict[str, Any]) -> str:
    return text(node.get("type")).rpartition(".")[2]


def _either(items: Iterator[str]) -> str:
    """One of several items, whichever branch was taken; the input stands last, since it is always there."""
    known = sorted(dict.fromkeys(items), key=lambda item: not item.startswith("tasks."))
    return (known[0] if len(known) == 1 else f"({' ?? '.join(known)})") if known else "input"
