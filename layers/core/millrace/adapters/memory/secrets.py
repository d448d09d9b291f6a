"""Secrets in memory, for tests and previews."""

from __future__ import annotations

import threading

from millrace.adapters.names import secret_name
from millrace.base.errors import NotFound
from millrace.ports.documents import TenantScope
from millrace.ports.secrets import Secret


class MemorySecrets:
    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._held: dict[tuple[str, str], Secret] = {}

    def get(self, scope: TenantScope, name: str) -> Secret:
        with self._lock:
            found = self._held.get((scope.tenant, secret_name(scope, name)))
        if found is None:
            raise NotFound(f"there is no secret {name!r}", hint="create it, or correct the name")
        return found

    def put(self, scope: TenantScope, name: str, secret: Secret) -> None:
        with self._lock:
            self._held[scope.tenant, secret_name(scope, name)] = secret

    def delete(self, scope: TenantScope, name: str) -> None:
        with self._lock:
            self._held.pop((scope.tenant, secret_name(scope, name)), None)

    def has(self, scope: TenantScope, name: str) -> bool:
        with self._lock:
            return (scope.tenant, secret_name(scope, name)) in self._held

    def names(self, scope: TenantScope) -> list[str]:
        with self._lock:
            return sorted(name for tenant, name in self._held if tenant == scope.tenant)
