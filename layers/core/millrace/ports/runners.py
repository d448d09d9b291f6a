"""What the driver asks of a task type, and what it gets back.

A runner performs one attempt of one effectful task. It raises nothing but `TaskFailed`; everything it saw is in
the record it returns or raises.
"""

from __future__ import annotations

from typing import Any, Literal, Protocol

from msgspec import Struct, field

Effect = Literal["pure", "read", "write", "unknown"]


class Failure(Struct, frozen=True):
    """``kind`` is what `retryOn` matches: ``timeout``, ``network``, ``http``, ``schema``, ``blocked``,
    ``too-large``, ``driver_crash``, ``expression``, ``task``, ``cancelled``. ``code`` is finer: an HTTP status
    as text, or a slug. ``retry_after_ms`` is what the other side asked for."""

    kind: str
    code: str
    message: str
    retryable: bool
    hint: str = ""
    details: dict[str, Any] = field(default_factory=dict)
    retry_after_ms: int | None = None


class Usage(Struct, frozen=True):
    """What one attempt used. Bytes are of bodies on the wire; ``cost`` is a decimal string."""

    provider: str = ""
    host: str = ""
    operation: str = ""
    connector: str = ""
    requests: int = 0
    bytes_out: int = 0
    bytes_in: int = 0
    tokens_out: int = 0
    tokens_in: int = 0
    model: str = ""
    latency_ms: int = 0
    cost: str = ""
    price_id: str = ""


class Exchange(Struct, frozen=True):
    """One HTTP exchange at the boundary, already redacted. Bodies are stored by reference by the driver."""

    method: str
    url: str
    request_headers: tuple[tuple[str, str], ...] = ()
    request_body: bytes = b""
    status: int = 0
    response_headers: tuple[tuple[str, str], ...] = ()
    response_body: bytes = b""
    redirects: tuple[str, ...] = ()
    peer: str = ""


class Attempt(Struct, frozen=True):
    """One attempt to perform. ``config`` is the rendered type-specific block (for http: the request), in which
    secrets are `millrace.expr.SecretText`; ``input`` is the rendered task input. ``deadline_ms`` is how long this
    attempt may take."""

    tenant: str
    execution: str
    path: str
    number: int
    type: str
    config: Any
    input: Any
    idempotency_key: str
    deadline_ms: int
    traceparent: str = ""


class Outcome(Struct, frozen=True):
    output: Any
    usage: Usage = Usage()
    exchange: Exchange | None = None


class TaskFailed(Exception):
    """An attempt failed; ``failure`` says how."""

    def __init__(self, failure: Failure, *, usage: Usage = Usage(), exchange: Exchange | None = None) -> None:
        super().__init__(f"{failure.kind}/{failure.code}: {failure.message}")
        self.failure = failure
        self.usage = usage
        self.exchange = exchange


class Runner(Protocol):
    type: str
    effect: Effect

    async def run(self, attempt: Attempt) -> Outcome: ...
