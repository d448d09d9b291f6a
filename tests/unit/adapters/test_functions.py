"""The `lambda` task type: what a function is given, what its answers mean, and what happens when there is none."""

from __future__ import annotations

import asyncio
import base64
import json
import logging
import re
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from botocore.awsrequest import AWSResponse
from botocore.exceptions import ConnectTimeoutError, ReadTimeoutError

from millrace.adapters.functions import CloudFunctions, LambdaRunner, LocalFunctions, runner
from millrace.adapters.functions.cloud import CONTEXT_BYTES, client_context
from millrace.adapters.functions.workers import Workers
from millrace.base.errors import (
    Forbidden,
    InvalidRequest,
    MillraceError,
    NotFound,
    OutcomeUnknown,
    StoreUnavailable,
    Throttled,
    TooLarge,
)
from millrace.base.limits import LAMBDA_EVENT_BYTES
from millrace.expr.secrets import SecretRef, SecretText
from millrace.ports.functions import Functions, Invocation, Returned
from millrace.ports.runners import Attempt, Outcome, TaskFailed
from millrace.spec.tasks import LAMBDA
from tests.conformance.functions.cloud import Service, client, problem, response
from tests.conformance.functions.handlers import FUNCTIONS

KEY = "0123456789abcdef0123456789abcdef"


class Double:
    """Functions that do as they are told, and remember what came."""

    def __init__(self, act: Callable[[Invocation], Returned]) -> None:
        self._act = act
        self.calls: list[Invocation] = []

    def invoke(self, invocation: Invocation) -> Returned:
        self.calls.append(invocation)
        return self._act(invocation)


def run(functions: Functions, config: Any, *, deadline_ms: int = 20_000) -> Outcome | TaskFailed:
    async def go() -> Outcome | TaskFailed:
        attempt = Attempt("acme", "e1", "call", 2, "lambda", config, {}, KEY, deadline_ms, "00-trace")
        try:
            return await LambdaRunner(functions).run(attempt)
        except TaskFailed as failed:
            assert None is failed.__context__
            return failed

    return asyncio.run(go())


def slug(result: Outcome | TaskFailed) -> tuple[str, str, bool]:
    assert isinstance(result, TaskFailed)
    return result.failure.kind, result.failure.code, result.failure.retryable


def gives(payload: bytes, **more: Any) -> Double:
    return Double(lambda _: Returned(payload, **more))


def raises(error: Exception) -> Double:
    def act(_: Invocation) -> Returned:
        raise error

    return Double(act)


def test_an_answer_comes_back_as_a_value() -> None:
    functions = gives(b'{"a":[1,2.5,null]}', version="7")
    result = run(functions, {"function": "price", "payload": {"b": 1, "a": "é"}})
    assert isinstance(result, Outcome)
    assert {"status": 200, "payload": {"a": [1, 2.5, None]}, "version": "7"} == {
        key: value for key, value in result.output.items() if key != "durationMs"
    }
    (call,) = functions.calls
    assert ("price", '{"a":"é","b":1}'.encode(), True, 20_000) == (
        call.function,
        call.payload,
        call.wait,
        call.timeout_ms,
    )
    usage = result.usage
    assert ("lambda", "price", 1, 16, 18) == (
        usage.provider,
        usage.operation,
        usage.requests,
        usage.bytes_out,
        usage.bytes_in,
    )


def test_every_attempt_gives_the_same_key() -> None:
    functions = gives(b"1")
    for _ in range(2):
        run(functions, {"function": "price"})
    expected = {
        "idempotencyKey": KEY,
        "tenant": "acme",
        "execution": "e1",
        "task": "call",
        "attempt": "2",
        "traceparent": "00-trace",
    }
    assert [expected] * 2 == [dict(call.context) for call in functions.calls]
    assert b"{}" == functions.calls[0].payload


def test_a_function_that_is_not_waited_for_gives_nothing() -> None:
    functions = gives(b"")
    result = run(functions, {"function": "price", "invocation": "event"})
    assert isinstance(result, Outcome)
    assert (202, None, False) == (result.output["status"], result.output["payload"], functions.calls[0].wait)


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        (b'{"errorType":"ValueError","errorMessage":"no"}', ("task", "function-error", False)),
        (b'{"errorType":"Sandbox.Timedout","errorMessage":"x"}', ("timeout", "function-timeout", True)),
        (b'{"errorMessage":"2026 x Task timed out after 3.00 seconds"}', ("timeout", "function-timeout", True)),
        (b"[]", ("task", "function-error", False)),
        (b"no json", ("task", "function-error", False)),
    ],
)
def test_an_error_of_the_function_is_a_failure(payload: bytes, expected: tuple[str, str, bool]) -> None:
    assert expected == slug(run(gives(payload, failed=True), {"function": "price"}))


