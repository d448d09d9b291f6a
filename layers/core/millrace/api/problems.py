"""The one table from errors to HTTP: status, title, and what of an error's facts a stranger may see.

Bodies follow RFC 9457 (problem details). ``type`` is ``urn:millrace:problem:<code>``; an error's facts become
extension members unless the row says that they stay inside.
"""

from __future__ import annotations

from typing import Any, Final

from msgspec import Struct

from millrace.base import errors

MEDIA_TYPE: Final = "application/problem+json"
TYPE_PREFIX: Final = "urn:millrace:problem:"
_OWN: Final = frozenset({"type", "title", "status", "detail", "code", "hint", "instance", "requestId"})


class Row(Struct, frozen=True):
    """``shown`` is whether the message, hint and facts of the error itself go out."""

    status: int
    title: str
    shown: bool = True


TABLE: Final[dict[type[errors.MillraceError], Row]] = {
    errors.MillraceError: Row(500, "Something went wrong on our side", shown=False),
    errors.UserError: Row(400, "The request cannot be used"),
    errors.InvalidDocument: Row(422, "The document has errors"),
    errors.InvalidInput: Row(422, "The input does not fit"),
    errors.InvalidRequest: Row(400, "The request cannot be understood"),
    errors.MethodNotAllowed: Row(405, "The path has no such method"),
    errors.UnsupportedMedia: Row(415, "The media type is not supported"),
    errors.TooLarge: Row(413, "A size limit was passed"),
    errors.ExpressionError: Row(422, "An expression failed"),
    errors.TransformError: Row(422, "A transform failed"),
    errors.NotFound: Row(404, "There is no such thing"),
    errors.Conflict: Row(409, "The state forbids this"),
    errors.PreconditionFailed: Row(412, "It was changed in the meantime"),
    errors.VersionLabelTaken: Row(409, "The version label is taken"),
    errors.IdempotencyMismatch: Row(422, "The idempotency key was used for another request"),
    errors.IdempotencyPending: Row(409, "The first request with this key is still running"),
    errors.ConditionRefused: Row(409, "It was changed at the same moment", shown=False),
    errors.Denied: Row(403, "Not allowed"),
    errors.Unauthenticated: Row(401, "Who asks is not known"),
    errors.Forbidden: Row(403, "Not allowed"),
    errors.Unavailable: Row(503, "Not available at the moment"),
    errors.Throttled: Row(429, "Too many requests"),
    errors.StoreUnavailable: Row(503, "The store is not available at the moment"),
    errors.OutcomeUnknown: Row(503, "It is not known whether the write happened"),
    errors.Corrupt: Row(500, "Stored data is damaged", shown=False),
    errors.BlobMissing: Row(500, "Stored data is missing", shown=False),
    errors.BlobCorrupt: Row(500, "Stored data is damaged", shown=False),
    errors.FenceLost: Row(503, "Another worker took over", shown=False),
}
_UNKNOWN: Final = Row(500, "Something went wrong on our side", shown=False)
_HINTS: Final = {
    401: "Sign in and send the request again.",
    403: "Ask an administrator for the role.",
    404: "Check the name or id; list what there is.",
    409: "Read the current state and try again.",
    412: "Read it again and send its ETag as If-Match.",
    429: "Wait as long as Retry-After says.",
    503: "Try again in a moment.",
}
"""What to do next, where the error itself does not say it better."""
_HIDDEN: Final = {
    409: ("Another write came first.", "Read the current state and try again."),
    503: ("The request was not completed.", "Try again in a moment."),
    500: ("The request failed for a reason that is not in the request.", "Report the requestId to the operator."),
}


class Problem(Struct, frozen=True):
    status: int
    body: dict[str, Any]
    headers: dict[str, str]


def row_for(error: BaseException) -> Row:
    """The row of the nearest class up the tree; an exception from outside the tree is a 500 that shows nothing."""
    for kind in type(error).__mro__:
        found = TABLE.get(kind)
        if found is not None:
            return found
    return _UNKNOWN


def problem(error: BaseException, *, instance: str, request_id: str) -> Problem:
    """The answer to a request that ended in ``error``. ``instance`` is the request's path."""
    row = row_for(error)
    code = error.code if isinstance(error, errors.MillraceError) else "internal"
    body: dict[str, Any] = {"type": TYPE_PREFIX + code, "title": row.title, "status": row.status, "code": code}
    headers: dict[str, str] = {}
    if isinstance(error, errors.MillraceError) and row.shown:
        body |= {"detail": error.message, "hint": error.hint or _HINTS.get(row.status, "Correct the request.")}
        body |= {name: value for name, value in error.facts.items() if name not in _OWN}
        headers = _headers(error)
    else:
        body["detail"], body["hint"] = _HIDDEN[row.status]
    return Problem(row.status, body | {"instance": instance, "requestId": request_id}, headers)


def _headers(error: errors.MillraceError) -> dict[str, str]:
    if isinstance(error, errors.MethodNotAllowed):
        return {"Allow": ", ".join(error.facts.get("allow", []))}
    if isinstance(error, errors.Unauthenticated):
        return {"WWW-Authenticate": "Bearer"}
    if isinstance(error, errors.Unavailable):
        return {"Retry-After": str(max(1, int(error.facts.get("retryAfter", 1))))}
    return {}
