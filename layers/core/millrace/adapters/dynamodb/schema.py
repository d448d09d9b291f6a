"""Names of keys and indexes, and the table definition that infra/storage.yaml repeats (a test compares them).

Every table has every index: an index without entries costs nothing, and a new listing then needs no new adapter.
"""

from __future__ import annotations

from typing import Any, Final

from millrace.ports.documents import Index, Table

PARTITION: Final = "_pk"
SORT: Final = "_sk"
EXPIRES: Final = "_ttl"
FEED: Final = "_feed"

STREAMED: Final = frozenset({Table.HISTORY, Table.DEFINITIONS})


def index_names(index: Index) -> tuple[str, str]:
    """The attributes that hold an item's key in this index."""
    return f"_{index}_pk", f"_{index}_sk"


def table_definition(table: Table) -> dict[str, Any]:
    """Arguments of CreateTable without the table's name."""
    names = [PARTITION, SORT, *[name for index in Index for name in index_names(index)]]
    definition: dict[str, Any] = {
        "BillingMode": "PAY_PER_REQUEST",
        "AttributeDefinitions": [{"AttributeName": name, "AttributeType": "S"} for name in names],
        "KeySchema": _key_schema(PARTITION, SORT),
        "GlobalSecondaryIndexes": [
            {
                "IndexName": str(index),
                "KeySchema": _key_schema(*index_names(index)),
                "Projection": {"ProjectionType": "ALL"},
            }
            for index in Index
        ],
    }
    if table in STREAMED:
        definition["StreamSpecification"] = {"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"}
    return definition


def _key_schema(partition: str, sort: str) -> list[dict[str, str]]:
    return [
        {"AttributeName": partition, "KeyType": "HASH"},
        {"AttributeName": sort, "KeyType": "RANGE"},
    ]
