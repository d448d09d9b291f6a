"""Secrets in one encrypted file beside a key file, both readable by their owner only.

Each value is sealed with AES-256-GCM under a fresh 96-bit nonce, with tenant and name as associated data, so that an
entry moved to another name or tenant does not open. The hosts a secret is bound to are sealed with its value. The key
lies on the same disk: this protects copies of the data folder made without the key, not against its owner's account.
"""

from __future__ import annotations

import base64
import json
import os
import threading
from pathlib import Path
from typing import Final

from millrace.adapters.files import durable
from millrace.adapters.names import secret_name
from millrace.base.errors import Conflict, Corrupt, NotFound, StoreUnavailable
from millrace.ports.documents import TenantScope
from millrace.ports.secrets import Secret

KEY_NAME: Final = "secrets.key"
FILE_NAME: Final = "secrets.json"
KEY_BYTES: Final = 32
NONCE_BYTES: Final = 12

Sealed = dict[str, dict[str, str]]


def _bound(tenant: str, name: str) -> bytes:
    return json.dumps(["millrace-secret", 1, tenant, name]).encode()


class FileSecrets:
    """In ``folder``; the key is made at the first `put`. Raises Corrupt when an entry does not open or the key is
    gone, Conflict when others may read the key."""

    def __init__(self, folder: Path) -> None:
        self._key_path = Path(folder) / KEY_NAME
        self._path = Path(folder) / FILE_NAME
        self._lock = threading.Lock()

    def get(self, scope: TenantScope, name: str) -> Secret:
        from cryptography.exceptions import InvalidTag
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        sealed = self._load().get(scope.tenant, {}).get(secret_name(scope, name))
        if sealed is None:
            raise NotFound(f"there is no secret {name!r}", hint="create it, or correct the name")
        try:
            raw = base64.b64decode(sealed, validate=True)
            opened = AESGCM(self._key()).decrypt(raw[:NONCE_BYTES], raw[NONCE_BYTES:], _bound(scope.tenant, name))
        except (InvalidTag, ValueError):
            raise Corrupt(
                f"secret {name!r} does not open with this key",
                hint=f"put back the {KEY_NAME} it was made with, or put the secret again",
            ) from None
        held = json.loads(opened)
        return Secret(held["value"], tuple(held["hosts"]))

    def put(self, scope: TenantScope, name: str, secret: Secret) -> None:
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        secret_name(scope, name)
        text = json.dumps({"value": secret.value, "hosts": list(secret.hosts)}).encode()
        with self._lock:
            held = self._load()
            key = self._key() if self._key_path.exists() or held else self._new_key()
            nonce = os.urandom(NONCE_BYTES)
            sealed = nonce + AESGCM(key).encrypt(nonce, text, _bound(scope.tenant, name))
            held.setdefault(scope.tenant, {})[name] = base64.b64encode(sealed).decode()
            self._store(held)

    def delete(self, scope: TenantScope, name: str) -> None:
        secret_name(scope, name)
        with self._lock:
            held = self._load()
            if held.get(scope.tenant, {}).pop(name, None) is not None:
                self._store(held)

    def has(self, scope: TenantScope, name: str) -> bool:
        return secret_name(scope, name) in self._load().get(scope.tenant, {})

    def names(self, scope: TenantScope) -> list[str]:
        return sorted(self._load().get(scope.tenant, {}))

    def _load(self) -> Sealed:
        try:
            held = json.loads(self._path.read_bytes())
        except FileNotFoundError:
            return {}
        except ValueError:
            held = None
        except OSError as error:
            raise StoreUnavailable(f"{self._path} cannot be read: {error.strerror}") from error
        if not isinstance(held, dict) or not isinstance(held.get("secrets"), dict):
            raise Corrupt(f"{self._path} is damaged", hint="put back a copy, or remove it and put the secrets again")
        sealed: Sealed = held["secrets"]
        return sealed

    def _store(self, held: Sealed) -> None:
        text = json.dumps({"version": 1, "secrets": held}, indent=1, sort_keys=True)
        self._write(self._path, text.encode())

    def _write(self, path: Path, data: bytes) -> None:
        try:
            durable.make_folder(path.parent, sync=True)
            durable.write(path, data)
        except OSError as error:
            raise StoreUnavailable(f"{path} cannot be written: {error.strerror}") from error

    def _new_key(self) -> bytes:
        key = os.urandom(KEY_BYTES)
        self._write(self._key_path, key)
        return key

    def _key(self) -> bytes:
        try:
            mode = self._key_path.stat().st_mode
            key = self._key_path.read_bytes()
        except FileNotFoundError:
            raise Corrupt(
                f"{self._key_path} is missing, so stored secrets cannot be opened",
                hint=f"put the key file back, or remove {FILE_NAME} and put the secrets again",
            ) from None
        except OSError as error:
            raise StoreUnavailable(f"{self._key_path} cannot be read: {error.strerror}") from error
        if mode & 0o077:
            raise Conflict(f"others may read {self._key_path}", hint=f"run: chmod 600 {self._key_path}")
        if len(key) != KEY_BYTES:
            raise Corrupt(f"{self._key_path} holds {len(key)} bytes instead of {KEY_BYTES}", hint="put back a copy")
        return key
