"""Task states by the resource they call, and what their result looks like."""

from __future__ import annotations

from typing import Any, Final

from millrace.services.importers.asl.data import Data
from millrace.services.importers.bounds import limit_attempt
from millrace.services.importers.draft import Draft, Task
from millrace.services.importers.reading import listing, mapping, number, text
from millrace.services.importers.requests import attempts, request, seconds
from millrace.services.importers.result import Path
from millrace.services.importers.spelling import slug

_LAMBDA: Final = ("arn:aws:lambda:", "arn:aws:states:::lambda:invoke")
_HTTP: Final = "arn:aws:states:::http:invoke"
_START: Final = "arn:aws:states:::states:startExecution"
_CALLBACK: Final = ".waitForTaskToken"
_RETRIED: Final = {
    "States.ALL": "*",
    "States.TaskFailed": "*",
    "States.Timeout": "timeout",
    "States.HeartbeatTimeout": "timeout",
    "States.Http.Socket": "network",
}
_HTTP_STATUS: Final = "States.Http.StatusCode."
_SERVICE_ERRORS: Final = ("Lambda.", "States.Runtime", "States.Permissions")


def task_of(draft: Draft, name: str, state: dict[str, Any], given: Data, path: Path) -> tuple[Task, Data]:
    """The task that a Task state becomes, and its result as later states see it. ``given`` is its effective input."""
    resource = text(state.get("Resource"))
    values = given.template()
    parameters = mapping(values)
    if resource.startswith(_HTTP):
        return _http(draft, name, parameters, path)
    if resource.startswith(_START):
        return _child(draft, name, resource, parameters, path)
    if resource.startswith(_LAMBDA) and not resource.endswith(_CALLBACK):
        return _function(draft, name, resource, values, path)
    service = resource.removeprefix("arn:aws:states:::").removeprefix("aws-sdk:") or "task"
    if resource.endswith(_CALLBACK):
        draft.unmapped((*path, "Resource"), "a callback by task token: wait for an event behind the task instead")
    task = draft.missing(name, f"aws {service}", (*path, "Resource"), parameters)
    return task, Data(f"tasks.{task['id']}.output")


def _http(draft: Draft, name: str, parameters: dict[str, Any], path: Path) -> tuple[Task, Data]:
    connection = mapping(parameters.get("Authentication")).get("ConnectionArn")
    auth = None
    if connection is not None:
        secret = slug(text(connection, "connection").rpartition("connection/")[2].partition("/")[0], "connection")
        auth = {"bearer": {"secretRef": secret}}
        draft.unmapped(
            (*path, "Parameters", "Authentication"), f"store what the connection holds as the secret {secret}"
        )
    made = request(
        draft,
        path,
        parameters.get("Method"),
        parameters.get("ApiEndpoint"),
        headers=mapping(parameters.get("Headers")),
        query=mapping(parameters.get("QueryParameters")),
        body=parameters.get("RequestBody"),
        auth=auth,
    )
    task: Task = {"id": draft.id(name), "type": "http", "request": made}
    output = f"tasks.{task['id']}.output"
    fields = {"StatusCode": "status", "ResponseBody": "body", "Headers": "headers"}
    return task, Data(fields={theirs: Data(f"{output}.{ours}") for theirs, ours in fields.items()})


def _function(draft: Draft, name: str, resource: str, values: Any, path: Path) -> tuple[Task, Data]:
    parameters = mapping(values)
    direct = not resource.startswith(_LAMBDA[1])
    function = resource if direct else parameters.get("FunctionName")
    task: Task = {"id": draft.id(name), "type": "lambda", "function": function}
    payload = values if direct else parameters.get("Payload")
    if payload is not None:
        task["payload"] = payload
    if parameters.get("InvocationType") == "Event" and not direct:
        task["invocation"] = "event"
    if not isinstance(function, str) or not function:
        draft.unmapped((*path, "Parameters"), "the function is not named")
        task["function"] = "function"
    output = Data(f"tasks.{task['id']}.output.payload")
    return task, output if direct else Data(fields={"Payload": output})


