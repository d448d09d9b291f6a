"""The Secrets port: named values bound to the hosts they may be sent to."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from millrace.ports.documents import TenantScope


@dataclass(frozen=True, slots=True)
class Secret:
    """``hosts`` are exact names or ``*.suffix`` patterns; empty means that it may be sent nowhere."""

    value: str = field(repr=False)
    hosts: tuple[str, ...] = ()


class Secrets(Protocol):
    def get(self, scope: TenantScope, name: str) -> Secret:
        """Raises NotFound."""
        ...

    def put(self, scope: TenantScope, name: str, secret: Secret) -> None: ...

    def delete(self, scope: TenantScope, name: str) -> None: ...

    def has(self, scope: TenantScope, name: str) -> bool:
        """Whether there is one of that name; asks for no value, and for no other name."""
        ...

    def names(self, scope: TenantScope) -> list[str]: ...
