"""What is recorded from the first execution on, read back from the log after a run. One test per group."""

from __future__ import annotations

import re

from millrace.driver.values import load_value
from millrace.engine import events as ev
from millrace.ports.runners import Failure
from millrace.services.start_execution import Start, start_execution
from tests.conformance.world.ids import id_time

from .runs import CALLER, EXCHANGE, HEAD, SCOPE, USAGE, Local, Script, call, workflow

HEX = re.compile(r"[0-9a-f]{64}")


def test_the_start_event_records_who_what_why_and_with_which_versions() -> None:
    local = Local()
    cut = {"type": "transform", "transform": [{"limit": 1}]}
    local.publish({**HEAD, "kind": "WorkflowTask", "metadata": {"name": "cut"}, "spec": cut})
    tasks = [{"id": "a", "taskRef": "cut@^1", "input": {"items": [1]}}]
    schema = {"type": "object", "properties": {"n": {"type": "integer", "default": 3}}}
    local.publish(workflow("flow", tasks, input=schema))
    start = Start(
        workflow="flow",
        input={},
        version="^1",
        idempotency_key="key-1",
        labels={"order": "7"},
        trigger={"kind": "schedule", "id": "nightly", "slot": "2026-01-01", "delivery": "d1"},
        traceparent="00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        subject_key="customer-9",
    )
    body = start_execution(local.platform, CALLER, start)
    (event,) = local.events(body["id"], ev.ExecutionStarted)
    assert ("acme", "default", body["id"], "flow", 1, "1.0.0") == (
        event.tenant,
        event.namespace,
        event.execution,
        event.workflow,
        event.revision,
        event.version,
    )
    assert HEX.fullmatch(event.content_hash)
    assert HEX.fullmatch(event.behaviour_hash)
    assert event.content_hash != event.behaviour_hash
    assert [("workflow", "flow", 1), ("task", "cut", 1)] == [(m.kind, m.name, m.revision) for m in event.manifest]
    assert ["cut@^1", "1.0.0"] == [event.manifest[1].ref, event.manifest[1].version]
    assert all(HEX.fullmatch(entry.hash) for entry in event.manifest)
    assert ("requested", 4, "ann", start.trigger, "customer-9", "eu-west-1") == (
        event.routing_reason,
        event.semantics,
        event.principal,
        event.trigger,
        event.subject_key,
        event.region,
    )
    assert ({"team": "payments", "order": "7"}, "ann", "payments", start.traceparent, "key-1") == (
        event.labels,
        event.owner_team,
        event.team,
        event.traceparent,
        event.idempotency_key,
    )
    assert ("live", {"STAGE": "test"}, {"n": 3}, True) == (
        event.mode,
        event.env,
        event.input.decoded(),
        0 < event.seed < 2**53,
    )
    assert (None, None, None, 0, (), "") == (
        event.parent,
        event.replay_of,
        event.fork_of,
        event.hops,
        event.ancestry,
        event.variant,
    )
    assert event.at == id_time(event.execution)


