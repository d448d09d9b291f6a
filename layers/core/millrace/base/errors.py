"""Every error Millrace raises on purpose, sorted by what the caller can do about it.

    MillraceError
    ├── UserError            change the request and send it again
    │   ├── InvalidDocument  a workflow or task document has findings of severity error
    │   ├── InvalidInput     an execution input does not fit its schema
    │   ├── InvalidRequest   anything else about the request
    │   ├── MethodNotAllowed the path exists, the method does not
    │   ├── UnsupportedMedia the body's media type is not one we read
    │   ├── TooLarge         a limit on size was passed
    │   ├── ExpressionError  an expression cannot be compiled or evaluated
    │   └── TransformError   a transform step cannot be applied
    ├── NotFound             there is no such thing for this tenant
    ├── Conflict             the state of the thing forbids this; read it again
    │   ├── PreconditionFailed   If-Match named another revision
    │   ├── VersionLabelTaken    a version label already names other content
    │   ├── IdempotencyMismatch  the key was used with another body
    │   ├── IdempotencyPending   the first request with this key has not ended
    │   └── ConditionRefused     a conditional write was refused (internal)
    ├── Denied               the caller may not do this
    │   ├── Unauthenticated
    │   └── Forbidden
    ├── Unavailable          nothing is wrong with the request; try again later
    │   ├── Throttled
    │   ├── StoreUnavailable     the write certainly did not happen
    │   └── OutcomeUnknown       the write may have happened
    ├── Corrupt              stored data is missing or does not match its hash
    │   ├── BlobMissing
    │   └── BlobCorrupt
    └── FenceLost            another driver owns this log now (internal)

HTTP status codes live in one place only: ``millrace.api.problems``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar


class MillraceError(Exception):
    """Base of the tree. Carries a stable slug, a sentence, a hint and facts.

    ``code`` is kebab-case and documented; ``hint`` says what to do next; ``facts`` are JSON values.
    """

    code: ClassVar[str] = "error"

    def __init__(self, message: str, *, hint: str = "", facts: Mapping[str, Any] | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.facts: dict[str, Any] = dict(facts or {})


class UserError(MillraceError):
    code = "user-error"


class InvalidDocument(UserError):
    """``facts['findings']`` is the list of findings as JSON objects."""

    code = "invalid-document"


class InvalidInput(UserError):
    """``facts`` holds ``missingInputs``, ``invalidInputs`` and ``suggestedPrompt``."""

    code = "invalid-input"


class InvalidRequest(UserError):
    code = "invalid-request"


class MethodNotAllowed(UserError):
    """``facts['allow']`` is the list of methods that the path has."""

    code = "method-not-allowed"


class UnsupportedMedia(UserError):
    code = "unsupported-media-type"


class TooLarge(UserError):
    """``facts`` holds ``limit`` and ``size``, both in bytes unless ``unit`` says otherwise."""

    code = "too-large"


class ExpressionError(UserError):
    """``facts`` holds ``source``, ``offset`` and ``length`` (characters), and what was read."""

    code = "expression-error"


class TransformError(UserError):
    """``facts`` holds ``step`` (index), ``op`` and where known ``item`` (index)."""

    code = "transform-error"


class NotFound(MillraceError):
    code = "not-found"


class Conflict(MillraceError):
    code = "conflict"


class PreconditionFailed(Conflict):
    code = "precondition-failed"


class VersionLabelTaken(Conflict):
    code = "version-label-taken"


class IdempotencyMismatch(Conflict):
    code = "idempotency-mismatch"


class IdempotencyPending(Conflict):
    code = "idempotency-pending"


class ConditionRefused(Conflict):
    """A conditional write was refused. ``index`` is the position of the refused operation."""

    code = "condition-refused"

    def __init__(self, message: str, *, index: int = 0, **kw: Any) -> None:
        super().__init__(message, **kw)
        self.index = index


class Denied(MillraceError):
    code = "denied"


class Unauthenticated(Denied):
    code = "unauthenticated"


class Forbidden(Denied):
    code = "forbidden"


class Unavailable(MillraceError):
    code = "unavailable"


class Throttled(Unavailable):
    """``facts['retryAfter']`` is in seconds."""

    code = "throttled"


class StoreUnavailable(Unavailable):
    code = "store-unavailable"


class OutcomeUnknown(Unavailable):
    code = "outcome-unknown"


class Corrupt(MillraceError):
    code = "corrupt"


class BlobMissing(Corrupt):
    code = "blob-missing"


class BlobCorrupt(Corrupt):
    code = "blob-corrupt"


class FenceLost(MillraceError):
    code = "fence-lost"
