"""Blobs as files: one folder per key part, below one folder per tenant.

A blob's file name ends with ``~``, which no encoded part can hold, so that a key may also be the prefix of another.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from millrace.adapters.files import durable
from millrace.adapters.names import blob_parts, part, segment
from millrace.base.errors import BlobMissing, StoreUnavailable
from millrace.ports.documents import TenantScope

_LEAF: Final = "~"
_PUT_ATTEMPTS: Final = 20
"""A delete may remove an empty folder between our making it and our writing into it."""


class DirectoryBlobs:
    """Below ``folder``. ``sync=False`` leaves syncing to the operating system (survives the end of the process)."""

    def __init__(self, folder: Path, *, sync: bool = True) -> None:
        self._folder = Path(folder)
        self._sync = sync

    def _path(self, parts: tuple[str, ...]) -> Path:
        return self._folder.joinpath(*[segment(part) for part in parts])

    def _leaf(self, parts: tuple[str, ...]) -> Path:
        path = self._path(parts)
        return path.with_name(path.name + _LEAF)

    def put(self, scope: TenantScope, key: tuple[str, ...], data: bytes) -> None:
        path = self._leaf(blob_parts(scope, key))
        for _ in range(_PUT_ATTEMPTS):
            try:
                durable.make_folder(path.parent, sync=self._sync)
                durable.write(path, data, sync=self._sync)
            except FileNotFoundError:
                continue
            except OSError as error:
                raise StoreUnavailable(f"the blob cannot be written: {error.strerror}") from error
            return
        raise StoreUnavailable("the blob cannot be written: its folder keeps vanishing")

    def get(self, scope: TenantScope, key: tuple[str, ...]) -> bytes:
        try:
            return self._leaf(blob_parts(scope, key)).read_bytes()
        except FileNotFoundError:
            raise BlobMissing("the blob is not in the store", facts={"key": list(key)}) from None
        except OSError as error:
            raise StoreUnavailable(f"the blob cannot be read: {error.strerror}") from error

    def delete_prefix(self, scope: TenantScope, prefix: tuple[str, ...]) -> int:
        parts = blob_parts(scope, prefix, whole=False)
        gone = 0
        try:
            leaf = self._leaf(parts)
            if leaf.is_file():
                leaf.unlink(missing_ok=True)
                gone += 1
            for folder, _, files in os.walk(self._path(parts), topdown=False):
                for name in files:
                    Path(folder, name).unlink(missing_ok=True)
                    gone += name.endswith(_LEAF)
                _remove_if_empty(Path(folder))
            if self._sync and leaf.parent.is_dir():
                durable.sync_folder(leaf.parent)
        except OSError as error:
            raise StoreUnavailable(f"blobs cannot be deleted: {error.strerror}") from error
        return gone

    def keys(self, scope: TenantScope, prefix: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
        parts = blob_parts(scope, prefix, whole=False)
        found = [parts[1:]] if len(parts) > 1 and self._leaf(parts).is_file() else []
        base = self._folder / segment(parts[0])
        for folder, _, files in os.walk(self._path(parts)):
            above = [part(name) for name in Path(folder).relative_to(base).parts]
            found += [(*above, part(name.removesuffix(_LEAF))) for name in files if name.endswith(_LEAF)]
        return iter(sorted(found))


def _remove_if_empty(folder: Path) -> None:
    try:
        folder.rmdir()
    except OSError:
        if folder.is_dir() and not any(folder.iterdir()):
            raise