def test_task_events_record_identity_input_times_status_cause_and_policy() -> None:
    script = Script({"a": [Failure("http", "503", "try later", True, retry_after_ms=40), {"ok": True}]})
    local = Local(script)
    tasks = [
        call("a", input={"n": "{{input.n}}"}, retry={"maxAttempts": 3, "interval": "20ms", "jitter": "none"}),
        call("b"),
        call("c", "a", condition="false"),
        call("d", "c"),
        {"id": "p", "type": "transform", "input": {"items": [1, 2]}, "transform": [{"limit": 1}]},
        call("e", continueOnError=True),
    ]
    script.answers["e"] = [Failure("task", "odd", "it broke", False, hint="look", details={"at": 1})]
    execution = local.begin(tasks, {"n": 5}, parallelLimit=1)
    local.finish(execution)
    first, second = (e for e in local.events(execution, ev.AttemptStarted) if e.path == "a")
    assert ("http", "write", {"n": 5}, (1, 2), True) == (
        first.task_type,
        first.effect,
        first.input.decoded(),
        (first.attempt, second.attempt),
        bool(HEX.fullmatch(first.task_hash)),
    )
    assert "https://api.example/a" == first.config.decoded()["url"]
    assert ("retry: attempt 2 of 3",) == second.policy
    (queued,) = (e for e in local.events(execution, ev.AttemptStarted) if e.path == "b")
    assert (queued.ready_at, "parallelLimit", True) == (
        queued.queued_at,
        queued.queued_why,
        queued.at > queued.queued_at,
    )
    failed, succeeded = (e for e in local.events(execution, ev.AttemptFinished) if e.path == "a")
    assert (("http", "503", True, 40), None) == (
        (failed.failure.kind, failed.failure.code, failed.failure.retryable, failed.failure.retry_after_ms),
        failed.output,
    )
    assert ({"ok": True}, None, True) == (
        succeeded.output.decoded(),
        succeeded.failure,
        first.at <= failed.started_at < failed.at <= second.at <= succeeded.started_at,
    )
    (retry,) = local.events(execution, ev.RetryScheduled)
    assert ("a", 2, 40, retry.at + 40, "http/503") == (retry.path, retry.attempt, retry.delay_ms, retry.due, retry.why)
    finished = {e.path: e for e in local.events(execution, ev.TaskFinished)}
    assert {"c": ("condition_false", "c"), "d": ("upstream_skipped", "c")} == {
        path: (e.skip.reason, e.skip.origin) for path, e in finished.items() if e.skip
    }
    pure = finished["p"]
    assert ("succeeded", [1], {"items": [1, 2]}, "transform", "pure", True) == (
        pure.status,
        pure.output.decoded(),
        pure.input.decoded(),
        pure.task_type,
        pure.effect,
        bool(pure.ready_at and HEX.fullmatch(pure.task_hash)),
    )
    odd = finished["e"]
    assert ("failed", "odd", "look", {"at": 1}, ("retry: not for this failure",), False) == (
        odd.status,
        odd.failure.code,
        odd.failure.hint,
        odd.failure.details,
        odd.policy,
        odd.degraded,
    )


def test_usage_is_recorded_for_every_attempt_that_succeeds_or_fails() -> None:
    script = Script({"a": [Failure("http", "503", "later", True), "ok"]})
    script.usage = USAGE
    local = Local(script)
    execution = local.begin([call("a", retry={"maxAttempts": 2, "interval": "1ms"})])
    local.finish(execution)
    found = [event.usage for event in local.events(execution, ev.AttemptFinished)]
    expected = {name: getattr(USAGE, name) for name in ev.UsageRecord.__struct_fields__}
    assert [expected, expected] == [{name: getattr(usage, name) for name in expected} for usage in found]
    assert {*["provider", "host", "operation", "connector", "requests", "bytes_out", "bytes_in"]} < set(expected)
    assert {*["tokens_out", "tokens_in", "model", "latency_ms", "cost", "price_id"]} < set(expected)


def test_the_exchange_at_the_boundary_is_recorded_with_both_bodies() -> None:
    script = Script()
    script.exchange = EXCHANGE
    local = Local(script)
    execution = local.begin([call("a")])
    local.finish(execution)
    (event,) = local.events(execution, ev.AttemptFinished)
    found = event.exchange
    assert (EXCHANGE.method, EXCHANGE.url, 200, EXCHANGE.redirects, EXCHANGE.peer) == (
        found.method,
        found.url,
        found.status,
        found.redirects,
        found.peer,
    )
    assert (EXCHANGE.request_headers, EXCHANGE.response_headers) == (found.request_headers, found.response_headers)
    assert ('{"a":1}', {"base64": "/wA="}) == (
        load_value(local.blobs, SCOPE, found.request_body),
        load_value(local.blobs, SCOPE, found.response_body),
    )


def test_a_run_without_usage_or_exchange_records_none() -> None:
    local = Local()
    execution = local.begin([call("a")])
    local.finish(execution)
    (event,) = local.events(execution, ev.AttemptFinished)
    assert (None, None) == (event.usage, event.exchange)


def test_every_segment_names_its_schema_stream_owner_and_write() -> None:
    local = Local()
    execution = local.begin([call("a"), call("b", "a")])
    local.finish(execution)
    first, *rest = local.segments(execution)
    assert "ann" == first.owner
    assert {(1, "0", "driver-1")} == {(segment.v, segment.stream, segment.owner) for segment in rest}
    name = rest[0].write.removesuffix("-1")  # of the driver's hold on the execution
    assert [f"{name}-1", f"{name}-2", f"{name}-3"] == [segment.write for segment in rest]  # two in a chain: n + 1
    assert [0, 1, 2, 5] == [segment.first for segment in (first, *rest)]
