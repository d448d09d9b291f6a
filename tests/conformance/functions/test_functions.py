"""One suite over every adapter of Functions."""

from __future__ import annotations

import json
import threading

import pytest

from millrace.adapters.functions import CloudFunctions, LocalFunctions
from millrace.base.errors import NotFound
from millrace.ports.functions import Functions, Invocation, Returned
from tests.conformance.functions.cloud import Service, client
from tests.conformance.functions.handlers import FUNCTIONS


@pytest.fixture(params=["local", "cloud"])
def functions(request: pytest.FixtureRequest) -> Functions:
    return LocalFunctions(FUNCTIONS) if request.param == "local" else CloudFunctions(client(Service()))


def test_a_function_gets_its_payload_and_gives_back_json(functions: Functions) -> None:
    returned = functions.invoke(Invocation("echo", b'{"a":[1,"\xc3\xa9",null]}'))
    assert (False, "$LATEST") == (returned.failed, returned.version)
    assert {"event": {"a": [1, "é", None]}, "name": "echo"} == json.loads(returned.payload)


def test_a_function_finds_the_context_where_lambda_puts_it(functions: Functions) -> None:
    context = {"idempotencyKey": "k1", "task": "a/b[1]", "execution": "é"}
    returned = functions.invoke(Invocation("key", b"{}", context=context))
    assert context == json.loads(returned.payload)


def test_what_a_function_raises_is_its_answer(functions: Functions) -> None:
    returned = functions.invoke(Invocation("fails", b'{"what":"luck"}'))
    assert returned.failed
    assert {"errorType": "ValueError", "errorMessage": "no luck"} == json.loads(returned.payload)


@pytest.mark.parametrize(
    ("name", "kind"),
    [("odd", "Runtime.MarshalError"), ("leaves", "Runtime.ExitError"), ("large", "Function.ResponseSizeTooLarge")],
)
def test_a_function_that_cannot_answer_has_failed(functions: Functions, name: str, kind: str) -> None:
    returned = functions.invoke(Invocation(name, b"{}"))
    assert returned.failed
    assert kind == json.loads(returned.payload)["errorType"]


def test_a_function_that_gives_nothing_back_gives_null(functions: Functions) -> None:
    assert b"null" == functions.invoke(Invocation("nothing", b"{}")).payload


@pytest.mark.parametrize("name", ["echo", "fails"])
def test_nobody_hears_of_a_function_that_is_not_waited_for(functions: Functions, name: str) -> None:
    returned = functions.invoke(Invocation(name, b'{"what":"luck"}', wait=False))
    assert (b"", False) == (returned.payload, returned.failed)


@pytest.mark.parametrize("wait", [True, False])
def test_a_function_that_is_not_there_is_not_found(functions: Functions, wait: bool) -> None:
    with pytest.raises(NotFound, match="there is no function other"):
        functions.invoke(Invocation("other", b"{}", wait=wait))


@pytest.mark.parametrize("name", ["echo:live", "arn:aws:lambda:eu-central-1:123456789012:function:echo"])
def test_a_function_may_be_named_in_full(functions: Functions, name: str) -> None:
    assert "echo" == json.loads(functions.invoke(Invocation(name, b"1")).payload)["name"]


def test_many_threads_may_call_at_once(functions: Functions) -> None:
    found: list[Returned] = []

    def call(number: int) -> None:
        found.append(functions.invoke(Invocation("echo", str(number).encode())))

    threads = [threading.Thread(target=call, args=(number,)) for number in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert list(range(16)) == sorted(json.loads(one.payload)["event"] for one in found)
