"""Secrets in AWS Secrets Manager, one per tenant and name, with the hosts inside the value."""

from __future__ import annotations

import json
import threading
from typing import TYPE_CHECKING, Final

from millrace.adapters.aws import client_errors, judge, unavailable
from millrace.adapters.names import secret_name, segment
from millrace.base.errors import Corrupt, NotFound
from millrace.ports.documents import TenantScope
from millrace.ports.secrets import Secret
from millrace.ports.world import Clock

if TYPE_CHECKING:
    from mypy_boto3_secretsmanager import SecretsManagerClient

TTL_MS: Final = 60_000
_MISSING: Final = "ResourceNotFoundException"
_TAKEN: Final = "ResourceExistsException"
_LEAVING: Final = "InvalidRequestException"
"""Also the answer for a secret that is marked for deletion."""


class ManagedSecrets:
    """Names are ``<prefix>/<tenant>/<name>``. A value read is kept for ``ttl_ms`` by ``clock``, so a change made
    elsewhere is seen that much later; one made through this object at once."""

    def __init__(self, client: SecretsManagerClient, clock: Clock, *, prefix: str, ttl_ms: int = TTL_MS) -> None:
        self._client = client
        self._clock = clock
        self._prefix = prefix
        self._ttl_ms = ttl_ms
        self._lock = threading.Lock()
        self._kept: dict[str, tuple[int, Secret]] = {}

    def _folder(self, scope: TenantScope) -> str:
        # Secrets Manager takes no '%' in a name; '@' is free, since a segment never holds it.
        return f"{self._prefix}/{segment(scope.tenant).replace('%', '@')}/"

    def _name(self, scope: TenantScope, name: str) -> str:
        return self._folder(scope) + secret_name(scope, name)

    def get(self, scope: TenantScope, name: str) -> Secret:
        full, now = self._name(scope, name), self._clock.now()
        with self._lock:
            until, kept = self._kept.get(full, (now, None))
        if kept is not None and now < until:
            return kept
        try:
            text = self._client.get_secret_value(SecretId=full).get("SecretString", "")  # none in one of bytes
        except client_errors() as error:
            self._forget(full)
            if _code(error) in (_MISSING, _LEAVING):
                raise NotFound(f"there is no secret {name!r}", hint="create it, or correct the name") from error
            raise unavailable(error, "reading the secret") from error
        found = _parsed(text, name)
        with self._lock:
            self._kept[full] = (now + self._ttl_ms, found)
        return found

    def put(self, scope: TenantScope, name: str, secret: Secret) -> None:
        full = self._name(scope, name)
        text = json.dumps({"value": secret.value, "hosts": list(secret.hosts)})
        try:
            try:
                self._client.create_secret(Name=full, SecretString=text)
            except client_errors() as error:
                if _code(error) != _TAKEN:
                    raise
                self._client.put_secret_value(SecretId=full, SecretString=text)
        except client_errors() as error:
            raise unavailable(error, "writing the secret") from error
        finally:
            self._forget(full)

    def delete(self, scope: TenantScope, name: str) -> None:
        full = self._name(scope, name)
        try:
            self._client.delete_secret(SecretId=full, ForceDeleteWithoutRecovery=True)
        except client_errors() as error:
            if _code(error) not in (_MISSING, _LEAVING):
                raise unavailable(error, "deleting the secret") from error
        finally:
            self._forget(full)

    def has(self, scope: TenantScope, name: str) -> bool:
        """Describes that one secret: unlike a list, which tells of every secret of the account, this can be permitted
        for our own names only."""
        full = self._name(scope, name)
        try:
            return "DeletedDate" not in self._client.describe_secret(SecretId=full)
        except client_errors() as error:
            if _code(error) == _MISSING:
                return False
            raise unavailable(error, "looking for the secret") from error

    def names(self, scope: TenantScope) -> list[str]:
        folder = self._folder(scope)
        try:
            pages = self._client.get_paginator("list_secrets").paginate(Filters=[{"Key": "name", "Values": [folder]}])
            found = [entry["Name"] for page in pages for entry in page["SecretList"]]
        except client_errors() as error:
            raise unavailable(error, "listing secrets") from error
        # The filter ignores case and is no promise of a prefix.
        return sorted(name.removeprefix(folder) for name in found if name.startswith(folder))

    def _forget(self, full: str) -> None:
        with self._lock:
            self._kept.pop(full, None)


def _code(error: Exception) -> str:
    judged = judge(error)
    return "" if judged is None else judged.code


def _parsed(text: str, name: str) -> Secret:
    try:
        held = json.loads(text)
        return Secret(str(held["value"]), tuple(str(host) for host in held["hosts"]))
    except (ValueError, KeyError, TypeError):
        raise Corrupt(
            f"secret {name!r} is not in our form", hint='store it as {"value": "…", "hosts": ["api.example.com"]}'
        ) from None