def test_what_a_function_says_of_its_error_is_kept_within_bounds() -> None:
    said = json.dumps({"errorType": "T" * 999, "errorMessage": "m" * 99_999, "stackTrace": ["secret"]}).encode()
    result = run(gives(said, failed=True), {"function": "price"})
    assert isinstance(result, TaskFailed)
    assert {"errorType": "T" * 200, "errorMessage": "m" * 1_000} == result.failure.details


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (NotFound("x"), ("task", "function-missing", False)),
        (Forbidden("x"), ("task", "function-denied", False)),
        (TooLarge("x"), ("too-large", "function-payload", False)),
        (InvalidRequest("x"), ("task", "config", False)),
        (Throttled("x"), ("task", "function-throttled", True)),
        (StoreUnavailable("x"), ("network", "function-unavailable", True)),
        (OutcomeUnknown("x"), ("network", "function-lost", True)),
    ],
)
def test_what_the_port_raises_decides_whether_to_try_again(
    error: MillraceError, expected: tuple[str, str, bool]
) -> None:
    assert expected == slug(run(raises(error), {"function": "price"}))


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ({"function": "a b"}, ("task", "config", False)),
        ({}, ("task", "config", False)),
        ({"function": "f", "invocation": "later"}, ("task", "config", False)),
        ({"function": "f", "payload": float("nan")}, ("task", "config", False)),
        ({"function": "f", "payload": SecretText((SecretRef("k"),))}, ("task", "secret-place", False)),
        (
            {"function": "f", "invocation": "event", "payload": "x" * (LAMBDA_EVENT_BYTES - 1)},
            ("too-large", "function-payload", False),
        ),
        ({"function": "f", "payload": "x" * (6 * 1024 * 1024 - 1)}, ("too-large", "function-payload", False)),
    ],
    ids=range(7),
)
def test_what_cannot_be_called_is_not_called(config: Any, expected: tuple[str, str, bool]) -> None:
    functions = gives(b"1")
    assert expected == slug(run(functions, config))
    assert [] == functions.calls


def test_a_payload_at_the_limit_is_sent() -> None:
    functions = gives(b"")
    config = {"function": "f", "invocation": "event", "payload": "x" * (LAMBDA_EVENT_BYTES - 2)}
    assert isinstance(run(functions, config), Outcome)
    assert LAMBDA_EVENT_BYTES == len(functions.calls[0].payload)


def test_an_answer_that_is_not_json_is_a_failure() -> None:
    assert ("schema", "function-response", False) == slug(run(gives(b"\xff"), {"function": "f"}))


def test_a_function_that_takes_too_long_is_given_up() -> None:
    end = threading.Event()

    def act(_: Invocation) -> Returned:
        end.wait(20)
        return Returned(b"1")

    try:
        assert ("timeout", "total", True) == slug(run(Double(act), {"function": "f"}, deadline_ms=50))
    finally:
        end.set()


def test_a_thread_that_was_given_up_keeps_its_place_until_it_ends() -> None:
    async def go() -> tuple[int, int]:
        workers, end, began = Workers(most=2), threading.Event(), []

        def work() -> int:
            began.append(1)
            end.wait(20)
            return len(began)

        first = [asyncio.create_task(workers.run(work)) for _ in range(2)]
        while len(began) < 2:
            await asyncio.sleep(0)
        for task in first:
            task.cancel()
        await asyncio.gather(*first, return_exceptions=True)
        third = asyncio.create_task(workers.run(work))
        for _ in range(5):
            await asyncio.sleep(0)
        before = len(began)
        end.set()
        return before, await third

    assert (2, 3) == asyncio.run(go())


def test_a_thread_that_ends_after_its_loop_bothers_nobody() -> None:
    end, ended = threading.Event(), threading.Event()

    def work() -> None:
        end.wait(20)
        ended.set()

    async def go() -> None:
        task = asyncio.create_task(Workers().run(work))
        await asyncio.sleep(0.01)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    asyncio.run(go())
    end.set()
    assert ended.wait(20)


