"""Cheaper transactions for moto's DynamoDB.

moto undoes a cancelled transaction by putting back a copy of each of its tables, which it makes item by item before it
begins: one write then costs as much as the table is large, and that was four fifths of the time of the tests that run
the corpus. Here a copy of a table shares its items, and an item is copied before it is changed in place.
"""

from __future__ import annotations

import copy
from collections import defaultdict
from functools import cache
from typing import Any


@cache
def copy_what_is_changed() -> None:
    """Changes moto for the rest of the process; a second call does nothing."""
    from moto.dynamodb.models import DynamoDBBackend
    from moto.dynamodb.models.dynamo_type import DynamoType
    from moto.dynamodb.models.table import Table

    update_in_place = DynamoDBBackend.update_item

    def update_item(backend: Any, table_name: str, key: dict[str, Any], *args: Any, **kwargs: Any) -> Any:
        table = backend.get_table(table_name)
        partition = table.items.get(DynamoType(key[table.hash_key_attr]), {})
        sort = DynamoType(key[table.range_key_attr])
        if sort in partition:
            partition[sort] = copy.deepcopy(partition[sort])
        return update_in_place(backend, table_name, key, *args, **kwargs)

    def shared(table: Any, _memo: dict[int, Any]) -> Any:
        twin = copy.copy(table)
        twin.items = defaultdict(dict, {key: dict(items) for key, items in table.items.items()})
        if table.stream_shard is not None:
            twin.stream_shard = copy.copy(table.stream_shard)
            twin.stream_shard.table = twin
            twin.stream_shard.items = list(table.stream_shard.items)
        return twin

    DynamoDBBackend.update_item = update_item
    Table.__deepcopy__ = shared
