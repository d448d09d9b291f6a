"""Functions on AWS Lambda, by its Invoke operation.

Which of its errors mean what is taken from the API reference of Invoke.
"""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any, Final

from millrace.adapters.aws import client_errors, judge
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
from millrace.base.limits import LAMBDA_PAYLOAD_BYTES
from millrace.ports.functions import Invocation, Returned

if TYPE_CHECKING:
    from mypy_boto3_lambda import LambdaClient

CONTEXT_BYTES: Final = 3_583  # of the client context in base64, says the API reference
_ABSENT: Final = "ResourceNotFoundException"
_DENIED: Final = frozenset({"AccessDeniedException", "UnrecognizedClientException", "InvalidSignatureException"})
_NOT_READY: Final = frozenset(
    {
        "EC2ThrottledException",
        "ENILimitReachedException",
        "ResourceConflictException",
        "ResourceNotReadyException",
        "SnapStartNotReadyException",
        "SubnetIPAddressLimitReachedException",
    }
)
"""The function was not started, and may be in a moment."""


class CloudFunctions:
    """``client`` must not try a call again by itself, and must wait as long as a function may run."""

    def __init__(self, client: LambdaClient) -> None:
        self._client = client

    def invoke(self, invocation: Invocation) -> Returned:
        try:
            response = self._client.invoke(
                FunctionName=invocation.function,
                InvocationType="RequestResponse" if invocation.wait else "Event",
                Payload=invocation.payload,
                ClientContext=client_context(invocation),
            )
            payload = response["Payload"].read()
        except client_errors() as error:
            raise _meaning(error, invocation) from error
        failed = bool(response.get("FunctionError"))
        return Returned(payload if invocation.wait else b"", failed, response.get("ExecutedVersion", ""))


def client_context(invocation: Invocation) -> str:
    """The context in the form that Lambda hands on. The longest values are left out where all do not fit."""
    held = dict(invocation.context)
    while True:
        text = json.dumps({"custom": held}, separators=(",", ":"))
        encoded = base64.b64encode(text.encode()).decode()
        if len(encoded) <= CONTEXT_BYTES:
            return encoded
        del held[max(held, key=lambda name: len(held[name]))]


def _meaning(error: Exception, invocation: Invocation) -> MillraceError:
    judged = judge(error)
    code = type(error).__name__ if judged is None else judged.code
    verdict = "lost" if judged is None else judged.verdict
    name = invocation.function[:200]
    facts: dict[str, Any] = {"code": code}
    if code == _ABSENT:
        return NotFound(f"there is no function {name}", hint="Correct its name, region or alias.", facts=facts)
    if code in _DENIED:
        hint = "Deploy with its ARN in the parameter LambdaFunctions."
        return Forbidden(f"the platform may not call the function {name}", hint=hint, facts=facts)
    if code == "RequestTooLargeException":
        facts |= {"limit": LAMBDA_PAYLOAD_BYTES, "size": len(invocation.payload)}
        return TooLarge(f"the payload is too large for the function {name}", hint="Send a reference.", facts=facts)
    if verdict == "throttled":
        return Throttled(f"the function {name} is called too often", facts=facts)
    if code in _NOT_READY or verdict in ("unsent", "busy"):
        return StoreUnavailable(f"the function {name} could not be started ({code})", facts=facts)
    if verdict in ("ambiguous", "lost"):
        return OutcomeUnknown(f"calling the function {name} failed ({code})", facts=facts)
    return InvalidRequest(f"the function {name} cannot be called ({code})", hint="Correct the task.", facts=facts)
