"""What one attempt used, and what went over the wire: the records inside the event of its result."""

from __future__ import annotations

import msgspec

from millrace.engine.values import Value


class UsageRecord(msgspec.Struct, frozen=True, omit_defaults=True):
    """`millrace.ports.runners.Usage` as stored."""

    provider: str = ""
    """Whom it was used of."""
    host: str = ""
    """The host that was called."""
    operation: str = ""
    """What was called, such as the method."""
    connector: str = ""
    """The connector and its version."""
    requests: int = 0
    """How many requests."""
    bytes_out: int = 0
    """Bytes of bodies sent."""
    bytes_in: int = 0
    """Bytes of bodies received."""
    tokens_out: int = 0
    """Tokens that a model made."""
    tokens_in: int = 0
    """Tokens that a model read."""
    model: str = ""
    """The model."""
    latency_ms: int = 0
    """How long it took."""
    cost: str = ""
    """Money, as a decimal string."""
    price_id: str = ""
    """The price that the cost was computed with."""


class ExchangeRecord(msgspec.Struct, frozen=True, omit_defaults=True):
    """`millrace.ports.runners.Exchange` as stored. Bodies are Values of a text, or of ``{"base64": …}``."""

    method: str
    """The method."""
    url: str
    """The URL, redacted."""
    status: int = 0
    """The status; 0 when there was no answer."""
    request_headers: tuple[tuple[str, str], ...] = ()
    """Headers sent, redacted."""
    response_headers: tuple[tuple[str, str], ...] = ()
    """Headers received, redacted."""
    request_body: Value | None = None
    """The body sent, capped."""
    response_body: Value | None = None
    """The body received, capped."""
    redirects: tuple[str, ...] = ()
    """Where redirects led, in order."""
    peer: str = ""
    """Address and port that were connected to."""
