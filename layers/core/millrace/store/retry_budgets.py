"""Retry budgets as stored: one item per namespace and host, with how many tokens are used and since when."""

from __future__ import annotations

from msgspec import Struct

from millrace.ports.documents import Check, Documents, Key, Table, TenantScope, Update


class Used(Struct, frozen=True):
    """``tokens`` taken and not given back, as of ``at`` (ms); ``version`` counts the writes."""

    tokens: int = 0
    at: int = 0
    version: int = 0


def budget_key(namespace: str, host: str) -> Key:
    return Key(Table.HISTORY, ("retryBudget", namespace), host)


def read_used(documents: Documents, scope: TenantScope, namespace: str, host: str) -> Used:
    """What nobody has taken from is full."""
    item = documents.get(scope, budget_key(namespace, host))
    if item is None:
        return Used()
    tokens, at, version = (item.attrs[name] for name in ("used", "at", "version"))
    assert isinstance(tokens, int)  # written by `used_write`
    assert isinstance(at, int)
    assert isinstance(version, int)
    return Used(tokens, at, version)


def used_write(namespace: str, host: str, before: Used, after: Used) -> Update:
    """Refused when somebody else has written since ``before`` was read."""
    seen = before.version
    return Update(
        budget_key(namespace, host),
        set={"used": after.tokens, "at": after.at, "version": after.version},
        when=(Check("eq", "version", seen),) if seen else (Check("absent"),),
    )
