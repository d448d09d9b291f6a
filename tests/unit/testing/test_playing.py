"""A test plays its workflow on a clock of its own, and answers every attempt from what it says."""

from __future__ import annotations

import socket
from typing import Any

import pytest

from millrace.base.errors import TooLarge
from millrace.driver.values import ValueCodec
from millrace.engine.events import AttemptFinished
from millrace.services.workflow_tests.mocks import CaseAnswers, CaseMessages
from millrace.services.workflow_tests.player import Player
from millrace.services.workflow_tests.running import start_event
from millrace.spec.models.testing import Case
from millrace.wiring.rehearsing import rehearse
from tests.unit.testing.builders import cut, http, outcome, reusable, said, subject, workflow

DAY = 86_400_000
RETRY = {"maxAttempts": 3, "interval": "10s", "jitter": "none"}


def test_no_connection_is_opened_whatever_is_mocked(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise AssertionError("a connection")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    result = outcome([http("a")], tasks={"a": {"status": 201, "body": {"x": 1}}})
    assert "passed" == result.status
    assert {"status": 201, "headers": {"content-type": "application/json"}, "body": {"x": 1}, "durationMs": 0} == (
        result.execution["tasks"]["a"]["output"]
    )


def test_a_mocked_answer_takes_its_delay_however_long_it_is_to_read() -> None:
    mocks = {"a": {"body": list(range(30_000)), "delay": "3s"}, "b": {"status": 500, "body": list(range(9_000))}}
    result = outcome([http("a"), http("b")], tasks=mocks, expect={"status": "failed"})
    assert 3000 == result.execution["tasks"]["a"]["output"]["durationMs"]
    assert result.played is not None
    told = [one.usage for one in result.played.events if isinstance(one, AttemptFinished) and one.failure]
    assert [0] == [usage.latency_ms for usage in told if usage]


def test_an_attempt_without_a_mock_ends_the_test_and_is_named() -> None:
    result = outcome([http("a"), http("b", "a", request={"method": "PUT"})], tasks={"a": {}})
    assert ("error", None) == (result.status, result.played)
    assert ["The task 'b' (PUT https://api.example/b) would be performed, and has no mock."] == said(result)


def test_without_mocks_tasks_may_succeed_with_nothing() -> None:
    result = outcome([http("a")], onUnmocked="succeed-empty")
    assert {"status": 200, "headers": {}, "body": None, "durationMs": 0} == result.execution["tasks"]["a"]["output"]


ANSWERS: dict[str, tuple[dict[str, Any], dict[str, Any], str]] = {
    "not a success": ({"status": 404, "body": {"why": "no"}}, {}, "http/404"),
    "a success that is listed": ({"status": 404}, {"successCodes": [404]}, ""),
    "not listed": ({"status": 200}, {"successCodes": [201]}, "http/200"),
    "a body that fits": ({"body": {"n": 1}}, {"responseSchema": {"required": ["n"]}}, ""),
    "a body that does not": ({"body": {}}, {"responseSchema": {"required": ["n"]}}, "schema/response-schema"),
    "text": ({"body": "hello", "headers": {"Content-Type": "text/plain"}}, {}, ""),
    "no JSON": ({"body": "{", "headers": {"content-type": "text/json; x=1"}}, {}, ""),
    "a secret": ({"body": "{{secrets.crm}}"}, {"auth": {"bearer": {"secretRef": "crm"}}}, ""),
    "a request that cannot be built": ({}, {"headers": {"X-Who": "{{input.who + '\\n'}}"}}, "task/header"),
    "an address that cannot be": ({}, {"url": "https://{{input.who}}@x/"}, "blocked/userinfo"),
}


@pytest.mark.parametrize("case", ANSWERS)
def test_a_mocked_answer_is_judged_as_a_real_one(case: str) -> None:
    answer, request, error = ANSWERS[case]
    mock = answer or {"status": 200}
    result = outcome(
        [http("a", request=request)],
        spec={"input": {"properties": {"who": {"type": "string"}}}},
        input={"who": "ann"},
        tasks={"a": mock},
        expect={"status": "failed" if error else "succeeded"},
    )
    task = result.execution["tasks"]["a"]
    assert error == (f"{task['error']['kind']}/{task['error']['code']}" if "error" in task else "")


OAUTH = {"tokenUrl": "https://login.example/token", "clientId": "me", "clientSecret": "{{secrets.crm}}"}


@pytest.mark.parametrize("auth", [{"oauth2": OAUTH}, {"hmac": {"key": "{{secrets.crm}}", "header": "x-sign"}}])
def test_a_request_that_gets_a_token_or_is_signed_is_answered_as_any_other(auth: dict[str, Any]) -> None:
    result = outcome([http("a", request={"auth": auth})], tasks={"a": {"body": {"n": 1}}})
    assert ({"n": 1}, "passed") == (result.execution["tasks"]["a"]["output"]["body"], result.status)
    refused = outcome([http("a", request={"auth": auth})], tasks={"a": {"status": 401}}, expect={"status": "failed"})
    assert "401" == refused.execution["error"]["code"]


def test_a_spent_budget_ends_the_retries() -> None:
    failure = {"kind": "network", "noRetry": "budget of api.example:443 spent"}
    result = outcome([http("a", retry=RETRY)], tasks={"a": {"failure": failure}}, expect={"status": "failed"})
    assert ("passed", 1) == (result.status, result.execution["tasks"]["a"]["attempts"])


def test_a_secret_is_named_where_it_would_be_sent() -> None:
    request = {"auth": {"bearer": {"secretRef": "crm"}}, "headers": {"x": "{{secrets.other}}"}}
    calls = {"a": {"request": {"method": "POST", "headers": {"x": "{{secrets.other}}"}}}}
    assert [] == said(outcome([http("a", request=request)], tasks={"a": {"body": 1}}, expect={"calls": calls}))


def test_results_are_given_by_attempt_and_the_last_one_repeats() -> None:
    mocks = [{"status": 503}, {"failure": {"kind": "network"}}, {"output": 7}]
    result = outcome([http("a", retry=RETRY)], tasks={"a": mocks})
    assert (3, 7, 30_000) == (
        result.execution["tasks"]["a"]["attempts"], result.execution["tasks"]["a"]["output"], result.duration_ms,
    )  # fmt: skip
    failing = outcome([http("a", retry=RETRY)], tasks={"a": {"status": 503}}, expect={"status": "failed"})
    assert ("passed", 3) == (failing.status, failing.execution["tasks"]["a"]["attempts"])


FAILURES = {
    "network": ({"kind": "network"}, 3),
    "timeout": ({"kind": "timeout", "code": "total"}, 3),
    "task": ({"kind": "task"}, 1),
    "503": ({"kind": "http", "code": 503}, 3),
    "429": ({"kind": "http", "code": "429"}, 3),
    "404": ({"kind": "http", "code": 404}, 1),
    "a word": ({"kind": "http", "code": "5-times"}, 1),
    "told so": ({"kind": "task", "retryable": True}, 3),
    "told not": ({"kind": "network", "retryable": False}, 1),
    "permanent": ({"kind": "blocked", "retryable": True}, 1),
}


@pytest.mark.parametrize("case", FAILURES)
def test_a_failure_is_worth_another_attempt_by_its_kind(case: str) -> None:
    failure, attempts = FAILURES[case]
    result = outcome([http("a", retry=RETRY)], tasks={"a": {"failure": failure}}, expect={"status": "failed"})
    assert ("passed", attempts) == (result.status, result.execution["tasks"]["a"]["attempts"])


def test_a_lost_driver_counts_as_an_attempt_whose_end_is_unknown() -> None:
    once = outcome([http("a")], tasks={"a": [{"failure": {"kind": "driver_crash"}, "delay": "1s"}, {"output": 1}]})
    assert (2, "passed") == (once.execution["tasks"]["a"]["attempts"], once.status)
    always = outcome([http("a")], tasks={"a": {"failure": {"kind": "driver_crash"}}}, expect={"status": "failed"})
    assert ("driver_crash", 3) == (
        always.execution["error"]["kind"], always.execution["tasks"]["a"]["attempts"],
    )  # fmt: skip


def test_retry_after_is_honoured() -> None:
    mocks = [{"failure": {"kind": "http", "code": 429, "retryAfter": "2m"}}, {"output": 1}]
    assert 120_000 == outcome([http("a", retry=RETRY)], tasks={"a": mocks}).duration_ms
    headers = [{"status": 429, "headers": {"Retry-After": "Thu, 01 Jan 2026 00:03:00 GMT"}}, {"output": 1}]
    assert 180_000 == outcome([http("a", retry=RETRY)], tasks={"a": headers}).duration_ms


def test_an_attempt_that_is_too_slow_times_out_at_its_limit() -> None:
    slow = {"a": {"delay": "90s", "output": 1}}
    result = outcome([http("a", attemptTimeout="20s")], tasks=slow, expect={"status": "failed"})
    assert ("attempt-timeout", 20_000) == (result.execution["error"]["code"], result.duration_ms)
    fits = outcome([http("a", attemptTimeout="90s")], tasks=slow)
    assert ("passed", 90_000) == (fits.status, fits.duration_ms)


def test_the_result_of_an_attempt_that_came_too_late_changes_nothing() -> None:
    tasks = [http("a", timeout="5s", continueOnError=True), http("b")]
    result = outcome(tasks, tasks={"a": {"delay": "10s"}, "b": {"delay": "30s"}}, expect={"tasks": {"a": "failed"}})
    assert ("passed", 30_000) == (result.status, result.duration_ms)


def test_a_workflow_out_of_time_says_so() -> None:
    result = outcome([http("a")], spec={"timeout": "5s"}, tasks={"a": {"delay": "10s"}}, expect={"status": "timedOut"})
    assert ("passed", 5_000) == (result.status, result.duration_ms)


PEOPLE: dict[str, Any] = {"type": "approval", "approvers": ["user:ann"], "timeout": "2d"}


def test_a_wait_of_days_passes_at_once() -> None:
    tasks = [{"id": "w", "wait": {"for": "3d"}}, http("a", "w")]
    result = outcome(
        tasks,
        now="2026-01-30T00:00:00Z",
        tasks={"a": {"output": 1}},
        expect={"tasks": {"w": {"output": {"until": "2026-02-02T00:00:00.000Z"}}}, "order": ["w", "a"]},
    )
    assert ([], 3 * DAY) == (said(result), result.duration_ms)


def test_a_decision_comes_as_soon_as_it_is_asked_for() -> None:
    tasks = [{"id": "w", "wait": {"for": "1d"}}, {"id": "sign", "dependsOn": ["w"], **PEOPLE}]
    decision = {"task": "sign", "decision": "approved", "principal": "ann", "comment": "yes"}
    result = outcome(tasks, decisions=[decision])
    made = result.execution["tasks"]["sign"]["output"]["decisions"][0]
    assert (DAY, "ann", "yes") == (result.duration_ms, made["principal"], made["comment"])


def test_a_decision_comes_at_its_moment() -> None:
    decision = {"task": "sign", "decision": "rejected", "at": "1h"}
    result = outcome([{"id": "sign", **PEOPLE}], decisions=[decision], expect={"status": "failed"})
    assert ("passed", 3_600_000) == (result.status, result.duration_ms)
    after = {"task": "sign", "decision": "approved", "after": "a"}
    later = outcome([{"id": "sign", **PEOPLE}, http("a")], tasks={"a": {"delay": "7s"}}, decisions=[after])
    assert ("passed", 7_000) == (later.status, later.duration_ms)


def test_two_people_may_have_to_agree() -> None:
    tasks = [{"id": "sign", **PEOPLE, "approvers": ["user:ann", "user:bob"], "required": 2}]
    one = {"task": "sign", "decision": "approved", "principal": "ann"}
    both = [one, {**one, "principal": "bob"}]
    assert "passed" == outcome(tasks, decisions=both).status
    assert ["status: expected succeeded, got failed (No decision came within 172800000 ms.)"] == said(
        outcome(tasks, decisions=[one, one])
    )


FORM = {"type": "object", "required": ["limit"], "properties": {"limit": {"type": "integer"}, "why": {"default": "x"}}}


def test_a_form_is_judged_and_filled_in() -> None:
    sign = {"id": "sign", **PEOPLE, "form": FORM}
    decision = {"task": "sign", "decision": "approved"}
    filled = outcome([sign], decisions=[{**decision, "form": {"limit": 3}}])
    assert {"limit": 3, "why": "x"} == filled.execution["tasks"]["sign"]["output"]["decisions"][0]["form"]
    assert ["The form of a decision about 'sign' does not fit its schema."] == said(
        outcome([sign], decisions=[decision])
    )


def test_a_decision_that_nobody_asks_for_is_an_error_where_its_time_is_given() -> None:
    decision = {"task": "sign", "decision": "approved", "at": "3d"}
    tasks = [{"id": "sign", **PEOPLE, "onTimeout": "approve"}, {"id": "w", "wait": {"for": "4d"}}]
    assert ["A decision about 'sign' comes when it waits for none."] == said(outcome(tasks, decisions=[decision]))


def test_messages_that_were_never_sent_are_noted() -> None:
    tasks = [http("a"), {"id": "sign", "condition": "tasks.a.output == 2", **PEOPLE}, http("b", "sign")]
    result = outcome(
        tasks,
        tasks={"a": {"output": 1}, "b": {}},
        decisions=[{"task": "sign", "decision": "approved"}],
    )
    assert ("decision-1 was not asked for: 'sign' never waited",) == result.notes


def test_a_signal_that_waits_for_what_never_ends_is_noted() -> None:
    tasks = [http("a"), {"id": "e", "event": {"type": "go"}}, {"id": "f", "event": {"type": "go", "timeout": "1s"}}]
    result = outcome(tasks, tasks={"a": {}}, signals=[{"name": "go", "after": "e"}], expect={"status": "waiting"})
    assert ("signal-1 was not sent: 'e' never finished",) == result.notes


def test_an_event_is_delivered_also_before_it_is_waited_for() -> None:
    event = {"id": "paid", "dependsOn": ["a"], "event": {"type": "paid", "match": "event.data.n == 2", "timeout": "1d"}}
    signals = [{"name": "paid", "payload": {"n": 1}}, {"name": "paid", "payload": {"n": 2}, "id": "mine", "at": "1s"}]
    result = outcome([http("a"), event], tasks={"a": {"delay": "20s"}}, signals=signals)
    seen = result.execution["tasks"]["paid"]["output"]
    assert ({"n": 2}, "mine", 20_000) == (seen["data"], seen["id"], result.duration_ms)


def test_a_message_is_as_large_as_a_real_one_may_be() -> None:
    event = {"id": "paid", "event": {"type": "paid", "timeout": "1d"}}
    result = outcome([event], signals=[{"name": "paid", "payload": "x" * 70_000}])
    assert ["The payload of the signal 'paid' has 70,002 bytes; a message may have 65,536."] == said(result)


def test_an_execution_that_waits_for_ever_is_waiting() -> None:
    tasks = [{"id": "e", "event": {"type": "never"}}]
    assert "passed" == outcome(tasks, expect={"status": "waiting", "tasks": {"e": "waiting"}}).status
    assert ["status: expected succeeded, got waiting"] == said(outcome(tasks))


def test_a_cancel_stops_what_runs() -> None:
    result = outcome(
        [http("a"), http("b", "a")],
        tasks={"a": {"delay": "30s"}, "b": {}},
        cancel={"at": "5s", "reason": "enough"},
        expect={"status": "cancelled", "tasks": {"a": "cancelled", "b": "cancelled"}, "error": {"message": "enough"}},
    )
    assert ([], 5_000) == (said(result), result.duration_ms)


def test_a_large_output_is_fetched_as_from_the_blob_store() -> None:
    big = ["x" * 70_000, 1]
    result = outcome([http("a"), cut("c", "{{tasks.a.output.body}}")], tasks={"a": {"body": big}})
    assert [["x" * 70_000]] == [result.execution["output"]["c"]]


def test_a_reusable_task_is_called_with_its_own_input() -> None:
    ship = reusable(
        "ship",
        request={"url": "https://api.example/{{input.n}}"},
        inputSchema={"type": "object", "required": ["n"], "properties": {"n": {"type": "integer"}}},
    )
    task = {"id": "s", "taskRef": "ship", "input": {"n": "{{input.m}}"}}
    calls = {"s": {"count": 1, "request": {"url": "https://api.example/4", "method": "GET"}, "input": {"n": 4}}}
    result = outcome(
        [task],
        reusables={"ship": ship},
        spec={"input": {"properties": {"m": {"type": "integer", "default": 4}}}},
        tasks={"s": {"body": 1}},
        expect={"calls": calls},
    )
    assert [] == said(result)


def test_constants_facts_and_env_have_the_values_of_the_test() -> None:
    tasks = [
        cut(
            "c",
            ["{{config.a}} {{config.b}} {{env.STAGE}} {{trigger.kind}} {{execution.id}} {{execution.mode}} "
             "{{execution.startedAt}} {{execution.version}}"],
        )
    ]  # fmt: skip
    result = outcome(
        tasks,
        spec={"config": {"a": 1, "b": 2}, "version": "1.2.3"},
        config={"b": 3},
        env={"STAGE": "x"},
        trigger={"kind": "api"},
        execution={"id": "e1", "mode": "live"},
        now="1970-01-01T00:00:01Z",
        expect={"asserts": ["config.b == 3", "execution.id == 'e1'", "env.STAGE == 'x'"]},
    )
    assert [] == said(result)
    assert ["1 3 x api e1 live 1000 1.2.3"] == result.execution["output"]["c"]


def test_the_seed_decides_the_chance_in_retries() -> None:
    def lasting(seed: int) -> int:
        retry = {"maxAttempts": 3, "interval": "10s", "jitter": "full"}
        return outcome([http("a", retry=retry)], seed=seed, tasks={"a": [{"status": 503}, {}]}).duration_ms

    assert lasting(1) == lasting(1)
    assert 1 < len({lasting(seed) for seed in range(5)})


def test_a_test_with_too_many_events_is_stopped() -> None:
    made = subject(workflow([http("a"), http("b", "a")]))
    case = Case.model_validate({"name": "t", "onUnmocked": "succeed-empty"})
    codec = ValueCodec("x")
    answers = CaseAnswers(case, "x", rehearse)
    played = Player(made.plan, answers, CaseMessages(case, 0, codec), codec, most=3)
    with pytest.raises(TooLarge, match="more than 3 events"):
        played.play(start_event(made, case, codec, {}), {})


def test_the_same_test_gives_the_same_history() -> None:
    def history() -> Any:
        tasks = [http("a", retry=RETRY), http("b"), http("c", "a", "b")]
        mocks = {"a": [{"status": 500}, {"body": 1}], "b": {"delay": "3s"}, "c": {}}
        played = outcome(tasks, tasks=mocks).played
        assert played is not None
        return played.events

    assert history() == history()
