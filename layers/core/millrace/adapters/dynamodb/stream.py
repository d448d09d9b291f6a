"""DynamoDB stream events as feed records, for the projector function.

A shard carries the changes of a partition in order, and a record comes at least once. Deletions (by us or by expiry)
and items that are not marked for the feed are left out.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

from millrace.adapters.dynamodb import marshal
from millrace.adapters.dynamodb.schema import FEED
from millrace.ports.documents import Table
from millrace.ports.feed import FeedRecord


def _decoded(wire: Mapping[str, Any]) -> dict[str, Any]:
    """Binary values come as base 64 text in an event; only ``body`` is binary, and never nested."""
    return {name: {"B": base64.b64decode(held["B"])} if "B" in held else held for name, held in wire.items()}


def feed_records(event: Mapping[str, Any], tables: Mapping[Table, str]) -> list[FeedRecord]:
    """Records of an event of ``aws:dynamodb`` shape, in its order. ``tables`` names the tables, as for the store;
    changes of other tables are left out. The sequence is DynamoDB's sequence number."""
    by_name = {name: table for table, name in tables.items()}
    out = []
    for record in event["Records"]:
        image = record["dynamodb"].get("NewImage", {})
        table = by_name.get(record["eventSourceARN"].split("/")[1])
        if table is None or FEED not in image:
            continue
        tenant, item = marshal.item(table, _decoded(image))
        out.append(FeedRecord(int(record["dynamodb"]["SequenceNumber"]), tenant, item))
    return out
