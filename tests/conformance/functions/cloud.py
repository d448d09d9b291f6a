"""Lambda as its Invoke operation behaves: botocore's own client, with the service behind its wire."""

from __future__ import annotations

import base64
import io
import json
import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote

from botocore.awsrequest import AWSResponse

from millrace.adapters.functions import LocalFunctions
from millrace.base.errors import NotFound
from millrace.ports.functions import Invocation
from tests.conformance.functions.handlers import FUNCTIONS

_PATH = re.compile(r"/2015-03-31/functions/(?P<name>[^/]+)/invocations")


class Raw(io.BytesIO):
    """A body as botocore reads it."""

    def stream(self, **_: Any) -> Iterator[bytes]:
        yield self.read()


class Service:
    """Answers requests by the handlers that the local adapter would call. ``requests`` keeps what came."""

    def __init__(self) -> None:
        self.requests: list[Any] = []
        self.next: list[AWSResponse | Exception] = []
        """What is answered or raised first, instead of calling a handler."""

    def __call__(self, request: Any, **_: Any) -> AWSResponse:
        self.requests.append(request)
        if self.next:
            given = self.next.pop(0)
            if isinstance(given, Exception):
                raise given
            return given
        match = _PATH.search(request.url)
        assert match is not None
        kind = request.headers["X-Amz-Invocation-Type"].decode()
        sent = json.loads(base64.b64decode(request.headers["X-Amz-Client-Context"]))
        name = unquote(match["name"])
        try:
            found = LocalFunctions(FUNCTIONS).invoke(Invocation(name, request.body, True, sent["custom"]))
        except NotFound:
            return problem(404, "ResourceNotFoundException")
        if kind == "Event":
            return response(202, b"")
        error = {"X-Amz-Function-Error": "Unhandled"} if found.failed else {}
        return response(200, found.payload, **{"X-Amz-Executed-Version": "$LATEST", **error})


def response(status: int, body: bytes, **headers: str) -> AWSResponse:
    return AWSResponse("https://lambda.test/", status, headers, Raw(body))


def problem(status: int, code: str) -> AWSResponse:
    body = json.dumps({"Type": "User", "Message": "no"}).encode()
    return response(status, body, **{"x-amzn-ErrorType": code, "Content-Type": "application/json"})


def client(service: Service) -> Any:
    """A client of Lambda, configured as the wiring does it, whose requests end at ``service``."""
    import boto3
    from botocore.config import Config

    config = Config(retries={"mode": "standard", "total_max_attempts": 1})
    made = boto3.client(
        "lambda", region_name="eu-central-1", aws_access_key_id="x", aws_secret_access_key="x", config=config
    )
    made.meta.events.register_first("before-send.lambda.Invoke", service)
    return made
