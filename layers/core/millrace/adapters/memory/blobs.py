"""Blobs in memory, for tests and the simulator."""

from __future__ import annotations

import threading
from collections.abc import Iterator

from millrace.adapters.names import blob_parts
from millrace.base.errors import BlobMissing
from millrace.ports.documents import TenantScope


class MemoryBlobs:
    """``puts`` counts writes."""

    def __init__(self) -> None:
        self.puts = 0
        self._lock = threading.Lock()
        self._held: dict[tuple[str, ...], bytes] = {}

    def clone(self) -> MemoryBlobs:
        out = MemoryBlobs()
        out.restore(self)
        return out

    def restore(self, other: MemoryBlobs) -> None:
        """Becomes a copy of ``other``."""
        with self._lock, other._lock:
            self._held = dict(other._held)
            self.puts = other.puts

    def put(self, scope: TenantScope, key: tuple[str, ...], data: bytes) -> None:
        parts = blob_parts(scope, key)
        with self._lock:
            self._held[parts] = bytes(data)
            self.puts += 1

    def get(self, scope: TenantScope, key: tuple[str, ...]) -> bytes:
        with self._lock:
            found = self._held.get(blob_parts(scope, key))
        if found is None:
            raise BlobMissing("the blob is not in the store", facts={"key": list(key)})
        return found

    def delete_prefix(self, scope: TenantScope, prefix: tuple[str, ...]) -> int:
        start = blob_parts(scope, prefix, whole=False)
        with self._lock:
            gone = [parts for parts in self._held if parts[: len(start)] == start]
            for parts in gone:
                del self._held[parts]
        return len(gone)

    def keys(self, scope: TenantScope, prefix: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
        start = blob_parts(scope, prefix, whole=False)
        with self._lock:
            found = sorted(parts[1:] for parts in self._held if parts[: len(start)] == start)
        return iter(found)
