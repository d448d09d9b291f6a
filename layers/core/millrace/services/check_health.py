"""Liveness, and whether the store answers. Says nothing that a stranger should not know."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version
from typing import Any

from millrace.base.errors import Unavailable
from millrace.ports.documents import Key, Table, TenantScope
from millrace.services.platform import Platform


def check_health(platform: Platform) -> dict[str, Any]:
    """``{status: ok | degraded, version, checks: {store: ok | unavailable}}``; one consistent read of the store."""
    try:
        platform.documents.get(TenantScope("health"), Key(Table.DEFINITIONS, ("health",), "probe"))
        store = "ok"
    except Unavailable:
        store = "unavailable"
    return {
        "status": "ok" if store == "ok" else "degraded",
        "version": release(),
        "checks": {"store": store},
    }


def release() -> str:
    """The installed version; ``0`` where the package runs without its metadata, as in a Lambda layer."""
    try:
        return version("millrace")
    except PackageNotFoundError:
        return "0"
