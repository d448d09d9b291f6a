"""What can become of tasks before anything runs: which never run, which may be skipped, which outputs may be missing.

Trigger rules are read as the engine reads them (`millrace.engine.rules`): a skip because of a failure counts as a
failure. A failure that ends the workflow is no reason for an output to be missing, since nothing reads it then, except
by tasks whose rule lets them run after it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final, Literal

from msgspec import Struct

from millrace.spec.dependencies import Graph
from millrace.spec.models import Task
from millrace.spec.sites import Sites
from millrace.spec.tree import Tree

Presence = Literal["there", "may-skip", "may-fail", "by-rule", "unfinished", "never", "dead", "at-end"]
"""Whether an output is there when it is read, and if it may not be, why."""
EARLY: Final = frozenset({"always", "one_done", "one_failed", "one_success"})
_DEAD_BY_ONE: Final = frozenset({"all_success", "all_failed", "none_skipped"})
_DEAD_BY_ALL: Final = frozenset({"one_done", "one_failed", "one_success", "none_failed_min_one_success"})
_ASKS_SUCCESS: Final = frozenset({"all_success", "one_success", "none_failed_min_one_success"})
_UNSUCCESSFUL: Final = frozenset({"all_failed", "all_skipped", "one_failed"})
_WITH_FAILED: Final = frozenset({"all_done", "always", "none_skipped", "one_done"})


class _Above(Struct, frozen=True):
    """The tasks that one waits for: how many may be skipped, and may end without an output (``quiet``)."""

    total: int
    firm: int
    skips: int
    failures: int
    failed_above: int
    quiet: int
    firm_skips: int
    firm_quiet: int


_SKIPPED_BY: Final[dict[str, Callable[[_Above], bool]]] = {
    "all_success": lambda above: above.skips > 0,
    "all_failed": lambda _above: True,
    "all_done": lambda _above: False,
    "all_skipped": lambda _above: True,
    "always": lambda _above: False,
    "none_failed": lambda above: above.failures > 0,
    "none_failed_min_one_success": lambda above: above.failures > 0 or _all(above.firm, above.firm_skips, above.skips),
    "none_skipped": lambda above: above.skips > 0,
    "one_done": lambda above: _all(above.firm, above.firm_skips, above.skips),
    "one_failed": lambda _above: True,
    "one_success": lambda above: _all(above.firm, above.firm_quiet, above.quiet),
}
"""Whether a rule may skip its task in a workflow that goes on."""
_BROKEN_BY_FAILURE: Final = frozenset({"none_failed", "none_failed_min_one_success", "one_success"})


def _all(firm: int, of_firm: int, of_all: int) -> bool:
    """Whether the dependencies that count may all be so: one with a condition need not count."""
    return of_firm == firm and of_all > 0


class Outcomes:
    """The outcomes of one body's tasks. ``constants`` are the conditions that are known, by task. ``dead`` are the
    tasks that never run, each with the task whose condition is the reason. Linear in tasks and dependencies; tasks that
    wait for each other in a ring count as run."""

    def __init__(self, tasks: Sequence[Task], graph: Graph, constants: Mapping[str, object]) -> None:
        self._graph = graph
        self._tasks: dict[str, Task] = {}
        for task in tasks:
            self._tasks.setdefault(task.id, task)
        self._loose = {
            task.id: {need.task for need in task.depends_on if need.condition not in (None, True)}
            for task in self._tasks.values()
        }
        self._constants = constants
        self._below: dict[str, list[str]] = {name: [] for name in graph.needs}
        for name, needs in graph.needs.items():
            for need in needs:
                self._below[need].append(name)
        self.dead = self._dead()
        self._failed_above: set[str] = set()
        self._skips = self._may_skip()

    def _dead(self) -> dict[str, str]:
        dead = {name: name for name, value in self._constants.items() if value is False}
        left = {name: len(needs) for name, needs in self._graph.needs.items()}
        queue = list(dead)
        for name in queue:
            for below in self._below[name]:
                rule = self._tasks[below].trigger_rule
                firm = name in self._graph.firm[below] and name not in self._loose[below]
                # one that never runs and waits for others can be skipped for their failure, and then counts as failed
                firm = firm and (rule in _ASKS_SUCCESS or not self._graph.needs[name])
                left[below] -= firm
                gone = (firm and rule in _DEAD_BY_ONE) or (left[below] == 0 and rule in _DEAD_BY_ALL)
                if gone and below not in dead:
                    dead[below] = dead[name]
                    queue.append(below)
        return dead

    def _may_skip(self) -> set[str]:
        skips: set[str] = set()
        left = {name: len(needs) for name, needs in self._graph.needs.items()}
        queue = [name for name, count in left.items() if not count]
        for name in queue:
            task = self._tasks[name]
            uncertain = task.condition is not None and self._constants.get(name) is not True
            needs = self._graph.needs[name]
            above = self._above(name, needs, skips)
            by_rule = bool(needs) and _SKIPPED_BY[task.trigger_rule](above)
            if uncertain or by_rule:
                skips.add(name)
            broken = above.failures if task.trigger_rule in _BROKEN_BY_FAILURE else above.failed_above
            if by_rule and broken:  # a failure with which the workflow goes on: what waits for this one sees it too
                self._failed_above.add(name)
            for below in self._below[name]:
                left[below] -= 1
                if not left[below]:
                    queue.append(below)
        return skips

    def _above(self, name: str, needs: tuple[str, ...], skips: set[str]) -> _Above:
        skipped = [need for need in needs if need in skips]
        above = [need for need in needs if need in self._failed_above]
        failed = {*above, *(need for need in needs if self._tasks[need].continue_on_error)}
        quiet = {*skipped, *failed}
        loose = self._loose[name]
        return _Above(
            total=len(needs),
            firm=sum(need not in loose for need in needs),
            skips=len(skipped),
            failures=len(failed),
            failed_above=len(above),
            quiet=len(quiet),
            firm_skips=sum(need not in loose for need in skipped),
            firm_quiet=sum(need not in loose for need in quiet),
        )

    def at_end(self, need: str) -> Presence:
        """The output of ``need`` when the workflow has come to its end."""
        if need in self.dead:
            return "dead"
        if need in self._skips:
            return "may-skip"
        return "may-fail" if self._tasks[need].continue_on_error else "there"

    def for_task(self, name: str, need: str, *, edge: bool) -> Presence:
        """The output of ``need`` when ``name``, which waits for it, starts; ``edge``: when it is asked whether a
        dependency of ``name`` counts."""
        rule = self._tasks[name].trigger_rule
        needs, loose = len(self._graph.needs[name]), need in self._loose[name]
        if name in self.dead:
            return "there"  # never read
        if rule in EARLY and needs > 1:
            return "dead" if need in self.dead else "unfinished"
        at_end = self.at_end(need)
        if edge or loose:
            return at_end if at_end != "there" or rule not in _WITH_FAILED | _UNSUCCESSFUL else "by-rule"
        if at_end == "dead" or rule in _UNSUCCESSFUL:
            return "dead" if at_end == "dead" else "never"
        if rule in _WITH_FAILED:
            return "by-rule"
        if rule == "all_success":
            return "may-fail" if self._tasks[need].continue_on_error else "there"
        alone = needs == 1 and rule != "none_failed"  # of one_success and none_failed_min_one_success
        return "may-skip" if need in self._skips and not alone else "there"


def outcomes_of(tree: Tree, graphs: Sequence[Graph], sites: Sites) -> tuple[Outcomes, ...]:
    """The outcomes of each body. A task without an id of its own is judged with the task around it."""
    constants: dict[int, object] = {
        placed.index: placed.task.condition for placed in tree.tasks if isinstance(placed.task.condition, bool)
    }
    for site in sites.sites:
        if site.use == "condition" and site.expression.constant and site.task is not None:
            constants[site.task] = site.expression.evaluate({})
    return tuple(
        Outcomes(
            [tree.tasks[index].task for index in body.ids.values()],
            graphs[body.index],
            {name: constants[index] for name, index in body.ids.items() if index in constants},
        )
        for body in tree.bodies
    )
