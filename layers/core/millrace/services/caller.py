"""Who asks: made once by the entry wrapper from the request's identity, and an argument of every use case."""

from __future__ import annotations

from msgspec import Struct

from millrace.ports.documents import TenantScope


class Caller(Struct, frozen=True):
    """``principal`` names the person or system; ``roles`` are judged by the entry wrapper's route table;
    ``groups`` are all that the identity names, which approvals ask for."""

    tenant: str
    principal: str
    roles: frozenset[str] = frozenset()
    namespace: str = "default"
    groups: frozenset[str] = frozenset()

    @property
    def scope(self) -> TenantScope:
        return TenantScope(self.tenant)
