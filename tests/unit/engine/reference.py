"""What a workflow of tasks inside tasks comes to, said a second time: by recursion over the document, without events,
time or order. The engine has to agree with it on every random workflow.

It knows what the random workflows use: attempts that succeed or fail, conditions that are literals, dependencies,
``continueOnError``, switches over a literal, loops over literals with a tolerance, fallbacks.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

SUCCEEDED, FAILED, SKIPPED = "succeeded", "failed", "skipped"


@dataclass(frozen=True)
class Became:
    status: str
    output: Any = None
    failed_above: bool = False
    """Of a skip: whether a failure is its cause."""


@dataclass
class Reference:
    """``failing`` are the paths of the attempts that fail; any other attempt gives its own path."""

    failing: frozenset[str]
    statuses: dict[str, str] = field(default_factory=dict)

    def run(self, spec: Mapping[str, Any]) -> tuple[str, Any]:
        """The status and the output of a workflow."""
        results = self._body(spec["tasks"], "")
        if _fatal(spec["tasks"], results):
            return FAILED, None
        return SUCCEEDED, _leaves(spec["tasks"], results)

    def _body(self, tasks: list[dict[str, Any]], prefix: str) -> dict[str, Became]:
        results: dict[str, Became] = {}
        for task in tasks:  # a dependency stands before what waits for it
            path = prefix + task["id"]
            results[task["id"]] = self._task(
                task, path, [(need, results[need]) for need in task.get("dependsOn", [])], tasks
            )
            self.statuses[path] = results[task["id"]].status
        return results

    def _task(
        self, task: dict[str, Any], path: str, above: list[tuple[str, Became]], beside: list[dict[str, Any]]
    ) -> Became:
        if task.get("triggerRule", "all_success") == "all_success":
            soft = {one["id"] for one in beside if one.get("continueOnError")}
            skip = _skipped_by(above, soft)
            if skip is not None:
                return skip
        if task.get("condition") is False:
            return Became(SKIPPED)
        result = self._work(task, path)
        if result.status == FAILED and "fallback" in task:
            return self._stand_in(task["fallback"], path)
        return result

    def _stand_in(self, fallback: dict[str, Any], path: str) -> Became:
        if "value" in fallback:
            return Became(SUCCEEDED, fallback["value"])
        result = self._task(fallback["task"], f"{path}/fallback", [], [])
        self.statuses[f"{path}/fallback"] = result.status
        return Became(SUCCEEDED) if result.status == SKIPPED else result

    def _work(self, task: dict[str, Any], path: str) -> Became:
        if "forEach" in task:
            return self._loop(task, path)
        if "switch" in task:
            return self._switch(task["switch"], path)
        return Became(FAILED) if path in self.failing else Became(SUCCEEDED, path)

    def _switch(self, switch: dict[str, Any], path: str) -> Became:
        bodies = [
            (str(at), case["tasks"]) for at, case in enumerate(switch["cases"]) if case["match"] == switch["value"]
        ]
        if "default" in switch:
            bodies.append(("default", switch["default"]["tasks"]))
        if not bodies:
            return Became(SUCCEEDED, {})
        branch, tasks = bodies[0]
        results = self._body(tasks, f"{path}/{branch}/")
        return Became(FAILED) if _fatal(tasks, results) else Became(SUCCEEDED, _leaves(tasks, results))

    def _loop(self, task: dict[str, Any], path: str) -> Became:
        items, tasks = task["forEach"]["items"], task["tasks"]
        said = task["forEach"].get("tolerate", {"failures": 0})["failures"]
        allowed = said if isinstance(said, int) else int(said.rstrip("%")) * len(items) // 100
        output, failures = [], 0
        for slot in range(len(items)):
            results = self._body(tasks, f"{path}[{slot}]/")
            failed = _fatal(tasks, results)
            failures += failed
            output.append((FAILED if failed else SUCCEEDED, _leaves(tasks, results)))
        return Became(FAILED) if failures > allowed else Became(SUCCEEDED, output)


def _skipped_by(above: list[tuple[str, Became]], soft: set[str]) -> Became | None:
    if any((one.status == FAILED and name not in soft) or one.failed_above for name, one in above):
        return Became(SKIPPED, failed_above=True)
    return Became(SKIPPED) if any(one.status == SKIPPED for _, one in above) else None


def _fatal(tasks: list[dict[str, Any]], results: Mapping[str, Became]) -> bool:
    return any(results[task["id"]].status == FAILED and not task.get("continueOnError") for task in tasks)


def _leaves(tasks: list[dict[str, Any]], results: Mapping[str, Became]) -> dict[str, Any]:
    waited = {need for task in tasks for need in task.get("dependsOn", [])}
    return {name: one.output for name, one in results.items() if name not in waited and one.status == SUCCEEDED}


def blamed(value: Any) -> set[str]:
    """The tasks that the errors in an output name."""
    found: set[str] = set()
    for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        found |= blamed(inner)
    error = value.get("error") if isinstance(value, dict) else None
    return found | {error["task"]} if isinstance(error, dict) else found


def told(value: Any) -> Any:
    """An output of the engine in the words of this reference: what a loop says of an error is left out."""
    if isinstance(value, dict):
        return {key: told(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [(entry["status"], told(entry["output"])) for entry in value]
    return value
