"""Comparing histories: what must be equal, whoever ran an execution, and what may differ."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from typing import Any

import msgspec

from millrace.base.ids import root_of
from millrace.driver.values import load_value
from millrace.engine import events as ev
from millrace.engine.plan import Plan
from millrace.engine.rules import EARLY
from millrace.engine.values import Value
from millrace.ports.documents import TenantScope
from millrace.services.platform import Platform
from millrace.store.history import whole_history
from tests.plan_tree import SLOT, tree_of

FIELDS = frozenset(
    {"at", "started_at", "ready_at", "queued_at", "due", "usage", "exchange", "env", "execution", "seed"}
    | {"message", "traceparent", "region"}
)
"""Fields of events that hold times, measurements and ids (``message`` is the id of an inbox message)."""
KEYS = frozenset(
    {"durationMs", "startedAt", "until", "at", "date", "receipt", "idempotency-key", "DEMO_URL", "DEPLOYMENT_API_URL"}
    | {"content-length"}
)
"""Keys inside values that hold the same; the length of a body follows from the digits of its receipt."""
ADDRESS = re.compile(r"127\.0\.0\.1:\d+")

History = dict[str, list[Any]]


def read_history(platform: Platform, scope: TenantScope, execution: str) -> list[ev.Event]:
    """The events of an execution, in order."""
    return list(whole_history(platform.documents, scope, execution))


def comparable(
    platform: Platform, scope: TenantScope, events: list[ev.Event], *, without: frozenset[str] = frozenset()
) -> History:
    """Per task path (empty: the execution itself) its events in order, values resolved, without what may differ:
    `FIELDS`, and the fields and keys named by ``without``."""
    found: History = defaultdict(list)
    assert isinstance(events[0], ev.ExecutionStarted)
    named = ev.WaitStarted | ev.ChildStarted | ev.ChildFinished
    known = {event.child: f"child of {event.path}" for event in events if isinstance(event, named) and event.child}
    known |= {events[0].execution: "id"}
    if events[0].parent is not None:
        known[events[0].parent.execution] = known[root_of(events[0].parent.execution)] = "parent"
    for event in events:
        if isinstance(event, ev.LanesTold) or (isinstance(event, ev.LaneReported) and event.status == "running"):
            continue  # what is said before the end of a lane depends on how soon it is over
        body: dict[str, Any] = {"type": type(event).__name__}
        for name in event.__struct_fields__:
            value = getattr(event, name)
            if isinstance(value, Value):
                value = load_value(platform.blobs, scope, value)
            elif isinstance(value, ev.Failure):
                value = [value.kind, value.code, value.message, value.retryable]
            elif name in FIELDS or name in without or _waits_for_breaker(event, name):
                continue
            body[name] = _stable(value, known, KEYS | without)
        path = getattr(event, "path", "")
        if isinstance(event, ev.LaneReported):  # lanes end in any order
            path = f"{path} lane {event.lane}"
        found[path].append(body)
    return dict(found)


def _waits_for_breaker(event: ev.Event, name: str) -> bool:
    """A delay until a circuit breaker lets a probe through is what was left of its break: a measurement."""
    return name == "delay_ms" and isinstance(event, ev.RetryScheduled) and event.why.startswith("circuit_open/")


def children(events: list[ev.Event]) -> dict[str, str]:
    """The executions that one started, by the path of the task."""
    return {event.path: event.child for event in events if isinstance(event, ev.ChildStarted)}


def family_history(
    platform: Platform, scope: TenantScope, execution: str, *, without: frozenset[str] = frozenset()
) -> History:
    """What is `comparable` of an execution and, below the paths of their tasks, of those that it started."""
    events = read_history(platform, scope, execution)
    found = comparable(platform, scope, events, without=without)
    for path, child in children(events).items():
        below = family_history(platform, scope, child, without=without)
        found |= {f"{path}>{inner}": inside for inner, inside in below.items()}
    return found


def _stable(value: Any, known: dict[str, str], without: frozenset[str]) -> Any:
    """JSON without addresses and the keys ``without``, in which executions are named by what they are to this one."""
    plain = ADDRESS.sub("demo", json.dumps(msgspec.to_builtins(value, str_keys=True, enc_hook=repr), sort_keys=True))
    for execution, name in known.items():
        plain = plain.replace(execution, name)
    return _strip(json.loads(plain), without)


def _strip(value: Any, without: frozenset[str]) -> Any:
    if isinstance(value, dict):
        return {key: _strip(held, without) for key, held in value.items() if key not in without}
    if isinstance(value, list):
        return [_strip(held, without) for held in value]
    return value


def misordered(plan: Plan, events: list[ev.Event]) -> list[str]:
    """Dependencies that were not over before what needs them began, in every body: ``first -> second`` each."""
    ended: dict[str, int] = {}
    begun: dict[str, int] = {}
    for position, event in enumerate(events):
        path = getattr(event, "path", "")
        if isinstance(event, ev.AttemptStarted | ev.WaitStarted | ev.ScopeOpened | ev.TaskFinished):
            begun.setdefault(path, position)
        if isinstance(event, ev.TaskFinished):
            ended[path] = position
    tree = tree_of(plan)
    wrong = []
    for path, began in begun.items():
        body, node = tree.get(SLOT.sub("", path), (None, None))
        if body is None or node is None or node.trigger_rule in EARLY:
            continue
        for need in node.needs:
            before = path.removesuffix(node.label) + body.nodes[need].label
            if ended.get(before, len(events)) >= began:
                wrong.append(f"{before} -> {path}")
    return wrong
