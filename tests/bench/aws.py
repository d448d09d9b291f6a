"""What one execution of each example costs on AWS, counted on the emulation of Step Functions, Lambda and DynamoDB,
against one state and one invocation per task.

Prices are AWS's list prices for us-east-1 in US dollars: Standard transitions $25 a million, Express $1 a million
requests and $0.00001667 a GB-second, Lambda $0.20 a million requests and $0.0000133334 a GB-second (arm64), DynamoDB
on demand $0.625 a million write units and $0.125 a million read units. Durations are those of the run, at 1,024 MB.
"""

from __future__ import annotations

import math
from typing import Any

from millrace.adapters.dynamodb.schema import index_names
from millrace.base.limits import SLEEP_IN_DRIVER_MS
from millrace.ports.documents import Index
from tests.corpus import examples
from tests.infra.worlds import cloud, demo_service, finish, publish, result, start

TRANSITION, EXPRESS, REQUEST = 25e-6, 1e-6, 0.2e-6
WRITE, READ = 0.625e-6, 0.125e-6
EXPRESS_GB_S, LAMBDA_GB_S = 0.00001667, 0.0000133334
EXPRESS_GB, LAMBDA_GB = 64 / 1024, 1.0
STATES_BESIDE_TASKS = 2


UNIT_BYTES = 1024
CHANGED_BYTES = 700
"""What an updated item is taken to hold: the actor and the summary are of about this size."""


class Writes:
    """Write units as DynamoDB charges them, from the requests themselves, since the emulation reports none for
    transactions: one a kilobyte begun, twice that in a transaction, and once more for each index the item is in."""

    def __init__(self) -> None:
        self.units = 0

    def listen(self, events: Any) -> None:
        events.register("provide-client-params.dynamodb.*", self._see)

    def _see(self, params: Any, model: Any, **_: Any) -> None:
        if model.name == "TransactWriteItems":
            self.units += sum(2 * self._of(op) for op in params["TransactItems"])
        elif model.name in ("PutItem", "UpdateItem", "DeleteItem"):
            self.units += self._of({model.name.removesuffix("Item"): params})

    @staticmethod
    def _of(op: dict[str, Any]) -> int:
        if "Put" in op:
            item = op["Put"]["Item"]
            size = sum(len(name) + sum(len(_bytes(value)) for value in held.values()) for name, held in item.items())
            indexes = sum(index_names(index)[0] in item for index in Index)
            return math.ceil(size / UNIT_BYTES) * (1 + indexes)
        text = str(op)
        indexes = sum(index_names(index)[0] in text for index in Index)
        return math.ceil(CHANGED_BYTES / UNIT_BYTES) * (1 + indexes)


def _bytes(value: Any) -> bytes:
    return value if isinstance(value, bytes) else str(value).encode()


def rows() -> list[dict[str, Any]]:
    out = []
    with demo_service() as demo, cloud(demo, linger_ms=SLEEP_IN_DRIVER_MS) as aws:
        consumed = aws.platform.documents.consumed  # type: ignore[attr-defined]
        written = Writes()
        written.listen(aws.platform.documents.caller.connection().client.meta.events)  # type: ignore[attr-defined]
        for case in examples():
            publish(aws.platform, case)
            writes, reads = written.units, consumed.read_units
            execution = start(aws.platform, case)
            ran = finish(aws.platform, case, execution)
            aws.settle()
            transitions = aws.transitions(execution)
            invocations = sum(count for (which, _), count in aws.invocations.items() if which == execution)
            body = result(ran)
            out.append(
                _row(
                    case.name,
                    tasks=len(body["tasks"]),
                    standard=transitions["standard"],
                    invocations=invocations,
                    writes=float(written.units - writes),
                    reads=float(consumed.read_units - reads),
                    seconds=body["durationMs"] / 1000,
                )
            )
    return out


def _row(
    name: str, *, tasks: int, standard: int, invocations: int, writes: float, reads: float, seconds: float
) -> dict[str, Any]:
    ours = (
        standard * TRANSITION
        + EXPRESS
        + seconds * EXPRESS_GB * EXPRESS_GB_S
        + invocations * REQUEST
        + seconds * LAMBDA_GB * LAMBDA_GB_S
    )
    per_task = (tasks + STATES_BESIDE_TASKS) * TRANSITION + tasks * REQUEST + seconds * LAMBDA_GB * LAMBDA_GB_S
    return {
        "name": f"AWS: {name}",
        "tasks": tasks,
        "standard transitions": standard,
        "express requests": 1,
        "invocations": invocations,
        "write units": writes,
        "read units": reads,
        "usd per million": ours * 1e6,
        "store usd per million": (writes * WRITE + reads * READ) * 1e6,
        "a state and a call per task": per_task * 1e6,
        "ratio": ours / per_task,
        "ratio with store": (ours + writes * WRITE + reads * READ) / per_task,
        "aim": 0.2,
    }