@pytest.mark.parametrize(
    ("given", "error"),
    [
        (problem(404, "ResourceNotFoundException"), NotFound),
        (problem(403, "AccessDeniedException"), Forbidden),
        (problem(413, "RequestTooLargeException"), TooLarge),
        (problem(400, "InvalidRequestContentException"), InvalidRequest),
        (problem(429, "TooManyRequestsException"), Throttled),
        (problem(502, "EC2ThrottledException"), StoreUnavailable),
        (problem(409, "ResourceConflictException"), StoreUnavailable),
        (problem(500, "ServiceException"), OutcomeUnknown),
        (ConnectTimeoutError(endpoint_url="https://x"), StoreUnavailable),
        (ReadTimeoutError(endpoint_url="https://x"), OutcomeUnknown),
    ],
    ids=["absent", "denied", "large", "invalid", "throttled", "ec2", "conflict", "broken", "unsent", "lost"],
)
def test_an_error_of_the_service_has_its_meaning(given: AWSResponse | Exception, error: type[MillraceError]) -> None:
    service = Service()
    service.next.append(given)
    with pytest.raises(MillraceError) as caught:
        CloudFunctions(client(service)).invoke(Invocation("f", b"{}"))
    assert (error, 1) == (type(caught.value), len(service.requests))


def test_a_call_is_not_repeated_behind_our_back() -> None:
    service = Service()
    service.next += [problem(500, "ServiceException"), response(200, b"1")]
    with pytest.raises(OutcomeUnknown):
        CloudFunctions(client(service)).invoke(Invocation("f", b"{}"))
    assert 1 == len(service.requests)


def test_a_context_that_is_too_long_loses_its_longest_value() -> None:
    context = {"idempotencyKey": KEY, "task": "x" * 5_000}
    encoded = client_context(Invocation("f", b"{}", context=context))
    assert len(encoded) <= CONTEXT_BYTES
    assert {"custom": {"idempotencyKey": KEY}} == json.loads(base64.b64decode(encoded))


def test_a_function_is_found_in_a_folder(tmp_path: Path) -> None:
    (tmp_path / "fn").mkdir()
    (tmp_path / "fn" / "app.py").write_text(
        "LOADED = []\n"
        "def handler(event, context):\n"
        "    LOADED.append(event)\n"
        "    return [context.get_remaining_time_in_millis() > 0, len(LOADED), context.invoked_function_arn]\n"
        "def other(event, context):\n"
        "    return 'other'\n"
    )
    targets = {"a-b": f"{tmp_path}/fn", "o": f"{tmp_path}/fn/app.py:other"}
    functions = LocalFunctions(targets)
    arn = "arn:aws:lambda:local:000000000000:function:a-b"
    assert [[True, n, arn] for n in (1, 2)] == [
        json.loads(functions.invoke(Invocation("a-b", b"{}")).payload) for _ in range(2)
    ]
    assert b'"other"' == functions.invoke(Invocation("o", b"{}")).payload


@pytest.mark.parametrize(
    ("target", "said"),
    [
        ("no_such_module:handler", "No module named"),
        ("tests.conformance.functions.handlers:absent", "has no attribute"),
        ("{tmp}/absent", "there is no file"),
        ("{tmp}/broken", "it broke"),
    ],
)
def test_a_function_that_cannot_be_loaded_says_why(tmp_path: Path, target: str, said: str) -> None:
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "app.py").write_text("raise RuntimeError('it broke')\n")
    functions = LocalFunctions({"f": target.format(tmp=tmp_path)})
    for _ in range(2):
        returned = functions.invoke(Invocation("f", b"{}"))
        told = json.loads(returned.payload)
        assert (True, "Runtime.ImportModuleError") == (returned.failed, told["errorType"])
        assert said in told["errorMessage"]


def test_a_failure_that_nobody_waits_for_is_logged_without_what_it_says(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        LocalFunctions(FUNCTIONS).invoke(Invocation("fails", b'{"what":"canary"}', wait=False))
    assert ["a function that nobody waits for failed"] == [record.getMessage() for record in caplog.records]
    assert "canary" not in caplog.text


def test_a_function_that_nobody_waits_for_is_given_no_context() -> None:
    seen: list[Any] = []
    functions = LocalFunctions({"f": "tests.conformance.functions.handlers:key"})
    functions._loaded["f"] = lambda event, context: seen.append(dict(context.client_context.custom))
    functions.invoke(Invocation("f", b"{}", wait=False, context={"idempotencyKey": "k"}))
    functions.invoke(Invocation("f", b"{}", wait=True, context={"idempotencyKey": "k"}))
    assert [{}, {"idempotencyKey": "k"}] == seen


def test_every_failure_code_and_field_is_documented() -> None:
    root = Path(__file__).parents[3]
    page = (root / "docs" / "reference" / "lambda-task.md").read_text()
    source = Path(str(runner.__file__)).read_text()
    codes = set(re.findall(r"""\(\s*"(?:task|network|timeout|too-large|schema)",\s*"([a-z-]+)\"""", source))
    assert 12 == len(codes)
    assert [] == sorted(code for code in codes if f"`{code}`" not in page)
    assert [] == [key for key in LAMBDA.keys if f"`{key}`" not in page]
