"""Redirects followed only when asked, judged like a first request, and without credentials on a new origin."""

from __future__ import annotations

from typing import Final

from millrace.adapters.http.refusals import blocked
from millrace.adapters.http.transport import Request, Response
from millrace.adapters.http.urls import join

REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
MOST: Final = 5  # hops; a browser allows some twenty, a service call that needs more is misdirected

# What follows to another origin. A list of what may go is safer than a list of credentials that must stay.
_TRAVELS: Final = frozenset(
    {"accept", "accept-encoding", "accept-language", "content-type", "user-agent", "idempotency-key", "traceparent"}
)


def next_request(request: Request, response: Response) -> Request | None:
    """The request a redirect asks for, or None when the response is none (RFC 9110, 15.4): 303 becomes GET, 301
    and 302 turn POST into GET, 307 and 308 repeat method and body. Raises Refused on a bad target and on a step
    from https down to http."""
    location = next((value for name, value in response.headers if name == "location"), "")
    if response.status not in REDIRECTS or not location:
        return None
    url = join(request.url, location)
    if request.url.scheme == "https" and url.scheme == "http":
        raise blocked("redirect", "the redirect leads from https to http", "Call the final address directly.")
    method, body, headers = request.method, request.body, request.headers
    to_get = response.status == 303 and method != "HEAD"
    if to_get or (response.status in (301, 302) and method == "POST"):
        method, body = "GET", b""
        headers = tuple((name, value) for name, value in headers if name.lower() != "content-type")
    if url.origin != request.url.origin:
        headers = tuple((name, value) for name, value in headers if name.lower() in _TRAVELS)
    return Request(method, url, headers, body)
