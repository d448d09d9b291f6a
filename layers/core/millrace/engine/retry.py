"""Whether a failed attempt is tried again, and when. Pure: chance comes from the execution's recorded seed.

Backoff with full jitter draws uniformly from [0, delay] (M. Brooker, "Exponential Backoff and Jitter", AWS
Architecture Blog, 2015); equal jitter from [delay/2, delay].
"""

from __future__ import annotations

import hashlib

from millrace.engine.events import Failure
from millrace.engine.plan import RetryPolicy


def matches(policy: RetryPolicy, failure: Failure) -> bool:
    """Whether the policy's ``retryOn`` names this failure; without ``retryOn``, whether it is retryable by kind.

    An entry is a failure kind (``timeout``), a code (``429``), a class of status codes (``5xx``) or ``*``. What
    ``retryOn`` names is retried even if it is not retryable by default, except failures that repetition cannot
    change (`PERMANENT`).
    """
    if failure.kind in PERMANENT:
        return False
    if not policy.retry_on:
        return failure.retryable
    code = failure.code
    status_class = code[0] + "xx" if len(code) == 3 and code.isdigit() else None
    return any(entry in ("*", failure.kind, code) or entry == status_class for entry in policy.retry_on)


PERMANENT = frozenset({"schema", "too-large", "expression", "blocked", "cancelled", "input"})
"""Kinds that are deterministic: exactly one attempt."""


def backoff_ms(policy: RetryPolicy, attempt: int) -> int:
    """The delay in ms after failed attempt number ``attempt`` (from 1), before jitter, capped by the policy."""
    if policy.strategy == "constant":
        delay: float = policy.interval_ms
    elif policy.strategy == "linear":
        delay = policy.interval_ms * attempt
    else:
        # Beyond 2**63 the cap decides anyway; the exponent is bounded so that the power stays a finite float.
        delay = policy.interval_ms * policy.multiplier ** min(attempt - 1, 63)
    return int(min(delay, policy.max_interval_ms))


def unit(seed: int, path: str, attempt: int) -> float:
    """A number in [0, 1) drawn from the seed for one attempt: the same wherever it is drawn."""
    digest = hashlib.sha256(f"{seed}\n{path}\n{attempt}".encode()).digest()
    return int.from_bytes(digest[:7], "big") / (1 << 56)


def delay_ms(policy: RetryPolicy, *, attempt: int, seed: int, path: str, failure: Failure | None) -> int:
    """The delay in ms before the attempt after ``attempt``, with jitter; never below what Retry-After asked for."""
    delay = backoff_ms(policy, attempt)
    if policy.jitter == "full":
        delay = int(delay * unit(seed, path, attempt))
    elif policy.jitter == "equal":
        delay = delay // 2 + int((delay - delay // 2) * unit(seed, path, attempt))
    if failure is not None and failure.retry_after_ms is not None and policy.respect_retry_after:
        delay = max(delay, failure.retry_after_ms)
    return delay
