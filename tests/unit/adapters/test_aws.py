"""Every AWS client error has a meaning: a table of what botocore raises."""

from __future__ import annotations

import inspect

import pytest
from botocore import exceptions
from botocore.exceptions import ClientError
from botocore.parsers import ResponseParserError

from millrace.adapters.aws import judge, unavailable

ANSWERS = [
    ("ConditionalCheckFailedException", 400, "refused"),
    ("ProvisionedThroughputExceededException", 400, "throttled"),
    ("ThrottlingException", 400, "throttled"),
    ("RequestLimitExceeded", 400, "throttled"),
    ("SlowDown", 503, "throttled"),
    ("Unheard", 429, "throttled"),
    ("TransactionConflictException", 400, "busy"),
    ("TransactionInProgressException", 400, "busy"),
    ("OperationAborted", 409, "busy"),
    ("NoSuchKey", 404, "absent"),
    ("InternalServerError", 500, "ambiguous"),
    ("InternalServiceError", 400, "ambiguous"),
    ("ServiceUnavailable", 503, "ambiguous"),
    ("Unheard", 502, "ambiguous"),
    ("ValidationException", 400, "invalid"),
    ("InvalidParameterException", 400, "invalid"),
    ("ItemCollectionSizeLimitExceededException", 400, "invalid"),
    ("AccessDeniedException", 400, "broken"),
    ("AccessDenied", 403, "broken"),
    ("ResourceNotFoundException", 400, "broken"),
    ("NoSuchBucket", 404, "broken"),
    ("ExpiredTokenException", 400, "broken"),
    ("UnrecognizedClientException", 400, "broken"),
    ("", 0, "broken"),
]


def client_error(code: str, status: int, message: str = "", reasons: list | None = None) -> ClientError:
    response = {
        "Error": {"Code": code, "Message": message},
        "ResponseMetadata": {"HTTPStatusCode": status},
        "CancellationReasons": reasons or [],
    }
    return ClientError(response, "Call")


@pytest.mark.parametrize(("code", "status", "verdict"), ANSWERS)
def test_an_answer_is_judged_by_its_code_and_status(code: str, status: int, verdict: str) -> None:
    assert verdict == judge(client_error(code, status)).verdict


@pytest.mark.parametrize(
    "message", ["Item size has exceeded the maximum allowed size", "Item size to update has exceeded the limit"]
)
def test_an_oversize_item_is_told_from_other_invalid_requests(message: str) -> None:
    assert "large" == judge(client_error("ValidationException", 400, message)).verdict
    reasons = [{"Code": "None"}, {"Code": "ValidationError", "Message": message}]
    assert "large" == judge(client_error("TransactionCanceledException", 400, "", reasons)).verdict


@pytest.mark.parametrize(
    ("codes", "verdict"),
    [
        (["None", "ConditionalCheckFailed"], "refused"),
        (["ThrottlingError", "ConditionalCheckFailed"], "refused"),
        (["None", "ValidationError"], "invalid"),
        (["TransactionConflict", "None"], "busy"),
        (["ThrottlingError", "None"], "throttled"),
        (["ProvisionedThroughputExceeded"], "throttled"),
        ([], "busy"),
    ],
)
def test_a_cancelled_transaction_is_judged_by_its_reasons(codes: list[str], verdict: str) -> None:
    error = client_error("TransactionCanceledException", 400, "", [{"Code": code} for code in codes])
    assert verdict == judge(error).verdict


def _made(kind: type) -> Exception:
    """An instance of a botocore error, whatever its message needs."""

    class Loose(kind):
        def __init__(self) -> None:
            Exception.__init__(self, self.fmt)

    return Loose()


KINDS = [
    kind
    for _, kind in inspect.getmembers(exceptions, inspect.isclass)
    if issubclass(kind, exceptions.BotoCoreError) and kind.__module__ == exceptions.__name__
]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_every_botocore_error_has_a_meaning(kind: type) -> None:
    error = _made(kind)
    judged = judge(error)
    unsent = (exceptions.ConnectTimeoutError, exceptions.EndpointConnectionError)
    lost = (exceptions.HTTPClientError, exceptions.IncompleteReadError, exceptions.SSLError)
    expected = "unsent" if issubclass(kind, unsent) else "lost" if issubclass(kind, lost) else "broken"
    assert expected == judged.verdict
    assert judged.code == unavailable(error, "the call").facts["code"]


def test_an_answer_that_cannot_be_parsed_is_a_lost_answer() -> None:
    assert "lost" == judge(ResponseParserError("no JSON")).verdict


def test_the_table_walks_many_kinds() -> None:
    assert 50 < len(KINDS)


def test_what_is_no_error_of_aws_is_not_judged() -> None:
    assert judge(ValueError("x")) is None
    assert "ValueError" in unavailable(ValueError("x"), "the call").message
