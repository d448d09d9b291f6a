"""What stands around one attempt: whether its circuit breaker lets it through, and whether its failure may be retried.

Both look at what other executions have seen, so both are asked here and never by `decide`: the answer becomes part of
the attempt's result, and a replay reads it there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from msgspec import Struct, field

from millrace.driver.breakers import BreakerKey, Breakers, Permit
from millrace.driver.budgets import RETRY, SUCCESS, TIMEOUT_RETRY, BudgetKey, RetryBudgets
from millrace.engine.breaker import Refused, Verdict
from millrace.engine.events import Failure as EventFailure
from millrace.engine.plan import Node
from millrace.engine.retry import matches
from millrace.ports.documents import TenantScope
from millrace.ports.runners import Attempt, Failure, Outcome, TaskFailed

if TYPE_CHECKING:
    from millrace.driver.world import DriverWorld

_PORTS: Final = {"http": 80, "https": 443}
HOST_CHARS: Final = 253
"""The longest name that DNS has (RFC 1035); what is longer is called nowhere."""
_UNWELL: Final = frozenset({"408", "429"})
_ANSWERED: Final = frozenset({"http", "schema", "too-large"})


class Guards(Struct):
    """The guards of one process, shared by all its executions."""

    breakers: Breakers = field(default_factory=Breakers)
    budgets: RetryBudgets = field(default_factory=RetryBudgets)

    async def settle(self, world: DriverWorld) -> None:
        """Tell the store what must not be lost when this process is frozen."""
        await self.breakers.settle(world)
        await self.budgets.settle(world)


class Guard(Struct):
    """The guards of one attempt. ``trail`` is what they decided, in their order."""

    world: DriverWorld
    namespace: str
    node: Node
    attempt: Attempt
    trail: list[str] = field(default_factory=list)
    permit: Permit | None = None

    async def enter(self) -> TaskFailed | None:
        """Ask the breaker. A refusal is the attempt's result."""
        policy, attempt = self.node.breaker, self.attempt
        name = "" if policy is None else policy.name or _named(host_of(attempt.config))
        if policy is None or not name:
            return None
        key = BreakerKey(TenantScope(attempt.tenant), self.namespace, name)
        caller = f"{attempt.execution}/{attempt.path}#{attempt.number}"
        found = await self.world.guards.breakers.admit(
            self.world, key, policy, caller=caller, limit_ms=attempt.deadline_ms
        )
        self.trail.append(found.trail)
        if isinstance(found, Refused):
            return TaskFailed(_circuit_open(name, found, self.world.clock.now()))
        self.permit = found
        return None

    async def leave(self, outcome: Outcome | TaskFailed) -> str:
        """Tell what came of it; answers why it may not be retried, empty where nothing is against that."""
        await self._report(verdict_of(outcome))
        host = host_of(self.attempt.config)
        if not host or not self.world.retry_budget:
            return ""
        budgets = self.world.guards.budgets
        key = BudgetKey(TenantScope(self.attempt.tenant), self.namespace, host)
        if isinstance(outcome, Outcome):
            budgets.give(self.world, key, tokens=SUCCESS if self.attempt.number == 1 else RETRY)
            return ""
        failure, policy = outcome.failure, self.node.retry
        if self.attempt.number >= policy.max_attempts or not matches(policy, _seen(failure)):
            return ""
        if await budgets.take(self.world, key, tokens=TIMEOUT_RETRY if failure.kind == "timeout" else RETRY):
            return ""
        return f"budget of {host} spent"

    async def interrupted(self, *, overdue: bool) -> None:
        """The attempt was stopped: because its task took too long, which tells of the service, or for other reasons."""
        await self._report("failure" if overdue else None)

    async def _report(self, verdict: Verdict | None) -> None:
        permit, self.permit = self.permit, None
        if permit is not None:
            await self.world.guards.breakers.report(self.world, permit, verdict)


def verdict_of(outcome: Outcome | TaskFailed) -> Verdict | None:
    """What a result says about the service that was called.

    Failures are timeouts, network errors, HTTP 5xx, 408 and 429, and failures that a service of another kind reports.
    Any other answer shows a service that works. What never reached it says nothing."""
    if isinstance(outcome, Outcome):
        return "success"
    kind, code = outcome.failure.kind, outcome.failure.code
    if kind in ("timeout", "network"):
        return "failure"
    if kind == "http" and (code in _UNWELL or (len(code) == 3 and code[0] == "5")):
        return "failure"
    if kind == "task" and code != "runner-error":
        return "failure"
    return "success" if kind in _ANSWERED else None


def host_of(config: Any) -> str:
    """``host:port`` that a configuration with a url calls, in lower case; empty where there is none."""
    url = config.get("url") if isinstance(config, dict) else None
    if not isinstance(url, str):
        return ""
    try:
        parts = urlsplit(url)
        port = parts.port or _PORTS.get(parts.scheme)
    except ValueError:
        return ""
    host = parts.hostname or ""
    return f"{host}:{port}" if port and host.isascii() and 0 < len(host) <= HOST_CHARS else ""


def _named(host: str) -> str:
    return f"host~{host.replace(':', '~')}" if host else ""


def _circuit_open(name: str, refused: Refused, now: int) -> Failure:
    wait = None if refused.retry_at is None else max(refused.retry_at - now, 0)
    again = "until an operator closes it" if wait is None else "at the moment"
    return Failure(
        "circuit_open",
        "circuit-open",
        f"The attempt was not made: the circuit breaker {name} does not let it through {again}.",
        retryable=False,
        hint="Name circuit_open in retryOn to wait for it, or give the task a fallback.",
        details={"breaker": name, "decision": refused.trail},
        retry_after_ms=wait,
    )


def _seen(failure: Failure) -> EventFailure:
    return EventFailure(kind=failure.kind, code=failure.code, message="", retryable=failure.retryable)
