"""The lanes of large loops, as drivers need them: each is created once, told how to go on, and tells how far it is."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import msgspec

from millrace.base.errors import ConditionRefused, Conflict, NotFound
from millrace.base.ids import lane_name, root_of
from millrace.driver.values import ValueCodec
from millrace.engine import events as ev
from millrace.engine.commands import NotifyParent, StartLanes, TellFailures, TellLanes
from millrace.ports.documents import Op, TenantScope
from millrace.services.caller import Caller
from millrace.services.forestall import stop_or_forestall
from millrace.services.platform import Platform
from millrace.services.send_message import send_message
from millrace.store.executions import Message, new_actor, read_actor
from millrace.store.runlog import Stamp, segment_puts

KINDS = {"pause": "pause", "run": "resume", "close": "close", "cancel": "cancel"}
"""The message that tells a lane how to go on."""


class LoopLanes:
    """What a driver needs of lanes (`millrace.driver.world.Lanes`)."""

    def __init__(self, platform: Callable[[], Platform]) -> None:
        """``platform`` is asked when it is needed first: a platform may be made after its driver."""
        self._platform = platform

    def start(self, scope: TenantScope, started: ev.ExecutionStarted, order: StartLanes, items: list[Any]) -> None:
        """Create the logs that do not exist yet, then have all of them driven. Raises Unavailable."""
        platform = self._platform()
        for at in range(order.lanes):
            name = lane_name(started.execution, order.stream + at)
            if read_actor(platform.documents, scope, name) is None:
                self._create(platform, scope, name, begun_lane(started, order, at, items, platform.clock.now()))
        platform.orchestrator.spread(scope, started.execution, order.stream, order.lanes)

    def _create(
        self, platform: Platform, scope: TenantScope, name: str, made: tuple[ev.ExecutionStarted, ValueCodec]
    ) -> None:
        begun, codec = made
        for key, data in codec.blobs.items():
            platform.blobs.put(scope, key, data)
        segment = segment_puts(name, 0, [begun], Stamp(begun.principal, platform.ids.new()))
        ops: list[Op] = [*segment, new_actor(name, begun.at)]
        try:
            platform.documents.write(scope, ops)
        except ConditionRefused:
            return  # it is there, or has been told to stop before it was

    def tell(self, scope: TenantScope, started: ev.ExecutionStarted, order: TellLanes) -> tuple[int, ...]:
        """Send each lane the message; the answer are those that did not exist when they were told to cancel, and never
        will. Raises Unavailable."""
        platform = self._platform()
        void: list[int] = []
        for stream in order.streams:
            name = lane_name(started.execution, stream)
            message = Message(
                id=f"{order.stance}-{platform.ids.new()}",
                kind=KINDS[order.stance],
                payload=None if order.failure is None else {"failure": msgspec.to_builtins(order.failure)},
                reason=f"the loop {order.path} of {started.execution} was stopped",
                principal=started.principal,
            )
            send = partial(_sent, platform, scope, started, name, message)
            if order.stance != "cancel":
                send()
            elif not stop_or_forestall(platform, scope, name, send):
                void.append(stream)
        return tuple(void)

    def report(self, scope: TenantScope, started: ev.ExecutionStarted, told: NotifyParent | TellFailures) -> None:
        """Put how far a lane has come into the inbox of its execution, if that is not over. Raises Unavailable."""
        lane, parent = started.lane, started.parent
        assert lane is not None  # only a lane reports
        assert parent is not None
        report = told.report or ev.LaneReport()
        ended = isinstance(told, NotifyParent)
        event = ev.LaneReported(
            at=0,
            path=lane.path,
            lane=lane.first,
            stream=int(started.execution.partition(".")[2]),
            message="",
            status=told.status if isinstance(told, NotifyParent) else "running",
            report=report,
            output=told.output if isinstance(told, NotifyParent) else None,
            failure=told.failure if isinstance(told, NotifyParent) else None,
        )
        message = Message(
            id=f"lane-{event.stream}-{'end' if ended else report.failures}",
            kind="lane",
            name=lane.path,
            payload={"told": msgspec.json.encode(event).decode()},
        )
        _sent(self._platform(), scope, started, root_of(started.execution), message)


def begun_lane(
    started: ev.ExecutionStarted, order: StartLanes, at: int, items: list[Any], now: int
) -> tuple[ev.ExecutionStarted, ValueCodec]:
    """The first event of lane ``at``: every nth item from there on."""
    codec = ValueCodec(root_of(started.execution))
    mine = items[at :: order.lanes]
    lane = ev.Lane(
        path=order.path,
        first=at,
        step=order.lanes,
        count=len(mine),
        window=order.window,
        items=codec.encode(mine),
        spare=order.allowed // order.lanes,
        outer=order.outer,
    )
    begun = msgspec.structs.replace(
        started,
        at=now,
        execution=lane_name(started.execution, order.stream + at),
        lane=lane,
        parent=ev.Parent(started.execution, order.path),
        slots=order.slots,
        labels={},
        idempotency_key="",
    )
    return begun, codec


def _sent(
    platform: Platform, scope: TenantScope, started: ev.ExecutionStarted, execution: str, message: Message
) -> bool:
    """Whether there was somebody to tell, be it over by now."""
    caller = Caller(scope.tenant, started.principal, namespace=started.namespace)
    try:
        send_message(platform, caller, execution, message)
    except Conflict:
        return True
    except NotFound:
        return False
    return True
