"""What people see of an execution, derived from its events on read and stored nowhere."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from typing import Any

from millrace.base.errors import Corrupt
from millrace.base.ids import root_of
from millrace.base.limits import TASKS_SHOWN
from millrace.engine import events as ev
from millrace.engine.values import Value
from millrace.services.shown_values import Content, show_values
from millrace.services.times import rfc3339


def view(
    events: Iterable[ev.Event], content: Content, *, whole: bool = True, room: int | None = None
) -> dict[str, Any]:
    """An execution as JSON: ``status``, ``output`` or ``failedTask``, ``errorMessage`` and ``partialOutput``, and
    ``tasks`` by path. Unless ``whole``, of the tasks inside loops those that are not over and the latest others, up to
    a limit; ``tasksLeftOut`` counts the rest. Values are read up to ``room`` bytes in all (None: every one);
    ``valuesLeftOut`` counts the rest. Raises Corrupt for a log without its start."""
    viewer = _Viewer(content, TASKS_SHOWN if not whole else None)
    for event in events:
        viewer.take(event)
    return viewer.result(room)


class _Viewer:
    def __init__(self, content: Content, shown: int | None) -> None:
        self._content = content
        self._shown = shown
        self._over: dict[str, deque[str]] = {"succeeded": deque(), "failed": deque()}
        self._left_out = 0
        self._body: dict[str, Any] | None = None
        self._tasks: dict[str, dict[str, Any]] = {}
        self._outputs: dict[str, Value | None] = {}
        self._began = 0

    def take(self, event: ev.Event) -> None:
        match event:
            case ev.ExecutionStarted():
                self._began = event.at
                self._body = self._head(event)
            case ev.AttemptStarted():
                task = self._task(event.path)
                task["status"] = "running"
                task["attempts"] = event.attempt
                task.setdefault("startedAt", rfc3339(event.at))
                task.setdefault("_started", event.at)
                if event.input is not None:
                    task["input"] = event.input
                if event.queued_why:
                    task["queued"] = {"since": rfc3339(event.queued_at), "why": event.queued_why}
            case ev.AttemptFinished():
                self._attempt_finished(event)
            case ev.RetryScheduled():
                task = self._task(event.path)
                task["status"] = "retrying"
                task["retryAt"] = rfc3339(event.due)
                task.pop("waiting", None)
            case ev.WaitStarted():
                self._wait_started(event)
            case ev.DecisionReceived():
                self._decision(event)
            case ev.PauseRequested() | ev.ResumeRequested():
                assert self._body is not None  # a log begins with its start
                self._body["paused"] = isinstance(event, ev.PauseRequested)
            case ev.TaskFinished():
                self._task_finished(event)
            case ev.ExecutionFinished():
                self._finished(event)
            case _:
                self._take_inner(event)

    def _take_inner(self, event: ev.Event) -> None:
        """What concerns tasks inside tasks, other executions, and what follows the end of all tasks."""
        match event:
            case ev.ScopeOpened():
                self._scope_opened(event)
            case ev.ChildStarted():
                child = {"execution": event.child, "workflow": event.workflow, "version": event.version}
                self._task(event.path)["child"] = child
            case ev.ChildFinished():
                self._outputs[event.path] = event.output
            case ev.SlotRequested():
                self._queued(event)
            case ev.SlotGranted() | ev.SlotDenied() if not event.path and self._body is not None:
                self._body.pop("queued", None)
            case ev.OutcomeDecided():
                assert self._body is not None  # a log begins with its start
                self._body.pop("queued", None)
                self._body["outcome"] = event.status
            case _:
                pass

    def _head(self, event: ev.ExecutionStarted) -> dict[str, Any]:
        body: dict[str, Any] = {
            "id": event.execution,
            "workflow": event.workflow,
            "version": event.version,
            "revision": event.revision,
            "contentHash": event.content_hash,
            "namespace": event.namespace,
            "status": "running",
            "startedAt": rfc3339(event.at),
            "principal": event.principal,
            "trigger": event.trigger,
            "labels": event.labels,
            "mode": event.mode,
            "input": event.input,
        }
        if event.subject_key:
            body["subjectKey"] = event.subject_key
        if event.parent is not None:
            body["parent"] = {"execution": root_of(event.parent.execution), "path": event.parent.path}
        return body

    def _task(self, path: str) -> dict[str, Any]:
        return self._tasks.setdefault(path, {"status": "pending", "attempts": 0})

    def _queued(self, event: ev.SlotRequested) -> None:
        queued = {"since": rfc3339(event.at), "why": "concurrency", "key": event.key}
        if event.pool is not None:
            queued["pool"] = event.pool.name
        if event.path:
            self._task(event.path).update(status="queued", queued=queued)
        elif self._body is not None:
            self._body["queued"] = queued

    def _attempt_finished(self, event: ev.AttemptFinished) -> None:
        task = self._task(event.path)
        self._outputs[event.path] = event.output
        if event.failure is not None:
            task.setdefault("failures", []).append(
                {"attempt": event.attempt, "at": rfc3339(event.at), **_failure(event.failure)}
            )

    def _scope_opened(self, event: ev.ScopeOpened) -> None:
        task = self._task(event.path)
        task["status"] = "running"
        task.setdefault("startedAt", rfc3339(event.at))
        task.setdefault("_started", event.at)
        if event.kind == "switch":
            task["case"] = event.branch
        elif event.kind == "fallback":
            assert event.failure is not None  # what it stands in for
            task["fallback"] = {"after": _failure(event.failure)}
        elif event.kind == "forEach":
            task["iterations"] = event.count
        else:
            assert event.tasks is not None  # what was generated
            task["generated"] = len(self._content(event.tasks))
        if event.input is not None:
            task["input"] = event.input

    def _wait_started(self, event: ev.WaitStarted) -> None:
        task = self._task(event.path)
        waiting: dict[str, Any] = {"kind": event.kind, "until": None if event.due is None else rfc3339(event.due)}
        if event.kind == "child":
            waiting |= {"execution": event.child, "workflow": event.ref}
        if event.kind == "event":
            waiting["signal"] = event.signal
        if event.kind == "approval":
            waiting |= {"approvers": list(event.approvers), "required": event.required, "decisions": []}
            if event.form is not None:
                waiting["form"] = event.form
        task.pop("retryAt", None)
        task.setdefault("startedAt", rfc3339(event.at))
        task.setdefault("_started", event.at)
        task |= {"status": "waiting", "waiting": waiting}
        if event.attempt:
            task["attempts"] = event.attempt
        if event.input is not None:
            task["input"] = event.input

    def _decision(self, event: ev.DecisionReceived) -> None:
        waiting = self._task(event.path).get("waiting")
        if waiting is not None and waiting["kind"] == "approval":
            others = [one for one in waiting["decisions"] if one["principal"] != event.principal]
            said = {"principal": event.principal, "decision": event.decision, "comment": event.comment}
            waiting["decisions"] = [*others, {**said, "at": rfc3339(event.at)}]

    def _task_finished(self, event: ev.TaskFinished) -> None:
        task = self._task(event.path)
        task.pop("retryAt", None)
        task.pop("waiting", None)
        task["status"] = event.status
        task["finishedAt"] = rfc3339(event.at)
        task["durationMs"] = event.at - task.pop("_started", event.at)
        if event.status != "cancelled":  # what is settled in one step began when it ended
            task.setdefault("startedAt", rfc3339(event.at))
        if event.input is not None:
            task["input"] = event.input
        if event.output is not None:
            self._outputs[event.path] = event.output
        if event.status == "succeeded":
            value = self._outputs.get(event.path)
            task["output"] = value
        if event.failure is not None:
            task["error"] = _failure(event.failure)
        if event.skip is not None:
            task["skip"] = {"reason": event.skip.reason, "origin": event.skip.origin}
        if event.degraded:
            task["degraded"] = True
        loop, inside, _ = event.path.partition("[")
        if inside:
            counts = self._task(loop).setdefault("inside", {})
            counts[event.status] = counts.get(event.status, 0) + 1
            if self._shown is not None:
                self._forget(event.path, "failed" if event.status == "failed" else "succeeded")

    def _forget(self, path: str, kind: str) -> None:
        """Let go of the task of a loop that was over first, those that succeeded before those that failed."""
        self._over[kind].append(path)
        if sum(len(paths) for paths in self._over.values()) > (self._shown or 0):
            oldest = (self._over["succeeded"] or self._over["failed"]).popleft()
            del self._tasks[oldest]
            self._outputs.pop(oldest, None)
            self._left_out += 1

    def _finished(self, event: ev.ExecutionFinished) -> None:
        assert self._body is not None  # a log begins with its start
        body = self._body
        body.pop("paused", None)
        body.pop("queued", None)
        body["status"] = event.status
        body["finishedAt"] = rfc3339(event.at)
        body["durationMs"] = event.at - self._began
        if event.output is not None:
            body["output"] = event.output
        if event.status != "succeeded":
            body["failedTask"] = event.failed_task or None
            body["errorMessage"] = event.failure.message if event.failure else event.status
            body["error"] = _failure(event.failure) if event.failure else None
            body["partialOutput"] = {}

    def result(self, room: int | None) -> dict[str, Any]:
        if self._body is None:
            raise Corrupt("The log does not begin with its start event.")
        for task in self._tasks.values():
            task.pop("_started", None)
        partial = self._body.get("partialOutput")
        left_out = show_values(self._body, self._tasks.values(), self._content, room=room, twice=partial is not None)
        if partial is not None:
            done = {path: task for path, task in self._tasks.items() if task["status"] == "succeeded"}
            partial |= {path: task["output"] for path, task in done.items() if "output" in task}
        self._body["tasks"] = self._tasks
        if left_out:
            self._body["valuesLeftOut"] = {
                "count": left_out,
                "hint": "Ask with ?values=all for every value; the events name where each is stored.",
            }
        if self._left_out:
            self._body["tasksLeftOut"] = {
                "count": self._left_out,
                "hint": "Ask with ?tasks=all for every task, or read the events.",
            }
        return self._body


def _failure(failure: ev.Failure) -> dict[str, Any]:
    body: dict[str, Any] = {
        "kind": failure.kind,
        "code": failure.code,
        "message": failure.message,
        "retryable": failure.retryable,
    }
    if failure.hint:
        body["hint"] = failure.hint
    if failure.details:
        body["details"] = failure.details
    return body
