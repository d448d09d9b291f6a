"""The Blobs port: whole byte strings under tenant-scoped keys.

`put` returns only when the bytes are durable (file and directory synced locally), so that a log entry written
afterwards may refer to them. Keys begin with tenant and execution, so that retention and erasure delete by prefix.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol, runtime_checkable

from millrace.ports.documents import TenantScope


class Blobs(Protocol):
    def put(self, scope: TenantScope, key: tuple[str, ...], data: bytes) -> None:
        """Writes, or replaces with, ``data``. Raises StoreUnavailable."""
        ...

    def get(self, scope: TenantScope, key: tuple[str, ...]) -> bytes:
        """Raises BlobMissing. Hashes are checked by the caller, who knows them."""
        ...

    def delete_prefix(self, scope: TenantScope, prefix: tuple[str, ...]) -> int:
        """Deletes every blob whose key begins with these whole parts; answers how many."""
        ...

    def keys(self, scope: TenantScope, prefix: tuple[str, ...]) -> Iterator[tuple[str, ...]]: ...


@runtime_checkable
class Located(Protocol):
    """Blobs that services beside ours can read by an address of their own."""

    def where(self, scope: TenantScope, key: tuple[str, ...]) -> tuple[str, str]:
        """Bucket and object name of a key."""
        ...
