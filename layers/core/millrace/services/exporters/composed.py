"""Tasks that hold tasks as states: a switch as a Choice with a line of states for each case, a loop as a Map.

A body sees the document of its surroundings, and adds to it; in the end its result stands where that of any task does.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from msgspec import Struct

from millrace.services.exporters.linking import Chain, fixed, linked, side
from millrace.services.exporters.portable import NotPortable, Portable, Rule
from millrace.spec.tasks.for_each import ForEach
from millrace.spec.tasks.switch import Switch


class Inside(Struct, frozen=True):
    """A body: the states of its tasks, and what the last of them put out, by id, as paths."""

    chain: Chain
    outputs: dict[str, str]

    @property
    def result(self) -> dict[str, Any]:
        """The payload of what came of it."""
        return {"status": "succeeded", "output": {f"{name}.$": path for name, path in self.outputs.items()}}


Bodies = Callable[[int], Inside]
"""The body at a position among those of the task."""


def switch_states(name: str, block: Switch, portable: Portable, bodies: Bodies) -> Chain:
    """A Choice, then the states of each case beside the line. Raises NotPortable."""
    variable = portable.path(block.value)
    where = f"$.tasks.{name}"
    choices: list[Rule] = []
    made: Chain = []
    for index, case in enumerate(block.cases):
        if isinstance(case.when, bool):
            raise NotPortable("a case whose condition is constant")
        rule = portable.equals(variable, case.match)
        if case.when is not None:
            rule = portable.within({"value": variable}).rule(case.when)
        states = _case(f"{name} {index + 1}", bodies(index), where)
        choices.append({**rule, "Next": states[0][0]})
        made += states
    if block.default is None:
        rest: Chain = [(f"{name} none", side({"status": "succeeded", "output": {}}, where))]
    else:
        rest = _case(f"{name} default", bodies(len(block.cases)), where)
    return [(name, {"Type": "Choice", "Choices": choices, "Default": rest[0][0]}), *made, *rest]


def _case(name: str, inside: Inside, where: str) -> Chain:
    done = f"{name} done"
    return [*fixed(linked(inside.chain, done)), (done, side(inside.result, where, key="Parameters"))]


def loop_states(name: str, block: ForEach, portable: Portable, inside: Inside, carried: dict[str, str]) -> Chain:
    """A Map whose items see the document around it, and one name and one index more. ``carried`` are the names of
    loops around it, with their paths. Raises NotPortable."""
    each, where = block.for_each, f"$.tasks.{name}"
    made: Chain = []
    entry, items = name, each.items
    if isinstance(items, list):
        if portable.payload({"items": items}) != {"items": items}:
            raise NotPortable("a list of items with templates")
        made.append((name, {"Type": "Pass", "Result": items, "ResultPath": where}))
        entry, path = f"{name} each", where
    else:
        path = portable.path(items)
    done = f"{name} item"
    chain: Chain = [*inside.chain, (done, {"Type": "Pass", "Parameters": inside.result})]
    failures = each.tolerate.failures
    if failures == "100%":
        chain = _caught(name, chain)
    elif failures not in (0, "0%"):
        raise NotPortable("a loop that tolerates some failures: an inline Map tolerates none, and cannot count them")
    states = linked(chain)
    selector = {"input.$": "$.input", "tasks.$": "$.tasks", **{f"{key}.$": at for key, at in carried.items()}}
    selector |= {f"{each.as_}.$": "$$.Map.Item.Value", f"{each.index}.$": "$$.Map.Item.Index"}
    state: dict[str, Any] = {
        "Type": "Map",
        "ItemsPath": path,
        "MaxConcurrency": each.max_parallel,
        "ItemSelector": selector,
        "ItemProcessor": {"ProcessorConfig": {"Mode": "INLINE"}, "StartAt": next(iter(states)), "States": states},
        "ResultSelector": {"status": "succeeded", "output.$": "$"},
        "ResultPath": where,
    }
    made.append((entry, state))
    return made


def _caught(name: str, chain: Chain) -> Chain:
    """What runs per item, with its failure as its result."""
    states = linked(chain)
    whole = {
        "Type": "Parallel",
        "Branches": [{"StartAt": next(iter(states)), "States": states}],
        "OutputPath": "$[0]",
        "Catch": [{"ErrorEquals": ["States.ALL"], "Next": f"{name} item failed"}],
    }
    failed = {
        "status": "failed",
        "output": {},
        "error": {"kind": "task", "code.$": "$.Error", "message.$": "$.Cause"},
    }
    return [(f"{name} items", whole), (f"{name} item failed", {"Type": "Pass", "Parameters": failed, "_side": True})]
