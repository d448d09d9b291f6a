"""The Documents port: keyed items with conditional writes, range queries, indexes, counters, transactions.

Every call takes a scope. A tenant scope is the first part of every key it touches, so a read that crosses
tenants cannot be written. The system scope reads one thing: the live index. There is no scan.

Guarantees every adapter gives, and `tests/conformance/documents` proves:

- `get` and `query` with ``consistent=True`` see every acknowledged write. Index queries may lag.
- A write list is atomic: all of it or none. The refused operation is named by position.
- A `ConditionRefused` or `StoreUnavailable` means nothing was written; `OutcomeUnknown` means it may have been.
- Nobody is told of a write before it is durable.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from enum import StrEnum
from typing import Literal, Protocol

from msgspec import Struct, field

Attr = str | int | bool | bytes | None | list["Attr"] | dict[str, "Attr"]
"""What an attribute may hold. ``bytes`` only under the name ``body``; integers up to 38 digits; no floats."""


class Table(StrEnum):
    """One physical table each on DynamoDB, so that functions get only what they need."""

    DEFINITIONS = "definitions"
    HISTORY = "history"
    STATISTICS = "statistics"


class Index(StrEnum):
    """Secondary indexes, eventually consistent. An item is in an index while it holds a key for it."""

    LIVE = "live"
    LIST = "list"
    WORKFLOW = "workflow"
    STATUS = "status"
    STATE = "state"
    SUBJECT = "subject"
    TRIGGER = "trigger"
    ORIGIN = "origin"


class TenantScope(Struct, frozen=True):
    tenant: str


class SystemScope(Struct, frozen=True):
    """Reads ``Index.LIVE`` and nothing else."""


Scope = TenantScope | SystemScope


class Key(Struct, frozen=True):
    """``partition`` parts may hold any text without NUL; adapters encode them so that parts never run together."""

    table: Table
    partition: tuple[str, ...]
    sort: str


class IndexKey(Struct, frozen=True):
    partition: tuple[str, ...]
    sort: str


class Item(Struct, frozen=True):
    """``feed`` items are delivered to the Feed. ``expires_at`` is epoch seconds; readers check it themselves,
    since deletion by the store comes later."""

    key: Key
    attrs: Mapping[str, Attr] = field(default_factory=dict)
    indexes: Mapping[Index, IndexKey] = field(default_factory=dict)
    expires_at: int | None = None
    feed: bool = False


class Row(Struct, frozen=True):
    """An item as read, with the tenant it belongs to (which the live index needs)."""

    tenant: str
    item: Item


Operator = Literal["absent", "exists", "missing", "present", "eq", "ne", "lt", "le", "gt", "ge"]


class Check(Struct, frozen=True):
    """``absent``/``exists`` judge the whole item; ``missing``/``present`` one attribute; the rest compare one
    attribute with ``value`` (a comparison with a missing attribute is false)."""

    op: Operator
    attr: str = ""
    value: str | int | bool | None = None


class AnyOf(Struct, frozen=True):
    checks: tuple[Check, ...]


Condition = Check | AnyOf
ABSENT = (Check("absent"),)
EXISTS = (Check("exists"),)


class Put(Struct, frozen=True):
    item: Item
    when: tuple[Condition, ...] = ()


class Update(Struct, frozen=True):
    """Creates the item when it is absent, unless ``when`` forbids it. ``indexes`` sets a key, or removes it by
    None; indexes not named keep their key. ``add`` starts from 0."""

    key: Key
    set: Mapping[str, Attr] = field(default_factory=dict)
    add: Mapping[str, int] = field(default_factory=dict)
    remove: tuple[str, ...] = ()
    indexes: Mapping[Index, IndexKey | None] = field(default_factory=dict)
    when: tuple[Condition, ...] = ()


class Delete(Struct, frozen=True):
    """Deleting what is not there is no error, unless ``when`` makes it one."""

    key: Key
    when: tuple[Condition, ...] = ()


class Require(Struct, frozen=True):
    """Writes nothing; refuses the transaction when its conditions do not hold."""

    key: Key
    when: tuple[Condition, ...]


Op = Put | Update | Delete | Require


class Page(Struct, frozen=True):
    """``cursor`` is opaque and None at the end."""

    rows: tuple[Row, ...]
    cursor: str | None = None


class Range(Struct, frozen=True):
    """Bounds on the sort key, both inclusive. ``prefix`` excludes ``first``/``last``."""

    first: str | None = None
    last: str | None = None
    prefix: str | None = None
    reverse: bool = False
    limit: int = 100


class Documents(Protocol):
    def get(self, scope: TenantScope, key: Key, *, consistent: bool = True) -> Item | None: ...

    def batch_get(self, scope: TenantScope, keys: Sequence[Key]) -> list[Item | None]:
        """Any number of keys; answers in the order asked, None where absent."""
        ...

    def query(
        self,
        scope: TenantScope,
        table: Table,
        partition: tuple[str, ...],
        *,
        within: Range = Range(),
        cursor: str | None = None,
        consistent: bool = True,
    ) -> Page: ...

    def query_index(
        self,
        scope: Scope,
        table: Table,
        index: Index,
        partition: tuple[str, ...],
        *,
        within: Range = Range(),
        cursor: str | None = None,
    ) -> Page:
        """``Index.LIVE`` takes the system scope and only it. Items come back whole."""
        ...

    def submit(self, scope: TenantScope, ops: Sequence[Op]) -> Future[None]:
        """Queue one atomic write (at most 25 operations, each key once). The future ends when it is durable,
        or with ConditionRefused, StoreUnavailable, OutcomeUnknown, TooLarge."""
        ...

    def write(self, scope: TenantScope, ops: Sequence[Op]) -> None:
        """`submit` and wait."""
        ...

    def batch_put(self, scope: TenantScope, items: Sequence[Item]) -> None:
        """Unconditional and not atomic; any number of items."""
        ...

    def add(
        self, scope: TenantScope, key: Key, counters: Mapping[str, int], *, when: tuple[Condition, ...] = ()
    ) -> dict[str, int]:
        """Atomically add to counters; answers their new values."""
        ...

    def close(self) -> None: ...
