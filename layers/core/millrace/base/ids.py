"""Distinct id types, and ids that sort by time and carry their home region.

An id is 26 characters of Crockford base 32 in lower case: 10 of time (48 bits of milliseconds), 2 of region,
14 of randomness (70 bits). Ids made later sort later, to the millisecond; no coordination is needed.
"""

from __future__ import annotations

import hashlib
from typing import Final, NewType

Tenant = NewType("Tenant", str)
ExecutionId = NewType("ExecutionId", str)
TaskPath = NewType("TaskPath", str)
WorkflowName = NewType("WorkflowName", str)
Millis = NewType("Millis", int)
"""Milliseconds since the Unix epoch, UTC."""

ALPHABET: Final = "0123456789abcdefghjkmnpqrstvwxyz"
ID_CHARS: Final = 26


def _base32(number: int, width: int) -> str:
    out = []
    for _ in range(width):
        out.append(ALPHABET[number & 31])
        number >>= 5
    return "".join(reversed(out))


def region_code(region: str) -> str:
    """Two characters for a region name, stable across processes: 10 bits of its SHA-256."""
    return _base32(int.from_bytes(hashlib.sha256(region.encode()).digest()[:2], "big") >> 6, 2)


def make_id(now: int, region: str, randomness: int) -> str:
    """An id from a time in ms, a region name, and 70 random bits (higher bits are cut off)."""
    return _base32(now, 10) + region_code(region) + _base32(randomness, 14)


def idempotency_key(execution: str, path: str) -> str:
    """The key every attempt of one task instance carries, whatever the attempt number."""
    return hashlib.sha256(f"{execution}\n{path}".encode()).hexdigest()[:32]


def lane_name(execution: str, stream: int) -> str:
    """The name of the actor that goes through a part of a large loop of an execution; ``stream`` is that of its log."""
    return f"{execution}.{stream}"


def actor_name(execution: str) -> str:
    """What an actor is called where a name holds letters, digits, ``-`` and ``_`` only: Step Functions takes others
    too, and then writes no log of them."""
    return execution.replace(".", "_")


def root_of(execution: str) -> str:
    """The id of the execution that an actor belongs to: its own, or that of the execution whose lane it is."""
    return execution.partition(".")[0]


def span_id(execution: str, path: str, attempt: int) -> str:
    """The 16 hex digits of an attempt's trace span, the same wherever they are computed."""
    return hashlib.sha256(f"{execution}\n{path}\n{attempt}".encode()).hexdigest()[:16]
