"""The Functions port: code that somebody else wrote and deployed, called by name with bytes of JSON."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from msgspec import Struct, field


class Invocation(Struct, frozen=True):
    """``function`` is a name or ARN, with ``:alias`` where wanted. ``payload`` is JSON. ``wait`` says whether the
    answer is wanted; otherwise the call is over when it has been accepted. ``context`` is what the function finds as
    ``context.client_context.custom``; a function that nobody waits for may not be given it."""

    function: str
    payload: bytes
    wait: bool = True
    context: Mapping[str, str] = field(default_factory=dict)
    timeout_ms: int = 60_000


class Returned(Struct, frozen=True):
    """``payload`` is what the function gave back, empty when nobody waited. ``failed`` says that it is an error of the
    function: JSON with ``errorType`` and ``errorMessage``. ``version`` is the version that ran, where known."""

    payload: bytes = b""
    failed: bool = False
    version: str = ""


class Functions(Protocol):
    def invoke(self, invocation: Invocation) -> Returned:
        """Blocks until there is an answer. May be called from many threads at once.

        Raises NotFound, Forbidden, TooLarge and InvalidRequest about the call, which then has had no effect; Throttled
        and StoreUnavailable when it certainly did not happen and may be tried again; OutcomeUnknown when it may have
        happened.
        """
        ...
