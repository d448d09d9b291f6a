"""Secret references replaced by values at the moment of the call, and only for hosts they are bound to."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from concurrent.futures import Executor
from typing import Any

from millrace.adapters.http.refusals import Refused, blocked, invalid
from millrace.base.errors import MillraceError, NotFound
from millrace.expr.secrets import SecretRef, SecretText
from millrace.ports.documents import TenantScope
from millrace.ports.runners import Failure
from millrace.ports.secrets import Secret, Secrets


def secret_names(value: Any) -> set[str]:
    """Every secret that a rendered value refers to, at any depth."""
    if isinstance(value, SecretText):
        return set(value.names)
    if isinstance(value, SecretRef):
        return {value.name}
    inner: Iterable[Any] = ()
    if isinstance(value, dict):
        inner = value.values()
    elif isinstance(value, list | tuple):
        inner = value
    return set().union(*map(secret_names, inner))


def fill(value: Any, secrets: Mapping[str, str]) -> Any:
    """The value with every secret text as plain text. Does not change its argument."""
    if isinstance(value, SecretText):
        return "".join(part if isinstance(part, str) else secrets[part.name] for part in value.parts)
    if isinstance(value, SecretRef):
        return secrets[value.name]
    if isinstance(value, dict):
        return {key: fill(item, secrets) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [fill(item, secrets) for item in value]
    return value


async def fetch(store: Secrets, tenant: str, names: Iterable[str], executor: Executor | None) -> dict[str, Secret]:
    """The secrets by name, read on a thread of ``executor`` (None: the loop's own), since the port blocks.
    Raises Refused: code ``secret-missing``, or ``secret-store`` (retryable) when the store does not answer."""
    loop = asyncio.get_running_loop()
    found = {}
    for name in sorted(names):
        try:
            found[name] = await loop.run_in_executor(executor, store.get, TenantScope(tenant), name)
        except NotFound:
            raise invalid(
                "secret-missing", f"there is no secret named {name}", "Create it, or correct the name."
            ) from None
        except MillraceError as error:
            failure = Failure("task", "secret-store", f"the secret {name} could not be read: {error.code}", True)
            raise Refused(failure) from None
    return found


def check_host(secrets: Mapping[str, Secret], names: Iterable[str], host: str) -> None:
    """Raises Refused, ``blocked``/``secret-host``, unless every named secret may be sent to ``host``."""
    for name in sorted(names):
        if not any(_matches(pattern.lower(), host) for pattern in secrets[name].hosts):
            raise blocked(
                "secret-host",
                f"the secret {name} is not bound to the host {host}",
                f"Bind it to {host}, or call a host that it is bound to.",
                secret=name,
                host=host,
            )


def _matches(pattern: str, host: str) -> bool:
    """``*.suffix`` matches any name below the suffix, not the suffix itself."""
    if pattern.startswith("*."):
        return host.endswith(pattern[1:]) and len(host) > len(pattern) - 1
    return pattern == host
