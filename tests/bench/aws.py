"""What one execution of each example costs on AWS, with all that it starts and its lanes, counted on the emulation of
Step Functions, Lambda and DynamoDB, against one state per task and one invocation per attempt.

Prices are AWS's list prices for us-east-1 in US dollars: Standard transitions $25 a million, Express $1 a million
requests and $0.00001667 a GB-second, Lambda $0.20 a million requests and $0.0000133334 a GB-second (arm64), DynamoDB
on demand $0.625 a million write units and $0.125 a million read units. Functions have 1,024 MB: ours
are paid for as long as the driver was called, the others for as long as the attempts took.
"""

from __future__ import annotations

import math
import re
import time
from collections import Counter, defaultdict
from typing import Any

from millrace.adapters.dynamodb.schema import PARTITION, SORT, index_names
from millrace.base.ids import root_of
from millrace.base.limits import SLEEP_IN_DRIVER_MS
from millrace.engine import events as ev
from millrace.ports.documents import Index
from tests.corpus import examples
from tests.infra.histories import read_history
from tests.infra.worlds import CALLER, Cloud, cloud, demo_service, finish, publish, start

TRANSITION, EXPRESS, REQUEST = 25e-6, 1e-6, 0.2e-6
WRITE, READ = 0.625e-6, 0.125e-6
EXPRESS_GB_S, LAMBDA_GB_S = 0.00001667, 0.0000133334
EXPRESS_GB, LAMBDA_GB = 64 / 1024, 1.0
STATES_BESIDE_TASKS = 2


UNIT_BYTES = 1024
INDEXES = tuple(index_names(index)[0] for index in Index)
CHANGED_BYTES = 700
"""What an updated item is taken to hold: the actor and the summary are of about this size."""


class Writes:
    """Write units as DynamoDB charges them, from the requests themselves, since the emulation reports none for
    transactions: one a kilobyte begun, twice that in a transaction; and, in a transaction or not, one for each index
    that the item enters, leaves or stays in, two where its key there changes. All indexes hold whole items."""

    def __init__(self) -> None:
        self.units = 0
        self._indexes: dict[str, set[str]] = defaultdict(set)

    def listen(self, events: Any) -> None:
        events.register("provide-client-params.dynamodb.*", self._see)

    def _see(self, params: Any, model: Any, **_: Any) -> None:
        if model.name == "TransactWriteItems":
            self.units += sum(self._of(op, 2) for op in params["TransactItems"])
        elif model.name in ("PutItem", "UpdateItem", "DeleteItem"):
            self.units += self._of({model.name.removesuffix("Item"): params}, 1)

    def _of(self, op: dict[str, Any], factor: int) -> int:
        ((kind, given),) = op.items()
        held = given.get("Item") or given["Key"]
        before = self._indexes[str((given["TableName"], held[PARTITION], held[SORT]))]
        if kind == "Put":
            size = sum(len(name) + sum(len(_bytes(value)) for value in wire.values()) for name, wire in held.items())
            now = {name for name in INDEXES if name in held}
            moved = len(now | before)
        else:
            size = CHANGED_BYTES
            set_, removed = _changed(given) if kind == "Update" else (set(), before if kind == "Delete" else set())
            now = (before | set_) - removed
            moved = 0 if kind == "ConditionCheck" else len(now | before) + len(set_ & before)
        before.clear()
        before |= now
        return math.ceil(size / UNIT_BYTES) * (factor + moved)


def _changed(update: dict[str, Any]) -> tuple[set[str], set[str]]:
    """The indexes whose key an update sets, and those it takes the item out of."""
    marks = {name: mark for mark, name in update.get("ExpressionAttributeNames", {}).items()}
    text, _, removed = update["UpdateExpression"].partition("REMOVE ")
    removed = removed.partition("ADD ")[0]
    named = {name: re.compile(rf"{marks[name]}\b") for name in INDEXES if name in marks}
    return {name for name, mark in named.items() if mark.search(text)}, {
        name for name, mark in named.items() if mark.search(removed)
    }


def _bytes(value: Any) -> bytes:
    return value if isinstance(value, bytes) else str(value).encode()


class Family:
    """An execution with all that it starts, and its lanes: what the driver was called for between two moments."""

    def __init__(self, aws: Cloud) -> None:
        self._aws = aws
        self._before = Counter(aws.invocations)
        self.seconds = 0.0
        self._handler, aws.handler = aws.handler, self._timed

    def _timed(self, event: Any, context: Any) -> Any:
        begun = time.perf_counter()
        try:
            return self._handler(event, context)
        finally:
            self.seconds += time.perf_counter() - begun

    def end(self) -> None:
        self._aws.handler = self._handler
        self._called = self._aws.invocations - self._before

    @property
    def invocations(self) -> int:
        return sum(self._called.values())

    @property
    def members(self) -> set[str]:
        return {execution for execution, _ in self._called}

    @property
    def executions(self) -> list[str]:
        return sorted(one for one in self.members if root_of(one) == one)

    @property
    def transitions(self) -> int:
        """Those of Standard machines; each lane is one of the map's too."""
        lanes = len(self.members) - len(self.executions)
        found = [self._aws.transitions(execution) for execution in self.executions]
        return sum(one["standard"] + one.get("fan-out", 0) for one in found) + lanes

    def events(self) -> list[ev.Event]:
        platform, scope = self._aws.platform, CALLER.scope
        return [event for execution in self.executions for event in read_history(platform, scope, execution)]


def rows() -> list[dict[str, Any]]:
    out = []
    with demo_service() as demo, cloud(demo, linger_ms=SLEEP_IN_DRIVER_MS) as aws:
        consumed = aws.platform.documents.consumed  # type: ignore[attr-defined]
        written = Writes()
        written.listen(aws.platform.documents.caller.connection().client.meta.events)  # type: ignore[attr-defined]
        for case in examples():
            publish(aws.platform, case)
            writes, reads = written.units, consumed.read_units
            family = Family(aws)
            finish(aws.platform, case, start(aws.platform, case))
            aws.settle()
            family.end()
            out.append(_row(case.name, family, float(written.units - writes), float(consumed.read_units - reads)))
    return out


def _row(name: str, family: Family, writes: float, reads: float) -> dict[str, Any]:
    events, transitions = family.events(), family.transitions
    tasks = sum(isinstance(event, ev.TaskFinished) for event in events)
    attempts = [event for event in events if isinstance(event, ev.AttemptFinished)]
    worked = sum(event.at - event.started_at for event in attempts) / 1000
    ours = (
        transitions * TRANSITION
        + len(family.members) * EXPRESS
        + family.seconds * EXPRESS_GB * EXPRESS_GB_S
        + family.invocations * REQUEST
        + family.seconds * LAMBDA_GB * LAMBDA_GB_S
    )
    states = tasks + STATES_BESIDE_TASKS * len(family.executions)
    per_task = states * TRANSITION + len(attempts) * REQUEST + worked * LAMBDA_GB * LAMBDA_GB_S
    return {
        "name": f"AWS: {name}",
        "tasks": tasks,
        "standard transitions": transitions,
        "express requests": len(family.members),
        "invocations": family.invocations,
        "write units": writes,
        "read units": reads,
        "usd per million": ours * 1e6,
        "store usd per million": (writes * WRITE + reads * READ) * 1e6,
        "a state and a call per task": per_task * 1e6,
        "ratio": ours / per_task,
        "ratio with store": (ours + writes * WRITE + reads * READ) / per_task,
        "aim": 0.2,
    }
