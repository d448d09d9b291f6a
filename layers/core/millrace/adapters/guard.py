"""What every adapter of Documents refuses before it touches its store, in one place.

DynamoDB's limits bind all adapters, so that what works on a laptop works on AWS; several of them are not enforced by
emulators either. Sizes follow DynamoDB's published rules: a name and a text count their UTF-8 bytes, a number about
half a byte per digit plus one, a list or map three bytes plus one per element, and keys count like other attributes.
What passes is copied, so that a caller may go on using its own dicts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Final

from msgspec.structs import replace

from millrace.adapters.keys import Address, Listing, encode
from millrace.base.errors import InvalidRequest, TooLarge
from millrace.base.limits import (
    ATTRIBUTE_DEPTH,
    INTEGER_DIGITS,
    ITEM_BYTES,
    KEY_PARTITION_BYTES,
    KEY_SORT_BYTES,
    TRANSACTION_BYTES,
    TRANSACTION_OPS,
)
from millrace.ports.documents import (
    AnyOf,
    Attr,
    Check,
    Condition,
    Delete,
    Index,
    IndexKey,
    Item,
    Key,
    Op,
    Put,
    Range,
    Scope,
    SystemScope,
    Table,
    TenantScope,
    Update,
)

BODY = "body"
KEPT_PARTITIONS: Final = 2048
"""How many partition keys are kept as checked: an execution writes to a few of its own again and again."""
KEPT_NAMES: Final = 1024
"""How many attribute names are kept as checked: all items share a few."""
_INTEGER_BOUND: Final[int] = int("1" + "0" * INTEGER_DIGITS)
_ORDERED = frozenset({"lt", "le", "gt", "ge"})
_COMPARING = frozenset({"eq", "ne"}) | _ORDERED
_KEY_NAMES_BYTES = len("_pk") + len("_sk")


def too_large(what: str, limit: int, size: int, unit: str = "bytes") -> TooLarge:
    facts = {"limit": limit, "size": size, "unit": unit}
    return TooLarge(f"{what} is {size} {unit}, and the limit is {limit}", facts=facts)


def text_bytes(text: str, what: str) -> int:
    """UTF-8 length. Raises InvalidRequest on a lone surrogate, which no store can hold."""
    if text.isascii():
        return len(text)
    try:
        return len(text.encode())
    except UnicodeEncodeError:
        raise InvalidRequest(f"{what} holds half of a surrogate pair", hint="send well-formed Unicode text") from None


def _key_text(text: str, what: str, limit: int) -> str:
    if not text:
        raise InvalidRequest(f"{what} is empty")
    if "\0" in text:
        raise InvalidRequest(f"{what} holds a NUL character")
    size = text_bytes(text, what)
    if size > limit:
        raise too_large(what, limit, size)
    return text


def partition_text(scope: Scope, parts: Sequence[str]) -> str:
    """The partition text of a tenant's key; refuses the system scope, which has no keys of its own."""
    if not isinstance(scope, TenantScope):
        raise InvalidRequest("the system scope reads the live index and nothing else")
    return _partition_text(scope.tenant, *parts)


@lru_cache(maxsize=KEPT_PARTITIONS)
def _partition_text(tenant: str, *parts: str) -> str:
    if not tenant:
        raise InvalidRequest("the tenant is empty")
    return _key_text(encode((tenant, *parts)), "the partition key", KEY_PARTITION_BYTES)


def address(scope: Scope, key: Key) -> Address:
    return Address(
        key.table,
        partition_text(scope, key.partition),
        _key_text(key.sort, "the sort key", KEY_SORT_BYTES),
    )


def index_partition(scope: Scope, index: Index, parts: Sequence[str]) -> str:
    """The live index is one for all tenants; every other index partition begins with its tenant."""
    if index is Index.LIVE:
        return _key_text(encode(parts), "the live index partition", KEY_PARTITION_BYTES)
    return partition_text(scope, parts)


def index_texts(scope: Scope, index: Index, key: IndexKey) -> tuple[str, str]:
    """Partition and sort text of an index entry."""
    return (
        index_partition(scope, index, key.partition),
        _key_text(key.sort, f"the sort key of index {index}", KEY_SORT_BYTES),
    )


