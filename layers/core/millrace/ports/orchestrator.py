"""The Orchestrator port: who calls `advance`, and when.

Nothing here is a promise: a start or wake that is lost is found again by the reconciler, and one that comes
twice is harmless, since the log's fence and the park protocol decide.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from millrace.ports.documents import TenantScope

if TYPE_CHECKING:
    from millrace.engine.events import ExecutionStarted


class Orchestrator(Protocol):
    def begin(self, scope: TenantScope, started: ExecutionStarted, *, short: bool = True) -> None:
        """Begin the first actor of an execution whose log holds ``started`` and nothing else: an actor in this process
        need not read that back. Where there is a cheap kind of actor that lives for a moment only, ``short`` says
        whether this one may be of that kind."""
        ...

    def start(self, scope: TenantScope, execution: str, generation: int, *, short: bool = True) -> None:
        """Begin (or begin again) the actor of an execution, whatever its log holds."""
        ...

    def spread(self, scope: TenantScope, execution: str, first: int, count: int) -> None:
        """Begin the actors of ``count`` lanes of an execution, from log ``first`` on."""
        ...

    def wake(self, scope: TenantScope, execution: str, token: str) -> None:
        """Complete a parked wait. An unknown or expired token is success."""
        ...
