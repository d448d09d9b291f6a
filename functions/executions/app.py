"""The function behind /api/v1/executions: list, read, follow, cancel and signal."""

from __future__ import annotations

from typing import Any

from millrace.api import Resolver, answer, caller, entry
from millrace.api import models as m
from millrace.api import parameters as p
from millrace.api import testing_models as tm
from millrace.api.messages import message_id
from millrace.api.operations import gives
from millrace.base.limits import VALUES_SHOWN_BYTES
from millrace.services.cancel_execution import cancel_execution
from millrace.services.decide_approval import decide_approval
from millrace.services.execution_events import execution_events
from millrace.services.execution_test import execution_test
from millrace.services.get_execution import get_execution
from millrace.services.list_executions import list_executions
from millrace.services.pause_execution import pause_execution
from millrace.services.signal_execution import signal_execution
from millrace.wiring import current
from millrace.wiring.rehearsing import rehearse

app = Resolver("executions")
BASE = "/api/v1/executions"
ONE = f"{BASE}/<execution>"


@app.get(BASE, responses=gives(m.ExecutionList))
def list_all_executions(
    limit: p.Limit = p.PAGE,
    cursor: p.Cursor = None,
    workflow: p.WorkflowFilter = None,
    version: p.VersionFilter = None,
    status: p.StatusFilter = None,
    label: p.LabelFilter = None,
    subject: p.SubjectFilter = None,
    trigger: p.TriggerFilter = None,
    replay: p.ReplayFilter = None,
    since: p.Instant = None,
    until: p.Instant = None,
) -> Any:
    """List executions, newest first, without a filter those of 24 months; filters that no index serves are refused."""
    named = {"workflow": workflow, "version": version, "status": status, "label": label, "subject": subject}
    named |= {"trigger": trigger, "replayOf": replay, "since": since, "until": until}
    filters = {name: value for name, value in named.items() if value is not None}
    page = list_executions(current(), caller(), filters=filters, limit=limit, cursor=p.unsealed(cursor))
    return answer(p.sealed(page))


@app.get(ONE, responses=gives(m.Execution))
def read_execution(execution: p.ExecutionPath, tasks: p.TasksShown = "some", values: p.ValuesShown = "some") -> Any:
    """Read an execution: status, output, and its tasks; of long loops the latest, unless all are asked for."""
    room = None if values == "all" else VALUES_SHOWN_BYTES
    return answer(get_execution(current(), caller(), execution, whole=tasks == "all", room=room))


@app.get(f"{ONE}/events", responses=gives(m.ExecutionEvents))
def read_execution_events(
    execution: p.ExecutionPath, after: p.After = "-1", limit: p.EventLimit = 100, wait: p.Wait = None
) -> Any:
    """Read the history in order; with wait, until there is something new."""
    wait_ms, headers = p.wait_of(wait)
    page = execution_events(current(), caller(), execution, after=after, limit=limit, wait_ms=wait_ms)
    return answer(page, headers=headers)


@app.get(f"{ONE}/test", responses=gives(tm.ExecutionTest))
def read_execution_as_test(execution: p.ExecutionPath, name: p.TestName = None) -> Any:
    """Read an execution that has ended as a test of its workflow."""
    return answer(execution_test(current(), caller(), execution, name=name, rehearse=rehearse))


@app.post(f"{ONE}/cancel", responses=gives(m.Execution, 202))
def request_cancel(execution: p.ExecutionPath, body: p.CancelBody = None, key: p.IdempotencyKey = None) -> Any:
    """Ask an execution to stop; one that has ended otherwise is 409."""
    sent = body or m.CancelRequest()
    message = message_id(current(), sent.message_id, key)
    return answer(cancel_execution(current(), caller(), execution, reason=sent.reason, message_id=message), status=202)


@app.post(f"{ONE}/pause", responses=gives(m.Execution, 202))
def request_pause(execution: p.ExecutionPath, body: p.MessageBody = None, key: p.IdempotencyKey = None) -> Any:
    """Start nothing new until the execution is resumed."""
    message = message_id(current(), (body or m.MessageRequest()).message_id, key)
    return answer(pause_execution(current(), caller(), execution, action="pause", message_id=message), status=202)


@app.post(f"{ONE}/resume", responses=gives(m.Execution, 202))
def request_resume(execution: p.ExecutionPath, body: p.MessageBody = None, key: p.IdempotencyKey = None) -> Any:
    """Let a paused execution go on."""
    message = message_id(current(), (body or m.MessageRequest()).message_id, key)
    return answer(pause_execution(current(), caller(), execution, action="resume", message_id=message), status=202)


@app.post(f"{ONE}/approvals/<task>", responses=gives(m.DecisionSent, 202))
def send_decision(
    execution: p.ExecutionPath, task: p.TaskPathParameter, body: p.DecisionBody, key: p.IdempotencyKey = None
) -> Any:
    """Approve or reject what an approval task asks for."""
    return answer(
        decide_approval(
            current(),
            caller(),
            execution,
            task,
            decision=body.decision,
            comment=body.comment,
            form=body.form,
            message_id=message_id(current(), body.message_id, key),
        ),
        status=202,
    )


@app.post(f"{ONE}/signals/<signal>", responses=gives(m.SignalSent, 202))
def send_signal(
    execution: p.ExecutionPath, signal: p.SignalPath, body: p.SignalBody = None, key: p.IdempotencyKey = None
) -> Any:
    """Send a signal to an execution."""
    sent = body or m.SignalRequest()
    message = message_id(current(), sent.message_id, key)
    return answer(
        signal_execution(current(), caller(), execution, signal, payload=sent.payload, message_id=message),
        status=202,
    )


handler = entry(app, current)
