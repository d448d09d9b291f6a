"""Executions that executions start: a child is created once, told to stop, and tells the one above what came of it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

import msgspec

from millrace.base.errors import (
    Conflict,
    InvalidInput,
    MillraceError,
    NotFound,
    Unavailable,
)
from millrace.base.ids import root_of
from millrace.base.limits import INLINE_VALUE_BYTES
from millrace.driver.values import ValueCodec
from millrace.engine import events as ev
from millrace.engine.commands import CancelChild, NotifyParent, StartChild
from millrace.ports.documents import TenantScope
from millrace.services.caller import Caller
from millrace.services.create_execution import create_execution
from millrace.services.forestall import stop_or_forestall
from millrace.services.platform import Platform
from millrace.services.resolve_version import resolve_version
from millrace.services.send_message import send_message
from millrace.services.start_execution import Start, checked_input, start_event
from millrace.store.executions import Message
from millrace.store.runlog import read_segments

TRIES = 4


class ChildExecutions:
    """What a driver needs of other executions (`millrace.driver.world.Children`)."""

    def __init__(self, platform: Callable[[], Platform]) -> None:
        """``platform`` is asked when it is needed first: a platform may be made after its driver."""
        self._platform = platform

    def start(
        self, scope: TenantScope, started: ev.ExecutionStarted, order: StartChild, value: Any
    ) -> ev.ChildStarted | ev.ChildFinished:
        """Create the execution with the id that ``order`` names, unless it exists. What cannot be started is a child
        that has failed. Raises Unavailable when the store does not answer."""
        platform = self._platform()
        made = self._made(platform, scope, order)
        if made is not None:
            return made
        name, _, version = order.ref.partition("@")
        caller = Caller(scope.tenant, started.principal, namespace=started.namespace)
        start = Start(
            workflow=name,
            input=value,
            trigger={"kind": "workflow", "id": root_of(started.execution)},
            traceparent=started.traceparent or None,
            subject_key=started.subject_key,
        )
        try:
            resolved = resolve_version(platform, caller, name, version=version or None)
            codec = ValueCodec(order.child)
            encoded = codec.encode(checked_input(resolved, {} if value is None else value))
        except Unavailable:
            raise
        except MillraceError as error:
            return _refused(platform, order, error)
        begun = msgspec.structs.replace(
            start_event(platform, caller, start, resolved, order.child, encoded, mode=started.mode),
            parent=ev.Parent(started.execution, order.path, waits=not order.detached),
            slots=order.slots,
            hops=started.hops + 1,
            ancestry=(*started.ancestry, root_of(started.execution)),
        )
        if not create_execution(platform, scope, begun, blobs=codec.blobs, claim=None, short=resolved.short):
            platform.blobs.delete_prefix(scope, ("execution", order.child))
            return _forestalled(platform, order)
        return self._made(platform, scope, order) or _started(platform, order, begun)

    def _made(self, platform: Platform, scope: TenantScope, order: StartChild) -> ev.ChildStarted | None:
        """The event for an execution that exists already, as it was started then."""
        first = next(read_segments(platform.documents, scope, order.child), None)
        begun = None if first is None else first.events[0]
        return _started(platform, order, begun) if isinstance(begun, ev.ExecutionStarted) else None

    def cancel(self, scope: TenantScope, started: ev.ExecutionStarted, order: CancelChild) -> None:
        """Make sure that the execution will stop, or that it never begins. Raises Unavailable."""
        reason = f"the task {order.path} of {started.execution} was stopped"
        key = hashlib.sha256(f"cancel\n{started.execution}\n{order.path}".encode()).hexdigest()[:26]
        message = Message(id=key, kind="cancel", reason=reason, principal=started.principal)
        platform = self._platform()
        stop_or_forestall(platform, scope, order.child, lambda: self._send(scope, started, order.child, message))

    def notify(self, scope: TenantScope, started: ev.ExecutionStarted, told: NotifyParent, output: Any) -> None:
        """Put what came of an execution into the inbox of the one above, if that is not over."""
        parent = started.parent
        assert parent is not None  # only an execution with one has somebody to tell
        payload: dict[str, Any] = {
            "child": started.execution,
            "status": told.status,
            "failure": None if told.failure is None else msgspec.to_builtins(told.failure),
        }
        if told.output is not None and told.output.size <= INLINE_VALUE_BYTES:
            payload["output"] = output
        elif told.output is not None:
            value = told.output
            payload["blob"] = {"key": list(value.blob), "sha256": value.sha256, "size": value.size}
        message = Message(id=f"child-{started.execution}", kind="child", name=parent.path, payload=payload)
        self._send(scope, started, parent.execution, message)

    def _send(self, scope: TenantScope, started: ev.ExecutionStarted, execution: str, message: Message) -> bool:
        """False for an execution that does not exist; one that is over need not be told."""
        caller = Caller(scope.tenant, started.principal, namespace=started.namespace)
        try:
            send_message(self._platform(), caller, execution, message)
        except Conflict:
            return True
        except NotFound:
            return False
        return True


def _started(platform: Platform, order: StartChild, begun: ev.ExecutionStarted) -> ev.ChildStarted:
    return ev.ChildStarted(
        at=platform.clock.now(),
        path=order.path,
        child=order.child,
        workflow=begun.workflow,
        revision=begun.revision,
        version=begun.version,
        content_hash=begun.content_hash,
    )


def _forestalled(platform: Platform, order: StartChild) -> ev.ChildFinished:
    message = f"The execution {order.child} was told to stop before it had begun."
    failure = ev.Failure(kind="cancelled", code="cancelled", message=message)
    return ev.ChildFinished(
        at=platform.clock.now(), path=order.path, child=order.child, status="cancelled", failure=failure
    )


def _refused(platform: Platform, order: StartChild, error: MillraceError) -> ev.ChildFinished:
    kind = "input" if isinstance(error, InvalidInput) else "workflow"
    failure = ev.Failure(
        kind=kind,
        code=error.code,
        message=f"The workflow {order.ref!r} could not be started: {error.message}",
        hint=error.hint,
    )
    return ev.ChildFinished(
        at=platform.clock.now(), path=order.path, child=order.child, status="failed", failure=failure
    )