def listing(
    scope: Scope, table: Table, index: Index | None, parts: Sequence[str], within: Range, cursor: str | None
) -> Listing:
    """A checked query. The live index takes the system scope and only it."""
    if within.limit < 1:
        raise InvalidRequest(f"the page limit is {within.limit}; it must be at least 1")
    if within.prefix is not None and (within.first is not None or within.last is not None):
        raise InvalidRequest("a range takes either a prefix or bounds, not both")
    for bound in (within.first, within.last, within.prefix):
        if bound:
            _key_text(bound, "a bound of the range", KEY_SORT_BYTES)
    if index is None:
        partition = partition_text(scope, parts)
    elif isinstance(scope, SystemScope) != (index is Index.LIVE):
        raise InvalidRequest(f"index {index} cannot be read in this scope")
    else:
        partition = index_partition(scope, index, parts)
    wanted = Listing(
        table, partition, index, replace(within, first=within.first or None, prefix=within.prefix or None), None
    )
    return wanted if cursor is None else replace(wanted, after=wanted.position(cursor))


def copied(value: Attr) -> Attr:
    """A copy that shares no list or map with ``value``, which has passed the guard."""
    if isinstance(value, dict):
        return {name: copied(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [copied(inner) for inner in value]
    return value


def integer_in_range(number: int) -> bool:
    return abs(number) < _INTEGER_BOUND


def _measured(value: object, name: str, depth: int) -> tuple[Attr, int]:
    """A checked copy of a value and its size in bytes."""
    if type(value) is str and value.isascii():  # most are
        return value, len(value)
    match value:
        case None | bool():
            return value, 1
        case str():
            return str(value), text_bytes(value, f"attribute {name!r}")
        case int():
            if not integer_in_range(value):
                raise InvalidRequest(f"attribute {name!r} is an integer of more than {INTEGER_DIGITS} digits")
            return int(value), len(str(abs(value))) // 2 + 2
        case list() | dict():
            if depth > ATTRIBUTE_DEPTH:
                raise too_large(f"attribute {name!r}", ATTRIBUTE_DEPTH, depth, "levels")
            return _measured_list(value, name, depth) if isinstance(value, list) else _measured_map(value, name, depth)
        case _:
            raise InvalidRequest(
                f"attribute {name!r} holds a {type(value).__name__}, which cannot be stored",
                hint="use text, integers, booleans, null, lists and maps; bytes only as 'body'",
            )


def _measured_list(value: list[object], name: str, depth: int) -> tuple[Attr, int]:
    out: list[Attr] = []
    size = 3
    for inner in value:
        clean, inner_size = _measured(inner, name, depth + 1)
        out.append(clean)
        size += inner_size + 1
    return out, size


def _measured_map(value: dict[object, object], name: str, depth: int) -> tuple[Attr, int]:
    out: dict[str, Attr] = {}
    size = 3
    for key, inner in value.items():
        if not isinstance(key, str) or not key:
            raise InvalidRequest(f"attribute {name!r} holds a map whose key {key!r} is not a non-empty text")
        clean, inner_size = _measured(inner, name, depth + 1)
        out[str(key)] = clean
        size += inner_size + 1 + text_bytes(key, f"a key of attribute {name!r}")
    return out, size


@lru_cache(maxsize=KEPT_NAMES)
def _attr_name(name: object) -> int:
    if not isinstance(name, str) or not name or name.startswith("_"):
        raise InvalidRequest(f"{name!r} is no attribute name", hint="names are texts that do not begin with '_'")
    return text_bytes(name, "an attribute name")


def measured(attrs: Mapping[str, Attr]) -> tuple[dict[str, Attr], int]:
    """A checked copy of attributes, and their size in bytes with their names."""
    out: dict[str, Attr] = {}
    size = 0
    for name, value in attrs.items():
        size += _attr_name(name)
        if isinstance(value, bytes):
            if name != BODY:
                raise InvalidRequest(f"attribute {name!r} holds bytes; only {BODY!r} may")
            out[name], value_size = value, len(value)
        else:
            out[name], value_size = _measured(value, name, 1)
        size += value_size
    return out, size


def _index_bytes(scope: Scope, indexes: Mapping[Index, IndexKey | None]) -> int:
    size = 0
    for index, key in indexes.items():
        if key is not None:
            size += sum(len(text.encode()) for text in index_texts(scope, index, key)) + 2 * (len(index) + 4)
    return size


def checked_item(scope: Scope, item: Item) -> tuple[Address, Item, int]:
    """Address, checked copy, and size in bytes. Raises TooLarge, InvalidRequest."""
    place = address(scope, item.key)
    attrs, size = measured(item.attrs)
    size += _KEY_NAMES_BYTES + len(place.partition.encode()) + len(place.sort.encode())
    size += _index_bytes(scope, item.indexes)
    if item.expires_at is not None:
        if not 0 <= item.expires_at < 10**12:
            raise InvalidRequest(f"expires_at is {item.expires_at}; it must be seconds since 1970")
        size += 11
    if item.feed:
        size += 6
    if size > ITEM_BYTES:
        raise too_large("the item", ITEM_BYTES, size)
    return place, Item(item.key, attrs, dict(item.indexes), item.expires_at, item.feed), size


def _check(check: Check) -> None:
    if check.op in ("absent", "exists"):
        return
    _attr_name(check.attr)
    if check.op in _ORDERED and (check.value is None or isinstance(check.value, bool)):
        raise InvalidRequest(f"condition {check.op!r} on {check.attr!r} needs a text or a number")
    if check.op in _COMPARING:
        _measured(check.value, check.attr, 1)


def _conditions(when: Sequence[Condition]) -> None:
    for condition in when:
        if isinstance(condition, AnyOf):
            if not condition.checks:
                raise InvalidRequest("a condition AnyOf needs at least one check")
            for check in condition.checks:
                _check(check)
        else:
            _check(condition)


def _checked_update(scope: Scope, op: Update) -> tuple[Address, Update, int]:
    place = address(scope, op.key)
    attrs, size = measured(op.set)
    for name, number in op.add.items():
        size += _attr_name(name)
        if isinstance(number, bool) or not isinstance(number, int) or not integer_in_range(number):
            raise InvalidRequest(f"cannot add {number!r} to {name!r}; an integer of up to 38 digits is needed")
        size += 21
    for name in op.remove:
        _attr_name(name)
    names = [*op.set, *op.add, *op.remove]
    if len(set(names)) != len(names):
        raise InvalidRequest("an update names one attribute twice", facts={"names": sorted(names)})
    size += _KEY_NAMES_BYTES + len(place.partition.encode()) + len(place.sort.encode())
    size += _index_bytes(scope, op.indexes)
    if size > ITEM_BYTES:
        raise too_large("the item", ITEM_BYTES, size)
    return place, replace(op, set=attrs, add=dict(op.add), indexes=dict(op.indexes)), size


def checked_op(scope: Scope, op: Op) -> tuple[Address, Op, int]:
    _conditions(op.when)
    if isinstance(op, Put):
        place, item, size = checked_item(scope, op.item)
        return place, Put(item, op.when), size
    if isinstance(op, Update):
        return _checked_update(scope, op)
    if not isinstance(op, Delete) and not op.when:
        raise InvalidRequest("a Require needs at least one condition")
    return address(scope, op.key), op, 0


def checked_ops(scope: Scope, ops: Sequence[Op]) -> list[tuple[Address, Op]]:
    """The checked copy of one write list. Raises TooLarge, InvalidRequest."""
    if not ops:
        raise InvalidRequest("a write needs at least one operation")
    if len(ops) > TRANSACTION_OPS:
        raise too_large("the write", TRANSACTION_OPS, len(ops), "operations")
    out = []
    total = 0
    seen: set[Address] = set()
    for op in ops:
        place, clean, size = checked_op(scope, op)
        if place in seen:
            raise InvalidRequest("a write names one key twice", facts={"table": place.table, "sort": place.sort})
        seen.add(place)
        total += size
        out.append((place, clean))
    if total > TRANSACTION_BYTES:
        raise too_large("the write", TRANSACTION_BYTES, total)
    return out