def _child(draft: Draft, name: str, resource: str, parameters: dict[str, Any], path: Path) -> tuple[Task, Data]:
    arn = parameters.get("StateMachineArn")
    task: Task = {"id": draft.id(name), "workflowRef": slug(text(arn, "workflow").rpartition(":")[2], "workflow")}
    if not isinstance(arn, str) or "{{" in arn:
        draft.unmapped((*path, "Parameters"), "the state machine to start is not known before it runs")
        task["workflowRef"] = "workflow"
    given = parameters.get("Input")
    if given is not None:
        task["input"] = given if isinstance(given, dict | str) else {"value": given}
    if ".sync" not in resource:
        task["detached"] = True
    if resource.endswith(_CALLBACK):
        draft.unmapped((*path, "Resource"), "a callback by task token: wait for an event behind the task instead")
    return task, Data(fields={"Output": Data(f"tasks.{task['id']}.output")})


def add_policies(draft: Draft, task: Task, state: dict[str, Any], path: Path) -> None:
    """Timeouts and retries of a Task state."""
    limit_attempt(draft, task, number(state.get("TimeoutSeconds")), (*path, "TimeoutSeconds"))
    if "TimeoutSecondsPath" in state or "HeartbeatSeconds" in state or "HeartbeatSecondsPath" in state:
        draft.unmapped(path, "heartbeats and timeouts that are read from data are left out")
    retriers = [one for one in listing(state.get("Retry")) if isinstance(one, dict)]
    if not retriers:
        return
    first = retriers[0]
    retry: dict[str, Any] = {"maxAttempts": attempts(first.get("MaxAttempts", 3), more=1) or 1}
    interval = seconds(first.get("IntervalSeconds", 1))
    rate = first.get("BackoffRate", 2)
    if isinstance(rate, int | float) and rate == 1:
        retry["strategy"] = "constant"
    elif isinstance(rate, int | float) and 1 < rate <= 100:
        retry["multiplier"] = rate
    retry["interval"] = interval or "1s"
    longest = seconds(first.get("MaxDelaySeconds"))
    retry["maxInterval"] = longest or "1d"
    retry["jitter"] = "full" if first.get("JitterStrategy") == "FULL" else "none"
    retry["retryOn"] = _retried(draft, retriers, path)
    task["retry"] = retry
    if len(retriers) > 1:
        draft.changed((*path, "Retry"), "all retriers share the numbers of the first")


def _retried(draft: Draft, retriers: list[dict[str, Any]], path: Path) -> list[Any]:
    kinds: dict[Any, None] = {}
    for index, retrier in enumerate(retriers):
        names = retrier.get("ErrorEquals")
        for name in names if isinstance(names, list) else []:
            status = name.removeprefix(_HTTP_STATUS) if isinstance(name, str) else ""
            if isinstance(name, str) and name in _RETRIED:
                kinds[_RETRIED[name]] = None
            elif status.isdigit() and 100 <= int(status[:4]) <= 599:
                kinds[int(status)] = None
            elif isinstance(name, str) and name.startswith(_SERVICE_ERRORS):
                kinds["task"] = None
            else:
                kinds["task"] = None
                draft.changed(
                    (*path, "Retry", index), f"the error {str(name)[:80]} is met by retrying every failed task"
                )
    return ["*"] if "*" in kinds or not kinds else list(kinds)


def catch_condition(draft: Draft, identifier: str, catcher: dict[str, Any], path: Path) -> str | None:
    """The condition that a catcher is meant; None if it catches whatever happens."""
    names = catcher.get("ErrorEquals")
    found: list[str] = []
    for name in names if isinstance(names, list) else []:
        kind = _RETRIED.get(name) if isinstance(name, str) else None
        if kind is None:
            draft.changed(path, f"the error {str(name)[:80]} is met by catching every failure")
            return None
        if kind == "*":
            return None
        found.append(f"tasks.{identifier}.error.kind == '{kind}'")
    return " || ".join(dict.fromkeys(found)) or None


def catches_all(catchers: list[dict[str, Any]]) -> bool:
    """Whether no failure is left uncaught."""
    return any("States.ALL" in one["ErrorEquals"] for one in catchers if isinstance(one.get("ErrorEquals"), list))
