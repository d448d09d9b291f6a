"""DynamoDB by moto, with the tables of the adapter's own definition."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from millrace.adapters.dynamodb import DynamoDocuments
from millrace.adapters.dynamodb.schema import table_definition
from millrace.adapters.memory import SeededRandom
from millrace.ports.documents import Table

REGION = "eu-central-1"
TABLES = {table: f"millrace-{table}" for table in Table}
CREDENTIALS = {"AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing", "AWS_DEFAULT_REGION": REGION}


@contextmanager
def mocked_aws() -> Iterator[None]:
    from moto import mock_aws

    before = {name: os.environ.get(name) for name in CREDENTIALS}
    os.environ.update(CREDENTIALS)
    try:
        with mock_aws():
            yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def make_tables() -> None:
    import boto3

    from tests.conformance.documents.transactions import copy_what_is_changed

    copy_what_is_changed()
    client = boto3.client("dynamodb", region_name=REGION)
    for table, name in TABLES.items():
        client.create_table(TableName=name, **table_definition(table))


@contextmanager
def dynamodb_documents(slept: list[float] | None = None) -> Iterator[DynamoDocuments]:
    """A store over fresh tables; it does not sleep between attempts, but notes how long it would have."""
    pauses = [] if slept is None else slept
    with mocked_aws():
        make_tables()
        store = DynamoDocuments(TABLES, region=REGION, random=SeededRandom(), sleep=pauses.append)
        _serialise(store)
        yield store
        store.close()


def _serialise(store: DynamoDocuments) -> None:
    """One request at a time: moto undoes a cancelled transaction by putting back a copy of all tables, which would
    undo the writes of other threads too. The calls of many threads still interleave."""
    lock = threading.Lock()

    def enter(**_: object) -> None:
        lock.acquire()

    def leave(**_: object) -> None:
        lock.release()

    events = store.caller.connection().client.meta.events
    events.register_first("before-call.dynamodb", enter)
    events.register_last("after-call.dynamodb", leave)
    events.register_last("after-call-error.dynamodb", leave)
