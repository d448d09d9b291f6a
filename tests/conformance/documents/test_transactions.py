"""The emulated store undoes a cancelled transaction whole: what was put, changed and deleted before the refusal."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import boto3
import pytest

from tests.conformance.documents.cloud import REGION, TABLES, make_tables, mocked_aws

NAME = next(iter(TABLES.values()))


@pytest.fixture
def client() -> Iterator[Any]:
    with mocked_aws():
        make_tables()
        yield boto3.client("dynamodb", region_name=REGION)


def item(sort: str, value: str) -> dict[str, Any]:
    return {"_pk": {"S": "p"}, "_sk": {"S": sort}, "value": {"S": value}}


def key(sort: str) -> dict[str, Any]:
    return {"_pk": {"S": "p"}, "_sk": {"S": sort}}


def test_a_cancelled_transaction_leaves_every_item_as_it_was(client: Any) -> None:
    before = [item(sort, "old") for sort in ("changed", "checked", "deleted", "replaced")]
    for one in before:
        client.put_item(TableName=NAME, Item=one)
    changes: list[dict[str, Any]] = [
        {"Put": {"Item": item("new", "new")}},
        {"Put": {"Item": item("replaced", "new")}},
        {"Delete": {"Key": key("deleted")}},
        {
            "Update": {
                "Key": key("changed"),
                "UpdateExpression": "SET #v = :v",
                "ExpressionAttributeNames": {"#v": "value"},
                "ExpressionAttributeValues": {":v": {"S": "new"}},
            }
        },
        {"ConditionCheck": {"Key": key("checked"), "ConditionExpression": "attribute_not_exists(_pk)"}},
    ]
    named = [{kind: {"TableName": NAME, **change} for kind, change in one.items()} for one in changes]
    with pytest.raises(client.exceptions.TransactionCanceledException):
        client.transact_write_items(TransactItems=named)
    assert before == client.scan(TableName=NAME)["Items"]
    client.transact_write_items(TransactItems=named[:-1])
    after = {one["_sk"]["S"]: one["value"]["S"] for one in client.scan(TableName=NAME)["Items"]}
    assert {"changed": "new", "checked": "old", "new": "new", "replaced": "new"} == after
