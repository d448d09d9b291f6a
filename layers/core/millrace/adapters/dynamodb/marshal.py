"""Items as DynamoDB attribute maps, and back.

A body is stored compressed where that makes it smaller: DynamoDB charges a write unit a kilobyte, and reads a megabyte
at a time. Segments of histories shrink to between a fifth and a half, in 30 to 100 us. Nothing else holds bytes, and no
condition looks into them.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from typing import Any, Final

from millrace.adapters.dynamodb.schema import EXPIRES, FEED, PARTITION, SORT, index_names
from millrace.adapters.guard import index_texts
from millrace.adapters.keys import Address, decode
from millrace.base.errors import Corrupt
from millrace.ports.documents import Attr, Index, IndexKey, Item, Key, Table, TenantScope

Wire = dict[str, Any]
DEFLATED: Final = b"\0"
AS_IT_IS: Final = b"\1"
"""What stands in front of a body: zlib's format (RFC 1950) follows, or the body itself. One that begins otherwise has
nothing in front of it, as text never needs it."""
SMALL: Final = 512
"""Bytes below which an item costs one unit anyway."""


def packed(body: bytes) -> bytes:
    """A body as it is stored."""
    if len(body) >= SMALL:
        smaller = DEFLATED + zlib.compress(body)
        if len(smaller) < len(body):
            return smaller
    return AS_IT_IS + body if body[:1] in (DEFLATED, AS_IT_IS) else body


def unpacked(stored: bytes) -> bytes:
    """The body that `packed` was given. Raises Corrupt."""
    if stored[:1] == DEFLATED:
        try:
            return zlib.decompress(stored[1:])
        except zlib.error as error:
            raise Corrupt(f"an item's body cannot be decompressed: {error}") from error
    return stored[1:] if stored[:1] == AS_IT_IS else stored


def value(attr: Attr) -> Wire:
    """One attribute value; the guard has bounded its depth."""
    match attr:
        case None:
            return {"NULL": True}
        case bool():
            return {"BOOL": attr}
        case str():
            return {"S": attr}
        case int():
            return {"N": str(attr)}
        case bytes():
            return {"B": packed(attr)}
        case list():
            return {"L": [value(inner) for inner in attr]}
        case dict():
            return {"M": {name: value(inner) for name, inner in attr.items()}}


def plain(wire: Wire) -> Attr:
    """The attribute that `value` was given."""
    ((kind, held),) = wire.items()
    match kind:
        case "S" | "BOOL":
            kept: Attr = held
            return kept
        case "B":
            return unpacked(held)
        case "N":
            return int(held)
        case "NULL":
            return None
        case "L":
            return [plain(inner) for inner in held]
        case "M":
            return {name: plain(inner) for name, inner in held.items()}
    raise Corrupt(f"an item holds an attribute of type {kind}, which Millrace never writes")


def key(place: Address) -> Wire:
    return {PARTITION: {"S": place.partition}, SORT: {"S": place.sort}}


def index_values(scope: TenantScope, index: Index, index_key: IndexKey) -> Wire:
    partition, sort = index_texts(scope, index, index_key)
    partition_name, sort_name = index_names(index)
    return {partition_name: {"S": partition}, sort_name: {"S": sort}}


def wire(scope: TenantScope, place: Address, item: Item) -> Wire:
    out = key(place)
    for name, attr in item.attrs.items():
        out[name] = value(attr)
    for index, index_key in item.indexes.items():
        out.update(index_values(scope, index, index_key))
    if item.expires_at is not None:
        out[EXPIRES] = {"N": str(item.expires_at)}
    if item.feed:
        out[FEED] = {"BOOL": True}
    return out


def item(table: Table, held: Mapping[str, Wire]) -> tuple[str, Item]:
    """Tenant and item of an attribute map."""
    tenant, *partition = decode(held[PARTITION]["S"])
    indexes = {}
    for index in Index:
        partition_name, sort_name = index_names(index)
        if partition_name in held:
            parts = decode(held[partition_name]["S"])
            indexes[index] = IndexKey(parts if index is Index.LIVE else parts[1:], held[sort_name]["S"])
    attrs = {name: plain(wire) for name, wire in held.items() if not name.startswith("_")}
    expires = int(held[EXPIRES]["N"]) if EXPIRES in held else None
    return tenant, Item(Key(table, tuple(partition), held[SORT]["S"]), attrs, indexes, expires, FEED in held)
