"""Between the route that starts executions and its use case."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aws_lambda_powertools.event_handler.api_gateway import Response

from millrace.api.access import API
from millrace.api.answers import answer
from millrace.api.models import StartRequest
from millrace.api.parameters import wait_of
from millrace.services.caller import Caller
from millrace.services.platform import Platform
from millrace.services.start_execution import Start, start_execution
from millrace.services.wait_execution import wait_execution


def started(
    platform: Platform,
    caller: Caller,
    name: str,
    body: StartRequest,
    *,
    wait: str | None,
    key: str | None,
    traceparent: str | None,
    dry: bool = False,
) -> Response[Any]:
    """200 with an execution that has ended in time, or with what a dry run found; else 202. Waiting less than asked
    for cancels nothing."""
    wait_ms, headers = wait_of(wait)
    start = Start(
        workflow=name,
        input=body.input,
        version=body.version,
        idempotency_key=key,
        labels=body.labels,
        trigger={"kind": "api"},
        traceparent=traceparent,
        subject_key=body.subject_key,
        expect_hash=body.expect_hash,
    )
    if dry:
        from millrace.services.dry_run import dry_run  # brings the engine along, which no other start needs here

        return answer(dry_run(platform, caller, start))
    execution = start_execution(platform, caller, start)
    if wait_ms and not _ended(execution):
        execution = wait_execution(platform, caller, execution["id"], wait_ms=wait_ms)
    where = f"{API}/executions/{execution['id']}"
    return answer(execution, status=200 if _ended(execution) else 202, location=where, headers=headers)


def _ended(execution: Mapping[str, Any]) -> bool:
    """Whatever its status is called, an execution that has ended says when."""
    return bool(execution.get("finishedAt"))
