"""What the errors of AWS clients mean to our callers: one table for all services we call.

A failure is judged by two questions: may the same call succeed later, and may it have taken effect already. The second
decides between StoreUnavailable and OutcomeUnknown. Sources: the error tables of the DynamoDB, S3 and Secrets Manager
API references, and botocore's exception classes.
"""

from __future__ import annotations

from typing import Any, Final, Literal

from msgspec import Struct

from millrace.base.errors import StoreUnavailable

Verdict = Literal["throttled", "busy", "ambiguous", "unsent", "lost", "refused", "invalid", "large", "absent", "broken"]
"""``throttled``/``busy``/``unsent``: it did not happen, try again. ``ambiguous``: the service failed, it may have
happened. ``lost``: sent, no answer. ``refused``: a condition. ``invalid``/``large``: our request. ``absent``: no such
thing. ``broken``: set-up, such as permissions or names."""

THROTTLES: Final = frozenset(
    {
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "SlowDown",
        "Throttling",
        "ThrottlingException",
        "ThrottledException",
        "TooManyRequestsException",
        "LimitExceededException",
    }
)
BUSY: Final = frozenset({"TransactionConflictException", "TransactionInProgressException", "OperationAborted"})
ABSENT: Final = frozenset({"NoSuchKey", "404", "NotFound"})
LARGE_WORDS: Final = ("item size", "exceeded the maximum allowed size", "item collection size")


class Judged(Struct, frozen=True):
    verdict: Verdict
    code: str
    message: str
    reasons: tuple[tuple[str, str], ...] = ()
    """Code and message per operation of a cancelled transaction."""


def client_errors() -> tuple[type[Exception], ...]:
    """Everything a botocore client raises about a call; a function, so that importing this module stays cheap."""
    from botocore.exceptions import BotoCoreError, ClientError
    from botocore.parsers import ResponseParserError

    return BotoCoreError, ClientError, ResponseParserError


def judge(error: BaseException) -> Judged | None:
    """The meaning of a botocore error; None when it is none."""
    from botocore import exceptions
    from botocore.parsers import ResponseParserError

    if isinstance(error, exceptions.ClientError):
        cause = error.__cause__
        response: Any = cause.response if isinstance(cause, exceptions.ClientError) else error.response
        return _answer(response)
    lost = exceptions.HTTPClientError | exceptions.IncompleteReadError | exceptions.SSLError | ResponseParserError
    if isinstance(error, exceptions.ConnectTimeoutError | exceptions.EndpointConnectionError):
        return Judged("unsent", type(error).__name__, str(error))
    if isinstance(error, lost):
        return Judged("lost", type(error).__name__, str(error))
    if isinstance(error, exceptions.BotoCoreError):
        return Judged("broken", type(error).__name__, str(error))
    return None


def _answer(response: Any) -> Judged:
    told = response.get("Error", {})
    code, message = str(told.get("Code", "")), str(told.get("Message", ""))
    status = int(response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
    reasons = tuple(
        (str(reason.get("Code", "None")), str(reason.get("Message", "")))
        for reason in response.get("CancellationReasons", [])
    )
    return Judged(_verdict(code, message, status, reasons), code, message, reasons)


def _verdict(code: str, message: str, status: int, reasons: tuple[tuple[str, str], ...]) -> Verdict:
    if code == "TransactionCanceledException":
        return _cancelled(reasons)
    if code == "ConditionalCheckFailedException":
        return "refused"
    if code in THROTTLES or status == 429:
        return "throttled"
    if code in BUSY:
        return "busy"
    if code in ABSENT:
        return "absent"
    if status >= 500 or code in (
        "InternalServerError",
        "InternalFailure",
        "InternalServiceError",
        "ServiceUnavailable",
    ):
        return "ambiguous"
    if code in ("ValidationException", "ItemCollectionSizeLimitExceededException", "InvalidParameterException"):
        return "large" if any(word in message.lower() for word in LARGE_WORDS) else "invalid"
    return "broken"


def _cancelled(reasons: tuple[tuple[str, str], ...]) -> Verdict:
    """A condition that failed outweighs a throttle beside it: trying again would meet the condition again."""
    codes = {code for code, _ in reasons}
    if "ConditionalCheckFailed" in codes:
        return "refused"
    for code, message in reasons:
        if code in ("ValidationError", "ItemCollectionSizeLimitExceeded"):
            return "large" if any(word in message.lower() for word in LARGE_WORDS) else "invalid"
    return "throttled" if codes & {"ThrottlingError", "ProvisionedThroughputExceeded"} else "busy"


def unavailable(error: Exception, what: str) -> StoreUnavailable:
    """For calls that may be repeated without harm: whatever happened, doing it again settles it."""
    judged = judge(error)
    code = type(error).__name__ if judged is None else judged.code
    hint = "check the name, the region and the permissions" if judged and judged.verdict == "broken" else ""
    return StoreUnavailable(f"{what} failed ({code})", hint=hint, facts={"code": code})
