"""The one way in. Every function's handler is this wrapper around its routes; there is no second way.

Order: name the request, judge its envelope, authenticate, find the route, authorise, parse the body, call,
turn any error into a problem body, and write one log line whatever happened.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from typing import Any, Final
from urllib.parse import unquote

from aws_lambda_powertools.event_handler.openapi.exceptions import RequestValidationError
from msgspec.structs import replace

from millrace.api.access import PACKAGES, PUBLIC, authorise
from millrace.api.answers import check_size
from millrace.api.bodies import check_package_type, media_of, parsed, raw_body
from millrace.api.current import Request, serving
from millrace.api.envelope import checked_headers, checked_path, checked_query
from millrace.api.identity import anonymous, authenticate
from millrace.api.observe import observe, use_level
from millrace.api.problems import MEDIA_TYPE, problem
from millrace.api.resolver import Resolver
from millrace.api.validation import as_request_error
from millrace.base.canonical import dumps
from millrace.base.errors import InvalidRequest, Unauthenticated
from millrace.services.caller import Caller
from millrace.services.platform import Platform

Handler = Callable[[Mapping[str, Any], Any], dict[str, Any]]

_REQUEST_ID: Final = re.compile(r"[A-Za-z0-9._:=/+-]{1,128}")
_METHOD: Final = re.compile(r"[A-Z]{3,16}")
_NAMESPACE: Final = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
_SAFETY: Final = {"X-Content-Type-Options": "nosniff", "Cache-Control": "no-store"}
_CACHED: Final = {"X-Content-Type-Options": "nosniff", "Cache-Control": "private, no-cache"}


def entry(app: Resolver, platform: Callable[[], Platform]) -> Handler:
    """A Lambda handler for API Gateway REST events that never raises on account of the request."""

    def handler(event: Mapping[str, Any], context: Any) -> dict[str, Any]:
        request = Request(
            method=str(event.get("httpMethod", ""))[:16],
            path=str(event.get("path", ""))[:1024],
            request_id=_request_id(event, context),
            event=event,
            lambda_context=context,
        )
        with _Outcome(app.concern, request) as outcome, serving(request):
            outcome.result = _serve(app, platform, request)
        return outcome.result

    return handler


class _Outcome:
    """What became of a request: its answer, or the problem its exception stands for; observed either way.

    Only what is an Exception becomes a problem: a kill or an interrupt passes through, observed as a failure.
    """

    def __init__(self, concern: str, request: Request) -> None:
        self.result: dict[str, Any] = {"statusCode": 500}
        self._concern = concern
        self._request = request
        self._began = time.perf_counter()

    def __enter__(self) -> _Outcome:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> bool:
        failure = as_request_error(error) if isinstance(error, RequestValidationError) else error
        if failure is not None:
            self.result = _problem(failure, self._request)
        observe(
            self._concern,
            self._request,
            status=int(self.result["statusCode"]),
            seconds=time.perf_counter() - self._began,
            error=failure,
        )
        return error is None or isinstance(error, Exception)


def _serve(app: Resolver, platform: Callable[[], Platform], request: Request) -> dict[str, Any]:
    event = request.event
    request.headers = checked_headers(event)
    here = platform()
    use_level(here.log_level)
    request.caller = _caller(event, here.region)
    request.path = checked_path(event)
    if not _METHOD.fullmatch(request.method):
        raise InvalidRequest("the method is not an HTTP method", hint="Use GET, POST or PUT.")
    route, found = app.find(request.method, request.path)
    request.arguments = {name: unquote(value) for name, value in found.items()}
    request.template = route.path
    authorise(request.caller, request.method, route.path)
    request.query = checked_query(event)
    namespace = request.query.get("namespace", "default")
    if not _NAMESPACE.fullmatch(namespace):
        raise InvalidRequest(f"{namespace[:80]!r} is not a namespace name", hint="Use lower case letters, digits, -.")
    request.caller = replace(request.caller, namespace=namespace)
    request.raw = raw_body(event)
    content_type = request.headers.get("content-type", "")
    if (request.method, route.path) in PACKAGES and "from" not in request.query:
        check_package_type(content_type)
    else:
        request.media = media_of(content_type)
    if route.dependant.body_params:
        request.body = parsed(request.raw, request.media)
    result = _finish(app.call(route), request)
    if here.answer_bytes is not None:
        check_size(result, here.answer_bytes)
    return result


def _caller(event: Mapping[str, Any], region: str) -> Caller:
    try:
        return authenticate(event, region)
    except Unauthenticated:
        if (event.get("httpMethod"), event.get("path")) in PUBLIC:
            return anonymous()
        raise


def _finish(result: dict[str, Any], request: Request) -> dict[str, Any]:
    headers = result.setdefault("multiValueHeaders", {})
    extra = _CACHED if "ETag" in headers else _SAFETY
    for name, value in {**extra, "X-Request-Id": request.request_id}.items():
        headers[name] = [value]
    return result


def _problem(error: BaseException, request: Request) -> dict[str, Any]:
    found = problem(error, instance=_printable(request.path), request_id=request.request_id)
    result = {
        "statusCode": found.status,
        "body": dumps(found.body).decode(),
        "isBase64Encoded": False,
        "multiValueHeaders": {"Content-Type": [MEDIA_TYPE], **{k: [v] for k, v in found.headers.items()}},
    }
    return _finish(result, request)


def _printable(text: str) -> str:
    """A path for a message: what is not plain ASCII is escaped, so that a lone surrogate or a NUL stays harmless."""
    return text.encode("ascii", "backslashreplace").decode().replace("\x00", "\\x00")


def _request_id(event: Mapping[str, Any], context: Any) -> str:
    """The gateway's id, else Lambda's; one of them is always there on AWS, and the local gateway makes one."""
    inner = event.get("requestContext")
    named = inner.get("requestId") if isinstance(inner, Mapping) else None
    for candidate in (named, getattr(context, "aws_request_id", None)):
        if isinstance(candidate, str) and _REQUEST_ID.fullmatch(candidate):
            return candidate
    return "unknown"
