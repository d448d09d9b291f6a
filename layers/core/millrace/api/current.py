"""The request being answered, held in a ContextVar.

Handlers run concurrently in local mode, and the resolver library keeps its current event on a shared class
attribute; everything that belongs to one request lives here instead, so no thread can see another's caller.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Final, Literal

from msgspec import Struct, field

from millrace.services.caller import Caller

Media = Literal["json", "yaml"]


class Request(Struct):
    """One request, filled in by the entry wrapper step by step.

    ``query`` has one value per name; ``headers`` are keyed in lower case; ``raw`` is the body as sent (decoded
    from base64), ``body`` its parsed value or None; ``template`` is the route's path with ``<name>`` parts.
    ``scratch`` is the resolver's own per-request dictionary.
    """

    method: str
    path: str
    request_id: str
    event: Mapping[str, Any]
    lambda_context: Any = None
    query: dict[str, str] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)
    raw: bytes = b""
    media: Media = "json"
    body: Any = None
    template: str = ""
    arguments: dict[str, str] = field(default_factory=dict)
    caller: Caller | None = None
    scratch: dict[str, Any] = field(default_factory=dict)


_CURRENT: Final[ContextVar[Request]] = ContextVar("millrace_request")


@contextmanager
def serving(request: Request) -> Iterator[None]:
    """Makes ``request`` the current one for the duration of the block, in this context only."""
    token = _CURRENT.set(request)
    try:
        yield
    finally:
        _CURRENT.reset(token)


def request() -> Request:
    """The current request. Raises LookupError outside of one, which is a programming error."""
    return _CURRENT.get()


def current_or_none() -> Request | None:
    return _CURRENT.get(None)


def caller() -> Caller:
    """Who asks. Handlers run after authentication, so there always is one."""
    found = request().caller
    if found is None:
        raise LookupError("the request has not been authenticated")
    return found
